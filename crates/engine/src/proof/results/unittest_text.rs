//! The verbose lines of Python's `unittest` (`-v`), both streams merged.
//!
//! What tests print may stand between a test's name and its end. The summary at the end says how many
//! ran and how many of them did not hold; what is listed must bear it out.

use std::collections::HashMap;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{
    Gathered, few, malformed,
    text::{self, Piece},
};

/// The rule above each failure.
const DOUBLE: &str = "======================================================================";
/// The rule below its title, and above the summary.
const SINGLE: &str = "----------------------------------------------------------------------";

struct Listed {
    /// `module.Class.test`.
    full: String,
    method: String,
    outcome: Option<CaseOutcome>,
    message: String,
}

/// One of the failures that are described behind the list.
struct Described {
    title: String,
    outcome: CaseOutcome,
    message: String,
}

/// The last lines.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Summary {
    ran: u64,
    ok: bool,
    failures: u64,
    errors: u64,
    /// Skipped, or expected to fail.
    skipped: u64,
    unexpected: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    List,
    Title,
    Body,
    End,
}

/// Reads what `python -m unittest -v` printed.
pub(super) fn parse(bytes: &[u8], cut: bool) -> Result<ParsedResults, ResultsProblem> {
    let lossy = String::from_utf8_lossy(bytes);
    let mut walk = Walk {
        listed: Vec::new(),
        described: Vec::new(),
        place: Place::List,
        named: None,
        ran: None,
        summary: None,
        cut: false,
        before: "",
    };
    for piece in text::pieces(&lossy, cut) {
        match piece {
            Piece::Line { text, at, .. } => walk.line(text, at)?,
            Piece::Cut => {
                walk.cut = true;
                walk.named = None;
            }
        }
    }
    walk.finish(lossy.len())
}

struct Walk<'a> {
    listed: Vec<Listed>,
    described: Vec<Described>,
    place: Place,
    /// A name whose line of description has not come yet.
    named: Option<(String, String)>,
    ran: Option<u64>,
    summary: Option<Summary>,
    cut: bool,
    before: &'a str,
}

impl<'a> Walk<'a> {
    fn line(&mut self, line: &'a str, at: usize) -> Result<(), ResultsProblem> {
        let before = std::mem::replace(&mut self.before, line);
        if before == SINGLE
            && let Some(ran) = ran(line)
        {
            if self.ran.replace(ran).is_some() {
                return Err(malformed(ParserKind::UnittestText, at, "a second summary"));
            }
            self.place = Place::End;
            return Ok(());
        }
        match self.place {
            _ if line == DOUBLE && self.place != Place::End => self.place = Place::Title,
            Place::List => {
                self.list(line);
                few(self.listed.len())?;
            }
            Place::Title => {
                self.place = Place::Body;
                let read = [
                    ("FAIL: ", CaseOutcome::Failed),
                    ("ERROR: ", CaseOutcome::Error),
                    ("UNEXPECTED SUCCESS: ", CaseOutcome::Failed),
                ];
                let found = read.iter().find_map(|(word, outcome)| Some((line.strip_prefix(word)?, *outcome)));
                if let Some((title, outcome)) = found {
                    self.described.push(Described { title: title.to_owned(), outcome, message: String::new() });
                }
            }
            Place::Body => {
                if let Some(described) = self.described.last_mut().filter(|_| line != SINGLE) {
                    text::extend(&mut described.message, line);
                    text::extend(&mut described.message, "\n");
                }
            }
            Place::End => {
                if self.summary.is_none() {
                    self.summary = self.ran.and_then(|ran| verdict(line, ran));
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, line: &str) {
        let inner = line.strip_prefix("  ");
        if let Some((method, full, rest)) = named(inner.unwrap_or(line)) {
            let Some(rest) = rest else {
                if inner.is_none() {
                    self.named = Some((method, full));
                }
                return;
            };
            if inner.is_some() {
                // A part of the test before it: `subTest` lists only what did not hold.
                if let Some(test) = self.listed.last_mut().filter(|listed| listed.full == full) {
                    test.outcome = worse(test.outcome, ended(rest).map(|(outcome, _)| outcome));
                }
                return;
            }
            self.named = None;
            let mut open = (method, full, rest);
            // Until Python 3.10 a failing `subTest` leaves its line open, and the next test goes on there.
            while let Some((method, full, Some(rest))) = named(open.2) {
                let (before, name, _) = std::mem::replace(&mut open, (method, full, rest));
                self.push(before, name, "");
            }
            self.push(open.0, open.1, open.2);
            return;
        }
        if let Some((method, full)) = self.named.take() {
            // The first line of the test's docstring, and its end.
            if let Some((_, rest)) = line.rsplit_once(" ... ") {
                self.push(method, full, rest);
            } else if line.ends_with(" ...") {
                self.push(method, full, "");
            }
            return;
        }
        if let Some(open) = self.listed.last_mut().filter(|listed| listed.outcome.is_none())
            && let Some((outcome, message)) = ended(line)
        {
            open.outcome = Some(outcome);
            open.message = message;
        }
    }

    fn push(&mut self, method: String, full: String, rest: &str) {
        let (outcome, message) = ended(rest).map_or((None, String::new()), |(outcome, said)| (Some(outcome), said));
        self.listed.push(Listed { full, method, outcome, message });
    }

    fn finish(mut self, end: usize) -> Result<ParsedResults, ResultsProblem> {
        let bad = |message: &str| malformed(ParserKind::UnittestText, end, message);
        let Some(summary) = self.summary else {
            return Err(bad("no summary: it did not come to its end"));
        };
        let mut found = Gathered::new(ParserKind::UnittestText);
        let described = |outcome| self.described.iter().filter(|described| described.outcome == outcome).count() as u64;
        let explained = described(CaseOutcome::Error) == summary.errors
            && described(CaseOutcome::Failed) >= summary.failures
            && described(CaseOutcome::Failed) <= summary.failures + summary.unexpected;
        let places: HashMap<String, usize> =
            self.listed.iter().enumerate().map(|(at, listed)| (listed.full.clone(), at)).collect();
        for described in &self.described {
            let place = named(&described.title).and_then(|(_, full, _)| places.get(&full));
            match place.and_then(|at| self.listed.get_mut(*at)) {
                Some(test) => {
                    test.outcome = worse(test.outcome, Some(described.outcome));
                    if !test.message.is_empty() {
                        text::extend(&mut test.message, "\n");
                    }
                    text::extend(&mut test.message, &described.message);
                }
                None => {
                    // Around the tests: setUpClass, tearDownModule.
                    if described.outcome == CaseOutcome::Error {
                        found.fault(ResultsFault::Collection { text: text::name(&described.title) });
                    }
                    let case = Case::new(text::name(&described.title), described.outcome);
                    found.add(case.saying(&text::message(&described.message)))?;
                }
            }
        }
        let skipped = self.listed.iter().filter(|listed| listed.outcome == Some(CaseOutcome::Skipped)).count() as u64;
        let listed = self.listed.len() as u64;
        // Where everything else is accounted for, those whose end could not be read held.
        let accounted = explained && skipped >= summary.skipped;
        let proven = listed == summary.ran && accounted;
        let open = match (accounted, summary.ok) {
            (true, _) => CaseOutcome::Passed,
            (false, true) => CaseOutcome::Skipped,
            (false, false) => CaseOutcome::Error,
        };
        for test in self.listed {
            let outcome = test.outcome.unwrap_or(open);
            let message = if test.outcome.is_none() && !accounted {
                "its end could not be read among what was printed".to_owned()
            } else {
                test.message
            };
            let loader = test.full.starts_with("unittest.loader._FailedTest");
            if loader {
                found.fault(ResultsFault::Collection { text: text::name(&test.method) });
            }
            let mut case = Case::new(text::name(&test.full), outcome).saying(&text::message(&message));
            if !loader {
                case.also.push(text::name(&test.method));
                if let Some((file, class)) = node_id(&test.full, &test.method) {
                    let names = [
                        format!("{file}::{class}::{}", test.method),
                        format!("{class}.{}", test.method),
                        format!("{class}::{}", test.method),
                    ];
                    case.also.extend(names.iter().map(|name| text::name(name)));
                    case.file = Some(text::name(&file));
                }
            }
            found.add(case)?;
        }
        let counts = found.results.counts;
        if self.cut && proven {
            found.note("a part of the output was left out; the summary accounts for every test");
        } else if self.cut {
            found.fault(ResultsFault::OutputCut);
        }
        if listed.saturating_sub(skipped) > summary.ran {
            // Some test printed such a line itself, and nothing says which.
            found.fault(ResultsFault::Tool { text: "more tests are listed than ran".to_owned() });
        }
        if listed < summary.ran {
            found.note(format!("{} ran and {listed} are listed", text::many(summary.ran, "test")));
            found.fault(ResultsFault::OutputCut);
        }
        if !self.cut && summary.ok != (counts.bad() == 0) {
            return Err(bad("its summary contradicts its tests"));
        }
        Ok(found.results)
    }
}

fn worse(a: Option<CaseOutcome>, b: Option<CaseOutcome>) -> Option<CaseOutcome> {
    let rank = |outcome: &CaseOutcome| match outcome {
        CaseOutcome::Passed => 0,
        CaseOutcome::Skipped => 1,
        CaseOutcome::Error => 2,
        CaseOutcome::Failed => 3,
    };
    a.into_iter().chain(b).max_by_key(rank)
}

/// `test_a (module.Class.test_a) ... ok`: method, full name, what stands behind the dots.
fn named(line: &str) -> Option<(String, String, Option<&str>)> {
    let (method, rest) = line.split_once(" (")?;
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>'))
    };
    let (id, behind) = rest.split_once(')')?;
    if !plain(method) || !plain(id) || !(id.contains('.') || id.starts_with("__main__")) {
        return None;
    }
    // Until Python 3.10 the parentheses hold the class alone.
    let full = if id.rsplit('.').next() == Some(method) { id.to_owned() } else { format!("{id}.{method}") };
    let rest = match behind.split_once(" ... ") {
        Some((_, rest)) => Some(rest),
        None if behind.ends_with(" ...") => Some(""),
        None => None,
    };
    Some((method.to_owned(), full, rest))
}

fn ended(text: &str) -> Option<(CaseOutcome, String)> {
    let text = text.trim_end();
    Some(match text {
        "ok" => (CaseOutcome::Passed, String::new()),
        "FAIL" => (CaseOutcome::Failed, String::new()),
        "ERROR" => (CaseOutcome::Error, String::new()),
        // It fails and was expected to: a wish, as TODO is in TAP.
        "expected failure" => (CaseOutcome::Skipped, "expected failure".to_owned()),
        "unexpected success" => (CaseOutcome::Failed, "unexpected success".to_owned()),
        _ => {
            let why = text.strip_prefix("skipped ")?;
            (CaseOutcome::Skipped, why.trim_matches(['\'', '"']).to_owned())
        }
    })
}

/// `Ran 3 tests in 0.001s`.
fn ran(line: &str) -> Option<u64> {
    let (number, rest) = line.strip_prefix("Ran ")?.split_once(" test")?;
    (rest.starts_with(" in ") || rest.starts_with("s in ")).then(|| number.parse().ok())?
}

/// `OK (skipped=1)`, `FAILED (failures=1, errors=2)`, `NO TESTS RAN`.
fn verdict(line: &str, ran: u64) -> Option<Summary> {
    let mut summary = Summary { ran, ..Summary::default() };
    let (word, details) = match line.split_once(" (") {
        Some((word, details)) => (word, details.strip_suffix(')')?),
        None => (line, ""),
    };
    summary.ok = match word {
        "OK" | "NO TESTS RAN" => true,
        "FAILED" => false,
        _ => return None,
    };
    for part in details.split(", ").filter(|part| !part.is_empty()) {
        let (what, number) = part.split_once('=')?;
        let number = number.parse().ok()?;
        match what {
            "failures" => summary.failures = number,
            "errors" => summary.errors = number,
            "skipped" | "expected failures" => summary.skipped = summary.skipped.saturating_add(number),
            "unexpected successes" => summary.unexpected = number,
            _ => return None,
        }
    }
    Some(summary)
}

/// File and class of `module.Class.test`.
fn node_id(full: &str, method: &str) -> Option<(String, String)> {
    let class = full.strip_suffix(method)?.strip_suffix('.')?;
    let (module, class) = class.rsplit_once('.')?;
    Some((format!("{}.py", module.replace('.', "/")), class.to_owned()))
}

#[cfg(test)]
#[path = "unittest_text_tests.rs"]
mod tests;

//! The lines that `cargo test` prints: several test binaries, then doctests, on one stream.
//!
//! Whatever the tests print may stand between the lines, other `cargo test` output included. What
//! makes the reading safe is the end: a binary's summary must agree with the cases that were listed,
//! and a binary without such a summary makes the whole invalid, unless cargo says that it broke.
//! A cut output never counts as complete: a binary may have lain in the part that is missing.

use std::collections::HashMap;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{
    Gathered, few, malformed,
    text::{self, Piece},
};

/// A test binary whose summary has not come yet.
struct Binary {
    label: Option<Label>,
    announced: u64,
    at: usize,
    cases: Vec<Listed>,
    /// Behind the list of tests stands what failing tests said; nothing in there is a result.
    dump: bool,
    /// Where each test is, once the list is complete.
    places: HashMap<String, usize>,
    /// The case whose output is being read.
    said: Option<usize>,
}

/// A test and, once it is known, how it ended.
struct Listed {
    name: String,
    also: Option<String>,
    outcome: Option<CaseOutcome>,
    message: String,
    duration_ms: Option<u64>,
}

#[derive(Clone)]
struct Label {
    binary: String,
    file: Option<String>,
}

struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Reads what `cargo test` printed, both streams merged.
pub(super) fn parse(bytes: &[u8], cut: bool) -> Result<ParsedResults, ResultsProblem> {
    let lossy = String::from_utf8_lossy(bytes);
    let mut walk = Walk {
        found: Gathered::new(ParserKind::CargoText),
        binary: None,
        label: None,
        binaries: 0,
        error: None,
        broke: None,
        cut: false,
    };
    for piece in text::pieces(&lossy, cut) {
        match piece {
            Piece::Line { text, at, .. } => walk.line(text, at)?,
            Piece::Cut => {
                walk.found.fault(ResultsFault::OutputCut);
                walk.found.note("a part of the output was left out: tests may have been listed in it");
                walk.cut()?;
            }
        }
    }
    walk.finish(lossy.len())
}

struct Walk {
    found: Gathered,
    binary: Option<Binary>,
    label: Option<Label>,
    binaries: usize,
    /// The first error of cargo or of the compiler.
    error: Option<String>,
    /// The case that stands for a binary that broke, until cargo says how.
    broke: Option<usize>,
    /// Something is missing before this line.
    cut: bool,
}

impl Walk {
    fn line(&mut self, line: &str, at: usize) -> Result<(), ResultsProblem> {
        if self.cut {
            return self.behind_cut(line);
        }
        let dumping = self.binary.as_ref().is_some_and(|binary| binary.dump);
        // It may stand behind `test NAME ... ` when the binary died there.
        if let Some(start) = line.find("error: test failed, to rerun pass ").filter(|_| !dumping) {
            if let Some(mut binary) = self.binary.take() {
                binary.line(&line[..start]);
                self.broken(binary)?;
            }
            self.keep_error(&line[start..]);
            return Ok(());
        }
        if let Some(label) = label(line) {
            match &self.binary {
                Some(binary) if !binary.dump => return Err(unfinished(binary)),
                Some(_) => {}
                None => self.label = Some(label),
            }
            return Ok(());
        }
        match &mut self.binary {
            Some(binary) => {
                if binary.line(line) {
                    return few(binary.cases.len());
                }
                if let Some(summary) = summary(line)
                    && let Some(done) = self.binary.take_if(|binary| binary.agrees(&summary))
                {
                    self.keep(done)?;
                }
                Ok(())
            }
            None => self.outside(line, at),
        }
    }

    fn outside(&mut self, line: &str, at: usize) -> Result<(), ResultsProblem> {
        if let Some(announced) = announced(line) {
            let label = self.label.take();
            self.binary = Some(Binary {
                label,
                announced,
                at,
                cases: Vec::new(),
                dump: false,
                places: HashMap::new(),
                said: None,
            });
            self.binaries += 1;
            self.broke = None;
        } else if summary(line).is_some() {
            return Err(malformed(ParserKind::CargoText, at, "a summary without the tests that it sums up"));
        } else if line.starts_with("error") {
            self.keep_error(line);
        } else if let Some((broke, why)) = self.broke.zip(line.split_once("process didn't exit successfully: ")) {
            // The path of the binary is of no use to a reader; how it ended is.
            let how = why.1.rsplit_once('(').map_or(why.1, |(_, how)| how.trim_end_matches(')'));
            if let Some(case) = self.found.results.cases.get_mut(broke) {
                case.message = Some(text::name(&format!("the test binary did not finish: {how}")));
            }
        }
        Ok(())
    }

    fn keep_error(&mut self, line: &str) {
        if line.starts_with("error: could not compile") {
            let text = self.error.take().unwrap_or_else(|| text::name(line));
            self.found.fault(ResultsFault::Collection { text });
        } else if line.starts_with("error: test failed") {
            self.found.note("cargo ran no further binaries after this failure, unless asked to");
        } else if self.error.is_none() && (line.starts_with("error:") || line.starts_with("error[")) {
            self.error = Some(text::name(line));
        }
    }

    fn keep(&mut self, binary: Binary) -> Result<(), ResultsProblem> {
        for listed in binary.cases {
            let mut case = Case::new(text::name(&listed.name), listed.outcome.unwrap_or(CaseOutcome::Error))
                .saying(&text::message(&listed.message));
            case.also.extend(listed.also.as_deref().map(text::name));
            if let Some(label) = &binary.label {
                case.also.push(text::name(&format!("{} {}", label.binary, listed.name)));
                case.file.clone_from(&label.file);
            }
            case.duration_ms = listed.duration_ms;
            self.found.add(case)?;
        }
        Ok(())
    }

    /// A binary that died: what it had said stands, and its death is a case of its own.
    fn broken(&mut self, mut binary: Binary) -> Result<(), ResultsProblem> {
        let name = binary.label.as_ref().map_or("(test binary)", |label| label.binary.as_str()).to_owned();
        let file = binary.label.as_ref().and_then(|label| label.file.clone());
        let seen = binary.cases.len() as u64;
        for listed in binary.cases.iter_mut().filter(|listed| listed.outcome.is_none()) {
            listed.message = "the test binary ended while this test ran".to_owned();
        }
        self.found.note(format!("{name} ended without a summary: {seen} of {} tests were listed", binary.announced));
        self.keep(binary)?;
        self.broke = Some(self.found.results.cases.len());
        let mut case = Case::new(text::name(&name), CaseOutcome::Error).saying("the test binary did not finish");
        case.file = file;
        self.found.add(case)
    }

    /// What was listed before the gap stands, unless it is more than was announced.
    fn cut(&mut self) -> Result<(), ResultsProblem> {
        self.cut = true;
        if let Some(mut binary) = self.binary.take().filter(|binary| binary.cases.len() as u64 <= binary.announced) {
            binary.cases.retain(|listed| listed.outcome.is_some());
            self.keep(binary)?;
        }
        Ok(())
    }

    /// Nothing says what the lines behind a gap belong to: they may be what a test printed. Only a
    /// failure is taken from them.
    fn behind_cut(&mut self, line: &str) -> Result<(), ResultsProblem> {
        match summary(line) {
            Some(summary) if summary.failed > 0 => {
                let said = format!("{} in a part that was not read", text::many(summary.failed, "failure"));
                self.found.add(Case::new("(test binary)", CaseOutcome::Failed).saying(&said))
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self, end: usize) -> Result<ParsedResults, ResultsProblem> {
        if let Some(binary) = &self.binary {
            return Err(unfinished(binary));
        }
        if self.binaries == 0 && self.found.results.fault.is_none() {
            let Some(text) = self.error.take() else {
                return Err(malformed(ParserKind::CargoText, end, "no test binary reported"));
            };
            self.found.fault(ResultsFault::Collection { text });
        }
        Ok(self.found.results)
    }
}

fn unfinished(binary: &Binary) -> ResultsProblem {
    let name = binary.label.as_ref().map_or("a test binary", |label| label.binary.as_str());
    let message = format!(
        "{name} announced {} and no summary agrees with the {} that are listed",
        text::many(binary.announced, "test"),
        binary.cases.len()
    );
    malformed(ParserKind::CargoText, binary.at, text::name(&message))
}

impl Binary {
    /// Takes a line of the list of tests, or of what failing tests said.
    fn line(&mut self, line: &str) -> bool {
        if self.dump {
            let said = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----"));
            let said = said.and_then(|rest| rest.strip_suffix(" stdout").or(rest.strip_suffix(" stderr")));
            if let Some(at) = said.and_then(|name| self.places.get(name).copied()) {
                self.said = Some(at);
                return true;
            }
            if summary(line).is_some() {
                return false;
            }
            if line == "failures:" {
                self.said = None;
            }
            if let Some(listed) = self.said.and_then(|at| self.cases.get_mut(at)) {
                text::extend(&mut listed.message, line);
                text::extend(&mut listed.message, "\n");
            }
            return true;
        }
        if (line == "failures:" || line == "successes:") && self.cases.len() as u64 == self.announced {
            self.dump = true;
            for (at, listed) in self.cases.iter().enumerate() {
                let names = [Some(&listed.name), listed.also.as_ref()];
                self.places.extend(names.into_iter().flatten().map(|name| (name.clone(), at)));
            }
            return true;
        }
        if let Some(listed) = listed(line) {
            self.cases.push(listed);
            return true;
        }
        // With one test at a time its line begins before it runs, and what it prints stands between.
        if let Some(open) = self.cases.last_mut().filter(|listed| listed.outcome.is_none())
            && let Some((outcome, message, duration)) = ended(line)
        {
            open.outcome = Some(outcome);
            open.message = message;
            open.duration_ms = duration;
            return true;
        }
        false
    }

    /// Whether the summary is that of these cases. Ends that could not be read are taken from it
    /// where only one answer is left.
    fn agrees(&mut self, summary: &Summary) -> bool {
        let count = |outcome| self.cases.iter().filter(|listed| listed.outcome == Some(outcome)).count() as u64;
        let open = self.cases.iter().filter(|listed| listed.outcome.is_none()).count() as u64;
        let (passed, failed, ignored) =
            (count(CaseOutcome::Passed), count(CaseOutcome::Failed), count(CaseOutcome::Skipped));
        if self.cases.len() as u64 != self.announced || ignored != summary.ignored {
            return false;
        }
        let left = if (passed + open, failed) == (summary.passed, summary.failed) {
            CaseOutcome::Passed
        } else if (passed, failed + open) == (summary.passed, summary.failed) {
            CaseOutcome::Failed
        } else {
            return false;
        };
        for listed in &mut self.cases {
            listed.outcome.get_or_insert(left);
        }
        true
    }
}

/// `     Running tests/it.rs (target/debug/deps/it-0123)` or `   Doc-tests name`.
fn label(line: &str) -> Option<Label> {
    let text = line.trim_start();
    if text.len() == line.len() {
        return None;
    }
    if let Some(name) = text.strip_prefix("Doc-tests ") {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        return plain.then(|| Label { binary: format!("doc {name}"), file: None });
    }
    let (file, program) = text.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once(" (")?;
    let file = file.strip_prefix("unittests ").unwrap_or(file);
    let stem = program.rsplit(['/', '\\']).next()?;
    let stem = stem.strip_suffix(".exe").unwrap_or(stem);
    let (binary, hash) = stem.rsplit_once('-')?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| Label { binary: binary.to_owned(), file: Some(text::path(file, "")) })
}

/// `running 2 tests`.
fn announced(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or(rest.strip_suffix(" test"))?.parse().ok()
}

/// `test NAME ... END`, or without an end that is known.
fn listed(line: &str) -> Option<Listed> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ").or_else(|| {
        let open = line.strip_prefix("test ")?.strip_suffix(" ...")?;
        Some((open, ""))
    })?;
    if name.is_empty() {
        return None;
    }
    let plain =
        [" - should panic", " - compile fail", " - compile"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let (outcome, message, duration_ms) = match ended(rest) {
        Some((outcome, message, duration)) => (Some(outcome), message, duration),
        None => (None, String::new(), None),
    };
    Some(Listed {
        name: plain.unwrap_or(name).to_owned(),
        also: plain.is_some().then(|| name.to_owned()),
        outcome,
        message,
        duration_ms,
    })
}

/// `ok`, `FAILED`, `ignored, why`, `ok <0.100s>`, `bench: ...`.
fn ended(text: &str) -> Option<(CaseOutcome, String, Option<u64>)> {
    let (word, duration) = match text.strip_suffix("s>").and_then(|text| text.rsplit_once(" <")) {
        Some((word, time)) => (word, Some(text::seconds(time)?)),
        None => (text, None),
    };
    let (outcome, message) = match word {
        "ok" => (CaseOutcome::Passed, String::new()),
        "FAILED" => (CaseOutcome::Failed, String::new()),
        "FAILED (time limit exceeded)" => (CaseOutcome::Failed, "time limit exceeded\n".to_owned()),
        "ignored" => (CaseOutcome::Skipped, String::new()),
        _ => {
            if let Some(why) = word.strip_prefix("ignored, ") {
                (CaseOutcome::Skipped, why.to_owned())
            } else if word.starts_with("bench: ") && word.contains(" ns/iter ") {
                (CaseOutcome::Passed, word.to_owned())
            } else {
                return None;
            }
        }
    };
    Some((outcome, message, duration))
}

/// `test result: ok. 2 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s`.
fn summary(line: &str) -> Option<Summary> {
    let (word, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts.split("; ").map(|part| part.split_once(' '));
    let mut next = |what: &str| {
        let (number, word) = numbers.next()??;
        (word == what).then_some(number)?.parse::<u64>().ok()
    };
    let (passed, failed, ignored) = (next("passed")?, next("failed")?, next("ignored")?);
    let measured = next("measured")?;
    next("filtered out")?;
    let agrees = (word == "ok" && failed == 0) || (word == "FAILED" && failed > 0);
    agrees.then(|| Summary { passed: passed.saturating_add(measured), failed, ignored })
}

#[cfg(test)]
#[path = "cargo_text_tests.rs"]
mod tests;

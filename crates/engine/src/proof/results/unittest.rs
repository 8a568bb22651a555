//! The verbose lines of Python's `unittest`.
//!
//! `test_x (package.module.Class.test_x) ... ok`, a docstring perhaps on a line of its own, and at the end
//! `Ran N tests` with `OK` or `FAILED (...)`. The summary must be there and must agree.

use std::collections::HashMap;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{lines, push, small_enough};

/// Reads the output. A test's full name is `package.module.Class.test`; it is also known by its parts
/// from the right, and as a node id would be written.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let mut reading = Reading { results: ParsedResults::empty(ParserKind::UnittestText), ..Reading::default() };
    for line in lines(bytes) {
        reading.line(&line)?;
    }
    reading.keep_shown();
    reading.finish()
}

struct Reading {
    results: ParsedResults,
    /// Where the case of a full name stands.
    places: HashMap<String, usize>,
    /// A test whose end has not been seen.
    pending: Option<String>,
    /// The failure whose text is being shown.
    shown: Option<(String, String)>,
    ran: Option<u64>,
    has_ended: bool,
    claims_failures: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            results: ParsedResults::empty(ParserKind::UnittestText),
            places: HashMap::new(),
            pending: None,
            shown: None,
            ran: None,
            has_ended: false,
            claims_failures: false,
        }
    }
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), ResultsProblem> {
        if let Some(count) = line.strip_prefix("Ran ").and_then(|rest| rest.split(' ').next()) {
            self.keep_shown();
            self.ran = count.parse().ok();
            return Ok(());
        }
        if self.ran.is_some() {
            if line == "OK" || line.starts_with("OK (") || line.starts_with("NO TESTS RAN") {
                self.has_ended = true;
            } else if line == "FAILED" || line.starts_with("FAILED (") {
                (self.has_ended, self.claims_failures) = (true, true);
            }
            return Ok(());
        }
        for (prefix, outcome) in [
            ("FAIL: ", CaseOutcome::Failed),
            ("ERROR: ", CaseOutcome::Error),
            ("UNEXPECTED SUCCESS: ", CaseOutcome::Failed),
        ] {
            if let Some(name) = line.strip_prefix(prefix).and_then(head_name) {
                self.keep_shown();
                // What stands here outweighs any line before, which a test may have printed itself.
                self.set(&name, outcome)?;
                self.shown = Some((name, String::new()));
                return Ok(());
            }
        }
        if let Some((_, text)) = &mut self.shown {
            if text.len() < 4096 && !line.starts_with("====") && !line.starts_with("----") {
                text.push_str(line);
                text.push('\n');
            }
            return Ok(());
        }
        self.result_line(line)
    }

    fn result_line(&mut self, line: &str) -> Result<(), ResultsProblem> {
        let mut end = line.trim();
        let mut parts = line.trim().split(" ... ").peekable();
        while let Some(part) = parts.next() {
            match head_name(part) {
                // One head behind another: the first is still to end.
                Some(name) => self.pending = Some(name),
                None if parts.peek().is_none() => end = part,
                None => {}
            }
        }
        if let (Some(outcome), Some(name)) = (outcome_of(end), self.pending.clone()) {
            self.pending = None;
            self.set(&name, outcome)?;
            if outcome == CaseOutcome::Skipped
                && let Some(at) = self.places.get(&name)
            {
                let reason = end.strip_prefix("skipped").unwrap_or_default();
                self.results.cases[*at] = self.results.cases[*at].clone().saying(reason);
            }
        }
        Ok(())
    }

    /// Sets the outcome of a test; of several, as sub-tests have, the worst.
    fn set(&mut self, name: &str, outcome: CaseOutcome) -> Result<(), ResultsProblem> {
        let weight = |outcome| match outcome {
            CaseOutcome::Passed => 0,
            CaseOutcome::Skipped => 1,
            CaseOutcome::Error => 2,
            CaseOutcome::Failed => 3,
        };
        if let Some(at) = self.places.get(name) {
            let case = &mut self.results.cases[*at];
            if weight(outcome) > weight(case.outcome) {
                case.outcome = outcome;
            }
            return Ok(());
        }
        let mut case = Case::new(name, outcome);
        if let Some((_, module)) = name.split_once("._FailedTest.") {
            let text = format!("{module} could not be imported");
            self.results.fault.get_or_insert(ResultsFault::Collection { text });
            case.outcome = CaseOutcome::Error;
        } else if ["setUpClass", "setUpModule"].iter().any(|setup| name.ends_with(setup)) {
            let text = format!("{name} failed, so its tests did not run");
            self.results.fault.get_or_insert(ResultsFault::Collection { text });
        } else {
            case.also = names(name);
        }
        self.places.insert(name.to_owned(), self.results.cases.len());
        push(&mut self.results, case)
    }

    fn keep_shown(&mut self) {
        if let Some((name, text)) = self.shown.take()
            && let Some(at) = self.places.get(&name)
        {
            self.results.cases[*at] = self.results.cases[*at].clone().saying(&text);
        }
    }

    fn finish(mut self) -> Result<ParsedResults, ResultsProblem> {
        // A test that printed over its own end is there and has no answer.
        if let Some(name) = self.pending.take()
            && !self.places.contains_key(&name)
        {
            self.set(&name, CaseOutcome::Error)?;
        }
        let mut results = self.results;
        recount(&mut results);
        let counts = results.counts;
        let tool = |text: &str| Some(ResultsFault::Tool { text: text.to_owned() });
        if results.fault.is_none() {
            results.fault = match self.ran {
                Some(ran) if self.has_ended && counts.total() - counts.skipped > ran => {
                    tool("more tests are named than ran")
                }
                Some(_) if self.has_ended && self.claims_failures && counts.bad() == 0 => {
                    tool("the summary counts failures that no line names")
                }
                Some(_) if self.has_ended => None,
                _ => Some(ResultsFault::Collection { text: "the tests ended before their summary".to_owned() }),
            };
        }
        if let Some(ran) = self.ran
            && ran > counts.total()
        {
            results.notes.push(format!("the summary says that {ran} tests ran; {} are named", counts.total()));
        }
        Ok(results)
    }
}

fn recount(results: &mut ParsedResults) {
    let cases = std::mem::take(&mut results.cases);
    results.counts = model::proof::results::CaseCounts::default();
    for case in cases {
        results.push(case);
    }
}

/// `test_x (package.module.Class.test_x)`, or before Python 3.11 `test_x (package.module.Class)`;
/// behind it perhaps the parameters of a sub-test.
fn head_name(head: &str) -> Option<String> {
    let (test, rest) = head.split_once(" (")?;
    let (place, behind) = rest.split_once(')')?;
    // Nothing, or the parameters of a sub-test; a sentence with brackets is no head.
    if !(behind.trim().is_empty() || behind.starts_with(" (") || behind.starts_with(" [")) {
        return None;
    }
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._<>".contains(c));
    if !plain(test) || !plain(place) {
        return None;
    }
    let method = place.rsplit('.').next().unwrap_or_default();
    let module_error = place.contains("._FailedTest");
    if method == test || (module_error && place.ends_with(test)) {
        Some(place.to_owned())
    } else {
        Some(format!("{place}.{test}"))
    }
}

/// The further exact names of `package.module.Class.test`.
fn names(full: &str) -> Vec<String> {
    let parts: Vec<&str> = full.split('.').collect();
    let mut also = Vec::new();
    if let [modules @ .., class, test] = parts.as_slice() {
        also.push((*test).to_owned());
        also.push(format!("{class}.{test}"));
        also.push(format!("{class}::{test}"));
        if !modules.is_empty() {
            also.push(format!("{}.py::{class}::{test}", modules.join("/")));
        }
    }
    also
}

fn outcome_of(end: &str) -> Option<CaseOutcome> {
    match end {
        "ok" | "expected failure" => Some(CaseOutcome::Passed),
        "FAIL" | "unexpected success" => Some(CaseOutcome::Failed),
        "ERROR" => Some(CaseOutcome::Error),
        end if end == "skipped" || end.starts_with("skipped ") => Some(CaseOutcome::Skipped),
        _ => None,
    }
}

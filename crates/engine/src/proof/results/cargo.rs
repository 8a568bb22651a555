//! The lines of `cargo test`: `test path::name ... ok`, section by section.
//!
//! libtest prints a line per test between `running N tests` and its summary. Only there are lines
//! believed; the summary's own counts are compared, so that a test which prints such a line itself is
//! noticed.

use model::proof::results::{Case, CaseCounts, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{lines, push, small_enough};

/// Reads the output.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let mut reading =
        Reading { results: ParsedResults::empty(ParserKind::CargoText), section: None, sections: 0, failed: None };
    for line in lines(bytes) {
        reading.line(&line)?;
    }
    if reading.section.is_some() {
        // A test binary that died, or was ended, before it summed up.
        reading.fault(ResultsFault::Collection { text: "a test binary ended before its summary".to_owned() });
    }
    let Reading { mut results, sections, failed, .. } = reading;
    // Some line that begins with `error:` may be anybody's; cargo's own ends the build, or all of it.
    if let Some(text) = failed.filter(|text| sections == 0 || text.starts_with("error: could not compile")) {
        results.fault = Some(ResultsFault::Collection { text });
    }
    if sections == 0 && results.fault.is_none() {
        results.notes.push("no test binary ran".to_owned());
    }
    Ok(results)
}

struct Reading {
    results: ParsedResults,
    section: Option<Section>,
    sections: u32,
    /// Cargo's own words about what it could not build.
    failed: Option<String>,
}

struct Section {
    counted: CaseCounts,
    /// Past `failures:` stands captured output, which is the tests' own.
    in_failures: bool,
    /// A line that began without an end: the test printed in between.
    pending: Option<String>,
    /// Where its cases begin.
    from: usize,
    /// The failed test whose output is being shown.
    showing: Option<String>,
    shown: String,
}

impl Reading {
    fn fault(&mut self, fault: ResultsFault) {
        self.results.fault.get_or_insert(fault);
    }

    fn line(&mut self, line: &str) -> Result<(), ResultsProblem> {
        if let Some(rest) = line.strip_prefix("running ")
            && rest.ends_with(" tests") | rest.ends_with(" test")
            && self.section.as_ref().is_none_or(|section| !section.in_failures)
        {
            if self.section.is_some() {
                self.fault(ResultsFault::Collection { text: "a test binary ended before its summary".to_owned() });
            }
            self.sections += 1;
            self.section = Some(Section {
                counted: CaseCounts::default(),
                in_failures: false,
                pending: None,
                from: self.results.cases.len(),
                showing: None,
                shown: String::new(),
            });
            return Ok(());
        }
        let Some(section) = &mut self.section else {
            let says = line.starts_with("error: could not compile")
                || line.starts_with("error[")
                || (line.starts_with("error:")
                    && !line.starts_with("error: test failed")
                    && !is_summary_of_targets(line));
            if says && self.failed.as_ref().is_none_or(|text| !text.starts_with("error: could not compile")) {
                self.failed = Some(line.to_owned());
            }
            return Ok(());
        };
        if let Some(summary) = line.strip_prefix("test result: ") {
            let claimed = summary_counts(summary);
            let counted = section.counted;
            section.keep_shown(&mut self.results.cases);
            self.section = None;
            if let Some(claimed) = claimed
                && claimed != counted
            {
                self.results.notes.push(format!(
                    "a test binary sums up {} passed, {} failed, {} ignored; its lines say {}, {} and {}",
                    claimed.passed, claimed.failed, claimed.skipped, counted.passed, counted.failed, counted.skipped
                ));
                if claimed.failed > counted.failed {
                    for _ in counted.failed..claimed.failed {
                        push(&mut self.results, Case::new("a test whose line was not readable", CaseOutcome::Failed))?;
                    }
                } else {
                    // More passes than the binary knows of: some test printed them.
                    self.fault(ResultsFault::Tool {
                        text: "the lines of the tests and their summary differ".to_owned(),
                    });
                }
            }
            return Ok(());
        }
        if section.in_failures {
            section.failure_line(line, &mut self.results.cases);
            return Ok(());
        }
        if line == "failures:" {
            section.in_failures = true;
            return Ok(());
        }
        let (name, end) =
            match (line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")), &section.pending) {
                (Some((name, end)), _) => (name.to_owned(), end),
                // With one thread the name is printed first and the end comes when the test has ended.
                (None, Some(name)) => (name.clone(), line),
                (None, None) => {
                    if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ...")) {
                        section.pending = Some(name.to_owned());
                    }
                    return Ok(());
                }
            };
        let Some(outcome) = outcome_of(end) else {
            section.pending = Some(name);
            return Ok(());
        };
        section.pending = None;
        let name = name.strip_suffix(" - should panic").unwrap_or(&name).trim_end().to_owned();
        section.counted.add(outcome);
        let reason = end.strip_prefix("ignored, ").unwrap_or_default();
        push(&mut self.results, Case::new(name, outcome).saying(reason))
    }
}

impl Section {
    /// `---- name stdout ----` begins what a failed test printed.
    fn failure_line(&mut self, line: &str, cases: &mut [Case]) {
        let name = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = name {
            self.keep_shown(cases);
            self.showing = Some(name.to_owned());
        } else if line == "failures:" {
            self.keep_shown(cases);
        } else if self.showing.is_some() && self.shown.len() < 4096 {
            self.shown.push_str(line);
            self.shown.push('\n');
        }
    }

    fn keep_shown(&mut self, cases: &mut [Case]) {
        if let Some(name) = self.showing.take() {
            let shown = std::mem::take(&mut self.shown);
            let own = cases.get_mut(self.from..).unwrap_or_default();
            if let Some(case) = own.iter_mut().find(|case| case.name == name && case.outcome == CaseOutcome::Failed) {
                *case = case.clone().saying(&shown);
            }
        }
    }
}

fn outcome_of(end: &str) -> Option<CaseOutcome> {
    // libtest may add how long it took: `ok <0.003s>`.
    let end = end.rsplit_once(" <").filter(|(_, time)| time.ends_with("s>")).map_or(end, |(end, _)| end);
    match end {
        "ok" => Some(CaseOutcome::Passed),
        "FAILED" => Some(CaseOutcome::Failed),
        "ignored" => Some(CaseOutcome::Skipped),
        end if end.starts_with("ignored, ") => Some(CaseOutcome::Skipped),
        end if end.starts_with("FAILED (time limit exceeded)") => Some(CaseOutcome::Failed),
        _ => None,
    }
}

/// `error: 2 targets failed:` and its kin follow failed tests and say nothing new.
fn is_summary_of_targets(line: &str) -> bool {
    line.contains("target failed:") || line.contains("targets failed:") || line.contains("doctest failed")
}

fn summary_counts(summary: &str) -> Option<CaseCounts> {
    let number = |word: &str| {
        let at = summary.find(word)?;
        summary[..at].trim_end().rsplit([' ', ';']).next()?.parse::<u64>().ok()
    };
    Some(CaseCounts { passed: number(" passed")?, failed: number(" failed")?, error: 0, skipped: number(" ignored")? })
}

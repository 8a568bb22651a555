//! The events of `go test -json`, one a line.
//!
//! A package counts when its own end was reported; a test without an end in an ended package broke.

use std::collections::HashMap;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};
use serde::Deserialize;

use super::{
    Gathered, malformed,
    text::{self, Piece},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    #[serde(borrow)]
    action: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    package: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    import_path: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    test: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    output: std::borrow::Cow<'a, str>,
    elapsed: Option<f64>,
    #[serde(default, borrow)]
    failed_build: std::borrow::Cow<'a, str>,
}

#[derive(Default)]
struct Package {
    ended: Option<bool>,
    /// What it said outside of its tests.
    said: String,
    /// Tests that have begun and not ended, with what they said.
    running: HashMap<String, String>,
    bad: bool,
    at: usize,
}

/// Reads the events.
pub(super) fn parse(bytes: &[u8], cut: bool) -> Result<ParsedResults, ResultsProblem> {
    let lossy = String::from_utf8_lossy(bytes);
    let mut walk = Walk {
        found: Gathered::new(ParserKind::GoJson),
        packages: HashMap::new(),
        order: Vec::new(),
        build: String::new(),
        events: 0,
    };
    for piece in text::pieces(&lossy, cut) {
        match piece {
            Piece::Line { text, at, ended } => walk.line(text, at, ended)?,
            Piece::Cut => {
                walk.found.fault(ResultsFault::OutputCut);
                walk.found.note("a part of the output was left out: tests may have been reported in it");
            }
        }
    }
    walk.finish(lossy.len())
}

struct Walk {
    found: Gathered,
    packages: HashMap<String, Package>,
    order: Vec<String>,
    /// What the compiler said.
    build: String,
    events: u64,
}

impl Walk {
    fn line(&mut self, line: &str, at: usize, ended: bool) -> Result<(), ResultsProblem> {
        if !line.starts_with('{') {
            // The go command itself speaks plain text: what does not build, and what it cannot find.
            let failed =
                line.starts_with("FAIL\t") && (line.ends_with("[build failed]") || line.ends_with("[setup failed]"));
            if failed {
                self.found.fault(ResultsFault::Collection { text: text::name(&line.replace('\t', " ")) });
            } else {
                text::extend(&mut self.build, line);
                text::extend(&mut self.build, "\n");
            }
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_str(line)
            .map_err(|error| malformed(ParserKind::GoJson, at, text::name(&error.to_string())))?;
        if !ended {
            return Err(malformed(ParserKind::GoJson, at, "the last line is not whole"));
        }
        self.events += 1;
        match event.action.as_ref() {
            "build-output" => text::extend(&mut self.build, &event.output),
            "build-fail" => {
                let text = self.built(&event.import_path);
                self.found.fault(ResultsFault::Collection { text });
            }
            _ if event.package.is_empty() => {}
            _ => self.event(&event, at)?,
        }
        Ok(())
    }

    fn built(&self, what: &str) -> String {
        let first = self.build.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
        text::name(&format!("{what}: {first}"))
    }

    fn event(&mut self, event: &Event<'_>, at: usize) -> Result<(), ResultsProblem> {
        let name = event.package.as_ref();
        if !self.packages.contains_key(name) {
            self.order.push(name.to_owned());
            self.packages.insert(name.to_owned(), Package { at, ..Package::default() });
        }
        let Some(package) = self.packages.get_mut(name) else { return Ok(()) };
        if event.test.is_empty() {
            match event.action.as_ref() {
                "output" => text::extend(&mut package.said, &event.output),
                "start" => package.ended = None,
                "pass" | "skip" => package.ended = Some(true),
                "fail" => {
                    package.ended = Some(false);
                    if !event.failed_build.is_empty() || package.said.contains("[build failed]") {
                        package.bad = true;
                        let text = self.built(name);
                        self.found.fault(ResultsFault::Collection { text: text.clone() });
                        self.found.add(Case::new(text::name(name), CaseOutcome::Error).saying(&text))?;
                    }
                }
                _ => {}
            }
            return Ok(());
        }
        let outcome = match event.action.as_ref() {
            "run" => {
                package.running.entry(event.test.clone().into_owned()).or_default();
                return Ok(());
            }
            "output" => {
                if let Some(said) = package.running.get_mut(event.test.as_ref()) {
                    text::extend(said, &event.output);
                }
                return Ok(());
            }
            "pass" | "bench" => CaseOutcome::Passed,
            "fail" => CaseOutcome::Failed,
            "skip" => CaseOutcome::Skipped,
            _ => return Ok(()),
        };
        let said = package.running.remove(event.test.as_ref()).unwrap_or_default();
        package.bad |= outcome == CaseOutcome::Failed;
        let said = if outcome == CaseOutcome::Passed { String::new() } else { said };
        let mut case = case(name, &event.test, outcome, &said);
        case.duration_ms = event.elapsed.and_then(|seconds| text::millis(seconds * 1000.0));
        self.found.add(case)
    }

    fn finish(mut self, end: usize) -> Result<ParsedResults, ResultsProblem> {
        if self.events == 0 && self.found.results.fault.is_none() {
            let first = self.build.lines().next().unwrap_or("it is empty");
            return Err(malformed(ParserKind::GoJson, end, text::name(&format!("no event: {first}"))));
        }
        let cut = matches!(self.found.results.fault, Some(ResultsFault::OutputCut));
        for name in self.order {
            let Some(package) = self.packages.remove(&name) else { continue };
            let Some(passed) = package.ended else {
                if cut {
                    continue;
                }
                return Err(malformed(ParserKind::GoJson, package.at, text::name(&format!("{name} has no end"))));
            };
            let mut running: Vec<_> = package.running.into_iter().collect();
            running.sort();
            let broke = !running.is_empty();
            for (test, said) in running {
                // It took its package down with it, or the part with its end is missing.
                let said = if said.trim().is_empty() { "it did not end" } else { &said };
                let case = case(&name, &test, CaseOutcome::Error, said);
                self.found.add(case)?;
            }
            if !passed && !package.bad && !broke {
                let said = text::message(&package.said);
                self.found.add(Case::new(text::name(&name), CaseOutcome::Error).saying(&said))?;
            }
        }
        Ok(self.found.results)
    }
}

/// `pkg.TestA/sub`; rules may leave the package out.
fn case(package: &str, test: &str, outcome: CaseOutcome, said: &str) -> Case {
    let mut case = Case::new(text::name(&format!("{package}.{test}")), outcome).saying(&text::message(said));
    case.also = vec![text::name(test), text::name(&format!("{package} {test}"))];
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<ParsedResults, ResultsProblem> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        parse(text.as_bytes(), false)
    }

    const START: &str = r#"{"Action":"start","Package":"ex.com/a"}"#;
    const RUN: &str = r#"{"Action":"run","Package":"ex.com/a","Test":"TestA"}"#;
    const PASS: &str = r#"{"Action":"pass","Package":"ex.com/a","Test":"TestA","Elapsed":0.25}"#;
    const END: &str = r#"{"Action":"pass","Package":"ex.com/a","Elapsed":0.3}"#;

    /// P39, P40
    #[test]
    fn a_test_is_called_by_package_and_name() {
        let results = read(&[START, RUN, PASS, END]).unwrap();
        assert!(results.cases[0].is_called("ex.com/a.TestA") && results.cases[0].is_called("TestA"));
        assert_eq!((results.counts.passed, results.cases[0].duration_ms), (1, Some(250)));
    }

    /// P45: a package without its end is not complete.
    #[test]
    fn a_package_without_an_end_is_invalid() {
        assert!(matches!(read(&[START, RUN, PASS]), Err(ResultsProblem::Malformed { .. })));
        assert!(matches!(read(&[]), Err(ResultsProblem::Malformed { .. })));
        assert!(matches!(read(&["go: cannot find main module"]), Err(ResultsProblem::Malformed { .. })));
        assert!(matches!(read(&[START, r#"{"Action":"#]), Err(ResultsProblem::Malformed { .. })));
    }

    /// P44: what takes the package down is an error, even where no test says so.
    #[test]
    fn a_test_that_takes_its_package_down_is_an_error() {
        let fail = r#"{"Action":"fail","Package":"ex.com/a"}"#;
        let results = read(&[START, RUN, fail]).unwrap();
        assert_eq!((results.counts.error, results.cases[0].is_called("TestA")), (1, true));
        let results = read(&[START, RUN, PASS, fail]).unwrap();
        assert_eq!((results.counts.passed, results.counts.error), (1, 1));
        // It says that it passed, and one test never came to an end.
        let results = read(&[START, RUN, END]).unwrap();
        assert_eq!((results.counts.passed, results.counts.error), (0, 1));
    }

    /// P43: what does not build is a collection error.
    #[test]
    fn what_does_not_build_is_a_collection_error() {
        let results = read(&[
            r#"{"ImportPath":"ex.com/a","Action":"build-output","Output":"./a.go:1: undefined: x\n"}"#,
            r#"{"ImportPath":"ex.com/a","Action":"build-fail"}"#,
            START,
            r#"{"Action":"fail","Package":"ex.com/a","FailedBuild":"ex.com/a"}"#,
        ])
        .unwrap();
        assert!(matches!(&results.fault, Some(ResultsFault::Collection { text }) if text.contains("undefined: x")));
        assert_eq!(results.counts.error, 1);
        let old = read(&["# ex.com/a", "./a.go:1: undefined: x", "FAIL\tex.com/a [build failed]"]).unwrap();
        assert!(matches!(old.fault, Some(ResultsFault::Collection { .. })));
    }

    /// P34: a cut output is never complete.
    #[test]
    fn a_cut_output_is_never_complete() {
        let text = format!("{START}\n{RUN}\n{PASS}\n{{\"Ac\n[... 99 bytes left out ...]\nion\"}}\n{END}\n");
        let results = parse(text.as_bytes(), true).unwrap();
        assert_eq!((results.fault, results.counts.passed), (Some(ResultsFault::OutputCut), 1));
    }
}

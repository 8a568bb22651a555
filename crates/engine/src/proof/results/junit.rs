//! JUnit XML, in the many dialects that tools write.
//!
//! Suites nest; a case is counted where it stands, whatever the attributes of its suites claim.
//! Entities are never expanded: a document type declaration ends the reading (P45).

use model::proof::results::{Case, CaseCounts, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Dialect, Gathered, malformed, notation::Parts, text};

/// How deep elements may nest.
const DEPTH: usize = 128;
/// How many attributes an element may have; looking for doubles among them is not linear.
const ATTRIBUTES: usize = 64;

/// An element that is open.
enum Open {
    Suites,
    Suite(Suite),
    Case(Box<OpenCase>),
    /// What says how a case, or a suite as a whole, ended.
    Mark(Mark, String),
    Other,
}

struct Suite {
    named: bool,
    title: String,
    claims: Claims,
    /// Cases directly inside, and all of them.
    own: CaseCounts,
    all: CaseCounts,
}

/// What a suite says about itself.
#[derive(Default)]
struct Claims {
    tests: Option<u64>,
    bad: Option<u64>,
}

#[derive(Default)]
struct OpenCase {
    classname: String,
    name: String,
    file: Option<String>,
    duration_ms: Option<u64>,
    failed: bool,
    error: bool,
    skipped: bool,
    todo: bool,
    flaky: u32,
    message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Failure,
    Error,
    Skipped { todo: bool },
    Flaky,
}

/// Reads JUnit XML.
pub(super) fn parse(bytes: &[u8], dialect: &Dialect<'_>) -> Result<ParsedResults, ResultsProblem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text =
        std::str::from_utf8(bytes).map_err(|error| malformed(ParserKind::Junit, error.valid_up_to(), "not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut walk = Walk {
        dialect,
        open: Vec::new(),
        suites: Vec::new(),
        root_seen: false,
        lies: 0,
        found: Gathered::new(ParserKind::Junit),
    };
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
                return Err(malformed(ParserKind::Junit, at, error.to_string()));
            }
        };
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        if matches!(event, Event::Eof) {
            return walk.finish(at);
        }
        walk.on(event, at)?;
    }
}

struct Walk<'a> {
    dialect: &'a Dialect<'a>,
    open: Vec<Open>,
    /// Titles of the open suites that have one.
    suites: Vec<String>,
    root_seen: bool,
    lies: u64,
    found: Gathered,
}

impl Walk<'_> {
    fn on(&mut self, event: Event<'_>, at: usize) -> Result<(), ResultsProblem> {
        let bad = |message: String| malformed(ParserKind::Junit, at, message);
        match event {
            Event::Start(start) => self.start(&start, at),
            Event::Empty(start) => {
                self.start(&start, at)?;
                self.end()
            }
            // The reader has compared the names.
            Event::End(_) => self.end(),
            Event::Text(content) => {
                let content = content.decode().map_err(|error| bad(error.to_string()))?;
                self.text(&content, at)
            }
            Event::CData(content) => {
                if self.open.is_empty() {
                    return Err(bad("text outside the root element".to_owned()));
                }
                let content = content.decode().map_err(|error| bad(error.to_string()))?;
                self.text(&content, at)
            }
            Event::GeneralRef(entity) => {
                let resolved = match entity.resolve_char_ref() {
                    Ok(Some(c)) => Some(c),
                    Ok(None) => match &*entity {
                        b"lt" => Some('<'),
                        b"gt" => Some('>'),
                        b"amp" => Some('&'),
                        b"apos" => Some('\''),
                        b"quot" => Some('"'),
                        _ => None,
                    },
                    Err(error) => return Err(bad(error.to_string())),
                };
                let c = resolved.ok_or_else(|| bad("a reference to an unknown entity".to_owned()))?;
                if self.open.is_empty() {
                    return Err(bad("text outside the root element".to_owned()));
                }
                self.text(c.encode_utf8(&mut [0; 4]), at)
            }
            Event::DocType(content) => Err(if content.windows(7).any(|window| window == b"<!ENTIT") {
                ResultsProblem::Entities
            } else {
                bad("a document type declaration".to_owned())
            }),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), ResultsProblem> {
        let bad = |message: &str| malformed(ParserKind::Junit, at, message);
        if self.open.len() >= DEPTH {
            return Err(bad("elements nest too deep"));
        }
        let kind = start.local_name();
        let kind = kind.as_ref();
        if self.open.is_empty() {
            if std::mem::replace(&mut self.root_seen, true) {
                return Err(bad("a second root element"));
            }
            if !matches!(kind, b"testsuites" | b"testsuite") {
                return Err(bad("the root element is neither testsuites nor testsuite"));
            }
        }
        let inside_case = self.open.iter().any(|open| matches!(open, Open::Case(_)));
        let mut suite = Suite {
            named: false,
            title: String::new(),
            claims: Claims::default(),
            own: CaseCounts::default(),
            all: CaseCounts::default(),
        };
        let mut case = OpenCase::default();
        let mut said = String::new();
        let mut todo = false;
        for (n, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|error| bad(&error.to_string()))?;
            if n >= ATTRIBUTES {
                return Err(bad("an element with too many attributes"));
            }
            let value = attribute.unescape_value().map_err(|error| bad(&error.to_string()))?;
            match (kind, attribute.key.local_name().as_ref()) {
                (b"testsuite", b"name") => {
                    suite.named = !value.trim().is_empty();
                    suite.title = text::name(&value);
                }
                (b"testsuite", b"tests") => suite.claims.tests = value.trim().parse().ok(),
                (b"testsuite", b"failures" | b"errors") => {
                    if let Ok(claimed) = value.trim().parse::<u64>() {
                        suite.claims.bad = Some(suite.claims.bad.unwrap_or(0).saturating_add(claimed));
                    }
                }
                (b"testcase", b"name") => case.name = value.into_owned(),
                (b"testcase", b"classname") => case.classname = value.into_owned(),
                (b"testcase", b"file") => case.file = Some(value.into_owned()),
                (b"testcase", b"time") => case.duration_ms = text::seconds(&value),
                (b"testcase", b"status" | b"result") => match value.trim().to_ascii_lowercase().as_str() {
                    "notrun" | "disabled" | "suppressed" | "skipped" | "ignored" | "pending" => case.skipped = true,
                    "fail" | "failed" | "failure" => case.failed = true,
                    "error" | "errored" => case.error = true,
                    _ => {}
                },
                (b"failure" | b"error" | b"skipped" | b"flakyFailure" | b"flakyError", b"message") => {
                    text::extend(&mut said, &value);
                }
                (b"skipped", b"type") => todo = value.as_ref() == "todo",
                _ => {}
            }
        }
        self.open.push(match kind {
            b"testcase" if inside_case => return Err(bad("a testcase inside a testcase")),
            b"testcase" => Open::Case(Box::new(case)),
            b"testsuite" => {
                if suite.named {
                    self.suites.push(suite.title.clone());
                }
                Open::Suite(suite)
            }
            b"testsuites" => Open::Suites,
            b"failure" => Open::Mark(Mark::Failure, said),
            b"error" => Open::Mark(Mark::Error, said),
            b"skipped" => Open::Mark(Mark::Skipped { todo }, said),
            b"flakyFailure" | b"flakyError" => Open::Mark(Mark::Flaky, said),
            _ => Open::Other,
        });
        Ok(())
    }

    fn text(&mut self, content: &str, at: usize) -> Result<(), ResultsProblem> {
        match self.open.last_mut() {
            None if content.trim().is_empty() => Ok(()),
            None => Err(malformed(ParserKind::Junit, at, "text outside the root element")),
            Some(Open::Mark(_, said)) => {
                if said.is_empty() || said.ends_with('\n') {
                    text::extend(said, content.trim_start());
                } else {
                    text::extend(said, content);
                }
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), ResultsProblem> {
        match self.open.pop() {
            Some(Open::Mark(mark, said)) => self.mark(mark, &said),
            Some(Open::Case(case)) => self.case(*case),
            Some(Open::Suite(suite)) => {
                self.suite(&suite);
                Ok(())
            }
            Some(Open::Suites | Open::Other) | None => Ok(()),
        }
    }

    fn mark(&mut self, mark: Mark, said: &str) -> Result<(), ResultsProblem> {
        match self.open.last_mut() {
            Some(Open::Case(case)) => {
                match mark {
                    Mark::Failure => case.failed = true,
                    Mark::Error => case.error = true,
                    Mark::Skipped { todo } => {
                        case.skipped = true;
                        case.todo |= todo;
                    }
                    Mark::Flaky => case.flaky += 1,
                }
                if !case.message.is_empty() && !said.trim().is_empty() {
                    text::extend(&mut case.message, "\n");
                }
                text::extend(&mut case.message, said);
                Ok(())
            }
            // What went wrong around all cases of a suite is nobody's case, and must not be lost.
            Some(Open::Suite(suite)) if matches!(mark, Mark::Failure | Mark::Error) => {
                suite.own.add(CaseOutcome::Error);
                suite.all.add(CaseOutcome::Error);
                let title = if suite.named { suite.title.clone() } else { "(suite)".to_owned() };
                self.found.add(Case::new(title, CaseOutcome::Error).saying(&text::message(said)))
            }
            _ => Ok(()),
        }
    }

    fn case(&mut self, case: OpenCase) -> Result<(), ResultsProblem> {
        let parts = Parts {
            classname: &case.classname,
            name: &case.name,
            file: case.file.as_deref(),
            suites: &self.suites,
            root: self.dialect.root,
        };
        let named = self.dialect.notation.names(&parts);
        let outcome = if case.todo {
            // A failing TODO is a wish, not a failure (P46).
            CaseOutcome::Skipped
        } else if case.failed {
            CaseOutcome::Failed
        } else if case.error {
            CaseOutcome::Error
        } else if case.skipped {
            CaseOutcome::Skipped
        } else {
            CaseOutcome::Passed
        };
        let mut message = text::message(&case.message);
        if case.flaky > 0 && outcome == CaseOutcome::Passed {
            message = format!("passed after {}\n{message}", text::many(u64::from(case.flaky), "failed attempt"));
            self.found.note(format!("{} passed only after it had failed", named.name));
        }
        if outcome == CaseOutcome::Error {
            if case.message.starts_with("collection failure") {
                self.found.fault(ResultsFault::Collection { text: named.name.clone() });
            } else if case.classname == "pytest" && case.name == "internal" {
                self.found.fault(ResultsFault::Tool { text: "pytest: internal error".to_owned() });
            }
        }
        let enclosing = self.open.iter_mut().rev().find_map(|open| match open {
            Open::Suite(suite) => Some(suite),
            _ => None,
        });
        if let Some(suite) = enclosing {
            suite.own.add(outcome);
            suite.all.add(outcome);
        }
        let mut kept = Case::new(named.name, outcome).saying(&message);
        kept.also = named.also;
        kept.file = named.file;
        kept.duration_ms = case.duration_ms;
        self.found.add(kept)
    }

    fn suite(&mut self, suite: &Suite) {
        if suite.named {
            self.suites.pop();
        }
        let lies = |claimed: Option<u64>, count: fn(&CaseCounts) -> u64| {
            claimed.is_some_and(|claimed| claimed != count(&suite.own) && claimed != count(&suite.all))
        };
        if lies(suite.claims.tests, CaseCounts::total) || lies(suite.claims.bad, CaseCounts::bad) {
            self.lies += 1;
            if self.lies == 1 {
                self.found.note(format!(
                    "the suite {:?} claims {} tests and {} bad ones; {} and {} are there",
                    suite.title,
                    suite.claims.tests.map_or("no number of".to_owned(), |n| n.to_string()),
                    suite.claims.bad.unwrap_or(0),
                    suite.all.total(),
                    suite.all.bad(),
                ));
            }
        }
        let around = self.open.iter_mut().rev().find_map(|open| match open {
            Open::Suite(around) => Some(around),
            _ => None,
        });
        if let Some(around) = around {
            around.all.passed += suite.all.passed;
            around.all.failed += suite.all.failed;
            around.all.error += suite.all.error;
            around.all.skipped += suite.all.skipped;
        }
    }

    fn finish(mut self, at: usize) -> Result<ParsedResults, ResultsProblem> {
        if !self.open.is_empty() {
            return Err(malformed(ParserKind::Junit, at, "it ends inside an element"));
        }
        if !self.root_seen {
            return Err(malformed(ParserKind::Junit, at, "no root element"));
        }
        if self.lies > 1 {
            self.found.note(format!("{} suites claim other counts than their cases show", self.lies));
        }
        Ok(self.found.results)
    }
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;

//! JUnit XML: the format that nobody specified and everybody writes.
//!
//! Suites nest, a case may hold `failure` and `error` both, and the counts in attributes lie. No entity
//! is ever declared or expanded.

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};
use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesRef, BytesStart, Event},
};

use super::{millis, push, small_enough};

/// Nested deeper than this is no report.
const DEPTH: usize = 256;

/// A case as the file names it.
#[derive(Debug, Default, Clone)]
struct RawCase {
    suites: Vec<String>,
    classname: String,
    name: String,
    file: Option<String>,
}

/// The full name of a case, and the further exact names it goes by.
///
/// A report that names Python files gets node ids (`tests/test_a.py::Class::test`), since that is how
/// pytest writes a test's name. Others keep `name`, also known behind its class and behind its suites.
fn names(raw: &RawCase) -> (String, Vec<String>) {
    let RawCase { suites, classname, name, file } = raw;
    let mut also = Vec::new();
    let mut full = name.clone();
    if let Some(path) = file.as_deref().and_then(|file| file.strip_suffix(".py")) {
        let module = path.replace('/', ".");
        let class = classname.strip_prefix(&module).map(|rest| rest.trim_start_matches('.').replace('.', "::"));
        let class = class.unwrap_or_default();
        let inner = if class.is_empty() { name.clone() } else { format!("{class}::{name}") };
        full = format!("{path}.py::{inner}");
        also.extend([name.clone(), inner]);
    }
    if !classname.is_empty() {
        also.extend([".", "::", "#", " "].map(|between| format!("{classname}{between}{name}")));
    }
    // Describe blocks: the outermost suite is often the file or the run, so every tail is a name.
    let suites: Vec<&str> = suites.iter().map(String::as_str).filter(|suite| !suite.is_empty()).collect();
    for from in 0..suites.len() {
        let path = &suites[from..];
        also.extend([" > ", " "].map(|between| format!("{}{between}{name}", path.join(between))));
    }
    // Playwright writes the path of titles into the name.
    if name.contains(" › ") {
        also.push(name.replace(" › ", " > "));
        also.push(name.replace(" › ", " "));
        also.extend(name.rsplit(" › ").next().map(str::to_owned));
    }
    also.retain(|other| *other != full);
    also.sort_unstable();
    also.dedup();
    (full, also)
}

/// Reads a report.
///
/// # Errors
/// Why it is none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let mut reading = Reading::default();
    let mut reader = Reader::from_reader(bytes);
    let mut buffer = Vec::new();
    loop {
        let at = reader.buffer_position();
        let wrong = |message: String| ResultsProblem::Malformed { parser: ParserKind::Junit, at, message };
        let event = reader.read_event_into(&mut buffer).map_err(|error| wrong(error.to_string()))?;
        match event {
            Event::Start(tag) => reading.open(&tag).map_err(|stop| stop.at(at))?,
            Event::Empty(tag) => {
                reading.open(&tag).map_err(|stop| stop.at(at))?;
                reading.close()?;
            }
            Event::End(_) => reading.close()?,
            Event::Text(text) => reading.text(&text)?,
            Event::CData(text) => reading.text(&text)?,
            Event::GeneralRef(name) => {
                let text = reference(&name).ok_or_else(|| wrong("an unknown entity".to_owned()))?;
                reading.text(text.as_bytes())?;
            }
            Event::DocType(doctype) => {
                if doctype.windows(8).any(|part| part.eq_ignore_ascii_case(b"<!ENTITY")) || doctype.contains(&b'%') {
                    return Err(ResultsProblem::Entities);
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        buffer.clear();
    }
    let at = bytes.len() as u64;
    let wrong =
        |message: &str| ResultsProblem::Malformed { parser: ParserKind::Junit, at, message: message.to_owned() };
    if !reading.stack.is_empty() {
        return Err(wrong("the file ends inside an element"));
    }
    if !reading.has_root {
        return Err(wrong("there is no testsuite"));
    }
    Ok(reading.finish())
}

/// The five entities of XML itself, and characters by number.
fn reference(name: &BytesRef<'_>) -> Option<String> {
    if let Some(c) = name.resolve_char_ref().ok()? {
        return Some(c.to_string());
    }
    let text = match &**name {
        b"lt" => "<",
        b"gt" => ">",
        b"amp" => "&",
        b"quot" => "\"",
        b"apos" => "'",
        _ => return None,
    };
    Some(text.to_owned())
}

enum Stop {
    Message(String),
    Problem(ResultsProblem),
}

impl Stop {
    fn at(self, at: u64) -> ResultsProblem {
        match self {
            Self::Message(message) => ResultsProblem::Malformed { parser: ParserKind::Junit, at, message },
            Self::Problem(problem) => problem,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Root,
    Suite,
    Case,
    /// `failure`, `error` or `skipped`: what it says is the message.
    Verdict,
    Other,
}

struct OpenCase {
    raw: RawCase,
    outcome: CaseOutcome,
    message: String,
    duration_ms: Option<u64>,
    is_todo: bool,
}

struct Reading {
    results: ParsedResults,
    stack: Vec<Element>,
    suites: Vec<String>,
    case: Option<OpenCase>,
    has_root: bool,
    /// Claims of the outermost element that makes any.
    claimed: Option<[u64; 2]>,
    claimed_at: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            results: ParsedResults::empty(ParserKind::Junit),
            stack: Vec::new(),
            suites: Vec::new(),
            case: None,
            has_root: false,
            claimed: None,
            claimed_at: usize::MAX,
        }
    }
}

#[derive(Default)]
struct Attributes {
    name: Option<String>,
    classname: Option<String>,
    file: Option<String>,
    time: Option<f64>,
    status: Option<String>,
    message: Option<String>,
    kind: Option<String>,
    tests: Option<u64>,
    bad: Option<u64>,
}

fn attributes(tag: &BytesStart<'_>) -> Result<Attributes, Stop> {
    let mut found = Attributes::default();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| Stop::Message(error.to_string()))?;
        let raw =
            std::str::from_utf8(&attribute.value).map_err(|_| Stop::Message("an attribute is not UTF-8".to_owned()))?;
        let value = unescape(raw).map_err(|error| Stop::Message(error.to_string()))?.into_owned();
        match attribute.key.local_name().as_ref() {
            b"name" => found.name = Some(value),
            b"classname" | b"class" => found.classname = Some(value),
            b"file" | b"filepath" => found.file = Some(value),
            b"time" => found.time = value.trim().replace(',', "").parse().ok(),
            b"status" | b"result" => found.status = Some(value.to_ascii_lowercase()),
            b"message" => found.message = Some(value),
            b"type" => found.kind = Some(value),
            b"tests" => found.tests = value.trim().parse().ok(),
            b"failures" | b"errors" => {
                let count = value.trim().parse().unwrap_or(0u64);
                found.bad = Some(found.bad.unwrap_or(0).saturating_add(count));
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Reading {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH {
            return Err(Stop::Message("elements are nested too deep".to_owned()));
        }
        let name = tag.local_name();
        let attributes = attributes(tag)?;
        let element = match (self.stack.last(), name.as_ref()) {
            (None, b"testsuites" | b"testsuite") if self.has_root => {
                return Err(Stop::Message("there is a second report in the file".to_owned()));
            }
            (None, b"testsuites") => Element::Root,
            (None, b"testsuite") | (Some(Element::Root | Element::Suite), b"testsuite") => Element::Suite,
            (None, _) => return Err(Stop::Message("the outermost element is no testsuite".to_owned())),
            (Some(Element::Root | Element::Suite), b"testcase") => Element::Case,
            (Some(Element::Root | Element::Suite | Element::Case), b"failure" | b"error" | b"skipped") => {
                Element::Verdict
            }
            _ => Element::Other,
        };
        match element {
            Element::Root | Element::Suite => {
                self.has_root = true;
                self.claim(&attributes);
                // A root has no place in the names of its cases.
                if element == Element::Suite {
                    self.suites.push(attributes.name.unwrap_or_default());
                }
            }
            Element::Case => {
                self.case = Some(OpenCase {
                    outcome: by_status(attributes.status.as_deref()),
                    message: String::new(),
                    is_todo: false,
                    duration_ms: attributes.time.and_then(millis),
                    raw: RawCase {
                        suites: self.suites.clone(),
                        classname: attributes.classname.unwrap_or_default(),
                        name: attributes.name.unwrap_or_default(),
                        file: attributes.file,
                    },
                });
            }
            Element::Verdict => {
                let outcome = match name.as_ref() {
                    b"failure" => CaseOutcome::Failed,
                    b"error" => CaseOutcome::Error,
                    _ => CaseOutcome::Skipped,
                };
                let todo = outcome == CaseOutcome::Skipped && attributes.kind.as_deref() == Some("todo");
                if let Some(case) = self.case.as_mut().filter(|_| todo) {
                    // As in TAP, what is still to do may fail; it is never a pass.
                    case.is_todo = true;
                }
                self.verdict(outcome, attributes.message).map_err(Stop::Problem)?;
            }
            Element::Other => {}
        }
        self.stack.push(element);
        Ok(())
    }

    fn claim(&mut self, attributes: &Attributes) {
        let Some(tests) = attributes.tests else { return };
        let depth = self.stack.len();
        let bad = attributes.bad.unwrap_or(0);
        match &mut self.claimed {
            Some([all, all_bad]) if depth == self.claimed_at => {
                *all = all.saturating_add(tests);
                *all_bad = all_bad.saturating_add(bad);
            }
            Some(_) if depth > self.claimed_at => {}
            claimed => {
                *claimed = Some([tests, bad]);
                self.claimed_at = depth;
            }
        }
    }

    fn verdict(&mut self, outcome: CaseOutcome, message: Option<String>) -> Result<(), ResultsProblem> {
        if let Some(case) = &mut self.case {
            // Failure and error outweigh a skip, whichever comes first.
            let worse = |outcome| match outcome {
                CaseOutcome::Passed => 0,
                CaseOutcome::Skipped => 1,
                CaseOutcome::Error => 2,
                CaseOutcome::Failed => 3,
            };
            if worse(outcome) > worse(case.outcome) {
                case.outcome = outcome;
            }
            if let Some(message) = message {
                append(&mut case.message, message.as_bytes());
                append(&mut case.message, b"\n");
            }
            return Ok(());
        }
        // A suite that failed as a whole: nothing of it can be trusted to have run.
        if outcome == CaseOutcome::Skipped {
            return Ok(());
        }
        let suites = self.suites.clone();
        let raw = RawCase { name: suites.last().cloned().unwrap_or_default(), suites, ..RawCase::default() };
        let (name, _) = names(&raw);
        let text = message.unwrap_or_default();
        let name = if name.is_empty() { "suite".to_owned() } else { name };
        push(&mut self.results, Case::new(name, CaseOutcome::Error).saying(&text))?;
        self.results.fault.get_or_insert(ResultsFault::Collection { text });
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), ResultsProblem> {
        if let (Some(Element::Verdict), Some(case)) = (self.stack.last(), &mut self.case) {
            append(&mut case.message, bytes);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ResultsProblem> {
        match self.stack.pop() {
            Some(Element::Suite) => {
                self.suites.pop();
            }
            Some(Element::Case) => {
                if let Some(case) = self.case.take() {
                    let (name, also) = names(&case.raw);
                    let outcome = if case.is_todo { CaseOutcome::Skipped } else { case.outcome };
                    let mut made = Case::new(name, outcome).saying(&case.message);
                    made.file = case.raw.file;
                    made.duration_ms = case.duration_ms;
                    made.also = also;
                    push(&mut self.results, made)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> ParsedResults {
        let counts = self.results.counts;
        if let Some([tests, bad]) = self.claimed
            && (tests != counts.total() || bad != counts.bad())
        {
            self.results.notes.push(format!(
                "the file claims {tests} tests and {bad} failures; it holds {} and {}",
                counts.total(),
                counts.bad()
            ));
        }
        self.results
    }
}

/// What some tools say in an attribute instead of an element.
fn by_status(status: Option<&str>) -> CaseOutcome {
    match status {
        Some("notrun" | "not_run" | "skipped" | "ignored" | "disabled" | "pending" | "suppressed") => {
            CaseOutcome::Skipped
        }
        Some("failed" | "failure" | "fail") => CaseOutcome::Failed,
        Some("error" | "errored") => CaseOutcome::Error,
        _ => CaseOutcome::Passed,
    }
}

/// Keeps a bounded message.
fn append(message: &mut String, bytes: &[u8]) {
    let room = (2 * model::proof::results::MESSAGE_BYTES).saturating_sub(message.len());
    if room > 0 {
        message.push_str(&String::from_utf8_lossy(&bytes[..bytes.len().min(room)]));
    }
}

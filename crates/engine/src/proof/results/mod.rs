//! Reads what a command wrote about its tests: one file per format, each a total function over bytes.
//!
//! The bytes are foreign: hostile, huge, cut, binary. A parser never panics, works in linear time, and
//! never makes up a test that passed: what is truncated or contradicts itself is a
//! [`ResultsProblem`] or carries a fault, and counts are those of the cases that were seen, not those
//! that the file claims. Whether the file is the right one, and new enough, is the caller's to know.

mod cargo_text;
mod go_json;
mod jest_json;
mod junit;
mod notation;
mod sarif;
mod tap;
mod text;
mod unittest_text;

use model::{
    limits,
    proof::results::{Case, FindingLevel, ParsedResults, ParserKind, ResultsFault, ResultsProblem},
};

pub use notation::Notation;

/// How to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The lowest level of a finding that counts (SARIF).
    pub fail_on: FindingLevel,
    /// Whether the middle of the output was left out (P34). Where the bytes hold the marker of that,
    /// they are the output, and what is missing is missed; a file of its own is whole.
    pub output_cut: bool,
}

/// What the tool that wrote the results takes for granted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dialect<'a> {
    /// How the tool that wrote JUnit XML names its tests.
    pub notation: Notation,
    /// The folder that the command saw as its repository, so that absolute paths become relative;
    /// empty where none is known.
    pub root: &'a str,
}

/// Reads results of any kind. [`ParserKind::Exit`] has none and reads nothing.
///
/// # Errors
/// Why the bytes are no such results.
pub fn parse(kind: ParserKind, bytes: &[u8], options: &Options) -> Result<ParsedResults, ResultsProblem> {
    parse_in(kind, bytes, options, &Dialect::default())
}

/// Reads results of a tool that is known.
///
/// # Errors
/// Why the bytes are no such results.
pub fn parse_in(
    kind: ParserKind,
    bytes: &[u8],
    options: &Options,
    dialect: &Dialect<'_>,
) -> Result<ParsedResults, ResultsProblem> {
    if bytes.len() as u64 > limits::RESULTS_FILE {
        return Err(ResultsProblem::TooLarge { bytes: bytes.len() as u64, limit: limits::RESULTS_FILE });
    }
    let cut = options.output_cut && text::is_cut(bytes);
    let has_one_end = matches!(kind, ParserKind::Junit | ParserKind::Sarif | ParserKind::JestJson);
    if cut && has_one_end {
        return Err(malformed(kind, 0, "the output was cut before it could be read"));
    }
    match kind {
        ParserKind::Exit => Ok(ParsedResults::empty(ParserKind::Exit)),
        ParserKind::Junit => junit::parse(bytes, dialect),
        ParserKind::Tap => tap::parse(bytes, cut),
        ParserKind::Sarif => sarif::parse(bytes, options.fail_on, dialect.root),
        ParserKind::CargoText => cargo_text::parse(bytes, cut),
        ParserKind::GoJson => go_json::parse(bytes, cut),
        ParserKind::JestJson => jest_json::parse(bytes, dialect.root),
        ParserKind::UnittestText => unittest_text::parse(bytes, cut),
    }
}

fn malformed(parser: ParserKind, at: usize, message: impl Into<String>) -> ResultsProblem {
    ResultsProblem::Malformed { parser, at: at as u64, message: message.into() }
}

/// Refuses more cases than are read.
fn few(cases: usize) -> Result<(), ResultsProblem> {
    let limit = limits::RESULT_CASES;
    if cases > limit { Err(ResultsProblem::TooManyCases { limit: limit as u64 }) } else { Ok(()) }
}

/// Results while they grow: bounded in cases and in notes.
struct Gathered {
    results: ParsedResults,
}

/// The most notes kept.
const NOTES: usize = 50;

impl Gathered {
    const fn new(parser: ParserKind) -> Self {
        Self { results: ParsedResults::empty(parser) }
    }

    fn add(&mut self, case: Case) -> Result<(), ResultsProblem> {
        few(self.results.cases.len() + 1)?;
        self.results.push(case);
        Ok(())
    }

    fn note(&mut self, note: impl Into<String>) {
        if self.results.notes.len() < NOTES {
            self.results.notes.push(note.into());
        }
    }

    /// Keeps the first fault, except that giving up outranks what follows from it.
    fn fault(&mut self, fault: ResultsFault) {
        let outranks = matches!(fault, ResultsFault::BailOut { .. });
        if self.results.fault.is_none() || outranks {
            self.results.fault = Some(fault);
        }
    }
}

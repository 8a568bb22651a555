//! Reading what commands wrote about their tests.
//!
//! Every parser is a total function from foreign bytes: they may be hostile, huge, cut or binary, and
//! the answer is results or a problem, never a panic. Cases are counted here; counts that a file claims
//! are only compared (P45, P46).

pub mod cargo;
pub mod go;
pub mod jest;
pub mod junit;
pub mod sarif;
pub mod tap;
pub mod unittest;

use std::borrow::Cow;

use model::{
    limits,
    proof::results::{Case, FindingLevel, ParsedResults, ParserKind, ResultsFault, ResultsProblem},
};

/// How to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The lowest level of a finding that counts.
    pub fail_on: FindingLevel,
    /// Whether the middle of the output was left out, where the output itself is read.
    pub output_cut: bool,
}

/// Reads results of a format.
///
/// # Errors
/// Why the bytes are no such results.
pub fn parse(kind: ParserKind, bytes: &[u8], options: &Options) -> Result<ParsedResults, ResultsProblem> {
    let mut results = match kind {
        ParserKind::Exit => ParsedResults::empty(ParserKind::Exit),
        ParserKind::Junit => junit::parse(bytes)?,
        ParserKind::Tap => tap::parse(bytes)?,
        ParserKind::Sarif => sarif::parse(bytes, options.fail_on)?,
        ParserKind::CargoText => cargo::parse(bytes)?,
        ParserKind::GoJson => go::parse(bytes)?,
        ParserKind::JestJson => jest::parse(bytes)?,
        ParserKind::UnittestText => unittest::parse(bytes)?,
    };
    // What is missing in the middle explains every contradiction, so it takes the place of other faults.
    if options.output_cut && kind.lists_tests() && kind != ParserKind::Junit && kind != ParserKind::JestJson {
        results.fault = Some(ResultsFault::OutputCut);
    }
    Ok(results)
}

/// Refuses what is larger than any results may be.
fn small_enough(bytes: &[u8]) -> Result<(), ResultsProblem> {
    let size = bytes.len() as u64;
    if size > limits::RESULTS_FILE {
        return Err(ResultsProblem::TooLarge { bytes: size, limit: limits::RESULTS_FILE });
    }
    Ok(())
}

/// Adds a case unless there are too many already.
fn push(results: &mut ParsedResults, case: Case) -> Result<(), ResultsProblem> {
    if results.cases.len() >= limits::RESULT_CASES {
        return Err(ResultsProblem::TooManyCases { limit: limits::RESULT_CASES as u64 });
    }
    results.push(case);
    Ok(())
}

/// The lines of an output, each as text, without its line end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    bytes.split(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8_lossy(line)
    })
}

/// Seconds as some tool wrote them, in whole milliseconds.
fn millis(seconds: f64) -> Option<u64> {
    let millis = seconds * 1000.0;
    // A float that is finite, not negative and below a century cannot fail the cast.
    (millis.is_finite() && (0.0..3.2e12).contains(&millis)).then_some(millis.round() as u64)
}

#[cfg(test)]
mod tests;

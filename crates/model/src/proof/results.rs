//! What a command's own results say, once they are read.
//!
//! The parsers live in the engine; the judge lives beside this file. Between them stands this plain
//! value. It is kept with the command, so it is bounded: [`ParsedResults::trim`] drops what no rule
//! asked for and keeps the counts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a command's results are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParserKind {
    /// The exit code alone; the command is the one case.
    Exit,
    /// JUnit XML.
    Junit,
    /// Test Anything Protocol 13 or 14.
    Tap,
    /// SARIF 2.1; the command is the one case.
    Sarif,
    /// The lines that `cargo test` prints.
    #[serde(rename = "cargo")]
    CargoText,
    /// The events of `go test -json`.
    #[serde(rename = "go")]
    GoJson,
    /// The JSON report of jest and vitest.
    #[serde(rename = "jest")]
    JestJson,
    /// The verbose lines of Python's `unittest`.
    #[serde(rename = "unittest")]
    UnittestText,
}

impl ParserKind {
    /// The word used on the wire and in digests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Sarif => "sarif",
            Self::CargoText => "cargo",
            Self::GoJson => "go",
            Self::JestJson => "jest",
            Self::UnittestText => "unittest",
        }
    }

    /// Whether its results name single tests, so that a named test can be looked up in them.
    pub const fn lists_tests(self) -> bool {
        !matches!(self, Self::Exit | Self::Sarif)
    }
}

/// How one case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseOutcome {
    /// It held.
    Passed,
    /// It did not hold.
    Failed,
    /// It could not finish: a set-up, tear-down or collection error.
    Error,
    /// It did not run.
    Skipped,
}

/// One test, or one command where nothing finer is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The full name, in the runner's own notation.
    pub name: String,
    /// The file it is in, where the tool says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How it ended.
    pub outcome: CaseOutcome,
    /// How long it took, where the tool says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What the tool said about it, cut to [`MESSAGE_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Further exact names by which a rule may call this test, such as the function's own name
    /// without its file. A rule is met by equality with one of them, never by a part (P39).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// The longest message kept of one case.
pub const MESSAGE_BYTES: usize = 4 * 1024;

impl Case {
    /// A case with nothing but a name and an end.
    pub fn new(name: impl Into<String>, outcome: CaseOutcome) -> Self {
        Self { name: name.into(), file: None, outcome, duration_ms: None, message: None, also: Vec::new() }
    }

    /// Whether the rule's name is one of this case's, by equality alone (P39).
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }

    /// Sets the message, cut to what is kept; a blank one is none.
    pub fn saying(mut self, message: &str) -> Self {
        let message = message.trim();
        self.message = (!message.is_empty()).then(|| cut(message, MESSAGE_BYTES).to_owned());
        self
    }
}

/// The line of a failure that says what went wrong. A panic of Rust tells where first.
pub(super) fn headline(message: &str) -> Option<&str> {
    let mut lines = message.lines().filter(|line| !line.trim().is_empty());
    let is_place = |line: &&str| line.starts_with("thread '") && line.contains("panicked at ") && line.ends_with(':');
    let first = lines.clone().next();
    lines.find(is_place).and_then(|_| lines.next()).or(first)
}

/// The longest prefix of `text` that is at most `bytes` long and ends between two characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// How many cases ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseCounts {
    /// Cases that held.
    pub passed: u64,
    /// Cases that did not.
    pub failed: u64,
    /// Cases that could not finish.
    pub error: u64,
    /// Cases that did not run.
    pub skipped: u64,
}

impl CaseCounts {
    /// Counts one more.
    pub fn add(&mut self, outcome: CaseOutcome) {
        match outcome {
            CaseOutcome::Passed => self.passed += 1,
            CaseOutcome::Failed => self.failed += 1,
            CaseOutcome::Error => self.error += 1,
            CaseOutcome::Skipped => self.skipped += 1,
        }
    }

    /// All of them.
    pub const fn total(&self) -> u64 {
        self.passed + self.failed + self.error + self.skipped
    }

    /// Those that speak against the work.
    pub const fn bad(&self) -> u64 {
        self.failed + self.error
    }
}

/// One remark of a scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The scanner's rule.
    pub rule: String,
    /// How bad the scanner calls it.
    pub level: FindingLevel,
    /// What it said.
    pub message: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Listed, not judged (P46).
    #[serde(default)]
    pub suppressed: bool,
}

/// The levels of SARIF, lowest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// Not a problem.
    None,
    /// A remark.
    Note,
    /// A problem that may be lived with.
    Warning,
    /// A problem.
    #[default]
    Error,
}

impl FindingLevel {
    /// The word used on the wire and in digests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What results say against themselves: they were read, yet they do not speak for the whole command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResultsFault {
    /// TAP without a plan.
    PlanMissing,
    /// TAP whose plan and tests differ.
    PlanNotMet {
        /// How many were announced.
        planned: u64,
        /// How many came.
        seen: u64,
    },
    /// TAP that gave up.
    BailOut {
        /// Why.
        text: String,
    },
    /// The tests could not be built, imported or collected, so that none or not all of them ran.
    Collection {
        /// What the tool said.
        text: String,
    },
    /// The tool says that it did not work: a usage or an internal error of its own.
    Tool {
        /// What the tool said.
        text: String,
    },
    /// The output that the results are read from was cut in the middle.
    OutputCut,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParsedResults {
    /// By which parser.
    pub parser: ParserKind,
    /// How many cases ended how: counted here, not taken from what the file claims.
    pub counts: CaseCounts,
    /// The cases, or those kept by [`ParsedResults::trim`].
    pub cases: Vec<Case>,
    /// Whether cases or findings were dropped.
    #[serde(default)]
    pub trimmed: bool,
    /// A scanner's remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// How many remarks are at or above the level that is judged, and not suppressed.
    #[serde(default)]
    pub judged_findings: u64,
    /// What the results say against themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<ResultsFault>,
    /// What a reader should know: lying counts, odd lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ParsedResults {
    /// Nothing read yet.
    pub const fn empty(parser: ParserKind) -> Self {
        Self {
            parser,
            counts: CaseCounts { passed: 0, failed: 0, error: 0, skipped: 0 },
            cases: Vec::new(),
            trimmed: false,
            findings: Vec::new(),
            judged_findings: 0,
            fault: None,
            notes: Vec::new(),
        }
    }

    /// Results that hold exactly these cases.
    pub fn of(parser: ParserKind, cases: Vec<Case>) -> Self {
        let mut results = Self::empty(parser);
        for case in cases {
            results.push(case);
        }
        results
    }

    /// Adds one case and counts it.
    pub fn push(&mut self, case: Case) {
        self.counts.add(case.outcome);
        self.cases.push(case);
    }

    /// Keeps the cases that `names` ask for, then bad ones, then others, up to `most` in all; the
    /// counts stay those of the whole.
    pub fn trim(&mut self, names: &[&str], most: usize) {
        if self.findings.len() > most {
            self.findings.sort_by_key(|f| (f.suppressed, std::cmp::Reverse(f.level)));
            self.findings.truncate(most);
            self.trimmed = true;
        }
        if self.cases.len() <= most {
            return;
        }
        let rank = |case: &Case| match case.outcome {
            _ if names.iter().any(|name| case.is_called(name)) => 0,
            CaseOutcome::Failed | CaseOutcome::Error => 1,
            CaseOutcome::Skipped => 2,
            CaseOutcome::Passed => 3,
        };
        let mut ranked: Vec<(u8, Case)> =
            std::mem::take(&mut self.cases).into_iter().map(|case| (rank(&case), case)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        // What a rule asks for is never dropped: without it the judge would say `test_missing`.
        let asked = ranked.iter().take_while(|(rank, _)| *rank == 0).count();
        ranked.truncate(most.max(asked));
        self.cases = ranked.into_iter().map(|(_, case)| case).collect();
        self.trimmed = true;
    }
}

/// Why results could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResultsProblem {
    /// The command did not write them.
    #[error("the command wrote no results file at {path}")]
    Missing {
        /// Where they were expected, as declared.
        path: String,
    },
    /// The file is older than the command (X60).
    #[error("the results file at {path} is older than the command")]
    Older {
        /// Where it lies, as declared.
        path: String,
    },
    /// Over the size limit.
    #[error("the results are {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// How large.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Over the limit of cases.
    #[error("the results hold more than {limit} cases")]
    TooManyCases {
        /// The limit.
        limit: u64,
    },
    /// It declares entities; none is ever expanded.
    #[error("the results declare XML entities")]
    Entities,
    /// Not what the parser reads, or cut.
    #[error("the results are not valid {parser} at byte {at}: {message}", parser = parser.as_str())]
    Malformed {
        /// Which parser.
        parser: ParserKind,
        /// Where reading stopped.
        at: u64,
        /// What was wrong.
        message: String,
    },
}

impl ResultsProblem {
    /// Whether there was nothing to read, as opposed to something that could not be read.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a person reads first of a failure is what went wrong, not where.
    #[test]
    fn the_headline_of_a_failure_is_what_went_wrong() {
        for (message, line) in [
            ("1 is not 2\nat x.js:3", Some("1 is not 2")),
            ("thread 'a' (7) panicked at src/a.rs:1:2:\nassertion failed\n  left: 1", Some("assertion failed")),
            ("it printed this\nthread 'a' panicked at src/a.rs:1:2:\nboom", Some("boom")),
            ("thread 'a' panicked at src/a.rs:1:2:", Some("thread 'a' panicked at src/a.rs:1:2:")),
            ("\n  \nlate", Some("late")),
            ("", None),
        ] {
            assert_eq!(headline(message), line, "{message:?}");
        }
    }

    #[test]
    fn trimming_keeps_what_rules_ask_for_and_the_counts() {
        // K7
        let mut results = ParsedResults::of(
            ParserKind::Junit,
            (0..100)
                .map(|n| Case::new(format!("t{n}"), if n == 70 { CaseOutcome::Failed } else { CaseOutcome::Passed }))
                .collect(),
        );
        results.trim(&["t90", "t91"], 3);
        let kept: Vec<_> = results.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(kept, ["t90", "t91", "t70"]);
        assert_eq!(results.counts, CaseCounts { passed: 99, failed: 1, error: 0, skipped: 0 });
        assert!(results.trimmed);
        results.trim(&["t90", "t91", "t70"], 1);
        assert_eq!(results.cases.len(), 3);
    }

    #[test]
    fn a_parser_has_one_word() {
        use ParserKind::*;
        for kind in [Exit, Junit, Tap, Sarif, CargoText, GoJson, JestJson, UnittestText] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let case = Case::new("t", CaseOutcome::Failed).saying(&"é".repeat(MESSAGE_BYTES));
        assert_eq!(case.message.unwrap().len(), MESSAGE_BYTES);
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(Case::new("t", CaseOutcome::Failed).saying(" \n").message, None);
    }
}

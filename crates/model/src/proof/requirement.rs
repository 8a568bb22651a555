//! A requirement: a lasting duty of the project, cut into obligations, one per gate.
//!
//! It is never deleted. What it is worth on a tree is not stored in it; see [`super::standing`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use super::{classify::Kind, gate::GateName};
use crate::{actor::Actor, id::ProjectId, time::Timestamp};

/// The most obligations of a requirement.
pub const OBLIGATIONS: usize = 16;
/// The most rules of an obligation.
pub const RULES: usize = 32;
/// The longest title, in characters.
pub const TITLE: usize = 200;
/// The longest description, in characters.
pub const DESCRIPTION: usize = 20_000;
/// The longest test name, in bytes.
pub const TEST_NAME: usize = 512;

/// The id of a requirement: its number within the project, written `REQ-0007`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, pattern = "^REQ-[0-9]{4,}$")]
pub struct RequirementNumber(u32);

/// A text that is no requirement id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a requirement id is REQ- and at least four digits, such as REQ-0007")]
pub struct RequirementNumberInvalid;

impl RequirementNumber {
    /// The requirement with this number; there is none with 0.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The bare number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its form inside names of tests and files: `req_0007`.
    pub fn snake(self) -> String {
        format!("req_{:04}", self.0)
    }
}

impl fmt::Display for RequirementNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "REQ-{:04}", self.0)
    }
}

impl FromStr for RequirementNumber {
    type Err = RequirementNumberInvalid;
    fn from_str(text: &str) -> Result<Self, RequirementNumberInvalid> {
        let digits = text.strip_prefix("REQ-").ok_or(RequirementNumberInvalid)?;
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        // One id has one spelling.
        number.and_then(Self::new).filter(|id| id.to_string() == text).ok_or(RequirementNumberInvalid)
    }
}

impl Serialize for RequirementNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequirementNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The id of a rule, unique in the project and never given again: `REQ-0007.unit.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct RuleId(String);

impl RuleId {
    /// The `n`-th rule that this obligation ever had.
    pub fn new(requirement: RequirementNumber, gate: &GateName, n: u32) -> Self {
        Self(format!("{requirement}.{gate}.{n}"))
    }

    /// Takes a stored id as it is.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Hardly anybody notices.
    Low,
    /// It hinders.
    #[default]
    Medium,
    /// It hurts.
    High,
    /// It stops people or loses something.
    Critical,
}

impl Severity {
    /// The words used on the wire.
    pub const WORDS: [&'static str; 4] = ["low", "medium", "high", "critical"];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Where it was seen first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Live.
    Production,
    /// By testers.
    Qa,
    /// By ourselves.
    Dogfooding,
    /// By an alarm.
    Monitoring,
    /// By somebody who uses it.
    #[default]
    UserReport,
    /// By a program.
    Agent,
}

impl Source {
    /// The words used on the wire.
    pub const WORDS: [&'static str; 6] = ["production", "qa", "dogfooding", "monitoring", "user_report", "agent"];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// What a requirement is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Paths, folders and globs inside the repository.
    pub files: Vec<String>,
    /// Routes of the page.
    pub routes: Vec<String>,
    /// APIs, as `METHOD /path`.
    pub apis: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// Free words.
    pub tags: Vec<String>,
}

impl Scope {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }

    /// Its lists by name.
    pub fn lists(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("files", &self.files),
            ("routes", &self.routes),
            ("apis", &self.apis),
            ("components", &self.components),
            ("tags", &self.tags),
        ]
    }
}

/// How a rule is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleHow {
    /// By one named test.
    Test,
    /// By everything the gate runs.
    Suite,
    /// By a person.
    Review,
}

impl RuleHow {
    /// The words used on the wire.
    pub const WORDS: [&'static str; 3] = ["test", "suite", "review"];
}

/// One thing that has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// How it is proved.
    pub how: RuleHow,
    /// The runner, where several could prove the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// The exact name, in the runner's own notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Whether it counts, or is only shown.
    pub must_pass: bool,
}

/// What one gate has to show for one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// The gate.
    pub gate: GateName,
    /// Its rules, 1 to 32.
    pub rules: Vec<Rule>,
    /// How many rules it ever had, so that no id is given twice.
    #[serde(default)]
    pub rules_ever: u32,
}

/// A requirement as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The project.
    pub project: ProjectId,
    /// Its id there.
    pub id: RequirementNumber,
    /// One line.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// How bad.
    pub severity: Severity,
    /// Seen where first.
    pub source: Source,
    /// A link to where it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// What kind of glitch.
    pub kind: Kind,
    /// What it is about.
    pub scope: Scope,
    /// 1 to 16, each gate once.
    pub obligations: Vec<Obligation>,
    /// Other requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<RequirementNumber>,
    /// The board's issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// Who captured it.
    pub created_by: Actor,
    /// When.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub revision: u64,
}

impl Requirement {
    /// The obligation of a gate.
    pub fn obligation(&self, gate: &GateName) -> Option<&Obligation> {
        self.obligations.iter().find(|obligation| &obligation.gate == gate)
    }
}

/// A title without case, punctuation and runs of space: what "the same title" means (P11).
pub fn normalised_title(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        // P1
        for (number, text) in [(1, "REQ-0001"), (9999, "REQ-9999"), (10000, "REQ-10000")] {
            let id = RequirementNumber::new(number).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
        for bad in
            ["", "REQ-", "REQ-1", "REQ-0000", "REQ-00001", "req-0001", "REQ-+001", "REQ-99999999999", "REQ-０００１"]
        {
            assert!(bad.parse::<RequirementNumber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn words_on_the_wire_are_those_of_serde() {
        for (at, word) in Severity::WORDS.iter().enumerate() {
            let read: Severity = serde_json::from_value((*word).into()).unwrap();
            assert_eq!((read as usize, read.as_str()), (at, *word));
        }
        for (at, word) in Source::WORDS.iter().enumerate() {
            let read: Source = serde_json::from_value((*word).into()).unwrap();
            assert_eq!((read as usize, read.as_str()), (at, *word));
        }
        assert!(Severity::Critical > Severity::Low);
    }

    #[test]
    fn titles_are_the_same_without_case_and_punctuation() {
        // P11
        assert_eq!(normalised_title("  Login: FAILS!"), normalised_title("login fails"));
        assert_ne!(normalised_title("login fails"), normalised_title("log in fails"));
    }
}

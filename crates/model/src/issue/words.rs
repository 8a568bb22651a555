//! The closed lists of words that describe an issue.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A word that is not in its list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {0}")]
pub struct WordUnknown(String);

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal;)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$word_doc])* $variant,)+ }

        impl $name {
            /// Every word of the list, in its order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in columns and JSON.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $word,)+ } }

            /// The word with this name.
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == name)
            }
        }

        impl FromStr for $name {
            type Err = WordUnknown;
            fn from_str(text: &str) -> Result<Self, WordUnknown> {
                Self::by_name(text).ok_or_else(|| WordUnknown([$($word,)+].join(", ")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
    )+};
}

words! {
    /// What sort of work an issue is.
    IssueKind {
        /// A product requirement that is to be planned.
        Epic = "epic";
        /// Something new.
        Feature = "feature";
        /// Something that is wrong.
        Bug = "bug";
        /// The same behaviour from better code.
        Refactor = "refactor";
        /// How something is to be.
        Design = "design";
        /// A question to find an answer to.
        Research = "research";
        /// What has to be done besides.
        Chore = "chore";
    }
    /// Where an issue stands: the columns of the board, in their order.
    IssueStatus {
        /// Filed; nobody has said that it is to be done.
        Triage = "triage";
        /// To be done.
        Ready = "ready";
        /// Being worked on.
        InProgress = "in_progress";
        /// Waiting for a person.
        Waiting = "waiting";
        /// Done.
        Done = "done";
        /// Not to be done.
        Closed = "closed";
    }
    /// How much an issue matters, the least first.
    Priority {
        /// When there is nothing else.
        Low = "low";
        /// As most.
        Medium = "medium";
        /// Before most.
        High = "high";
        /// Before all.
        Urgent = "urgent";
    }
    /// Who brought an issue to the board.
    IssueSource {
        /// A person.
        Person = "person";
        /// A program, or a run, through its token.
        Token = "token";
        /// A plan's candidate.
        Candidate = "candidate";
        /// What a dispatch run left to do.
        Followup = "followup";
        /// An issue of a forge.
        Forge = "forge";
        /// A file.
        Import = "import";
    }
    /// How an issue came from something else.
    LineageKind {
        /// A candidate became it.
        Applied = "applied";
        /// A candidate was linked to it.
        Merged = "merged";
        /// It was filed from a run's result.
        Followup = "followup";
        /// A person named what it came from.
        Manual = "manual";
        /// It was read from a file.
        Imported = "imported";
    }
}

impl IssueStatus {
    /// Whether there is still something to do (neither done nor closed).
    pub const fn is_open(self) -> bool {
        match self {
            Self::Triage | Self::Ready | Self::InProgress | Self::Waiting => true,
            Self::Done | Self::Closed => false,
        }
    }
}

impl IssueSource {
    /// Where an issue comes from that this actor files.
    pub const fn of(actor: &crate::actor::Actor) -> Self {
        use crate::actor::Actor;
        match actor {
            Actor::Person { .. } => Self::Person,
            Actor::Token { .. } | Actor::Worker { .. } | Actor::Run { .. } | Actor::System => Self::Token,
        }
    }
}

/// Who does an issue: a person, or a role that is given to a worker. Written `manual` or `role:ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Execution {
    /// A person does it, or says so later.
    #[default]
    Manual,
    /// A role of the catalogue. It need not exist yet; starting a run says whether it does.
    Role(String),
}

/// A text that says nobody who could do an issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be manual, or role: and 1 to 64 of a-z, 0-9 and -, starting with a letter")]
pub struct ExecutionInvalid;

impl FromStr for Execution {
    type Err = ExecutionInvalid;
    fn from_str(text: &str) -> Result<Self, ExecutionInvalid> {
        if text == "manual" {
            return Ok(Self::Manual);
        }
        let role = text.strip_prefix("role:").ok_or(ExecutionInvalid)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts = role.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if starts && role.len() <= 64 && role.bytes().all(allowed) {
            Ok(Self::Role(role.to_owned()))
        } else {
            Err(ExecutionInvalid)
        }
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("manual"),
            Self::Role(role) => write!(f, "role:{role}"),
        }
    }
}

impl Serialize for Execution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Execution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl utoipa::PartialSchema for Execution {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("`manual`, or `role:` and the id of a role"))
            .into()
    }
}

impl utoipa::ToSchema for Execution {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_is_what_json_says() {
        for status in IssueStatus::ALL {
            assert_eq!(status.name().parse(), Ok(*status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for kind in IssueKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for priority in Priority::ALL {
            assert_eq!(serde_json::to_value(priority).unwrap(), priority.name());
        }
        assert!("Bug".parse::<IssueKind>().unwrap_err().to_string().contains("epic, feature"));
        assert!(Priority::Urgent > Priority::High && Priority::High > Priority::Medium);
    }

    #[test]
    fn an_execution_is_manual_or_a_role() {
        for text in ["manual", "role:reviewer", "role:a", "role:test-writer2"] {
            assert_eq!(text.parse::<Execution>().unwrap().to_string(), text);
        }
        let long = format!("role:{}", "a".repeat(65));
        for wrong in ["", "Manual", "role:", "role:1a", "role:-a", "role:A", "role:a b", "reviewer", &long] {
            assert_eq!(wrong.parse::<Execution>(), Err(ExecutionInvalid), "{wrong}");
        }
    }
}

//! Typed ids: UUIDv7 values that cannot be mixed up with one another.
//!
//! The crate makes none itself; the engine draws them from its clock and random source.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct IdInvalid {
    /// The kind of id that was expected, in words.
    pub kind: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID; the engine gives it version 7 so that ids sort by creation.
            pub const fn from_uuid(id: Uuid) -> Self { Self(id) }
            /// The bare UUID, for columns.
            pub const fn uuid(self) -> Uuid { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }

        impl FromStr for $name {
            type Err = IdInvalid;
            fn from_str(text: &str) -> Result<Self, IdInvalid> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdInvalid { kind: $kind })
            }
        }
    )*};
}

ids! {
    /// A registered repository.
    ProjectId = "project";
    /// A durable state machine; see [`crate::run`].
    RunId = "run";
    /// A piece of a run's work; see [`crate::task`].
    TaskId = "task";
    /// A process that claims tasks.
    WorkerId = "worker";
    /// A person's invitation to a worker.
    PairingId = "pairing";
    /// A durable request to a person.
    QuestionId = "question";
    /// A person.
    UserId = "user";
    /// A bearer token.
    TokenId = "token";
    /// A file or text made by a run.
    ArtifactId = "artifact";
    /// What a gate showed for a requirement in one run.
    EvidenceId = "evidence";
    /// A person's dated exception.
    WaiverId = "waiver";
    /// A node on a project's board; see [`crate::issue`].
    IssueId = "issue";
    /// What a person said on an issue.
    CommentId = "comment";
    /// Where an issue came from.
    LineageId = "lineage";
    /// What was set aside in the ledger; see [`crate::ledger`].
    ReserveId = "reserve";
}

impl RunId {
    /// The short form that names branches and folders: the last 8 hex digits, which are random.
    pub fn short(self) -> String {
        let text = self.0.simple().to_string();
        text[24..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_writes_and_refuses_other_text() {
        let id = RunId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("run".parse::<RunId>(), Err(IdInvalid { kind: "run" }));
        assert_eq!(id.short(), "00000007");
    }
}

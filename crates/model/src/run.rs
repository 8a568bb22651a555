//! The life of a run: one machine for all kinds.
//!
//! ```text
//! queued -> running -> completed | failed | cancelled
//!           running <-> paused    (a person)
//!           running <-> waiting   (only an open question is left)
//! ```

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    actor::{Actor, Trigger},
    failure::Failure,
    id::{IssueId, ProjectId, RunId},
    time::Timestamp,
};

/// Where a run stands. Terminal statuses never change (K5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Stored; no task was claimed yet.
    Queued,
    /// Tasks are ready, leased or about to be made.
    Running,
    /// A question is open and no task is ready or leased.
    Waiting,
    /// A person stopped new claims.
    Paused,
    /// It did its work, whatever the verdict.
    Completed,
    /// It could not do its work.
    Failed,
    /// A person ended it.
    Cancelled,
}

/// What can happen to a run, from whichever side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// Its first task was claimed, or it needs none.
    Started,
    /// A person paused it.
    Paused,
    /// A person resumed it.
    Resumed,
    /// Only open questions are left.
    Parked,
    /// A question was answered, or new work appeared.
    Unparked,
    /// All its work has ended.
    Completed,
    /// It cannot do its work.
    Failed,
    /// A person cancelled it and nothing is leased any more.
    Cancelled,
}

/// An event that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible while {state}")]
pub struct Refused {
    /// The state it stayed in.
    pub state: &'static str,
    /// What was asked for.
    pub event: &'static str,
}

impl RunEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Started,
        Self::Paused,
        Self::Resumed,
        Self::Parked,
        Self::Unparked,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The event in words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "start",
            Self::Paused => "pause",
            Self::Resumed => "resume",
            Self::Parked => "park",
            Self::Unparked => "unpark",
            Self::Completed => "complete",
            Self::Failed => "fail",
            Self::Cancelled => "cancel",
        }
    }
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Paused, Self::Completed, Self::Failed, Self::Cancelled];

    /// The next status, or why the event is refused. Terminal statuses refuse everything (K5).
    /// A pause of a queued run is `Started` then `Paused` in one transaction (X11).
    pub const fn on(self, event: RunEvent) -> Result<Self, Refused> {
        use RunEvent as E;
        use RunStatus as S;
        match (self, event) {
            (S::Queued, E::Started) | (S::Paused, E::Resumed) | (S::Waiting, E::Unparked) => Ok(S::Running),
            (S::Running, E::Paused) => Ok(S::Paused),
            (S::Running, E::Parked) => Ok(S::Waiting),
            (S::Running, E::Completed) => Ok(S::Completed),
            (S::Queued | S::Running | S::Waiting | S::Paused, E::Failed) => Ok(S::Failed),
            (S::Queued | S::Running | S::Waiting | S::Paused, E::Cancelled) => Ok(S::Cancelled),
            (S::Queued, E::Paused | E::Resumed | E::Parked | E::Unparked | E::Completed)
            | (S::Running, E::Started | E::Resumed | E::Unparked)
            | (S::Waiting, E::Started | E::Paused | E::Resumed | E::Parked | E::Completed)
            | (S::Paused, E::Started | E::Paused | E::Parked | E::Unparked | E::Completed)
            | (
                S::Completed | S::Failed | S::Cancelled,
                E::Started | E::Paused | E::Resumed | E::Parked | E::Unparked | E::Completed | E::Failed | E::Cancelled,
            ) => Err(Refused { state: self.name(), event: event.name() }),
        }
    }

    /// Whether it can never change again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The answer of a run: the words of all kinds that have one. A run of any kind keeps its word as a text; here they
/// stand together for the API's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// Proof: everything was looked at and held.
    Passed,
    /// Proof: nobody knows.
    Unproven,
    /// Proof: something did not hold.
    Failed,
    /// Dispatch: something changed, nothing was refused.
    Applied,
    /// Dispatch: something changed, something was refused.
    Partial,
    /// Dispatch: nothing could be written.
    Unapplied,
    /// Dispatch: nothing had to change.
    NoChanges,
}

/// A run kind's name, such as `proof`. The engine's registry decides which exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct RunKind(Cow<'static, str>);

impl RunKind {
    /// Requirements x gates -> evidence.
    pub const PROOF: Self = Self::named("proof");
    /// An issue and a role -> a branch with files.
    pub const DISPATCH: Self = Self::named("dispatch");

    /// A kind that code declares.
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A kind that came from outside; it may not exist.
    pub fn from_text(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much of a run's work has ended. Counted from task rows, never by hand (X54).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Tasks that count.
    pub total: u32,
    /// Those that ended, whatever the outcome.
    pub done: u32,
    /// Those of them whose outcome was bad.
    pub failed: u32,
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Which job it does.
    pub kind: RunKind,
    /// Where it stands.
    pub status: RunStatus,
    /// The kind's own part of the way, such as `gates`.
    pub phase: String,
    /// The kind's own answer; null until terminal.
    pub verdict: Option<String>,
    /// Why it failed, when it failed.
    pub failure: Option<Failure>,
    /// Counted work.
    pub progress: Progress,
    /// What was asked for, in the kind's own shape.
    pub config: serde_json::Value,
    /// The kind's own state that is shown with the run (for proof: tree, counts, message).
    pub detail: serde_json::Value,
    /// Who started it.
    pub created_by: Actor,
    /// What started it.
    pub trigger: Trigger,
    /// While it is active, no second run with the same key may exist (X7).
    pub exclusive_key: Option<String>,
    /// The ended run this one tries again (X12).
    pub retry_of: Option<RunId>,
    /// The run that started this one.
    pub parent: Option<RunId>,
    /// The issue that it is about.
    pub issue: Option<IssueId>,
    /// A cancel was asked for and leased tasks are draining (X13).
    pub cancelling: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub finished_at: Option<Timestamp>,
    /// Rises with every change (P73).
    pub revision: u64,
}

impl Run {
    /// The issue that this run works on: it holds the issue's [work key](crate::issue::work_key). A proof of an
    /// issue is about it and does not work on it.
    pub fn works_on(&self) -> Option<IssueId> {
        self.issue.filter(|issue| self.exclusive_key.as_ref() == Some(&crate::issue::work_key(*issue)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // X11: among others, a waiting run is not paused.
    /// Every pair, written down: the row is the status, the column the event in `RunEvent::ALL`.
    #[test]
    fn the_table_of_every_pair() {
        let table = [
            ("queued", ["running", "-", "-", "-", "-", "-", "failed", "cancelled"]),
            ("running", ["-", "paused", "-", "waiting", "-", "completed", "failed", "cancelled"]),
            ("waiting", ["-", "-", "-", "-", "running", "-", "failed", "cancelled"]),
            ("paused", ["-", "-", "running", "-", "-", "-", "failed", "cancelled"]),
            ("completed", ["-"; 8]),
            ("failed", ["-"; 8]),
            ("cancelled", ["-"; 8]),
        ];
        for (from, row) in table {
            for (event, to) in RunEvent::ALL.into_iter().zip(row) {
                let next = RunStatus::by_name(from).unwrap().on(event);
                assert_eq!(next.map_or("-", RunStatus::name), to, "{from} on {event:?}");
            }
        }
    }

    proptest! {
        // K5, F18: whatever races, a terminal status is reached once and kept.
        #[test]
        fn no_sequence_of_events_leaves_a_terminal_status(events in prop::collection::vec(0usize..8, 0..60)) {
            let mut status = RunStatus::Queued;
            let mut ends = 0;
            for event in events {
                let before = status;
                if let Ok(next) = status.on(RunEvent::ALL[event]) {
                    prop_assert!(!before.is_terminal());
                    ends += u32::from(next.is_terminal());
                    status = next;
                }
            }
            prop_assert!(ends <= 1);
        }
    }

    // The document of the API names each word that a kind may end with.
    #[test]
    fn every_kinds_verdict_is_a_verdict_of_runs() {
        use crate::{dispatch::Verdict as Dispatch, proof::verdict::Verdict as Proof};
        let word = |verdict: RunVerdict| serde_json::to_value(verdict).unwrap();
        for (kind, run) in [
            (Proof::Passed, RunVerdict::Passed),
            (Proof::Unproven, RunVerdict::Unproven),
            (Proof::Failed, RunVerdict::Failed),
        ] {
            assert_eq!(word(run), kind.as_str());
        }
        for (kind, run) in [
            (Dispatch::Applied, RunVerdict::Applied),
            (Dispatch::Partial, RunVerdict::Partial),
            (Dispatch::Unapplied, RunVerdict::Unapplied),
            (Dispatch::NoChanges, RunVerdict::NoChanges),
        ] {
            assert_eq!(word(run), kind.name());
        }
    }
}

//! A task: a piece of a run's work that one worker holds at a time, behind a fence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{ProjectId, RunId, TaskId, WorkerId},
    ledger::Ask,
    run::Refused,
    time::Timestamp,
};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for other tasks or for a person.
    Blocked,
    /// May be claimed.
    Ready,
    /// A worker holds it.
    Leased,
    /// An outcome was recorded.
    Done,
    /// It used up its attempts, or its handler could not do it.
    Failed,
    /// Its run was cancelled.
    Cancelled,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// What it waited for is there.
    Unblocked,
    /// A worker took it.
    Claimed,
    /// Its holder, or its last holder before anyone else claimed (D56), recorded an outcome; or the
    /// planner judged a task that is never leased.
    Finished,
    /// As `Finished`, with a failure; or its attempts are used up.
    Failed,
    /// Its lease ran out, or its holder gave it back, with attempts left.
    Requeued,
    /// Its holder gave it back until people have answered what it asked (S58).
    Parked,
    /// Its run was cancelled.
    Cancelled,
}

impl TaskEvent {
    /// Every event.
    pub const ALL: [Self; 7] =
        [Self::Unblocked, Self::Claimed, Self::Finished, Self::Failed, Self::Requeued, Self::Parked, Self::Cancelled];

    const fn name(self) -> &'static str {
        match self {
            Self::Unblocked => "unblock",
            Self::Claimed => "claim",
            Self::Finished => "finish",
            Self::Failed => "fail",
            Self::Requeued => "requeue",
            Self::Parked => "park",
            Self::Cancelled => "cancel",
        }
    }
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Blocked, Self::Ready, Self::Leased, Self::Done, Self::Failed, Self::Cancelled];

    /// The next state, or why the event is refused. Terminal states refuse everything.
    pub const fn on(self, event: TaskEvent) -> Result<Self, Refused> {
        use TaskEvent as E;
        use TaskState as S;
        match (self, event) {
            (S::Blocked, E::Unblocked) | (S::Leased, E::Requeued) => Ok(S::Ready),
            (S::Ready, E::Claimed) => Ok(S::Leased),
            // Given back late, it may be ready already.
            (S::Ready | S::Leased, E::Parked) => Ok(S::Blocked),
            (S::Blocked | S::Ready | S::Leased, E::Finished) => Ok(S::Done),
            (S::Blocked | S::Ready | S::Leased, E::Failed) => Ok(S::Failed),
            (S::Blocked | S::Ready | S::Leased, E::Cancelled) => Ok(S::Cancelled),
            (S::Blocked, E::Claimed | E::Requeued | E::Parked)
            | (S::Ready, E::Unblocked | E::Requeued)
            | (S::Leased, E::Unblocked | E::Claimed)
            | (
                S::Done | S::Failed | S::Cancelled,
                E::Unblocked | E::Claimed | E::Finished | E::Failed | E::Requeued | E::Parked | E::Cancelled,
            ) => Err(Refused { state: self.name(), event: event.name() }),
        }
    }

    /// Whether it can never change again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a worker shows with every write: the task and the generation of its claim (K2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fence {
    /// The task.
    pub task: TaskId,
    /// The number of the claim, not of the attempt.
    pub generation: u32,
}

impl Fence {
    /// Whether a write behind this fence is accepted: its generation is the newest, the task is not
    /// over, and nobody has claimed since (X16). A task whose lease ran out is `Ready` and still
    /// takes the word of its last holder.
    pub const fn admits(self, state: TaskState, newest: u32) -> bool {
        self.generation == newest && self.generation > 0 && matches!(state, TaskState::Leased | TaskState::Ready)
    }
}

/// Who holds a task, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lease {
    /// The holder.
    pub worker: WorkerId,
    /// The fence.
    pub generation: u32,
    /// When it runs out unless renewed.
    pub expires_at: Timestamp,
}

/// A task as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The run it is part of.
    pub run: RunId,
    /// The project of that run.
    pub project: ProjectId,
    /// What it does, in its run kind's words, such as `command`.
    pub kind: String,
    /// What it is about, unique per run and kind, such as `REQ-0001/unit`; also its order in lists.
    pub subject: String,
    /// Where workers look for it.
    pub queue: String,
    /// What a worker must offer.
    pub labels: Vec<String>,
    /// Higher is claimed first.
    pub priority: i32,
    /// Where it stands.
    pub state: TaskState,
    /// The kind's own finer state, such as `waiting` or a verdict.
    pub detail: Option<String>,
    /// Claims so far, less the exempt ones.
    pub attempt: u32,
    /// Claims allowed.
    pub max_attempts: u32,
    /// The newest claim's number; 0 before the first.
    pub generation: u32,
    /// Not claimable before this.
    pub not_before: Option<Timestamp>,
    /// Who holds it.
    pub lease: Option<Lease>,
    /// What to do.
    pub input: serde_json::Value,
    /// What came of it.
    pub output: Option<serde_json::Value>,
    /// Whether it counts in the run's progress.
    pub counted: bool,
    /// What has to be reserved in the ledger before it is handed out; nothing for what spends nothing (D34).
    pub reserve: Option<Ask>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it became terminal.
    pub finished_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_table_of_every_pair() {
        let table = [
            ("blocked", ["ready", "-", "done", "failed", "-", "-", "cancelled"]),
            ("ready", ["-", "leased", "done", "failed", "-", "blocked", "cancelled"]),
            ("leased", ["-", "-", "done", "failed", "ready", "blocked", "cancelled"]),
            ("done", ["-"; 7]),
            ("failed", ["-"; 7]),
            ("cancelled", ["-"; 7]),
        ];
        for (from, row) in table {
            for (event, to) in TaskEvent::ALL.into_iter().zip(row) {
                let next = TaskState::by_name(from).unwrap().on(event);
                assert_eq!(next.map_or("-", TaskState::name), to, "{from} on {event:?}");
            }
        }
    }

    // X16, K2
    #[test]
    fn only_the_newest_claim_writes_and_only_while_nobody_claimed_since() {
        let task = TaskId::from_uuid(Uuid::from_u128(1));
        let fence = Fence { task, generation: 2 };
        assert!(fence.admits(TaskState::Leased, 2));
        assert!(fence.admits(TaskState::Ready, 2), "late, but nobody claimed since");
        assert!(!fence.admits(TaskState::Leased, 3), "somebody claimed since");
        assert!(!fence.admits(TaskState::Done, 2) && !fence.admits(TaskState::Cancelled, 2));
        assert!(!Fence { task, generation: 0 }.admits(TaskState::Ready, 0), "never claimed");
    }

    proptest! {
        // F18, K5: cancel, finish and lease expiry in any order end a task once.
        #[test]
        fn a_task_ends_once(events in prop::collection::vec(0usize..6, 0..60)) {
            let mut state = TaskState::Blocked;
            let mut ends = 0;
            for event in events {
                if let Ok(next) = state.on(TaskEvent::ALL[event]) {
                    prop_assert!(!state.is_terminal());
                    ends += u32::from(next.is_terminal());
                    state = next;
                }
            }
            prop_assert!(ends <= 1);
        }
    }
}

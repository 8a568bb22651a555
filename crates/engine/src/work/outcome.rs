//! What came of a task, in the words of who did it.

use model::{failure::Failure, ledger::Spent, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The work was done; what it means is the planner's business.
    Done {
        /// The kind's own result.
        output: Value,
        /// What it cost, where it may have cost anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Spent>,
    },
    /// The work could not be done.
    Failed {
        /// Why.
        failure: Failure,
        /// What it cost all the same (L85).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Spent>,
    },
    /// The holder gives the task back untouched; this costs no attempt.
    Released {
        /// Why, for the journal.
        reason: String,
        /// Not to be claimed before.
        not_before: Option<Timestamp>,
        /// What it cost until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Spent>,
    },
}

impl Outcome {
    /// The work was done.
    pub const fn done(output: Value) -> Self {
        Self::Done { output, spent: None }
    }

    /// The work could not be done.
    pub const fn failed(failure: Failure) -> Self {
        Self::Failed { failure, spent: None }
    }

    /// The task is given back.
    pub fn released(reason: impl Into<String>) -> Self {
        Self::Released { reason: reason.into(), not_before: None, spent: None }
    }

    /// The same, with what it cost.
    #[must_use]
    pub fn spending(mut self, cost: Option<Spent>) -> Self {
        let (Self::Done { spent, .. } | Self::Failed { spent, .. } | Self::Released { spent, .. }) = &mut self;
        *spent = cost;
        self
    }

    /// What it cost, by the word of who did the work; `None` where it cost nothing or nobody said.
    pub const fn spent(&self) -> Option<Spent> {
        let (Self::Done { spent, .. } | Self::Failed { spent, .. } | Self::Released { spent, .. }) = self;
        *spent
    }

    /// What the store records of it; nothing of a task that is given back.
    pub(super) fn recorded(&self) -> Option<store::Outcome> {
        match self {
            Self::Done { output, .. } => {
                Some(store::Outcome { done: true, output: output.clone(), detail: None, bad: false })
            }
            Self::Failed { failure, .. } => {
                let output = serde_json::to_value(failure).unwrap_or_default();
                Some(store::Outcome { done: false, output, detail: None, bad: true })
            }
            Self::Released { .. } => None,
        }
    }
}

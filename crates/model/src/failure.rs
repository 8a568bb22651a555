//! Why a run failed: one closed list for all kinds (X22).

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

macro_rules! failures {
    ($($name:ident = $slug:literal, $hint:literal;)*) => {
        /// The cause of a failed run or task.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureCode { $(#[doc = $hint] $name,)* }

        impl FailureCode {
            /// Every cause.
            pub const ALL: &[FailureCode] = &[$(FailureCode::$name,)*];
            /// Its name in JSON and columns.
            pub const fn slug(self) -> &'static str { match self { $(FailureCode::$name => $slug,)* } }
            /// What to do about it.
            pub const fn hint(self) -> &'static str { match self { $(FailureCode::$name => $hint,)* } }
        }
    };
}

failures! {
    RepoUnavailable = "repo_unavailable", "the repository is not where it was: put it back, or tell the plane its new place with `proofhouse project move`";
    CheckoutMissing = "checkout_missing", "the checkout is gone or unreadable: put it back, or tell the plane its new place with `proofhouse project move`";
    RefNotFound = "ref_not_found", "fetch the branch, or name one of `git branch --all`";
    ConfigInvalid = "config_invalid", "mend the named line of proofhouse.toml and start again";
    PolicyDenied = "policy_denied", "an admin can widen the project's policy";
    BudgetExhausted = "budget_exhausted", "raise the cap or wait for the next UTC day";
    NoWorker = "no_worker", "start a worker with the labels that are named, or leave the embedded one on";
    WorkerLost = "worker_lost", "the work killed or outlived its worker each time: look at its output and limits";
    DiskFull = "disk_full", "free space on the disk of the data folder and retry";
    Deadline = "deadline", "the whole run took longer than its limit: split it, or raise the limit";
    Internal = "internal", "a bug in Proofhouse: please report it with the correlation id";
}

/// Why and how a run failed, in words a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// The cause.
    pub code: FailureCode,
    /// What happened, for this run.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

impl Failure {
    /// A failure with the cause's own hint.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: code.hint().to_owned(), retry_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // X22
    #[test]
    fn each_failure_is_written_as_its_slug_and_has_a_hint() {
        for code in FailureCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.slug());
            assert!(!code.hint().is_empty());
        }
    }
}

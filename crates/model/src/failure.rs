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
    RepoUnavailable = "repo_unavailable", "put the repository back, or tell the plane its new place with `proofhouse project move`; on a worker, name a clone with `proofhouse worker map`";
    CheckoutMissing = "checkout_missing", "the checkout is gone or unreadable: put it back, or tell the plane its new place with `proofhouse project move`";
    RefNotFound = "ref_not_found", "fetch the branch, or name one of `git branch --all`";
    ConfigInvalid = "config_invalid", "mend the named line of proofhouse.toml and start again";
    PolicyDenied = "policy_denied", "an admin can widen the project's policy";
    BudgetExhausted = "budget_exhausted", "raise the cap or wait for the next UTC day";
    LedgerDamaged = "ledger_damaged", "the ledger does not add up, so nothing that costs money starts: `proofhouse ledger verify` names what is wrong";
    NoWorker = "no_worker", "start a worker with the labels that are named, or leave the embedded one on";
    WorkerLost = "worker_lost", "the work killed or outlived its worker each time: look at its output and limits";
    DiskFull = "disk_full", "free space on the disk of the data folder and retry";
    WorktreeLost = "worktree_lost", "somebody removed the folder that the agent worked in: retry";
    Deadline = "deadline", "the whole run took longer than its limit: split it, or raise the limit";
    InvalidResult = "invalid_result", "the answer did not have the form that the role asks for: look at the raw output and at the role's prompt";
    ApplyFailed = "apply_failed", "mend what the message names, then retry with the stored result";
    ContextFailed = "context_failed", "look at what could not be read, then retry";
    BranchNotFound = "branch_not_found", "name a branch that exists, or leave the base out";
    ProviderUnavailable = "provider_unavailable", "the model's provider failed several times in a row: `proofhouse provider check`, then retry";
    ProviderAuth = "provider_auth", "set the provider's key, or mend it: `proofhouse provider check` says what is missing";
    ProviderBilling = "provider_billing", "the provider's account cannot pay: settle that with the provider, then retry";
    ProviderBadRequest = "provider_bad_request", "the provider did not understand the request: look at its words, and at the kind that is declared for it";
    ProviderNotFound = "provider_not_found", "choose a model that the provider has; `proofhouse provider check` asks it for its list";
    ProviderContentFiltered = "provider_content_filtered", "the provider refuses to answer this: reword the issue, or choose another model";
    ProviderUnsupported = "provider_unsupported", "the model cannot do what is asked of it: choose one that uses tools";
    ProviderEmptyReply = "provider_empty_reply", "the model answered nothing at all: retry, or choose another model";
    AgentNotFound = "agent_not_found", "install the agent or mend its path on the worker; `proofhouse agent check` shows what is there";
    AgentSessionExpired = "agent_session_expired", "sign in to the agent on its worker, then retry";
    RateLimited = "rate_limited", "it goes on by itself when the provider allows it again";
    ContextOverflow = "context_overflow", "make the issue smaller, or choose a model with a larger window";
    ModelUnavailable = "model_unavailable", "choose a model that the worker advertises";
    AgentProtocolError = "agent_protocol_error", "look at the agent's version and its captured output; `proofhouse agent check` names the tested versions";
    AgentFailed = "agent_failed", "look at the end of the agent's output";
    AgentTimeout = "agent_timeout", "raise the timeout or split the issue";
    OutputTooLarge = "output_too_large", "raise the cap on output, or quieten the agent";
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

//! The one list of error codes a person can meet. Numbers, HTTP statuses, hints and the pages
//! under `docs/errors/` all come from here (a test keeps the pages in step).
//!
//! Ranges: 10xx kernel, 11xx proof, 20xx plan, dispatch and workers, 30xx solve and agents,
//! 40xx deliver, 50xx eval. A kind's range holds only what it alone can say (X21).

use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal, $status:literal, $slug:literal, $title:literal, $hint:literal;)*) => {
        /// What went wrong, in one closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, by rising number.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The number behind `PH-`.
            pub const fn number(self) -> u16 { match self { $(Code::$name => $number,)* } }
            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 { match self { $(Code::$name => $status,)* } }
            /// Its name in JSON, for programs.
            pub const fn slug(self) -> &'static str { match self { $(Code::$name => $slug,)* } }
            /// What it means, in a few words.
            pub const fn title(self) -> &'static str { match self { $(Code::$name => $title,)* } }
            /// What to do about it.
            pub const fn hint(self) -> &'static str { match self { $(Code::$name => $hint,)* } }

            /// The code with this slug.
            pub fn by_slug(slug: &str) -> Option<Code> {
                match slug { $($slug => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    NotJson = 1001, 400, "not_json", "the body is not JSON", "send a JSON document in UTF-8 with content-type application/json";
    Invalid = 1002, 422, "invalid", "a value is not allowed", "see `errors` for each field and what it may be";
    NotFound = 1003, 404, "not_found", "there is no such thing here", "check the id and the project; things of projects you may not see look the same";
    NoSession = 1004, 401, "no_session", "nobody is signed in", "open the sign-in link that `proofhouse token link` prints, or send `Authorization: Bearer TOKEN`";
    NotEntitled = 1005, 403, "not_entitled", "you may not do this", "ask an admin of the project, or use a token with the scope that is named";
    RevisionOld = 1006, 412, "revision_old", "it changed since you read it", "read it again, look at what changed, and repeat with the new revision";
    KeyReused = 1007, 422, "key_reused", "this idempotency key was used for another request", "use a new Idempotency-Key for a new request";
    RunActive = 1008, 409, "run_active", "a run on the same subject is active", "watch or cancel the run in `active_run`, or start with join";
    WrongState = 1009, 409, "wrong_state", "its state does not allow this", "read its status first; ended runs never change, retry makes a new one";
    PolicyDenied = 1010, 403, "policy_denied", "the project's policy does not allow this", "an admin can widen the policy: `proofhouse project policy` shows it, `proofhouse init` offers a starter";
    BudgetExhausted = 1011, 409, "budget_exhausted", "the budget does not allow this", "raise the cap or wait for the next UTC day";
    QuestionClosed = 1012, 409, "question_closed", "the question is no longer open", "read the question; `because` and the first answer say what happened to it";
    Gone = 1013, 410, "gone", "it existed and its retention has ended", "raise keep_runs or keep_days to keep more";
    StoreUnavailable = 1014, 503, "store_unavailable", "the store cannot be reached or read", "look at the server's log and run `proofhouse doctor`; nothing unconfirmed was stored";
    TooLarge = 1015, 413, "too_large", "it is larger than the limit", "the limit is in the message; send less, or in parts";
    TooMany = 1016, 429, "too_many", "too many at once", "wait for the time in Retry-After, or close what you no longer read";
    LeaseLost = 1017, 409, "lease_lost", "the task is no longer leased to this worker", "stop working on it and drop what you have of it";
    DiskFull = 1018, 507, "disk_full", "there is no space left for the store", "free space on the data folder's disk; nothing was lost and writing goes on by itself";
    Internal = 1019, 500, "internal", "a bug in Proofhouse", "please report it with the correlation id; the server's log has the details";
    HostRefused = 1020, 421, "host_refused", "the request names a host this server does not serve", "open the address that the server printed, or list the host with --allow-host";
    OriginRefused = 1021, 403, "origin_refused", "the request comes from another site", "only pages served by this server may call it with a session";
    RouteUnknown = 1022, 404, "route_unknown", "there is no such address", "see /api/docs for the addresses there are";
    MethodRefused = 1023, 405, "method_refused", "this address does not take this method", "see /api/docs for what it takes";
    DataFolderInUse = 1030, 409, "data_folder_in_use", "another process holds the data folder", "use the running server (its address is in the message), or stop it first";
    DataFolderUnusable = 1031, 500, "data_folder_unusable", "the data folder cannot be used", "check that it exists, is a folder, is writable, and has space";
    DatabaseNewer = 1032, 500, "database_newer", "the database was written by a newer Proofhouse", "run the newer version again, or restore a backup made before the upgrade";
    DatabaseDamaged = 1033, 500, "database_damaged", "the database is damaged", "restore the last backup (`proofhouse backup` makes one); `proofhouse verify` names what is wrong";
    PortInUse = 1034, 500, "port_in_use", "another program listens on this address", "choose another with --listen, or stop the other program";
    Unreachable = 1035, 503, "unreachable", "the plane cannot be reached", "is the server running? `proofhouse serve` starts it; `proofhouse doctor` looks for the cause";
    GitMissing = 1036, 500, "git_missing", "git is not installed or does not start", "install git 2.30 or later and make sure that it is on PATH";
    Usage = 1037, 422, "usage", "the command line was not understood", "see --help";
    BackupUnusable = 1038, 422, "backup_unusable", "the backup cannot be made or read", "choose an empty or new target, with space, on a local disk";
    TimedOut = 1039, 503, "timed_out", "it took longer than the limit", "try again; if it stays slow, look at /metrics";
    NotARepository = 1040, 422, "not_a_repository", "the folder is not a git repository", "run `git init`, or name a folder inside a repository";
    BareRepository = 1041, 422, "bare_repository", "the repository is bare, so there are no files to prove", "clone it and register the clone";
    NoCommits = 1042, 422, "no_commits", "the repository has no commits yet", "commit something first: evidence names the commit it stands on";
    FolderUnreadable = 1043, 422, "folder_unreadable", "the folder cannot be read", "check its permissions for the user that runs the server";
    FolderMissing = 1044, 422, "folder_missing", "the folder does not exist", "check the path; `proofhouse project move` tells the plane where a repository went";
    GitFailed = 1045, 500, "git_failed", "git said no", "run the git command of the message by hand to see more";
    UnknownGate = 1107, 422, "unknown_gate", "there is no such gate", "`proofhouse proof gates` lists them; declare your own in proofhouse.toml";
    ExpiryInvalid = 1108, 422, "expiry_invalid", "the end is not a calendar day", "write it as YYYY-MM-DD, the last valid UTC day";
    ExpiryPast = 1109, 422, "expiry_past", "the end lies in the past", "choose today (UTC) or a later day";
    ReasonRequired = 1110, 422, "reason_required", "a reason is required", "say why, in 1 to 2,000 characters";
    PersonRequired = 1111, 403, "person_required", "only a person may do this", "sign in yourself; tokens of runs and agents may not";
    ConfigInvalid = 1113, 422, "config_invalid", "proofhouse.toml is not valid", "mend the line that is named; `proofhouse doctor` checks it";
    RefNotFound = 1114, 422, "ref_not_found", "the repository has no such ref", "fetch the branch, or name one of `git branch --all`";
    CheckoutMissing = 1115, 409, "checkout_missing", "the project's checkout is not there", "was it moved or deleted? `proofhouse project move` tells the plane its new place";
    EvidenceTampered = 1116, 410, "evidence_tampered", "the evidence does not match its seal", "run the gates again; `proofhouse verify` names every damaged piece";
    ChecklistIncomplete = 1119, 422, "checklist_incomplete", "not every item of the checklist is ticked", "tick each item you looked at, or answer failed with a comment";
    LastObligation = 1120, 422, "last_obligation", "the last obligation cannot be removed", "waive the requirement instead, with a reason and an end";
    WaiverEnded = 1123, 409, "waiver_ended", "the waiver has already ended", "look at its history; grant a new one if it is still needed";
    FourEyes = 1124, 403, "four_eyes", "this project wants a second person", "ask somebody who neither started the run nor captured the requirement";
    NothingProven = 1125, 422, "nothing_proven", "nothing was proven", "the message names the remedy";
    IssueClosed = 2002, 409, "issue_closed", "the issue is done or closed", "reopen it first: move it to ready";
    IssueBlocked = 2003, 409, "issue_blocked", "the issue waits for others", "finish what is named in `blocked_by`, or start with force";
    WorkerNotEligible = 2004, 422, "worker_not_eligible", "this worker cannot do it", "choose another worker, or leave it out; `proofhouse worker list` shows which agents each has";
    IssueInUse = 2006, 409, "issue_in_use", "other things build on the issue", "close it instead of deleting it";
    TreeLimit = 2007, 409, "tree_limit", "the tree of issues would be too deep or too wide", "choose another parent: three levels, and 32 children each";
    IssueCycle = 2008, 409, "cycle", "an issue would stand below or wait for itself", "look at its parents and at what it waits for";
    RoleNotFound = 2020, 422, "role_not_found", "there is no such role", "`proofhouse role list` shows the roles of the project, as of the commit that the run starts from";
    RoleNotSelectable = 2021, 422, "role_not_selectable", "this role cannot be chosen for an issue", "choose another, or mend its file: `proofhouse role check` names what is wrong";
    ExecutionMalformed = 2022, 422, "execution_malformed", "who is to do an issue is not written right", "write manual, or role: and the id of a role";
    PairingRefused = 2030, 400, "pairing_refused", "the pairing code is not good", "ask for a new one: `proofhouse worker invite` or the Workers page; each works once, for 10 minutes";
    ProtocolUnsupported = 2033, 426, "protocol_unsupported", "the worker and the plane speak different protocols", "install the same version of Proofhouse on both; the message names what the plane speaks";
    DigestMismatch = 2037, 422, "digest_mismatch", "the bytes are not the ones that were declared", "send them again; if it happens twice, look at the network between worker and plane";
    WorkerNotPaired = 2040, 422, "worker_not_paired", "this worker is not paired", "`proofhouse worker invite` on the plane prints a code; `proofhouse worker pair URL CODE` uses it here";
    WorkerStateInUse = 2041, 409, "worker_state_in_use", "another process holds the worker's state folder", "stop it first, or give this one a folder of its own with --state";
    WorkerStateUnusable = 2042, 500, "worker_state_unusable", "the worker's state folder cannot be used", "check that it is a folder of this user with space left, written by this version or an older one";
    WorkerRevoked = 2043, 401, "worker_revoked", "the plane has revoked this worker", "pair it again: `proofhouse worker invite`, then `proofhouse worker pair URL CODE`";
    AgentNotFound = 2050, 422, "agent_not_found", "the agent's program is missing or cannot be executed", "install it or mend its path on the worker; `proofhouse agent check` shows what is there";
    AgentSessionExpired = 2051, 422, "agent_session_expired", "the agent is signed out", "sign in to the agent on its worker, then retry";
    RateLimited = 2052, 429, "rate_limited", "the agent's provider said wait", "it goes on by itself when the provider allows it again";
    ContextOverflow = 2053, 422, "context_overflow", "the prompt is too long for the model", "make the issue smaller, or choose a model with a larger window";
    ModelUnavailable = 2054, 422, "model_unavailable", "the model is unknown or not for this account", "choose a model that the worker advertises";
    AgentProtocolError = 2055, 502, "agent_protocol_error", "the agent could not be understood", "look at its version and its captured output; `proofhouse agent check` names the tested versions";
    AgentFailed = 2056, 502, "agent_failed", "the agent failed", "look at the end of its output";
    AgentTimeout = 2057, 504, "agent_timeout", "the agent took too long or fell silent", "raise the timeout or split the issue";
    OutputTooLarge = 2058, 502, "output_too_large", "the agent printed more than it may", "raise the cap on output, or quieten the agent";
    InvalidResult = 2059, 502, "invalid_result", "the agent's answer has not the form that its role asks for", "look at the raw output of the run and at the prompt of the role";
    RepoUnavailable = 2061, 409, "repo_unavailable", "the repository cannot be used", "put it back where it was, or tell the plane its new place with `proofhouse project move`";
    ApplyFailed = 2062, 500, "apply_failed", "the files could not be applied; nothing of them was kept", "mend what the message names, then retry with the stored result";
    ContextFailed = 2065, 500, "context_failed", "what an agent has to know could not be gathered", "look at which source the message names, then retry";
    BranchNotFound = 2066, 422, "branch_not_found", "the repository has no such branch", "name a branch, tag or commit that exists, or leave the base out";
    AgentIncapable = 3011, 422, "agent_incapable", "the agent lacks what the role needs", "choose an agent that has it (`proofhouse agent check` shows what each can do), or take `tools` out of the role";
    SandboxRequired = 3013, 422, "sandbox_required", "the policy wants a sandbox that is not there", "run on a kernel with Landlock (`proofhouse doctor` shows what this machine offers), or have an admin lift `require_sandbox` in the policy";
    BudgetMalformed = 4018, 422, "budget_malformed", "a budget is not written right", "write whole micro-USD from 0 to 10,000,000,000 ($10,000), or \"none\" for no cap; 0 lets nothing be spent";
    LedgerDamaged = 4019, 503, "ledger_damaged", "the ledger does not add up", "nothing that costs money starts any more: `proofhouse ledger verify` names what is wrong; restore the last backup";
}

impl Code {
    /// The code with this number.
    pub fn by_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PH-{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // X21: one enum, so one code for one fact.
    #[test]
    fn codes_are_unique_sorted_and_complete() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} stands before {}", pair[0], pair[1]);
        }
        for code in Code::ALL {
            assert_eq!(Code::by_slug(code.slug()), Some(*code), "{code} shares its slug");
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(
                !code.hint().is_empty()
                    && code
                        .title()
                        .chars()
                        .next()
                        .is_some_and(|c| c.is_lowercase() || code.title().starts_with("proofhouse")),
                "{code}"
            );
        }
        assert_eq!(Code::Gone.to_string(), "PH-1013");
    }
}

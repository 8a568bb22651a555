//! What the process tells its caller: every exit code, and the one function that turns the end of a
//! run into one (X30). Scripts and CI build on these numbers; they never change their meaning.

use model::code::Code;
use serde_json::Value;

/// The end of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done; a run's verdict is good.
    Ok = 0,
    /// The work said no: a gate failed, or a run failed or was cancelled.
    No = 1,
    /// The command line or a value in it is wrong.
    Usage = 2,
    /// Nothing was proven, or a person has to act first.
    Unproven = 3,
    /// The plane could not be reached or opened.
    Unreachable = 4,
    /// Refused by policy, permission, budget, state or an active run.
    Refused = 5,
    /// A bug in Proofhouse.
    Bug = 70,
}

impl Exit {
    /// Every exit code with its meaning, for help and the reference page.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Ok, "done; a run's verdict is good"),
        (Self::No, "the work said no: a gate failed, or the run failed or was cancelled"),
        (Self::Usage, "the command line, or a value in it, is wrong"),
        (Self::Unproven, "nothing was proven, or a person has to act first"),
        (Self::Unreachable, "the plane could not be reached or opened"),
        (Self::Refused, "refused by policy, permission, budget, state or an active run"),
        (Self::Bug, "a bug in Proofhouse"),
    ];

    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The exit code of a problem. The HTTP status decides what the code itself does not.
    pub const fn of_code(code: Code) -> Self {
        match code {
            Code::NothingProven | Code::EvidenceTampered => Self::Unproven,
            Code::DataFolderInUse
            | Code::DataFolderUnusable
            | Code::WorkerStateInUse
            | Code::WorkerStateUnusable
            | Code::DatabaseNewer
            | Code::DatabaseDamaged
            | Code::PortInUse
            | Code::Unreachable
            | Code::GitMissing
            | Code::GitFailed
            | Code::ApplyFailed
            | Code::ContextFailed
            | Code::DiskFull
            | Code::TooMany
            | Code::HostRefused
            | Code::StoreUnavailable
            | Code::TimedOut => Self::Unreachable,
            Code::ProtocolUnsupported => Self::Refused,
            Code::Internal => Self::Bug,
            other => Self::of_status(other.status()),
        }
    }

    /// The exit code of an HTTP status whose problem code this binary does not know.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 402 | 403 | 409 | 412 => Self::Refused,
            400..=499 => Self::Usage,
            502..=504 => Self::Unreachable,
            _ => Self::Bug,
        }
    }
}

/// The exit code of a run as it now stands (X30): its view, and whether `--allow-empty` was given.
///
/// A run that still goes on is not proven yet; whoever only detached from it says so by not calling
/// this at all.
pub fn of_run(run: &Value, allow_empty: bool) -> Exit {
    let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    let failure = run.pointer("/failure/code").and_then(Value::as_str).unwrap_or_default();
    let empty = run.pointer("/proof/empty_reason").and_then(Value::as_str);
    if matches!(failure, "policy_denied" | "budget_exhausted") {
        return Exit::Refused;
    }
    match (text("status"), text("verdict")) {
        (_, "failed") => Exit::No,
        ("completed", "passed" | "applied" | "no_changes") => Exit::Ok,
        ("completed", "partial" | "unapplied") => Exit::No,
        ("completed", _) if empty == Some("already_clear") || (allow_empty && empty.is_some()) => Exit::Ok,
        (_, "unproven" | "needs_human" | "nothing_proven") => Exit::Unproven,
        ("failed" | "cancelled", _) => Exit::No,
        // Completed without a verdict this binary knows, parked on a person, or still going on.
        _ => Exit::Unproven,
    }
}

/// The part of the help that lists the exit codes.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("  {:>2}  {meaning}\n", exit.number()));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // X30: the whole table, in one place.
    #[test]
    fn each_end_of_a_run_has_its_exit_code() {
        let table = [
            (json!({"status": "completed", "verdict": "passed"}), false, Exit::Ok),
            (json!({"status": "completed", "verdict": "failed"}), false, Exit::No),
            (json!({"status": "completed", "verdict": "unproven"}), false, Exit::Unproven),
            (json!({"status": "failed", "verdict": "failed"}), false, Exit::No),
            (json!({"status": "failed", "verdict": "unproven"}), false, Exit::Unproven),
            (json!({"status": "failed", "verdict": null}), false, Exit::No),
            (json!({"status": "cancelled", "verdict": null}), false, Exit::No),
            (json!({"status": "cancelled", "verdict": "failed"}), false, Exit::No),
            (json!({"status": "cancelled", "verdict": "unproven"}), false, Exit::Unproven),
            (json!({"status": "waiting", "verdict": null}), false, Exit::Unproven),
            (json!({"status": "completed", "verdict": "applied"}), false, Exit::Ok),
            (json!({"status": "completed", "verdict": "no_changes"}), false, Exit::Ok),
            (json!({"status": "completed", "verdict": "partial"}), false, Exit::No),
            (json!({"status": "completed", "verdict": "unapplied"}), false, Exit::No),
            (json!({"status": "completed", "verdict": "needs_human"}), false, Exit::Unproven),
            (json!({"status": "completed", "verdict": "nothing_proven"}), false, Exit::Unproven),
            (
                json!({"status": "failed", "verdict": "unproven", "failure": {"code": "policy_denied"}}),
                false,
                Exit::Refused,
            ),
            (
                json!({"status": "failed", "verdict": null, "failure": {"code": "budget_exhausted"}}),
                false,
                Exit::Refused,
            ),
            (
                json!({"status": "failed", "verdict": "unproven", "failure": {"code": "no_worker"}}),
                false,
                Exit::Unproven,
            ),
        ];
        for (run, allow_empty, exit) in table {
            assert_eq!(of_run(&run, allow_empty), exit, "{run}");
        }
    }

    // P16, P17, X30: an empty run is unproven, unless everything is clear already or it was allowed.
    #[test]
    fn an_empty_run_is_not_a_pass_unless_it_was_allowed() {
        let empty =
            |reason: &str| json!({"status": "completed", "verdict": "unproven", "proof": {"empty_reason": reason}});
        for reason in ["no_requirements", "all_waived", "outside_scope", "filtered_out", "gates_disabled", "mixed"] {
            assert_eq!(of_run(&empty(reason), false), Exit::Unproven);
            assert_eq!(of_run(&empty(reason), true), Exit::Ok);
        }
        assert_eq!(of_run(&empty("already_clear"), false), Exit::Ok);
        // `--allow-empty` excuses an empty run only, never one that proved nothing.
        let unproven = json!({"status": "completed", "verdict": "unproven", "proof": {"empty_reason": null}});
        assert_eq!(of_run(&unproven, true), Exit::Unproven);
    }

    #[test]
    fn each_problem_ends_with_a_declared_code_and_only_a_bug_with_70() {
        for code in Code::ALL {
            let exit = Exit::of_code(*code);
            assert!(!matches!(exit, Exit::Ok | Exit::No), "{code}");
            assert_eq!(exit == Exit::Bug, *code == Code::Internal, "{code} {exit:?}");
        }
        for (code, exit) in [
            (Code::PolicyDenied, Exit::Refused),
            (Code::NotEntitled, Exit::Refused),
            (Code::NoSession, Exit::Refused),
            (Code::BudgetExhausted, Exit::Refused),
            (Code::RunActive, Exit::Refused),
            (Code::NotARepository, Exit::Usage),
            (Code::FolderMissing, Exit::Usage),
            (Code::NotFound, Exit::Usage),
            (Code::PortInUse, Exit::Unreachable),
            (Code::DataFolderInUse, Exit::Unreachable),
            (Code::StoreUnavailable, Exit::Unreachable),
        ] {
            assert_eq!(Exit::of_code(code), exit, "{code}");
        }
    }
}

//! What a gate can say, and why.
//!
//! A verdict without a reason is `passed`; every other verdict has exactly one reason, and the reason
//! alone decides which of the two it is. That is why [`Outcome`] cannot hold a contradiction.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of a gate, an obligation or a whole proof run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The work was looked at and held.
    Passed,
    /// Nobody knows: it did not run, or what ran could not answer.
    Unproven,
    /// The work was looked at and did not hold.
    Failed,
}

impl Verdict {
    /// The worse of two: failed over unproven over passed (P42).
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }

    /// The word used on the wire, in the seal and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unproven => "unproven",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $verdict:ident;)+) => {
        /// Why a verdict is not `passed`. A closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// Every reason, in the order of the list.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// The word used on the wire, in the seal and in tables.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// The verdict this reason stands for: never `passed`.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict),+ }
            }
        }
    };
}

reasons! {
    /// A case of the rule failed or errored.
    TestFailed = "test_failed", Failed;
    /// The tool looked, and no test carries the rule's name.
    TestMissing = "test_missing", Failed;
    /// The tool could not build, import or collect the tests.
    CollectionError = "collection_error", Failed;
    /// The exit code is not one that passes.
    ExitCode = "exit_code", Failed;
    /// A scanner reported findings at or above its level.
    Findings = "findings", Failed;
    /// Exit code and results contradict each other.
    ResultMismatch = "result_mismatch", Failed;
    /// The command reached its time limit.
    Timeout = "timeout", Failed;
    /// The command was ended by a signal or a memory limit.
    Killed = "killed", Failed;
    /// A person looked and said no.
    ReviewFailed = "review_failed", Failed;

    /// No run has touched this obligation yet.
    NeverRan = "never_ran", Unproven;
    /// Nothing in the project says how to run this gate.
    NoRunner = "no_runner", Unproven;
    /// The tool could not be started.
    RunnerMissing = "runner_missing", Unproven;
    /// The tool itself reported an error of its own.
    RunnerError = "runner_error", Unproven;
    /// The sandbox or the absence of a policy refused the process.
    SandboxRefused = "sandbox_refused", Unproven;
    /// The preparation of the command refused it (X4).
    Refused = "refused", Unproven;
    /// The surroundings were not fit to answer, such as a missing lock file (X4).
    Environment = "environment", Unproven;
    /// The runner can neither select nor list single tests.
    CannotSelect = "cannot_select", Unproven;
    /// Everything that would have answered was skipped.
    Skipped = "skipped", Unproven;
    /// The suite holds no test.
    NoTests = "no_tests", Unproven;
    /// The promised results file was not written.
    ResultsMissing = "results_missing", Unproven;
    /// The results file is malformed, cut, too large or older than the command.
    ResultsInvalid = "results_invalid", Unproven;
    /// The files changed while the run went on.
    TreeMoved = "tree_moved", Unproven;
    /// The newest proof is of another tree.
    Stale = "stale", Unproven;
    /// The evidence is not what was sealed.
    Tampered = "tampered", Unproven;
    /// The gate's definition is neither the default branch's nor accepted.
    DefinitionChanged = "definition_changed", Unproven;
    /// Every attempt lost its worker.
    WorkerLost = "worker_lost", Unproven;
    /// Somebody cancelled the run.
    Cancelled = "cancelled", Unproven;
    /// The budget did not allow the command.
    Budget = "budget", Unproven;
    /// A person has still to look.
    ReviewPending = "review_pending", Unproven;
    /// Nobody looked in time.
    ReviewExpired = "review_expired", Unproven;
    /// A newer question took the place of this one.
    Superseded = "superseded", Unproven;
    /// No space was left to keep what the command said (X22).
    DiskFull = "disk_full", Unproven;
    /// The plane itself failed.
    InternalError = "internal_error", Unproven;
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A verdict together with its reason; a contradiction cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(into = "OutcomeFields", try_from = "OutcomeFields")]
#[schema(as = OutcomeFields)]
pub struct Outcome(Option<Reason>);

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutcomeFields {
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

impl Outcome {
    /// It held.
    pub const PASSED: Self = Self(None);
    /// Where every obligation starts.
    pub const FRESH: Self = Self(Some(Reason::NeverRan));

    /// Not passed, because of `reason`.
    pub const fn because(reason: Reason) -> Self {
        Self(Some(reason))
    }

    /// The verdict.
    pub fn verdict(self) -> Verdict {
        self.0.map_or(Verdict::Passed, Reason::verdict)
    }

    /// The reason; none exactly when passed.
    pub const fn reason(self) -> Option<Reason> {
        self.0
    }

    /// Whether it held.
    pub const fn is_passed(self) -> bool {
        self.0.is_none()
    }

    /// The worse of two; of equally bad ones the first, so that a list keeps its first cause.
    pub fn worse(self, other: Self) -> Self {
        if other.verdict() > self.verdict() { other } else { self }
    }

    /// The worst of many; none when there are none, because nothing looked at is never a pass.
    pub fn worst(outcomes: impl IntoIterator<Item = Self>) -> Option<Self> {
        outcomes.into_iter().reduce(Self::worse)
    }
}

impl From<Reason> for Outcome {
    fn from(reason: Reason) -> Self {
        Self::because(reason)
    }
}

impl From<Outcome> for OutcomeFields {
    fn from(outcome: Outcome) -> Self {
        Self { verdict: outcome.verdict(), reason: outcome.0 }
    }
}

impl TryFrom<OutcomeFields> for Outcome {
    type Error = String;

    fn try_from(fields: OutcomeFields) -> Result<Self, String> {
        let outcome = Self(fields.reason);
        if outcome.verdict() == fields.verdict {
            Ok(outcome)
        } else {
            let reason = fields.reason.map_or("none", Reason::as_str);
            Err(format!("verdict {} does not go with reason {reason}", fields.verdict))
        }
    }
}

/// Where one gate of one requirement stands inside a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Selected; nothing has started.
    Pending,
    /// At least one of its commands has started.
    Running,
    /// A person has to look.
    Waiting,
    /// Ended, and held.
    Passed,
    /// Ended, and did not hold.
    Failed,
    /// Ended without an answer.
    Unproven,
}

impl GateState {
    /// Whether nothing can change any more.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Unproven)
    }

    /// The verdict of an ended gate.
    pub const fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Passed => Some(Verdict::Passed),
            Self::Failed => Some(Verdict::Failed),
            Self::Unproven => Some(Verdict::Unproven),
            Self::Pending | Self::Running | Self::Waiting => None,
        }
    }

    /// Whether a gate may go from here to `next`: forward only, and a re-attempt stays `running`.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Running | Self::Waiting | Self::Unproven) => true,
            (Self::Running | Self::Waiting, next) => next.is_ended(),
            _ => false,
        }
    }

    /// How loudly it speaks when several are shown as one: failed over unproven over running (and
    /// waiting) over pending over passed (P81). Never "the latest wins".
    pub const fn weight(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Pending => 1,
            Self::Waiting => 2,
            Self::Running => 3,
            Self::Unproven => 4,
            Self::Failed => 5,
        }
    }

    /// The one state that stands for many; none for none.
    pub fn collapsed(states: impl IntoIterator<Item = Self>) -> Option<Self> {
        states.into_iter().max_by_key(|state| state.weight())
    }
}

impl From<Verdict> for GateState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed => Self::Failed,
            Verdict::Unproven => Self::Unproven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_knows_its_verdict_and_its_word() {
        // X4, X22: refused, environment and disk_full join the list of the proof page.
        let failed = Reason::ALL.iter().filter(|r| r.verdict() == Verdict::Failed).count();
        assert_eq!((failed, Reason::ALL.len()), (9, 9 + 24));
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_ne!(reason.verdict(), Verdict::Passed);
        }
    }

    #[test]
    fn failed_over_unproven_over_passed() {
        // P42
        let (p, u, f) = (Outcome::PASSED, Outcome::FRESH, Outcome::because(Reason::Timeout));
        assert_eq!(Outcome::worst([p, u, f, p]), Some(f));
        assert_eq!(Outcome::worst([p, u]), Some(u));
        assert_eq!(Outcome::worst([Outcome::because(Reason::Skipped), u]).unwrap().reason(), Some(Reason::Skipped));
        assert_eq!(Outcome::worst([]), None);
        assert_eq!(Verdict::Passed.worse(Verdict::Unproven), Verdict::Unproven);
    }

    #[test]
    fn a_collapsed_gate_is_its_loudest_member() {
        // P81
        use GateState::*;
        let order = [Failed, Unproven, Running, Pending, Passed];
        for (at, loud) in order.iter().enumerate() {
            assert_eq!(GateState::collapsed(order[at..].iter().rev().copied()), Some(*loud));
        }
        assert_eq!(GateState::collapsed([]), None);
    }

    #[test]
    fn a_gate_never_goes_backwards() {
        use GateState::*;
        let all = [Pending, Running, Waiting, Passed, Failed, Unproven];
        let allowed: Vec<_> = all
            .iter()
            .flat_map(|from| all.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            allowed,
            [
                (Pending, Running),
                (Pending, Waiting),
                (Pending, Unproven),
                (Running, Passed),
                (Running, Failed),
                (Running, Unproven),
                (Waiting, Passed),
                (Waiting, Failed),
                (Waiting, Unproven),
            ]
        );
    }

    #[test]
    fn a_contradiction_is_refused() {
        let outcome: Outcome = serde_json::from_str(r#"{"verdict":"failed","reason":"timeout"}"#).unwrap();
        assert_eq!(outcome.reason(), Some(Reason::Timeout));
        assert!(serde_json::from_str::<Outcome>(r#"{"verdict":"passed","reason":"timeout"}"#).is_err());
        assert!(serde_json::from_str::<Outcome>(r#"{"verdict":"failed"}"#).is_err());
        assert_eq!(serde_json::to_string(&Outcome::PASSED).unwrap(), r#"{"verdict":"passed"}"#);
    }
}

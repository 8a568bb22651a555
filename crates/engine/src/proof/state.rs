//! What a proof run stores in its tasks and in its detail: the shapes that outlive the process.

use std::collections::BTreeMap;

use model::{
    digest::Digest,
    failure::Failure,
    id::TaskId,
    proof::{
        evidence::CommandRecord,
        gate::GateName,
        judge::{CommandResult, Unplanned},
        requirement::{Requirement, RequirementNumber, Rule},
        selection::SelectedGate,
        tree::ObjectId,
    },
};
use serde::{Deserialize, Serialize};

use super::runners::PlannedCommand;

/// The names of the task kinds.
pub mod task {
    /// Binds the tree, reads the configuration, plans the commands.
    pub const SELECT: &str = "select";
    /// Makes the project's dependencies ready, once.
    pub const PREPARE: &str = "prepare";
    /// Runs one process.
    pub const COMMAND: &str = "command";
    /// One obligation; never leased, judged by the planner.
    pub const GATE: &str = "gate";
    /// Takes the tree again at the end.
    pub const SETTLE: &str = "settle";
}

/// Gate states, in the task's `detail`.
pub mod gate {
    /// Nothing was started yet.
    pub const PENDING: &str = "pending";
    /// One of its commands was started.
    pub const RUNNING: &str = "running";
    /// A person is asked.
    pub const WAITING: &str = "waiting";
}

/// How a rule is going to be judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RulePlan {
    /// The commands whose ends it needs.
    pub commands: Vec<TaskId>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplanned: Option<Unplanned>,
}

/// A gate task's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateInput {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// Its title when the run took it on.
    #[serde(default)]
    pub title: String,
    /// The gate.
    pub gate: GateName,
    /// The requirement's rules for this gate.
    pub rules: Vec<Rule>,
    /// How each of them is judged; empty until the selection is done.
    pub plans: Vec<RulePlan>,
    /// The definition the gate had at the target.
    pub definition: Option<Digest>,
    /// What a reviewer ticks.
    #[serde(default)]
    pub checklist: Vec<String>,
}

impl GateInput {
    /// The gate of a requirement, before it is planned; none when the requirement has no such gate.
    pub fn of(requirement: &Requirement, gate: &GateName) -> Option<Self> {
        let obligation = requirement.obligation(gate)?;
        Some(Self {
            requirement: requirement.id,
            title: requirement.title.clone(),
            gate: gate.clone(),
            rules: obligation.rules.clone(),
            plans: Vec::new(),
            definition: None,
            checklist: Vec::new(),
        })
    }

    /// The subject of its task.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.requirement, self.gate)
    }
}

/// A command task's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandInput {
    /// What to run, as its runner planned it.
    pub planned: PlannedCommand,
    /// Its digest over everything that can change its end (P30).
    pub digest: Digest,
    /// The gates it serves, for the journal; at most 200.
    pub gates: Vec<String>,
    /// How many it serves.
    pub gate_count: usize,
    /// May be started again after a lost lease.
    pub repeat: bool,
    /// Names of variables that the gate declared.
    pub env: Vec<String>,
}

/// A command task's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandOutput {
    /// What judging needs.
    pub result: CommandResult,
    /// What evidence keeps.
    pub record: CommandRecord,
    /// How the process was confined, in truth (K8, X20).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<exec::sandbox::SandboxReport>,
    /// Processes that it left behind and that were killed.
    #[serde(default)]
    pub killed_leftovers: u32,
}

/// Where a run's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The tree; absent when it is unknown (a dirty submodule).
    pub tree: Option<ObjectId>,
    /// The commit it stands on.
    pub commit: ObjectId,
    /// Whether the files differ from that commit.
    pub dirty: bool,
    /// Whether this run's evidence moves the project's standing (P59).
    pub settles: bool,
    /// The folder the commands run in.
    pub folder: String,
    /// Whether that folder is the plane's own and goes away with the run.
    pub own_worktree: bool,
    /// Untracked paths that belong to no tree.
    #[serde(default)]
    pub tree_ignore: Vec<String>,
}

/// What is shown with a proof run, and what it needs to remember.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Where the files are; absent until the selection is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// The tree at the start.
    pub tree_start: Option<ObjectId>,
    /// The tree at the end.
    pub tree_end: Option<ObjectId>,
    /// The commit.
    pub commit: Option<ObjectId>,
    /// Whether the files differed from it.
    pub dirty: bool,
    /// Whether its evidence moves the project's standing.
    pub settles: bool,
    /// Gates by state; live while the run is active.
    pub counts: model::proof::run::GateCounts,
    /// Processes started and reviews answered.
    pub executed: u32,
    /// Why nothing was selected.
    pub empty_reason: Option<serde_json::Value>,
    /// Requirements that were left out.
    pub diagnostics: serde_json::Value,
    /// Remarks.
    pub notes: Vec<String>,
    /// The run that this one tries again.
    pub retry_of: Option<model::id::RunId>,
    /// What the run says; never empty.
    pub message: String,
    /// How often it was resumed (P26).
    pub resumes: u64,
}

impl Detail {
    /// The detail of a run.
    pub fn of(run: &model::run::Run) -> Result<Self, model::problem::Problem> {
        super::kind::read(&run.detail)
    }

    /// As it is stored.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Takes over what a selection says of itself.
    pub fn take_selection(&mut self, selection: &model::proof::selection::Selection) {
        self.counts.waived = selection.waived;
        self.diagnostics = serde_json::to_value(&selection.diagnostics).unwrap_or_default();
        self.empty_reason = selection.empty_reason.and_then(|reason| serde_json::to_value(reason).ok());
        self.message.clone_from(&selection.message);
        self.notes.extend(selection.notes.iter().cloned());
        if self.message.is_empty() {
            "the run is being prepared".clone_into(&mut self.message);
        }
    }
}

/// What the selection found, before it is turned into rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "selected", rename_all = "snake_case")]
pub enum SelectOutput {
    /// The run can go on.
    Plan(Box<Plan>),
    /// The run cannot do its work.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// What will be run and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The files.
    pub bound: Bound,
    /// The gates, in order.
    pub gates: Vec<PlannedGate>,
    /// What was selected just now; empty where the gates were stored with the run.
    #[serde(default)]
    pub taken: Vec<SelectedGate>,
    /// The distinct commands; a gate names them by their place here.
    pub commands: Vec<PlannedTask>,
    /// What makes dependencies ready first (P35).
    #[serde(default)]
    pub preparations: Vec<PlannedTask>,
    /// Requirements that were left out, with their cause.
    pub diagnostics: serde_json::Value,
    /// Why nothing is left.
    pub empty_reason: Option<String>,
    /// What to say when nothing is left.
    pub message: Option<String>,
    /// Remarks to show with the run.
    pub notes: Vec<String>,
    /// Every gate's definition at the target.
    pub definitions: BTreeMap<GateName, Digest>,
}

/// A gate as planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedGate {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// Its title when the run took it on.
    #[serde(default)]
    pub title: String,
    /// The gate.
    pub gate: GateName,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// For each rule, the places of its commands, or why there are none.
    pub plans: Vec<Result<Vec<usize>, Unplanned>>,
    /// Its definition.
    pub definition: Option<Digest>,
    /// A person answers it.
    pub review: bool,
    /// What they tick.
    pub checklist: Vec<String>,
}

/// A command as planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// What to run.
    pub planned: PlannedCommand,
    /// Its digest.
    pub digest: Digest,
    /// Runs with no other command of the run beside it.
    pub exclusive: bool,
    /// May be started again.
    pub repeat: bool,
    /// Names of variables that the gate declared.
    pub env: Vec<String>,
    /// What its gate says that it costs (P37).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
}

/// A settle task's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The tree at the end.
    pub tree_end: Option<ObjectId>,
    /// Files of the start tree that changed or went.
    pub moved: Vec<String>,
    /// New untracked files (X59).
    pub residue: Vec<String>,
}

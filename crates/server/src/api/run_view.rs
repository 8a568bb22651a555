//! A run and its parts as readers see them.

use engine::proof::state::Detail;
use model::{
    actor::{Actor, Trigger},
    failure::Failure,
    id::{IssueId, ProjectId, RunId, TaskId},
    proof::{run::GateCounts, tree::ObjectId},
    run::{Progress, Run, RunKind, RunStatus},
    task::{Lease, Task, TaskState},
    time::Timestamp,
    waiting::WaitingFor,
};
use serde::Serialize;
use serde_json::Value;

use super::{dispatch::DispatchView, ledger::SumView};

/// A run of any kind.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Which job it does.
    pub kind: RunKind,
    /// Where it stands.
    pub status: RunStatus,
    /// The kind's own part of the way.
    pub phase: String,
    /// The kind's own answer; null until it has ended.
    #[schema(value_type = Option<model::run::RunVerdict>)]
    pub verdict: Option<String>,
    /// Why it failed, when it failed.
    pub failure: Option<Failure>,
    /// Counted work.
    pub progress: Progress,
    /// What was asked for, in the kind's own shape.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Who started it.
    pub created_by: Actor,
    /// What started it.
    pub trigger: Trigger,
    /// The ended run this one tries again.
    pub retry_of: Option<RunId>,
    /// The run that started this one.
    pub parent: Option<RunId>,
    /// The issue that it is about.
    pub issue: Option<IssueId>,
    /// A cancel was asked for and leased tasks are draining.
    pub cancelling: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When its first task was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Rises with every change: of two answers the one with the higher number is newer (P73).
    pub revision: u64,
    /// Where its live stream is.
    pub events: String,
    /// What it waits for while nobody takes its work; only where one run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// What it has cost; only where one run is asked for, and it has lines in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<SumView>,
    /// For kind `proof`: tree, counts, message and the rest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
    /// For kind `dispatch`: role, agent, file report, branch and the rest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<DispatchView>,
}

/// What a proof run says of itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ProofRun)]
pub struct ProofView {
    /// The tree at the start; null until the selection is done, or when it has no name.
    tree_start: Option<ObjectId>,
    /// The tree at the end.
    tree_end: Option<ObjectId>,
    /// The commit.
    commit: Option<ObjectId>,
    /// Whether the files differed from it.
    dirty: bool,
    /// Whether its evidence moves the project's standing.
    settles: bool,
    /// Whether it works on files of its own, not on those of the repository.
    own_worktree: bool,
    /// Gates by state, as they are now.
    counts: GateCounts,
    /// Processes started and reviews answered.
    executed: u32,
    /// Why nothing was selected.
    #[schema(value_type = Option<String>)]
    empty_reason: Option<Value>,
    /// Requirements that were left out, and why.
    #[schema(value_type = Option<Vec<Object>>)]
    diagnostics: Value,
    /// Remarks.
    notes: Vec<String>,
    /// What the run says.
    message: String,
    /// How often it was resumed (P26).
    resumes: u64,
}

impl From<Detail> for ProofView {
    fn from(detail: Detail) -> Self {
        Self {
            tree_start: detail.tree_start,
            tree_end: detail.tree_end,
            commit: detail.commit,
            dirty: detail.dirty,
            settles: detail.settles,
            own_worktree: detail.bound.is_some_and(|bound| bound.own_worktree),
            counts: detail.counts,
            executed: detail.executed,
            empty_reason: detail.empty_reason,
            diagnostics: detail.diagnostics,
            notes: detail.notes,
            message: detail.message,
            resumes: detail.resumes,
        }
    }
}

/// Where a run's live stream is.
pub fn events_of(run: RunId) -> String {
    format!("/api/v1/runs/{run}/events")
}

/// Where a run is.
pub fn address_of(run: RunId) -> String {
    format!("/api/v1/runs/{run}")
}

/// A detail that cannot be read leaves the run readable (P52), and says nothing in its place.
fn proof_of(run: &Run) -> Option<ProofView> {
    match Detail::of(run) {
        Ok(detail) => Some(detail.into()),
        Err(problem) => {
            tracing::warn!(run = %run.id, %problem, "the detail of a run cannot be read");
            None
        }
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            events: events_of(run.id),
            waiting_for: None,
            cost: None,
            dispatch: DispatchView::of(&run),
            proof: (run.kind == RunKind::PROOF).then(|| proof_of(&run)).flatten(),
            id: run.id,
            project: run.project,
            kind: run.kind,
            status: run.status,
            phase: run.phase,
            verdict: run.verdict,
            failure: run.failure,
            progress: run.progress,
            config: run.config,
            created_by: run.created_by,
            trigger: run.trigger,
            retry_of: run.retry_of,
            parent: run.parent,
            issue: run.issue,
            cancelling: run.cancelling,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            revision: run.revision,
        }
    }
}

/// A task of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// What it does, in its run kind's words.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Where workers look for it.
    pub queue: String,
    /// What a worker must offer.
    pub labels: Vec<String>,
    /// Higher is claimed first.
    pub priority: i32,
    /// Where it stands.
    pub state: TaskState,
    /// The kind's own finer state, such as a verdict.
    pub detail: Option<String>,
    /// Claims so far that count.
    pub attempt: u32,
    /// Claims allowed.
    pub max_attempts: u32,
    /// The newest claim's number.
    pub generation: u32,
    /// Who holds it, and until when.
    pub lease: Option<Lease>,
    /// What to do.
    #[schema(value_type = Object)]
    pub input: Value,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    pub output: Option<Value>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            kind: task.kind,
            subject: task.subject,
            queue: task.queue,
            labels: task.labels,
            priority: task.priority,
            state: task.state,
            detail: task.detail,
            attempt: task.attempt,
            max_attempts: task.max_attempts,
            generation: task.generation,
            lease: task.lease,
            input: task.input,
            output: task.output,
            created_at: task.created_at,
            finished_at: task.finished_at,
        }
    }
}

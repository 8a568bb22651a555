//! What a run kind is to the engine: admission, a planner behind `on`, and handlers behind `handle`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use model::{
    actor::Actor,
    failure::Failure,
    id::RunId,
    journal::NewEntry,
    problem::Problem,
    project::Project,
    question::Question,
    run::{Run, RunKind},
    task::Task,
    time::Timestamp,
};
use serde_json::Value;
use store::{NewTask, Tx};

use crate::work::{Assignment, Outcome};

/// What was asked for, before the run exists.
#[derive(Debug)]
pub struct Admission<'a> {
    /// The id the run will have.
    pub run: RunId,
    /// The project it will belong to.
    pub project: &'a Project,
    /// The kind's own request.
    pub config: &'a Value,
    /// The ended run that is tried again.
    pub retry_of: Option<&'a Run>,
    /// Who asks.
    pub actor: &'a Actor,
    /// When.
    pub now: Timestamp,
}

/// A run as its kind wants it stored.
#[derive(Debug)]
pub struct Admitted {
    /// The request in its full form, with defaults filled in.
    pub config: Value,
    /// The kind's own state that is shown with the run.
    pub detail: Value,
    /// The first phase.
    pub phase: &'static str,
    /// What no other active run may also hold (X7).
    pub exclusive_key: Option<String>,
    /// How long it may wait for a worker.
    pub queue_timeout: Duration,
    /// How long it may take.
    pub run_timeout: Option<Duration>,
    /// How many of its tasks may be leased at once.
    pub slots: Option<u32>,
    /// Its first tasks.
    pub tasks: Vec<NewTask>,
    /// Its first entries, behind `run.created`.
    pub entries: Vec<NewEntry>,
}

/// What the kernel tells a kind, inside the transaction in which it became true.
#[derive(Debug)]
pub enum Event<'a> {
    /// A task has an outcome, or used up its attempts.
    TaskEnded(&'a Task),
    /// A person answered a question of the run.
    Answered(&'a Question),
    /// The run was paused and goes on.
    Resumed,
    /// The run is about to end without having done its work: cancelled (`None`) or failed. Its open
    /// tasks have just been cancelled.
    Closing(Option<&'a Failure>),
}

/// A job that runs can do. One folder in this crate each.
pub trait Kind: Send + Sync + 'static {
    /// Its name.
    fn kind(&self) -> RunKind;

    /// Checks a request and says how the run starts. No I/O but the transaction's (P18).
    fn admit<'a>(&'a self, tx: &'a mut Tx, ask: &'a Admission<'a>) -> BoxFuture<'a, Result<Admitted, Problem>>;

    /// Plans what follows from an event and applies it. The run's row is locked.
    fn on<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        event: Event<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>>;

    /// Does one task. Knows nothing of verdicts; must stop soon after the assignment is cancelled.
    fn handle(self: Arc<Self>, assignment: Assignment) -> BoxFuture<'static, Outcome>;

    /// Whether an active run does what this request asks for (`?join=true`).
    fn covers(&self, active: &Run, config: &Value) -> bool {
        active.config == *config
    }

    /// The config of a retry: the old run's, changed by the mode (X12).
    ///
    /// # Errors
    /// A problem when the mode is not one of the kind's.
    fn retry_config(&self, old: &Run, mode: Option<&str>) -> Result<Value, Problem>;
}

/// The kinds this plane knows.
#[derive(Clone, Default)]
pub struct Kinds(HashMap<String, Arc<dyn Kind>>);

impl Kinds {
    /// A registry of these kinds.
    pub fn of(kinds: impl IntoIterator<Item = Arc<dyn Kind>>) -> Self {
        Self(kinds.into_iter().map(|kind| (kind.kind().name().to_owned(), kind)).collect())
    }

    /// The kind with this name.
    ///
    /// # Errors
    /// 422 naming the kinds there are.
    pub fn named(&self, kind: &RunKind) -> Result<Arc<dyn Kind>, Problem> {
        self.0.get(kind.name()).cloned().ok_or_else(|| {
            let mut known: Vec<_> = self.0.keys().map(String::as_str).collect();
            known.sort_unstable();
            Problem::invalid_field("/kind", format!("must be one of: {}", known.join(", ")))
        })
    }
}

//! What a run kind is to the engine: admission, a planner behind `on`, and handlers behind `handle`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use model::{
    actor::Actor,
    failure::Failure,
    id::RunId,
    issue::{Issue, WorkEnd},
    journal::NewEntry,
    ledger::Cap,
    problem::Problem,
    project::Project,
    question::Question,
    run::{Run, RunKind, RunStatus},
    task::Task,
    time::Timestamp,
};
use serde_json::Value;
use store::{NewTask, Tx};

use crate::{
    Engine, Submit,
    ledger::{self, Refused},
    work::{Assignment, Outcome},
};

/// What was asked for, before the run exists.
#[derive(Debug)]
pub struct Admission<'a> {
    /// The id the run will have.
    pub run: RunId,
    /// The project it will belong to.
    pub project: &'a Project,
    /// The kind's own request.
    pub config: &'a Value,
    /// The issue that it will be about.
    pub issue: Option<&'a Issue>,
    /// The ended run that is tried again.
    pub retry_of: Option<&'a Run>,
    /// Who asks.
    pub actor: &'a Actor,
    /// When.
    pub now: Timestamp,
    /// What the kind saw beforehand ([`Kind::survey`]).
    pub survey: &'a Result<Value, Problem>,
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
    /// A person answered a question that the run waited for.
    Answered(&'a Question),
    /// A question that the run waited for ended without an answer.
    Unanswered(&'a Question),
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

    /// Looks at what is no part of the store before a request is admitted, outside of its transaction. A refusal is
    /// for the admission to give, so that a request that is repeated is answered as it was the first time (K1).
    fn survey<'a>(&'a self, engine: &'a Engine, ask: &'a Submit) -> BoxFuture<'a, Result<Value, Problem>> {
        let _ = (engine, ask);
        Box::pin(std::future::ready(Ok(Value::Null)))
    }

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

    /// What a run may spend, where it says so itself; else its project does (X28).
    fn cap(&self, run: &Run) -> Option<Cap> {
        let _ = run;
        None
    }

    /// A task of the run was about to be handed out, and a pool has no room for what it costs: it stays blocked. The
    /// run waits for a person, unless its kind knows better (D34).
    fn over_budget<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        refused: &'a Refused,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(ledger::ask(tx, run, refused, now))
    }

    /// Whether the kind can be told of the end of several tasks after all of them have been recorded. A kind of many
    /// small tasks says yes: then a batch of outcomes is one change of its run.
    fn takes_many(&self) -> bool {
        false
    }

    /// Plans what follows from the ends of tasks that were recorded together; asked only of a kind that
    /// [takes many](Self::takes_many).
    fn on_many<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        ended: &'a [Task],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            for task in ended {
                if run.status.is_terminal() {
                    break;
                }
                self.on(tx, run, Event::TaskEnded(task), now).await?;
            }
            Ok(())
        })
    }

    /// Whether an active run does what this request asks for (`?join=true`).
    fn covers(&self, active: &Run, config: &Value) -> bool {
        active.config == *config
    }

    /// Whether a run that waits for people keeps others on the same subject from starting. One that does
    /// not keep them gives its subject up for good when it first waits (P20).
    fn waits_locked(&self) -> bool {
        true
    }

    /// What the end of a run says to the issue that it worked on (X6). Asked for once it has its last status and
    /// verdict; a kind whose completed runs may have come to nothing says so here.
    fn work_end(&self, run: &Run) -> WorkEnd {
        match run.status {
            RunStatus::Completed => WorkEnd::Succeeded,
            RunStatus::Cancelled => WorkEnd::Cancelled,
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Paused | RunStatus::Failed => {
                WorkEnd::Failed
            }
        }
    }

    /// When a task that failed like this is to be tried again by itself, while it has attempts left; `None` for one
    /// that has failed. Nobody else retries anything (X15).
    fn again(&self, task: &Task, failure: &Failure, now: Timestamp) -> Option<Timestamp> {
        let _ = (task, failure, now);
        None
    }

    /// The config of a retry: the old run's, changed by the mode (X12).
    ///
    /// # Errors
    /// A problem when the mode is not one of the kind's.
    fn retry_config(&self, old: &Run, mode: Option<&str>) -> Result<Value, Problem>;

    /// Changes the config of a retry as a person wishes. What comes of it is checked by the admission.
    ///
    /// # Errors
    /// 422 where the kind takes none.
    fn change_config(&self, config: &mut Value, changes: &Value) -> Result<(), Problem> {
        let _ = (config, changes);
        Err(Problem::invalid_field("/config", "this kind of run is retried with the config it had"))
    }
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

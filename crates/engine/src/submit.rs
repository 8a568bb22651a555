//! Starting runs: exactly once per idempotency key, and one active run per subject.

use std::sync::Arc;

use model::{
    actor::{Actor, Trigger},
    code::Code,
    id::{IssueId, ProjectId, RunId},
    journal::{Edge, NewEntry, StreamId},
    problem::Problem,
    run::{Progress, Run, RunKind, RunStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{StoreError, Tx};

use crate::{Engine, Once, issues, kind::Admission, once, runs};

/// A request to start a run.
#[derive(Debug, Clone)]
pub struct Submit {
    /// The project.
    pub project: ProjectId,
    /// Which job.
    pub kind: RunKind,
    /// What exactly, in the kind's shape.
    pub config: Value,
    /// Who asks; the trigger follows from it (P2).
    pub actor: Actor,
    /// Answer with the active run instead of a refusal.
    pub join: bool,
    /// Exactly once under this key.
    pub once: Option<Once>,
    /// The ended run that is tried again.
    pub retry_of: Option<RunId>,
    /// The issue of the same project that the run is about.
    pub issue: Option<IssueId>,
}

/// What a request to start a run led to.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The run.
    pub run: Run,
    /// Another request had started it.
    pub joined: bool,
    /// Whether the joined run does all that was asked for.
    pub covers: Option<bool>,
}

impl Engine {
    /// Stores a run with its first tasks, or answers with what the same key answered before (K1).
    ///
    /// # Errors
    /// 409 [`Code::RunActive`] naming the active run; what the kind's admission refuses; 422
    /// [`Code::KeyReused`].
    pub async fn submit(&self, ask: Submit) -> Result<Submitted, Problem> {
        let kind = self.kinds().named(&ask.kind)?;
        let id = RunId::from_uuid(self.clock().id());
        let survey = Arc::new(kind.survey(self, &ask).await);
        let now = self.now();
        self.store()
            .write(move |tx| {
                let (ask, kind, survey) = (ask.clone(), kind.clone(), survey.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered::<Answered>(tx, ask.once.as_ref(), now).await? {
                        return before.again(tx).await;
                    }
                    let submitted = start(tx, &ask, &*kind, &survey, id, now).await?;
                    let answer = Answered { run: submitted.run.id, joined: submitted.joined, covers: submitted.covers };
                    let status = if submitted.joined { 200 } else { 202 };
                    once::answer(tx, ask.once.as_ref(), status, &answer).await?;
                    Ok(submitted)
                })
            })
            .await
    }
}

/// What is kept under an idempotency key: enough to give the first answer again.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) run: RunId,
    pub(crate) joined: bool,
    pub(crate) covers: Option<bool>,
}

impl Answered {
    /// The first answer again.
    pub(crate) async fn again(self, tx: &mut Tx) -> Result<Submitted, Problem> {
        let run = tx.run(self.run).await?.ok_or_else(Problem::not_found)?;
        Ok(Submitted { run, joined: self.joined, covers: self.covers })
    }
}

async fn start(
    tx: &mut Tx,
    ask: &Submit,
    kind: &dyn crate::kind::Kind,
    survey: &Result<Value, Problem>,
    id: RunId,
    now: model::time::Timestamp,
) -> Result<Submitted, Problem> {
    let project = tx.project(ask.project).await?.ok_or_else(Problem::not_found)?;
    let retried = match ask.retry_of {
        Some(run) => Some(tx.run(run).await?.ok_or_else(Problem::not_found)?),
        None => None,
    };
    let issue = match ask.issue {
        // Existence comes first, whatever its state (S4).
        Some(issue) => Some(issues::of_project(tx, project.id, issue).await?),
        None => None,
    };
    let admission = Admission {
        run: id,
        project: &project,
        config: &ask.config,
        issue: issue.as_ref(),
        retry_of: retried.as_ref(),
        actor: &ask.actor,
        now,
        survey,
    };
    let admitted = kind.admit(tx, &admission).await?;
    let run = Run {
        id,
        project: project.id,
        kind: ask.kind.clone(),
        status: RunStatus::Queued,
        phase: admitted.phase.to_owned(),
        verdict: None,
        failure: None,
        progress: Progress::default(),
        config: admitted.config,
        detail: admitted.detail,
        created_by: ask.actor.clone(),
        trigger: Trigger::of(&ask.actor),
        exclusive_key: admitted.exclusive_key,
        retry_of: ask.retry_of,
        parent: match &ask.actor {
            Actor::Run { id } => Some(*id),
            Actor::Person { .. } | Actor::Token { .. } | Actor::Worker { .. } | Actor::System => None,
        },
        issue: ask.issue,
        cancelling: false,
        created_at: now,
        started_at: None,
        finished_at: None,
        revision: 1,
    };
    let queue_deadline = Some(now.plus(admitted.queue_timeout));
    let run_deadline = admitted.run_timeout.map(|timeout| now.plus(timeout));
    match tx.run_insert(&run, queue_deadline, run_deadline).await {
        Ok(()) => {}
        Err(StoreError::RunActive { run: active }) => {
            let active = tx.run(active).await?.ok_or_else(Problem::not_found)?;
            if ask.join {
                let covers = kind.covers(&active, &run.config);
                return Ok(Submitted { run: active, joined: true, covers: Some(covers) });
            }
            let message = format!("a {} run on the same subject is {}", active.kind, active.status);
            return Err(Problem::new(Code::RunActive, message).with("active_run", json!(active.id)));
        }
        Err(error) => return Err(error.into()),
    }
    if admitted.slots.is_some() {
        tx.run_slots(run.id, admitted.slots).await?;
    }
    let created = NewEntry::new(
        "run.created",
        json!({"kind": run.kind, "trigger": run.trigger, "actor": run.created_by, "retry_of": run.retry_of}),
    )
    .in_span(runs::span(id), None, Some(Edge::Open));
    let mut entries = vec![created];
    entries.extend(admitted.entries);
    tx.journal_append(StreamId::Run(id), &entries, now).await?;
    tx.tasks_insert(run.id, run.project, &admitted.tasks, now).await?;
    runs::board(tx, &run, "run.created", json!({"trigger": run.trigger, "actor": run.created_by}), now).await?;
    issues::run_started(tx, &run, now).await?;
    // The counters were changed with the tasks.
    let run = tx.run(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Submitted { run, joined: false, covers: None })
}

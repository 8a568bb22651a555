//! Starting runs: exactly once per idempotency key, and one active run per subject.

use model::{
    actor::{Actor, Trigger},
    code::Code,
    digest::Digest,
    id::{ProjectId, RunId},
    journal::{Edge, NewEntry, StreamId},
    problem::Problem,
    run::{Progress, Run, RunKind, RunStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{IdempotencyKey, StoreError, StoredAnswer, Tx};

use crate::{Engine, kind::Admission, runs};

/// The name of a request that must have its effect once (K1, X27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Scoped to the caller and the route.
    pub key: IdempotencyKey,
    /// The digest of the request's body: the same key with another body is refused.
    pub body: Digest,
}

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
        let now = self.now();
        self.store()
            .write(move |tx| {
                let (ask, kind) = (ask.clone(), kind.clone());
                Box::pin(async move {
                    if let Some(once) = &ask.once
                        && let Some(stored) = tx.idempotency_get(&once.key, &once.body, now).await?
                    {
                        return repeated(tx, &stored.body).await;
                    }
                    let submitted = start(tx, &ask, &*kind, id, now).await?;
                    if let Some(once) = &ask.once {
                        let answer =
                            Answered { run: submitted.run.id, joined: submitted.joined, covers: submitted.covers };
                        let body = serde_json::to_string(&answer).unwrap_or_default();
                        let status = if submitted.joined { 200 } else { 202 };
                        tx.idempotency_put(&once.key, &StoredAnswer { status, body }).await?;
                    }
                    Ok(submitted)
                })
            })
            .await
    }
}

/// What is kept under an idempotency key: enough to give the first answer again.
#[derive(Serialize, Deserialize)]
struct Answered {
    run: RunId,
    joined: bool,
    covers: Option<bool>,
}

async fn repeated(tx: &mut Tx, body: &str) -> Result<Submitted, Problem> {
    let answered: Answered =
        serde_json::from_str(body).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let run = tx.run(answered.run).await?.ok_or_else(Problem::not_found)?;
    Ok(Submitted { run, joined: answered.joined, covers: answered.covers })
}

async fn start(
    tx: &mut Tx,
    ask: &Submit,
    kind: &dyn crate::kind::Kind,
    id: RunId,
    now: model::time::Timestamp,
) -> Result<Submitted, Problem> {
    let project = tx.project(ask.project).await?.ok_or_else(Problem::not_found)?;
    let retried = match ask.retry_of {
        Some(run) => Some(tx.run(run).await?.ok_or_else(Problem::not_found)?),
        None => None,
    };
    let admission = Admission {
        run: id,
        project: &project,
        config: &ask.config,
        retry_of: retried.as_ref(),
        actor: &ask.actor,
        now,
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
    // The counters were changed with the tasks.
    let run = tx.run(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Submitted { run, joined: false, covers: None })
}

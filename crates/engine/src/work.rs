//! Work: claim, renew, append, finish, give back. Remote and embedded workers make the same calls.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use model::{
    code::Code,
    failure::{Failure, FailureCode},
    id::WorkerId,
    journal::{Level, NewEntry, StreamId},
    limits,
    problem::Problem,
    task::{Fence, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Beat, ClaimRequest, Leased, Released, TaskChange, Tx};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Engine, kind::Event, runs};

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The work was done; what it means is the planner's business.
    Done {
        /// The kind's own result.
        output: Value,
    },
    /// The work could not be done.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The holder gives the task back untouched; this costs no attempt.
    Released {
        /// Why, for the journal.
        reason: String,
        /// Not to be claimed before.
        not_before: Option<Timestamp>,
    },
}

/// A leased task on its way through a handler of the embedded worker.
pub struct Assignment {
    /// The engine, for reading and for appending behind the fence.
    pub engine: Engine,
    /// The task and its lease.
    pub leased: Leased,
    /// Fires when the run is cancelled, the lease is lost or the plane stops.
    pub stop: CancellationToken,
}

impl Assignment {
    /// The fence of this lease.
    pub fn fence(&self) -> Fence {
        Fence { task: self.leased.task.id, generation: self.leased.task.generation }
    }
}

impl Engine {
    /// Hands out ready tasks, waiting up to `wait` for the first. Interest is registered before the
    /// queue is read (D52).
    pub async fn claim(&self, request: ClaimRequest, wait: Duration) -> Result<Vec<Leased>, Problem> {
        let deadline = Instant::now() + wait.min(limits::CLAIM_WAIT);
        loop {
            let ready = self.inner.ready.notified();
            tokio::pin!(ready);
            ready.as_mut().enable();
            if self.inner.stopping.is_cancelled() {
                return Ok(Vec::new());
            }
            let leased = self.store().claim(ClaimRequest { now: self.now(), ..request.clone() }).await?;
            if !leased.is_empty() || Instant::now() >= deadline {
                return Ok(leased);
            }
            // A wake-up may be lost, so the queue is looked at again after a second at the latest.
            let nap = deadline.min(Instant::now() + Duration::from_secs(1));
            tokio::select! {
                () = ready => {}
                () = tokio::time::sleep_until(nap) => {}
                () = self.inner.stopping.cancelled() => {}
            }
        }
    }

    /// Renews leases in one call and says which are lost or cancelled (D54).
    pub async fn heartbeat(&self, worker: WorkerId, held: &[Fence]) -> Result<Vec<(Fence, Beat)>, Problem> {
        Ok(self.store().heartbeat(worker, held, self.now()).await?)
    }

    /// Appends entries to the task's run behind the fence; answers the last number.
    ///
    /// # Errors
    /// 409 [`Code::LeaseLost`] when somebody else holds the task, 413 for too many entries.
    pub async fn append(&self, fence: Fence, entries: Vec<NewEntry>) -> Result<u64, Problem> {
        if entries.len() > limits::ENTRIES_PER_APPEND {
            let message = format!("at most {} entries at once", limits::ENTRIES_PER_APPEND);
            return Err(Problem::new(Code::TooLarge, message));
        }
        Ok(self.store().append(fence, entries, self.now()).await?)
    }

    /// Records outcomes, each in a transaction of its own together with everything that follows from it.
    pub async fn finish(&self, outcomes: Vec<(Fence, Outcome)>) -> Vec<Result<(), Problem>> {
        join_all(outcomes.into_iter().map(|(fence, outcome)| self.finish_one(fence, outcome))).await
    }

    /// Records one outcome. The same outcome again is answered like the first time (D59).
    pub async fn finish_one(&self, fence: Fence, outcome: Outcome) -> Result<(), Problem> {
        let (engine, now) = (self.clone(), self.now());
        let outcome = Arc::new(outcome);
        self.store()
            .write(move |tx| {
                let (engine, outcome) = (engine.clone(), outcome.clone());
                Box::pin(async move {
                    let recorded = match &*outcome {
                        Outcome::Done { output } => {
                            store::Outcome { done: true, output: output.clone(), detail: None, bad: false }
                        }
                        Outcome::Failed { failure } => {
                            let output = serde_json::to_value(failure).unwrap_or_default();
                            store::Outcome { done: false, output, detail: None, bad: true }
                        }
                        Outcome::Released { reason, not_before } => {
                            match tx.task_release(fence, reason, false, *not_before, now).await? {
                                Released::Cancelled(task) => ended(&engine, tx, task, now).await?,
                                Released::Requeued(_) | Released::AttemptsUsedUp(_) => {}
                            }
                            return Ok(());
                        }
                    };
                    let finished = tx.task_finish(fence, &recorded, now).await?;
                    if finished.repeated { Ok(()) } else { ended(&engine, tx, finished.task, now).await }
                })
            })
            .await
    }
}

/// Runs what follows from a task's end: the kind's planner, then the kernel's own closing rules. What a
/// cancelled run produced before its end still counts (P24).
pub(crate) async fn ended(engine: &Engine, tx: &mut Tx, task: Task, now: Timestamp) -> Result<(), Problem> {
    let Some(mut run) = tx.run_lock(task.run).await? else { return Ok(()) };
    if run.status.is_terminal() {
        return Ok(());
    }
    let kind = engine.kinds().named(&run.kind)?;
    if task.state != TaskState::Cancelled {
        kind.on(tx, &mut run, Event::TaskEnded(&task), now).await?;
    }
    runs::after_change(&*kind, tx, &mut run, now).await
}

/// Ends a task whose lease ran out for good: its attempts are used up (F17), or its run is cancelled.
pub(crate) async fn lost(engine: &Engine, task: &Task, cancelled: bool) -> Result<(), Problem> {
    let now = engine.now();
    let fence = Fence { task: task.id, generation: task.generation };
    let failure = Failure::new(FailureCode::WorkerLost, "the worker was lost at each attempt");
    let change = if cancelled {
        TaskChange::new(TaskEvent::Cancelled)
    } else {
        let output = serde_json::to_value(&failure).unwrap_or_default();
        TaskChange { output: Some(output), bad: true, ..TaskChange::new(TaskEvent::Failed) }
    };
    let store = engine.store().clone();
    let engine = engine.clone();
    store
        .write(move |tx| {
            let (engine, change) = (engine.clone(), change.clone());
            Box::pin(async move {
                let Some(task) = tx.task_lost(fence, &change, now).await? else { return Ok(()) };
                if !cancelled {
                    let data = json!({
                        "task": task.id, "kind": task.kind, "subject": task.subject, "attempt": task.attempt,
                        "failure": task.output,
                    });
                    let entry = NewEntry::new("task.failed", data).at_level(Level::Error);
                    tx.journal_append(StreamId::Run(task.run), &[entry], now).await?;
                }
                ended(&engine, tx, task, now).await
            })
        })
        .await
}

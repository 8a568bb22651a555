//! Tasks that come back without an end of their own: to wait for a provider or for people, or because their holder is
//! gone.

use model::{
    failure::{Failure, FailureCode},
    id::WorkerId,
    journal::{Level, NewEntry, StreamId},
    problem::Problem,
    task::{Fence, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::json;
use store::{Released, TaskChange, Tx};

use crate::{Engine, runs};

/// Puts a task that failed back into its queue, where its kind says so and it has attempts left. An end that is told
/// twice finds it there.
pub(super) async fn tried_again(
    engine: &Engine,
    tx: &mut Tx,
    fence: Fence,
    failure: &Failure,
    now: Timestamp,
) -> Result<bool, Problem> {
    let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
    let Some(run) = tx.run_lock(task.run).await? else { return Ok(false) };
    let again = engine.kinds().named(&run.kind)?.again(&task, failure, now);
    let Some(at) = again.filter(|_| !run.cancelling && task.attempt < task.max_attempts) else { return Ok(false) };
    if task.state != TaskState::Leased || !fence.admits(task.state, task.generation) {
        return Ok(fence.admits(task.state, task.generation));
    }
    let data = json!({
        "code": failure.code.slug(), "text": format!("{}; it is tried again", failure.message), "retry_at": at,
        "task": task.id, "attempt": task.attempt,
    });
    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("warning", data).at_level(Level::Warning)], now).await?;
    tx.task_release(fence, failure.code.slug(), true, Some(at), now).await?;
    Ok(true)
}

/// Blocks a task until its questions are answered. `false`: none is open any more.
pub(super) async fn parked(engine: &Engine, tx: &mut Tx, fence: Fence, now: Timestamp) -> Result<bool, Problem> {
    let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
    // Held first, so that no answer comes between.
    let Some(mut run) = tx.run_lock(task.run).await? else { return Ok(false) };
    if !crate::dispatch::asks::waits(tx, run.id, fence.task).await? {
        return Ok(false);
    }
    match tx.task_park(fence, now).await? {
        Released::Cancelled(task) => super::ended(engine, tx, task, now).await?,
        Released::Requeued(_) | Released::AttemptsUsedUp(_) => {
            let kind = engine.kinds().named(&run.kind)?;
            runs::after_change(&*kind, tx, &mut run, now).await?;
        }
    }
    Ok(true)
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
                super::ended(&engine, tx, task, now).await
            })
        })
        .await
}

/// Takes back what a worker held that is known to be gone. What may be tried again is ready; what may not
/// ends at once, together with all that follows from it.
pub(crate) async fn returned(engine: &Engine, worker: WorkerId, reason: &str) -> Result<(), Problem> {
    let now = engine.now();
    for released in engine.store().return_leases(worker, reason, now).await? {
        match released {
            Released::Requeued(_) => {}
            // Should this process die before it gets here, the sweep comes to the same end.
            Released::AttemptsUsedUp(task) => lost(engine, &task, false).await?,
            Released::Cancelled(task) => {
                let of = engine.clone();
                engine
                    .store()
                    .write(move |tx| {
                        let (engine, task) = (of.clone(), task.clone());
                        Box::pin(async move { super::ended(&engine, tx, task, now).await })
                    })
                    .await?;
            }
        }
    }
    Ok(())
}

//! The embedded worker: claims through the same calls as a remote one, and runs the kinds' handlers.
//!
//! It keeps nothing that matters: the store is its outbox (X55). What it holds in memory is gone with
//! the process, and the sweep hands the tasks out again.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use model::{
    failure::{Failure, FailureCode},
    id::{RunId, TaskId, WorkerId},
    limits,
    task::Fence,
};
use store::{Beat, ClaimRequest, Leased};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Engine,
    work::{Assignment, Outcome},
};

/// The queue that the embedded worker serves.
pub const QUEUE: &str = "plane";

/// What this process holds now, so that a cancel reaches it at once. A hint: the heartbeat is the truth.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<TaskId, (RunId, Fence, CancellationToken)>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, (RunId, Fence, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the handlers of a run to stop.
    pub(crate) fn stop(&self, run: RunId) {
        for (of, _, token) in self.lock().values() {
            if *of == run {
                token.cancel();
            }
        }
    }

    fn fences(&self) -> Vec<Fence> {
        self.lock().values().map(|held| held.1).collect()
    }
}

/// Serves the plane's queue until the engine stops, then waits for what runs.
pub(crate) async fn serve(engine: Engine, worker: WorkerId, slots: usize) {
    let free = Arc::new(Semaphore::new(slots));
    let running = TaskTracker::new();
    let renewing = tokio::spawn(renew(engine.clone(), worker));
    let stopping = engine.stopping().clone();
    while !stopping.is_cancelled() {
        // One permit to ask with; the rest of the free ones say how much to ask for.
        let Ok(permit) = free.clone().acquire_owned().await else { break };
        let mut permits = vec![permit];
        while let Ok(more) = free.clone().try_acquire_owned() {
            permits.push(more);
        }
        let request = ClaimRequest {
            worker,
            claim_id: engine.clock().id().to_string(),
            queues: vec![QUEUE.to_owned()],
            labels: Vec::new(),
            max: u32::try_from(permits.len()).unwrap_or(1),
            now: engine.now(),
            lease: limits::LEASE,
        };
        // While others run, ask for the free slots only briefly, so that a slot that comes free meanwhile is asked for, too.
        let wait = if permits.len() == slots { limits::CLAIM_WAIT } else { Duration::from_millis(250) };
        match engine.claim(request, wait).await {
            Ok(leased) => {
                for leased in leased {
                    let permit = permits.pop();
                    let engine = engine.clone();
                    running.spawn(async move {
                        work_on(engine, leased).await;
                        drop(permit);
                    });
                }
            }
            Err(problem) => {
                tracing::error!(%problem, "failed to claim work");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    running.close();
    running.wait().await;
    renewing.abort();
}

/// Renews all held leases in one call, and stops the handlers whose lease is lost or cancelled.
async fn renew(engine: Engine, worker: WorkerId) {
    loop {
        tokio::time::sleep(limits::HEARTBEAT).await;
        let fences = engine.inner.held.fences();
        if fences.is_empty() {
            continue;
        }
        match engine.heartbeat(worker, &fences).await {
            Ok(answers) => {
                for (fence, answer) in answers {
                    match answer {
                        Beat::Renewed => {}
                        Beat::Lost { .. } | Beat::Cancelled => {
                            if let Some((_, _, token)) = engine.inner.held.lock().get(&fence.task) {
                                token.cancel();
                            }
                        }
                    }
                }
            }
            Err(problem) => tracing::warn!(%problem, "failed to renew leases"),
        }
    }
}

async fn work_on(engine: Engine, leased: Leased) {
    let fence = Fence { task: leased.task.id, generation: leased.task.generation };
    let stop = engine.stopping().child_token();
    engine.inner.held.lock().insert(fence.task, (leased.task.run, fence, stop.clone()));
    let outcome = match engine.kinds().named(&leased.run_kind) {
        Ok(kind) => {
            let assignment = Assignment { engine: engine.clone(), leased, stop: stop.clone() };
            // A panic in a handler is a failed task, not a dead worker.
            match AssertUnwindSafe(kind.handle(assignment)).catch_unwind().await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Failed { failure: Failure::new(FailureCode::Internal, "a handler panicked") },
            }
        }
        Err(problem) => Outcome::Failed { failure: Failure::new(FailureCode::Internal, problem.message) },
    };
    finish(&engine, fence, outcome).await;
    engine.inner.held.lock().remove(&fence.task);
}

/// Records the outcome; a store without space or out of reach for a moment is asked again until the lease is lost.
async fn finish(engine: &Engine, fence: Fence, outcome: Outcome) {
    let mut pause = Duration::from_millis(200);
    loop {
        match engine.finish_one(fence, outcome.clone()).await {
            Ok(()) => return,
            Err(problem)
                if matches!(problem.code, model::code::Code::DiskFull | model::code::Code::StoreUnavailable) =>
            {
                tracing::warn!(%problem, "failed to record an outcome; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                if engine.stopping().is_cancelled() {
                    return;
                }
            }
            Err(problem) if problem.code == model::code::Code::LeaseLost => return,
            Err(problem) => {
                tracing::error!(%problem, "failed to record an outcome");
                return;
            }
        }
    }
}

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
    problem::Problem,
    task::Fence,
    worker::{Advertised, LLM, PROTOCOL, Said, Sharing},
};
use store::{Beat, ClaimRequest, Leased, Worker};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Engine,
    dispatch::Dispatch,
    work::{Assignment, Outcome},
};

/// The queue that the embedded worker serves.
pub const QUEUE: &str = "plane";

/// What it is called among the workers.
const NAME: &str = "plane";

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

/// A place among the tasks that are worked on at a time.
pub struct Slot(Mutex<Option<OwnedSemaphorePermit>>);

impl Slot {
    /// Gives the place to the next task. For a handler whose expensive part is over while it still writes down what
    /// came of it; a second call does nothing.
    pub fn free(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Writes the embedded worker down, so that lists show it: it belongs to the plane and serves all projects
/// (D51).
pub(crate) async fn enlist(
    engine: &Engine,
    id: WorkerId,
    slots: usize,
    agents: Vec<Advertised>,
) -> Result<(), Problem> {
    let now = engine.now();
    let said = said(slots, agents);
    let worker = Worker {
        id,
        name: NAME.to_owned(),
        said: said.clone(),
        created_at: now,
        seen_at: now,
        owner: None,
        sharing: Sharing::Project,
        projects: None,
        labels: Vec::new(),
        draining: false,
        revoked_at: None,
        revision: 1,
        told: "offline".to_owned(),
        pairing: None,
    };
    engine
        .store()
        .write(move |tx| {
            let worker = worker.clone();
            Box::pin(async move { Ok::<_, Problem>(tx.worker_put(&worker).await?) })
        })
        .await?;
    engine.worker_says(id, said).await
}

fn said(slots: usize, agents: Vec<Advertised>) -> Said {
    Said {
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        slots: u32::try_from(slots).unwrap_or(1),
        agents,
        // Keys of models never leave servers (X63).
        labels: vec![LLM.to_owned()],
        ..Said::default()
    }
    .bounded()
}

/// Writes down how the agents of the embedded worker are.
pub(crate) async fn say(engine: &Engine, id: WorkerId, agents: Vec<Advertised>) -> Result<(), Problem> {
    engine.worker_says(id, said(engine.slots(), agents)).await
}

/// For how long it is taken for granted what the embedded worker can do: to find out it reads files, which no claim
/// should wait for.
const LABELS: Duration = Duration::from_secs(1);

/// How long a claim of an idle worker waits. Work wakes it at once; what ends the wait is that the machine may have got
/// an agent or a provider's key meanwhile, which a claim that waits does not know of.
const WAIT: Duration = Duration::from_secs(2);

/// Serves the plane's queue until the engine stops, then waits for what runs.
pub(crate) async fn serve(engine: Engine, worker: WorkerId, slots: usize, dispatch: Arc<Dispatch>) {
    let free = Arc::new(Semaphore::new(slots));
    let running = TaskTracker::new();
    let renewing = tokio::spawn(renew(engine.clone(), worker));
    let stopping = engine.stopping().clone();
    let mut labels = Vec::new();
    let mut labels_hold_until = Instant::now();
    while !stopping.is_cancelled() {
        if Instant::now() >= labels_hold_until {
            labels = said(slots, dispatch.advertised()).offered(NAME, &[]).into_iter().collect();
            labels_hold_until = Instant::now() + LABELS;
        }
        // One permit to ask with; the rest of the free ones say how much to ask for.
        let Ok(permit) = free.clone().acquire_owned().await else { break };
        let mut permits = vec![permit];
        while let Ok(more) = free.clone().try_acquire_owned() {
            permits.push(more);
        }
        let request = ClaimRequest {
            worker,
            claim_id: engine.clock().id().to_string(),
            queues: vec![QUEUE.to_owned(), crate::dispatch::QUEUE.to_owned()],
            labels: labels.clone(),
            max: u32::try_from(permits.len()).unwrap_or(1),
            now: engine.now(),
            lease: limits::LEASE,
        };
        // While others run, ask for the free slots only briefly, so that a slot that comes free meanwhile is asked for, too.
        let wait = if permits.len() == slots { WAIT } else { Duration::from_millis(250) };
        match engine.claim(request, wait).await {
            Ok(leased) => {
                for leased in leased {
                    let permit = permits.pop();
                    let engine = engine.clone();
                    running.spawn(work_on(engine, leased, permit));
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

async fn work_on(engine: Engine, leased: Leased, slot: Option<OwnedSemaphorePermit>) {
    let fence = Fence { task: leased.task.id, generation: leased.task.generation };
    let stop = engine.stopping().child_token();
    engine.inner.held.lock().insert(fence.task, (leased.task.run, fence, stop.clone()));
    let outcome = match engine.kinds().named(&leased.run_kind) {
        Ok(kind) => {
            let slot = Slot(Mutex::new(slot));
            let assignment = Assignment { engine: engine.clone(), leased, stop: stop.clone(), slot };
            // A panic in a handler is a failed task, not a dead worker.
            match AssertUnwindSafe(kind.handle(assignment)).catch_unwind().await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::failed(Failure::new(FailureCode::Internal, "a handler panicked")),
            }
        }
        Err(problem) => Outcome::failed(Failure::new(FailureCode::Internal, problem.message)),
    };
    // The handler took its slot with it: the next task may begin while this is written down.
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

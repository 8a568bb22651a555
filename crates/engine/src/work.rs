//! Work: claim, renew, append, finish, give back. Remote and embedded workers make the same calls.

mod back;
mod outcome;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use model::{
    code::Code,
    id::{ArtifactId, RunId, WorkerId},
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    task::{Fence, Task, TaskState},
    time::Timestamp,
    worker::Reach,
};
use serde_json::json;
use store::{Artifact, Beat, BlobRef, ClaimRequest, Leased, Released, Tx};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use back::{lost, returned};
pub use outcome::Outcome;

use crate::{Engine, kind::Event, ledger, runs, worker::Slot};

/// Why a worker gives back what it held when it died.
pub const WORKER_RESTARTED: &str = "worker_restarted";

/// Why a worker gives back a task that waits for people. While one of its questions is open it is blocked, and costs
/// no attempt; was the last one just answered, it is ready (S58).
pub const WAITS_FOR_ANSWER: &str = "waits_for_answer";

/// A leased task on its way through a handler of the embedded worker.
pub struct Assignment {
    /// The engine, for reading and for appending behind the fence.
    pub engine: Engine,
    /// The task and its lease.
    pub leased: Leased,
    /// Fires when the run is cancelled, the lease is lost or the plane stops.
    pub stop: CancellationToken,
    /// Its place among the tasks that are worked on at a time.
    pub slot: Slot,
}

impl Assignment {
    /// The fence of this lease.
    pub fn fence(&self) -> Fence {
        Fence { task: self.leased.task.id, generation: self.leased.task.generation }
    }
}

impl Engine {
    /// Hands out ready tasks, waiting up to `wait` for the first. Interest is registered before the
    /// queue is read (D52). It returns early, with nothing, when the worker is told to drain.
    pub async fn claim(&self, request: ClaimRequest, wait: Duration) -> Result<Vec<Leased>, Problem> {
        let deadline = Instant::now() + wait.min(limits::CLAIM_WAIT);
        let worker = request.worker;
        self.heard_of(worker);
        let waiting =
            self.inner.waiters.wait(worker, request.queues.clone(), request.labels.iter().cloned(), request.max);
        loop {
            // Polls are answered at once when the plane stops, so that workers come back instead of hanging (D65).
            if self.inner.stopping.is_cancelled() {
                return Ok(Vec::new());
            }
            let request = ClaimRequest { now: self.now(), ..request.clone() };
            let Some(leased) = self.claim_within_budget(request).await? else { continue };
            waiting.took(leased.len());
            for leased in &leased {
                let fence = Fence { task: leased.task.id, generation: leased.task.generation };
                self.inner.contacts.holds(worker, fence);
                self.inner.contacts.works(worker, self.now());
            }
            if !leased.is_empty() || Instant::now() >= deadline || self.is_out_of_work(worker, wait).await? {
                return Ok(leased);
            }
            tokio::select! {
                () = waiting.woken() => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = self.inner.stopping.cancelled() => {}
            }
        }
    }

    /// Whether a worker that waits has nothing to wait for: it is draining or revoked.
    async fn is_out_of_work(&self, worker: WorkerId, wait: Duration) -> Result<bool, Problem> {
        if wait.is_zero() {
            return Ok(true);
        }
        let reach =
            self.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.worker_reach(worker).await?) }));
        Ok(reach.await? == Reach::Nothing)
    }

    /// Renews leases in one call and says which are lost or cancelled (D54).
    pub async fn heartbeat(&self, worker: WorkerId, held: &[Fence]) -> Result<Vec<(Fence, Beat)>, Problem> {
        self.heard_of(worker);
        if !held.is_empty() {
            self.inner.contacts.works(worker, self.now());
        }
        Ok(self.store().heartbeat(worker, held, self.now()).await?)
    }

    /// As [`Engine::heartbeat`], on arrival; then waits up to `wait` for news of the leases or of the worker,
    /// and says what it found last (D54).
    pub async fn heartbeat_and_hear(
        &self,
        worker: WorkerId,
        held: &[Fence],
        wait: Duration,
    ) -> Result<Vec<(Fence, Beat)>, Problem> {
        let deadline = Instant::now() + wait.min(limits::HEARTBEAT_WAIT);
        let tasks: Vec<_> = held.iter().map(|fence| fence.task).collect();
        let runs = self
            .store()
            .read(move |tx| {
                let tasks = tasks.clone();
                Box::pin(async move {
                    let mut runs = Vec::new();
                    for task in tasks {
                        runs.extend(tx.task(task).await?.map(|task| task.run));
                    }
                    Ok::<_, Problem>(runs)
                })
            })
            .await?;
        // Before the leases are renewed: what happens from here on is not missed.
        let hearing = self.inner.waiters.hear(worker, runs);
        // Other replicas cannot wake this one, so it looks for itself.
        let look = if self.store().kind() == "sqlite" { limits::HEARTBEAT_WAIT } else { Duration::from_secs(1) };
        let mut first = true;
        loop {
            let beats = self.heartbeat(worker, held).await?;
            let news = beats.iter().any(|(_, beat)| *beat != Beat::Renewed);
            let told = !first;
            if news || Instant::now() >= deadline || self.inner.stopping.is_cancelled() {
                return Ok(beats);
            }
            if told && self.is_out_of_work(worker, wait).await? {
                return Ok(beats);
            }
            first = false;
            let nap = deadline.min(Instant::now() + look);
            tokio::select! {
                () = hearing.woken() => {}
                () = tokio::time::sleep_until(nap) => {}
                () = self.inner.stopping.cancelled() => {}
            }
        }
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

    /// As [`Engine::append`] for entries out of an outbox, each of which is taken once (D57). The phases among
    /// them are told to the project's stream in the same transaction (D68).
    ///
    /// # Errors
    /// As [`Engine::append`].
    pub async fn append_once(
        &self,
        worker: WorkerId,
        fence: Fence,
        entries: Vec<(String, NewEntry)>,
    ) -> Result<store::Taken, Problem> {
        let now = self.now();
        let entries: Arc<[(String, NewEntry)]> = entries.into();
        self.store()
            .write(move |tx| {
                let entries = entries.clone();
                Box::pin(async move {
                    let mut run = None;
                    if entries.iter().any(|(_, entry)| entry.kind == "task.phase")
                        && let Some(task) = tx.task(fence.task).await?
                    {
                        // Before the task and the stream, as every transaction that holds a run.
                        run = tx.run_lock(task.run).await?.filter(|run| run.kind.name() == "dispatch");
                    }
                    let (taken, fresh) = tx.journal_append_once(fence, &entries, now).await?;
                    if let Some(run) = &mut run
                        && !run.status.is_terminal()
                        && !run.cancelling
                        && let Some(last) = fresh.iter().rev().find(|entry| entry.kind == "task.phase")
                        && let Some(phase) = last.data["phase"].as_str().filter(|phase| phase.len() <= 40)
                    {
                        // A run of one agent is in the phase of its task.
                        runs::enter(tx, run, phase, now).await?;
                    }
                    let phases: Vec<_> = fresh.iter().filter(|entry| entry.kind == "task.phase").collect();
                    if !phases.is_empty()
                        && let Some(task) = tx.task(fence.task).await?
                    {
                        let name = tx.worker(worker).await?.map(|worker| worker.name);
                        let told: Vec<_> = phases
                            .into_iter()
                            .map(|entry| {
                                let data = json!({
                                    "worker": worker, "name": name, "run": task.run, "task": task.id, "kind": task.kind,
                                    "phase": entry.data["phase"],
                                });
                                NewEntry::new("worker.activity", data)
                            })
                            .collect();
                        tx.journal_append(StreamId::Project(task.project), &told, now).await?;
                    }
                    Ok::<_, Problem>(taken)
                })
            })
            .await
    }

    /// Keeps an artifact of a task whose bytes are durable already, behind the fence (D58). The same again
    /// is answered with what is there, and `false`.
    ///
    /// # Errors
    /// As [`Engine::append`]; 413 when the run has too many bytes of them.
    pub async fn keep_artifact(
        &self,
        fence: Fence,
        name: &str,
        media_type: &str,
        blob: BlobRef,
    ) -> Result<(Artifact, bool), Problem> {
        let now = self.now();
        let id = ArtifactId::from_uuid(self.clock().id());
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        self.store()
            .write(move |tx| {
                let (name, media_type) = (name.clone(), media_type.clone());
                Box::pin(async move {
                    let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
                    let known = tx.artifacts(task.run).await?.into_iter().find(|known| {
                        known.task == Some(task.id)
                            && known.name == name
                            && known.digest == blob.digest
                            && !known.expired
                    });
                    if let Some(known) = known {
                        return Ok((known, false));
                    }
                    if tx.artifact_bytes(task.run).await? + blob.bytes > limits::WORKER_ARTIFACTS {
                        let message =
                            format!("a run keeps {} MiB of artifacts at most", limits::WORKER_ARTIFACTS >> 20);
                        return Err(Problem::new(Code::TooLarge, message).with("limit", limits::WORKER_ARTIFACTS));
                    }
                    let artifact = Artifact {
                        id,
                        run: task.run,
                        task: Some(task.id),
                        name,
                        digest: blob.digest,
                        bytes: blob.bytes,
                        media_type,
                        created_at: now,
                        expired: false,
                    };
                    let data = json!({
                        "artifact": id, "task": task.id, "name": artifact.name, "digest": artifact.digest,
                        "bytes": artifact.bytes, "media_type": artifact.media_type,
                    });
                    // The fence is checked by the entry.
                    tx.journal_append_fenced(fence, &[NewEntry::new("artifact.added", data)], now).await?;
                    tx.artifact_insert(&artifact).await?;
                    Ok((artifact, true))
                })
            })
            .await
    }

    /// Records outcomes together with everything that follows from them. Each answer stands for itself:
    /// those of kinds that take many at once share a transaction, every other has its own.
    pub async fn finish(&self, outcomes: Vec<(Fence, Outcome)>) -> Vec<Result<(), Problem>> {
        let mut answers: Vec<Option<Result<(), Problem>>> = match self.finish_together(&outcomes).await {
            Ok(answers) => answers,
            // Whatever stood in the way of one shall not stand in the way of the others.
            Err(problem) => {
                tracing::debug!(%problem, "a batch of outcomes is recorded one by one");
                outcomes.iter().map(|_| None).collect()
            }
        };
        let rest = outcomes.into_iter().zip(&answers).enumerate().filter(|(_, (_, answer))| answer.is_none());
        let rest: Vec<_> = rest.map(|(at, (one, _))| (at, one)).collect();
        let ended = join_all(
            rest.into_iter().map(|(at, (fence, outcome))| async move { (at, self.finish_one(fence, outcome).await) }),
        );
        for (at, answer) in ended.await {
            answers[at] = Some(answer);
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Ok(()))).collect()
    }

    /// Records what can be recorded in one transaction; `None` for what has to be on its own.
    async fn finish_together(
        &self,
        outcomes: &[(Fence, Outcome)],
    ) -> Result<Vec<Option<Result<(), Problem>>>, Problem> {
        if outcomes.len() < 2 {
            return Ok(outcomes.iter().map(|_| None).collect());
        }
        let (engine, now) = (self.clone(), self.now());
        let outcomes: Arc<[(Fence, Option<store::Outcome>)]> =
            // What costs money is booked with its end, one by one.
            outcomes
                .iter()
                .map(|(fence, outcome)| (*fence, outcome.recorded().filter(|_| outcome.spent().is_none())))
                .collect();
        self.store()
            .write(move |tx| {
                let (engine, outcomes) = (engine.clone(), outcomes.clone());
                Box::pin(async move {
                    let ids: Vec<_> = outcomes.iter().map(|(fence, _)| fence.task).collect();
                    let kinds = tx.run_kinds_of(&ids).await?;
                    let together = |fence: &Fence| {
                        let kind = kinds.get(&fence.task).and_then(|kind| engine.kinds().named(kind).ok());
                        kind.is_some_and(|kind| kind.takes_many())
                    };
                    let mut places = Vec::new();
                    let mut recorded = Vec::new();
                    for (at, (fence, outcome)) in outcomes.iter().enumerate() {
                        if let Some(outcome) = outcome.as_ref().filter(|_| together(fence)) {
                            places.push(at);
                            recorded.push((*fence, outcome.clone()));
                        }
                    }
                    let mut answers: Vec<Option<Result<(), Problem>>> = outcomes.iter().map(|_| None).collect();
                    let mut by_run: BTreeMap<RunId, Vec<Task>> = BTreeMap::new();
                    for (at, finished) in places.into_iter().zip(tx.tasks_finish(&recorded, now).await?) {
                        answers[at] = Some(match finished {
                            Ok(finished) => {
                                if !finished.repeated {
                                    by_run.entry(finished.task.run).or_default().push(finished.task);
                                }
                                Ok(())
                            }
                            Err(refused) => Err(refused.into()),
                        });
                    }
                    // In the order of their ids, as every transaction that holds several runs.
                    for (run, tasks) in by_run {
                        ended_many(&engine, tx, run, &tasks, now).await?;
                    }
                    Ok(answers)
                })
            })
            .await
    }

    /// Records one outcome. The same outcome again is answered like the first time (D59).
    pub async fn finish_one(&self, fence: Fence, outcome: Outcome) -> Result<(), Problem> {
        let (engine, now) = (self.clone(), self.now());
        let spent = outcome.spent();
        let outcome = Arc::new(outcome);
        let used_up = self
            .store()
            .write(move |tx| {
                let (engine, outcome) = (engine.clone(), outcome.clone());
                Box::pin(async move {
                    // In one transaction with the end that it belongs to.
                    if let Some(spent) = outcome.spent() {
                        ledger::book(tx, fence, spent, now).await?;
                    }
                    if let Outcome::Released { reason, not_before, .. } = &*outcome {
                        if reason == WAITS_FOR_ANSWER && back::parked(&engine, tx, fence, now).await? {
                            return Ok(None);
                        }
                        // A worker that died over a task may die over it again (D59).
                        let counts = reason == WORKER_RESTARTED;
                        return Ok(match tx.task_release(fence, reason, counts, *not_before, now).await? {
                            Released::Cancelled(task) => {
                                ended(&engine, tx, task, now).await?;
                                None
                            }
                            Released::Requeued(_) => None,
                            Released::AttemptsUsedUp(task) => Some(task),
                        });
                    }
                    if let Outcome::Failed { failure, .. } = &*outcome
                        && back::tried_again(&engine, tx, fence, failure, now).await?
                    {
                        return Ok(None);
                    }
                    let Some(recorded) = outcome.recorded() else { return Ok(None) };
                    let finished = tx.task_finish(fence, &recorded, now).await?;
                    if !finished.repeated {
                        ended(&engine, tx, finished.task, now).await?;
                    }
                    Ok::<_, Problem>(None)
                })
            })
            .await;
        // Who comes too late is refused; what it spent is spent all the same (D34).
        if let (Err(problem), Some(spent)) = (&used_up, spent)
            && matches!(problem.code, Code::LeaseLost | Code::WrongState)
        {
            self.book(fence, spent).await?;
        }
        match used_up? {
            // Should this process die before it gets here, the sweep comes to the same end.
            Some(task) => lost(self, &task, false).await,
            None => Ok(()),
        }
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

/// As [`ended`], for tasks of one run that were recorded together.
async fn ended_many(engine: &Engine, tx: &mut Tx, run: RunId, tasks: &[Task], now: Timestamp) -> Result<(), Problem> {
    let Some(mut run) = tx.run_lock(run).await? else { return Ok(()) };
    if run.status.is_terminal() {
        return Ok(());
    }
    let kind = engine.kinds().named(&run.kind)?;
    kind.on_many(tx, &mut run, tasks, now).await?;
    runs::after_change(&*kind, tx, &mut run, now).await
}

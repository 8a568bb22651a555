//! Leases: renewing, losing, giving back, finishing; everything behind a fence.

use model::{
    id::{ProjectId, RunId, TaskId, WorkerId},
    journal::{Level, NewEntry, StreamId},
    limits,
    run::RunKind,
    task::{Fence, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::json;

use crate::{
    error::{LostReason, StoreError},
    sql::statements,
    store::{Backend, Store},
    task::{Kept, TaskChange},
    tx::Tx,
    value::Row,
};

/// Releases of one task that cost no attempt at most (D59).
const EXEMPT_RELEASES: u32 = 10;
/// Expired leases that one sweep takes.
const REAP: u32 = 200;

statements! {
    FENCE => sqlite "SELECT run, state, generation, worker FROM task WHERE id = $1",
        postgres "SELECT run, state, generation, worker FROM task WHERE id = $1 FOR NO KEY UPDATE";
    RENEW = "UPDATE task_lease SET expires_at = $4 + length WHERE task = $1 AND generation = $2 AND worker = $3
        RETURNING run";
    /// Work of a run that has ended is to stop, too, whoever forgot to cancel it.
    CANCELLING = "SELECT CASE WHEN cancelling <> 0 OR finished_at IS NOT NULL THEN 1 ELSE 0 END FROM run WHERE id = $1";
    RETAKE = "UPDATE task SET state = 'leased' WHERE id = $1 AND state = 'ready' AND generation = $2";
    UNREADY = "DELETE FROM task_ready WHERE task = $1";
    LEASE = "INSERT INTO task_lease (task, run, worker, claim_id, generation, expires_at, length, claimed_at)
        VALUES ($1, $2, $3, '', $4, $5, $6, $7) ON CONFLICT (task) DO NOTHING";
    /// The newest claim stands with the task; those that went back before it have a row each.
    HOLDER = "SELECT t.worker FROM task t WHERE t.id = $1 AND t.generation = $2
        UNION ALL SELECT h.worker FROM task_held h WHERE h.task = $1 AND h.generation = $2";
    HELD = "INSERT INTO task_held (task, generation, worker)
        SELECT id, generation, worker FROM task WHERE id = $1 AND worker IS NOT NULL ON CONFLICT DO NOTHING";
    HELD_NOW = "SELECT l.worker, l.task, l.run, l.claimed_at, t.project, t.kind, t.subject, t.attempt, r.kind
        FROM task_lease l JOIN task t ON t.id = l.task JOIN run r ON r.id = l.run ORDER BY l.claimed_at, l.task";
    OF_WORKER = "SELECT task, generation FROM task_lease WHERE worker = $1 ORDER BY run, task";
    EXPIRED = "SELECT l.task, l.generation FROM task_lease l WHERE l.expires_at <= $1 ORDER BY l.run, l.task LIMIT $2";
    /// A renewal may be on its way in another transaction: this waits for it, and then finds nothing.
    STILL => sqlite "", postgres "SELECT 1 FROM task_lease WHERE task = $1 AND expires_at <= $2 FOR UPDATE";
    END_NOW = "UPDATE task_lease SET expires_at = $2 WHERE task = $1";
    NOT_BEFORE = "UPDATE task SET not_before = $2, attempt = $3, exempt = $4 WHERE id = $1";
    SHIFT_LEASES = "UPDATE task_lease SET expires_at = expires_at + $1";
    SHIFT_READY = "UPDATE task_ready SET not_before = not_before + $1 WHERE not_before > 0";
    SHIFT_TASKS = "UPDATE task SET not_before = not_before + $1 WHERE not_before IS NOT NULL AND state = 'ready'";
    SHIFT_RUNS = "UPDATE run SET queue_deadline = queue_deadline + $1, run_deadline = run_deadline + $1,
        cancel_deadline = cancel_deadline + $1 WHERE status IN ('queued', 'running', 'waiting', 'paused')";
    SHIFT_LEADERS = "UPDATE leader SET until = until + $1";
}

/// What a heartbeat found about one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// It lasts on.
    Renewed,
    /// It is gone: stop, and drop what there is of it.
    Lost {
        /// Why.
        reason: LostReason,
    },
    /// It lasts on, but its run is being cancelled: stop and finish or release.
    Cancelled,
}

/// A task in a worker's hands, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The holder.
    pub worker: WorkerId,
    /// The task.
    pub task: TaskId,
    /// Its run.
    pub run: RunId,
    /// Since when.
    pub claimed_at: Timestamp,
    /// The run's project.
    pub project: ProjectId,
    /// What the task does.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Which attempt it is.
    pub attempt: u32,
    /// What its run does.
    pub run_kind: RunKind,
}

/// What became of a task whose lease ran out.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaped {
    /// It is ready again, and its run's journal says so.
    Requeued(Task),
    /// It was claimed as often as allowed. It stays leased until [`Tx::task_lost`] ends it.
    AttemptsUsedUp(Task),
    /// Its run is being cancelled, or has ended. It stays leased until [`Tx::task_lost`] ends it.
    Cancelling(Task),
}

/// What became of a task that its holder gave back.
#[derive(Debug, Clone, PartialEq)]
pub enum Released {
    /// It is ready again, and its run's journal says so.
    Requeued(Task),
    /// It was claimed as often as allowed; the next sweep returns it as [`Reaped::AttemptsUsedUp`].
    AttemptsUsedUp(Task),
    /// Its run is being cancelled, and it ended so.
    Cancelled(Task),
}

impl Store {
    /// Renews a worker's leases and tells what it lost.
    pub async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[Fence],
        now: Timestamp,
    ) -> Result<Vec<(Fence, Beat)>, StoreError> {
        let mut held = held.to_vec();
        held.sort_unstable_by_key(|fence| fence.task);
        self.write(move |tx| {
            let held = held.clone();
            Box::pin(async move {
                let mut beats = Vec::with_capacity(held.len());
                for fence in held {
                    beats.push((fence, tx.lease_renew(worker, fence, now).await?));
                }
                Ok(beats)
            })
        })
        .await
    }

    /// Puts tasks whose lease ran out back, or hands them over for their planner to end.
    pub async fn reap(&self, now: Timestamp) -> Result<Vec<Reaped>, StoreError> {
        self.write(move |tx| Box::pin(async move { tx.leases_reap(now).await })).await
    }

    /// Gives a task back.
    pub async fn release(
        &self,
        fence: Fence,
        reason: &str,
        counts_attempt: bool,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Released, StoreError> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            let reason = reason.clone();
            Box::pin(async move { tx.task_release(fence, &reason, counts_attempt, not_before, now).await })
        })
        .await
    }

    /// Gives back all leases of a worker that is known to be gone, each at the cost of an attempt. What
    /// became of each task; the caller ends those that are not tried again, and the reaper does where the
    /// caller dies first.
    pub async fn return_leases(
        &self,
        worker: WorkerId,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<Released>, StoreError> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            let reason = reason.clone();
            Box::pin(async move {
                let rows = tx.query(&OF_WORKER, &[worker.into()]).await?;
                let mut returned = Vec::with_capacity(rows.len());
                for mut row in rows {
                    let fence = Fence { task: TaskId::from_uuid(row.uuid()?), generation: row.u32()? };
                    returned.push(tx.task_release(fence, &reason, true, None, now).await?);
                }
                Ok(returned)
            })
        })
        .await
    }

    /// Appends a worker's entries behind its fence; gives the last number.
    pub async fn append(&self, fence: Fence, entries: Vec<NewEntry>, now: Timestamp) -> Result<u64, StoreError> {
        if let Backend::Postgres(postgres) = self.backend()
            && let Some(appends) = postgres.appends()
        {
            return appends.append(fence, entries, now).await;
        }
        self.write(move |tx| {
            let entries = entries.clone();
            Box::pin(async move { Ok(tx.journal_append_fenced(fence, &entries, now).await?.end - 1) })
        })
        .await
    }

    /// Moves every expiry by a step of the clock, so that a step neither ends nor prolongs a lease
    /// (X62).
    pub async fn shift_expiries(&self, micros: i64) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                for text in [&SHIFT_LEASES, &SHIFT_READY, &SHIFT_TASKS, &SHIFT_RUNS, &SHIFT_LEADERS] {
                    tx.exec(text, &[micros.into()]).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

pub(crate) const fn lost(task: TaskId, reason: LostReason) -> StoreError {
    StoreError::LeaseLost { task, reason }
}

/// Why a fence that is not admitted is not.
pub(crate) const fn refusal(fence: Fence, state: TaskState, newest: u32) -> StoreError {
    match state {
        TaskState::Cancelled => lost(fence.task, LostReason::Cancelled),
        TaskState::Done | TaskState::Failed => lost(fence.task, LostReason::Finished),
        TaskState::Blocked | TaskState::Ready | TaskState::Leased => {
            if fence.generation == 0 || fence.generation > newest {
                StoreError::NotFound("task")
            } else {
                lost(fence.task, LostReason::Reclaimed)
            }
        }
    }
}

impl Tx {
    /// Checks a fence and holds the task against a new claim until this transaction ends. A lapsed
    /// lease that nobody claimed since is taken up again under its old attempt (D56).
    pub(crate) async fn fence_hold(&mut self, fence: Fence, now: Timestamp) -> Result<RunId, StoreError> {
        let Some(mut row) = self.query_opt(&FENCE, &[fence.task.into()]).await? else {
            return Err(StoreError::NotFound("task"));
        };
        let run = RunId::from_uuid(row.uuid()?);
        let state = row.named(TaskState::by_name)?;
        let newest = row.u32()?;
        if !fence.admits(state, newest) {
            return Err(refusal(fence, state, newest));
        }
        if state == TaskState::Ready
            && let Some(worker) = row.opt_uuid()?
        {
            self.lease_retake(fence, run, WorkerId::from_uuid(worker), now).await?;
        }
        Ok(run)
    }

    async fn lease_retake(
        &mut self,
        fence: Fence,
        run: RunId,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.exec(&UNREADY, &[fence.task.into()]).await?;
        if self.exec(&RETAKE, &[fence.task.into(), fence.generation.into()]).await? == 1 {
            let length = i64::try_from(limits::LEASE.as_micros()).unwrap_or(i64::MAX);
            let params = [
                fence.task.into(),
                run.into(),
                worker.into(),
                fence.generation.into(),
                now.plus(limits::LEASE).into(),
                length.into(),
                now.into(),
            ];
            self.exec(&LEASE, &params).await?;
        }
        Ok(())
    }

    /// Renews one lease of a worker. A list of leases never extends another worker's or an old one.
    pub async fn lease_renew(&mut self, worker: WorkerId, fence: Fence, now: Timestamp) -> Result<Beat, StoreError> {
        let params = [fence.task.into(), fence.generation.into(), worker.into(), now.into()];
        let run = match self.query_opt(&RENEW, &params).await? {
            Some(mut row) => RunId::from_uuid(row.uuid()?),
            None => match self.lapsed(worker, fence, now).await? {
                Ok(run) => run,
                Err(reason) => return Ok(Beat::Lost { reason }),
            },
        };
        let cancelling = match self.query_opt(&CANCELLING, &[run.into()]).await? {
            Some(mut row) => row.flag()?,
            None => false,
        };
        Ok(if cancelling { Beat::Cancelled } else { Beat::Renewed })
    }

    /// Takes a lapsed lease up again when nobody claimed since, or says why it is lost.
    async fn lapsed(
        &mut self,
        worker: WorkerId,
        fence: Fence,
        now: Timestamp,
    ) -> Result<Result<RunId, LostReason>, StoreError> {
        let kept = match self.task_lock(fence.task).await? {
            Some(kept) => kept.task,
            None => return Ok(Err(LostReason::Revoked)),
        };
        if !fence.admits(kept.state, kept.generation) {
            return Ok(Err(match refusal(fence, kept.state, kept.generation) {
                StoreError::LeaseLost { reason, .. } => reason,
                _ => LostReason::Revoked,
            }));
        }
        let mut row = self.query_one(&FENCE, &[fence.task.into()]).await?;
        let run = RunId::from_uuid(row.uuid()?);
        let (_, _, holder) = (row.value(), row.value(), row.opt_uuid()?);
        if holder != Some(worker.uuid()) {
            return Ok(Err(LostReason::Revoked));
        }
        if kept.state == TaskState::Ready {
            self.lease_retake(fence, run, worker, now).await?;
        }
        Ok(Ok(run))
    }

    /// The worker that made this claim of a task; it never changes. `None`: nobody did.
    pub async fn holder(&mut self, fence: Fence) -> Result<Option<WorkerId>, StoreError> {
        let row = self.query_opt(&HOLDER, &[fence.task.into(), fence.generation.into()]).await?;
        Ok(match row {
            Some(mut row) => row.opt_uuid()?.map(WorkerId::from_uuid),
            None => None,
        })
    }

    /// Every task that is in a worker's hands now, the longest held first.
    pub async fn held_now(&mut self) -> Result<Vec<Held>, StoreError> {
        let rows = self.query(&HELD_NOW, &[]).await?;
        let held = |mut row: Row| {
            Ok(Held {
                worker: WorkerId::from_uuid(row.uuid()?),
                task: TaskId::from_uuid(row.uuid()?),
                run: RunId::from_uuid(row.uuid()?),
                claimed_at: row.time()?,
                project: ProjectId::from_uuid(row.uuid()?),
                kind: row.text()?,
                subject: row.text()?,
                attempt: row.u32()?,
                run_kind: RunKind::from_text(row.text()?),
            })
        };
        rows.into_iter().map(held).collect()
    }

    /// As [`Store::reap`], inside a transaction.
    pub async fn leases_reap(&mut self, now: Timestamp) -> Result<Vec<Reaped>, StoreError> {
        let rows = self.query(&EXPIRED, &[now.into(), REAP.into()]).await?;
        let mut reaped = Vec::with_capacity(rows.len());
        for mut row in rows {
            let fence = Fence { task: TaskId::from_uuid(row.uuid()?), generation: row.u32()? };
            let Some(kept) = self.task_lock(fence.task).await? else { continue };
            // Between the look and the lock it may have been renewed, finished or claimed.
            if !self.has_expired(&kept.task, fence, now).await? {
                continue;
            }
            if self.is_cancelling(kept.task.run).await? {
                reaped.push(Reaped::Cancelling(kept.task));
            } else if kept.task.attempt >= kept.task.max_attempts {
                reaped.push(Reaped::AttemptsUsedUp(kept.task));
            } else if let Some(task) = self.requeue(kept, "lease_expired", now).await? {
                reaped.push(Reaped::Requeued(task));
            }
        }
        Ok(reaped)
    }

    async fn is_cancelling(&mut self, run: RunId) -> Result<bool, StoreError> {
        match self.query_opt(&CANCELLING, &[run.into()]).await? {
            Some(mut row) => row.flag(),
            None => Ok(false),
        }
    }

    async fn has_expired(&mut self, task: &Task, fence: Fence, now: Timestamp) -> Result<bool, StoreError> {
        if !expired(task, fence, now) || self.is_sqlite() || task.lease.is_none() {
            return Ok(expired(task, fence, now));
        }
        Ok(self.query_opt(&STILL, &[fence.task.into(), now.into()]).await?.is_some())
    }

    async fn requeue(&mut self, kept: Kept, reason: &str, now: Timestamp) -> Result<Option<Task>, StoreError> {
        self.exec(&HELD, &[kept.task.id.into()]).await?;
        let Some(task) = self.task_change(kept, &TaskChange::new(TaskEvent::Requeued), None, now).await? else {
            return Ok(None);
        };
        let data = json!({
            "task": task.id, "kind": task.kind, "subject": task.subject, "attempt": task.attempt,
            "generation": task.generation, "reason": reason,
        });
        let entry = NewEntry::new("task.requeued", data).at_level(Level::Warning);
        self.journal_append(StreamId::Run(task.run), &[entry], now).await?;
        Ok(Some(task))
    }

    /// Ends a task whose lease has run out for good. `None`: its holder came back, or it is over.
    pub async fn task_lost(
        &mut self,
        fence: Fence,
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        match self.task_lock(fence.task).await? {
            Some(kept) if self.has_expired(&kept.task, fence, now).await? => {
                self.task_change(kept, change, None, now).await
            }
            Some(_) | None => Ok(None),
        }
    }

    /// As [`Store::release`], inside a transaction.
    pub async fn task_release(
        &mut self,
        fence: Fence,
        reason: &str,
        counts_attempt: bool,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Released, StoreError> {
        let Some(mut kept) = self.task_lock(fence.task).await? else { return Err(StoreError::NotFound("task")) };
        let (state, newest) = (kept.task.state, kept.task.generation);
        if !fence.admits(state, newest) {
            return Err(refusal(fence, state, newest));
        }
        if self.is_cancelling(kept.task.run).await? {
            let task = kept.task.clone();
            let ended = self.task_change(kept, &TaskChange::new(TaskEvent::Cancelled), None, now).await?;
            return Ok(Released::Cancelled(ended.unwrap_or(task)));
        }
        if state == TaskState::Ready {
            return Ok(Released::Requeued(kept.task));
        }
        if !counts_attempt && kept.exempt < EXEMPT_RELEASES {
            kept.task.attempt = kept.task.attempt.saturating_sub(1);
            kept.exempt += 1;
        } else if kept.task.attempt >= kept.task.max_attempts {
            self.exec(&END_NOW, &[fence.task.into(), now.into()]).await?;
            return Ok(Released::AttemptsUsedUp(kept.task));
        }
        kept.task.not_before = not_before;
        let params = [fence.task.into(), not_before.into(), kept.task.attempt.into(), kept.exempt.into()];
        self.exec(&NOT_BEFORE, &params).await?;
        let task = kept.task.clone();
        Ok(Released::Requeued(self.requeue(kept, reason, now).await?.unwrap_or(task)))
    }

    /// Takes a task back from its holder until people have answered what it asked: it waits for no claim meanwhile,
    /// and the attempt does not count (S58).
    pub async fn task_park(&mut self, fence: Fence, now: Timestamp) -> Result<Released, StoreError> {
        let Some(kept) = self.task_lock(fence.task).await? else { return Err(StoreError::NotFound("task")) };
        if !fence.admits(kept.task.state, kept.task.generation) {
            return Err(refusal(fence, kept.task.state, kept.task.generation));
        }
        if self.is_cancelling(kept.task.run).await? {
            let task = kept.task.clone();
            let ended = self.task_change(kept, &TaskChange::new(TaskEvent::Cancelled), None, now).await?;
            return Ok(Released::Cancelled(ended.unwrap_or(task)));
        }
        let params = [
            fence.task.into(),
            kept.task.not_before.into(),
            kept.task.attempt.saturating_sub(1).into(),
            kept.exempt.into(),
        ];
        self.exec(&NOT_BEFORE, &params).await?;
        self.exec(&HELD, &[fence.task.into()]).await?;
        let task = kept.task.clone();
        let parked = self.task_change(kept, &TaskChange::new(TaskEvent::Parked), None, now).await?;
        Ok(Released::Requeued(parked.unwrap_or(task)))
    }
}

fn expired(task: &Task, fence: Fence, now: Timestamp) -> bool {
    task.state == TaskState::Leased
        && task.generation == fence.generation
        && task.lease.is_none_or(|lease| lease.expires_at <= now)
}

//! Runs: their row, their changes, their counters.

use std::time::Duration;

use model::{
    actor::Actor,
    failure::Failure,
    id::{IssueId, ProjectId, RunId},
    run::{Progress, Run, RunKind, RunStatus},
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::{Moved, Tx},
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "id, project, kind, status, phase, verdict, failure, total, done, failed, config, detail, created_by, cause,
         exclusive_key, retry_of, parent, cancelling, created_at, started_at, finished_at, revision, issue"
    };
}
macro_rules! active {
    () => {
        "status IN ('queued', 'running', 'waiting', 'paused')"
    };
}
pub(crate) use {active, columns};

/// The condition of runs whose work nobody has claimed yet: those that have not begun, and those that the plane has
/// prepared for a worker that did not come (D12).
macro_rules! unclaimed {
    () => {
        "(status = 'queued' OR (status = 'running' AND phase = 'waiting_for_worker'))"
    };
}

statements! {
    INSERT = "INSERT INTO run (id, project, kind, status, phase, verdict, failure, total, done, failed, config, detail,
            created_by, cause, exclusive_key, retry_of, parent, cancelling, created_at, started_at, finished_at, revision,
            queue_deadline, run_deadline, issue, starter)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25, $26) ON CONFLICT DO NOTHING";
    EXCLUSIVE = concat!("SELECT id FROM run WHERE project = $1 AND exclusive_key = $2 AND ", active!());
    BY_ID = concat!("SELECT ", columns!(), " FROM run WHERE id = $1");
    LOCK => sqlite concat!("SELECT ", columns!(), " FROM run WHERE id = $1"),
        postgres concat!("SELECT ", columns!(), " FROM run WHERE id = $1 FOR UPDATE");
    CHANGE => sqlite concat!("UPDATE run SET status = coalesce($3, status), phase = coalesce($4, phase),
            verdict = coalesce($5, verdict), failure = coalesce($6, failure), detail = coalesce($7, detail),
            cancelling = coalesce($8, cancelling), cancel_deadline = coalesce($9, cancel_deadline),
            started_at = coalesce(started_at, $10), finished_at = coalesce(finished_at, $11), revision = revision + 1
         WHERE id = $1 AND status IN (SELECT value FROM json_each($2)) RETURNING ", columns!()),
        postgres concat!("UPDATE run SET status = coalesce($3, status), phase = coalesce($4, phase),
            verdict = coalesce($5, verdict), failure = coalesce($6, failure), detail = coalesce($7, detail),
            cancelling = coalesce($8, cancelling), cancel_deadline = coalesce($9, cancel_deadline),
            started_at = coalesce(started_at, $10), finished_at = coalesce(finished_at, $11), revision = revision + 1
         WHERE id = $1 AND status = ANY($2) RETURNING ", columns!());
    PATIENCE = "UPDATE run SET queue_deadline = queue_deadline + $2 WHERE id = $1";
    UNLOCK = "UPDATE run SET exclusive_key = NULL WHERE id = $1";
    HOLD = "UPDATE task_ready SET held = 1 WHERE run = $1 AND held <> 1";
    FREE = "UPDATE task_ready SET held = CASE WHEN (SELECT slots FROM run WHERE id = $1) IS NULL THEN 0 ELSE 2 END
        WHERE run = $1 AND held = 1";
    SLOTS = "UPDATE run SET slots = $2 WHERE id = $1";
    SLOTTED = "UPDATE task SET slotted = $2 WHERE run = $1 AND state IN ('blocked', 'ready', 'leased')";
    UNSLOT = "UPDATE task_ready SET held = CASE WHEN CAST($2 AS bigint) = 0 THEN 0 ELSE 2 END WHERE run = $1 AND held <> 1";
    /// Lets as many waiting tasks of a run be claimed as it has free slots. Leased tasks and those that
    /// may be claimed together are never more than the slots, so that claims need not count.
    FILL = "UPDATE task_ready SET held = 0 WHERE task IN (
            SELECT q.task FROM task_ready q WHERE q.run = $1 AND q.held = 2 ORDER BY q.priority DESC, q.turn
             LIMIT (SELECT CASE WHEN slots IS NULL THEN 0 WHEN slots <= taken THEN 0 ELSE slots - taken END FROM (
                 SELECT r.slots AS slots, (SELECT count(*) FROM task t WHERE t.run = $1 AND t.state = 'leased')
                    + (SELECT count(*) FROM task_ready o WHERE o.run = $1 AND o.held = 0) AS taken
                 FROM run r WHERE r.id = $1) free))
        RETURNING queue";
    DUE = concat!("SELECT id, CASE WHEN cancelling <> 0 AND cancel_deadline <= $1 THEN 'cancel'
            WHEN ", unclaimed!(), " AND queue_deadline <= $1 THEN 'queue' ELSE 'run' END
        FROM run WHERE ", active!(), " AND ((cancelling <> 0 AND cancel_deadline <= $1)
            OR (", unclaimed!(), " AND queue_deadline <= $1) OR run_deadline <= $1) ORDER BY id LIMIT 500");
    PROGRESS = "UPDATE run SET total = total + $2, done = done + $3, failed = failed + $4, revision = revision + 1
        WHERE id = $1";
    RECOUNT = "SELECT count(*), count(finished_at), CAST(coalesce(sum(bad), 0) AS bigint) FROM task
        WHERE run = $1 AND counted <> 0";
    SET_PROGRESS = "UPDATE run SET total = $2, done = $3, failed = $4, revision = revision + 1 WHERE id = $1";
    START = "UPDATE run SET status = 'running', started_at = coalesce(started_at, $2), revision = revision + 1
        WHERE id = $1 AND status = 'queued' AND cancelling = 0 RETURNING issue, revision";
}

pub(crate) fn run(mut row: Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: RunId::from_uuid(row.uuid()?),
        project: ProjectId::from_uuid(row.uuid()?),
        kind: RunKind::from_text(row.text()?),
        status: row.named(RunStatus::by_name)?,
        phase: row.text()?,
        verdict: row.opt_text()?,
        failure: row.opt_json()?,
        progress: Progress { total: row.u32()?, done: row.u32()?, failed: row.u32()? },
        config: row.json()?,
        detail: row.json()?,
        created_by: row.json()?,
        trigger: row.json()?,
        exclusive_key: row.opt_text()?,
        retry_of: row.opt_uuid()?.map(RunId::from_uuid),
        parent: row.opt_uuid()?.map(RunId::from_uuid),
        cancelling: row.flag()?,
        created_at: row.time()?,
        started_at: row.opt_time()?,
        finished_at: row.opt_time()?,
        revision: row.u64()?,
        issue: row.opt_uuid()?.map(IssueId::from_uuid),
    })
}

/// A change of a run's row. What is `None` stays. A terminal run takes no new status (K5).
#[derive(Debug, Clone, Default)]
pub struct RunChange {
    /// The statuses it must have now; empty means any.
    pub expected: Vec<RunStatus>,
    /// Its next status; the caller took it from the machine of the model.
    pub status: Option<RunStatus>,
    /// The kind's own part of the way.
    pub phase: Option<String>,
    /// The kind's own answer.
    pub verdict: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The kind's own state that is shown.
    pub detail: Option<Json>,
    /// A cancel was asked for.
    pub cancelling: Option<bool>,
    /// When a draining cancel ends it anyway.
    pub cancel_deadline: Option<Timestamp>,
}

/// Why a run's time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nobody claimed its work in time (X31).
    Queue,
    /// The whole run took too long.
    Run,
    /// Its cancel drained long enough (X13).
    Cancel,
}

/// Whether open tasks of each state exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenTasks {
    /// Some wait for other tasks or a person.
    pub blocked: bool,
    /// Some may be claimed.
    pub ready: bool,
    /// Some are held by workers.
    pub leased: bool,
}

impl OpenTasks {
    /// Whether every task has ended.
    pub const fn is_empty(self) -> bool {
        !self.blocked && !self.ready && !self.leased
    }
}

const fn claimable(run: &Run) -> bool {
    matches!(run.status, RunStatus::Queued | RunStatus::Running) && !run.cancelling
}

impl Tx {
    /// Stores a new run. A second active run with the same exclusive key is refused with the
    /// active one's id (X7).
    pub async fn run_insert(
        &mut self,
        run: &Run,
        queue_deadline: Option<Timestamp>,
        run_deadline: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let starter = match &run.created_by {
            Actor::Person { id, .. } => Some(*id),
            Actor::Token { .. } | Actor::Worker { .. } | Actor::Run { .. } | Actor::System => None,
        };
        let params = [
            run.id.into(),
            run.project.into(),
            run.kind.name().into(),
            run.status.name().into(),
            run.phase.as_str().into(),
            run.verdict.as_deref().into(),
            run.failure.as_ref().map(Value::json).unwrap_or(Value::Null),
            run.progress.total.into(),
            run.progress.done.into(),
            run.progress.failed.into(),
            Value::json(&run.config),
            Value::json(&run.detail),
            Value::json(&run.created_by),
            Value::json(&run.trigger),
            run.exclusive_key.as_deref().into(),
            run.retry_of.into(),
            run.parent.into(),
            run.cancelling.into(),
            run.created_at.into(),
            run.started_at.into(),
            run.finished_at.into(),
            run.revision.into(),
            queue_deadline.into(),
            run_deadline.into(),
            run.issue.into(),
            starter.into(),
        ];
        if self.exec(&INSERT, &params).await? == 1 {
            self.hold(run.id);
            if !self.is_sqlite() {
                self.fresh.push(run.id);
            }
            return Ok(());
        }
        if let Some(key) = &run.exclusive_key
            && let Some(active) = self.run_with_key(run.project, key).await?
        {
            return Err(StoreError::RunActive { run: active });
        }
        Err(StoreError::Taken("the run id"))
    }

    /// The active run of the project that holds this exclusive key.
    pub async fn run_with_key(&mut self, project: ProjectId, key: &str) -> Result<Option<RunId>, StoreError> {
        let row = self.query_opt(&EXCLUSIVE, &[project.into(), key.into()]).await?;
        row.map(|mut row| row.uuid().map(RunId::from_uuid)).transpose()
    }

    /// The run with this id.
    pub async fn run(&mut self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.flush().await?;
        self.query_opt(&BY_ID, &[id.into()]).await?.map(run).transpose()
    }

    /// The run with this id, held against every other writer until this transaction ends. Locks are
    /// taken in the order run, then stream (X57).
    pub async fn run_lock(&mut self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.flush().await?;
        let found = self.query_opt(&LOCK, &[id.into()]).await?.map(run).transpose()?;
        if found.is_some() {
            self.hold(id);
        }
        Ok(found)
    }

    /// As [`Tx::run_lock`], without reading it again when this transaction already holds it.
    pub(crate) async fn run_hold(&mut self, id: RunId) -> Result<(), StoreError> {
        if !self.is_sqlite() && !self.holds(id) {
            self.run_lock(id).await?;
        }
        Ok(())
    }

    /// Changes a run whose status is one of the expected. `None`: it was not, and nothing changed.
    pub async fn run_set(&mut self, id: RunId, change: &RunChange, now: Timestamp) -> Result<Option<Run>, StoreError> {
        self.run_hold(id).await?;
        let expected = RunStatus::ALL.into_iter().filter(|status| {
            (change.expected.is_empty() || change.expected.contains(status))
                && (change.status.is_none() || !status.is_terminal())
        });
        let starts = change.status.is_some_and(|status| status == RunStatus::Running);
        let ends = change.status.is_some_and(RunStatus::is_terminal);
        self.flush().await?;
        let row = self
            .query_opt(
                &CHANGE,
                &[
                    id.into(),
                    Value::texts(expected.map(RunStatus::name)),
                    change.status.map(RunStatus::name).into(),
                    change.phase.as_deref().into(),
                    change.verdict.as_deref().into(),
                    change.failure.as_ref().map(Value::json).unwrap_or(Value::Null),
                    change.detail.as_ref().map(Value::json).unwrap_or(Value::Null),
                    change.cancelling.into(),
                    change.cancel_deadline.into(),
                    starts.then_some(now).into(),
                    ends.then_some(now).into(),
                ],
            )
            .await?;
        let Some(changed) = row.map(run).transpose()? else { return Ok(None) };
        if change.status.is_some() || change.cancelling.is_some() {
            if claimable(&changed) {
                self.exec_later(&FREE, vec![id.into()]).await?;
                self.slots_fill(id).await?;
                self.wake_queues_of(id).await?;
            } else {
                self.exec_later(&HOLD, vec![id.into()]).await?;
            }
        }
        Ok(Some(changed))
    }

    /// Lets a run wait for a worker so much longer: it waited for something else meanwhile.
    pub async fn run_patience(&mut self, id: RunId, more: Duration) -> Result<(), StoreError> {
        self.run_hold(id).await?;
        let micros = i64::try_from(more.as_micros()).unwrap_or(i64::MAX);
        self.exec(&PATIENCE, &[id.into(), micros.into()]).await.map(drop)
    }

    /// Lets other runs on the same subject start beside this one, from here on and for good.
    pub async fn run_unlock(&mut self, id: RunId) -> Result<(), StoreError> {
        self.run_hold(id).await?;
        self.exec(&UNLOCK, &[id.into()]).await?;
        Ok(())
    }

    /// Limits how many tasks of a run are leased at the same time; `None` lifts the limit.
    pub async fn run_slots(&mut self, id: RunId, slots: Option<u32>) -> Result<(), StoreError> {
        self.run_hold(id).await?;
        self.exec(&SLOTS, &[id.into(), slots.into()]).await?;
        self.exec(&SLOTTED, &[id.into(), slots.is_some().into()]).await?;
        self.exec(&UNSLOT, &[id.into(), slots.is_some().into()]).await?;
        self.slots_fill(id).await?;
        self.wake_queues_of(id).await
    }

    /// Gives a run's free slots to its waiting tasks.
    pub(crate) async fn slots_fill(&mut self, id: RunId) -> Result<(), StoreError> {
        for mut row in self.query(&FILL, &[id.into()]).await? {
            let queue = row.text()?;
            self.woken.add_queue(&queue);
        }
        Ok(())
    }

    /// The first claim of a queued run starts it. Whether this call was that claim, and then the issue that the
    /// run is about and the run's revision.
    pub(crate) async fn run_start(
        &mut self,
        id: RunId,
        now: Timestamp,
    ) -> Result<Option<(Option<IssueId>, u64)>, StoreError> {
        self.hold(id);
        let row = self.query_opt(&START, &[id.into(), now.into()]).await?;
        row.map(|mut row| Ok((row.opt_uuid()?.map(IssueId::from_uuid), row.u64()?))).transpose()
    }

    /// Runs whose time is up, and why.
    pub async fn runs_due(&mut self, now: Timestamp) -> Result<Vec<(RunId, Due)>, StoreError> {
        let rows = self.query(&DUE, &[now.into()]).await?;
        let due = |name: &str| match name {
            "queue" => Some(Due::Queue),
            "run" => Some(Due::Run),
            "cancel" => Some(Due::Cancel),
            _ => None,
        };
        rows.into_iter().map(|mut row| Ok((RunId::from_uuid(row.uuid()?), row.named(due)?))).collect()
    }

    /// Moves a run's counters by what really changed (X54). Written before the run is next read, or
    /// at the end of the script.
    pub(crate) fn run_progress(&mut self, run: RunId, total: i64, done: i64, failed: i64) {
        if (total, done, failed) == (0, 0, 0) {
            return;
        }
        match self.moved.iter_mut().find(|moved| moved.run == run) {
            Some(moved) => {
                moved.total += total;
                moved.done += done;
                moved.failed += failed;
            }
            None => self.moved.push(Moved { run, total, done, failed }),
        }
    }

    /// Writes the counters that have moved.
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        let mut moved = std::mem::take(&mut self.moved);
        moved.sort_unstable_by_key(|moved| moved.run);
        for Moved { run, total, done, failed } in moved {
            self.exec_later(&PROGRESS, vec![run.into(), total.into(), done.into(), failed.into()]).await?;
        }
        Ok(())
    }

    /// Counts a run's progress from its task rows (X54), at phase ends and in tests. With `mend` the
    /// run's counters are set to it.
    pub async fn run_recount(&mut self, id: RunId, mend: bool) -> Result<Progress, StoreError> {
        self.flush().await?;
        let mut row = self.query_one(&RECOUNT, &[id.into()]).await?;
        let progress = Progress { total: row.u32()?, done: row.u32()?, failed: row.u32()? };
        if mend {
            let params = vec![id.into(), progress.total.into(), progress.done.into(), progress.failed.into()];
            self.exec_later(&SET_PROGRESS, params).await?;
        }
        Ok(progress)
    }
}

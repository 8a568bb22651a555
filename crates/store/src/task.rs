//! Tasks: a run's work, its states, its needs. Claims and leases are in [`crate::claim`] and
//! [`crate::lease`].

use model::{
    id::{ProjectId, RunId, TaskId, WorkerId},
    task::{Fence, Lease, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    run::OpenTasks,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

/// The columns of [`kept`]; `t` is the task, `l` its lease.
macro_rules! columns {
    () => {
        "t.id, t.run, t.project, t.kind, t.subject, t.queue, t.labels, t.priority, t.state, t.detail, t.attempt,
         t.max_attempts, t.generation, t.not_before, t.counted, t.created_at, t.finished_at, t.input, t.output,
         t.outcome_generation, t.exempt, t.slotted, t.reserve, l.worker, l.generation, l.expires_at"
    };
}
pub(crate) use columns;

statements! {
    UNREADY = "DELETE FROM task_ready WHERE task = $1";
    UNLEASE = "DELETE FROM task_lease WHERE task = $1";
    BY_ID = concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id WHERE t.id = $1");
    LOCK => sqlite concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id WHERE t.id = $1"),
        postgres concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id WHERE t.id = $1
            FOR UPDATE OF t");
    BY_SUBJECT = concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.run = $1 AND t.kind = $2 AND t.subject = $3");
    RUN_LOCK => sqlite "", postgres "SELECT id FROM run WHERE id = (SELECT run FROM task WHERE id = $1) FOR UPDATE";
    LIST => sqlite concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.run = $1 AND ($2 IS NULL OR t.kind = $2) AND ($3 IS NULL OR t.state IN (SELECT value FROM json_each($3)))
          AND ($4 IS NULL OR t.detail IN (SELECT value FROM json_each($4)))
          AND ($5 IS NULL OR (t.subject >= $5 AND t.subject < $6))
          AND ($7 IS NULL OR (t.kind, t.subject) > ($7, $8))
        ORDER BY t.kind, t.subject LIMIT $9"),
        postgres concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.run = $1 AND ($2::text IS NULL OR t.kind = $2) AND ($3::text[] IS NULL OR t.state = ANY($3))
          AND ($4::text[] IS NULL OR t.detail = ANY($4))
          AND ($5::text IS NULL OR (t.subject >= $5 AND t.subject < $6))
          AND ($7::text IS NULL OR (t.kind, t.subject) > ($7, $8))
        ORDER BY t.kind, t.subject LIMIT $9");
    COUNT_BY = "SELECT kind, state, detail, count(*) FROM task WHERE run = $1 GROUP BY kind, state, detail
        ORDER BY kind, state, detail";
    CHANGE => sqlite "UPDATE task SET state = $3, detail = coalesce($4, detail), output = coalesce($5, output),
            finished_at = $6, bad = $7, outcome_generation = coalesce($8, outcome_generation)
        WHERE id = $1 AND state = $2",
        postgres "WITH unleased AS (DELETE FROM task_lease WHERE task = $1), unready AS (DELETE FROM task_ready WHERE task = $1)
        UPDATE task SET state = $3, detail = coalesce($4, detail), output = coalesce($5, output),
            finished_at = $6, bad = $7, outcome_generation = coalesce($8, outcome_generation)
        WHERE id = $1 AND state = $2";
    DETAIL = "UPDATE task SET detail = $2 WHERE id = $1 AND state IN ('blocked', 'ready', 'leased')
        AND (detail IS NULL OR detail <> $2)";
    INPUT = "UPDATE task SET input = $2 WHERE id = $1 AND state IN ('blocked', 'ready')";
    NEED_ADD = "INSERT INTO task_need (task, needs) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    NEEDS = "SELECT needs FROM task_need WHERE task = $1 ORDER BY needs";
    NEEDING = concat!("SELECT ", columns!(), " FROM task_need n JOIN task t ON t.id = n.task
        LEFT JOIN task_lease l ON l.task = t.id WHERE n.needs = $1 ORDER BY t.kind, t.subject");
    FREED = concat!("SELECT ", columns!(), " FROM task_need n JOIN task t ON t.id = n.task
        LEFT JOIN task_lease l ON l.task = t.id
        WHERE n.needs = $1 AND t.state = 'blocked' AND NOT EXISTS (
            SELECT 1 FROM task_need other JOIN task d ON d.id = other.needs
             WHERE other.task = n.task AND d.state IN ('blocked', 'ready', 'leased'))
        ORDER BY t.kind, t.subject");
    CANCEL_OPEN = "UPDATE task SET state = 'cancelled', finished_at = $2, bad = 0
        WHERE run = $1 AND state IN ('blocked', 'ready') RETURNING counted";
    CANCEL_LEASED = "UPDATE task SET state = 'cancelled', finished_at = $2, bad = 0
        WHERE run = $1 AND state = 'leased' RETURNING counted, id, generation, reserve";
    /// Before the tasks: claims lock in this order, too.
    CANCEL_READY = "DELETE FROM task_ready WHERE run = $1";
    CANCEL_LEASES = "DELETE FROM task_lease WHERE run = $1";
    OPEN = "SELECT EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'blocked'),
        EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'ready'),
        EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'leased')";
    LEASED_OF = concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.run = $1 AND t.state = 'leased' ORDER BY t.kind, t.subject");
    QUEUES_OF = "SELECT DISTINCT queue FROM task_ready WHERE run = $1";
    QUEUES_WAITED = "SELECT DISTINCT queue, labels FROM task_ready WHERE run = $1 AND held = 0
        ORDER BY queue, labels LIMIT 20";
    LABELS_WANTED = "SELECT DISTINCT labels FROM task_ready WHERE run = $1 ORDER BY labels LIMIT 20";
    DEPTHS = "SELECT queue, count(*), min(ready_at) FROM task_ready WHERE held = 0 GROUP BY queue ORDER BY queue";
}

/// Which tasks of a run to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// In one of these states; empty means any.
    pub states: Vec<TaskState>,
    /// With one of these details; empty means any.
    pub details: Vec<String>,
    /// Whose subject starts with this.
    pub subject_prefix: Option<String>,
}

/// A task's change of state and what comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskChange {
    /// What happens to it.
    pub event: TaskEvent,
    /// What came of it; `None` keeps what is there.
    pub output: Option<Json>,
    /// The kind's own finer state; `None` keeps what is there.
    pub detail: Option<String>,
    /// Whether the end counts as failed in the run's progress. [`TaskEvent::Failed`] always does.
    pub bad: bool,
}

impl TaskChange {
    /// A change that brings nothing else.
    pub const fn new(event: TaskEvent) -> Self {
        Self { event, output: None, detail: None, bad: false }
    }

    /// With what came of it.
    #[must_use]
    pub fn output(mut self, output: Json) -> Self {
        self.output = Some(output);
        self
    }

    /// With the kind's own finer state.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Counts as failed.
    #[must_use]
    pub const fn bad(mut self, bad: bool) -> Self {
        self.bad = bad;
        self
    }
}

/// A task with the columns that only the store looks at.
pub(crate) struct Kept {
    pub task: Task,
    pub outcome_generation: Option<u32>,
    pub exempt: u32,
    /// Its run has slots; what it gives up is given to the next.
    pub slotted: bool,
}

pub(crate) fn kept(mut row: Row) -> Result<Kept, StoreError> {
    let mut task = Task {
        id: TaskId::from_uuid(row.uuid()?),
        run: RunId::from_uuid(row.uuid()?),
        project: ProjectId::from_uuid(row.uuid()?),
        kind: row.text()?,
        subject: row.text()?,
        queue: row.text()?,
        labels: row.json()?,
        priority: row.i32()?,
        state: row.named(TaskState::by_name)?,
        detail: row.opt_text()?,
        attempt: row.u32()?,
        max_attempts: row.u32()?,
        generation: row.u32()?,
        not_before: row.opt_time()?,
        lease: None,
        counted: row.flag()?,
        created_at: row.time()?,
        finished_at: row.opt_time()?,
        input: row.json()?,
        output: row.opt_json()?,
        reserve: None,
    };
    let outcome_generation = row.opt_int()?.and_then(|value| u32::try_from(value).ok());
    let exempt = row.u32()?;
    let slotted = row.flag()?;
    task.reserve = row.opt_json()?;
    if let Some(worker) = row.opt_uuid()? {
        task.lease =
            Some(Lease { worker: WorkerId::from_uuid(worker), generation: row.u32()?, expires_at: row.time()? });
    }
    Ok(Kept { task, outcome_generation, exempt, slotted })
}

pub(crate) fn task(row: Row) -> Result<Task, StoreError> {
    kept(row).map(|kept| kept.task)
}

impl Tx {
    /// Wakes the claimers of every queue in which a run has work.
    pub(crate) async fn wake_queues_of(&mut self, run: RunId) -> Result<(), StoreError> {
        for mut row in self.query(&QUEUES_OF, &[run.into()]).await? {
            let queue = row.text()?;
            self.woken.add_queue(&queue);
        }
        Ok(())
    }

    /// The task with this id.
    pub async fn task(&mut self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(task).transpose()
    }

    /// The task of a run with this kind and subject.
    pub async fn task_by_subject(&mut self, run: RunId, kind: &str, subject: &str) -> Result<Option<Task>, StoreError> {
        let params = [run.into(), kind.into(), subject.into()];
        self.query_opt(&BY_SUBJECT, &params).await?.map(task).transpose()
    }

    /// The task, held against other writers, with its run held before it.
    pub(crate) async fn task_lock(&mut self, id: TaskId) -> Result<Option<Kept>, StoreError> {
        if !self.is_sqlite() {
            let Some(mut row) = self.query_opt(&RUN_LOCK, &[id.into()]).await? else { return Ok(None) };
            let run = RunId::from_uuid(row.uuid()?);
            self.hold(run);
        }
        self.query_opt(&LOCK, &[id.into()]).await?.map(kept).transpose()
    }

    /// A page of a run's tasks, by kind and subject; `after` is the last pair of the page before.
    pub async fn tasks(
        &mut self,
        run: RunId,
        filter: &TaskFilter,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        let list = |empty: bool, list: Value<'static>| if empty { Value::Null } else { list };
        // Every text that starts with the prefix lies between it and it followed by the last character.
        let end = filter.subject_prefix.as_ref().map(|prefix| format!("{prefix}\u{10FFFF}"));
        let params = [
            run.into(),
            filter.kind.as_deref().into(),
            list(filter.states.is_empty(), Value::texts(filter.states.iter().map(|state| state.name()))),
            list(filter.details.is_empty(), Value::texts(filter.details.iter().cloned())),
            filter.subject_prefix.as_deref().into(),
            end.as_deref().into(),
            after.map(|pair| pair.0).into(),
            after.map(|pair| pair.1).into(),
            limit.into(),
        ];
        self.query(&LIST, &params).await?.into_iter().map(task).collect()
    }

    /// How many tasks a run has, by kind, state and detail.
    pub async fn task_counts(
        &mut self,
        run: RunId,
    ) -> Result<Vec<(String, TaskState, Option<String>, u64)>, StoreError> {
        let rows = self.query(&COUNT_BY, &[run.into()]).await?;
        rows.into_iter()
            .map(|mut row| Ok((row.text()?, row.named(TaskState::by_name)?, row.opt_text()?, row.u64()?)))
            .collect()
    }

    /// Moves a task that is in one of the expected states through the machine. `None`: it was not,
    /// or the machine refuses; nothing changed. The winner moves the run's counters (X54).
    pub async fn task_transition(
        &mut self,
        id: TaskId,
        expected: &[TaskState],
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let Some(kept) = self.task_lock(id).await? else { return Ok(None) };
        if !expected.contains(&kept.task.state) {
            return Ok(None);
        }
        self.task_change(kept, change, None, now).await
    }

    /// The conditional update behind every change of state, with the rows that follow it.
    pub(crate) async fn task_change(
        &mut self,
        kept: Kept,
        change: &TaskChange,
        by_generation: Option<u32>,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let Kept { mut task, slotted, .. } = kept;
        let from = task.state;
        let Ok(next) = from.on(change.event) else { return Ok(None) };
        let bad = next == TaskState::Failed || (next == TaskState::Done && change.bad);
        let changed = self
            .exec(
                &CHANGE,
                &[
                    task.id.into(),
                    from.name().into(),
                    next.name().into(),
                    change.detail.as_deref().into(),
                    change.output.as_ref().map(Value::json).unwrap_or(Value::Null),
                    next.is_terminal().then_some(now).into(),
                    bad.into(),
                    by_generation.into(),
                ],
            )
            .await?;
        if changed != 1 {
            return Ok(None);
        }
        if from == TaskState::Leased && task.reserve.is_some() {
            let fence = Fence { task: task.id, generation: task.generation };
            self.ledger_let_go(fence, now).await?;
        }
        match from {
            // One statement did both over PostgreSQL; the row was held, so it did change.
            _ if !self.is_sqlite() => {}
            TaskState::Ready => drop(self.exec(&UNREADY, &[task.id.into()]).await?),
            TaskState::Leased => drop(self.exec(&UNLEASE, &[task.id.into()]).await?),
            TaskState::Blocked | TaskState::Done | TaskState::Failed | TaskState::Cancelled => {}
        }
        if next == TaskState::Ready {
            let rows = [(task.id, task.not_before, task.labels.as_slice())];
            let place = self.place(task.run, &task.queue, task.priority).await?;
            self.ready_insert(task.run, &task.queue, task.priority, place, &rows, now).await?;
        } else if slotted && from != TaskState::Blocked {
            self.slots_fill(task.run).await?;
        }
        if task.counted && next.is_terminal() {
            self.run_progress(task.run, 0, 1, bad.into());
        }
        task.state = next;
        task.lease = None;
        task.finished_at = next.is_terminal().then_some(now);
        task.detail = change.detail.clone().or(task.detail);
        task.output = change.output.clone().or(task.output);
        Ok(Some(task))
    }

    /// Sets the kind's own finer state of a task that has not ended. Whether it changed.
    pub async fn task_detail(&mut self, id: TaskId, detail: &str) -> Result<bool, StoreError> {
        Ok(self.exec(&DETAIL, &[id.into(), detail.into()]).await? == 1)
    }

    /// Replaces what a task is to do, while nobody holds it. Whether it changed.
    pub async fn task_input(&mut self, id: TaskId, input: &Json) -> Result<bool, StoreError> {
        Ok(self.exec(&INPUT, &[id.into(), Value::json(input)]).await? == 1)
    }

    /// Lets a blocked task wait for one more.
    pub async fn task_need_add(&mut self, id: TaskId, needs: TaskId) -> Result<(), StoreError> {
        self.exec(&NEED_ADD, &[id.into(), needs.into()]).await.map(drop)
    }

    /// The tasks that this one waits for.
    pub async fn task_needs(&mut self, id: TaskId) -> Result<Vec<TaskId>, StoreError> {
        let rows = self.query(&NEEDS, &[id.into()]).await?;
        rows.into_iter().map(|mut row| row.uuid().map(TaskId::from_uuid)).collect()
    }

    /// The tasks that wait, or waited, for this one.
    pub async fn tasks_needing(&mut self, id: TaskId) -> Result<Vec<Task>, StoreError> {
        self.query(&NEEDING, &[id.into()]).await?.into_iter().map(task).collect()
    }

    /// The blocked tasks that waited for this one and now wait for nothing.
    pub async fn tasks_unblocked_by(&mut self, id: TaskId) -> Result<Vec<Task>, StoreError> {
        self.query(&FREED, &[id.into()]).await?.into_iter().map(task).collect()
    }

    /// Cancels a run's blocked and ready tasks. Leased ones drain. How many were cancelled.
    pub async fn cancel_open_tasks(&mut self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        self.run_hold(run).await?;
        self.exec(&CANCEL_READY, &[run.into()]).await?;
        let rows = self.query(&CANCEL_OPEN, &[run.into(), now.into()]).await?;
        self.count_cancelled(run, rows).await
    }

    /// Cancels a run's leased tasks too, when the drain is over (X13). How many were cancelled.
    pub async fn cancel_leased_tasks(&mut self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        self.run_hold(run).await?;
        let rows = self.query(&CANCEL_LEASED, &[run.into(), now.into()]).await?;
        self.exec(&CANCEL_LEASES, &[run.into()]).await?;
        let (cancelled, mut counted) = (rows.len() as u64, 0);
        for mut row in rows {
            counted += i64::from(row.flag()?);
            let fence = Fence { task: TaskId::from_uuid(row.uuid()?), generation: row.u32()? };
            if row.opt_text()?.is_some() {
                self.ledger_let_go(fence, now).await?;
            }
        }
        self.run_progress(run, 0, counted, 0);
        Ok(cancelled)
    }

    async fn count_cancelled(&mut self, run: RunId, rows: Vec<Row>) -> Result<u64, StoreError> {
        let cancelled = rows.len() as u64;
        let mut counted = 0;
        for mut row in rows {
            counted += i64::from(row.flag()?);
        }
        self.run_progress(run, 0, counted, 0);
        Ok(cancelled)
    }

    /// Whether a run has blocked, ready or leased tasks.
    pub async fn open_tasks(&mut self, run: RunId) -> Result<OpenTasks, StoreError> {
        let mut row = self.query_one(&OPEN, &[run.into()]).await?;
        Ok(OpenTasks { blocked: row.flag()?, ready: row.flag()?, leased: row.flag()? })
    }

    /// The tasks of a run that workers hold now.
    pub async fn leased_tasks(&mut self, run: RunId) -> Result<Vec<Task>, StoreError> {
        self.query(&LEASED_OF, &[run.into()]).await?.into_iter().map(task).collect()
    }

    /// The label sets that a run's ready tasks ask for, for the message of `no_worker` (P29).
    pub async fn labels_wanted(&mut self, run: RunId) -> Result<Vec<Vec<String>>, StoreError> {
        self.query(&LABELS_WANTED, &[run.into()]).await?.into_iter().map(|mut row| row.json()).collect()
    }

    /// Where the ready tasks of a run wait, and which labels they ask for (D12).
    pub async fn queues_waited(&mut self, run: RunId) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let rows = self.query(&QUEUES_WAITED, &[run.into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.json()?))).collect()
    }

    /// How many tasks wait in each queue, and since when the oldest.
    pub async fn queue_depths(&mut self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        let rows = self.query(&DEPTHS, &[]).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.u64()?, row.time()?))).collect()
    }
}

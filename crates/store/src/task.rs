//! Tasks: a run's work, its states, its needs. Claims and leases are in [`crate::claim`] and
//! [`crate::lease`].

use model::{
    id::{ProjectId, RunId, TaskId, WorkerId},
    task::{Lease, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    run::OpenTasks,
    sql::statements,
    tx::{Driver, Tx},
    value::{PgUuid, Row, Value},
};

/// The columns of [`kept`]; `t` is the task, `l` its lease.
macro_rules! columns {
    () => {
        "t.id, t.run, t.project, t.kind, t.subject, t.queue, t.labels, t.priority, t.state, t.detail, t.attempt,
         t.max_attempts, t.generation, t.not_before, t.counted, t.created_at, t.finished_at, t.input, t.output,
         t.outcome_generation, t.exempt, t.slotted, l.worker, l.generation, l.expires_at"
    };
}
pub(crate) use columns;

statements! {
    INSERT => sqlite "INSERT INTO task (id, run, project, kind, subject, queue, labels, priority, state, detail, attempt,
            max_attempts, exempt, generation, not_before, counted, created_at, input, slotted)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, 0, $12, $13, $14, $15, $16)",
        postgres "INSERT INTO task (id, run, project, kind, subject, queue, labels, priority, state, detail, attempt,
            max_attempts, exempt, generation, not_before, counted, created_at, input, slotted)
        SELECT u.id, $2, $3, u.kind, u.subject, u.queue, u.labels, u.priority, u.state, u.detail, 0,
            u.max_attempts, 0, 0, u.not_before, u.counted, $14, u.input, $16
        FROM unnest($1::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
            $11::bigint[], $12::bigint[], $13::bigint[], $15::text[])
          AS u (id, kind, subject, queue, labels, priority, state, detail, max_attempts, not_before, counted, input)";
    NEED => sqlite "INSERT INTO task_need (task, needs) VALUES ($1, $2)",
        postgres "INSERT INTO task_need (task, needs) SELECT * FROM unnest($1::uuid[], $2::uuid[])";
    /// How new ready tasks of a run stand, whether the run has slots, and the turn its next one gets:
    /// behind its own, but never behind what others already had. Ordering by turn is then fair over
    /// runs, whatever a run has queued before (D52).
    PLACE = "SELECT CASE WHEN status NOT IN ('queued', 'running') OR cancelling <> 0 THEN 1
            WHEN slots IS NOT NULL THEN 2 ELSE 0 END, CASE WHEN slots IS NULL THEN 0 ELSE 1 END,
        coalesce((SELECT min(turn) FROM task_ready WHERE queue = $2 AND held = 0 AND priority = $3), 0),
        coalesce((SELECT max(turn) + 1 FROM task_ready WHERE run = $1 AND queue = $2 AND priority = $3), 0)
        FROM run WHERE id = $1";
    READY => sqlite "INSERT INTO task_ready (task, run, queue, priority, turn, ready_at, not_before, held, labels)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (task) DO NOTHING",
        postgres "INSERT INTO task_ready (task, run, queue, priority, turn, ready_at, not_before, held, labels)
        SELECT u.task, $2, $3, $4, u.turn, $6, u.not_before, $8, u.labels
        FROM unnest($1::uuid[], $5::bigint[], $7::bigint[], $9::text[]) AS u (task, turn, not_before, labels)
        ON CONFLICT (task) DO NOTHING";
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
        WHERE run = $1 AND state = 'leased' RETURNING counted";
    /// Before the tasks: claims lock in this order, too.
    CANCEL_READY = "DELETE FROM task_ready WHERE run = $1";
    CANCEL_LEASES = "DELETE FROM task_lease WHERE run = $1";
    OPEN = "SELECT EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'blocked'),
        EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'ready'),
        EXISTS (SELECT 1 FROM task WHERE run = $1 AND state = 'leased')";
    LEASED_OF = concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.run = $1 AND t.state = 'leased' ORDER BY t.kind, t.subject");
    QUEUES_OF = "SELECT DISTINCT queue FROM task_ready WHERE run = $1";
    LABELS_WANTED = "SELECT DISTINCT labels FROM task_ready WHERE run = $1 ORDER BY labels LIMIT 20";
    DEPTHS = "SELECT queue, count(*), min(ready_at) FROM task_ready WHERE held = 0 GROUP BY queue ORDER BY queue";
}

/// A task to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// What it does.
    pub kind: String,
    /// What it is about, unique per run and kind.
    pub subject: String,
    /// Where workers look for it.
    pub queue: String,
    /// What a worker must offer.
    pub labels: Vec<String>,
    /// Higher is claimed first.
    pub priority: i32,
    /// Stored `Ready`, else `Blocked`.
    pub ready: bool,
    /// The kind's own finer state.
    pub detail: Option<String>,
    /// Claims allowed.
    pub max_attempts: u32,
    /// Not claimable before this.
    pub not_before: Option<Timestamp>,
    /// What to do.
    pub input: Json,
    /// Whether it counts in the run's progress.
    pub counted: bool,
    /// The tasks it waits for.
    pub needs: Vec<TaskId>,
}

impl NewTask {
    /// A ready, counted task of normal priority with the usual attempts.
    pub fn ready(id: TaskId, kind: &str, subject: impl Into<String>, queue: &str, input: Json) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            subject: subject.into(),
            queue: queue.to_owned(),
            labels: Vec::new(),
            priority: 0,
            ready: true,
            detail: None,
            max_attempts: model::limits::ATTEMPTS,
            not_before: None,
            input,
            counted: true,
            needs: Vec::new(),
        }
    }

    /// A counted task that waits for others.
    pub fn blocked(id: TaskId, kind: &str, subject: impl Into<String>, needs: Vec<TaskId>, input: Json) -> Self {
        Self { ready: false, needs, ..Self::ready(id, kind, subject, "", input) }
    }
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

/// How new ready tasks of a run stand in a queue.
#[derive(Debug, Clone, Copy)]
struct Place {
    held: i64,
    slotted: bool,
    turn: i64,
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
    };
    let outcome_generation = row.opt_int()?.and_then(|value| u32::try_from(value).ok());
    let exempt = row.u32()?;
    let slotted = row.flag()?;
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
    /// Stores new tasks of a run and counts them; fast for thousands.
    pub async fn tasks_insert(
        &mut self,
        run: RunId,
        project: ProjectId,
        tasks: &[NewTask],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if tasks.is_empty() {
            return Ok(());
        }
        self.run_hold(run).await?;
        let mut order: Vec<&NewTask> = tasks.iter().filter(|task| task.ready).collect();
        order.sort_by(|a, b| (&a.queue, a.priority).cmp(&(&b.queue, b.priority)));
        let mut groups = Vec::new();
        for group in order.chunk_by(|a, b| (&a.queue, a.priority) == (&b.queue, b.priority)) {
            groups.push((group, self.place(run, &group[0].queue, group[0].priority).await?));
        }
        let slotted = match groups.first() {
            Some((_, place)) => place.slotted,
            None => self.place(run, "", 0).await?.slotted,
        };
        for chunk in tasks.chunks(2_000) {
            match self.driver {
                Driver::Sqlite(_) => self.insert_each(run, project, chunk, slotted, now).await?,
                Driver::Postgres(_) => self.insert_lists(run, project, chunk, slotted, now).await?,
            }
        }
        for (group, place) in groups {
            let rows: Vec<_> = group.iter().map(|task| (task.id, task.not_before, task.labels.as_slice())).collect();
            self.ready_insert(run, &group[0].queue, group[0].priority, place, &rows, now).await?;
        }
        let counted = tasks.iter().filter(|task| task.counted).count();
        self.run_progress(run, i64::try_from(counted).unwrap_or(i64::MAX), 0, 0);
        Ok(())
    }

    async fn insert_each(
        &mut self,
        run: RunId,
        project: ProjectId,
        tasks: &[NewTask],
        slotted: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for task in tasks {
            let params = [
                task.id.into(),
                run.into(),
                project.into(),
                task.kind.as_str().into(),
                task.subject.as_str().into(),
                task.queue.as_str().into(),
                labels(&task.labels),
                task.priority.into(),
                state(task).into(),
                task.detail.as_deref().into(),
                task.max_attempts.into(),
                task.not_before.into(),
                task.counted.into(),
                now.into(),
                Value::json(&task.input),
                slotted.into(),
            ];
            self.exec(&INSERT, &params).await?;
            for need in &task.needs {
                self.exec(&NEED, &[task.id.into(), (*need).into()]).await?;
            }
        }
        Ok(())
    }

    async fn insert_lists(
        &mut self,
        run: RunId,
        project: ProjectId,
        tasks: &[NewTask],
        slotted: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let params = [
            Value::uuids(tasks.iter().map(|task| task.id.uuid())),
            run.into(),
            project.into(),
            Value::texts(tasks.iter().map(|task| task.kind.as_str())),
            Value::texts(tasks.iter().map(|task| task.subject.as_str())),
            Value::texts(tasks.iter().map(|task| task.queue.as_str())),
            Value::texts(tasks.iter().map(|task| label_text(&task.labels))),
            Value::ints(tasks.iter().map(|task| task.priority.into())),
            Value::texts(tasks.iter().map(state)),
            Value::Texts(tasks.iter().map(|task| task.detail.as_deref().map(Into::into)).collect()),
            Value::ints(tasks.iter().map(|task| task.max_attempts.into())),
            Value::Ints(tasks.iter().map(|task| task.not_before.map(Timestamp::micros)).collect()),
            Value::ints(tasks.iter().map(|task| task.counted.into())),
            now.into(),
            Value::texts(tasks.iter().map(|task| task.input.to_string())),
            slotted.into(),
        ];
        self.exec(&INSERT, &params).await?;
        let needs: Vec<_> =
            tasks.iter().flat_map(|task| task.needs.iter().map(|need| (task.id.uuid(), need.uuid()))).collect();
        if !needs.is_empty() {
            let of = |pick: fn(&(uuid::Uuid, uuid::Uuid)) -> uuid::Uuid| {
                Value::Uuids(needs.iter().map(|pair| Some(PgUuid(pick(pair)))).collect())
            };
            self.exec(&NEED, &[of(|pair| pair.0), of(|pair| pair.1)]).await?;
        }
        Ok(())
    }

    async fn place(&mut self, run: RunId, queue: &str, priority: i32) -> Result<Place, StoreError> {
        match self.query_opt(&PLACE, &[run.into(), queue.into(), priority.into()]).await? {
            Some(mut row) => Ok(Place { held: row.int()?, slotted: row.flag()?, turn: row.int()?.max(row.int()?) }),
            None => Err(StoreError::NotFound("run")),
        }
    }

    /// Puts tasks of one run, queue and priority where claims find them.
    async fn ready_insert(
        &mut self,
        run: RunId,
        queue: &str,
        priority: i32,
        place: Place,
        tasks: &[(TaskId, Option<Timestamp>, &[String])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Place { held, turn, .. } = place;
        let start = |at: &Option<Timestamp>| at.map_or(0, Timestamp::micros);
        if self.is_sqlite() {
            for (turn, (id, not_before, wanted)) in (turn..).zip(tasks) {
                let params = [
                    (*id).into(),
                    run.into(),
                    queue.into(),
                    priority.into(),
                    turn.into(),
                    now.into(),
                    start(not_before).into(),
                    held.into(),
                    labels(wanted),
                ];
                self.exec(&READY, &params).await?;
            }
        } else {
            let params = [
                Value::uuids(tasks.iter().map(|(id, ..)| id.uuid())),
                run.into(),
                queue.into(),
                priority.into(),
                Value::ints((turn..).take(tasks.len())),
                now.into(),
                Value::ints(tasks.iter().map(|(_, not_before, _)| start(not_before))),
                held.into(),
                Value::texts(tasks.iter().map(|(.., wanted)| label_text(wanted))),
            ];
            self.exec(&READY, &params).await?;
        }
        match held {
            0 => self.woken.add_queue(queue),
            2 => self.slots_fill(run).await?,
            _ => {}
        }
        Ok(())
    }

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
        self.count_cancelled(run, rows).await
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

    /// How many tasks wait in each queue, and since when the oldest.
    pub async fn queue_depths(&mut self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        let rows = self.query(&DEPTHS, &[]).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.u64()?, row.time()?))).collect()
    }
}

const fn state(task: &NewTask) -> &'static str {
    if task.ready { "ready" } else { "blocked" }
}

fn label_text(list: &[String]) -> String {
    if list.is_empty() { "[]".to_owned() } else { serde_json::Value::from(list.to_vec()).to_string() }
}

fn labels(list: &[String]) -> Value<'static> {
    if list.is_empty() { Value::Text("[]".into()) } else { Value::Text(label_text(list).into()) }
}

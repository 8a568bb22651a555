//! New tasks, and the narrow table where claims find the ready ones.

use model::{
    id::{ProjectId, RunId, TaskId},
    ledger::Ask,
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    claim::MANY,
    error::StoreError,
    sql::statements,
    tx::{Driver, Tx},
    value::{PgUuid, Value},
};

statements! {
    INSERT => sqlite "INSERT INTO task (id, run, project, kind, subject, queue, labels, priority, state, detail, attempt,
            max_attempts, exempt, generation, not_before, counted, created_at, input, slotted, reserve)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, 0, $12, $13, $14, $15, $16, $17)",
        postgres "INSERT INTO task (id, run, project, kind, subject, queue, labels, priority, state, detail, attempt,
            max_attempts, exempt, generation, not_before, counted, created_at, input, slotted, reserve)
        SELECT u.id, $2, $3, u.kind, u.subject, u.queue, u.labels, u.priority, u.state, u.detail, 0,
            u.max_attempts, 0, 0, u.not_before, u.counted, $14, u.input, $16, u.reserve
        FROM unnest($1::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
            $11::bigint[], $12::bigint[], $13::bigint[], $15::text[], $17::text[])
          AS u (id, kind, subject, queue, labels, priority, state, detail, max_attempts, not_before, counted, input,
            reserve)";
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
    READY_MANY => sqlite "INSERT INTO task_ready (task, run, queue, priority, turn, ready_at, not_before, held, labels)
        SELECT t.id, t.run, t.queue, t.priority, $2 + list.key, $3, coalesce(t.not_before, 0), $4, t.labels
        FROM json_each($1) list JOIN task t ON t.id = unhex(list.value) WHERE true ON CONFLICT (task) DO NOTHING",
        postgres "";
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
    /// What has to be reserved before it is handed out (D34).
    pub reserve: Option<Ask>,
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
            reserve: None,
            needs: Vec::new(),
        }
    }

    /// A counted task that waits for others.
    pub fn blocked(id: TaskId, kind: &str, subject: impl Into<String>, needs: Vec<TaskId>, input: Json) -> Self {
        Self { ready: false, needs, ..Self::ready(id, kind, subject, "", input) }
    }
}

/// How new ready tasks of a run stand in a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    held: i64,
    slotted: bool,
    turn: i64,
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
                reserve(task),
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
        let params = vec![
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
            Value::Texts(tasks.iter().map(|task| task.reserve.map(|ask| json_text(&ask).into())).collect()),
        ];
        self.exec_later(&INSERT, params).await?;
        let needs: Vec<_> =
            tasks.iter().flat_map(|task| task.needs.iter().map(|need| (task.id.uuid(), need.uuid()))).collect();
        if !needs.is_empty() {
            let of = |pick: fn(&(uuid::Uuid, uuid::Uuid)) -> uuid::Uuid| {
                Value::Uuids(needs.iter().map(|pair| Some(PgUuid(pick(pair)))).collect())
            };
            self.exec_later(&NEED, vec![of(|pair| pair.0), of(|pair| pair.1)]).await?;
        }
        Ok(())
    }

    pub(crate) async fn place(&mut self, run: RunId, queue: &str, priority: i32) -> Result<Place, StoreError> {
        match self.query_opt(&PLACE, &[run.into(), queue.into(), priority.into()]).await? {
            Some(mut row) => Ok(Place { held: row.int()?, slotted: row.flag()?, turn: row.int()?.max(row.int()?) }),
            None => Err(StoreError::NotFound("run")),
        }
    }

    /// Puts tasks of one run, queue and priority where claims find them.
    pub(crate) async fn ready_insert(
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
        if self.is_sqlite() && tasks.len() >= MANY {
            let ids = Value::uuids(tasks.iter().map(|(id, ..)| id.uuid()));
            self.exec(&READY_MANY, &[ids, turn.into(), now.into(), held.into()]).await?;
        } else if self.is_sqlite() {
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
            let params = vec![
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
            self.exec_later(&READY, params).await?;
        }
        match held {
            0 => {
                // A task whose time has not come wakes nobody; the look at the queue finds it.
                for (_, _, wanted) in tasks.iter().filter(|(_, not_before, _)| not_before.is_none_or(|at| at <= now)) {
                    self.woken.add_ready(queue, wanted, 1);
                }
            }
            2 => self.slots_fill(run).await?,
            _ => {}
        }
        Ok(())
    }
}

fn json_text(ask: &Ask) -> String {
    serde_json::to_string(ask).unwrap_or_default()
}

fn reserve(task: &NewTask) -> Value<'static> {
    task.reserve.map(|ask| json_text(&ask)).into()
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

//! Claims: the hot way from a ready task to a worker's lease.

use std::time::Duration;

use model::{
    id::{RunId, WorkerId},
    journal::{NewEntry, StreamId},
    limits,
    run::{RunKind, RunStatus},
    task::{Lease, Task, TaskState},
    time::Timestamp,
    worker::Reach,
};
use serde_json::json;

use crate::{
    error::StoreError,
    sql::statements,
    store::Store,
    task::{columns, task},
    tx::Tx,
    value::{Row, Value},
};

/// How ready tasks are picked, of those that meet a condition beside queue, time and labels.
///
/// SQLite has one writer, so it looks first and takes then. PostgreSQL does both at once, and
/// passes over whatever another transaction holds. (Its `state || ''` keeps the planner from going through
/// all open tasks instead of the picked ones.)
macro_rules! pick_sqlite {
    ($of:literal) => {
        concat!(
            "SELECT r.kind, r.status, ",
            columns!(),
            " FROM (
            SELECT task, priority, turn, ready_at FROM task_ready
             WHERE queue = $1 AND held = 0 AND not_before <= $2 AND (labels = '[]' OR NOT EXISTS (
                 SELECT 1 FROM json_each(labels) w WHERE w.value NOT IN (SELECT value FROM json_each($3))))",
            $of,
            "
             ORDER BY priority DESC, turn, ready_at LIMIT $4) p
        JOIN task t ON t.id = p.task JOIN run r ON r.id = t.run LEFT JOIN task_lease l ON l.task = t.id
        ORDER BY p.priority DESC, p.turn, p.ready_at"
        )
    };
}
macro_rules! pick_postgres {
    ($of:literal) => {
        concat!("WITH picked AS MATERIALIZED (
            SELECT task FROM task_ready WHERE queue = $1 AND held = 0 AND not_before <= $2
               AND (labels = '[]' OR labels::jsonb <@ $3::text::jsonb)", $of, "
             ORDER BY priority DESC, turn, ready_at LIMIT $4 FOR UPDATE SKIP LOCKED),
        locked AS MATERIALIZED (
            SELECT t.id AS task FROM picked CROSS JOIN LATERAL (
                SELECT id FROM task WHERE id = picked.task AND state || '' = 'ready' FOR UPDATE SKIP LOCKED) t),
        gone AS (
            DELETE FROM task_ready q USING locked WHERE q.task = locked.task RETURNING q.task, q.turn, q.ready_at),
        t AS (
            UPDATE task SET state = 'leased', generation = generation + 1, attempt = attempt + 1, worker = $5
              FROM gone WHERE task.id = gone.task RETURNING task.*, gone.turn, gone.ready_at),
        l AS (
            INSERT INTO task_lease (task, run, worker, claim_id, generation, expires_at, length, claimed_at)
            SELECT id, run, $5, $6, generation, $7, $8, $2 FROM t RETURNING task, worker, generation, expires_at)
        SELECT r.kind, r.status, t.id, t.run, t.project, t.kind, t.subject, t.queue, t.labels, t.priority, t.state, t.detail,
            t.attempt, t.max_attempts, t.generation, t.not_before, t.counted, t.created_at, t.finished_at, t.input,
            t.output, t.outcome_generation, t.exempt, t.slotted, t.reserve, l.worker, l.generation, l.expires_at
        FROM t JOIN l ON l.task = t.id JOIN run r ON r.id = t.run ORDER BY t.priority DESC, t.turn, t.ready_at")
    };
}

statements! {
    /// The leases that an earlier answer to the same claim handed out and that still live (D52).
    AGAIN = concat!("SELECT r.kind, ", columns!(), " FROM task_lease l JOIN task t ON t.id = l.task
        JOIN run r ON r.id = t.run WHERE l.worker = $1 AND l.claim_id = $2 AND l.expires_at > $3
        ORDER BY t.priority DESC, t.id");
    PICK => sqlite pick_sqlite!(""), postgres pick_postgres!("");
    /// For a worker that does not serve everybody (D51).
    PICK_SOME => sqlite pick_sqlite!(" AND EXISTS (SELECT 1 FROM run o WHERE o.id = task_ready.run
                 AND ($5 IS NULL OR o.starter = $5)
                 AND ($6 IS NULL OR o.project IN (SELECT unhex(value) FROM json_each($6))))"),
        postgres pick_postgres!(" AND EXISTS (SELECT 1 FROM run o WHERE o.id = task_ready.run
                 AND ($9::uuid IS NULL OR o.starter = $9) AND ($10::uuid[] IS NULL OR o.project = ANY($10)))");
    /// The label sets that the next tasks of a queue ask for, and how many ask for each.
    WANTED = "SELECT labels, count(*) FROM (
            SELECT labels FROM task_ready WHERE queue = $1 AND held = 0 AND not_before <= $2
             ORDER BY priority DESC, turn, ready_at LIMIT $3) next GROUP BY labels ORDER BY labels";
    TAKE => sqlite "UPDATE task SET state = 'leased', generation = generation + 1, attempt = attempt + 1, worker = $2
        WHERE id = $1", postgres "";
    TAKEN => sqlite "DELETE FROM task_ready WHERE task = $1", postgres "";
    LEASE => sqlite "INSERT INTO task_lease (task, run, worker, claim_id, generation, expires_at, length, claimed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", postgres "";
    TAKE_MANY => sqlite "UPDATE task SET state = 'leased', generation = generation + 1, attempt = attempt + 1, worker = $2
        WHERE id IN (SELECT unhex(value) FROM json_each($1))", postgres "";
    TAKEN_MANY => sqlite "DELETE FROM task_ready WHERE task IN (SELECT unhex(value) FROM json_each($1))", postgres "";
    LEASE_MANY => sqlite "INSERT INTO task_lease (task, run, worker, claim_id, generation, expires_at, length, claimed_at)
        SELECT id, run, $2, $3, generation, $4, $5, $6 FROM task WHERE id IN (SELECT unhex(value) FROM json_each($1))",
        postgres "";
    /// As if the claim had not been: the number goes back, and the claim before it is the newest again.
    UNTAKE = "UPDATE task SET state = 'blocked', generation = generation - 1, attempt = attempt - 1,
            worker = (SELECT h.worker FROM task_held h WHERE h.task = $1 AND h.generation = task.generation - 1)
        WHERE id = $1 AND generation = $2 AND state = 'leased'";
    UNLEASE = "DELETE FROM task_lease WHERE task = $1 AND generation = $2";
}

/// From this many rows on, one statement over a list is faster in SQLite than one for each.
pub(crate) const MANY: usize = 4;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerId,
    /// Names this call: the same again gives the same live leases (D52).
    pub claim_id: String,
    /// Where it looks, in this order.
    pub queues: Vec<String>,
    /// What it offers.
    pub labels: Vec<String>,
    /// How many tasks it takes at most.
    pub max: u32,
    /// The time now.
    pub now: Timestamp,
    /// How long the leases last.
    pub lease: Duration,
}

/// A task in a worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// The task; its lease holds the generation and the end.
    pub task: Task,
    /// What its run does.
    pub run_kind: RunKind,
}

impl Store {
    /// Hands ready tasks to a worker: by priority, then fair over runs, then by age.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Vec<Leased>, StoreError> {
        self.write(move |tx| {
            let request = request.clone();
            Box::pin(async move { tx.tasks_claim(&request).await })
        })
        .await
    }
}

impl Tx {
    /// As [`Store::claim`], inside a transaction.
    pub async fn tasks_claim(&mut self, request: &ClaimRequest) -> Result<Vec<Leased>, StoreError> {
        let mut leased = self.claimed_before(request).await?;
        if !leased.is_empty() {
            return Ok(leased);
        }
        let reach = self.worker_reach(request.worker).await?;
        if reach == Reach::Nothing {
            return Ok(leased);
        }
        let max = request.max.min(limits::CLAIM_MAX) as usize;
        let mut queued = Vec::new();
        for queue in &request.queues {
            if leased.len() >= max {
                break;
            }
            for (status, task) in self.pick(request, queue, &reach, max - leased.len()).await? {
                if status == RunStatus::Queued && !queued.contains(&task.task.run) {
                    queued.push(task.task.run);
                }
                leased.push(task);
            }
        }
        // Always in the same order, so that two claims never wait for one another.
        queued.sort_unstable();
        for run in queued {
            if let Some(first) = leased.iter().find(|leased| leased.task.run == run) {
                self.start(run, first, request.now).await?;
            }
        }
        Ok(leased)
    }

    /// Takes back what this transaction has claimed: the task was never handed out, and is blocked until somebody
    /// says that it may be (D34).
    pub async fn task_untake(&mut self, leased: &Leased) -> Result<(), StoreError> {
        let task = &leased.task;
        let params = [task.id.into(), task.generation.into()];
        self.exec(&UNLEASE, &params).await?;
        if self.exec(&UNTAKE, &params).await? != 1 {
            return Err(StoreError::Internal("a task that was just claimed is not leased".to_owned()));
        }
        self.slots_fill(task.run).await
    }

    /// The labels that the next ready tasks of a queue ask for, with how many ask for each set.
    pub async fn ready_wanted(
        &mut self,
        queue: &str,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(Vec<String>, u32)>, StoreError> {
        let rows = self.query(&WANTED, &[queue.into(), now.into(), most.into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.json()?, row.u32()?))).collect()
    }

    async fn claimed_before(&mut self, request: &ClaimRequest) -> Result<Vec<Leased>, StoreError> {
        let params = [request.worker.into(), request.claim_id.as_str().into(), request.now.into()];
        let rows = self.query(&AGAIN, &params).await?;
        let leased = |mut row: Row| {
            let run_kind = RunKind::from_text(row.text()?);
            Ok(Leased { task: task(row)?, run_kind })
        };
        rows.into_iter().map(leased).collect()
    }

    async fn pick(
        &mut self,
        request: &ClaimRequest,
        queue: &str,
        reach: &Reach,
        max: usize,
    ) -> Result<Vec<(RunStatus, Leased)>, StoreError> {
        let expires_at = request.now.plus(request.lease);
        let length = Value::Int(i64::try_from(request.lease.as_micros()).unwrap_or(i64::MAX));
        let labels = if request.labels.is_empty() { "[]".into() } else { Value::json(&request.labels) };
        let mut params = vec![queue.into(), request.now.into(), labels, max.into()];
        if !self.is_sqlite() {
            params.extend([request.worker.into(), request.claim_id.as_str().into(), expires_at.into(), length.clone()]);
        }
        let rows = match reach {
            Reach::Nothing => return Ok(Vec::new()),
            Reach::Everything => self.query(&PICK, &params).await?,
            Reach::Some { starter, projects } => {
                let projects = projects.as_ref().map(|list| Value::uuids(list.iter().map(|id| id.uuid())));
                params.extend([(*starter).into(), projects.unwrap_or(Value::Null)]);
                self.query(&PICK_SOME, &params).await?
            }
        };
        let mut picked = Vec::with_capacity(rows.len());
        for mut row in rows {
            let run_kind = RunKind::from_text(row.text()?);
            let status = row.named(RunStatus::by_name)?;
            picked.push((status, Leased { task: task(row)?, run_kind }));
        }
        if self.is_sqlite() {
            for (_, Leased { task, .. }) in &mut picked {
                task.state = TaskState::Leased;
                task.generation += 1;
                task.attempt += 1;
                task.lease = Some(Lease { worker: request.worker, generation: task.generation, expires_at });
            }
            self.take(request, &picked, expires_at, length).await?;
        }
        Ok(picked)
    }

    /// Writes down, over SQLite, who took what.
    async fn take(
        &mut self,
        request: &ClaimRequest,
        picked: &[(RunStatus, Leased)],
        expires_at: Timestamp,
        length: Value<'_>,
    ) -> Result<(), StoreError> {
        let tasks = || picked.iter().map(|(_, leased)| &leased.task);
        if picked.len() >= MANY {
            let ids = Value::uuids(tasks().map(|task| task.id.uuid()));
            self.exec(&TAKE_MANY, &[ids.clone(), request.worker.into()]).await?;
            self.exec(&TAKEN_MANY, std::slice::from_ref(&ids)).await?;
            let params = [
                ids,
                request.worker.into(),
                request.claim_id.as_str().into(),
                expires_at.into(),
                length.clone(),
                request.now.into(),
            ];
            return self.exec(&LEASE_MANY, &params).await.map(drop);
        }
        for task in tasks() {
            self.exec(&TAKE, &[task.id.into(), request.worker.into()]).await?;
            self.exec(&TAKEN, &[task.id.into()]).await?;
            let params = [
                task.id.into(),
                task.run.into(),
                request.worker.into(),
                request.claim_id.as_str().into(),
                task.generation.into(),
                expires_at.into(),
                length.clone(),
                request.now.into(),
            ];
            self.exec(&LEASE, &params).await?;
        }
        Ok(())
    }

    /// The first claim of a queued run starts it. As every change of a run's status, its own stream and then
    /// the project's tell it (X57): whoever only looks at the project sees it go on.
    async fn start(&mut self, run: RunId, first: &Leased, now: Timestamp) -> Result<(), StoreError> {
        let Some((issue, revision)) = self.run_start(run, now).await? else { return Ok(()) };
        let mut change = json!({"from": "queued", "to": "running", "because": "claimed"});
        self.journal_append(StreamId::Run(run), &[NewEntry::new("run.status", change.clone())], now).await?;
        change["run"] = json!(run);
        change["run_kind"] = json!(first.run_kind);
        change["revision"] = json!(revision);
        self.journal_append(StreamId::Project(first.task.project), &[NewEntry::new("run.status", change)], now).await?;
        if let Some(issue) = issue {
            let cause = json!({"what": "run.status", "run": run, "from": "queued", "to": "running"});
            self.issue_tell(issue, cause, now).await?;
        }
        Ok(())
    }
}

//! The ledger: what is set aside for tasks that cost money, and what became of it (X42).
//!
//! Lines are only ever added; the database refuses every change of one. Beside them stand the totals of the pools,
//! moved in the transaction of the line. A reserve that belongs to a task is open only while the task is leased: the
//! change that ends the lease closes it, whoever forgot to ([`Tx::ledger_let_go`]).
//!
//! Rows are held in the order run, task, pool of the run, pool of the day.

mod list;
mod verify;

use model::{
    agent::usage::{Cost, CostState},
    id::{ProjectId, ReserveId, RunId, TaskId},
    journal::{NewEntry, StreamId},
    ledger::{Account, Ask, Caps, Line, LineKind, Pool, PoolKey, Short, Spent, What, admit, late},
    money::NanoUsd,
    task::Fence,
    time::{Day, Timestamp},
};
use serde_json::json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

pub(crate) use list::STATEMENTS as LIST_STATEMENTS;
pub use list::{LedgerFilter, LedgerLine, TopUp};
pub(crate) use verify::STATEMENTS as VERIFY_STATEMENTS;

macro_rules! columns {
    () => {
        "reserve, kind, project, run, day, task, generation, late, reserved, settled, known, cost_state, because, at"
    };
}
pub(crate) use columns;

statements! {
    ADD = "INSERT INTO ledger_line (reserve, step, kind, project, run, day, task, generation, late, reserved, settled, known,
            cost_state, because, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    MAKE = "INSERT INTO ledger_pool (kind, owner, day, reserved, settled, topped_up) VALUES ($1, $2, $3, 0, 0, 0)
        ON CONFLICT DO NOTHING";
    HOLD => sqlite "SELECT reserved, settled, topped_up FROM ledger_pool WHERE kind = $1 AND owner = $2 AND day = $3",
        postgres "SELECT reserved, settled, topped_up FROM ledger_pool WHERE kind = $1 AND owner = $2 AND day = $3
            FOR UPDATE";
    POOL = "SELECT reserved, settled, topped_up FROM ledger_pool WHERE kind = $1 AND owner = $2 AND day = $3";
    MOVE = "INSERT INTO ledger_pool AS p (kind, owner, day, reserved, settled, topped_up) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (kind, owner, day) DO UPDATE SET reserved = p.reserved + excluded.reserved,
            settled = p.settled + excluded.settled, topped_up = p.topped_up + excluded.topped_up";
    OF_ATTEMPT = concat!("SELECT ", columns!(), " FROM ledger_line WHERE task = $1 AND generation = $2 ORDER BY number");
    SUM_OF_RUN = "SELECT CAST(coalesce(sum(reserved), 0) AS bigint), CAST(coalesce(sum(settled), 0) AS bigint),
            (SELECT CAST(coalesce(sum(run_amount), 0) AS bigint) FROM ledger_top_up WHERE run = $1)
        FROM ledger_line WHERE run = $1";
    SUM_OF_DAY = "SELECT CAST(coalesce(sum(reserved), 0) AS bigint), CAST(coalesce(sum(settled), 0) AS bigint),
            (SELECT CAST(coalesce(sum(day_amount), 0) AS bigint) FROM ledger_top_up WHERE project = $1 AND day = $2)
        FROM ledger_line WHERE project = $1 AND day = $2";
    TOP_UP = "INSERT INTO ledger_top_up (question, project, run, day, run_amount, day_amount, by_whom, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    HAS_ENDED = "SELECT CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END FROM run WHERE id = $1";
}

/// What is to be set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Reserve {
    /// A new id.
    pub id: ReserveId,
    /// Whose money.
    pub account: Account,
    /// The attempt that will spend it.
    pub attempt: Option<Fence>,
    /// How much.
    pub ask: Ask,
    /// What may be taken at most.
    pub caps: Caps,
    /// What it is for.
    pub because: String,
}

/// The key of a pool's row.
fn row_of(pool: PoolKey) -> [Value<'static>; 3] {
    match pool {
        PoolKey::Run(run) => ["run".into(), run.into(), 0_i64.into()],
        PoolKey::Day(project, day) => ["day".into(), project.into(), day.number().into()],
    }
}

fn nano(row: &mut Row) -> Result<NanoUsd, StoreError> {
    row.int().map(NanoUsd::from_nanos)
}

fn pool(mut row: Row) -> Result<Pool, StoreError> {
    Ok(Pool { reserved: nano(&mut row)?, settled: nano(&mut row)?, topped_up: nano(&mut row)? })
}

pub(crate) fn cost_state(name: &str) -> Option<CostState> {
    serde_json::from_value(name.into()).ok()
}

fn line(row: &mut Row) -> Result<Line, StoreError> {
    let reserve = ReserveId::from_uuid(row.uuid()?);
    let kind = row.named(LineKind::by_name)?;
    let project = ProjectId::from_uuid(row.uuid()?);
    let run = RunId::from_uuid(row.uuid()?);
    let day = Day::from_number(row.int()?);
    let (task, generation) = (row.opt_uuid()?.map(TaskId::from_uuid), row.opt_int()?);
    let is_late = row.flag()?;
    let (reserved, settled) = (nano(row)?, nano(row)?);
    let (known, state) = (row.opt_int()?, row.opt_text()?);
    let held = NanoUsd::ZERO.minus(reserved);
    let damaged = |what: &str| StoreError::LedgerDamaged(format!("a line of the reserve {reserve} {what}"));
    let what = match kind {
        LineKind::Reserve => What::Reserved { amount: reserved },
        LineKind::Release => What::Released { held },
        LineKind::Settle => {
            let state = state.as_deref().and_then(cost_state).ok_or_else(|| damaged("has no state of its cost"))?;
            let known = NanoUsd::from_nanos(known.ok_or_else(|| damaged("has no cost"))?);
            What::Settled { held, amount: settled, cost: Cost { state, known } }
        }
    };
    if what.moves() != (reserved, settled) {
        return Err(damaged("moves what its kind does not"));
    }
    let attempt = task.zip(generation.and_then(|number| u32::try_from(number).ok()));
    Ok(Line {
        reserve,
        what,
        account: Account { run, project, day },
        attempt: attempt.map(|(task, generation)| Fence { task, generation }),
        is_late,
        because: row.text()?,
        at: row.time()?,
    })
}

impl Tx {
    /// Sets an amount aside in every pool of the account at once, or says which has no room; then nothing changed. The
    /// pools' rows are held until the transaction ends, so that no two take the same room.
    ///
    /// # Errors
    /// [`StoreError::LedgerDamaged`] where a pool is not what its lines make: nothing is set aside on such ground.
    pub async fn ledger_reserve(&mut self, want: &Reserve, now: Timestamp) -> Result<Result<Line, Short>, StoreError> {
        let mut pools = Vec::with_capacity(2);
        for key in want.account.pools() {
            let stands = self.pool_hold(key).await?;
            let counted = self.pool_counted(key).await?;
            if stands != counted {
                return Err(StoreError::LedgerDamaged(format!("{key:?} says {stands:?}, its lines make {counted:?}")));
            }
            pools.push((key, want.caps.of(key.kind()), stands));
        }
        let amount = match admit(&pools, want.ask) {
            Ok(amount) => amount,
            Err(short) => return Ok(Err(short)),
        };
        let line = Line {
            reserve: want.id,
            what: What::Reserved { amount },
            account: want.account,
            attempt: want.attempt,
            is_late: false,
            because: want.because.clone(),
            at: now,
        };
        self.ledger_add(&line).await?;
        Ok(Ok(line))
    }

    /// Books what an attempt spent. Where what was reserved for it is still open, that closes it; where it was closed
    /// when nobody knew the cost, what is more than was counted is added (D34). The same word again changes nothing.
    /// Whether the fence is still good does not matter: money spent is money spent.
    pub async fn ledger_spent(
        &mut self,
        fence: Fence,
        spent: Spent,
        id: ReserveId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Held in the order of everybody: run, task, pools.
        let Some(task) = self.task_lock(fence.task).await?.map(|kept| kept.task) else { return Ok(()) };
        if fence.generation == 0 || fence.generation > task.generation {
            return Ok(());
        }
        let lines = self.ledger_of(fence).await?;
        let opened = lines.iter().find(|line| !line.is_late && matches!(line.what, What::Reserved { .. }));
        let closed = lines.iter().find(|line| !line.is_late && !matches!(line.what, What::Reserved { .. }));
        match (opened, closed) {
            (Some(opened), None) => self.ledger_close(opened, spent, "told by who did the work", now).await,
            (_, closed) => {
                let Spent::Cost(cost) = spent else { return Ok(()) };
                // A cost that was known when it was closed is final, and a late bill comes once.
                let is_final = match closed.map(|line| line.what) {
                    Some(What::Settled { cost, .. }) => cost.state != CostState::Unknown,
                    Some(What::Released { .. } | What::Reserved { .. }) | None => false,
                };
                let says_nothing =
                    cost.known <= NanoUsd::ZERO && (opened.is_some() || cost.state != CostState::Unknown);
                if is_final || says_nothing || lines.iter().any(|line| line.is_late) {
                    return Ok(());
                }
                let booked = closed.map_or(NanoUsd::ZERO, |line| line.what.moves().1);
                let account = opened
                    .map_or(Account { run: task.run, project: task.project, day: now.day() }, |line| line.account);
                let open = Line {
                    reserve: id,
                    what: What::Reserved { amount: NanoUsd::ZERO },
                    account,
                    attempt: Some(fence),
                    is_late: true,
                    because: "a bill that came late".to_owned(),
                    at: now,
                };
                self.ledger_add(&open).await?;
                self.ledger_add(&Line { what: late(booked, cost), ..open }).await
            }
        }
    }

    /// Closes what was set aside for an attempt that ends without a word on its cost: something may have been started,
    /// so it counts as unknown (L85, L88). Nothing happens where it was closed before.
    pub(crate) async fn ledger_let_go(&mut self, fence: Fence, now: Timestamp) -> Result<(), StoreError> {
        let lines = self.ledger_of(fence).await?;
        match lines.as_slice() {
            [opened] if matches!(opened.what, What::Reserved { .. }) => {
                self.ledger_close(&opened.clone(), Spent::UNKNOWN, "nobody said what it cost", now).await
            }
            _ => Ok(()),
        }
    }

    async fn ledger_close(
        &mut self,
        opened: &Line,
        spent: Spent,
        because: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let what = spent.close(opened.what.amount());
        let because = if spent == Spent::Nothing { "nothing had been started" } else { because };
        self.ledger_add(&Line { what, because: because.to_owned(), at: now, ..opened.clone() }).await
    }

    /// The lines of one attempt, the oldest first.
    pub async fn ledger_of(&mut self, attempt: Fence) -> Result<Vec<Line>, StoreError> {
        let rows = self.query(&OF_ATTEMPT, &[attempt.task.into(), attempt.generation.into()]).await?;
        rows.into_iter().map(|mut row| line(&mut row)).collect()
    }

    /// How a pool stands.
    pub async fn ledger_pool(&mut self, key: PoolKey) -> Result<Pool, StoreError> {
        self.query_opt(&POOL, &row_of(key)).await?.map_or(Ok(Pool::default()), pool)
    }

    /// Raises caps by what a person answered to a question, once (L90). Whether this was the first time.
    pub async fn ledger_top_up(&mut self, top_up: &TopUp) -> Result<bool, StoreError> {
        let TopUp { question, account, run, day, by, at } = top_up;
        let params = [
            (*question).into(),
            account.project.into(),
            account.run.into(),
            account.day.number().into(),
            run.nanos().into(),
            day.nanos().into(),
            Value::json(by),
            (*at).into(),
        ];
        if self.exec(&TOP_UP, &params).await? != 1 {
            return Ok(false);
        }
        for (key, amount) in account.pools().into_iter().zip([run, day]) {
            if *amount != NanoUsd::ZERO {
                self.pool_move(key, NanoUsd::ZERO, NanoUsd::ZERO, *amount).await?;
            }
        }
        Ok(true)
    }

    async fn pool_hold(&mut self, key: PoolKey) -> Result<Pool, StoreError> {
        let row = row_of(key);
        self.exec(&MAKE, &row).await?;
        pool(self.query_one(&HOLD, &row).await?)
    }

    async fn pool_counted(&mut self, key: PoolKey) -> Result<Pool, StoreError> {
        let row = match key {
            PoolKey::Run(run) => self.query_one(&SUM_OF_RUN, &[run.into()]).await?,
            PoolKey::Day(project, day) => self.query_one(&SUM_OF_DAY, &[project.into(), day.number().into()]).await?,
        };
        pool(row)
    }

    async fn pool_move(
        &mut self,
        key: PoolKey,
        reserved: NanoUsd,
        settled: NanoUsd,
        topped_up: NanoUsd,
    ) -> Result<(), StoreError> {
        let [kind, owner, day] = row_of(key);
        let params = [kind, owner, day, reserved.nanos().into(), settled.nanos().into(), topped_up.nanos().into()];
        self.exec(&MOVE, &params).await.map(drop)
    }

    /// Adds a line, moves the totals of its pools and tells it.
    async fn ledger_add(&mut self, line: &Line) -> Result<(), StoreError> {
        let (reserved, settled) = line.what.moves();
        let cost = match line.what {
            What::Settled { cost, .. } => Some(cost),
            What::Reserved { .. } | What::Released { .. } => None,
        };
        let state = cost.and_then(|cost| serde_json::to_value(cost.state).ok()?.as_str().map(str::to_owned));
        let params = [
            line.reserve.into(),
            i64::from(line.what.kind() != LineKind::Reserve).into(),
            line.what.kind().name().into(),
            line.account.project.into(),
            line.account.run.into(),
            line.account.day.number().into(),
            line.attempt.map(|fence| fence.task).into(),
            line.attempt.map(|fence| fence.generation).into(),
            line.is_late.into(),
            reserved.nanos().into(),
            settled.nanos().into(),
            cost.map(|cost| cost.known.nanos()).into(),
            state.into(),
            line.because.as_str().into(),
            line.at.into(),
        ];
        self.exec(&ADD, &params).await?;
        for key in line.account.pools() {
            self.pool_move(key, reserved, settled, NanoUsd::ZERO).await?;
        }
        self.ledger_tell(line).await
    }

    /// A run's own stream tells its money; behind its last entry only the project's does (X24).
    async fn ledger_tell(&mut self, line: &Line) -> Result<(), StoreError> {
        let kind = match line.what.kind() {
            LineKind::Reserve => "ledger.reserved",
            LineKind::Settle => "ledger.settled",
            LineKind::Release => "ledger.released",
        };
        let mut data = json!({
            "reserve": line.reserve, "micro_usd": line.what.amount().micros_up(), "day": line.account.day,
            "because": line.because,
        });
        if let Some(fence) = line.attempt {
            data["task"] = json!(fence.task);
            data["generation"] = json!(fence.generation);
        }
        if let What::Settled { held, cost, .. } = line.what {
            data["cost_state"] = json!(cost.state);
            data["known_micro_usd"] = json!(cost.known.micros_up());
            data["held_micro_usd"] = json!(held.micros_up());
        }
        if line.is_late {
            data["late"] = json!(true);
        }
        let has_ended = match self.query_opt(&HAS_ENDED, &[line.account.run.into()]).await? {
            Some(mut row) => row.flag()?,
            None => true,
        };
        let stream = if has_ended {
            data["run"] = json!(line.account.run);
            StreamId::Project(line.account.project)
        } else {
            StreamId::Run(line.account.run)
        };
        self.journal_append(stream, &[NewEntry::new(kind, data)], line.at).await
    }
}

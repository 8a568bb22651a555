//! Money: it is set aside in the transaction that hands a task out, and booked in the one that records the task's end
//! (D34).
//!
//! The store keeps the lines and makes sure that nothing stays open ([`store::Tx::ledger_reserve`]). Here stands what
//! that means for runs: what the caps are, that a task which nobody can pay for is not handed out and a person is asked
//! ([`question`]), and what they may answer.

mod claim;
mod question;

use model::{
    actor::Actor,
    id::{ProjectId, ReserveId, RunId},
    ledger::{Account, Budget, Caps, Flaw, PoolKey, Short, Spent, Totals},
    policy::Policy,
    problem::Problem,
    run::Run,
    task::{Fence, Task},
    time::{Day, Timestamp},
};
use store::{LedgerFilter, LedgerLine, Tx};
use uuid::Uuid;

use crate::{Engine, kind::Kind, projects::BUDGET};

pub(crate) use question::{ask, told};

/// Lines in one page of a list.
const PAGE: u32 = 1_000;

/// A task that was not handed out.
#[derive(Debug)]
pub struct Refused {
    /// The task; it is blocked.
    pub task: Task,
    /// The pool that has no room.
    pub short: Short,
    /// The caps as they are configured.
    pub caps: Caps,
}

/// A project's budget: its document, else what holds on the plane.
pub(crate) async fn budget(tx: &mut Tx, project: ProjectId) -> Result<Budget, Problem> {
    // One that cannot be read switches nothing off: nothing is spent until it is mended (L79).
    tx.document(project, BUDGET).await?.map_or_else(|| Ok(Budget::default()), |document| Budget::read(&document.body))
}

/// The caps of a run: its own, else its project's (X28).
async fn caps(tx: &mut Tx, kind: &dyn Kind, run: &Run) -> Result<Caps, Problem> {
    let caps = budget(tx, run.project).await?.caps;
    Ok(Caps { run: kind.cap(run).unwrap_or(caps.run), ..caps })
}

const fn account(run: &Run, day: Day) -> Account {
    Account { run: run.id, project: run.project, day }
}

/// Books what an attempt spent, by the word of who did the work.
pub(crate) async fn book(tx: &mut Tx, fence: Fence, spent: Spent, now: Timestamp) -> Result<(), Problem> {
    Ok(tx.ledger_spent(fence, spent, ReserveId::from_uuid(Uuid::now_v7()), now).await?)
}

/// A part of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// Its lines, the oldest first.
    pub lines: Vec<LedgerLine>,
    /// What they come to.
    pub totals: Totals,
}

/// What a look at the whole ledger of a project found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Lines that were counted.
    pub lines: u64,
    /// What does not add up.
    pub flaws: Vec<Flaw>,
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The caps as they are configured, and of which pool.
    pub caps: Caps,
    /// The pool.
    pub pool: PoolKey,
    /// What is in it.
    pub stands: model::ledger::Pool,
}

impl Engine {
    /// Books what an attempt spent whose end was refused.
    pub(crate) async fn book(&self, fence: Fence, spent: Spent) -> Result<(), Problem> {
        let now = self.now();
        self.store().write(move |tx| Box::pin(async move { book(tx, fence, spent, now).await })).await
    }

    /// The lines of a run, a day or a project, all of them.
    ///
    /// # Errors
    /// 503 for a line that cannot be read.
    pub async fn ledger(&self, of: LedgerFilter) -> Result<Ledger, Problem> {
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let (mut lines, mut totals): (Vec<LedgerLine>, _) = (Vec::new(), Totals::default());
                    loop {
                        let after = lines.last().map_or(0, |last| last.number);
                        let page = tx.ledger_lines(of, after, PAGE).await?;
                        let is_last = page.len() < PAGE as usize;
                        page.iter().for_each(|kept| totals.take(kept.line.what));
                        lines.extend(page);
                        if is_last {
                            return Ok::<_, Problem>(Ledger { lines, totals });
                        }
                    }
                })
            })
            .await
    }

    /// What the lines of a run, a day or a project come to; nothing where there are none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ledger_totals(&self, of: LedgerFilter) -> Result<Option<Totals>, Problem> {
        let read = self.store().read(move |tx| Box::pin(async move { tx.ledger_totals(of).await }));
        read.await.map_err(Problem::from)
    }

    /// How the pools of a run and of its project's present day stand.
    ///
    /// # Errors
    /// 404 for a run that there is not.
    pub async fn ledger_standing(&self, run: RunId) -> Result<[Standing; 2], Problem> {
        let (engine, now) = (self.clone(), self.now());
        self.store()
            .read(move |tx| {
                let engine = engine.clone();
                Box::pin(async move {
                    let run = tx.run(run).await?.ok_or_else(Problem::not_found)?;
                    let kind = engine.kinds().named(&run.kind)?;
                    let caps = caps(tx, &*kind, &run).await?;
                    let [of_run, of_day] = account(&run, now.day()).pools();
                    Ok([
                        Standing { caps, pool: of_run, stands: tx.ledger_pool(of_run).await? },
                        Standing { caps, pool: of_day, stands: tx.ledger_pool(of_day).await? },
                    ])
                })
            })
            .await
    }

    /// How a project's day stands.
    ///
    /// # Errors
    /// 422 for a budget that cannot be read.
    pub async fn ledger_day(&self, project: ProjectId, day: Day) -> Result<Standing, Problem> {
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let pool = PoolKey::Day(project, day);
                    let caps = budget(tx, project).await?.caps;
                    Ok(Standing { caps, pool, stands: tx.ledger_pool(pool).await? })
                })
            })
            .await
    }

    /// Recounts the ledger of a project (L89).
    ///
    /// # Errors
    /// Those of the store; what does not add up is no error.
    pub async fn ledger_verify(&self, project: ProjectId) -> Result<Checked, Problem> {
        let checked = self.store().read(move |tx| Box::pin(async move { tx.ledger_verify(project).await }));
        let (lines, flaws) = checked.await.map_err(Problem::from)?;
        Ok(Checked { lines, flaws })
    }

    /// Whether somebody may raise a project's caps besides its admins: those that its policy names (L90).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn approves_budgets(&self, project: ProjectId, actor: &Actor) -> Result<bool, Problem> {
        let document = self
            .store()
            .read(move |tx| {
                Box::pin(async move { Ok::<_, Problem>(tx.document(project, crate::projects::POLICY).await?) })
            })
            .await?;
        let policy = document.and_then(|document| Policy::read(&document.body).ok());
        let Actor::Person { id, name } = actor else { return Ok(false) };
        let id = id.to_string();
        Ok(policy.is_some_and(|policy| policy.budget_approvers.iter().any(|known| known == name || *known == id)))
    }
}

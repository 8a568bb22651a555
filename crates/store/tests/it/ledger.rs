//! The ledger: nothing is spent that was not set aside, and everything that was is closed once.

use std::time::Duration;

use model::{
    actor::Actor,
    agent::usage::{Cost, CostState},
    id::{QuestionId, ReserveId, RunId},
    journal::StreamId,
    ledger::{Account, Ask, Cap, Caps, Flaw, Line, LineKind, Pool, PoolKey, Spent, SumState, Totals, What},
    limits::LEASE,
    money::NanoUsd,
    task::{Fence, TaskState},
};
use store::{Leased, LedgerFilter, Reserve, RunChange, StoreError, TopUp};

use crate::support::*;

const fn usd(dollars: i64) -> NanoUsd {
    NanoUsd::from_nanos(dollars * 1_000_000_000)
}

const CAPS: Caps = Caps { run: Cap::At(usd(5)), day: Cap::At(usd(10)) };

fn known(dollars: i64) -> Spent {
    Spent::Cost(Cost { state: CostState::Reported, known: usd(dollars) })
}

impl Db {
    fn account(&self, run: RunId) -> Account {
        Account { run, project: self.project, day: self.now().day() }
    }

    async fn reserve(&self, run: RunId, attempt: Option<Fence>, ask: Ask) -> Result<Option<Line>, StoreError> {
        let want = Reserve {
            id: ReserveId::from_uuid(uuid()),
            account: self.account(run),
            attempt,
            ask,
            caps: CAPS,
            because: "a test".to_owned(),
        };
        let now = self.now();
        let reserved = self.store.write(move |tx| {
            let want = want.clone();
            Box::pin(async move { tx.ledger_reserve(&want, now).await })
        });
        reserved.await.map(Result::ok)
    }

    async fn spent(&self, fence: Fence, spent: Spent) {
        let (id, now) = (ReserveId::from_uuid(uuid()), self.now());
        within!(self, |tx| tx.ledger_spent(fence, spent, id, now).await).await.unwrap();
    }

    async fn pool(&self, key: PoolKey) -> Pool {
        within!(self, |tx| tx.ledger_pool(key).await).await.unwrap()
    }

    /// Kinds and amounts in dollars of a run's lines.
    async fn lines(&self, run: RunId) -> Vec<(LineKind, i64)> {
        let lines = within!(self, |tx| tx.ledger_lines(LedgerFilter::Run(run), 0, 100).await).await.unwrap();
        lines.iter().map(|kept| (kept.line.what.kind(), kept.line.what.amount().nanos() / 1_000_000_000)).collect()
    }

    async fn flaws(&self) -> Vec<Flaw> {
        let project = self.project;
        self.store.read(move |tx| Box::pin(async move { tx.ledger_verify(project).await })).await.unwrap().1
    }

    /// A run with one task that costs up to a dollar, claimed and reserved for.
    async fn at_work(&self) -> (RunId, Leased) {
        let mut costly = task("costly");
        costly.reserve = Some(Ask::UpTo(usd(1)));
        let run = self.start(vec![costly]).await;
        let leased = self.claim(worker(), 1).await.remove(0);
        assert_eq!((leased.task.run, leased.task.reserve), (run, Some(Ask::UpTo(usd(1)))));
        self.reserve(run, Some(fence(&leased)), Ask::UpTo(usd(1))).await.unwrap().unwrap();
        (run, leased)
    }
}

use LineKind::{Release as Released, Reserve as Reserved, Settle as Settled};

both! {
    /// L83, S65: claimers at once take no more than there is, whoever is first.
    async fn concurrent_reserves_never_exceed_a_cap(db: Db) {
        let mut runs = Vec::new();
        for n in 0..6 {
            runs.push(db.start(vec![task(&n.to_string())]).await);
        }
        let claimers: Vec<_> = (0..24).map(|n: usize| {
            let (db, run) = (db.clone(), runs[n % 6]);
            tokio::spawn(async move { db.reserve(run, None, Ask::Exactly(usd(1))).await.unwrap().is_some() })
        }).collect();
        let mut admitted = 0;
        for claimer in claimers {
            admitted += i64::from(claimer.await.unwrap());
        }
        assert_eq!(admitted, 10, "the day has ten dollars");
        let day = PoolKey::Day(db.project, db.now().day());
        assert_eq!(db.pool(day).await, Pool { reserved: usd(10), ..Pool::default() });
        for run in runs {
            assert!(db.pool(PoolKey::Run(run)).await.reserved <= usd(5));
        }
        assert!(db.flaws().await.is_empty());
    }

    /// L85, L88, L89, X42: what closes a reserve, what that makes of the pools, and that the second word changes nothing.
    async fn a_reserve_is_closed_once(db: Db) {
        for (spent, closed, settled) in [
            (known(3), (Settled, 3), usd(3)),
            (Spent::Nothing, (Released, 1), usd(0)),
            (Spent::UNKNOWN, (Settled, 1), usd(1)),
        ] {
            let (run, leased) = db.at_work().await;
            db.spent(fence(&leased), spent).await;
            assert_eq!(db.lines(run).await, [(Reserved, 1), closed]);
            assert_eq!(db.pool(PoolKey::Run(run)).await, Pool { settled, ..Pool::default() });
            db.finish(fence(&leased)).await.unwrap();
            db.spent(fence(&leased), spent).await;
            assert_eq!(db.lines(run).await.len(), 2, "told twice, booked once: {spent:?}");
            // X23: the run's own journal tells it.
            let told = within!(db, |tx| tx.entries(StreamId::Run(run), 0, 100).await).await.unwrap();
            let told: Vec<_> = told.iter().filter(|entry| entry.kind.starts_with("ledger.")).collect();
            assert_eq!(told.len(), 2, "{told:?}");
        }
        let day = PoolKey::Day(db.project, db.now().day());
        assert_eq!(db.pool(day).await, Pool { settled: usd(4), ..Pool::default() });
        assert!(db.flaws().await.is_empty());
    }

    /// X2, L88: what lines come to is the same where the database adds them up.
    async fn sums_are_those_of_the_lines(db: Db) {
        let partly = Spent::Cost(Cost { state: CostState::Unknown, known: NanoUsd::from_nanos(250_000_000) });
        for spent in [known(3), partly, Spent::Nothing, Spent::UNKNOWN] {
            let (run, leased) = db.at_work().await;
            let of = LedgerFilter::Run(run);
            let open = within!(db, |tx| tx.ledger_totals(of).await).await.unwrap();
            assert_eq!(open, Some(Totals::counted(usd(1), usd(0), usd(0), 0, 0)));
            db.spent(fence(&leased), spent).await;
            db.finish(fence(&leased)).await.unwrap();
            let lines = within!(db, |tx| tx.ledger_lines(of, 0, 100).await).await.unwrap();
            let mut added = Totals::default();
            lines.iter().for_each(|kept| added.take(kept.line.what));
            assert_eq!(within!(db, |tx| tx.ledger_totals(of).await).await.unwrap(), Some(added), "{spent:?}");
        }
        let (day, project) = (LedgerFilter::Day(db.project, db.now().day()), LedgerFilter::Project(db.project));
        let of_day = within!(db, |tx| tx.ledger_totals(day).await).await.unwrap();
        let sums = of_day.map(|sums| (sums.settled.micros_up(), sums.held.micros_up(), sums.state()));
        assert_eq!(sums, Some((5_000_000, 1_750_000, SumState::Partial)));
        assert_eq!(within!(db, |tx| tx.ledger_totals(project).await).await.unwrap(), of_day);
        let none = LedgerFilter::Run(RunId::from_uuid(uuid()));
        assert_eq!(within!(db, |tx| tx.ledger_totals(none).await).await.unwrap(), None);
    }

    /// L85: whatever ends a lease closes what was set aside, and nobody has to think of it.
    async fn no_end_of_a_lease_leaves_a_reserve_open(db: Db) {
        let (finished, leased) = db.at_work().await;
        db.finish(fence(&leased)).await.unwrap();
        assert_eq!(db.lines(finished).await, [(Reserved, 1), (Settled, 1)]);

        let (released, leased) = db.at_work().await;
        db.store.release(fence(&leased), "stopped", false, Some(db.now().plus(LEASE * 100)), db.now()).await.unwrap();
        assert_eq!(db.lines(released).await, [(Reserved, 1), (Settled, 1)]);

        let (parked, leased) = db.at_work().await;
        let (held, now) = (fence(&leased), db.now());
        within!(db, |tx| tx.task_park(held, now).await).await.unwrap();
        assert_eq!(db.lines(parked).await, [(Reserved, 1), (Settled, 1)]);

        let (cancelled, _) = db.at_work().await;
        within!(db, |tx| tx.cancel_leased_tasks(cancelled, now).await).await.unwrap();
        assert_eq!(db.lines(cancelled).await, [(Reserved, 1), (Settled, 1)]);

        let (gone, leased) = db.at_work().await;
        let holder = leased.task.lease.unwrap().worker;
        db.store.return_leases(holder, "worker_restarted", now).await.unwrap();
        assert_eq!(db.lines(gone).await, [(Reserved, 1), (Settled, 1)]);
        within!(db, |tx| tx.cancel_open_tasks(gone, now).await).await.unwrap();

        let (lapsed, leased) = db.at_work().await;
        db.advance(LEASE + Duration::from_secs(1));
        assert_eq!(db.store.reap(db.now()).await.unwrap().len(), 1);
        assert_eq!(db.lines(lapsed).await, [(Reserved, 1), (Settled, 1)]);
        assert!(db.flaws().await.is_empty(), "{:?}", db.flaws().await);

        // D34: who was lost tells later what it cost: only what is more than was counted is added, once.
        db.spent(fence(&leased), known(3)).await;
        db.spent(fence(&leased), known(3)).await;
        db.spent(fence(&leased), known(4)).await;
        assert_eq!(db.lines(lapsed).await, [(Reserved, 1), (Settled, 1), (Reserved, 0), (Settled, 2)]);
        assert_eq!(db.pool(PoolKey::Run(lapsed)).await.settled, usd(3));
        // L87: it counts on the day of its reserve.
        let lines = within!(db, |tx| tx.ledger_lines(LedgerFilter::Run(lapsed), 0, 9).await).await.unwrap();
        assert!(lines.iter().all(|kept| kept.line.account.day == lines[0].line.account.day));
        assert!(db.flaws().await.is_empty());
    }

    /// X24: a bill that comes when the run has ended is told by the project's stream; the run's last entry stays last.
    async fn a_late_bill_is_told_on_the_board(db: Db) {
        let (run, leased) = db.at_work().await;
        let now = db.now();
        within!(db, |tx| {
            tx.cancel_leased_tasks(run, now).await?;
            tx.run_set(run, &RunChange { status: Some(model::run::RunStatus::Cancelled), ..Default::default() }, now).await
        }).await.map_err(|error: StoreError| error).unwrap().unwrap();
        let before = within!(db, |tx| tx.entries(StreamId::Run(run), 0, 100).await).await.unwrap().len();
        db.spent(fence(&leased), known(2)).await;
        let after = within!(db, |tx| tx.entries(StreamId::Run(run), 0, 100).await).await.unwrap().len();
        assert_eq!(before, after);
        let board = StreamId::Project(db.project);
        let told = within!(db, |tx| tx.entries_of(board, &["ledger.settled"], 0, 10).await).await.unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].data.contains(&run.to_string()) && told[0].data.contains("\"late\":true"), "{}", told[0].data);
    }

    /// D34: a claim that is taken back has not been: the number of the claim before it is the newest again.
    async fn a_claim_that_is_taken_back_has_not_been(db: Db) {
        db.start(vec![task("one")]).await;
        let first = worker();
        let held = fence(&db.claim(first, 1).await[0]);
        db.store.release(held, "shutdown", true, None, db.now()).await.unwrap();
        let request = db.request(worker(), 1);
        db.store.write(move |tx| {
            let request = request.clone();
            Box::pin(async move {
                let leased = tx.tasks_claim(&request).await?;
                tx.task_untake(&leased[0]).await
            })
        }).await.map_err(|error: StoreError| error).unwrap();
        let task = db.task(held.task).await;
        assert_eq!((task.state, task.generation, task.attempt, task.lease), (TaskState::Blocked, 1, 1, None));
        let holder = within!(db, |tx| tx.holder(held).await).await.unwrap();
        assert_eq!(holder, Some(first));
        assert!(db.claim(worker(), 1).await.is_empty());
    }

    /// L90: a top-up raises the cap in force, once, and is no spending.
    async fn a_top_up_counts_once(db: Db) {
        let run = db.start(vec![task("one")]).await;
        assert!(db.reserve(run, None, Ask::Exactly(usd(5))).await.unwrap().is_some());
        assert!(db.reserve(run, None, Ask::Exactly(usd(1))).await.unwrap().is_none());
        let top_up = TopUp {
            question: QuestionId::from_uuid(uuid()),
            account: db.account(run),
            run: usd(2),
            day: usd(0),
            by: Actor::System,
            at: db.now(),
        };
        for first in [true, false] {
            let top_up = top_up.clone();
            let raised = db.store.write(move |tx| {
                let top_up = top_up.clone();
                Box::pin(async move { tx.ledger_top_up(&top_up).await })
            });
            assert_eq!(raised.await.map_err(|error: StoreError| error).unwrap(), first);
        }
        let line = db.reserve(run, None, Ask::UpTo(usd(9))).await.unwrap().unwrap();
        assert_eq!(line.what, What::Reserved { amount: usd(2) });
        assert_eq!(db.lines(run).await, [(Reserved, 5), (Reserved, 2)]);
        assert!(db.flaws().await.is_empty());
    }

    /// L89: no line is changed or taken away; a total that was changed is found, and nothing is reserved on it.
    async fn lines_stay_and_a_changed_total_is_found(db: Db) {
        let (run, leased) = db.at_work().await;
        db.spent(fence(&leased), known(1)).await;
        db.finish(fence(&leased)).await.unwrap();
        let refused = |sql: &'static str| {
            let db = db.clone();
            async move { tokio::spawn(async move { db.harm(sql).await }).await.is_err() }
        };
        assert!(refused("UPDATE ledger_line SET settled = 0").await);
        assert!(refused("DELETE FROM ledger_line").await);
        assert!(refused("UPDATE ledger_top_up SET run_amount = 9").await || db.store.kind() == "sqlite");
        assert_eq!(db.lines(run).await, [(Reserved, 1), (Settled, 1)]);
        db.harm("UPDATE ledger_pool SET settled = 0 WHERE kind = 'day'").await;
        let flaws = db.flaws().await;
        assert!(matches!(flaws.as_slice(), [Flaw::Total { pool, .. }] if pool.contains(" on ")), "{flaws:?}");
        let refused = db.reserve(run, None, Ask::UpTo(usd(1))).await;
        assert!(matches!(refused, Err(StoreError::LedgerDamaged(_))), "{refused:?}");
        assert_eq!(db.lines(run).await.len(), 2);
    }
}

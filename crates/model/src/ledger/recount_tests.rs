use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    agent::usage::Cost,
    id::{ProjectId, RunId},
    ledger::{Ask, Cap, Spent, admit, late},
    time::{Day, Timestamp},
};

fn account(run: u128) -> Account {
    Account {
        run: RunId::from_uuid(Uuid::from_u128(run)),
        project: ProjectId::from_uuid(Uuid::from_u128(100)),
        day: Day::from_number(20_000),
    }
}

fn line(reserve: u128, account: Account, what: What) -> Line {
    Line {
        reserve: ReserveId::from_uuid(Uuid::from_u128(reserve)),
        what,
        account,
        attempt: None,
        is_late: false,
        because: String::new(),
        at: Timestamp::from_micros(0),
    }
}

/// What can happen to money, in whatever order.
#[derive(Debug, Clone)]
enum Step {
    Reserve { run: u128, ask: Ask },
    Settle { which: usize, cost: Cost },
    Release { which: usize },
    Die { which: usize },
    Late { which: usize, cost: Cost },
    TopUp { run: u128, amount: i64, day: i64 },
}

fn cost() -> impl Strategy<Value = Cost> {
    use CostState::{Computed, Reported, Unknown};
    (prop::sample::select(vec![Reported, Computed, Unknown]), -5i64..60)
        .prop_map(|(state, known)| Cost { state, known: NanoUsd::from_nanos(known) })
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (any::<bool>(), 0i64..25).prop_map(|(exactly, amount)| {
        let amount = NanoUsd::from_nanos(amount);
        if exactly { Ask::Exactly(amount) } else { Ask::UpTo(amount) }
    });
    prop_oneof![
        4 => (1u128..4, ask).prop_map(|(run, ask)| Step::Reserve { run, ask }),
        2 => (0usize..40, cost()).prop_map(|(which, cost)| Step::Settle { which, cost }),
        1 => (0usize..40).prop_map(|which| Step::Release { which }),
        1 => (0usize..40).prop_map(|which| Step::Die { which }),
        1 => (0usize..40, cost()).prop_map(|(which, cost)| Step::Late { which, cost }),
        1 => (1u128..4, 0i64..20, 0i64..20).prop_map(|(run, amount, day)| Step::TopUp { run, amount, day }),
    ]
}

/// The ledger as a store keeps it: lines, and totals beside them.
#[derive(Default)]
struct Book {
    lines: Vec<Line>,
    top_ups: Vec<(PoolKey, NanoUsd)>,
    pools: BTreeMap<PoolKey, Pool>,
    reserves: Vec<(Account, NanoUsd, Option<NanoUsd>)>,
}

impl Book {
    fn write(&mut self, line: Line) {
        let (reserved, settled) = line.what.moves();
        for key in line.account.pools() {
            let pool = self.pools.entry(key).or_default();
            pool.reserved = pool.reserved.plus(reserved);
            pool.settled = pool.settled.plus(settled);
        }
        self.lines.push(line);
    }

    fn close(&mut self, which: usize, spent: Spent) {
        let Some((account, held, closed)) = self.reserves.get(which).copied() else { return };
        // Whoever comes second changes nothing (L85).
        if closed.is_some() {
            return;
        }
        let what = spent.close(held);
        self.reserves[which].2 = Some(what.moves().1);
        self.write(line(which as u128, account, what));
    }
}

proptest! {
    // L125, L85, L86, L89, S65: any interleaving of reserve, settle, release, top-up, late bill and death keeps what is
    // used within the cap at each admission, lowers no total, closes each reserve once, and adds up.
    #[test]
    fn any_interleaving_adds_up(steps in prop::collection::vec(step(), 0..120), run_cap in 0i64..80, day_cap in 0i64..160) {
        let mut book = Book::default();
        let (run_cap, day_cap) = (Cap::At(NanoUsd::from_nanos(run_cap)), Cap::At(NanoUsd::from_nanos(day_cap)));
        let mut spent_before: BTreeMap<PoolKey, NanoUsd> = BTreeMap::new();
        for step in steps {
            let lines = book.lines.len();
            match step {
                Step::Reserve { run, ask } => {
                    let account = account(run);
                    let [of_run, of_day] = account.pools();
                    let stands = |key| book.pools.get(&key).copied().unwrap_or_default();
                    let pools = [(of_run, run_cap, stands(of_run)), (of_day, day_cap, stands(of_day))];
                    if let Ok(amount) = admit(&pools, ask) {
                        let id = book.reserves.len() as u128;
                        book.reserves.push((account, amount, None));
                        book.write(line(id, account, What::Reserved { amount }));
                        for (key, cap, _) in pools {
                            let pool = book.pools[&key];
                            let Cap::At(cap) = pool.cap(cap) else { unreachable!() };
                            prop_assert!(pool.used() <= cap, "{key:?} {pool:?} {cap}");
                        }
                    }
                }
                Step::Settle { which, cost } => book.close(which, Spent::Cost(cost)),
                Step::Release { which } => book.close(which, Spent::Nothing),
                Step::Die { which } => book.close(which, Spent::UNKNOWN),
                Step::Late { which, cost } => {
                    if let Some((account, _, Some(booked))) = book.reserves.get(which).copied() {
                        let id = book.reserves.len() as u128;
                        let what = late(booked, cost);
                        book.reserves.push((account, NanoUsd::ZERO, Some(what.moves().1)));
                        book.write(line(id, account, What::Reserved { amount: NanoUsd::ZERO }));
                        book.write(line(id, account, what));
                    }
                }
                Step::TopUp { run, amount, day } => {
                    let [of_run, of_day] = account(run).pools();
                    for (key, amount) in [(of_run, amount), (of_day, day)] {
                        let amount = NanoUsd::from_nanos(amount);
                        let pool = book.pools.entry(key).or_default();
                        pool.topped_up = pool.topped_up.plus(amount);
                        book.top_ups.push((key, amount));
                    }
                }
            }
            prop_assert!(book.lines.len() >= lines);
            for (key, pool) in &book.pools {
                let before = spent_before.insert(*key, pool.settled).unwrap_or_default();
                prop_assert!(pool.settled >= before, "what was spent stays spent");
                prop_assert!(pool.reserved >= NanoUsd::ZERO);
            }
        }
        // Whoever is still at work dies; then nothing is open.
        for which in 0..book.reserves.len() {
            book.close(which, Spent::UNKNOWN);
        }
        let mut recount = Recount::default();
        book.lines.iter().for_each(|line| recount.take(line));
        book.top_ups.iter().for_each(|(key, amount)| recount.top_up(*key, *amount));
        prop_assert_eq!(recount.open().count(), 0);
        let opens = book.lines.iter().filter(|line| matches!(line.what, What::Reserved { .. })).count();
        prop_assert_eq!(book.lines.len(), 2 * opens);
        prop_assert_eq!(recount.flaws(&book.pools), vec![]);
    }
}

// L89: each way in which a ledger can be wrong is named.
#[test]
fn what_does_not_add_up_is_named() {
    let nano = NanoUsd::from_nanos;
    let of = account(1);
    let reserved = line(1, of, What::Reserved { amount: nano(10) });
    let settled = line(1, of, Spent::UNKNOWN.close(nano(10)));
    let flaws = |lines: &[Line], found: Option<BTreeMap<PoolKey, Pool>>| -> Vec<String> {
        let mut recount = Recount::default();
        lines.iter().for_each(|line| recount.take(line));
        let right = of.pools().into_iter().map(|key| (key, recount.pool(key))).collect();
        recount.flaws(&found.unwrap_or(right)).iter().map(ToString::to_string).collect()
    };
    assert!(flaws(&[reserved.clone(), settled.clone()], None).is_empty());
    for (lines, words) in [
        (vec![reserved.clone(), reserved.clone()], "opened twice"),
        (vec![reserved.clone(), settled.clone(), reserved.clone()], "opened twice"),
        (vec![reserved.clone(), settled.clone(), settled.clone()], "closed twice"),
        (vec![settled.clone()], "never opened"),
        (vec![reserved.clone(), line(1, of, Spent::Nothing.close(nano(9)))], "another amount"),
        (vec![line(1, of, What::Reserved { amount: nano(-1) })], "below 0"),
    ] {
        let found = flaws(&lines, None);
        assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
    }
    let found = flaws(&[reserved.clone(), settled.clone()], Some(BTreeMap::new()));
    assert!(found.len() == 2 && found[0].contains("its lines make $0.000001 spent"), "{found:?}");
}

// X2: a sum says how much of it is known.
#[test]
fn a_sum_says_how_well_it_is_known() {
    let cost =
        |state, known| Spent::Cost(Cost { state, known: NanoUsd::from_nanos(known) }).close(NanoUsd::from_nanos(10));
    use CostState::{Reported, Unknown};
    for (lines, state, settled, held) in [
        (vec![], SumState::Known, 0, 0),
        (vec![cost(Reported, 3)], SumState::Known, 3, 0),
        (vec![cost(Reported, 3), cost(Unknown, 4)], SumState::Partial, 13, 6),
        (vec![cost(Unknown, 0)], SumState::Unknown, 10, 10),
    ] {
        let mut totals = Totals::default();
        lines.into_iter().for_each(|what| totals.take(what));
        assert_eq!((totals.state(), totals.settled.nanos(), totals.held.nanos()), (state, settled, held));
    }
}

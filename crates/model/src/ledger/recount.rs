//! Totals are what the lines make, whatever is written beside them (L89).

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    line::{Account, Line, What},
    pool::{Pool, PoolKey},
};
use crate::{agent::usage::CostState, id::ReserveId, money::NanoUsd};

/// How well a sum is known (X2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CostSumState)]
pub enum SumState {
    /// All of it.
    #[default]
    Known,
    /// A part of it stands for costs that nobody knows.
    Partial,
    /// Nobody knows any of it.
    Unknown,
}

/// What lines come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Set aside, and not spent yet.
    pub reserved: NanoUsd,
    /// Spent.
    pub settled: NanoUsd,
    /// The part of it that stands for costs that nobody knows.
    pub held: NanoUsd,
    known: u64,
    unknown: u64,
}

impl Totals {
    /// With one more line.
    pub fn take(&mut self, what: What) {
        let (reserved, settled) = what.moves();
        self.reserved = self.reserved.plus(reserved);
        self.settled = self.settled.plus(settled);
        if let What::Settled { amount, cost, .. } = what {
            if cost.state == CostState::Unknown {
                self.unknown += 1;
                self.held = self.held.plus(amount.minus(cost.known).max(NanoUsd::ZERO));
            } else {
                self.known += 1;
            }
        }
    }

    /// The same where lines were counted elsewhere: sums, and how many lines cost what they say or what nobody knows.
    pub const fn counted(reserved: NanoUsd, settled: NanoUsd, held: NanoUsd, known: u64, unknown: u64) -> Self {
        Self { reserved, settled, held, known, unknown }
    }

    /// How well the sum is known.
    pub const fn state(&self) -> SumState {
        match (self.known, self.unknown) {
            (_, 0) => SumState::Known,
            (0, _) => SumState::Unknown,
            (_, _) => SumState::Partial,
        }
    }
}

/// What is wrong with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A reserve stands there twice.
    #[error("the reserve {0} was opened twice")]
    OpenedTwice(ReserveId),
    /// A reserve was closed twice.
    #[error("the reserve {0} was closed twice")]
    ClosedTwice(ReserveId),
    /// A line closes what was never reserved.
    #[error("the reserve {0} was closed and never opened")]
    NeverOpened(ReserveId),
    /// A line closes another amount, or another account, than was reserved.
    #[error("the reserve {0} was closed with another amount or account than it was opened with")]
    OtherAmount(ReserveId),
    /// A line has an amount below 0.
    #[error("the reserve {0} has a line with an amount below 0")]
    Negative(ReserveId),
    /// A pool's total is not what its lines make.
    #[error("the total of {pool} is {found}, and its lines make {counted}")]
    Total {
        /// The pool, in words.
        pool: String,
        /// What stands there.
        found: String,
        /// What the lines make.
        counted: String,
    },
    /// A reserve is open although nobody holds its task.
    #[error("the reserve {0} is open, and nobody works on its task")]
    LeftOpen(ReserveId),
}

/// Takes lines one after the other, in their order, and says what they make.
#[derive(Debug, Default)]
pub struct Recount {
    open: HashMap<ReserveId, (Account, NanoUsd)>,
    closed: HashSet<ReserveId>,
    pools: BTreeMap<PoolKey, Pool>,
    flaws: Vec<Flaw>,
}

impl Recount {
    /// Takes a line.
    pub fn take(&mut self, line: &Line) {
        let id = line.reserve;
        let (reserved, settled) = line.what.moves();
        if line.what.amount() < NanoUsd::ZERO {
            self.flaws.push(Flaw::Negative(id));
        }
        match line.what {
            What::Reserved { amount } => {
                let is_known = self.closed.contains(&id);
                if self.open.insert(id, (line.account, amount)).is_some() || is_known {
                    self.flaws.push(Flaw::OpenedTwice(id));
                }
            }
            What::Settled { held, .. } | What::Released { held } => match self.open.remove(&id) {
                Some(opened) => {
                    if opened != (line.account, held) {
                        self.flaws.push(Flaw::OtherAmount(id));
                    }
                    self.closed.insert(id);
                }
                None if self.closed.contains(&id) => self.flaws.push(Flaw::ClosedTwice(id)),
                None => self.flaws.push(Flaw::NeverOpened(id)),
            },
        }
        for key in line.account.pools() {
            let pool = self.pools.entry(key).or_default();
            pool.reserved = pool.reserved.plus(reserved);
            pool.settled = pool.settled.plus(settled);
        }
    }

    /// Takes what a person added to a pool's cap.
    pub fn top_up(&mut self, pool: PoolKey, amount: NanoUsd) {
        let pool = self.pools.entry(pool).or_default();
        pool.topped_up = pool.topped_up.plus(amount);
    }

    /// What the lines make of a pool.
    pub fn pool(&self, key: PoolKey) -> Pool {
        self.pools.get(&key).copied().unwrap_or_default()
    }

    /// The reserves that are not closed yet.
    pub fn open(&self) -> impl Iterator<Item = ReserveId> {
        self.open.keys().copied()
    }

    /// Everything that does not add up; `found` are the totals as they are written down.
    pub fn flaws(mut self, found: &BTreeMap<PoolKey, Pool>) -> Vec<Flaw> {
        let all: Vec<PoolKey> = self.pools.keys().chain(found.keys()).copied().collect();
        let mut seen = HashSet::new();
        for key in all.into_iter().filter(|key| seen.insert(*key)) {
            let (stands, counted) = (found.get(&key).copied().unwrap_or_default(), self.pool(key));
            if stands != counted {
                let words = |pool: Pool| {
                    let Pool { reserved, settled, topped_up } = pool;
                    format!("{settled} spent, {reserved} reserved, {topped_up} topped up")
                };
                let pool = match key {
                    PoolKey::Run(run) => format!("run {run}"),
                    PoolKey::Day(project, day) => format!("project {project} on {day}"),
                };
                self.flaws.push(Flaw::Total { pool, found: words(stands), counted: words(counted) });
            }
        }
        self.flaws
    }
}

#[cfg(test)]
#[path = "recount_tests.rs"]
mod tests;

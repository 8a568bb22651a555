//! Pools of money, and what may be taken from them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{ProjectId, RunId},
    money::NanoUsd,
    time::Day,
};

/// What money is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolKey {
    /// What one run may spend.
    Run(RunId),
    /// What all runs of a project may spend on one UTC day.
    Day(ProjectId, Day),
}

/// The kinds of pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// A run's.
    Run,
    /// A project's of a day.
    Day,
}

impl PoolKind {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Day => "day",
        }
    }
}

impl PoolKey {
    /// What kind of pool it is.
    pub const fn kind(self) -> PoolKind {
        match self {
            Self::Run(_) => PoolKind::Run,
            Self::Day(..) => PoolKind::Day,
        }
    }
}

/// The most that may be taken from a pool (X28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// Whatever is needed: only ever by the literal `"none"`.
    Unlimited,
    /// So much; 0 is nothing at all.
    At(NanoUsd),
}

/// The caps of the two pools that everything draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Of the run.
    pub run: Cap,
    /// Of the project and day.
    pub day: Cap,
}

impl Caps {
    /// The cap of a pool.
    pub const fn of(self, pool: PoolKind) -> Cap {
        match pool {
            PoolKind::Run => self.run,
            PoolKind::Day => self.day,
        }
    }
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pool {
    /// Set aside, and not spent yet.
    pub reserved: NanoUsd,
    /// Spent. Never falls.
    pub settled: NanoUsd,
    /// What people added to its cap. Never falls.
    pub topped_up: NanoUsd,
}

impl Pool {
    /// What counts against the cap.
    pub const fn used(self) -> NanoUsd {
        self.reserved.plus(self.settled)
    }

    /// The cap in force: the configured one and what people added (L90).
    pub const fn cap(self, configured: Cap) -> Cap {
        match configured {
            Cap::Unlimited => Cap::Unlimited,
            Cap::At(amount) => Cap::At(amount.plus(self.topped_up)),
        }
    }

    /// What may still be set aside; `None` where there is no cap.
    pub fn left(self, configured: Cap) -> Option<NanoUsd> {
        match self.cap(configured) {
            Cap::Unlimited => None,
            Cap::At(cap) => Some(cap.minus(self.used()).max(NanoUsd::ZERO)),
        }
    }
}

/// What a session of an agent takes whose cost nobody knows before: a dollar (S65).
pub const SLICE: NanoUsd = NanoUsd::from_nanos(1_000_000_000);

/// What is asked of the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// This amount: less would not do.
    Exactly(NanoUsd),
    /// This amount, or what is left of it: a slice of a session whose cost nobody knows before (S65).
    UpTo(NanoUsd),
}

/// Why nothing was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// The pool that has no room; the run's own where neither has.
    pub pool: PoolKey,
    /// Its cap in force.
    pub cap: NanoUsd,
    /// How it stands.
    pub stands: Pool,
    /// What was asked for.
    pub wanted: NanoUsd,
}

/// How much is reserved in all of these pools at once, or which has no room. What is set aside and spent never goes
/// beyond a cap by an admission (S65).
///
/// # Errors
/// The first pool that has no room.
pub fn admit(pools: &[(PoolKey, Cap, Pool)], ask: Ask) -> Result<NanoUsd, Short> {
    let (wanted, least) = match ask {
        Ask::Exactly(amount) => (amount, amount),
        // A session that may spend nothing is none.
        Ask::UpTo(amount) => (amount, NanoUsd::from_nanos(1).min(amount)),
    };
    let mut granted = wanted;
    for (pool, configured, stands) in pools {
        let (Some(left), Cap::At(cap)) = (stands.left(*configured), stands.cap(*configured)) else { continue };
        // Also nothing is too much for a pool that is overdrawn.
        if left < least || stands.used() > cap {
            return Err(Short { pool: *pool, cap, stands: *stands, wanted });
        }
        granted = granted.min(left);
    }
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn usd(dollars: i64) -> NanoUsd {
        NanoUsd::from_nanos(dollars * 1_000_000_000)
    }

    // X28, S65, L82: as a table. Each row: run cap and used, day cap and used, what is asked, what comes of it.
    #[test]
    fn what_is_reserved() {
        use Ask::{Exactly, UpTo};
        let (run, project) = (RunId::from_uuid(Uuid::from_u128(1)), ProjectId::from_uuid(Uuid::from_u128(2)));
        let day: Day = "2026-11-21".parse().unwrap();
        let (run, day) = (PoolKey::Run(run), PoolKey::Day(project, day));
        let at = |dollars| Cap::At(usd(dollars));
        let table = [
            ((at(5), 0), (at(10), 0), UpTo(usd(1)), Ok(1)),
            ((at(5), 4), (at(10), 4), UpTo(usd(2)), Ok(1)),
            ((at(5), 0), (at(10), 9), UpTo(usd(5)), Ok(1)),
            ((at(5), 5), (at(10), 5), UpTo(usd(1)), Err(run)),
            ((at(5), 0), (at(10), 10), UpTo(usd(1)), Err(day)),
            ((at(5), 5), (at(10), 10), UpTo(usd(1)), Err(run)),
            ((at(5), 4), (at(10), 4), Exactly(usd(2)), Err(run)),
            ((at(5), 3), (at(10), 4), Exactly(usd(2)), Ok(2)),
            ((at(5), 3), (at(10), 9), Exactly(usd(2)), Err(day)),
            // 0 is nothing at all, and "none" alone is no cap.
            ((at(0), 0), (at(10), 0), UpTo(usd(1)), Err(run)),
            ((at(5), 0), (at(0), 0), UpTo(usd(1)), Err(day)),
            ((Cap::Unlimited, 99), (Cap::Unlimited, 999), UpTo(usd(1)), Ok(1)),
            ((Cap::Unlimited, 99), (at(10), 0), Exactly(usd(11)), Err(day)),
            // What costs nothing may be reserved from an empty pool, not from an overdrawn one (L86).
            ((at(5), 5), (at(10), 5), Exactly(usd(0)), Ok(0)),
            ((at(5), 6), (at(10), 6), Exactly(usd(0)), Err(run)),
        ];
        for ((run_cap, run_used), (day_cap, day_used), ask, expected) in table {
            let pool = |used| Pool { settled: usd(used), ..Pool::default() };
            let found = admit(&[(run, run_cap, pool(run_used)), (day, day_cap, pool(day_used))], ask);
            assert_eq!(
                found.map_err(|short| short.pool),
                expected.map(usd),
                "{run_cap:?} {run_used} {day_cap:?} {day_used} {ask:?}"
            );
        }
        let topped = Pool { settled: usd(5), topped_up: usd(2), ..Pool::default() };
        assert_eq!(admit(&[(run, at(5), topped)], UpTo(usd(3))), Ok(usd(2)), "a top-up raises the cap in force");
    }
}

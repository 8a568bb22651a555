//! The lines of the ledger: what was set aside, and what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pool::PoolKey;
use crate::{
    agent::usage::{Cost, CostState},
    id::{ProjectId, ReserveId, RunId},
    money::NanoUsd,
    task::Fence,
    time::{Day, Timestamp},
};

/// Whose money it is: a run's, within its project's day. A spending counts on the day of its reserve (L87).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The run that spends.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
    /// The UTC day on which it was reserved.
    pub day: Day,
}

impl Account {
    /// The pools it draws from, in the order in which they are held.
    pub const fn pools(self) -> [PoolKey; 2] {
        [PoolKey::Run(self.run), PoolKey::Day(self.project, self.day)]
    }
}

/// What a task has to say about its spending when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Spent {
    /// Provably nothing was started.
    Nothing,
    /// This, as well as it is known.
    Cost(Cost),
}

impl Spent {
    /// Something was started, and nobody knows what it cost.
    pub const UNKNOWN: Self = Self::Cost(Cost { state: CostState::Unknown, known: NanoUsd::ZERO });

    /// How a reserve of this amount is closed by it (L85, L88).
    pub fn close(self, held: NanoUsd) -> What {
        match self {
            Self::Nothing => What::Released { held },
            Self::Cost(cost) => {
                let cost = sound(cost);
                let amount = match cost.state {
                    CostState::Unknown => cost.known.max(held),
                    CostState::Reported | CostState::Computed | CostState::Estimated => cost.known,
                };
                What::Settled { held, amount, cost }
            }
        }
    }
}

/// A negative cost is none that anybody reported (L88).
fn sound(cost: Cost) -> Cost {
    if cost.known < NanoUsd::ZERO { Cost { state: CostState::Unknown, known: NanoUsd::ZERO } } else { cost }
}

/// What a bill adds that comes when its attempt is closed already: only what goes beyond what is booked, so that no
/// line lowers a total (L89).
pub fn late(booked: NanoUsd, cost: Cost) -> What {
    let cost = sound(cost);
    What::Settled { held: NanoUsd::ZERO, amount: cost.known.minus(booked).max(NanoUsd::ZERO), cost }
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// So much was set aside.
    Reserved {
        /// How much.
        amount: NanoUsd,
    },
    /// It was spent. That may be more than was set aside: money spent is money spent (L86).
    Settled {
        /// What had been set aside.
        held: NanoUsd,
        /// What counts from now on.
        amount: NanoUsd,
        /// How well that is known.
        cost: Cost,
    },
    /// It was given back.
    Released {
        /// What had been set aside.
        held: NanoUsd,
    },
}

/// The kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerLineKind)]
pub enum LineKind {
    /// Money was set aside.
    Reserve,
    /// It was spent.
    Settle,
    /// It was given back.
    Release,
}

impl LineKind {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Settle => "settle",
            Self::Release => "release",
        }
    }

    /// The kind with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Reserve, Self::Settle, Self::Release].into_iter().find(|kind| kind.name() == name)
    }
}

impl What {
    /// Its kind.
    pub const fn kind(self) -> LineKind {
        match self {
            Self::Reserved { .. } => LineKind::Reserve,
            Self::Settled { .. } => LineKind::Settle,
            Self::Released { .. } => LineKind::Release,
        }
    }

    /// By how much it moves what is set aside and what is spent.
    pub const fn moves(self) -> (NanoUsd, NanoUsd) {
        match self {
            Self::Reserved { amount } => (amount, NanoUsd::ZERO),
            Self::Settled { held, amount, .. } => (NanoUsd::ZERO.minus(held), amount),
            Self::Released { held } => (NanoUsd::ZERO.minus(held), NanoUsd::ZERO),
        }
    }

    /// The amount that people are shown.
    pub const fn amount(self) -> NanoUsd {
        match self {
            Self::Reserved { amount } | Self::Settled { amount, .. } => amount,
            Self::Released { held } => held,
        }
    }
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What was set aside; shared by the line that opens it and the one that closes it.
    pub reserve: ReserveId,
    /// What it says.
    pub what: What,
    /// Whose money.
    pub account: Account,
    /// The attempt that spends: a task and the number of its claim.
    pub attempt: Option<Fence>,
    /// It came when the attempt was closed already.
    pub is_late: bool,
    /// What it was for, and why it was closed like this.
    pub because: String,
    /// When the plane took it.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    // L85, L86, L88, L89: how each end closes a reserve of 10.
    #[test]
    fn the_table_of_closes() {
        let nano = NanoUsd::from_nanos;
        let cost = |state, known| Spent::Cost(Cost { state, known: nano(known) });
        use CostState::{Computed, Estimated, Reported, Unknown};
        for (spent, kind, amount) in [
            (Spent::Nothing, LineKind::Release, 10),
            (cost(Reported, 4), LineKind::Settle, 4),
            (cost(Reported, 0), LineKind::Settle, 0),
            (cost(Computed, 25), LineKind::Settle, 25),
            (cost(Estimated, 10), LineKind::Settle, 10),
            (cost(Unknown, 0), LineKind::Settle, 10),
            (cost(Unknown, 4), LineKind::Settle, 10),
            (cost(Unknown, 12), LineKind::Settle, 12),
            (cost(Reported, -1), LineKind::Settle, 10),
            (Spent::UNKNOWN, LineKind::Settle, 10),
        ] {
            let closed = spent.close(nano(10));
            assert_eq!((closed.kind(), closed.amount().nanos()), (kind, amount), "{spent:?}");
            assert_eq!(closed.moves().0, nano(-10), "what was set aside is free again: {spent:?}");
        }
        for (booked, known, added) in [(10, 12, 2), (10, 4, 0), (0, 4, 4), (10, -3, 0)] {
            assert_eq!(
                late(nano(booked), Cost { state: Reported, known: nano(known) }).moves(),
                (nano(0), nano(added))
            );
        }
    }
}

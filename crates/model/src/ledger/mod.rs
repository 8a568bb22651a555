//! Spend is reserved before it is spent.
//!
//! Whatever may cost money first sets an amount aside in every pool it draws from: its run's and its project's of
//! that UTC day. A pool whose cap leaves no room refuses, and then nothing is started. Each reserve is closed exactly
//! once, by what was really spent or, where provably nothing was started, by giving it back (L85). A cost that nobody
//! knows counts as what was set aside for it, never as nothing (L88).
//!
//! The truth are the lines, which are only ever added (L89); a pool's totals follow from them ([`Recount`]).

mod answer;
mod budget;
mod line;
mod pool;
mod recount;

pub use answer::BudgetAnswer;
pub use budget::{BUDGET_MAX, Budget};
pub use line::{Account, Line, LineKind, Spent, What, late};
pub use pool::{Ask, Cap, Caps, Pool, PoolKey, PoolKind, SLICE, Short, admit};
pub use recount::{Flaw, Recount, SumState, Totals};

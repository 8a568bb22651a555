//! Runs: submitting, claiming, finishing, sweeping, and the live bus over the store.
//!
//! A run kind is one folder here: a pure planner over the domain, plus the handlers of its tasks. The
//! engine applies what a planner decides together with the journal entries in one transaction, so that
//! killing the process at any instant loses nothing and repeats nothing to the outside.
//!
//! This crate never speaks SQL (that is `store`), never spawns (that is `exec`) and knows no HTTP.
//! Start at [`Engine`], then [`kind`] for what a run kind is, then `proof` for one.

pub mod bus;
pub mod clock;
mod contacts;
pub mod control;
pub mod data;
pub mod dispatch;
mod engine;
pub mod issues;
pub mod kind;
pub mod ledger;
mod once;
pub mod projects;
pub mod proof;
mod providers;
pub mod runs;
pub mod submit;
pub mod sweep;
mod waiters;
mod waiting;
pub mod work;
pub mod worker;
pub mod workers;

pub use clock::Clock;
pub use data::DataFolder;
pub use engine::{Engine, EngineConfig};
pub use once::Once;
pub use submit::{Submit, Submitted};

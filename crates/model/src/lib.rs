//! The domain of Proofhouse: runs, tasks, journals, questions, requirements, evidence.
//!
//! Everything here is a plain value or a total function over plain values. There is no I/O, no
//! async, no clock and no randomness in this crate: the caller passes the time and the ids in.
//! It never knows of SQL, HTTP, processes or files.
//!
//! Start at [`run`] for the life of a run, at [`task`] for the fence that keeps a late worker out,
//! at [`journal`] for what is written about it, and at `proof` for what a requirement is worth on
//! a tree. [`code`] is the one list of everything that can go wrong in front of a person.

pub mod actor;
pub mod agent;
pub mod approval;
pub mod change;
pub mod code;
pub mod digest;
pub mod dispatch;
pub mod failure;
pub mod id;
pub mod issue;
pub mod journal;
pub mod ledger;
pub mod limits;
pub mod money;
pub mod policy;
pub mod problem;
pub mod project;
pub mod proof;
pub mod provider;
pub mod question;
pub mod role;
pub mod run;
pub mod task;
pub mod time;
pub mod waiting;
pub mod worker;

//! A worker on another machine: it only calls out, holds nothing that the plane does not know, and loses
//! nothing when it, the network or the plane dies.
//!
//! A task comes by a claim that is written to disk before its work starts. Whatever the work has to tell
//! (entries, artifacts, its outcome) goes into the [`outbox`] on disk first and leaves it when the plane
//! has taken it (D63). [`serve`] is the loop around both, [`desk`] what a performer of tasks sees of it.
//!
//! This crate never opens a store and never decides what a task means. Which program does a task is said
//! by the [`perform::Performers`] it is given.

pub mod agents;
mod deliver;
pub mod desk;
pub mod dispatch;
pub mod link;
pub mod outbox;
pub mod pair;
pub mod perform;
mod recover;
pub mod say;
pub mod serve;
pub mod state;
mod tasks;

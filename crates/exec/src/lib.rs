//! Processes and repositories.
//!
//! [`run::run`] is the only place in the product that starts a process: with an environment that
//! was allow-listed, inside a sandbox, under limits, its output captured, made harmless and
//! redacted, and with the promise that nothing it started outlives it. [`git`] reads repositories
//! and lays out worktrees by the git CLI, through the same door. [`prepare`] turns the argv a
//! person declared for a gate into the one that is really run.
//!
//! This crate never speaks to the store, knows no run and no verdict, and never judges what a
//! process printed.

pub mod apply;
pub mod environment;
pub mod git;
pub mod manifests;
pub mod prepare;
pub mod redact;
pub mod run;
pub mod sandbox;
mod sanitize;

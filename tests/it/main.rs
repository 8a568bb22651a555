//! End to end: the program, its API, and faults of every kind, each on a plane of its own.
//!
//! The kernel's faults are tested on the plane with the kind `probe`, proof's on the product itself.
#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod asks;
mod backup;
mod damage;
mod disk;
mod dispatch_kill;
mod far;
mod far_programs;
mod flat;
mod hostile;
mod issues;
mod kill;
mod lease;
mod ledger;
mod poison;
mod postgres_faults;
mod proof;
mod prove;
mod prove_kill;
mod remote;
mod replicas;
mod spawner;
mod start;
mod streams;
mod sweep;

//! End to end: the program, its API, and faults of every kind, each on a plane of its own.
//!
//! The kernel's faults are tested on the plane with the kind `probe`, proof's on the product itself.
#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod backup;
mod damage;
mod disk;
mod kill;
mod lease;
mod poison;
mod proof;
mod replicas;
mod start;
mod streams;

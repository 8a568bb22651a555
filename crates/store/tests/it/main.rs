//! One conformance suite over both databases, and the faults of a store.
//!
//! PostgreSQL is taken from `PROOFHOUSE_TEST_POSTGRES`, else from `postgres://root@127.0.0.1:5432/test`;
//! each test makes a schema of its own there and drops it. Without PostgreSQL the tests fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

extern crate proofhouse_store as store;

mod faults;
mod issues;
mod journal;
mod kept;
mod ledger;
mod proof;
mod queue;
mod rows;
mod support;
mod workers;

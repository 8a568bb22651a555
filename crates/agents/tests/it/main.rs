//! Real processes and real folders; only the models are not real.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its ground gives way")]

mod acp;
mod approvals;
mod builtin;
mod command;
mod golden;
mod house;
#[path = "../../../testkit/src/models/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of the product, which ask more of it")]
mod models;
mod programs;
mod protocol;
mod providers;
mod scripted;

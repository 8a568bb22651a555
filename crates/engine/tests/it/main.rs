//! What the engine does with the world: real toolchains, real folders, what real tools wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod asks;
mod builtin;
mod clones;
mod data_folder;
mod dispatch;
mod dispatch_asking;
mod house;
mod ledger;
#[path = "../../../testkit/src/models/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::expect_used,
    reason = "the fake model of the test kit; a test plays what it needs of it"
)]
mod models;
mod proof_toolchains;
mod requirements;
mod results;

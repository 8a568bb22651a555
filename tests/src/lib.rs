//! The ground that end-to-end tests stand on: the program as a process that can be killed, stopped
//! and started again on the same data folder, and the journal read back over its API.
//!
//! Two programs can be put there: `proofhouse` itself, and `plane-with-probe`, the same plane with the
//! run kind `probe` beside the built-in ones, for what concerns the kernel alone.
#![expect(clippy::expect_used, reason = "a test's ground fails by panicking, with the reason in the message")]

pub mod cluster;
pub mod far;
pub mod process;
pub mod programs;
pub mod proving;
pub mod proxy;
pub mod server;
pub mod work;

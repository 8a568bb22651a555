//! What tests and benchmarks are made of: a throw-away plane, repositories to prove, a small client,
//! and words for what a test expects. A dev-dependency only; no shipped crate may depend on it.
//!
//! Nothing of ours is faked here: a [`plane::TestPlane`] is the real engine over a real store, and
//! [`http::Client`] speaks to the real router over a socket. Failures panic with what was expected,
//! as it is a test's own helper that fails.
#![expect(clippy::expect_used, reason = "a test's helper fails by panicking, with the reason in the message")]

pub mod database;
pub mod http;
pub mod journal;
pub mod models;
pub mod plane;
pub mod probe;
pub mod proven;
pub mod repo;
pub mod sse;

pub use self::{database::Database, journal::assert_gapless, plane::TestPlane, probe::Probe, repo::Repo};

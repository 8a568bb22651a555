//! The limits of HTTP itself, and which route has which (K7). The product's own limits are in
//! [`model::limits`].

use std::time::Duration;

use axum::extract::MatchedPath;
use model::{code::Code, problem::Problem};

/// From the first byte of a request, or the end of the one before, to the end of its headers.
pub const HEADER_READ: Duration = Duration::from_secs(20);
/// Headers in a request.
pub const HEADER_COUNT: usize = 100;
/// What is buffered per connection and direction.
pub const CONNECTION_BUFFER: usize = 64 << 10;
/// Open connections; more wait in the kernel's queue.
pub const CONNECTIONS: usize = 20_000;
/// How long a shutdown waits for calls that were accepted (F21); closing the store comes after it.
pub const SHUTDOWN: Duration = Duration::from_secs(8);
/// How long a closed connection is read, so that the last answer is not lost to a reset.
pub const LINGER: Duration = Duration::from_millis(500);
/// What such a connection may still send.
pub const LINGER_BYTES: usize = 1 << 20;
/// Principals remembered between requests.
pub const PRINCIPALS: usize = 4_096;
/// How long a remembered principal is believed before the store is asked again: on another replica
/// a revoked token works this long.
pub const PRINCIPAL_AGE: Duration = Duration::from_secs(5);
/// Failed sign-ins of one address within [`SIGN_IN_WINDOW`] before it has to wait.
pub const SIGN_IN_FAILURES: u32 = 10;
/// See [`SIGN_IN_FAILURES`].
pub const SIGN_IN_WINDOW: Duration = Duration::from_secs(60);
/// Addresses whose failed sign-ins are counted.
pub const SIGN_IN_ADDRESSES: usize = 4_096;
/// Bytes that one piece of a stream holds before the reader has to ask for more.
pub const STREAM_CHUNK: usize = 32 << 10;
/// The shortest pause between two pieces to one reader of a busy stream: what comes in between is
/// sent together.
pub const STREAM_PACE: Duration = Duration::from_millis(10);
/// Outcomes in one batch.
pub const OUTCOMES: usize = 64;

/// Backups, and checks of all that is stored, at the same time: each reads everything.
pub const WHOLE_STORE: usize = 1;
/// Checks of a single chain at the same time.
pub const CHAINS: usize = 2;
/// A path in a request.
pub const PATH: usize = 1_024;

/// The body limit of a route.
pub fn body_limit(route: Option<&MatchedPath>) -> usize {
    match route {
        Some(path) if path.as_str().contains("/proof") => model::limits::PROOF_BODY,
        Some(path) if path.as_str().ends_with("/worker/tasks/{task}/artifacts") => model::limits::WORKER_ARTIFACT,
        _ => model::limits::BODY,
    }
}

/// 413, with the limit in words a person reads and in bytes for a program.
pub fn too_large(limit: usize) -> Problem {
    let words = if limit >= 1 << 20 { format!("{} MiB", limit >> 20) } else { format!("{} KiB", limit >> 10) };
    Problem::new(Code::TooLarge, format!("the body is larger than {words}")).with("limit", limit)
}

/// How a request to a route is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Answers within [`model::limits::REQUEST`].
    Prompt,
    /// A stream, an export or a long poll: it bounds itself.
    Long,
}

/// The pace of a route.
pub fn pace(route: &str) -> Pace {
    let long = [
        "/events",
        "/worker/claim",
        "/worker/heartbeat",
        "/worker/tasks/{task}/artifacts",
        "/proof/export",
        "/backups",
        "/api/v1/verify",
        "/audit/chain",
    ];
    if long.iter().any(|end| route.ends_with(end)) { Pace::Long } else { Pace::Prompt }
}

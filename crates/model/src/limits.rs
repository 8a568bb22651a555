//! Every limit of the kernel and of proof runs, by name, with its default (K7, X36).
//!
//! Sizes are bytes, times are [`Duration`]s. A limit that a person may change says so where it is
//! read; the values here are what holds when nobody did.

use std::time::Duration;

/// How long a claim lasts without a renewal.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a holder renews.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often the sweep looks for expired leases, waivers and questions.
pub const SWEEP: Duration = Duration::from_secs(1);
/// How long a worker's long poll waits at most.
pub const CLAIM_WAIT: Duration = Duration::from_secs(30);
/// Tasks in one claim.
pub const CLAIM_MAX: u32 = 64;
/// Claims of a task before it fails with `worker_lost`, unless its kind says otherwise.
pub const ATTEMPTS: u32 = 3;
/// Claims of a proof command (P23).
pub const COMMAND_ATTEMPTS: u32 = 2;
/// How long a cancelled run may drain before it ends anyway (X13).
pub const CANCEL_DRAIN: Duration = Duration::from_secs(15);
/// How long a proof run waits for a worker (X31, P29).
pub const PROOF_QUEUE: Duration = Duration::from_secs(600);
/// How long a whole proof run may take.
pub const PROOF_RUN: Duration = Duration::from_secs(6 * 3600);
/// How long an idempotency key is kept (K1).
pub const IDEMPOTENCY: Duration = Duration::from_secs(24 * 3600);
/// How long a session lasts.
pub const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a sign-in link can be used.
pub const SIGN_IN_LINK: Duration = Duration::from_secs(15 * 60);

/// Entries in one append.
pub const ENTRIES_PER_APPEND: usize = 1_000;
/// One entry's data.
pub const ENTRY_DATA: usize = 64 << 10;
/// Entries in one page of a journal.
pub const ENTRIES_PER_PAGE: usize = 1_000;
/// Entries kept rendered per live stream, shared by its readers.
pub const TAIL_ENTRIES: usize = 4_096;
/// Bytes of rendered entries kept over all live streams.
pub const TAIL_BYTES: usize = 32 << 20;
/// Streams one caller may hold open.
pub const STREAMS_PER_CALLER: usize = 32;
/// Names in one multiplexed stream.
pub const STREAMS_PER_CONNECTION: usize = 64;
/// How often a silent stream sends a comment.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(10);
/// Items in a page of a list unless asked otherwise.
pub const PAGE: u32 = 100;
/// Items in a page of a list at most.
pub const PAGE_MAX: u32 = 500;

/// A request body, unless its route says otherwise.
pub const BODY: usize = 1 << 20;
/// A proof request body.
pub const PROOF_BODY: usize = 256 << 10;
/// All headers of a request.
pub const HEADERS: usize = 32 << 10;
/// A request from its first byte to its answer, streams and long polls apart.
pub const REQUEST: Duration = Duration::from_secs(30);
/// An idempotency key.
pub const IDEMPOTENCY_KEY: usize = 255;

/// Kept from the start of a process's output.
pub const OUTPUT_HEAD: u64 = 1 << 20;
/// Kept from the end of a process's output.
pub const OUTPUT_TAIL: u64 = 9 << 20;
/// Output past which a process is killed.
pub const OUTPUT_KILL: u64 = 256 << 20;
/// From TERM to KILL.
pub const KILL_GRACE: Duration = Duration::from_secs(1);
/// Live output in one `command.output` entry.
pub const OUTPUT_ENTRY: usize = 4 << 10;
/// A results file.
pub const RESULTS_FILE: u64 = 50 << 20;
/// Cases in a results file.
pub const RESULT_CASES: usize = 200_000;
/// Artifacts of one command.
pub const ARTIFACTS_PER_COMMAND: usize = 50;
/// One artifact, and all of one command together.
pub const ARTIFACT: u64 = 100 << 20;
/// All artifacts of a run.
pub const ARTIFACTS_PER_RUN: u64 = 1 << 30;
/// The longest any gate may take.
pub const GATE_TIMEOUT_MAX: Duration = Duration::from_secs(7_200);
/// Preparation of a project.
pub const PREPARE_TIMEOUT: Duration = Duration::from_secs(600);
/// Gates a project may declare.
pub const GATES: usize = 64;
/// A `proofhouse.toml`.
pub const CONFIG_FILE: u64 = 256 << 10;

/// Requirements of a project.
pub const REQUIREMENTS: u32 = 100_000;
/// Ids in one filter.
pub const FILTER_IDS: usize = 500;
/// Ended runs kept per project.
pub const KEEP_RUNS: u32 = 200;
/// Days that ended runs are kept.
pub const KEEP_DAYS: u32 = 90;

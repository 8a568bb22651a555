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
/// How long a leader is believed that says nothing: with the pause of those who ask, its work moves
/// within ten seconds (F7).
pub const LEADER: Duration = Duration::from_secs(6);
/// How often a leader says that it is there, and others ask whether it is.
pub const LEADER_RENEW: Duration = Duration::from_secs(1);
/// How often runs past their retention are looked for.
pub const RETENTION_EVERY: Duration = Duration::from_secs(60);
/// How often the streams of projects are trimmed.
pub const JOURNALS_EVERY: Duration = Duration::from_secs(3_600);
/// How often blobs that nobody wants, and files that no row knows, are looked for.
pub const BLOBS_EVERY: Duration = Duration::from_secs(600);
/// How long a blob that nobody wants stays.
pub const BLOB_GRACE: Duration = Duration::from_secs(3_600);
/// How often keys, sessions and outboxes that have ended are dropped.
pub const KEYS_EVERY: Duration = Duration::from_secs(60);
/// How often the newest evidence of every obligation is held against its bytes (P51).
pub const INTEGRITY_EVERY: Duration = Duration::from_secs(600);
/// How often folders and pins of ended runs are looked for.
pub const FOLDERS_EVERY: Duration = Duration::from_secs(600);
/// How long the folder of an ended run stays untouched before it is removed.
pub const FOLDER_GRACE: Duration = Duration::from_secs(300);
/// How long a worker's long poll waits at most.
pub const CLAIM_WAIT: Duration = Duration::from_secs(30);
/// Tasks in one claim.
pub const CLAIM_MAX: u32 = 64;
/// How long a worker's heartbeat waits for news at most.
pub const HEARTBEAT_WAIT: Duration = Duration::from_secs(10);
/// How often the last contacts of workers are written down, many at once (X37).
pub const CONTACT_EVERY: Duration = Duration::from_secs(15);
/// A worker that was heard of within this time is online (X37).
pub const ONLINE: Duration = Duration::from_secs(45);
/// A worker that was heard of within this time is late, else offline (X37).
pub const LATE: Duration = Duration::from_secs(90);
/// A leased task that tells nothing for so long is quiet (D69).
pub const QUIET: Duration = Duration::from_secs(90);
/// How long an idle worker stays in the list of active ones (D69).
pub const IDLE_SHOWN: Duration = Duration::from_secs(300);
/// How long a pairing code can be used (D50).
pub const PAIRING: Duration = Duration::from_secs(600);
/// Labels of a worker.
pub const WORKER_LABELS: usize = 32;
/// Agents of a worker.
pub const WORKER_AGENTS: usize = 16;
/// Characters of a worker's name.
pub const WORKER_NAME: usize = 64;
/// Tasks that a worker does at once.
pub const WORKER_SLOTS: u32 = 64;
/// One artifact that a worker sends (D58).
pub const WORKER_ARTIFACT: usize = 32 << 20;
/// All artifacts that workers send for one run.
pub const WORKER_ARTIFACTS: u64 = 256 << 20;
/// What a worker keeps on disk until the plane has taken it; then it claims no more (D63).
pub const OUTBOX: u64 = 1 << 30;
/// Claims of a task before it fails with `worker_lost`, unless its kind says otherwise.
pub const ATTEMPTS: u32 = 3;
/// How long a person may take over an approval; then it is a no (S63).
pub const APPROVAL: Duration = Duration::from_secs(24 * 3600);
/// Approvals that one run may ask for.
pub const APPROVALS_PER_RUN: usize = 200;
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
/// All that is kept for a run; artifacts that would go beyond it are left out.
pub const ARTIFACTS_PER_RUN: u64 = 1 << 30;
/// The longest any gate may take.
pub const GATE_TIMEOUT_MAX: Duration = Duration::from_secs(7_200);
/// How long one preparation of dependencies may take (P35).
pub const PREPARATION: Duration = Duration::from_secs(900);
/// Gates a project may declare.
pub const GATES: usize = 64;
/// A `proofhouse.toml`.
pub const CONFIG_FILE: u64 = 256 << 10;

/// Requirements of a project.
pub const REQUIREMENTS: u32 = 100_000;
/// Requirements that a process remembers in brief, over all projects; one project may be more.
pub const REQUIREMENTS_REMEMBERED: usize = 200_000;
/// Ids in one filter.
pub const FILTER_IDS: usize = 500;
/// Ended runs kept per project.
pub const KEEP_RUNS: u32 = 200;
/// Days that ended runs are kept.
pub const KEEP_DAYS: u32 = 90;

/// How long a run waits for a worker that has its agent (X31, D12).
pub const AGENT_QUEUE: Duration = Duration::from_secs(86_400);
/// How long a session of an agent may take, unless its role or run says otherwise (D35).
pub const AGENT_WALL: Duration = Duration::from_secs(1_800);
/// How long an agent may print nothing (S78).
pub const AGENT_QUIET: Duration = Duration::from_secs(600);
/// Output of an agent that is kept and read; beyond it the session has failed (D35).
pub const AGENT_OUTPUT: u64 = 64 << 20;
/// An answer that is the whole standard output of a program (X36).
pub const AGENT_ANSWER: usize = 5 << 20;
/// One line of an agent; the rest of a longer one is left out (S78).
pub const AGENT_LINE: usize = 4 << 20;
/// How long a program may take to say its version (S75).
pub const AGENT_PROBE: Duration = Duration::from_secs(30);

/// An issue's title, in characters.
pub const ISSUE_TITLE: usize = 200;
/// An issue's text, and a comment's.
pub const ISSUE_TEXT: usize = 64 << 10;
/// For whom an issue is, in characters.
pub const ISSUE_AUDIENCE: usize = 500;
/// Whose an issue is, in characters.
pub const ISSUE_ASSIGNEE: usize = 100;
/// Labels of an issue.
pub const LABELS: usize = 20;
/// One label, in characters.
pub const LABEL: usize = 50;
/// Acceptance criteria of an issue (X36).
pub const ACCEPTANCE: usize = 100;
/// One acceptance criterion, in characters (X36).
pub const CRITERION: usize = 2_000;
/// How deep issues nest below a root (D3).
pub const ISSUE_DEPTH: u32 = 2;
/// Children of an issue (D3).
pub const ISSUE_CHILDREN: u32 = 32;
/// Issues that one issue may wait for.
pub const ISSUE_BLOCKERS: usize = 32;
/// Issues in one change of many (D5).
pub const ISSUE_BATCH: usize = 100;
/// Cards of a column in one answer, unless asked otherwise (S6).
pub const COLUMN_CARDS: u32 = 50;

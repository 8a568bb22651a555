//! The one way to start a process (X41).
//!
//! [`run`] starts a program, keeps it inside its sandbox and limits, captures what it prints, and
//! comes back when the program **and everything it started** is gone. Between the server and the
//! program stands a **warden**: a tiny process forked together with the program, which adopts what
//! the program leaves behind, watches the limits, and kills all of it when the program ends, when
//! time is up, when the server asks, or when the server is no longer there, however it went.
//!
//! It never judges an exit code, never retries, and never reads the policy: by the time a command
//! gets here it has been allowed.

mod capture;
mod child;
mod launch;
mod pipes;
mod spawner;
mod supervise;
mod tree;
mod warden;

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use model::{digest::Digest, limits};
use tokio::{net::unix::pipe, sync::mpsc};
use tokio_util::sync::CancellationToken;

pub use spawner::start_spawner;

use crate::{
    redact::Redactor,
    sandbox::{SandboxPlan, SandboxReport},
};

/// A process to start. Nothing is inherited that is not named here.
#[derive(Debug)]
pub struct Command {
    /// The program and its arguments. A bare name is looked up on the PATH in `env`.
    pub argv: Vec<String>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Its whole environment; see [`crate::environment`].
    pub env: BTreeMap<String, String>,
    /// What it reads.
    pub stdin: Stdin,
    /// How long it may take.
    pub timeout: Duration,
    /// From TERM to KILL.
    pub grace: Duration,
    /// What it may use.
    pub limits: Limits,
    /// What it may touch.
    pub sandbox: SandboxPlan,
    /// Where its output goes.
    pub capture: CapturePlan,
    /// Where its standard error goes.
    pub stderr: Stderr,
    /// What is taken out of its output.
    pub redactor: Arc<Redactor>,
    /// Who reads along.
    pub live: Option<Live>,
    /// Ends it early.
    pub cancel: CancellationToken,
}

impl Command {
    /// A command with nothing given to it: no input, an empty environment, no sandbox, default
    /// limits, ten minutes, its output kept in memory up to 10 MiB.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: cwd.into(),
            env: BTreeMap::new(),
            stdin: Stdin::Nothing,
            timeout: Duration::from_secs(600),
            grace: limits::KILL_GRACE,
            limits: Limits::default(),
            sandbox: SandboxPlan::none(),
            capture: CapturePlan::Memory { max: limits::OUTPUT_HEAD + limits::OUTPUT_TAIL },
            stderr: Stderr::Merged,
            redactor: Redactor::of_shapes(),
            live: None,
            cancel: CancellationToken::new(),
        }
    }
}

/// What a process reads from its standard input.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// The end of file, at once.
    Nothing,
    /// These bytes, then the end of file. A process that closes early loses the rest; that is no
    /// error (L22).
    Bytes(Vec<u8>),
    /// What is written to the other end of [`piped`] while it runs.
    Piped(PipeEnd),
}

/// The end of a pipe that the process gets; good for one start.
#[derive(Debug, Clone)]
pub struct PipeEnd(Arc<Mutex<Option<OwnedFd>>>);

impl PipeEnd {
    fn take(&self) -> Option<OwnedFd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An input that is written while the process runs: what it gets, and the end to write to. Dropping
/// that end is the end of file. Writing to a process that is gone, or has closed its input, fails.
///
/// # Errors
/// When no pipe can be made.
///
/// # Panics
/// Outside of a runtime with I/O.
pub fn piped() -> io::Result<(Stdin, pipe::Sender)> {
    let (sender, receiver) = pipe::pipe()?;
    let end = receiver.into_blocking_fd()?;
    Ok((Stdin::Piped(PipeEnd(Arc::new(Mutex::new(Some(end))))), sender))
}

/// Where standard error goes.
#[derive(Debug, Clone)]
pub enum Stderr {
    /// Into the same stream as standard output, in the order of writing.
    Merged,
    /// Into a capture of its own.
    Apart(CapturePlan),
}

/// What is kept of an output.
#[derive(Debug, Clone)]
pub enum CapturePlan {
    /// Safe text, redacted, in a file: the first `head` and the last `tail` bytes, with a marker
    /// between. Past `kill_past` bytes the process is killed.
    File {
        /// The file, made or emptied here.
        path: PathBuf,
        /// Kept from the start.
        head: u64,
        /// Kept from the end.
        tail: u64,
        /// How much the process may write.
        kill_past: u64,
    },
    /// The bytes as they are, in memory, for the plane's own tools (git). Past `max` the process
    /// is killed.
    Memory {
        /// How much the process may write.
        max: u64,
    },
}

impl CapturePlan {
    /// The product's limits (X36), into this file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File {
            path: path.into(),
            head: limits::OUTPUT_HEAD,
            tail: limits::OUTPUT_TAIL,
            kill_past: limits::OUTPUT_KILL,
        }
    }
}

/// A reader of the output while it is written: text as it is stored, in pieces.
#[derive(Debug, Clone)]
pub enum Live {
    /// Pieces are dropped while the reader is behind (a page that watches).
    Lossy(mpsc::Sender<String>),
    /// The process waits for the reader (a program that parses). A reader that is gone is fine.
    Lossless(mpsc::Sender<String>),
}

/// What a process, with all it starts, may use. `None` = the kernel's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Resident memory of the whole tree, in bytes; sampled, and past it the tree is killed.
    pub memory: Option<u64>,
    /// Address space of one process, in bytes; past it an allocation fails.
    pub address_space: Option<u64>,
    /// Processes and threads-as-processes in the tree at once; past it the tree is killed.
    pub processes: Option<u32>,
    /// Size of one file, in bytes; past it a write fails or kills.
    pub file_size: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
    /// Processor time of one process.
    pub cpu: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: Some(8 << 30),
            address_space: None,
            processes: Some(1_024),
            file_size: Some(8 << 30),
            open_files: Some(65_536),
            cpu: None,
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct CommandEnd {
    /// What became of the program.
    pub outcome: Outcome,
    /// When it was started, by this machine's clock.
    pub started: SystemTime,
    /// From its start until all of it was gone.
    pub duration: Duration,
    /// What it printed.
    pub output: Captured,
    /// What it printed on standard error, where that was captured apart.
    pub errors: Option<Captured>,
    /// How it was confined, in truth (K8).
    pub sandbox: SandboxReport,
    /// The largest resident memory of the whole tree that was seen. Sampled: a process of a few
    /// milliseconds is not seen.
    pub peak_memory: Option<u64>,
    /// Processes that were still there when the program had ended, and were killed.
    pub killed_leftovers: u32,
    /// Something could not be killed (it sleeps in the kernel): it may still be there.
    pub left_behind: bool,
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it that the plane did not send.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It was ended because its time was up.
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// It was ended because it used more than a limit.
    LimitReached {
        /// Which.
        limit: Limit,
    },
    /// It was ended because the run was cancelled.
    Cancelled,
    /// It was ended because it printed too much.
    OutputCap {
        /// How much it may print.
        limit: u64,
    },
    /// There was no process.
    NotStarted {
        /// Why not.
        kind: NotStarted,
        /// In words, for a person.
        message: String,
    },
}

/// The limits that end a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::processes`].
    Processes,
    /// [`Limits::cpu`].
    Cpu,
    /// [`Limits::file_size`].
    FileSize,
}

impl Limit {
    /// Its name for records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Cpu => "cpu",
            Self::FileSize => "file_size",
        }
    }
}

/// Why there was no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// There is no such program.
    NotFound,
    /// There is, but it cannot be executed.
    NotExecutable,
    /// The sandbox that is required cannot be had here.
    Refused,
    /// The folder it should start in is not there.
    NoFolder,
    /// Anything else, the plane's own trouble included.
    Other,
}

/// What is left of an output.
#[derive(Debug)]
pub struct Captured {
    /// Digest of the stored bytes.
    pub digest: Digest,
    /// What the process wrote, in bytes.
    pub written: u64,
    /// What is stored, in bytes.
    pub stored: u64,
    /// Whether something was left out.
    pub truncated: bool,
    /// Where it is.
    pub place: Place,
    /// Storing failed (a full disk): what is stored is not all there should be.
    pub error: Option<String>,
}

/// Where an output is kept.
#[derive(Debug)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// Here.
    Memory(Vec<u8>),
}

impl Captured {
    /// The bytes of a capture that was kept in memory.
    pub fn bytes(&self) -> &[u8] {
        match &self.place {
            Place::Memory(bytes) => bytes,
            Place::File(_) => &[],
        }
    }

    /// The stored text: for messages and small outputs.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }
}

/// Runs a command to its end. See the module.
///
/// Dropping the future ends the command like a cancel.
pub async fn run(command: Command) -> CommandEnd {
    supervise::run(command).await
}

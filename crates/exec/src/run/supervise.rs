//! The server's side of a running command: one thread that owns its pipes, from the fork to the
//! last byte.

use std::{
    fs, io,
    io::Read as _,
    os::fd::{AsRawFd as _, OwnedFd},
    process,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use model::digest::Digest;

use super::{
    Captured, Command, CommandEnd, Limit, NotStarted, Outcome, Place, Stderr, Stdin,
    capture::Capture,
    child,
    launch::{Ends, Launch},
    pipes::{Wake, do_not_block, drain, output_pipe, pipe, poll_on},
    spawner::{self, Warden},
    warden::{self, Cause, Record},
};
use crate::sandbox::{Achieved, Prepared, SandboxReport, Step, Wanted};

/// How long beyond limit and grace the warden is waited for.
const WARDEN_LATE: Duration = Duration::from_millis(2_500);
/// The name of the variable by which a command's processes are found should its warden be killed.
const MARK: &str = "PROOFHOUSE_COMMAND";

pub(super) async fn run(command: Command) -> CommandEnd {
    let wake = match Wake::new() {
        Ok(wake) => Arc::new(wake),
        Err(error) => return not_started(NotStarted::Other, format!("failed to make an event: {error}")),
    };
    let cancel = command.cancel.clone();
    let guard = WakeOnDrop(Arc::clone(&wake));
    let mut work = tokio::task::spawn_blocking(move || supervise(&command, &wake));
    let ended = tokio::select! {
        ended = &mut work => ended,
        () = cancel.cancelled() => {
            guard.0.ring();
            work.await
        }
    };
    ended.unwrap_or_else(|error| not_started(NotStarted::Other, format!("the supervising thread failed: {error}")))
}

/// Rings when the future that waits for the command is dropped.
struct WakeOnDrop(Arc<Wake>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Everything the server holds of a command that was started.
struct Running<'c> {
    command: &'c Command,
    warden: Warden,
    /// To speak to the warden. While it is open, the server lives.
    control: OwnedFd,
    status: fs::File,
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
    input: Option<OwnedFd>,
    /// How much of the input was taken.
    input_at: usize,
    heard: Vec<u8>,
    mark: String,
}

/// Why the server asked the warden to end the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Cancel,
    OutputCap(u64),
}

fn supervise(command: &Command, wake: &Wake) -> CommandEnd {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let sinks = Capture::open(&command.capture, &command.redactor, command.live.clone()).and_then(|out| {
        Ok(match &command.stderr {
            Stderr::Merged => (out, None),
            Stderr::Apart(plan) => (out, Some(Capture::open(plan, &command.redactor, None)?)),
        })
    });
    let (mut out, mut err) = match sinks {
        Ok(sinks) => sinks,
        Err(error) => return not_started(NotStarted::Other, format!("failed to open the output file: {error}")),
    };
    let (outcome, record, report) = if command.cancel.is_cancelled() {
        (Outcome::Cancelled, None, SandboxReport::none())
    } else {
        match start(command) {
            Err((kind, message)) => (Outcome::NotStarted { kind, message }, None, SandboxReport::none()),
            Ok((mut running, wanted)) => {
                let (record, asked) = running.follow(wake, &mut out, err.as_mut());
                let report = wanted.report(running.achieved());
                running.warden.wait();
                (outcome_of(command, record, asked), record, report)
            }
        }
    };
    out.end();
    // What a lossless reader does not take within this time after the end it will not take.
    let patience = Instant::now() + Duration::from_secs(5);
    while out.is_behind() && Instant::now() < patience && !command.cancel.is_cancelled() {
        std::thread::sleep(Duration::from_millis(5));
    }
    out.hang_up();
    CommandEnd {
        outcome,
        started,
        duration: clock.elapsed(),
        output: out.finish(),
        errors: err.map(Capture::finish),
        sandbox: report,
        peak_memory: record.map(|record| record.peak_memory).filter(|peak| *peak > 0),
        killed_leftovers: record.map_or(0, |record| record.leftovers),
        left_behind: record.is_some_and(|record| record.left_behind),
    }
}

fn outcome_of(command: &Command, record: Option<Record>, asked: Option<Asked>) -> Outcome {
    let limit = |limit| Outcome::LimitReached { limit };
    // Whatever ended it then: its output was no longer read, and it may have noticed that first.
    if let Some(Asked::OutputCap(limit)) = asked {
        return Outcome::OutputCap { limit };
    }
    let Some(record) = record else {
        // The warden is gone without a word, so the program was killed with it.
        let signal = libc::SIGKILL;
        return if asked.is_some() { Outcome::Cancelled } else { Outcome::Signaled { signal } };
    };
    let cause = record.cause;
    if cause == Cause::Time as u8 {
        return Outcome::TimedOut { limit: command.timeout };
    } else if cause == Cause::Processes as u8 {
        return limit(Limit::Processes);
    } else if cause == Cause::Memory as u8 {
        return limit(Limit::Memory);
    } else if cause != Cause::Itself as u8 {
        return Outcome::Cancelled;
    }
    if libc::WIFSIGNALED(record.wait_status) {
        match libc::WTERMSIG(record.wait_status) {
            libc::SIGXCPU if command.limits.cpu.is_some() => limit(Limit::Cpu),
            libc::SIGXFSZ if command.limits.file_size.is_some() => limit(Limit::FileSize),
            signal => Outcome::Signaled { signal },
        }
    } else {
        Outcome::Exited { code: libc::WEXITSTATUS(record.wait_status) }
    }
}

fn not_started(kind: NotStarted, message: String) -> CommandEnd {
    CommandEnd {
        outcome: Outcome::NotStarted { kind, message },
        started: SystemTime::now(),
        duration: Duration::ZERO,
        output: Captured {
            digest: Digest::of(b""),
            written: 0,
            stored: 0,
            truncated: false,
            place: Place::Memory(Vec::new()),
            error: None,
        },
        errors: None,
        sandbox: SandboxReport::none(),
        peak_memory: None,
        killed_leftovers: 0,
        left_behind: false,
    }
}

/// Starts warden and program. Comes back once the program was executed, or with why not.
fn start(command: &Command) -> Result<(Running<'_>, Wanted), (NotStarted, String)> {
    let other = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| (NotStarted::Other, format!("failed to {what}: {error}"))
    };
    let Some(program) = command.argv.first().filter(|program| !program.is_empty()) else {
        return Err((NotStarted::NotFound, "there is no program to start: the argv is empty".to_owned()));
    };
    match fs::metadata(&command.cwd) {
        Ok(folder) if folder.is_dir() => {}
        Ok(_) => return Err((NotStarted::NoFolder, format!("{} is not a folder", command.cwd.display()))),
        Err(error) => {
            return Err((NotStarted::NoFolder, format!("failed to enter {}: {error}", command.cwd.display())));
        }
    }
    let sandbox = Prepared::new(&command.sandbox)
        .map_err(|error| (NotStarted::Refused, format!("failed to build the sandbox: {error}")))?;

    let (control_read, control) = pipe().map_err(other("make a pipe"))?;
    let (status, status_write) = pipe().map_err(other("make a pipe"))?;
    let (output, output_write) = output_pipe().map_err(other("make a pipe"))?;
    let stderr = match command.stderr {
        Stderr::Merged => None,
        Stderr::Apart(_) => Some(output_pipe().map_err(other("make a pipe"))?),
    };
    let (given, input) = match &command.stdin {
        Stdin::Nothing => (None, None),
        Stdin::Bytes(_) => {
            let (read, write) = pipe().map_err(other("make a pipe"))?;
            do_not_block(&write).map_err(other("make a pipe"))?;
            (Some(read), Some(write))
        }
        // Taken, not copied: were an end left here, a writer would not see the process go.
        Stdin::Piped(end) => (end.take(), None),
    };

    let wanted = sandbox.wanted();
    let mark = fresh_mark();
    let launch = Launch {
        argv: command.argv.clone(),
        cwd: command.cwd.clone(),
        env: command.env.clone().into_iter().chain([(MARK.to_owned(), mark.clone())]).collect(),
        warden: warden::Brief {
            timeout_ms: milliseconds(command.timeout),
            grace_ms: milliseconds(command.grace),
            processes: command.limits.processes.unwrap_or(0),
            memory: command.limits.memory.unwrap_or(0),
        },
        limits: child::resources(&command.limits),
        sandbox,
    };
    let errors_write = match &stderr {
        Some((_, write)) => write.try_clone(),
        None => output_write.try_clone(),
    };
    let ends = Ends {
        stdin: given,
        stdout: output_write,
        stderr: errors_write.map_err(other("copy a descriptor"))?,
        control: control_read,
        status: status_write,
    };
    let errors = stderr.map(|(read, _)| read);
    let warden = spawner::start(launch, ends);
    let mut status = fs::File::from(status);
    let warden = match warden {
        Ok(warden) => warden,
        Err(error) => {
            let mut said = Vec::new();
            let _ = status.read_to_end(&mut said);
            return Err(why_not(program, &error, &said));
        }
    };
    let running = Running {
        command,
        warden,
        control,
        status,
        output: Some(output),
        errors,
        input,
        input_at: 0,
        heard: Vec::new(),
        mark,
    };
    Ok((running, wanted))
}

fn why_not(program: &str, error: &io::Error, said: &[u8]) -> (NotStarted, String) {
    if let [child::TAG_REFUSED, step, _, _, a, b, c, d, ..] = *said {
        let step = Step::from_byte(step).map_or("enter its sandbox", Step::name);
        let error = io::Error::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]));
        return (NotStarted::Refused, format!("the sandbox is required and the process failed to {step}: {error}"));
    }
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => (NotStarted::NotFound, format!("{program}: not found")),
        Some(libc::EACCES | libc::ENOEXEC | libc::EISDIR | libc::ELOOP | libc::EPERM | libc::ETXTBSY | libc::E2BIG) => {
            (NotStarted::NotExecutable, format!("{program}: cannot be executed: {error}"))
        }
        _ => (NotStarted::Other, format!("failed to start {program}: {error}")),
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// A name for this command's processes that nothing else on the machine has.
fn fresh_mark() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(count);
    format!("{}-{count}-{:016x}", process::id(), hasher.finish())
}

const WAKE: usize = 0;
const STATUS: usize = 1;
const OUTPUT: usize = 2;
const ERRORS: usize = 3;
const INPUT: usize = 4;

impl Running<'_> {
    /// Moves bytes until the warden has reported, or is gone.
    fn follow(
        &mut self,
        wake: &Wake,
        out: &mut Capture,
        mut err: Option<&mut Capture>,
    ) -> (Option<Record>, Option<Asked>) {
        let mut buffer = vec![0u8; 256 << 10];
        let mut asked: Option<Asked> = None;
        let mut record = None;
        let late = self.command.timeout.saturating_add(self.command.grace).saturating_add(WARDEN_LATE);
        let mut last_call = Instant::now().checked_add(late);

        loop {
            // A reader that lags holds the process back, but never the end of it.
            let behind = out.is_behind();
            let mut waits = [
                poll_on(Some(wake.0.as_raw_fd()).filter(|_| asked != Some(Asked::Cancel)), libc::POLLIN),
                poll_on(Some(self.status.as_raw_fd()), libc::POLLIN),
                poll_on(self.output.as_ref().map(|fd| fd.as_raw_fd()).filter(|_| !behind), libc::POLLIN),
                poll_on(self.errors.as_ref().map(|fd| fd.as_raw_fd()), libc::POLLIN),
                poll_on(self.input.as_ref().map(|fd| fd.as_raw_fd()), libc::POLLOUT),
            ];
            let wait = if behind { 5 } else { 1_000 };
            // SAFETY: the array is valid for the call and holds descriptors that we own.
            unsafe { libc::poll(waits.as_mut_ptr(), waits.len() as libc::nfds_t, wait) };

            if waits[WAKE].revents != 0 {
                asked = Some(asked.unwrap_or(Asked::Cancel));
                self.say(warden::SAY_TERM);
                let soon = Instant::now() + self.command.grace + WARDEN_LATE;
                last_call = Some(last_call.map_or(soon, |last| last.min(soon)));
                // Rung once; it stays readable until it is read.
                let mut count = [0u8; 8];
                // SAFETY: eight bytes of a local, from a descriptor that we own.
                unsafe { libc::read(wake.0.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
            }
            if waits[INPUT].revents != 0 {
                self.feed();
            }
            for (which, sink) in [(OUTPUT, Some(&mut *out)), (ERRORS, err.as_deref_mut())] {
                let Some(sink) = sink.filter(|_| waits[which].revents != 0) else { continue };
                let pipe = if which == OUTPUT { &mut self.output } else { &mut self.errors };
                if !drain(pipe, sink, &mut buffer, 8) {
                    if asked.is_none() {
                        asked = Some(Asked::OutputCap(sink.cap()));
                    }
                    *pipe = None;
                    self.say(warden::SAY_KILL);
                }
            }
            if waits[STATUS].revents != 0 {
                let mut chunk = [0u8; 64];
                match self.status.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(length) => self.heard.extend_from_slice(&chunk[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
                record = self.record();
                if record.is_some() {
                    break;
                }
            }
            if last_call.is_some_and(|last| Instant::now() >= last) {
                break;
            }
        }
        if record.is_none() {
            self.kill_by_mark();
        }
        // All writers are gone; what is still in the pipes is the last of it. Should somebody
        // outside hold an end, it is not waited for.
        if !matches!(asked, Some(Asked::OutputCap(_))) {
            for (pipe, sink) in [(&mut self.output, Some(out)), (&mut self.errors, err)] {
                let Some(sink) = sink else { continue };
                let patience = Instant::now() + Duration::from_secs(5);
                while sink.is_behind() && Instant::now() < patience && !self.command.cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if !drain(pipe, sink, &mut buffer, 64) && asked.is_none() {
                    asked = Some(Asked::OutputCap(sink.cap()));
                }
            }
        }
        (record, asked)
    }

    fn say(&self, word: u8) {
        // SAFETY: one byte of a local, to a descriptor that we own. A warden that is gone already
        // has done what is asked; std ignores SIGPIPE in this process.
        unsafe { libc::write(self.control.as_raw_fd(), (&raw const word).cast(), 1) };
    }

    /// Gives the process some of its input.
    fn feed(&mut self) {
        let Stdin::Bytes(bytes) = &self.command.stdin else { return };
        let Some(input) = &self.input else { return };
        let rest = &bytes[self.input_at..];
        if !rest.is_empty() {
            // SAFETY: the buffer is valid for its length, the descriptor is ours and does not block.
            let written = unsafe { libc::write(input.as_raw_fd(), rest.as_ptr().cast(), rest.len()) };
            if let Ok(written) = usize::try_from(written) {
                self.input_at += written;
            } else if !matches!(
                io::Error::last_os_error().kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) {
                // It closed its input early.
                self.input = None;
                return;
            }
        }
        if self.input_at == bytes.len() {
            self.input = None;
        }
    }

    /// The warden's record, once it is whole.
    fn record(&self) -> Option<Record> {
        let from = self.messages().0;
        Record::from_bytes(&self.heard[from..])
    }

    /// Which parts of the sandbox the program said it is in.
    fn achieved(&self) -> Achieved {
        self.messages().1
    }

    fn messages(&self) -> (usize, Achieved) {
        let mut at = 0;
        let mut achieved = Achieved::default();
        while let Some([child::TAG_READY, parts, ..]) = self.heard.get(at..at + child::MESSAGE) {
            achieved = Achieved(*parts);
            at += child::MESSAGE;
        }
        (at, achieved)
    }

    /// The warden did not report: somebody killed it, or it hangs. Its processes are found by the
    /// mark in their environment.
    fn kill_by_mark(&mut self) {
        self.warden.kill();
        let mark = format!("{MARK}={}", self.mark).into_bytes();
        for _ in 0..50 {
            let mut found = false;
            for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
                let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
                if environment.split(|byte| *byte == 0).any(|line| line == mark) {
                    found = true;
                    // SAFETY: a signal to a process that carries this command's own mark.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                }
            }
            if !found {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

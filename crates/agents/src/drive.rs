//! Drives one session from its start to its end.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use exec::{
    run::{CapturePlan, Command, CommandEnd, Live, NotStarted as Absent, Outcome, Stderr, Stdin, piped},
    sandbox::SandboxReport,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use model::{
    agent::{
        Capability,
        event::{AgentEvent, SessionFacts, ToolStatus, ToolUse},
        fold::{AgentEnd, AgentOutcome, Ending, Fold, NotStarted, ProcessEnd},
    },
    digest::Digest,
    failure::{Failure, FailureCode},
    limits,
};
use tokio::{io::AsyncWriteExt as _, net::unix::pipe, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    adapter::{Adapter, Input, LineKind, Reader, Told, read_line},
    agent::Kind,
    builtin,
    clean::clean_event,
    lines::{Line, Lines},
    prepare::prepare,
    probe::{Readiness, probe},
    scripted,
    session::{Checks, Session},
    sink::{Ask, Boxed, Reply, Seen, Sink, SinkClosed},
    version::Version,
};

/// How long an agent may take to stop in good order, where it can be asked (S79).
const GOOD_ORDER: Duration = Duration::from_secs(10);
/// How much of the end of its errors is read.
const TAIL: u64 = 8 << 10;
/// Kept of its standard error.
const ERRORS: u64 = 1 << 20;
const HOUR: Duration = Duration::from_secs(3_600);
/// How many questions of an agent may be open at once.
const ASKS: usize = 32;

/// How a session went.
#[derive(Debug)]
pub struct Driven {
    /// What became of it.
    pub end: AgentEnd,
    /// How its process ended.
    pub process: ProcessEnd,
    /// How it was confined, in truth.
    pub sandbox: SandboxReport,
    /// The version of its program.
    pub version: Option<Version>,
    /// Digest and size of the raw output as stored; nothing where nothing was started.
    pub raw: Option<(Digest, u64)>,
    /// What was left out of it.
    pub is_truncated: bool,
    /// When it was started.
    pub started: SystemTime,
    /// How long it took.
    pub took: Duration,
}

impl Driven {
    /// One that ended before there was anything.
    pub(crate) fn without_process(end: AgentEnd, process: ProcessEnd) -> Self {
        Self {
            end,
            process,
            sandbox: SandboxReport::none(),
            version: None,
            raw: None,
            is_truncated: false,
            started: SystemTime::now(),
            took: Duration::ZERO,
        }
    }
}

/// Drives a session to its end. Every event goes to the sink, in order, before the next is read; when the
/// sink takes no more, the session is stopped.
pub async fn drive(session: Session, sink: &mut dyn Sink, stop: CancellationToken) -> Driven {
    if session.tools.is_some() && !session.agent.capabilities().contains(&Capability::Palette) {
        // S72: never more than was allowed, however it came here.
        let message = format!("{} cannot be held to the tools that its role names", session.name());
        return absent(&session, NotStarted::Refused, message);
    }
    match session.agent.kind.adapter() {
        Some(adapter) => start(session, adapter, sink, stop).await,
        None if session.agent.kind == Kind::Builtin => builtin::converse(session, sink, stop).await,
        None => scripted::play(session, sink, stop).await,
    }
}

fn absent(session: &Session, why: NotStarted, message: String) -> Driven {
    let process = ProcessEnd::NotStarted { why, message };
    let end = Fold::default().end(&ending(session, process.clone(), None, String::new()));
    Driven::without_process(end, process)
}

fn ending(session: &Session, process: ProcessEnd, over_cap: Option<u64>, tail: String) -> Ending {
    Ending { process, over_cap, tail, billing: session.agent.billing }
}

async fn start(
    mut session: Session,
    adapter: &'static dyn Adapter,
    sink: &mut dyn Sink,
    stop: CancellationToken,
) -> Driven {
    if session.checks == Checks::SandboxOnly && session.sandbox.files.is_none() {
        // S76: an agent's own checks are turned off only where something else holds it.
        let message = "the agent's own checks may be turned off only inside a sandbox, and none is planned";
        return absent(&session, NotStarted::Refused, message.to_owned());
    }
    session.sandbox.required |= session.checks == Checks::SandboxOnly;
    let mut version = session.version;
    if version.is_none() {
        let scratch = session.tmp.join("probe");
        let found = tokio::select! {
            found = probe(&session.agent, &session.environment, &scratch) => found,
            () = stop.cancelled() => {
                let end = Fold::default().end(&ending(&session, ProcessEnd::Cancelled, None, String::new()));
                return Driven::without_process(end, ProcessEnd::Cancelled);
            }
        };
        if !found.readiness.is_usable() {
            let why = match found.readiness {
                Readiness::Missing { .. } => NotStarted::Missing,
                _ => NotStarted::Version,
            };
            return absent(&session, why, format!("{}: {}", session.name(), found.words));
        }
        version = found.version;
    }
    let launch = adapter.launch(&session);
    session.sandbox.required |= launch.needs_fence;
    let prepared = match prepare(&session, adapter, &launch) {
        Ok(prepared) => prepared,
        Err(error) => {
            return absent(&session, NotStarted::Other, format!("failed to make the agent's home: {error}"));
        }
    };
    let argv: Vec<String> = session.agent.argv().into_iter().chain(launch.args.clone()).collect();
    let (stdin, input) = match &launch.input {
        Input::Prompt => (Stdin::Bytes(session.prompt.clone().into_bytes()), None),
        Input::Open(first) => match piped() {
            Ok((stdin, sender)) => (stdin, Some((sender, first.clone()))),
            Err(error) => return absent(&session, NotStarted::Other, format!("failed to make a pipe: {error}")),
        },
    };
    let (pieces, pieces_out) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let command = Command {
        env: prepared.environment.variables().clone(),
        stdin,
        // The time of a session that may wait for people is counted here, without their time; this is the bound of both.
        timeout: session.limits.wall + if session.asks { limits::APPROVAL * 3 } else { Duration::ZERO },
        sandbox: prepared.sandbox,
        capture: CapturePlan::File {
            path: session.raw.clone(),
            head: session.limits.output,
            tail: 0,
            kill_past: limits::OUTPUT_KILL.max(session.limits.output),
        },
        stderr: Stderr::Apart(CapturePlan::File {
            path: session.errors(),
            head: ERRORS / 2,
            tail: ERRORS / 2,
            kill_past: limits::OUTPUT_KILL,
        }),
        redactor: prepared.redactor,
        live: Some(Live::Lossless(pieces)),
        cancel: cancel.clone(),
        ..exec::run::Command::new(argv.clone(), session.cwd.clone())
    };
    let facts = SessionFacts {
        version: version.map(|version| version.to_string()),
        model: session.model.clone(),
        adapter: Some(adapter.version()),
        argv,
        ..SessionFacts::of(session.name().clone())
    };
    let reader = adapter.reader(&session);
    let mut driver = Driver {
        session: &session,
        reader,
        sink,
        fold: Fold::default(),
        lines: Lines::new(),
        sender: None,
        to_write: Vec::new(),
        asks: FuturesUnordered::new(),
        cancel,
        is_lost: false,
        is_stopped: false,
        is_quiet: false,
        is_late: false,
        ended_at: None,
        lingers: false,
    };
    driver.emit(AgentEvent::Session(facts), None).await;
    let end = driver.follow(command, pieces_out, input, stop).await;
    driver.finish(end, version).await
}

struct Driver<'d> {
    session: &'d Session,
    reader: Box<dyn Reader>,
    sink: &'d mut dyn Sink,
    fold: Fold,
    lines: Lines,
    /// To an agent that reads while it works.
    sender: Option<pipe::Sender>,
    /// What it is still to be told.
    to_write: Vec<u8>,
    /// What it asked and nobody has answered yet.
    asks: FuturesUnordered<Boxed<'static, (Ask, Reply)>>,
    cancel: CancellationToken,
    /// The sink takes no more.
    is_lost: bool,
    /// Somebody stopped it.
    is_stopped: bool,
    /// It said nothing for too long.
    is_quiet: bool,
    /// Its time is over.
    is_late: bool,
    /// When one that reads while it works said that it is done.
    ended_at: Option<Instant>,
    /// It said so and did not go.
    lingers: bool,
}

impl Driver<'_> {
    async fn follow(
        &mut self,
        command: Command,
        mut pieces: mpsc::Receiver<String>,
        input: Option<(pipe::Sender, String)>,
        stop: CancellationToken,
    ) -> CommandEnd {
        let mut running = Box::pin(exec::run::run(command));
        let mut ended = None;
        if let Some((sender, line)) = input {
            self.sender = Some(sender);
            self.write(&line);
        }
        let mut quiet_at = Instant::now() + self.session.limits.quiet;
        let mut late_at = Instant::now() + self.session.limits.wall;
        // Since when it waits for people: their time is not the agent's.
        let mut waits_since: Option<Instant> = None;
        let mut stop_at: Option<Instant> = None;
        let mut is_open = true;
        loop {
            if let Some(end) = ended.take_if(|_| !is_open) {
                return end;
            }
            match (self.asks.is_empty(), waits_since) {
                (false, None) => waits_since = Some(Instant::now()),
                (true, Some(since)) => {
                    late_at += since.elapsed();
                    quiet_at = Instant::now() + self.session.limits.quiet;
                    waits_since = None;
                }
                (true, None) | (false, Some(_)) => {}
            }
            let deadline = match waits_since {
                Some(_) => stop_at.unwrap_or_else(|| Instant::now() + HOUR),
                None => stop_at.unwrap_or(late_at).min(quiet_at).min(late_at),
            };
            // One that was told that nothing comes has to go by itself, soon.
            let go_at = self.ended_at.map(|at| at + GOOD_ORDER);
            let deadline = go_at.map_or(deadline, |go| go.min(deadline));
            tokio::select! {
                end = &mut running, if ended.is_none() => ended = Some(end),
                piece = pieces.recv(), if is_open => match piece {
                    Some(piece) => {
                        quiet_at = Instant::now() + self.session.limits.quiet;
                        self.read(&piece).await;
                    }
                    None => is_open = false,
                },
                () = write_some(&mut self.sender, &mut self.to_write),
                    if !self.to_write.is_empty() && self.sender.is_some() && ended.is_none() => {}
                () = stop.cancelled(), if stop_at.is_none() && ended.is_none() => {
                    self.is_stopped = true;
                    stop_at = Some(Instant::now() + match self.reader.cancel() {
                        Some(line) if self.sender.is_some() => { self.write(&line); GOOD_ORDER }
                        _ => Duration::ZERO,
                    });
                }
                Some((ask, reply)) = self.asks.next(), if !self.asks.is_empty() && ended.is_none() => {
                    self.answered(&ask, &reply).await;
                }
                () = tokio::time::sleep_until(deadline.into()), if ended.is_none() && !self.cancel.is_cancelled() => {
                    self.lingers = stop_at.is_none() && go_at.is_some_and(|go| Instant::now() >= go);
                    if waits_since.is_some() && stop_at.is_none() && !self.lingers {
                        continue;
                    }
                    self.is_late |= stop_at.is_none() && !self.lingers && Instant::now() >= late_at;
                    self.is_quiet |= stop_at.is_none() && !self.lingers && !self.is_late;
                    self.cancel.cancel();
                }
            }
        }
    }

    async fn read(&mut self, piece: &str) {
        let mut found = Vec::new();
        self.lines.push(piece, |line| found.push(line));
        for line in found {
            self.line(line).await;
        }
    }

    async fn line(&mut self, line: Line) {
        if line.is_cut {
            self.fold.lines().cut += 1;
            if !self.reader.is_plain() {
                return;
            }
        }
        let mut told = Told::default();
        match read_line(self.reader.as_mut(), &line.text, &mut told) {
            LineKind::Known => self.fold.lines().known += 1,
            LineKind::Unknown => self.fold.lines().unknown += 1,
            LineKind::Undecodable => self.fold.lines().undecodable += 1,
            LineKind::Blank => {}
        }
        self.tell(told, Some(line.raw)).await;
    }

    async fn tell(&mut self, told: Told, raw: Option<std::ops::Range<u64>>) {
        for event in told.events {
            self.emit(event, raw.clone()).await;
        }
        for line in told.lines {
            self.write(&line);
        }
        for ask in told.asks {
            if self.is_lost {
                return;
            }
            let reply = if self.asks.len() < ASKS {
                self.sink.ask(ask.clone())
            } else {
                Box::pin(std::future::ready(Reply::Deny("too many questions are open at once".to_owned())))
            };
            self.asks.push(Box::pin(async move { (ask, reply.await) }));
        }
        if self.fold.has_ended() && self.sender.take().is_some() {
            // It has said that it is done; one that still reads learns that nothing comes.
            self.ended_at = Some(Instant::now());
        }
    }

    /// Tells the agent what it was answered, and the journal what became of the use of its tool.
    async fn answered(&mut self, ask: &Ask, reply: &Reply) {
        if let Ask::Approval { call, tool, .. } = ask {
            let (status, output) = match reply {
                Reply::Allow => (ToolStatus::Running, None),
                Reply::Deny(reason) | Reply::Answer(reason) => (ToolStatus::Denied, Some(reason.clone())),
            };
            let input = serde_json::Value::Null;
            let told = ToolUse { id: call.clone(), name: tool.clone(), input, status, output };
            self.emit(AgentEvent::Tool(told), None).await;
        }
        if let Some(line) = self.reader.reply(ask, reply) {
            self.write(&line);
        }
    }

    async fn emit(&mut self, mut event: AgentEvent, raw: Option<std::ops::Range<u64>>) {
        clean_event(&mut event);
        self.fold.take(&event);
        // What is beyond the cap still tells what was used, but it is shown and kept nowhere.
        let is_beyond = raw.as_ref().is_some_and(|raw| raw.end > self.session.limits.output);
        if self.is_lost || is_beyond {
            return;
        }
        if let Err(SinkClosed) = self.sink.event(Seen { event, raw }).await {
            self.is_lost = true;
            self.cancel.cancel();
        }
    }

    /// Has a line written to the agent as fast as it reads: the session waits for nobody.
    fn write(&mut self, line: &str) {
        if self.sender.is_some() {
            self.to_write.extend_from_slice(line.as_bytes());
        }
    }

    async fn finish(mut self, end: CommandEnd, version: Option<Version>) -> Driven {
        // What the redactor held back until it was sure came to the file, but to no reader.
        if end.output.error.is_none() && !end.output.truncated && !self.is_lost {
            let rest = rest_of(&self.session.raw, self.lines.at());
            self.read(&rest).await;
        }
        if let Some(line) = self.lines.finish() {
            self.line(line).await;
        }
        let over_cap = (end.output.written > self.session.limits.output
            || matches!(end.outcome, Outcome::OutputCap { .. }))
        .then_some(self.session.limits.output);
        let process = self.process_end(&end.outcome);
        let code = match process {
            ProcessEnd::Exited { code } => Some(code),
            _ => None,
        };
        let mut told = Told::default();
        self.reader.ended(code, &mut told);
        self.tell(told, None).await;
        let tail = tail_of(&self.session.errors());
        let storing_failed = end.output.error.clone();
        let mut result = self.fold.end(&ending(self.session, process.clone(), over_cap, tail));
        if let (Some(error), AgentOutcome::Completed { .. }) = (storing_failed, &result.outcome) {
            // Raw output that could not be kept is no output to stand on.
            result.outcome = AgentOutcome::Failed(Failure::new(FailureCode::DiskFull, error));
        }
        Driven {
            end: result,
            process,
            sandbox: end.sandbox,
            version,
            raw: Some((end.output.digest, end.output.stored)),
            is_truncated: end.output.truncated,
            started: end.started,
            took: end.duration,
        }
    }

    fn process_end(&self, outcome: &Outcome) -> ProcessEnd {
        match outcome {
            // However it ended then, and whatever it said of that.
            _ if self.is_lost || self.is_stopped => ProcessEnd::Cancelled,
            Outcome::Exited { code } => ProcessEnd::Exited { code: *code },
            Outcome::Signaled { signal } => ProcessEnd::Signaled { signal: *signal },
            Outcome::TimedOut { limit } => ProcessEnd::TimedOut { seconds: limit.as_secs() },
            Outcome::LimitReached { limit } => ProcessEnd::LimitReached { limit: limit.name().to_owned() },
            // It had done what it was going to do.
            Outcome::Cancelled if self.lingers => ProcessEnd::Exited { code: 0 },
            Outcome::Cancelled if self.is_late => ProcessEnd::TimedOut { seconds: self.session.limits.wall.as_secs() },
            Outcome::Cancelled if self.is_quiet => ProcessEnd::Quiet { seconds: self.session.limits.quiet.as_secs() },
            Outcome::Cancelled => ProcessEnd::Cancelled,
            Outcome::OutputCap { .. } => ProcessEnd::LimitReached { limit: "output".to_owned() },
            Outcome::NotStarted { kind, message } => {
                let why = match kind {
                    Absent::NotFound | Absent::NotExecutable => NotStarted::Missing,
                    Absent::Refused => NotStarted::Refused,
                    Absent::NoFolder | Absent::Other => NotStarted::Other,
                };
                ProcessEnd::NotStarted { why, message: message.clone() }
            }
        }
    }
}

/// Writes some of what is to be written. Dropped in the middle, it goes on there. An agent that reads no more is no
/// error by that (L22).
async fn write_some(sender: &mut Option<pipe::Sender>, to_write: &mut Vec<u8>) {
    let Some(open) = sender.as_mut() else { return };
    match open.write(to_write).await {
        Ok(written) => drop(to_write.drain(..written)),
        Err(_) => *sender = None,
    }
}

fn rest_of(path: &Path, from: u64) -> String {
    let mut rest = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path)
        && file.seek(SeekFrom::Start(from)).is_ok()
    {
        // The redactor holds back less than its longest secret.
        let _ = file.take(1 << 20).read_to_end(&mut rest);
    }
    String::from_utf8_lossy(&rest).into_owned()
}

fn tail_of(path: &Path) -> String {
    let mut tail = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let length = file.metadata().map_or(0, |facts| facts.len());
        if file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).is_ok() {
            let _ = file.take(TAIL).read_to_end(&mut tail);
        }
    }
    String::from_utf8_lossy(&tail).into_owned()
}

//! Plays a script.

use std::{
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use exec::sandbox::SandboxReport;
use model::{
    agent::{
        event::{AgentEvent, EndOutcome, ErrorClass, FileChange, SessionFacts, ToolStatus, ToolUse},
        fold::{AgentOutcome, Ending, Fold, NotStarted, ProcessEnd},
        usage::UsageReport,
    },
    digest::Digest,
    failure::{Failure, FailureCode},
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::script::{Call, Do, Reply, Script};
use crate::{
    beneath,
    drive::Driven,
    record::{Record, Unkept},
    session::{Mode, Session},
    sink::Sink,
};

/// The version of the events that a script plays.
const ADAPTER: u32 = 1;
/// A file that a script reads or edits.
const FILE: u64 = 1 << 20;
/// Replies in one session.
const REPLIES: usize = 1_000;

/// Plays the session's script to its end.
pub(crate) async fn play(session: Session, sink: &mut dyn Sink, stop: CancellationToken) -> Driven {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let script = match &session.agent.script {
        Some(path) => Script::open(path),
        None => Ok(Script::shipped()),
    };
    let opened = script.map_err(|error| error.to_string()).and_then(|script| {
        let stage = Stage::open(&session, sink).map_err(|error| format!("failed to keep the output: {error}"))?;
        Ok((script, stage))
    });
    let (script, mut stage) = match opened {
        Ok(opened) => opened,
        Err(message) => {
            let process = ProcessEnd::NotStarted { why: NotStarted::Other, message: message.clone() };
            let mut end = Fold::default().end(&ending(&session, process.clone()));
            end.outcome = AgentOutcome::Failed(Failure::new(FailureCode::AgentFailed, message));
            return Driven::without_process(end, process);
        }
    };
    let played = tokio::select! {
        played = stage.play(&script) => played,
        () = stop.cancelled() => Err(Stopped::Asked),
        () = tokio::time::sleep(session.limits.wall) => Err(Stopped::Time),
    };
    let mut process = match &played {
        Ok(()) | Err(Stopped::Mismatch(_)) => ProcessEnd::Inside,
        Err(Stopped::Asked | Stopped::Sink) => ProcessEnd::Cancelled,
        Err(Stopped::Time) => ProcessEnd::TimedOut { seconds: session.limits.wall.as_secs() },
        Err(Stopped::Disk(_)) => ProcessEnd::Inside,
    };
    let (fold, raw) = stage.close();
    let mut end = fold.end(&ending(&session, process.clone()));
    let failed = |code, message: &str| AgentOutcome::Failed(Failure::new(code, message));
    match &played {
        Err(Stopped::Mismatch(place)) => {
            end.outcome =
                failed(FailureCode::AgentFailed, &format!("the script does not fit (script_mismatch): {place}"));
        }
        Err(Stopped::Disk(message)) => {
            end.outcome = failed(FailureCode::DiskFull, message);
            process = ProcessEnd::Inside;
        }
        Ok(()) | Err(Stopped::Asked | Stopped::Sink | Stopped::Time) => {}
    }
    Driven {
        end,
        process,
        // Nothing ran: what was written went through the plane, and only below the worktree.
        sandbox: SandboxReport::none(),
        version: None,
        raw: Some(raw),
        is_truncated: false,
        started,
        took: clock.elapsed(),
    }
}

fn ending(session: &Session, process: ProcessEnd) -> Ending {
    Ending { process, over_cap: None, tail: String::new(), billing: session.agent.billing }
}

/// Why a script was not played to its end.
enum Stopped {
    /// Somebody said so.
    Asked,
    /// Its time was up.
    Time,
    /// The sink takes no more.
    Sink,
    /// The output cannot be kept.
    Disk(String),
    /// The script has no reply for what is asked.
    Mismatch(String),
}

struct Stage<'s> {
    session: &'s Session,
    record: Record<'s>,
    calls: usize,
}

impl From<Unkept> for Stopped {
    fn from(why: Unkept) -> Self {
        match why {
            Unkept::Sink => Self::Sink,
            Unkept::Disk(message) => Self::Disk(message),
        }
    }
}

impl<'s> Stage<'s> {
    fn open(session: &'s Session, sink: &'s mut dyn Sink) -> io::Result<Self> {
        let record = Record::open(session, sink, session.secrets.iter().cloned())?;
        Ok(Self { session, record, calls: 0 })
    }

    fn close(self) -> (Fold, (Digest, u64)) {
        self.record.close()
    }

    async fn play(&mut self, script: &Script) -> Result<(), Stopped> {
        self.emit(AgentEvent::Session(SessionFacts {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            adapter: Some(ADAPTER),
            simulated: true,
            ..SessionFacts::of(self.session.name().clone())
        }))
        .await?;
        let role = self.session.role.as_deref();
        let mut replies = script
            .replies
            .iter()
            .enumerate()
            .filter(|(_, reply)| reply.role.is_none() || reply.role.as_deref() == role);
        let mut request = json!({"role": role, "prompt": self.session.prompt, "results": []});
        for turn in 1..=REPLIES {
            // As it would be sent to a model.
            self.line(&json!({"type": "request", "turn": turn, "request": request}).to_string())?;
            let Some((number, reply)) = replies.next() else {
                return Err(Stopped::Mismatch(format!(
                    "it has no reply left for turn {turn} of role {}",
                    role.unwrap_or("(none)")
                )));
            };
            let said = request.to_string();
            let text =
                |wanted: &String| said.contains(wanted.as_str()) || self.session.prompt.contains(wanted.as_str());
            if let Some(missing) = reply.contains.iter().find(|wanted| !text(wanted)) {
                return Err(Stopped::Mismatch(format!("reply {number} wants {missing:?} in the request")));
            }
            let results = self.reply(reply, number).await?;
            let Some(results) = results else { return Ok(()) };
            request["results"] = Value::Array(results);
        }
        Err(Stopped::Mismatch(format!("it went on for {REPLIES} turns")))
    }

    /// Plays a reply. Results of calls, if it made any: then the next reply is asked for.
    async fn reply(&mut self, reply: &Reply, number: usize) -> Result<Option<Vec<Value>>, Stopped> {
        let is_last = !reply.steps.iter().any(|step| matches!(step, Do::Call(_)));
        if let Some(usage) = reply.usage {
            let message = Some(format!("reply-{number}"));
            self.emit(AgentEvent::Usage(UsageReport { message, usage, ..UsageReport::default() })).await?;
        }
        let mut results = Vec::new();
        for step in &reply.steps {
            match step {
                Do::Say { say } => self.emit(AgentEvent::Message { text: say.clone(), is_final: is_last }).await?,
                Do::Reason { reason } => self.emit(AgentEvent::Reasoning { text: reason.clone() }).await?,
                Do::Wait { wait_ms } => tokio::time::sleep(Duration::from_millis(*wait_ms)).await,
                Do::Raw { raw } => {
                    self.line(raw)?;
                    self.record.fold.lines().undecodable += 1;
                }
                Do::Fail { fail, retry_after_s } => {
                    let retry_at = retry_after_s.map(|seconds| now().plus(Duration::from_secs(seconds)));
                    let message = format!("the script fails here: reply {number}");
                    self.emit(AgentEvent::Error { class: *fail, message, retry_at }).await?;
                    if *fail != ErrorClass::Notice {
                        self.emit(AgentEvent::end(EndOutcome::Failed)).await?;
                        return Ok(None);
                    }
                }
                Do::Call(call) => results.push(self.call(call).await?),
            }
        }
        if is_last {
            self.emit(AgentEvent::end(EndOutcome::Completed)).await?;
            return Ok(None);
        }
        Ok(Some(results))
    }

    async fn call(&mut self, call: &Call) -> Result<Value, Stopped> {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let event = |status, output| {
            AgentEvent::Tool(ToolUse {
                id: id.clone(),
                name: call.call.clone(),
                input: call.input.clone(),
                status,
                output,
            })
        };
        self.emit(event(ToolStatus::Requested, None)).await?;
        // Unknown tools and bad input are results, not failures (S36).
        let (status, output, change) = match self.tool(call) {
            Ok((output, change)) => (ToolStatus::Done, output, change),
            Err(error) => (ToolStatus::Failed, error, None),
        };
        self.emit(event(status, Some(output.clone()))).await?;
        if let Some((path, change)) = change {
            self.emit(AgentEvent::File { path, change }).await?;
        }
        Ok(json!({"id": id, "tool": call.call, "ok": status == ToolStatus::Done, "output": output}))
    }

    fn tool(&self, call: &Call) -> Result<(String, Option<(String, FileChange)>), String> {
        let field = |name: &str| {
            let value = call.input.get(name).and_then(Value::as_str);
            value.ok_or_else(|| format!("{}: {name} is missing", call.call))
        };
        let root = &self.session.cwd;
        let failed = |error: io::Error| format!("{}: {error}", call.call);
        let read = |path: &str| {
            let bytes = beneath::read(root, path, FILE).map_err(failed)?;
            String::from_utf8(bytes).map_err(|_| format!("{path} is no text"))
        };
        let write = |path: &str, text: &str| {
            if self.session.mode == Mode::ReadOnly {
                return Err(format!("{}: this session may change no files", call.call));
            }
            beneath::write(root, path, text.as_bytes(), 0o644).map_err(failed)
        };
        match call.call.as_str() {
            "read" => Ok((read(field("path")?)?, None)),
            "write" => {
                let path = field("path")?;
                let change = if root.join(path).exists() { FileChange::Modified } else { FileChange::Added };
                write(path, field("contents")?)?;
                Ok((format!("wrote {path}"), Some((path.to_owned(), change))))
            }
            "edit" => {
                let (path, find) = (field("path")?, field("find")?);
                let text = read(path)?;
                if text.matches(find).count() != 1 {
                    return Err(format!("{path} does not hold the text exactly once"));
                }
                write(path, &text.replacen(find, field("replace")?, 1))?;
                Ok((format!("edited {path}"), Some((path.to_owned(), FileChange::Modified))))
            }
            other => Err(format!("there is no tool {other:?}")),
        }
    }

    async fn emit(&mut self, event: AgentEvent) -> Result<(), Stopped> {
        Ok(self.record.emit(event).await?)
    }

    fn line(&mut self, text: &str) -> Result<(), Stopped> {
        self.record.line(text)?;
        Ok(())
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

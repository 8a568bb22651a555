//! One file per agent: how it is started, and what its lines mean. No adapter does I/O.

pub mod acp;
pub mod claude;
pub mod codex;
pub mod command;
pub mod opencode;
pub mod pi;
mod plain;
mod protocol;

use std::collections::BTreeMap;

use model::agent::{Capability, event::AgentEvent};
use serde_json::Value;

pub use crate::login::LoginFile;
use crate::{
    agent::Protocol,
    session::Session,
    sink::{Ask, Reply},
    version::Tested,
};

/// What an adapter knows of its agent.
pub trait Adapter: Sync {
    /// Raised when it reads the same lines another way (S75).
    fn version(&self) -> u32 {
        1
    }

    /// The program that is looked for on the PATH.
    fn program(&self) -> &'static str;

    /// How to get it; nothing for programs of one's own.
    fn install(&self) -> Option<&'static str>;

    /// The versions it was tested with; nothing where there are none to test.
    fn tested(&self) -> Option<Tested>;

    /// What its agent can do.
    fn capabilities(&self, protocol: Protocol) -> &'static [Capability];

    /// Variables of the worker's environment by which a person signs it in.
    fn login_names(&self) -> &'static [&'static str];

    /// Files below the person's home by which a person signs it in, and settings.
    fn login_files(&self) -> &'static [LoginFile];

    /// How it is started for a session.
    fn launch(&self, session: &Session) -> Launch;

    /// Reads the lines of a session.
    fn reader(&self, session: &Session) -> Box<dyn Reader>;
}

/// How a program is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// Behind the program. Never the prompt (L22).
    pub args: Vec<String>,
    /// What it reads.
    pub input: Input,
    /// Fixed variables.
    pub env: BTreeMap<String, String>,
    /// It counts on the fence: it does not start where that cannot be had.
    pub needs_fence: bool,
}

/// What a program reads from its standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input {
    /// The prompt, then the end.
    #[default]
    Prompt,
    /// This line; more may follow while it works.
    Open(String),
}

/// Whether a line was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Understood {
    /// It was.
    Yes,
    /// It is of a type nobody here knows: kept raw and counted (S74).
    No,
}

/// What a reader makes of lines.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// In order.
    pub events: Vec<AgentEvent>,
    /// What waits for an answer.
    pub asks: Vec<Ask>,
    /// What the agent is told in turn, each with its line feed.
    pub lines: Vec<String>,
}

impl Told {
    /// Adds an event.
    pub fn push(&mut self, event: AgentEvent) {
        self.events.push(event);
    }
}

/// Reads one session's output. It is a pure function of the lines before: reading the raw output again
/// tells the same events (S74).
pub trait Reader: Send {
    /// Whether its lines are plain text and not JSON.
    fn is_plain(&self) -> bool {
        false
    }

    /// Takes a JSON object.
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood;

    /// Takes a line of plain text.
    fn text(&mut self, line: &str, told: &mut Told) {
        let _ = (line, told);
    }

    /// The output has ended; with this exit code, where there is one.
    fn ended(&mut self, code: Option<i32>, told: &mut Told) {
        let _ = (code, told);
    }

    /// A reply as the agent wants to read it.
    fn reply(&self, ask: &Ask, reply: &Reply) -> Option<String> {
        let _ = (ask, reply);
        None
    }

    /// What asks the agent to stop in good order, where it can be asked.
    fn cancel(&self) -> Option<String> {
        None
    }
}

/// The events of a whole raw output, for tests and for reading it again (S74).
pub fn read_again(reader: &mut dyn Reader, raw: &str, code: Option<i32>) -> Vec<AgentEvent> {
    let mut told = Told::default();
    for line in raw.lines() {
        read_line(reader, line, &mut told);
    }
    reader.ended(code, &mut told);
    told.events
}

/// What a line was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Known,
    Unknown,
    Undecodable,
    Blank,
}

/// Reads a line of either form.
pub(crate) fn read_line(reader: &mut dyn Reader, line: &str, told: &mut Told) -> LineKind {
    if reader.is_plain() {
        reader.text(line, told);
        return LineKind::Known;
    }
    let line = line.trim();
    if line.is_empty() {
        return LineKind::Blank;
    }
    match serde_json::from_str::<Value>(line) {
        Ok(object) if object.is_object() => match reader.object(&object, told) {
            Understood::Yes => LineKind::Known,
            Understood::No => LineKind::Unknown,
        },
        Ok(_) | Err(_) => LineKind::Undecodable,
    }
}

/// The text at a place in a document; empty where there is none.
fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a place, where there is one.
fn some_text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A path as it is told: from the worktree where it lies there.
fn told_path(session_cwd: &str, path: &str) -> String {
    path.strip_prefix(session_cwd).map_or(path, |rest| rest.trim_start_matches('/')).to_owned()
}

/// Text out of the several forms in which tools answer: a string, or a list of parts with texts.
fn output_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str).or(part.as_str())).collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        Value::Object(_) => value.get("content").and_then(output_text),
        _ => None,
    }
}

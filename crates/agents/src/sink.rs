//! Where the events of a session go.

use std::{future::Future, ops::Range, pin::Pin};

use model::agent::event::AgentEvent;
use serde_json::Value;

/// A future in a box.
pub type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// An event, and where in the raw output it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What happened.
    pub event: AgentEvent,
    /// The bytes of the raw output that tell it (S74). What the plane itself knows stands nowhere there.
    pub raw: Option<Range<u64>>,
}

/// The events cannot be taken any more: the session is stopped rather than going on unseen (S88).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkClosed;

/// Something an agent asks while it works, where its protocol lets it.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// May it use a tool?
    Approval {
        /// The ask's id.
        id: String,
        /// The id of the tool's use, under which its events are told.
        call: String,
        /// The tool.
        tool: String,
        /// What it would be given.
        input: Value,
        /// The command that would run, where the adapter knows the tool for one that runs commands.
        argv: Option<Vec<String>>,
    },
    /// A question to a person.
    Question {
        /// The ask's id.
        id: String,
        /// The question.
        text: String,
    },
}

/// What an agent is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It may.
    Allow,
    /// It may not, and why.
    Deny(String),
    /// An answer in words.
    Answer(String),
}

/// Takes the events of one session, in order.
pub trait Sink: Send {
    /// Takes one. The session waits for it.
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>>;

    /// Answers an agent that asks; the session goes on meanwhile, as the answer may take a person's time. Where
    /// nobody can be asked the answer is no (S77).
    fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        let _ = ask;
        Box::pin(std::future::ready(Reply::Deny("nobody can be asked in this session".to_owned())))
    }
}

/// A sink that keeps them.
#[derive(Debug, Default)]
pub struct Collected {
    /// In order.
    pub seen: Vec<Seen>,
}

impl Sink for Collected {
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        self.seen.push(seen);
        Box::pin(std::future::ready(Ok(())))
    }
}

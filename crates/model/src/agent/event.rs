//! What an agent does, in one type for all agents (S73-S80, X45).

use serde::{Deserialize, Serialize};

use super::{AgentName, usage::UsageReport};
use crate::time::Timestamp;

/// One thing an agent did or said. In a journal its kind is `agent.<type>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// A session began, or said more about itself.
    Session(SessionFacts),
    /// It said something.
    Message {
        /// What.
        text: String,
        /// Whether it is the answer, as far as the agent says so.
        #[serde(default, rename = "final")]
        is_final: bool,
    },
    /// It thought aloud.
    Reasoning {
        /// What.
        text: String,
    },
    /// It uses a tool.
    Tool(ToolUse),
    /// It changed a file, by its own words; the tree decides what really changed.
    File {
        /// Which, from the worktree where it lies there.
        path: String,
        /// How.
        change: FileChange,
    },
    /// What it used.
    Usage(UsageReport),
    /// Something went wrong. It decides nothing by itself: see [`super::fold`].
    Error {
        /// What kind of trouble.
        class: ErrorClass,
        /// In the agent's words.
        message: String,
        /// When trying again makes sense.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The session ended.
    End {
        /// How, by the agent's own words.
        outcome: EndOutcome,
    },
}

impl AgentEvent {
    /// A message on the way.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Message { text: text.into(), is_final: false }
    }

    /// An error without a time.
    pub fn error(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Error { class, message: message.into(), retry_at: None }
    }

    /// A remark that decides nothing.
    pub fn notice(message: impl Into<String>) -> Self {
        Self::error(ErrorClass::Notice, message)
    }

    /// The end.
    pub const fn end(outcome: EndOutcome) -> Self {
        Self::End { outcome }
    }
}

/// What is known of a session. Later facts add to earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionFacts {
    /// The agent's name on its worker.
    pub agent: AgentName,
    /// The program's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The model it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The session's id, to go on with it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The version of the adapter that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<u32>,
    /// The command, without the prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Nothing real was asked: a script answered (S73).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

impl SessionFacts {
    /// Nothing but the name.
    pub const fn of(agent: AgentName) -> Self {
        Self { agent, version: None, model: None, session: None, adapter: None, argv: Vec::new(), simulated: false }
    }
}

/// A use of a tool, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolUse {
    /// The same for all that is told of one use.
    pub id: String,
    /// The agent's own name of the tool.
    #[serde(default)]
    pub name: String,
    /// What it was given.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub input: serde_json::Value,
    /// How far it got.
    pub status: ToolStatus,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// How far a use of a tool got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// The model asked for it.
    Requested,
    /// Somebody has to say yes.
    AwaitingApproval,
    /// It runs.
    Running,
    /// It ended well.
    Done,
    /// It ended badly.
    Failed,
    /// It was not allowed.
    Denied,
}

impl ToolStatus {
    /// Whether nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Denied)
    }
}

/// How a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is new.
    Added,
    /// Its content changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has this name now.
    Renamed,
}

/// Kinds of trouble, as far as they matter for what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Retries, warnings, compaction: decides nothing, whatever follows.
    Notice,
    /// The provider said wait.
    RateLimited,
    /// Signed out, or a key that is not taken.
    Auth,
    /// The account cannot pay.
    Billing,
    /// Too long for the model.
    ContextOverflow,
    /// There is no such model, or not for this account.
    ModelUnavailable,
    /// The provider failed.
    ServerError,
    /// The provider could not be reached.
    Network,
    /// A limit that was set for the session was reached.
    Limit,
    /// The adapter and the agent do not understand each other.
    Protocol,
    /// Anything else.
    Other,
}

/// How a session ended, by the agent's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndOutcome {
    /// It did what it was going to do.
    Completed,
    /// It gave up.
    Failed,
    /// The model refused.
    Refused,
    /// A limit on turns, tokens or money ended it.
    LimitReached,
    /// Somebody stopped it.
    Interrupted,
}

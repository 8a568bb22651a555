//! Who did something. Always taken from authentication, never from a request body.

use serde::{Deserialize, Serialize};

use crate::id::{RunId, TokenId, UserId, WorkerId};

/// Whoever causes a change: the owner of every exception, start and answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A person, signed in by session or by a token of their own.
    Person {
        /// The person.
        id: UserId,
        /// Their name when it happened.
        name: String,
    },
    /// A token that belongs to a program, such as a CI job or an agent.
    Token {
        /// The token.
        id: TokenId,
        /// Its label when it happened.
        name: String,
    },
    /// A worker, under a lease.
    Worker {
        /// The worker.
        id: WorkerId,
        /// Its name when it happened.
        name: String,
    },
    /// Another run, through the token it was given.
    Run {
        /// The run.
        id: RunId,
    },
    /// The plane itself: sweeps, schedules, expiries.
    System,
}

impl Actor {
    /// Whether a person stands behind it: only persons waive, answer reviews and accept.
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::Person { .. })
    }

    /// What a reader is shown.
    pub fn label(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Token { name, .. } | Self::Worker { name, .. } => name,
            Self::Run { .. } => "run",
            Self::System => "system",
        }
    }
}

/// What a person or token may do in a project; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Captures, starts, cancels, answers.
    Member,
    /// Also waives, accepts, weakens and sets.
    Admin,
}

impl Role {
    /// The role's name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// What started a run (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person asked for it.
    Person,
    /// A program's token asked for it.
    Token,
    /// The plane's own clock.
    Schedule,
    /// A signed call from a forge.
    Webhook,
    /// Another run.
    Run,
}

impl Trigger {
    /// The trigger that truthfully names this actor.
    pub const fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Person { .. } => Self::Person,
            Actor::Token { .. } | Actor::Worker { .. } => Self::Token,
            Actor::Run { .. } => Self::Run,
            Actor::System => Self::Schedule,
        }
    }
}

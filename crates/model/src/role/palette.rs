//! The tools that a role may be held to (S72). Their names are those of the builtin agent's; what another agent calls
//! them is its adapter's business.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Intent, Output};

/// A tool of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AgentTool)]
pub enum Tool {
    /// Read a file.
    Read,
    /// List files by their names.
    Find,
    /// Search in files.
    Grep,
    /// Show what was changed.
    Diff,
    /// Write a whole file.
    Write,
    /// Change a place in a file.
    Edit,
    /// Run a program.
    Run,
}

impl Tool {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Read, Self::Find, Self::Grep, Self::Diff, Self::Write, Self::Edit, Self::Run];

    /// Its name in role files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Find => "find",
            Self::Grep => "grep",
            Self::Diff => "diff",
            Self::Write => "write",
            Self::Edit => "edit",
            Self::Run => "run",
        }
    }

    /// The tool with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tool| tool.name() == name)
    }

    /// Whether it may change something.
    pub const fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Edit | Self::Run)
    }
}

/// Whether an agent in a role like this changes files, or only looks.
pub fn may_write(output: Output, intent: Intent) -> bool {
    output == Output::Worktree || intent == Intent::Implement
}

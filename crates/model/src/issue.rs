//! Issues: the nodes of a project's board, their tree, their status and what they ask of a person.
//!
//! Start at [`IssueStatus`] for what moves an issue, at [`tree`] for what may stand below what, at
//! [`Attention`] for what a person is asked to do about it, and at [`Card`] for what a board shows of it.

mod attention;
mod card;
mod change;
mod draft;
mod moves;
mod name;
mod rank;
mod text;
pub mod tree;
mod words;

use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    id::{CommentId, IssueId, LineageId, ProjectId, RunId},
    time::Timestamp,
};

pub use self::{
    attention::{Attention, Facts, Notice},
    card::{Card, CardRun, Children, Gates},
    change::{Changed, IssueChange},
    draft::{Given, NewCriterion, NewIssue},
    moves::{Moved, StatusRefused, Work, WorkEnd},
    name::{IssueName, IssueNumber, NameInvalid},
    rank::Rank,
    text::comment,
    words::{Execution, ExecutionInvalid, IssueKind, IssueSource, IssueStatus, LineageKind, Priority, WordUnknown},
};

/// What has to hold before an issue counts as done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AcceptanceCriterion)]
pub struct Criterion {
    /// Unique in its issue for good: `A1`, `A2`, ...
    pub id: String,
    /// One or more lines.
    pub text: String,
}

/// An issue as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// Its id.
    pub id: IssueId,
    /// Its number in the project, from 1 (D1).
    pub number: IssueNumber,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What it is a part of.
    pub parent: Option<IssueId>,
    /// What sort of work it is.
    pub kind: IssueKind,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// For whom it is.
    pub audience: String,
    /// What has to hold.
    pub acceptance: Vec<Criterion>,
    /// How many criteria it ever had: their ids are never given twice.
    pub criteria: u32,
    /// Where it stands.
    pub status: IssueStatus,
    /// How much it matters.
    pub priority: Priority,
    /// Its place among the others of its column.
    pub rank: Rank,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// Whose it is.
    pub assignee: Option<String>,
    /// What has to be done or closed before it.
    pub blocked_by: Vec<IssueId>,
    /// Who does it.
    pub execution: Execution,
    /// Where it came from.
    pub source: IssueSource,
    /// What its last work left for a person to look at.
    pub notice: Option<Notice>,
    /// Who filed it.
    pub created_by: Actor,
    /// When.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Rises with every change (D4).
    pub revision: u64,
}

/// Where an issue came from. Never changed (D6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lineage {
    /// Its id.
    pub id: LineageId,
    /// The issue that came from somewhere.
    pub issue: IssueId,
    /// How.
    pub kind: LineageKind,
    /// The issue it came from.
    pub origin_issue: Option<IssueId>,
    /// The run it came from.
    pub run: Option<RunId>,
    /// Which piece of work that the run left, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub piece: Option<u32>,
    /// Who said so.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// What somebody said on an issue. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The issue.
    pub issue: IssueId,
    /// Markdown.
    pub body: String,
    /// Who said it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// What a run that works on this issue holds, so that there is one at a time (X7, D33).
pub fn work_key(issue: IssueId) -> String {
    format!("work:{issue}")
}

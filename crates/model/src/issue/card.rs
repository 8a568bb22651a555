//! What a board shows of an issue: derived from it, its relations and its runs, and nothing kept by hand.

use serde::{Deserialize, Serialize};

use super::{Attention, Execution, IssueKind, IssueNumber, IssueSource, IssueStatus, Notice, Priority, Rank};
use crate::{
    agent::usage::{Cost, Usage},
    id::{IssueId, ProjectId, RunId},
    run::{Progress, RunKind, RunStatus},
    time::Timestamp,
};

/// How many children there are, and how many of them are done or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = IssueChildren)]
pub struct Children {
    /// All.
    pub total: u32,
    /// Done or closed.
    pub done: u32,
}

/// The newest run that works, or worked, on an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CardRun {
    /// Its id.
    pub id: RunId,
    /// Which job it does.
    pub kind: RunKind,
    /// Where it stands.
    pub status: RunStatus,
    /// The kind's own part of the way.
    pub phase: String,
    /// The kind's own answer.
    #[schema(value_type = Option<crate::run::RunVerdict>)]
    pub verdict: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Counted work.
    pub progress: Progress,
    /// What its agent used.
    pub usage: Option<Usage>,
    /// What that cost.
    pub cost: Option<Cost>,
    /// Nothing real answered: a script played.
    pub simulated: bool,
}

/// What the newest proof of an issue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gates {
    /// Nobody asked for a proof.
    None,
    /// It is being proven.
    Running,
    /// It was looked at and held.
    Passed,
    /// It was looked at and did not hold.
    Failed,
    /// Nobody knows.
    Unproven,
}

impl Gates {
    /// What a proof run says: nothing but a passed verdict is a pass.
    pub fn of(proof: Option<(RunStatus, Option<&str>)>) -> Self {
        match proof {
            None => Self::None,
            Some((RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Paused, _)) => Self::Running,
            Some((RunStatus::Completed, Some("passed"))) => Self::Passed,
            Some((RunStatus::Completed, Some("failed"))) => Self::Failed,
            Some((RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled, _)) => Self::Unproven,
        }
    }
}

/// A card of the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = IssueCard)]
pub struct Card {
    /// The issue's id.
    pub id: IssueId,
    /// Its number in the project.
    pub number: IssueNumber,
    /// The project.
    pub project: ProjectId,
    /// What it is a part of.
    pub parent: Option<IssueId>,
    /// How far below a root it stands: 0 to 2.
    pub depth: u32,
    /// What sort of work it is.
    pub kind: IssueKind,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: IssueStatus,
    /// How much it matters.
    pub priority: Priority,
    /// Its place among the others of its column: the lower comes first.
    pub rank: Rank,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// Whose it is.
    pub assignee: Option<String>,
    /// What has to be done or closed before it.
    pub blocked_by: Vec<IssueId>,
    /// Whether something of that is still open.
    pub blocked: bool,
    /// Who does it.
    pub execution: Execution,
    /// Where it came from.
    pub source: IssueSource,
    /// What its last work left to look at.
    pub notice: Option<Notice>,
    /// What it asks of a person.
    pub attention: Attention,
    /// Its children.
    pub children: Children,
    /// The newest run that works, or worked, on it.
    pub run: Option<CardRun>,
    /// What its newest proof says.
    pub gates: Gates,
    /// Open questions of its runs.
    pub open_questions: u32,
    /// Artifacts of its runs that are kept.
    pub artifacts: u32,
    /// What was said on it.
    pub comments: u32,
    /// When it was filed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Rises with every change of the issue itself.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not run is never a pass, and neither is a run that broke off.
    #[test]
    fn only_a_completed_proof_that_passed_is_a_pass() {
        assert_eq!(Gates::of(None), Gates::None);
        for status in RunStatus::ALL {
            for verdict in [None, Some("passed"), Some("failed"), Some("unproven")] {
                let passed = status == RunStatus::Completed && verdict == Some("passed");
                assert_eq!(Gates::of(Some((status, verdict))) == Gates::Passed, passed, "{status} {verdict:?}");
            }
        }
        assert_eq!(Gates::of(Some((RunStatus::Waiting, None))), Gates::Running);
        assert_eq!(Gates::of(Some((RunStatus::Failed, Some("failed")))), Gates::Unproven);
    }
}

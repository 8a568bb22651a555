//! Durable requests to a person: asked once, answered once, with an actor and a time.

use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    id::{ProjectId, QuestionId, RunId, TaskId},
    run::Refused,
    time::Timestamp,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// Words or a choice.
    Question,
    /// Leave for one exact action.
    Approval,
    /// More money, or a stop.
    Budget,
    /// A look at something, with a checklist.
    Review,
}

impl QuestionKind {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Approval => "approval",
            Self::Budget => "budget",
            Self::Review => "review",
        }
    }

    /// The kind with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Question, Self::Approval, Self::Budget, Self::Review].into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a question stands (X10). Everything but `Open` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    /// Nobody answered yet.
    Open,
    /// Somebody answered.
    Answered,
    /// Nobody answered in time.
    Expired,
    /// It no longer matters; `because` says why.
    Withdrawn,
}

impl QuestionState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Answered, Self::Expired, Self::Withdrawn];

    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Ends an open question; an ended one refuses.
    pub const fn end(self, with: Self) -> Result<Self, Refused> {
        match (self, with) {
            (Self::Open, Self::Answered | Self::Expired | Self::Withdrawn) => Ok(with),
            (Self::Open, Self::Open) | (Self::Answered | Self::Expired | Self::Withdrawn, _) => {
                Err(Refused { state: self.name(), event: with.name() })
            }
        }
    }
}

/// A question as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The project it is asked in.
    pub project: ProjectId,
    /// The run that waits for it.
    pub run: RunId,
    /// The task that is blocked on it.
    pub task: Option<TaskId>,
    /// What is asked for.
    pub kind: QuestionKind,
    /// Where it stands.
    pub state: QuestionState,
    /// What it is about, unique among open questions of a project, such as `REQ-0001/manual`.
    pub subject: String,
    /// The words a person reads.
    pub prompt: String,
    /// What the answer must fit and what it is bound to (checklist, tree, options).
    pub schema: serde_json::Value,
    /// The answer, once.
    pub answer: Option<serde_json::Value>,
    /// Who answered.
    pub answered_by: Option<Actor>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was withdrawn.
    pub because: Option<String>,
    /// When it ends unanswered.
    pub expires_at: Option<Timestamp>,
    /// When it was asked.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    // X10
    #[test]
    fn a_question_ends_once() {
        for from in QuestionState::ALL {
            for to in QuestionState::ALL {
                let ended = from.end(to);
                assert_eq!(ended.is_ok(), from == QuestionState::Open && to != QuestionState::Open, "{from:?} {to:?}");
            }
        }
    }
}

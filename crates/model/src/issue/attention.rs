//! What a person is asked to do about an issue: one word, from what is known of it (X48).

use serde::{Deserialize, Serialize};

use super::{IssueKind, IssueStatus};

/// What the last work on an issue left for a person to look at (X6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It succeeded, and nobody has looked at what it made.
    Review,
    /// It did not succeed.
    Failed,
}

impl Notice {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Failed => "failed",
        }
    }
}

/// What an issue asks of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// A run of it has an open question.
    Question,
    /// Something was made and nobody has looked at it.
    Review,
    /// An epic that nobody has planned.
    Plan,
    /// Its last work did not succeed.
    Failed,
    /// Nothing.
    None,
}

/// What decides the attention of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What sort of work it is.
    pub kind: IssueKind,
    /// Where it stands.
    pub status: IssueStatus,
    /// What its last work left.
    pub notice: Option<Notice>,
    /// Open questions of its runs.
    pub open_questions: u32,
    /// Its children.
    pub children: u32,
    /// Whether a plan run on it is active or has completed.
    pub planned: bool,
}

impl Attention {
    /// Every word.
    pub const ALL: [Self; 5] = [Self::Question, Self::Review, Self::Plan, Self::Failed, Self::None];

    /// Its name in queries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Review => "review",
            Self::Plan => "plan",
            Self::Failed => "failed",
            Self::None => "none",
        }
    }

    /// The word with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }

    /// The one thing that is asked first: an answer that a run waits for, then a look at what was made or
    /// failed, then a plan. An issue that is done or closed asks for nothing but an answer.
    pub const fn of(facts: &Facts) -> Self {
        if facts.open_questions > 0 {
            return Self::Question;
        }
        if !facts.status.is_open() {
            return Self::None;
        }
        match (facts.notice, facts.kind) {
            (Some(Notice::Review), _) => Self::Review,
            (Some(Notice::Failed), _) => Self::Failed,
            (None, IssueKind::Epic) if facts.children == 0 && !facts.planned => Self::Plan,
            (
                None,
                IssueKind::Epic
                | IssueKind::Feature
                | IssueKind::Bug
                | IssueKind::Refactor
                | IssueKind::Design
                | IssueKind::Research
                | IssueKind::Chore,
            ) => Self::None,
        }
    }
}

impl std::str::FromStr for Attention {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::by_name(text).ok_or_else(|| "must be one of: question, review, plan, failed, none".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // X48
    #[test]
    fn the_first_thing_that_is_asked_wins() {
        let quiet = Facts {
            kind: IssueKind::Epic,
            status: IssueStatus::Triage,
            notice: None,
            open_questions: 0,
            children: 0,
            planned: false,
        };
        for (facts, expected) in [
            (quiet, Attention::Plan),
            (Facts { children: 1, ..quiet }, Attention::None),
            (Facts { planned: true, ..quiet }, Attention::None),
            (Facts { kind: IssueKind::Bug, ..quiet }, Attention::None),
            (Facts { notice: Some(Notice::Review), ..quiet }, Attention::Review),
            (Facts { notice: Some(Notice::Failed), ..quiet }, Attention::Failed),
            (Facts { notice: Some(Notice::Review), open_questions: 1, ..quiet }, Attention::Question),
            (Facts { status: IssueStatus::Done, ..quiet }, Attention::None),
            (Facts { status: IssueStatus::Closed, notice: Some(Notice::Failed), ..quiet }, Attention::None),
            (Facts { status: IssueStatus::Closed, open_questions: 1, ..quiet }, Attention::Question),
        ] {
            assert_eq!(Attention::of(&facts), expected, "{facts:?}");
        }
        for word in Attention::ALL {
            assert_eq!(word.name().parse(), Ok(word));
        }
    }
}

//! An issue as somebody files it, before it has a number.

use serde::Deserialize;

use super::{Criterion, Execution, Issue, IssueKind, IssueNumber, IssueSource, IssueStatus, Priority, Rank, text};
use crate::{
    actor::Actor,
    code::Code,
    id::{IssueId, ProjectId},
    limits,
    problem::{FieldError, Problem},
    proof::form::Text,
    time::Timestamp,
};

/// A criterion as somebody writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCriterion {
    /// The id of the criterion that this is the new text of; absent is a new one.
    #[serde(default)]
    pub id: Option<String>,
    /// What has to hold, 1 to 2,000 characters.
    pub text: String,
}

/// An issue to file.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssue {
    /// What sort of work it is; by default a feature.
    #[serde(default)]
    pub kind: Option<IssueKind>,
    /// One line, 1 to 200 characters.
    pub title: String,
    /// Markdown, at most 64 KiB.
    #[serde(default)]
    pub body: Option<String>,
    /// For whom it is, at most 500 characters.
    #[serde(default)]
    pub audience: Option<String>,
    /// What has to hold, at most 100 criteria.
    #[serde(default)]
    pub acceptance: Vec<NewCriterion>,
    /// Where it starts: `triage` (default) or `ready`.
    #[serde(default)]
    pub status: Option<IssueStatus>,
    /// How much it matters; by default medium.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Words to find it by, at most 20 of 50 characters.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Whose it is, at most 100 characters.
    #[serde(default)]
    pub assignee: Option<String>,
    /// What it is a part of.
    #[serde(default)]
    pub parent: Option<IssueId>,
    /// What has to be done or closed before it.
    #[serde(default)]
    pub blocked_by: Vec<IssueId>,
    /// `manual` (default) or `role:ID`. Filing starts nothing (D33).
    #[serde(default)]
    pub execution: Option<String>,
    /// The issue that this one came from.
    #[serde(default)]
    pub origin: Option<IssueId>,
}

/// What an issue that is stored is given by the plane.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its id.
    pub id: IssueId,
    /// Its number.
    pub number: IssueNumber,
    /// Its project.
    pub project: ProjectId,
    /// Its place.
    pub rank: Rank,
    /// Who files it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

impl NewIssue {
    /// The issue as it is stored, under the number and the place that it was given.
    ///
    /// # Errors
    /// 422 naming each wrong value.
    pub fn read(&self, given: Given) -> Result<Issue, Problem> {
        let mut errors = Vec::new();
        let status = self.status.unwrap_or(IssueStatus::Triage);
        if !matches!(status, IssueStatus::Triage | IssueStatus::Ready) {
            errors.push(FieldError::new("/status", "an issue starts as triage or ready"));
        }
        let (acceptance, criteria) = criteria(&self.acceptance, &[], 0, &mut errors);
        let issue = Issue {
            id: given.id,
            number: given.number,
            project: given.project,
            parent: self.parent,
            kind: self.kind.unwrap_or(IssueKind::Feature),
            title: text::line(&self.title, limits::ISSUE_TITLE, "/title", &mut errors),
            body: text::lines(self.body.as_deref().unwrap_or_default(), "/body", &mut errors),
            audience: audience(self.audience.as_deref().unwrap_or_default(), &mut errors),
            acceptance,
            criteria,
            status,
            priority: self.priority.unwrap_or(Priority::Medium),
            rank: given.rank,
            labels: text::labels(&self.labels, &mut errors),
            assignee: assignee(self.assignee.as_deref(), &mut errors),
            blocked_by: blockers(&self.blocked_by, &mut errors),
            execution: Execution::Manual,
            source: IssueSource::of(&given.by),
            notice: None,
            created_by: given.by,
            created_at: given.at,
            updated_at: given.at,
            revision: 1,
        };
        refused(errors)?;
        let execution = self.execution.as_deref().map(execution).transpose()?.unwrap_or_default();
        Ok(Issue { execution, ..issue })
    }
}

pub(super) fn refused(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

pub(super) fn execution(text: &str) -> Result<Execution, Problem> {
    text.parse().map_err(|error: super::ExecutionInvalid| {
        let message = error.to_string();
        Problem {
            errors: vec![FieldError::new("/execution", message.clone())],
            ..Problem::new(Code::ExecutionMalformed, format!("/execution: {message}"))
        }
    })
}

pub(super) fn audience(text: &str, errors: &mut Vec<FieldError>) -> String {
    let text = text.trim();
    if let Err(message) = Text::lines(limits::ISSUE_AUDIENCE).check(text)
        && !text.is_empty()
    {
        errors.push(FieldError::new("/audience", message));
    }
    text.to_owned()
}

/// Nobody, when it is blank.
pub(super) fn assignee(name: Option<&str>, errors: &mut Vec<FieldError>) -> Option<String> {
    let name = name.map(str::trim).filter(|name| !name.is_empty())?;
    Some(text::line(name, limits::ISSUE_ASSIGNEE, "/assignee", errors))
}

/// Each once, in the order in which they were named.
pub(super) fn blockers(asked: &[IssueId], errors: &mut Vec<FieldError>) -> Vec<IssueId> {
    let mut kept = Vec::new();
    for issue in asked {
        if !kept.contains(issue) {
            kept.push(*issue);
        }
    }
    if kept.len() > limits::ISSUE_BLOCKERS {
        let message = format!("at most {} issues are allowed", limits::ISSUE_BLOCKERS);
        errors.push(FieldError::new("/blocked_by", message));
    }
    kept
}

/// Criteria with their ids: those that were there keep theirs, new ones get numbers that none ever had.
/// Blank ones are dropped.
pub(super) fn criteria(
    asked: &[NewCriterion],
    known: &[Criterion],
    used: u32,
    errors: &mut Vec<FieldError>,
) -> (Vec<Criterion>, u32) {
    let mut used = used;
    let mut kept: Vec<Criterion> = Vec::new();
    for (place, asked) in asked.iter().enumerate() {
        let text = asked.text.trim();
        if text.is_empty() {
            continue;
        }
        if let Err(message) = Text::lines(limits::CRITERION).check(text) {
            errors.push(FieldError::new(format!("/acceptance/{place}/text"), message));
        }
        let id = match &asked.id {
            None => {
                used += 1;
                format!("A{used}")
            }
            Some(id) => {
                let is_known = known.iter().any(|known| known.id == *id);
                if !is_known || kept.iter().any(|kept| kept.id == *id) {
                    let message = "the id of one of its criteria is expected, each once";
                    errors.push(FieldError::new(format!("/acceptance/{place}/id"), message));
                }
                id.clone()
            }
        };
        kept.push(Criterion { id, text: text.to_owned() });
    }
    if kept.len() > limits::ACCEPTANCE {
        errors.push(FieldError::new("/acceptance", format!("at most {} criteria are allowed", limits::ACCEPTANCE)));
    }
    (kept, used)
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;

    pub fn given() -> Given {
        Given {
            id: IssueId::from_uuid(Uuid::from_u128(1)),
            number: IssueNumber::new(7).unwrap(),
            project: ProjectId::from_uuid(Uuid::from_u128(2)),
            rank: Rank::between(None, None),
            by: Actor::System,
            at: Timestamp::from_micros(5),
        }
    }

    fn read(body: serde_json::Value) -> Result<Issue, Problem> {
        serde_json::from_value::<NewIssue>(body).unwrap().read(given())
    }

    // D2
    #[test]
    fn an_issue_is_filed_with_its_texts_trimmed_and_the_rest_by_default() {
        let issue = read(serde_json::json!({
            "title": "  Login fails ", "body": "\nwith a blank password\n", "labels": [" ui", "UI", ""],
            "acceptance": [{"text": " it says why "}, {"text": "  "}, {"text": "no 500"}], "assignee": "  ",
        }))
        .unwrap();
        assert_eq!((issue.title.as_str(), issue.body.as_str()), ("Login fails", "with a blank password"));
        assert_eq!(
            (issue.kind, issue.status, issue.priority),
            (IssueKind::Feature, IssueStatus::Triage, Priority::Medium)
        );
        assert_eq!((issue.labels.as_slice(), issue.assignee), (["ui".to_owned()].as_slice(), None));
        let ids: Vec<_> = issue.acceptance.iter().map(|one| (one.id.as_str(), one.text.as_str())).collect();
        assert_eq!(ids, [("A1", "it says why"), ("A2", "no 500")]);
        assert_eq!((issue.execution, issue.revision), (Execution::Manual, 1));
    }

    // D2: what is wrong is named, every piece of it, and nothing is silently replaced.
    #[test]
    fn every_wrong_value_is_named() {
        let many: Vec<_> = (0..33).map(|number| Uuid::from_u128(number).to_string()).collect();
        let long = "x".repeat(limits::ISSUE_TITLE + 1);
        for (body, pointers) in [
            (serde_json::json!({"title": " "}), vec!["/title"]),
            (serde_json::json!({"title": "a\tb"}), vec!["/title"]),
            (serde_json::json!({"title": long, "body": "\u{7}"}), vec!["/title", "/body"]),
            (serde_json::json!({"title": "a", "status": "done"}), vec!["/status"]),
            (serde_json::json!({"title": "a", "blocked_by": many}), vec!["/blocked_by"]),
            (serde_json::json!({"title": "a", "acceptance": [{"id": "A1", "text": "x"}]}), vec!["/acceptance/0/id"]),
            (serde_json::json!({"title": "a", "assignee": "a\nb"}), vec!["/assignee"]),
        ] {
            let problem = read(body.clone()).unwrap_err();
            let found: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(found, pointers, "{body}");
        }
        let problem = read(serde_json::json!({"title": "a", "execution": "role:No"})).unwrap_err();
        assert_eq!(problem.code, Code::ExecutionMalformed);
    }
}

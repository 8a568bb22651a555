//! What somebody changes of an issue, and what it amounts to.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{
    Issue, IssueKind, IssueStatus, NewCriterion, Priority,
    draft::{assignee, audience, blockers, criteria, execution, refused},
    text,
};
use crate::{id::IssueId, limits, problem::Problem};

/// What to change; absent is unchanged. `null` takes an assignee or a parent away.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueChange {
    /// What sort of work it is.
    pub kind: Option<IssueKind>,
    /// One line, 1 to 200 characters.
    pub title: Option<String>,
    /// Markdown, at most 64 KiB.
    pub body: Option<String>,
    /// For whom it is.
    pub audience: Option<String>,
    /// All criteria from now on; one with an id keeps it.
    pub acceptance: Option<Vec<NewCriterion>>,
    /// Where it stands.
    pub status: Option<IssueStatus>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// All labels from now on.
    pub labels: Option<Vec<String>>,
    /// Whose it is; `null` is nobody's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub assignee: Option<Option<String>>,
    /// What it is a part of; `null` makes it a root.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<IssueId>)]
    pub parent: Option<Option<IssueId>>,
    /// All that it waits for from now on.
    pub blocked_by: Option<Vec<IssueId>>,
    /// `manual` or `role:ID`. Starts nothing.
    pub execution: Option<String>,
    /// Put its card before this one; `null` puts it last.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<IssueId>)]
    pub before: Option<Option<IssueId>>,
}

/// A value that was given, also as `null`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a change did to an issue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changed {
    /// Each field that is not as it was: `{from, to}`, or nothing for what is too long to tell.
    pub fields: Map<String, Value>,
}

impl IssueChange {
    /// Whether nothing was asked for.
    pub const fn is_empty(&self) -> bool {
        self.kind.is_none()
            && self.title.is_none()
            && self.body.is_none()
            && self.audience.is_none()
            && self.acceptance.is_none()
            && self.status.is_none()
            && self.priority.is_none()
            && self.labels.is_none()
            && self.assignee.is_none()
            && self.parent.is_none()
            && self.blocked_by.is_none()
            && self.execution.is_none()
            && self.before.is_none()
    }

    /// Whether it touches the tree or who waits for whom.
    pub const fn is_structural(&self) -> bool {
        self.parent.is_some() || self.blocked_by.is_some()
    }

    /// The issue as it would be. Its status and its place are left to those who know its runs and its neighbours.
    ///
    /// # Errors
    /// 422 naming each wrong value.
    pub fn apply(&self, old: &Issue) -> Result<Issue, Problem> {
        let mut errors = Vec::new();
        let mut new = old.clone();
        if let Some(kind) = self.kind {
            new.kind = kind;
        }
        if let Some(title) = &self.title {
            new.title = text::line(title, limits::ISSUE_TITLE, "/title", &mut errors);
        }
        if let Some(body) = &self.body {
            new.body = text::lines(body, "/body", &mut errors);
        }
        if let Some(text) = &self.audience {
            new.audience = audience(text, &mut errors);
        }
        if let Some(asked) = &self.acceptance {
            (new.acceptance, new.criteria) = criteria(asked, &old.acceptance, old.criteria, &mut errors);
        }
        if let Some(priority) = self.priority {
            new.priority = priority;
        }
        if let Some(labels) = &self.labels {
            new.labels = text::labels(labels, &mut errors);
        }
        if let Some(name) = &self.assignee {
            new.assignee = assignee(name.as_deref(), &mut errors);
        }
        if let Some(parent) = self.parent {
            new.parent = parent;
        }
        if let Some(asked) = &self.blocked_by {
            new.blocked_by = blockers(asked, &mut errors);
        }
        refused(errors)?;
        if let Some(text) = &self.execution {
            new.execution = execution(text)?;
        }
        Ok(new)
    }
}

impl Changed {
    /// What differs between the two, in words for the board (D8).
    pub fn between(old: &Issue, new: &Issue) -> Self {
        let mut fields = Map::new();
        let mut tell = |name: &str, from: Value, to: Value| {
            if from != to {
                fields.insert(name.to_owned(), json!({"from": from, "to": to}));
            }
        };
        tell("kind", json!(old.kind), json!(new.kind));
        tell("title", json!(old.title), json!(new.title));
        tell("status", json!(old.status), json!(new.status));
        tell("priority", json!(old.priority), json!(new.priority));
        tell("labels", json!(old.labels), json!(new.labels));
        tell("assignee", json!(old.assignee), json!(new.assignee));
        tell("parent", json!(old.parent), json!(new.parent));
        tell("blocked_by", json!(old.blocked_by), json!(new.blocked_by));
        tell("execution", json!(old.execution), json!(new.execution));
        tell("rank", json!(old.rank), json!(new.rank));
        tell("notice", json!(old.notice), json!(new.notice));
        for (name, same) in [
            ("body", old.body == new.body),
            ("audience", old.audience == new.audience),
            ("acceptance", old.acceptance == new.acceptance),
        ] {
            if !same {
                fields.insert(name.to_owned(), json!({}));
            }
        }
        Self { fields }
    }

    /// Whether nothing differs: then nothing is written, and the revision stays (D4).
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::{NewIssue, draft::tests::given as stored};

    fn issue() -> Issue {
        let body = json!({"title": "t", "body": "b", "labels": ["a"], "assignee": "me",
            "acceptance": [{"text": "one"}, {"text": "two"}]});
        serde_json::from_value::<NewIssue>(body).unwrap().read(stored()).unwrap()
    }

    fn change(body: Value) -> IssueChange {
        serde_json::from_value(body).unwrap()
    }

    // D4: a write that changes nothing is none.
    #[test]
    fn what_is_as_it_was_is_no_change() {
        let old = issue();
        for same in [json!({"title": " t "}), json!({"labels": ["a", "A"]}), json!({"assignee": "me "})] {
            let new = change(same.clone()).apply(&old).unwrap();
            assert!(Changed::between(&old, &new).is_empty(), "{same}");
        }
        assert!(change(json!({})).is_empty());
        let some = [
            json!({"parent": null}),
            json!({"before": null}),
            json!({"blocked_by": []}),
            json!({"kind": "bug"}),
            json!({"execution": "manual"}),
        ];
        assert!(some.into_iter().all(|body| !change(body).is_empty()));
        assert!(change(json!({"title": null})).is_empty(), "a field that is null is absent");
        assert!(serde_json::from_value::<IssueChange>(json!({"number": 1})).is_err());
    }

    // D8
    #[test]
    fn a_change_tells_what_was_and_what_is() {
        let old = issue();
        let new = change(json!({"assignee": null, "priority": "high", "body": "other"})).apply(&old).unwrap();
        let told = Changed::between(&old, &new);
        assert_eq!(
            Value::Object(told.fields),
            json!({"assignee": {"from": "me", "to": null}, "priority": {"from": "medium", "to": "high"}, "body": {}})
        );
    }

    #[test]
    fn a_criterion_keeps_its_id_and_no_id_is_given_twice() {
        let old = issue();
        let ids = |issue: &Issue| issue.acceptance.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let fewer = change(json!({"acceptance": [{"id": "A1", "text": "first"}]})).apply(&old).unwrap();
        let more =
            change(json!({"acceptance": [{"text": "new"}, {"id": "A1", "text": "first"}]})).apply(&fewer).unwrap();
        assert_eq!((ids(&fewer), ids(&more)), (vec!["A1".to_owned()], vec!["A3".to_owned(), "A1".to_owned()]));
        assert!(change(json!({"acceptance": [{"id": "A2", "text": "back"}]})).apply(&fewer).is_err());
    }
}

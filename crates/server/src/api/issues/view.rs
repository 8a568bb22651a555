//! An issue as readers see it.

use engine::issues::Detailed;
use model::{
    actor::Actor,
    issue::{Card, Criterion},
};
use serde::Serialize;

/// An issue: its card, its texts, and its neighbours.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Issue)]
pub(in crate::api) struct IssueView {
    #[serde(flatten)]
    card: Card,
    /// Markdown.
    body: String,
    /// For whom it is.
    audience: String,
    /// What has to hold.
    acceptance: Vec<Criterion>,
    /// Who filed it.
    created_by: Actor,
    /// What it is a part of.
    part_of: Option<Card>,
    /// Its parts, in their order.
    parts: Vec<Card>,
    /// What it waits for.
    waits_for: Vec<Card>,
    /// What waits for it.
    holds_up: Vec<Card>,
}

impl From<Detailed> for IssueView {
    fn from(detailed: Detailed) -> Self {
        let Detailed { issue, card, around } = detailed;
        Self {
            card,
            body: issue.body,
            audience: issue.audience,
            acceptance: issue.acceptance,
            created_by: issue.created_by,
            part_of: around.parent,
            parts: around.children,
            waits_for: around.blockers,
            holds_up: around.blocking,
        }
    }
}

//! One change of many issues: all or none (D5).

use axum::extract::State;
use engine::issues::BatchChange;
use model::{
    id::IssueId,
    issue::{Card, IssueChange, IssueKind, IssueStatus, Priority},
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::visible,
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path, ProjectName},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(change))
}

/// What becomes of each: what makes sense for many.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchChanges {
    /// What sort of work it is.
    kind: Option<IssueKind>,
    /// Where it stands.
    status: Option<IssueStatus>,
    /// How much it matters.
    priority: Option<Priority>,
    /// All labels from now on.
    labels: Option<Vec<String>>,
    /// Whose it is; `null` is nobody's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    assignee: Option<Option<String>>,
    /// What it is a part of; `null` makes it a root.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<IssueId>)]
    parent: Option<Option<IssueId>>,
    /// `manual` or `role:ID`. Starts nothing.
    execution: Option<String>,
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A change of many issues.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeIssues {
    /// Which, 1 to 100.
    ids: Vec<IssueId>,
    /// What becomes of each.
    changes: BatchChanges,
}

/// The issues as they are now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct IssuesChanged {
    /// Each once, by its id.
    items: Vec<Card>,
}

/// Change up to a hundred issues, all or none: one that is foreign, missing or refused leaves all as they were.
#[utoipa::path(post, path = "/projects/{p}/issues/batch", tag = "issues", request_body = ChangeIssues,
    params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = IssuesChanged), Refusals))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    ask: Keyed<ChangeIssues>,
) -> Result<axum::Json<IssuesChanged>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Change).await?;
    let asked = ask.body.changes;
    let changes = IssueChange {
        kind: asked.kind,
        status: asked.status,
        priority: asked.priority,
        labels: asked.labels,
        assignee: asked.assignee,
        parent: asked.parent,
        execution: asked.execution,
        ..IssueChange::default()
    };
    let batch = BatchChange { ids: ask.body.ids, changes };
    let changed = app.engine.change_issues(project.id, batch, caller.actor()).await?;
    Ok(axum::Json(IssuesChanged { items: changed.into_iter().map(|one| one.card).collect() }))
}

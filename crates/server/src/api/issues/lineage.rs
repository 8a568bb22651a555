//! Where issues came from, and what came from them.

use axum::extract::State;
use engine::issues::Relative;
use model::{
    id::{IssueId, LineageId},
    issue::{Card, IssueName, Lineage},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        listing::{self, Listing},
        visible,
    },
    app::App,
    auth::Caller,
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_issue)).routes(routes!(of_project))
}

/// One step, with the issue at its other end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RelativeView {
    /// What was written down.
    lineage: Lineage,
    /// The other issue.
    issue: Option<Card>,
}

impl From<Relative> for RelativeView {
    fn from(relative: Relative) -> Self {
        Self { lineage: relative.lineage, issue: relative.issue }
    }
}

/// An issue's lineage in both directions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct IssueLineage {
    /// What it came from.
    origins: Vec<RelativeView>,
    /// What came from it.
    descendants: Vec<RelativeView>,
}

/// Where an issue came from, and what came from it, one step each.
#[utoipa::path(get, path = "/issues/{issue}/lineage", tag = "issues",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23")),
    responses((status = 200, body = IssueLineage), Refusals))]
async fn of_issue(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
) -> Result<axum::Json<IssueLineage>, Refusal> {
    let issue = visible::issue(&app, &caller, issue).await?.issue;
    let found = app.engine.lineage_of(issue.id).await?;
    Ok(axum::Json(IssueLineage {
        origins: found.origins.into_iter().map(RelativeView::from).collect(),
        descendants: found.descendants.into_iter().map(RelativeView::from).collect(),
    }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LineageQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// What came from this issue.
    origin: Option<IssueId>,
}

/// A project's lineage, the oldest first.
#[utoipa::path(get, path = "/projects/{p}/lineage", tag = "issues",
    params(("p" = String, Path, description = "key or id"), LineageQuery),
    responses((status = 200, body = Listing<Lineage>), Refusals))]
async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<LineageQuery>,
) -> Result<axum::Json<Listing<Lineage>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<LineageId> = listing::cursor(query.cursor.as_deref())?;
    let rows = app.engine.lineage(project.id, query.origin, after, limit).await?;
    Ok(axum::Json(Listing::cut(rows, limit, |row| row.id.to_string(), |row| row)))
}

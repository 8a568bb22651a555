//! One issue: read, changed, deleted.

use axum::{extract::State, http::StatusCode};
use model::issue::{IssueChange, IssueName};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::view::IssueView;
use crate::{
    api::visible,
    app::App,
    auth::{Action, Caller},
    extract::{IfMatch, Json, Path},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, change, delete))
}

/// An issue, by its id or as `KEY#NUMBER`.
#[utoipa::path(get, path = "/issues/{issue}", tag = "issues",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23")),
    responses((status = 200, body = IssueView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
) -> Result<axum::Json<IssueView>, Refusal> {
    Ok(axum::Json(visible::issue(&app, &caller, issue).await?.into()))
}

/// Change an issue that still has the revision that was read; move it, put its card elsewhere. A change of
/// nothing answers the issue and keeps its revision. 412 carries the issue as it is in `current`.
#[utoipa::path(patch, path = "/issues/{issue}", tag = "issues", request_body = IssueChange,
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"),
        ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 200, body = IssueView), Refusals))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    IfMatch(revision): IfMatch,
    Json(body): Json<IssueChange>,
) -> Result<axum::Json<IssueView>, Refusal> {
    let issue = visible::issue_for(&app, &caller, issue, Action::Change).await?.issue;
    let changed = app.engine.change_issue(issue.project, issue.id, body, revision, caller.actor()).await?;
    Ok(axum::Json(changed.into()))
}

/// Delete an issue that nothing builds on; what has children, lineage or runs is closed instead.
#[utoipa::path(delete, path = "/issues/{issue}", tag = "issues",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"),
        ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 204, description = "it is no more"), Refusals))]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    IfMatch(revision): IfMatch,
) -> Result<StatusCode, Refusal> {
    let issue = visible::issue_for(&app, &caller, issue, Action::Change).await?.issue;
    app.engine.delete_issue(issue.project, issue.id, revision, caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

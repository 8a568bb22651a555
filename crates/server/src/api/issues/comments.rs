//! What is said on an issue.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{
    id::CommentId,
    issue::{Comment, IssueName},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        listing::{self, Listing, PageQuery},
        visible,
    },
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, say))
}

/// What to say.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// Markdown, at most 64 KiB.
    body: String,
}

/// What was said on an issue, the oldest first.
#[utoipa::path(get, path = "/issues/{issue}/comments", tag = "issues",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"), PageQuery),
    responses((status = 200, body = Listing<Comment>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<Comment>>, Refusal> {
    let issue = visible::issue(&app, &caller, issue).await?.issue;
    let limit = listing::limit(query.limit)?;
    let after: Option<CommentId> = listing::cursor(query.cursor.as_deref())?;
    let rows = app.engine.comments(issue.id, after, limit).await?;
    Ok(axum::Json(Listing::cut(rows, limit, |comment| comment.id.to_string(), |comment| comment)))
}

/// Say something on an issue. Exactly once per `Idempotency-Key`.
#[utoipa::path(post, path = "/issues/{issue}/comments", tag = "issues", request_body = NewComment,
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Comment), Refusals))]
async fn say(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    ask: Keyed<NewComment>,
) -> Result<Response, Refusal> {
    let issue = visible::issue_for(&app, &caller, issue, Action::File).await?.issue;
    let once = caller.once("POST /issues/{issue}/comments", ask.key, ask.digest);
    let comment = app.engine.comment(issue.project, issue.id, &ask.body.body, caller.actor(), once).await?;
    Ok((StatusCode::CREATED, axum::Json(comment)).into_response())
}

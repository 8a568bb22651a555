//! Comments on lines of what a dispatch run made, and sending them to the agent (S92).

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{
    dispatch::{ChangeComment, NewChangeComment},
    id::{CommentId, RunId},
    issue::IssueName,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{self, Listing, PageQuery},
    runs::{Started, started},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_issue)).routes(routes!(say)).routes(routes!(take_back)).routes(routes!(send))
}

/// What was said on what the runs of an issue made, the oldest first.
#[utoipa::path(get, path = "/issues/{issue}/change-comments", tag = "dispatch",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"), PageQuery),
    responses((status = 200, body = Listing<ChangeComment>), Refusals))]
async fn of_issue(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<ChangeComment>>, Refusal> {
    let issue = visible::issue(&app, &caller, issue).await?.issue;
    let limit = listing::limit(query.limit)?;
    let after: Option<CommentId> = listing::cursor(query.cursor.as_deref())?;
    let rows = app.engine.change_comments(issue.id, after, limit).await?;
    Ok(axum::Json(Listing::cut(rows, limit, |comment| comment.id.to_string(), |comment| comment)))
}

/// Say something on a line of what a run made. Exactly once per `Idempotency-Key`.
#[utoipa::path(post, path = "/runs/{run}/change-comments", tag = "dispatch", request_body = NewChangeComment,
    params(("run" = RunId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ChangeComment), Refusals))]
async fn say(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    ask: Keyed<NewChangeComment>,
) -> Result<Response, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::File).await?;
    let once = caller.once("POST /runs/{run}/change-comments", ask.key, ask.digest);
    let comment = app.engine.comment_change(&run, ask.body, caller.actor(), once).await?;
    Ok((StatusCode::CREATED, axum::Json(comment)).into_response())
}

/// Take back a comment that was not sent yet.
#[utoipa::path(delete, path = "/runs/{run}/change-comments/{comment}", tag = "dispatch",
    params(("run" = RunId, Path), ("comment" = CommentId, Path)),
    responses((status = 204, description = "it is gone"), Refusals))]
async fn take_back(
    State(app): State<App>,
    caller: Caller,
    Path((run, comment)): Path<(RunId, CommentId)>,
) -> Result<StatusCode, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::File).await?;
    app.engine.uncomment_change(&run, comment).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing is asked for: all that was not sent yet is sent.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SendComments {}

/// Send the comments on a run: a new run goes on from what it made, and its agent is told. While a run is at work on the
/// issue, that run is answered as joined, and the comments wait for the next prompt that is made for the issue. Each
/// comment is told once. Exactly once per `Idempotency-Key`.
#[utoipa::path(post, path = "/runs/{run}/change-comments/send", tag = "dispatch", request_body = SendComments,
    params(("run" = RunId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = Started, description = "started; see Location"),
        (status = 200, body = Started, description = "kept for the next prompt; a run is at work"), Refusals))]
async fn send(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    ask: Keyed<SendComments>,
) -> Result<Response, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::Start).await?;
    let once = caller.once("POST /runs/{run}/change-comments/send", ask.key, ask.digest);
    let submitted = app.engine.send_change_comments(&run, once, caller.actor().clone()).await?;
    Ok(started(submitted))
}

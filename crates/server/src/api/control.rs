//! What a person does to a run: cancel, pause, resume, retry.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::id::RunId;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    run_view::RunView,
    runs::{Started, started},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(cancel)).routes(routes!(pause)).routes(routes!(resume)).routes(routes!(retry))
}

/// Cancel a run. What it produced stays; unfinished tasks end as cancelled.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs", params(("run" = RunId, Path)),
    responses((status = 202, body = RunView, description = "draining"),
        (status = 200, body = RunView, description = "ended, now or before"), Refusals))]
async fn cancel(State(app): State<App>, caller: Caller, Path(run): Path<RunId>) -> Result<Response, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::Change).await?;
    let run = app.engine.cancel(run.id, caller.actor()).await?;
    let status = if run.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, axum::Json(RunView::from(run))).into_response())
}

/// Pause a run: nothing new is handed out, what runs finishes and counts.
#[utoipa::path(post, path = "/runs/{run}/pause", tag = "runs", params(("run" = RunId, Path)),
    responses((status = 200, body = RunView), Refusals))]
async fn pause(State(app): State<App>, caller: Caller, Path(run): Path<RunId>) -> Result<axum::Json<RunView>, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::Change).await?;
    Ok(axum::Json(app.engine.pause(run.id, caller.actor()).await?.into()))
}

/// Let a paused run go on with exactly the rest.
#[utoipa::path(post, path = "/runs/{run}/resume", tag = "runs", params(("run" = RunId, Path)),
    responses((status = 200, body = RunView), Refusals))]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
) -> Result<axum::Json<RunView>, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::Change).await?;
    Ok(axum::Json(app.engine.resume(run.id, caller.actor()).await?.into()))
}

/// What to try again.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    /// How much of it; the kind's first mode when absent (proof: `not_passed`, dispatch: `fresh`).
    #[serde(default)]
    mode: Option<RetryMode>,
    /// What shall be otherwise than in the run that is tried again; only for kinds that take it (dispatch).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
}

/// How much of an ended run is tried again.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum RetryMode {
    /// What did not pass.
    NotPassed,
    /// Everything.
    All,
    /// The whole work anew.
    Fresh,
    /// What is stored of it is applied again; nothing is done anew.
    ReuseResult,
}

impl RetryMode {
    const fn name(self) -> &'static str {
        match self {
            Self::NotPassed => "not_passed",
            Self::All => "all",
            Self::Fresh => "fresh",
            Self::ReuseResult => "reuse_result",
        }
    }
}

/// Try an ended run again: a new run, and the old one never changes.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs", request_body = Retry,
    params(("run" = RunId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = Started, description = "started; see Location"), Refusals))]
async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    ask: Keyed<Retry>,
) -> Result<Response, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::Change).await?;
    let once = caller.once("POST /runs/{run}/retry", ask.key, ask.digest);
    let mode = ask.body.mode.map(RetryMode::name);
    let submitted = app.engine.retry(run.id, mode, ask.body.config.as_ref(), once, caller.actor().clone()).await?;
    Ok(started(submitted))
}

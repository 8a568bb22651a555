//! What an agent may only do with leave, asked by the worker that drives it.

use std::time::Duration;

use axum::extract::State;
use model::{
    approval::{Standing, ToolAsk},
    id::TaskId,
    task::Fence,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Generation, counted};
use crate::{
    app::App,
    auth::Caller,
    extract::{Json, Path},
    problem::{Refusal, Refusals},
};

/// How long an answer is waited for at most.
const WAIT_S: u64 = 10;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(ask))
}

/// A use of a tool that needs leave.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct AskIn {
    /// What the agent wants to do.
    ask: ToolAsk,
    /// The worker will let it happen now: a yes is used up by that.
    #[serde(default)]
    take: bool,
    /// How long to wait for an answer, 0 to 10 seconds.
    #[serde(default)]
    wait_s: u64,
}

/// Ask for leave to use a tool, or how that stands by now: the policy speaks first, then a person. The same again is
/// answered with the same question. While it is open the worker may give the task back with the reason
/// `waits_for_answer`; it is ready again when somebody has answered.
#[utoipa::path(post, path = "/worker/tasks/{task}/questions", tag = "workers", request_body = AskIn,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Standing), Refusals))]
async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(asked): Json<AskIn>,
) -> Result<axum::Json<Standing>, Refusal> {
    let fence = Fence { task, generation };
    app.engine.holds(caller.worker()?, fence).await?;
    let wait = Duration::from_secs(asked.wait_s.min(WAIT_S));
    Ok(axum::Json(counted(&app, app.engine.ask_approval_and_wait(fence, asked.ask, asked.take, wait).await)?))
}

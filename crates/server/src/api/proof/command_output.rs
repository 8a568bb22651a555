//! What a command of a run wrote, as it is kept.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{
    id::{RunId, TaskId},
    problem::Problem,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{blobs, visible};
use crate::{
    app::App,
    auth::Caller,
    extract::Path,
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(output))
}

/// What a command wrote, once it has ended: text without secrets, its beginning and its end when it was
/// too long. One `Range` is honoured. 404 before its end, and when it wrote nothing that was kept.
#[utoipa::path(get, path = "/runs/{run}/commands/{task}/output", tag = "proof",
    params(("run" = RunId, Path), ("task" = TaskId, Path), ("Range" = Option<String>, Header)),
    responses((status = 200, body = Vec<u8>, content_type = "text/plain"),
        (status = 206, body = Vec<u8>, content_type = "text/plain", description = "the range"),
        (status = 304, description = "unchanged"),
        (status = 416, description = "there is nothing in this range"), Refusals))]
async fn output(
    State(app): State<App>,
    caller: Caller,
    Path((run, task)): Path<(RunId, TaskId)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let record = app
        .engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                // A command of another run is not one of this.
                let task = tx.task(task).await?.filter(|task| task.run == run.id).ok_or_else(Problem::not_found)?;
                Ok::<_, Problem>(tx.command(task.id).await?)
            })
        })
        .await?;
    let kept = record.and_then(|record| record.output).ok_or_else(Problem::not_found)?;
    blobs::blob(&app, &kept.blob, "text/plain", "output.txt", &headers).await
}

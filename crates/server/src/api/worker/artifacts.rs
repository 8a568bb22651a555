//! Files between a worker and the plane: up as raw bytes with the digest that was declared, down by
//! digest (D53, D58).

use std::io::Write as _;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt as _;
use model::{code::Code, digest::Digest, id::TaskId, limits, problem::Problem, task::Fence};
use serde::Deserialize;
use store::{BlobRef, Blobs};
use tokio::sync::mpsc;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Generation, counted};
use crate::{
    api::{artifacts::ArtifactView, blobs::blob},
    app::App,
    auth::Caller,
    extract::{Path, Query},
    limits as http_limits,
    problem::{Refusal, Refusals, internal},
};

/// The longest name.
const NAME: usize = 1_024;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(keep)).routes(routes!(fetch))
}

/// What is sent.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
struct Declared {
    /// What it is called.
    name: String,
    /// The SHA-256 of the bytes.
    sha256: String,
}

/// Keep a file of the task: the body is its bytes, up to 32 MiB, the content type what it is. 422 when they
/// are not the ones that were declared, and then nothing is kept; 200 when the run has it already.
#[utoipa::path(post, path = "/worker/tasks/{task}/artifacts", tag = "workers",
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header), Declared),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ArtifactView), (status = 200, body = ArtifactView, description = "known"), Refusals))]
async fn keep(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Query(declared): Query<Declared>,
    request: Request,
) -> Result<Response, Refusal> {
    let fence = Fence { task, generation };
    app.engine.holds(caller.worker()?, fence).await?;
    if declared.name.is_empty() || declared.name.len() > NAME || declared.name.chars().any(char::is_control) {
        return Err(Problem::invalid_field("/name", format!("1 to {NAME} bytes in one line are allowed")).into());
    }
    let expected: Digest =
        declared.sha256.parse().map_err(|_| Problem::invalid_field("/sha256", "64 hexadecimal digits are expected"))?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.filter(|kind| kind.len() <= 100).unwrap_or("application/octet-stream").to_owned();
    let written = write(app.engine.blobs().clone(), request.into_body(), expected).await?;
    let (kept, is_new) = counted(&app, app.engine.keep_artifact(fence, &declared.name, &kind, written).await)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(ArtifactView::from(kept))).into_response())
}

/// Writes a body into the blob folder as it comes, in bounded memory. What is not what was declared leaves
/// nothing.
async fn write(blobs: Blobs, mut body: Body, expected: Digest) -> Result<BlobRef, Refusal> {
    let limit = limits::WORKER_ARTIFACT;
    let (send, mut receive) = mpsc::channel::<bytes::Bytes>(8);
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = blobs.writer()?;
        while let Some(piece) = receive.blocking_recv() {
            writer.write_all(&piece).map_err(|error| match error.kind() {
                std::io::ErrorKind::StorageFull => store::StoreError::DiskFull,
                _ => store::StoreError::Unavailable(error.to_string()),
            })?;
        }
        Ok::<_, store::StoreError>(writer)
    });
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::DigestMismatch, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        bytes += data.len();
        if bytes > limit {
            return Err(http_limits::too_large(limit).into());
        }
        // A writer that has failed says why below.
        if send.send(data).await.is_err() {
            break;
        }
    }
    drop(send);
    let writer = writing.await.map_err(|error| internal("keep the file", &error))?.map_err(Problem::from)?;
    let found = writer.digest();
    if found != expected {
        return Err(Problem::new(Code::DigestMismatch, format!("the bytes have the SHA-256 {found}"))
            .with("declared", expected.to_string())
            .with("found", found.to_string())
            .into());
    }
    let finished = tokio::task::spawn_blocking(move || writer.finish());
    Ok(finished.await.map_err(|error| internal("keep the file", &error))?.map_err(Problem::from)?)
}

/// The bytes of something that the task's run rests on.
#[utoipa::path(get, path = "/worker/tasks/{task}/artifacts/{sha256}", tag = "workers",
    params(("task" = TaskId, Path), ("sha256" = String, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Refusals))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path((task, sha256)): Path<(TaskId, Digest)>,
    Generation(generation): Generation,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    app.engine.holds(caller.worker()?, Fence { task, generation }).await?;
    let is_of_run = app
        .engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let task = tx.task(task).await?.ok_or_else(Problem::not_found)?;
                Ok::<_, Problem>(tx.blob_is_of(&sha256, task.run).await?)
            })
        })
        .await?;
    if !is_of_run {
        return Err(Problem::not_found().into());
    }
    blob(&app, &sha256, "application/octet-stream", "artifact", &headers).await
}

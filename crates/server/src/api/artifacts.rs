//! Files and texts made by runs: their list, and their bytes with ranges.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{
    code::Code,
    digest::Digest,
    id::{ArtifactId, RunId, TaskId},
    problem::Problem,
    time::Timestamp,
};
use serde::Serialize;
use store::Artifact;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    blobs::blob,
    listing::{Listing, PageQuery},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_run)).routes(routes!(bytes))
}

/// A file or text of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Artifact)]
pub struct ArtifactView {
    /// Its id.
    pub id: ArtifactId,
    /// The run.
    pub run: RunId,
    /// The task that made it.
    pub task: Option<TaskId>,
    /// What it is called.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// What it says it is.
    pub media_type: String,
    /// When it was kept.
    pub created_at: Timestamp,
    /// Retention has dropped its content.
    pub expired: bool,
}

impl From<Artifact> for ArtifactView {
    fn from(artifact: Artifact) -> Self {
        Self {
            id: artifact.id,
            run: artifact.run,
            task: artifact.task,
            name: artifact.name,
            digest: artifact.digest,
            bytes: artifact.bytes,
            media_type: artifact.media_type,
            created_at: artifact.created_at,
            expired: artifact.expired,
        }
    }
}

/// A run's artifacts, oldest first.
#[utoipa::path(get, path = "/runs/{run}/artifacts", tag = "artifacts",
    params(("run" = RunId, Path), PageQuery),
    responses((status = 200, body = Listing<ArtifactView>), Refusals))]
async fn of_run(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<ArtifactView>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let all: Vec<Artifact> = app
        .engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.artifacts(run.id).await?) }))
        .await?;
    Ok(axum::Json(Listing::of_all(all, &query, |artifact| artifact.id.to_string(), ArtifactView::from)?))
}

/// An artifact's bytes. One `Range` is honoured. 410 when retention dropped them or they are not what
/// they were.
#[utoipa::path(get, path = "/artifacts/{artifact}", tag = "artifacts",
    params(("artifact" = ArtifactId, Path), ("Range" = Option<String>, Header)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream", description = "the range"),
        (status = 304, description = "unchanged"),
        (status = 416, description = "there is nothing in this range"), Refusals))]
async fn bytes(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ArtifactId>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let artifact = app
        .engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.artifact(id).await?) }))
        .await?
        .ok_or_else(Problem::not_found)?;
    let run = app.engine.run(artifact.run).await?;
    caller.may(Action::Read, run.project)?;
    if artifact.expired {
        return Err(Problem::new(Code::Gone, "the artifact's content is past its retention").into());
    }
    blob(&app, &artifact.digest, &artifact.media_type, &artifact.name, &headers).await
}

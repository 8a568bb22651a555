//! Evidence as one file that can be checked anywhere.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use engine::proof::export::{self, Format};
use futures::stream;
use model::{id::RunId, problem::Problem};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::visible;
use crate::{
    app::App,
    auth::Caller,
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

/// How the file is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    /// One JSON object a line, blobs in base64.
    #[default]
    Jsonl,
    /// A tar archive, blobs as files.
    Tar,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// Only the evidence of this run.
    run: Option<RunId>,
    /// How the file is written.
    #[serde(default)]
    #[param(inline)]
    format: FormatName,
}

/// A project's evidence, its commands, requirements and blobs in one file. `proofhouse proof verify --file`
/// checks it without a plane; a file that was cut is told by its missing last record.
#[utoipa::path(get, path = "/projects/{p}/proof/export", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ExportQuery),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    if let Some(run) = query.run {
        let run = visible::run(&app, &caller, run).await?;
        if run.project != project.id {
            return Err(Problem::not_found().into());
        }
    }
    let (format, media_type, extension) = match query.format {
        FormatName::Jsonl => (Format::Jsonl, "application/jsonl", "jsonl"),
        FormatName::Tar => (Format::Tar, "application/x-tar", "tar"),
    };
    let pieces = export::export(&app.engine, &project, query.run, format);
    let body = Body::from_stream(stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        // The words of the problem are in the log; here it only cuts the file.
        Some((piece.map_err(|problem| std::io::Error::other(problem.code.slug())), pieces))
    }));
    let mut response = Response::new(body);
    let name = format!("attachment; filename=\"proofhouse-{}.{extension}\"", project.key);
    for (header, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "private, no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}

//! Files and texts made by runs: their list, and their bytes with ranges. What a run made is foreign
//! content: it never runs as a page of ours.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use model::{
    code::Code,
    digest::Digest,
    id::{ArtifactId, RunId, TaskId},
    problem::Problem,
    proof::evidence::BlobState,
    time::Timestamp,
};
use serde::Serialize;
use store::Artifact;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{Listing, PageQuery},
    ranges::{Part, part},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, Query},
    problem::{Refusal, Refusals, internal},
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

/// The bytes behind a digest as an answer, checked before the first of them is sent (F11).
pub(super) async fn blob(
    app: &App,
    digest: &Digest,
    media_type: &str,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let etag = format!("\"{digest}\"");
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), media_type, name, &etag);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let (file, size) = open(app, *digest).await?;
    let (first, last) = match part(headers, size, &etag) {
        Part::Whole => (0, size),
        Part::Bytes { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            (first, last + 1)
        }
        Part::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    file.seek(std::io::SeekFrom::Start(first)).await.map_err(|error| internal("read the content", &error))?;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(last - first));
    *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(file.take(last - first), 64 << 10));
    Ok(response)
}

async fn open(app: &App, digest: Digest) -> Result<(std::fs::File, u64), Refusal> {
    let blobs = app.engine.blobs().clone();
    let opened = tokio::task::spawn_blocking(move || {
        match blobs.verify(&digest) {
            BlobState::Sound => {}
            BlobState::Missing | BlobState::Altered => {
                return Err(Problem::new(Code::EvidenceTampered, "the content is missing or is not what was kept"));
            }
        }
        Ok((blobs.read(&digest)?, blobs.size(&digest)?))
    });
    Ok(opened.await.map_err(|error| internal("read the content", &error))??)
}

/// Types that a browser shows without running anything.
const SHOWN: [&str; 6] = ["text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "application/json"];

fn describe(headers: &mut HeaderMap, media_type: &str, name: &str, etag: &str) {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let fits = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    let essence = if fits && essence.len() <= 100 { essence } else { "application/octet-stream".to_owned() };
    let shown = SHOWN.contains(&essence.as_str());
    let charset = if essence.starts_with("text/") { "; charset=utf-8" } else { "" };
    set(headers, header::CONTENT_TYPE, &format!("{essence}{charset}"));
    let disposition = if shown { "inline" } else { "attachment" };
    set(headers, header::CONTENT_DISPOSITION, &format!("{disposition}; filename*=UTF-8''{}", file_name(name)));
    set(
        headers,
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    );
    set(headers, header::ETAG, etag);
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::CACHE_CONTROL, "private, no-cache");
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // All of these are ASCII that was made or checked here.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The last part of a name, percent-encoded, for a download.
fn file_name(name: &str) -> String {
    use std::fmt::Write as _;
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("artifact");
    let mut out = String::new();
    for byte in last.bytes().take(200) {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_content_is_never_a_page_of_ours() {
        let headers = |kind: &str, name: &str| {
            let mut headers = HeaderMap::new();
            describe(&mut headers, kind, name, "\"e\"");
            let text = |name: header::HeaderName| headers[name].to_str().unwrap().to_owned();
            assert!(text(header::CONTENT_SECURITY_POLICY).starts_with("sandbox; default-src 'none'"));
            (text(header::CONTENT_TYPE), text(header::CONTENT_DISPOSITION))
        };
        for (kind, shown) in [
            ("text/html", false),
            ("image/svg+xml", false),
            ("application/xhtml+xml", false),
            ("text/plain; x=y", true),
            ("IMAGE/PNG", true),
        ] {
            assert_eq!(headers(kind, "a").1.starts_with("inline"), shown, "{kind}");
        }
        for wrong in ["", "text", "text/", "a b/c", "text/html\r\nx: y", "text/html, text/plain"] {
            assert_eq!(headers(wrong, "a").0, "application/octet-stream", "{wrong}");
        }
        assert!(headers("text/plain", "../../etc/a\"b\r\n.txt").1.ends_with("''a%22b%0D%0A.txt"));
        assert!(headers("text/plain", "//").1.ends_with("''artifact"));
    }
}

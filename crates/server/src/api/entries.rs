//! Journals in pages, whole or filtered, and as a file.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::{BufMut as _, Bytes, BytesMut};
use model::{
    code::Code,
    id::RunId,
    journal::{Entry, Level, StreamId},
    limits,
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::visible;
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
    stream::journal::{self, Only},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_run))
        .routes(routes!(file_of_run))
        .routes(routes!(of_project))
        .routes(routes!(of_audit))
        .routes(routes!(file_of_audit))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EntriesQuery {
    /// The number seen last; entries after it are answered.
    #[serde(default)]
    since: u64,
    /// Entries in the page, 1 to 1,000; 100 by default.
    limit: Option<u32>,
    /// Only of these kinds, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    kind: List<String>,
    /// Only of this level and those above it.
    level: Option<Level>,
}

/// A page of a journal. Its items are the entries byte for byte as a live stream shows them.
#[derive(Serialize, utoipa::ToSchema)]
struct EntriesPage {
    /// The entries, in order; without a filter also without a hole. With one, a page may be empty
    /// though more follow: a page looks at no more than 20,000 entries.
    items: Vec<EntryView>,
    /// `since` for the next page; null at the journal's present end.
    next_cursor: Option<String>,
    /// The oldest number that is kept: below it, retention has cut.
    floor: u64,
    /// The newest number.
    head: u64,
}

/// An entry of a journal.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Entry)]
struct EntryView {
    /// Its stream, such as `run:ID`.
    stream: String,
    /// Its number in the stream: from 1, without holes.
    seq: u64,
    /// When the plane took it.
    at: model::time::Timestamp,
    /// What it tells.
    kind: String,
    /// How much it matters.
    level: model::journal::Level,
    /// The span it belongs to.
    span: Option<String>,
    /// That span's parent.
    parent: Option<String>,
    /// Whether it opens or closes the span.
    edge: Option<model::journal::Edge>,
    /// The kind's own data.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// A run's journal, in pages. 410 when what is asked for is past its retention.
#[utoipa::path(get, path = "/runs/{run}/entries", tag = "runs", params(("run" = RunId, Path), EntriesQuery),
    responses((status = 200, body = EntriesPage), Refusals))]
async fn of_run(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    page(&app, StreamId::Run(run.id), query).await
}

/// A project's board journal, in pages.
#[utoipa::path(get, path = "/projects/{p}/entries", tag = "projects",
    params(("p" = String, Path, description = "key or id"), EntriesQuery),
    responses((status = 200, body = EntriesPage), Refusals))]
async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    page(&app, StreamId::Project(project.id), query).await
}

/// Who did what in a project, in pages: for those who decide.
#[utoipa::path(get, path = "/projects/{p}/audit/entries", tag = "projects",
    params(("p" = String, Path, description = "key or id"), EntriesQuery),
    responses((status = 200, body = EntriesPage), Refusals))]
async fn of_audit(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    page(&app, StreamId::Audit(project.id), query).await
}

async fn page(app: &App, stream: StreamId, query: EntriesQuery) -> Result<Response, Refusal> {
    let limit = match query.limit {
        None => limits::PAGE as usize,
        Some(limit) if (1..=limits::ENTRIES_PER_PAGE).contains(&(limit as usize)) => limit as usize,
        Some(_) => {
            let message = format!("1 to {} are allowed", limits::ENTRIES_PER_PAGE);
            return Err(Problem::invalid_field("/limit", message).with("in", "query").into());
        }
    };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let only = Only { kinds: query.kind.0, least: query.level };
    let found = journal::filtered(&app.engine, stream, query.since, limit, &only).await?;
    let (floor, head) = (found.head.floor, found.head.seq);
    // From the very start, what is left is the answer; from a number on, a hole must not look like none.
    if query.since > 0 && floor > query.since + 1 && head > query.since {
        return Err(Problem::new(Code::Gone, "the entries behind this number are past their retention")
            .with("floor", floor)
            .with("head", head)
            .into());
    }
    let next = found.next.map_or("null".to_owned(), |next| format!("\"{next}\""));
    let mut out = BytesMut::with_capacity(found.entries.len() * 256 + 64);
    out.put_slice(b"{\"items\":[");
    for (at, entry) in found.entries.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        out.put_slice(entry.render().as_bytes());
    }
    out.put_slice(format!("],\"next_cursor\":{next},\"floor\":{floor},\"head\":{head}}}").as_bytes());
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(out.freeze()))
        .into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct FileQuery {
    /// Only of these kinds, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    kind: List<String>,
    /// Only of this level and those above it.
    level: Option<Level>,
}

/// A run's journal as a file: one entry a line, as far as it reaches when it is asked for.
#[utoipa::path(get, path = "/runs/{run}/journal.jsonl", tag = "runs", params(("run" = RunId, Path), FileQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Refusals))]
async fn file_of_run(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    file(app, StreamId::Run(run.id), query, &format!("run-{}", run.id.short())).await
}

/// Who did what in a project as a file: one entry a line, as far as it reaches when it is asked for.
#[utoipa::path(get, path = "/projects/{p}/audit/journal.jsonl", tag = "projects",
    params(("p" = String, Path, description = "key or id"), FileQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Refusals))]
async fn file_of_audit(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    file(app, StreamId::Audit(project.id), query, &format!("audit-{}", project.key)).await
}

async fn file(app: App, stream: StreamId, query: FileQuery, name: &str) -> Result<Response, Refusal> {
    let only = Only { kinds: query.kind.0, least: query.level };
    // The first page is read before the answer begins, so that what is wrong is still told by its status.
    let first = journal::filtered(&app.engine, stream, 0, PIECE, &only).await?;
    let head = first.head.seq;
    let pieces = futures::stream::unfold(Some(first), move |page| {
        let (app, only) = (app.clone(), only.clone());
        async move {
            let page = page?;
            let bytes = lines(&page.entries, head);
            let next = match page.next.filter(|next| *next < head) {
                None => None,
                Some(next) => match journal::filtered(&app.engine, stream, next, PIECE, &only).await {
                    Ok(page) => Some(page),
                    // A body that breaks off is seen as such by its reader; one that ends is not.
                    Err(problem) => return Some((Err(std::io::Error::other(problem.to_string())), None)),
                },
            };
            Some((Ok(bytes), next))
        }
    });
    let name = format!("attachment; filename=\"{name}.jsonl\"");
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Entries in one piece of a file.
const PIECE: u32 = 1_000;

fn lines(entries: &[Entry], head: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(entries.len() * 256);
    for entry in entries.iter().filter(|entry| entry.seq <= head) {
        out.put_slice(entry.render().as_bytes());
        out.put_u8(b'\n');
    }
    out.freeze()
}

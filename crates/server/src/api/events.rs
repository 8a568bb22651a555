//! Live streams: of a run, of a project, and of several over one connection.

use axum::{Extension, extract::State, http::HeaderMap, response::Response};
use model::{
    id::{ProjectId, RunId},
    journal::StreamId,
    problem::Problem,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
    serve::Closing,
    stream::{self, Cursor, MultiCursor, Opening},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(run_events)).routes(routes!(project_events)).routes(routes!(events))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Since {
    /// The number seen last; `Last-Event-ID` wins over it.
    since: Option<u64>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Streams {
    /// `run:ID@SEQ,project:ID@SEQ,...`: each with the number seen last, 0 when it is left out.
    streams: String,
}

/// The journal of a run, live. Events: `entry` (id = number, data = the entry), `resync` (data =
/// snapshot; what was asked for is gone), `end` after the last entry. Reconnect with the last id.
#[utoipa::path(get, path = "/runs/{run}/events", tag = "streams",
    params(("run" = RunId, Path), ("Last-Event-ID" = Option<u64>, Header, description = "the number seen last"), Since),
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
async fn run_events(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(since): Query<Since>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = super::visible::run(&app, &caller, run).await?;
    let cursor = Cursor::read(&headers, since.since)?;
    one(app, caller, closing, StreamId::Run(run.id), cursor)
}

/// The facts of a project, live: the board stream.
#[utoipa::path(get, path = "/projects/{p}/events", tag = "streams",
    params(("p" = String, Path, description = "key or id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the number seen last"), Since),
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
async fn project_events(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(since): Query<Since>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let project = super::visible::project(&app, &caller, &project).await?;
    let cursor = Cursor::read(&headers, since.since)?;
    one(app, caller, closing, StreamId::Project(project.id), cursor)
}

fn one(
    app: App,
    caller: Caller,
    closing: Option<Extension<Closing>>,
    stream: StreamId,
    cursor: Cursor,
) -> Result<Response, Refusal> {
    let place = app.places.take(&caller.principal().name)?;
    let closing = closing.map(|Extension(closing)| closing);
    Ok(stream::open(Opening {
        app,
        caller,
        place,
        streams: vec![(stream, cursor.0)],
        gone: Vec::new(),
        named: false,
        closing,
    }))
}

/// Several streams over one connection, for a browser tab (X61). Ids are `STREAM@SEQ`; after a lost
/// connection, ask again with the numbers seen last. A stream that is not there, or that the caller may
/// not read, is answered with the event `gone` and its problem's code; the others go on.
#[utoipa::path(get, path = "/events", tag = "streams",
    params(("Last-Event-ID" = Option<String>, Header, description = "`STREAM@SEQ`, one or several"), Streams),
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
async fn events(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<Streams>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (mut streams, mut gone) = (Vec::new(), Vec::new());
    for (stream, seq) in MultiCursor::read(&query.streams, &headers)?.0 {
        match readable(&app, &caller, stream).await {
            Ok(()) => streams.push((stream, seq)),
            Err(problem) if problem.code.status() < 500 => gone.push((stream, problem.code)),
            Err(problem) => return Err(problem.into()),
        }
    }
    let place = app.places.take(&caller.principal().name)?;
    let closing = closing.map(|Extension(closing)| closing);
    Ok(stream::open(Opening { app, caller, place, streams, gone, named: true, closing }))
}

async fn readable(app: &App, caller: &Caller, stream: StreamId) -> Result<(), Problem> {
    match stream {
        StreamId::Run(run) => super::visible::run(app, caller, run).await.map(drop),
        StreamId::Project(project) => exists(app, caller, project).await,
        // Who did what is for those who decide.
        StreamId::Audit(project) => {
            exists(app, caller, project).await?;
            caller.may(Action::Decide, project)
        }
    }
}

async fn exists(app: &App, caller: &Caller, project: ProjectId) -> Result<(), Problem> {
    super::visible::project(app, caller, &ProjectName::Id(project)).await.map(drop)
}

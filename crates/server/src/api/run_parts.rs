//! The parts of a run: its tasks and its journal in pages.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::{BufMut as _, BytesMut};
use model::{
    id::RunId,
    journal::{Entry, StreamId},
    limits,
    problem::Problem,
    task::TaskState,
};
use serde::{Deserialize, Serialize};
use store::TaskFilter;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{self, Listing},
    run_view::TaskView,
    visible,
};
use crate::{
    app::App,
    auth::Caller,
    extract::{List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
    stream::journal,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tasks)).routes(routes!(entries)).routes(routes!(project_entries))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TasksQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// In these states, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    state: List<StateName>,
    /// Of this kind.
    kind: Option<String>,
}

/// A task state in a query.
#[derive(Debug, Clone, Copy)]
struct StateName(TaskState);

impl std::str::FromStr for StateName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        TaskState::by_name(text).map(Self).ok_or("not a state of a task")
    }
}

/// A run's tasks, by kind and subject.
#[utoipa::path(get, path = "/runs/{run}/tasks", tag = "runs", params(("run" = RunId, Path), TasksQuery),
    responses((status = 200, body = Listing<TaskView>), Refusals))]
async fn tasks(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<TasksQuery>,
) -> Result<axum::Json<Listing<TaskView>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<Place> = listing::cursor(query.cursor.as_deref())?;
    let states = query.state.0.into_iter().map(|name| name.0).collect();
    let filter = TaskFilter { kind: query.kind, states, ..TaskFilter::default() };
    let rows = app
        .engine
        .store()
        .read(move |tx| {
            let (filter, after) = (filter.clone(), after.clone());
            Box::pin(async move {
                let after = after.as_ref().map(|place| (place.kind.as_str(), place.subject.as_str()));
                Ok::<_, Problem>(tx.tasks(run.id, &filter, after, limit + 1).await?)
            })
        })
        .await?;
    let cursor =
        |task: &model::task::Task| Place { kind: task.kind.clone(), subject: task.subject.clone() }.to_string();
    Ok(axum::Json(Listing::cut(rows, limit, cursor, TaskView::from)))
}

/// Where a page of tasks ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    kind: String,
    subject: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(format!("{}\n{}", self.kind, self.subject)))
    }
}

impl std::str::FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = String::from_utf8(hex::decode(text).map_err(drop)?).map_err(drop)?;
        let (kind, subject) = text.split_once('\n').ok_or(())?;
        let plain = !text.contains('\0');
        plain.then(|| Self { kind: kind.to_owned(), subject: subject.to_owned() }).ok_or(())
    }
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
}

/// A page of a journal. Its items are the entries byte for byte as a live stream shows them.
#[derive(Serialize, utoipa::ToSchema)]
struct EntriesPage {
    /// The entries, in order, without a hole.
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
async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    page(&app, StreamId::Run(run.id), &query).await
}

/// A project's board journal, in pages.
#[utoipa::path(get, path = "/projects/{p}/entries", tag = "projects",
    params(("p" = String, Path, description = "key or id"), EntriesQuery),
    responses((status = 200, body = EntriesPage), Refusals))]
async fn project_entries(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    page(&app, StreamId::Project(project.id), &query).await
}

async fn page(app: &App, stream: StreamId, query: &EntriesQuery) -> Result<Response, Refusal> {
    let limit = match query.limit {
        None => limits::PAGE as usize,
        Some(limit) if (1..=limits::ENTRIES_PER_PAGE).contains(&(limit as usize)) => limit as usize,
        Some(_) => {
            let message = format!("1 to {} are allowed", limits::ENTRIES_PER_PAGE);
            return Err(Problem::invalid_field("/limit", message).with("in", "query").into());
        }
    };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let (entries, head) = journal::page(&app.engine, stream, query.since, limit).await?;
    let (floor, head) = (head.floor, head.seq);
    let cut = entries.first().map_or(floor, |first| first.seq) > query.since + 1 && head > query.since;
    // From the very start, what is left is the answer; from a number on, a hole must not look like none.
    if cut && query.since > 0 {
        return Err(Problem::new(model::code::Code::Gone, "the entries behind this number are past their retention")
            .with("floor", floor)
            .with("head", head)
            .into());
    }
    Ok((
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        Body::from(body(&entries, floor, head).freeze()),
    )
        .into_response())
}

fn body(entries: &[Entry], floor: u64, head: u64) -> BytesMut {
    let mut out = BytesMut::with_capacity(entries.len() * 256 + 64);
    out.put_slice(b"{\"items\":[");
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        out.put_slice(entry.render().as_bytes());
    }
    let last = entries.last().map(|entry| entry.seq);
    let next = last.filter(|last| *last < head).map_or("null".to_owned(), |last| format!("\"{last}\""));
    out.put_slice(format!("],\"next_cursor\":{next},\"floor\":{floor},\"head\":{head}}}").as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_cursor_reads_back_and_nothing_else_does() {
        let place = Place { kind: "gate".into(), subject: "REQ-0001/unit\nx".into() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "zz", "6162", &hex::encode("a\n\0")] {
            assert_eq!(wrong.parse::<Place>(), Err(()), "{wrong}");
        }
    }
}

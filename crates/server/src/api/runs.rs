//! Runs of every kind: start, list, read.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::submit::{Submit, Submitted};
use model::{
    id::{IssueId, ProjectId, RunId},
    proof::verdict::Verdict,
    run::{RunKind, RunStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{LedgerFilter, RunFilter};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{self, Listing},
    run_view::{RunView, address_of, events_of},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(everywhere)).routes(routes!(read))
}

/// What to start.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct StartRun {
    /// Which job.
    kind: String,
    /// What exactly, in the kind's own shape.
    #[serde(default)]
    #[schema(value_type = Object)]
    config: Value,
    /// The issue that the run is about.
    #[serde(default)]
    issue: Option<IssueId>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StartQuery {
    /// Answer with the active run on the same subject instead of 409.
    #[serde(default)]
    join: bool,
}

/// A run that was started, or joined.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Started {
    /// The run.
    run: RunId,
    /// Where it stood when it was stored, or joined.
    status: RunStatus,
    /// Rises with every change of the run.
    revision: u64,
    /// Where its live stream is.
    events: String,
    /// Another request had started it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    joined: bool,
    /// Whether the joined run does all that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    covers: Option<bool>,
}

/// The answer to a start: 202 and where to look, or 200 for a joined run.
pub(super) fn started(submitted: Submitted) -> Response {
    let run = submitted.run;
    // A repeated request gets the very same answer (K1), so a new run is answered as it was stored,
    // not as it may stand by now.
    let (code, status, revision) = if submitted.joined {
        (StatusCode::OK, run.status, run.revision)
    } else {
        (StatusCode::ACCEPTED, RunStatus::Queued, 1)
    };
    let body = Started {
        run: run.id,
        status,
        revision,
        events: events_of(run.id),
        joined: submitted.joined,
        covers: submitted.covers,
    };
    let mut response = (code, axum::Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&address_of(run.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Start a run of any kind. Exactly once per `Idempotency-Key`.
#[utoipa::path(post, path = "/projects/{p}/runs", tag = "runs", request_body = StartRun,
    params(("p" = String, Path, description = "key or id"), ("Idempotency-Key" = Option<String>, Header), StartQuery),
    responses((status = 202, body = Started, description = "started; see Location"),
        (status = 200, body = Started, description = "joined an active run"), Refusals))]
async fn start(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<StartQuery>,
    ask: Keyed<StartRun>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Start).await?;
    let submitted = app
        .engine
        .submit(Submit {
            project: project.id,
            kind: RunKind::from_text(ask.body.kind),
            config: ask.body.config,
            actor: caller.actor().clone(),
            join: query.join,
            once: caller.once("POST /projects/{p}/runs", ask.key, ask.digest),
            retry_of: None,
            issue: ask.body.issue,
        })
        .await?;
    app.metrics.figures.runs_submitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Ok(started(submitted))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RunsQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// Of these statuses, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    status: List<StatusName>,
    /// Only runs that have not ended (true), or only ended ones (false).
    active: Option<bool>,
    /// Of this kind.
    kind: Option<String>,
    /// Only those that ended with this verdict.
    verdict: Option<Verdict>,
}

/// A run status in a query.
#[derive(Debug, Clone, Copy)]
struct StatusName(RunStatus);

impl std::str::FromStr for StatusName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        RunStatus::by_name(text)
            .map(Self)
            .ok_or_else(|| format!("there is no status {}", text.chars().take(40).collect::<String>()))
    }
}

/// A project's runs, newest first.
#[utoipa::path(get, path = "/projects/{p}/runs", tag = "runs",
    params(("p" = String, Path, description = "key or id"), RunsQuery),
    responses((status = 200, body = Listing<RunView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<RunsQuery>,
) -> Result<axum::Json<Listing<RunView>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    page(&app, Some(project.id), query).await
}

/// Runs over all projects that the caller sees, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, body = Listing<RunView>), Refusals))]
async fn everywhere(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RunsQuery>,
) -> Result<axum::Json<Listing<RunView>>, Refusal> {
    caller.reads_something()?;
    page(&app, caller.principal().project, query).await
}

async fn page(
    app: &App,
    project: Option<ProjectId>,
    query: RunsQuery,
) -> Result<axum::Json<Listing<RunView>>, Refusal> {
    let limit = listing::limit(query.limit)?;
    let before: Option<RunId> = listing::cursor(query.cursor.as_deref())?;
    let fits = |status: &RunStatus| query.active.is_none_or(|active| active != status.is_terminal());
    let asked: Vec<_> = query.status.0.into_iter().map(|name| name.0).collect();
    let statuses: Vec<_> = if asked.is_empty() && query.active.is_some() {
        RunStatus::ALL.into_iter().filter(fits).collect()
    } else {
        asked.iter().copied().filter(fits).collect()
    };
    if statuses.is_empty() && !asked.is_empty() {
        return Ok(axum::Json(Listing { items: Vec::new(), next_cursor: None, total: None }));
    }
    let verdict = query.verdict.map(|verdict| verdict.as_str().to_owned());
    let filter = RunFilter { project, kind: query.kind, status: statuses, verdict };
    let rows = app
        .engine
        .store()
        .read(move |tx| {
            let filter = filter.clone();
            Box::pin(async move {
                let mut runs = tx.runs(&filter, before, limit + 1).await?;
                // One that has ended holds its last counts.
                for run in runs.iter_mut().filter(|run| !run.status.is_terminal()) {
                    engine::proof::gates::with_counts(tx, run).await?;
                }
                Ok::<_, model::problem::Problem>(runs)
            })
        })
        .await?;
    Ok(axum::Json(Listing::cut(rows, limit, |run| run.id.to_string(), RunView::from)))
}

/// A run.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", params(("run" = RunId, Path)),
    responses((status = 200, body = RunView), Refusals))]
async fn read(State(app): State<App>, caller: Caller, Path(run): Path<RunId>) -> Result<axum::Json<RunView>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let run = engine::proof::gates::live(&app.engine, run.id).await?;
    let waiting_for = app.engine.waiting_for(&run).await?;
    let cost = app.engine.ledger_totals(LedgerFilter::Run(run.id)).await?.map(Into::into);
    Ok(axum::Json(RunView { waiting_for, cost, ..run.into() }))
}

//! What only dispatch runs have: the context their agent was given, and the difference they made.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use engine::dispatch::{
    Detail, Difference, difference,
    state::{AgentOfRun, ContextOfRun, RoleOfRun},
};
use model::{
    agent::usage::{Cost, Usage},
    digest::Digest,
    dispatch::{Report, Scale},
    id::RunId,
    problem::Problem,
    proof::tree::ObjectId,
    role::{Intent, Origin, Output},
    run::{Run, RunKind},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{blobs::blob, issues::IssueView, visible};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Json, Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(context)).routes(routes!(diff)).routes(routes!(file_followup))
}

/// What a dispatch run says of itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DispatchRun)]
pub struct DispatchView {
    /// The role as it was at the start.
    role: RoleOfRunView,
    /// The commit it stands on.
    base: Option<ObjectId>,
    /// What that commit was called.
    base_name: Option<String>,
    /// The branch that a result goes to.
    branch: String,
    /// What the agent did.
    agent: Option<AgentView>,
    /// The stored result, which can be applied again.
    result: Option<Digest>,
    /// What came of it.
    report: Option<Report>,
    /// The proof run that was started for it.
    proof_run: Option<RunId>,
    /// The outcome in a sentence.
    message: String,
}

/// The role of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RoleOfRun)]
struct RoleOfRunView {
    id: String,
    title: String,
    version: String,
    digest: Digest,
    origin: Origin,
    output: Output,
    intent: Intent,
}

impl From<RoleOfRun> for RoleOfRunView {
    fn from(role: RoleOfRun) -> Self {
        Self {
            id: role.id.to_string(),
            title: role.title,
            version: role.version,
            digest: role.digest,
            origin: role.origin,
            output: role.output,
            intent: role.intent,
        }
    }
}

/// What the agent of a run did, in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AgentOfRun)]
struct AgentView {
    /// Which one.
    name: String,
    /// The version of its program.
    version: Option<String>,
    /// The model it used.
    model: Option<String>,
    /// Its own name of the session.
    session: Option<String>,
    /// How it was confined.
    #[schema(value_type = Object)]
    sandbox: Value,
    /// What it used.
    usage: Option<Usage>,
    /// What that cost.
    cost: Option<Cost>,
    /// How long it took.
    took_ms: u64,
    /// Nothing real answered: a script played.
    simulated: bool,
}

impl From<AgentOfRun> for AgentView {
    fn from(agent: AgentOfRun) -> Self {
        let AgentOfRun { name, version, model, session, sandbox, usage, cost, took_ms, simulated } = agent;
        Self { name, version, model, session, sandbox, usage, cost, took_ms, simulated }
    }
}

impl DispatchView {
    /// What a run says, if it is a dispatch run whose detail can be read.
    pub fn of(run: &Run) -> Option<Self> {
        if run.kind != RunKind::DISPATCH {
            return None;
        }
        let detail = match Detail::of(run) {
            Ok(detail) => detail,
            Err(problem) => {
                tracing::warn!(run = %run.id, %problem, "the detail of a run cannot be read");
                return None;
            }
        };
        Some(Self {
            role: detail.role.into(),
            base: detail.base,
            base_name: detail.base_name,
            branch: detail.branch,
            agent: detail.agent.map(Into::into),
            result: detail.result,
            report: detail.report,
            proof_run: detail.proof_run,
            message: detail.message,
        })
    }
}

/// The context pack of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RunContext)]
pub struct ContextView {
    /// Whether there is one.
    available: bool,
    /// Its content.
    digest: Option<Digest>,
    /// Its size.
    bytes: Option<u64>,
    /// Items of each source.
    counts: BTreeMap<String, usize>,
    /// Items that the budget took.
    dropped: BTreeMap<String, usize>,
    /// The role that it was made for.
    role: Option<String>,
    /// What kind of work that is.
    intent: Option<Intent>,
    /// How large the issue is.
    scale: Option<Scale>,
    /// Files that say how things are.
    #[schema(value_type = Vec<Object>)]
    sources_of_truth: Vec<Value>,
    /// What could not be read.
    warnings: Vec<String>,
}

impl ContextView {
    fn of(detail: Option<Detail>) -> Self {
        let role = detail.as_ref().map(|detail| detail.role.id.to_string());
        let intent = detail.as_ref().map(|detail| detail.role.intent);
        let context: Option<ContextOfRun> = detail.and_then(|detail| detail.context);
        Self {
            available: context.is_some(),
            digest: context.as_ref().map(|context| context.digest),
            bytes: context.as_ref().map(|context| context.bytes),
            counts: context.as_ref().map(|context| context.counts.clone()).unwrap_or_default(),
            dropped: context.as_ref().map(|context| context.dropped.clone()).unwrap_or_default(),
            role,
            intent,
            scale: context.as_ref().map(|context| context.scale),
            sources_of_truth: context.as_ref().map(|context| context.sources_of_truth.clone()).unwrap_or_default(),
            warnings: context.map(|context| context.warnings).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ContextQuery {
    /// `1`: the pack itself.
    raw: Option<u8>,
}

/// What the agent of a run was told about the project.
#[utoipa::path(get, path = "/runs/{run}/context", tag = "dispatch", params(("run" = RunId, Path), ContextQuery),
    responses((status = 200, body = ContextView), Refusals))]
async fn context(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<ContextQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let detail = if run.kind == RunKind::DISPATCH { Some(Detail::of(&run)?) } else { None };
    if query.raw == Some(1) {
        let context = detail.and_then(|detail| detail.context).ok_or_else(Problem::not_found)?;
        return blob(&app, &context.digest, "application/json", "context-pack.json", &headers).await;
    }
    Ok(axum::Json(ContextView::of(detail)).into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// The commit to compare from [default: the run's base].
    from: Option<String>,
    /// The commit to compare to [default: the run's commit].
    to: Option<String>,
}

/// The difference between two commits of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RunDiff)]
pub struct DiffView {
    /// From here.
    from: ObjectId,
    /// To there.
    to: ObjectId,
    /// A unified diff. Bytes that are no UTF-8 are replaced.
    text: String,
    /// It is longer than what is answered.
    truncated: bool,
}

/// The difference that a run made.
#[utoipa::path(get, path = "/runs/{run}/diff", tag = "dispatch", params(("run" = RunId, Path), DiffQuery),
    responses((status = 200, body = DiffView), Refusals))]
async fn diff(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<DiffQuery>,
) -> Result<axum::Json<DiffView>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    if run.kind != RunKind::DISPATCH {
        return Err(Problem::not_found().into());
    }
    let end = |pointer: &str, asked: Option<String>| {
        let parsed = asked.map(|text| text.parse::<ObjectId>()).transpose();
        parsed.map_err(|error| Problem::invalid_field(pointer, error.to_string()))
    };
    let (from, to) = (end("/from", query.from)?, end("/to", query.to)?);
    let Difference { from, to, text, truncated } = difference(&app.engine, &run, from, to).await?;
    Ok(axum::Json(DiffView { from, to, text, truncated }))
}

/// Where a piece of work is filed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum FollowupPlace {
    /// Below the run's issue.
    #[default]
    Child,
    /// Beside it.
    Sibling,
}

/// How to file a piece of work that an agent left.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct FileFollowup {
    /// Below the run's issue, or beside it.
    place: FollowupPlace,
}

/// File a piece of work that the agent of a run left, by its number from 1. Each is filed once: asked again, the same
/// issue is answered.
#[utoipa::path(post, path = "/runs/{run}/followups/{n}/file", tag = "dispatch", request_body = FileFollowup,
    params(("run" = RunId, Path), ("n" = u32, Path)),
    responses((status = 201, body = IssueView, description = "filed"),
        (status = 200, body = IssueView, description = "filed before"), Refusals))]
async fn file_followup(
    State(app): State<App>,
    caller: Caller,
    Path((run, number)): Path<(RunId, u32)>,
    Json(ask): Json<FileFollowup>,
) -> Result<Response, Refusal> {
    let run = visible::run_for(&app, &caller, run, Action::File).await?;
    let is_sibling = ask.place == FollowupPlace::Sibling;
    let (filed, is_new) = app.engine.file_followup(&run, number, is_sibling, caller.actor()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(IssueView::from(filed))).into_response())
}

//! The parts of a proof run: its gates, its commands, its evidence.

use std::str::FromStr;

use axum::extract::State;
use engine::proof::{
    evidence,
    gates::{self, GateFilter, GateRow},
    state::{CommandInput, task as kind},
};
use model::{
    digest::Digest,
    id::{EvidenceId, RunId, TaskId},
    problem::Problem,
    proof::{
        evidence::{ArtifactRecord, CommandRecord, OutputRecord},
        gate::GateName,
        requirement::RequirementNumber,
        results::{Case, ParserKind},
        verdict::{GateState, Reason, Verdict},
    },
    task::{Task, TaskState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::TaskFilter;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        listing::{self, Listing, PageQuery},
        visible,
    },
    evidence::EvidenceLine,
};
use crate::{
    app::App,
    auth::Caller,
    extract::{List, Path, Query},
    problem::{Refusal, Refusals},
};

/// Cases of a command that are shown with it; the results file has all of them.
const CASES: usize = 200;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_gates)).routes(routes!(of_commands)).routes(routes!(of_evidence))
}

/// A gate's state in a query.
#[derive(Debug, Clone, Copy)]
struct StateName(GateState);

impl FromStr for StateName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        gates::state_by_name(text).map(Self).ok_or("not a state of a gate")
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GatesQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// In these states, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    state: List<StateName>,
    /// Of this requirement.
    requirement: Option<RequirementNumber>,
    /// With this name.
    gate: Option<GateName>,
}

/// One obligation in a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RunGate)]
struct GateView {
    /// Its task.
    task: TaskId,
    /// The requirement.
    requirement: RequirementNumber,
    /// What it was called when the run took it on; empty for runs of older versions.
    title: String,
    /// The gate.
    gate: GateName,
    /// Where it stands.
    state: GateState,
    /// What it said; null until it has ended.
    verdict: Option<Verdict>,
    /// Why, unless it passed.
    reason: Option<Reason>,
    /// What it rests on; null where nothing was looked at.
    evidence: Option<EvidenceId>,
    /// One sentence; never empty (P73).
    message: String,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

impl From<GateRow> for GateView {
    fn from(row: GateRow) -> Self {
        let reason = row.outcome.and_then(|outcome| outcome.reason());
        let said = row.message.filter(|message| !message.trim().is_empty());
        let message = said.unwrap_or_else(|| match (row.state, reason) {
            (GateState::Pending, _) => "nothing was started yet".to_owned(),
            (GateState::Running, _) => "it is running".to_owned(),
            (GateState::Waiting, _) => "a person is asked to look".to_owned(),
            (GateState::Passed, _) => "it passed".to_owned(),
            (_, Some(reason)) => reason.as_str().replace('_', " "),
            (_, None) => "it ended".to_owned(),
        });
        Self {
            task: row.task,
            requirement: row.requirement,
            title: row.title,
            gate: row.gate,
            state: row.state,
            verdict: row.outcome.map(|outcome| outcome.verdict()),
            reason,
            evidence: row.evidence,
            message,
            finished_at: row.finished_at,
        }
    }
}

/// A proof run's gates, by requirement and gate. Of a run of another kind there are none.
#[utoipa::path(get, path = "/runs/{run}/gates", tag = "proof", params(("run" = RunId, Path), GatesQuery),
    responses((status = 200, body = Listing<GateView>), Refusals))]
async fn of_gates(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<GatesQuery>,
) -> Result<axum::Json<Listing<GateView>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<Subject> = listing::cursor(query.cursor.as_deref())?;
    let filter = GateFilter {
        states: query.state.0.into_iter().map(|name| name.0).collect(),
        requirement: query.requirement,
        gate: query.gate,
    };
    let rows = gates::run_gates(&app.engine, run.id, &filter, after.map(|after| after.0), limit + 1).await?;
    let cursor = |row: &GateRow| hex::encode(format!("{}/{}", row.requirement, row.gate));
    Ok(axum::Json(Listing::cut(rows, limit, cursor, GateView::from)))
}

/// Where a page of gates ends.
struct Subject(String);

impl FromStr for Subject {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = String::from_utf8(hex::decode(text).map_err(drop)?).map_err(drop)?;
        let (requirement, gate) = text.split_once('/').ok_or(())?;
        requirement.parse::<RequirementNumber>().map_err(drop)?;
        gate.parse::<GateName>().map_err(drop)?;
        Ok(Self(text))
    }
}

/// What a command said about its tests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CommandResults)]
pub(super) struct ResultsView {
    /// How they were read.
    parser: ParserKind,
    /// The file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<Digest>,
    /// How many cases were kept.
    case_count: usize,
    /// The first of them.
    cases: Vec<Case>,
}

/// How a command ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CommandEnd)]
pub(super) struct EndView {
    /// What the tool says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_version: Option<String>,
    /// Over names and values handed over, without run-private ones.
    env_digest: Digest,
    /// Which try it was, from 1.
    attempt: u32,
    /// Null where no process ended by itself.
    exit_code: Option<i32>,
    /// The signal that ended it.
    signal: Option<i32>,
    /// When it started; null when it did not.
    started_at: Option<Timestamp>,
    /// How long it took.
    duration_ms: u64,
    /// What it wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputRecord>,
    /// What it said about its tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<ResultsView>,
    /// What it left.
    artifacts: Vec<ArtifactRecord>,
}

impl From<CommandRecord> for EndView {
    fn from(record: CommandRecord) -> Self {
        Self {
            runner_version: record.runner_version,
            env_digest: record.env_digest,
            attempt: record.attempt,
            exit_code: record.exit_code,
            signal: record.signal,
            started_at: record.started_at,
            duration_ms: record.duration_ms,
            output: record.output,
            results: record.results.map(|mut results| {
                let case_count = results.cases.len();
                results.cases.truncate(CASES);
                ResultsView { parser: results.parser, blob: results.blob, case_count, cases: results.cases }
            }),
            artifacts: record.artifacts,
        }
    }
}

/// One process of a run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RunCommand)]
struct CommandView {
    /// Its task.
    task: TaskId,
    /// Where that stands.
    state: TaskState,
    /// What identifies it within the run (P30).
    digest: Digest,
    /// With `{repo}` and `{out}` unexpanded.
    argv: Vec<String>,
    /// Relative to the repository.
    cwd: String,
    /// The runner.
    runner: String,
    /// Its limit.
    timeout_s: u32,
    /// The gates it serves; at most 200 of them.
    gates: Vec<String>,
    /// How many it serves.
    gate_count: usize,
    /// How it ended; absent until it has.
    #[serde(flatten)]
    end: Option<EndView>,
    /// How the process was confined, in truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    sandbox: Option<Value>,
}

/// A proof run's commands: one for each distinct process, whatever number of gates rest on it (P30).
#[utoipa::path(get, path = "/runs/{run}/commands", tag = "proof", params(("run" = RunId, Path), PageQuery),
    responses((status = 200, body = Listing<CommandView>), Refusals))]
async fn of_commands(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<CommandView>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<Text> = listing::cursor(query.cursor.as_deref())?;
    let filter = TaskFilter { kind: Some(kind::COMMAND.to_owned()), ..TaskFilter::default() };
    let rows = app
        .engine
        .store()
        .read(move |tx| {
            let (filter, after) = (filter.clone(), after.clone());
            Box::pin(async move {
                let after = after.as_ref().map(|subject| (kind::COMMAND, subject.0.as_str()));
                let tasks = tx.tasks(run.id, &filter, after, limit + 1).await?;
                let mut rows = Vec::with_capacity(tasks.len());
                for task in tasks {
                    // A record that cannot be read leaves the others readable (P52).
                    let record = match tx.command(task.id).await {
                        Err(store::StoreError::DatabaseDamaged(_)) => None,
                        other => other?,
                    };
                    rows.push((task, record));
                }
                Ok::<_, Problem>(rows)
            })
        })
        .await?;
    let cursor = |row: &(Task, Option<CommandRecord>)| hex::encode(&row.0.subject);
    let page = Listing::cut(rows, limit, cursor, command);
    let items = page.items.into_iter().flatten().collect();
    Ok(axum::Json(Listing { items, next_cursor: page.next_cursor, total: page.total }))
}

/// Where a page of commands ends.
#[derive(Debug, Clone)]
struct Text(String);

impl FromStr for Text {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = String::from_utf8(hex::decode(text).map_err(drop)?).map_err(drop)?;
        if text.contains('\0') { Err(()) } else { Ok(Self(text)) }
    }
}

fn command((task, record): (Task, Option<CommandRecord>)) -> Option<CommandView> {
    let input: CommandInput = serde_json::from_value(task.input).ok()?;
    let sandbox = task.output.as_ref().and_then(|output| output.get("sandbox")).filter(|value| value.is_object());
    Some(CommandView {
        task: task.id,
        state: task.state,
        digest: input.digest,
        argv: input.planned.argv,
        cwd: input.planned.cwd,
        runner: input.planned.runner,
        timeout_s: input.planned.timeout_s,
        gates: input.gates,
        gate_count: input.gate_count,
        sandbox: sandbox.cloned(),
        end: record.map(EndView::from),
    })
}

/// The evidence of a run, by requirement and gate, as last known to be intact or not.
#[utoipa::path(get, path = "/runs/{run}/evidence", tag = "proof", params(("run" = RunId, Path), PageQuery),
    responses((status = 200, body = Listing<EvidenceLine>), Refusals))]
async fn of_evidence(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<EvidenceLine>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let (rows, tree) = evidence::run_evidence(&app.engine, run.project, run.id).await?;
    let view = |facts| EvidenceLine::of(facts, tree.as_ref());
    Ok(axum::Json(Listing::of_all(rows, &query, |facts| facts.id.to_string(), view)?))
}

//! What was set aside and spent: of a run, of a project's day.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use engine::ledger::{Ledger, Standing};
use model::{
    agent::usage::CostState,
    id::{ReserveId, RunId, TaskId},
    ledger::{LineKind, PoolKind, SumState, Totals, What},
    money::NanoUsd,
    problem::Problem,
    time::{Day, Timestamp},
};
use serde::{Deserialize, Serialize};
use store::{LedgerFilter, LedgerLine};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::visible;
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_project)).routes(routes!(of_run)).routes(routes!(verify))
}

/// A line of the ledger.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LedgerLine)]
struct LineView {
    /// Rises with each line.
    number: u64,
    /// What it says.
    kind: LineKind,
    /// What was set aside; the line that opens it and the one that closes it share this.
    reserve: ReserveId,
    /// The run that spends.
    run: RunId,
    /// The UTC day that it counts on.
    day: Day,
    /// The task that spends.
    task: Option<TaskId>,
    /// The number of that task's claim.
    generation: Option<u32>,
    /// Set aside, spent, or given back.
    micro_usd: i64,
    /// For what was spent: how well that is known.
    cost_state: Option<CostState>,
    /// For what was spent: the part that somebody reported or that prices make.
    known_micro_usd: Option<i64>,
    /// The bill came when the attempt was closed already.
    late: bool,
    /// What it was for, or why it was closed like this.
    because: String,
    /// When the plane took it.
    at: Timestamp,
}

impl From<LedgerLine> for LineView {
    fn from(kept: LedgerLine) -> Self {
        let LedgerLine { number, line } = kept;
        let cost = match line.what {
            What::Settled { cost, .. } => Some(cost),
            What::Reserved { .. } | What::Released { .. } => None,
        };
        Self {
            number,
            kind: line.what.kind(),
            reserve: line.reserve,
            run: line.account.run,
            day: line.account.day,
            task: line.attempt.map(|fence| fence.task),
            generation: line.attempt.map(|fence| fence.generation),
            micro_usd: line.what.amount().micros_up(),
            cost_state: cost.map(|cost| cost.state),
            known_micro_usd: cost.map(|cost| cost.known.micros_up()),
            late: line.is_late,
            because: line.because,
            at: line.at,
        }
    }
}

/// What lines come to.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[schema(as = CostSum)]
pub struct SumView {
    /// Spent.
    spent_micro_usd: i64,
    /// The part of it that is held for costs that nobody knows.
    held_micro_usd: i64,
    /// Set aside, and not spent yet.
    reserved_micro_usd: i64,
    /// How well the sum is known.
    state: SumState,
}

impl From<Totals> for SumView {
    fn from(totals: Totals) -> Self {
        Self {
            spent_micro_usd: totals.settled.micros_up(),
            held_micro_usd: totals.held.micros_up(),
            reserved_micro_usd: totals.reserved.micros_up(),
            state: totals.state(),
        }
    }
}

/// How a pool of money stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BudgetPool)]
struct PoolView {
    /// A run's, or a project's of a day.
    pool: PoolKind,
    /// The cap in force, top-ups included; null where there is none.
    cap_micro_usd: Option<i64>,
    /// What people added to the cap.
    topped_up_micro_usd: i64,
    /// Spent.
    spent_micro_usd: i64,
    /// Set aside, and not spent yet.
    reserved_micro_usd: i64,
    /// What may still be set aside; null where there is no cap.
    left_micro_usd: Option<i64>,
}

impl From<Standing> for PoolView {
    fn from(standing: Standing) -> Self {
        let Standing { caps, pool, stands } = standing;
        let configured = caps.of(pool.kind());
        let cap = match stands.cap(configured) {
            model::ledger::Cap::Unlimited => None,
            model::ledger::Cap::At(cap) => Some(cap.micros_up()),
        };
        Self {
            pool: pool.kind(),
            cap_micro_usd: cap,
            topped_up_micro_usd: stands.topped_up.micros_up(),
            spent_micro_usd: stands.settled.micros_up(),
            reserved_micro_usd: stands.reserved.micros_up(),
            left_micro_usd: stands.left(configured).map(NanoUsd::micros_up),
        }
    }
}

/// A part of the ledger.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Ledger)]
struct LedgerView {
    /// The pools that the lines draw from, as they stand now.
    pools: Vec<PoolView>,
    /// What the lines come to.
    totals: SumView,
    /// The lines, the oldest first; empty where they were not asked for.
    lines: Vec<LineView>,
}

impl LedgerView {
    fn of(ledger: Ledger, pools: impl IntoIterator<Item = Standing>) -> Self {
        Self {
            pools: pools.into_iter().map(PoolView::from).collect(),
            totals: ledger.totals.into(),
            lines: ledger.lines.into_iter().map(LineView::from).collect(),
        }
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum LedgerFormat {
    /// A document.
    #[default]
    Json,
    /// A line for each line, amounts in dollars.
    Csv,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    /// Of this UTC day; today when neither day nor run is named.
    #[param(value_type = Option<String>)]
    day: Option<Day>,
    /// Of this run.
    #[param(value_type = Option<String>)]
    run: Option<RunId>,
    /// `false` leaves the lines out: only how the pools stand and what the lines come to.
    lines: Option<bool>,
    /// `json` by default.
    #[serde(default)]
    #[param(inline)]
    format: LedgerFormat,
}

/// The ledger of a project: of a day, or of one of its runs.
#[utoipa::path(get, path = "/projects/{p}/ledger", tag = "projects",
    params(("p" = String, Path, description = "key or id"), LedgerQuery),
    responses((status = 200, body = LedgerView), Refusals))]
async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<LedgerQuery>,
) -> Result<Response, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let lines = query.lines.unwrap_or(true);
    if !lines && query.format == LedgerFormat::Csv {
        return Err(Problem::invalid_field("/lines", "a file is its lines").with("in", "query").into());
    }
    let view = match (query.run, query.day) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_field("/day", "name a run or a day").with("in", "query").into());
        }
        (Some(run), None) => {
            let run = visible::run(&app, &caller, run).await?;
            if run.project != project.id {
                return Err(Problem::not_found().into());
            }
            LedgerView::of(
                look(&app, LedgerFilter::Run(run.id), lines).await?,
                app.engine.ledger_standing(run.id).await?,
            )
        }
        (None, day) => {
            let day = day.unwrap_or_else(|| app.engine.now().day());
            let ledger = look(&app, LedgerFilter::Day(project.id, day), lines).await?;
            LedgerView::of(ledger, [app.engine.ledger_day(project.id, day).await?])
        }
    };
    match query.format {
        LedgerFormat::Json => Ok(axum::Json(view).into_response()),
        LedgerFormat::Csv => Ok(csv(&view)),
    }
}

/// A part of the ledger, with its lines or without.
async fn look(app: &App, of: LedgerFilter, lines: bool) -> Result<Ledger, Problem> {
    if lines {
        return app.engine.ledger(of).await;
    }
    let totals = app.engine.ledger_totals(of).await?.unwrap_or_default();
    Ok(Ledger { lines: Vec::new(), totals })
}

/// The ledger of a run.
#[utoipa::path(get, path = "/runs/{run}/ledger", tag = "runs", params(("run" = RunId, Path)),
    responses((status = 200, body = LedgerView), Refusals))]
async fn of_run(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
) -> Result<axum::Json<LedgerView>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let ledger = app.engine.ledger(LedgerFilter::Run(run.id)).await?;
    Ok(axum::Json(LedgerView::of(ledger, app.engine.ledger_standing(run.id).await?)))
}

/// What a recount found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LedgerVerified)]
struct VerifiedView {
    /// Lines that were counted.
    lines: u64,
    /// What does not add up; empty is sound.
    flaws: Vec<String>,
}

/// Recount the ledger of a project: every total from its lines. What does not add up is no error: it is the answer.
#[utoipa::path(get, path = "/projects/{p}/ledger/verify", tag = "projects",
    params(("p" = String, Path, description = "key or id")), responses((status = 200, body = VerifiedView), Refusals))]
async fn verify(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<VerifiedView>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let checked = app.engine.ledger_verify(project.id).await?;
    Ok(axum::Json(VerifiedView {
        lines: checked.lines,
        flaws: checked.flaws.iter().map(ToString::to_string).collect(),
    }))
}

fn csv(view: &LedgerView) -> Response {
    let mut text = "number,at,day,run,task,kind,usd,cost_state,late,because\r\n".to_owned();
    for line in &view.lines {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let cells = [
            line.number.to_string(),
            line.at.to_string(),
            line.day.to_string(),
            line.run.to_string(),
            line.task.map(|task| task.to_string()).unwrap_or_default(),
            line.kind.name().to_owned(),
            u64::try_from(line.micro_usd).ok().and_then(NanoUsd::from_micros).unwrap_or_default().decimal(),
            word(serde_json::to_value(line.cost_state).unwrap_or_default()),
            line.late.to_string(),
            quoted(&line.because),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let name = HeaderValue::from_static("attachment; filename=\"ledger.csv\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response
}

/// A text as a cell; one that a spreadsheet would take for a formula is kept from that.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (text, cell) in [("a, \"b\"", "\"a, \"\"b\"\"\""), ("=1+1", "\"'=1+1\""), ("", "\"\"")] {
            assert_eq!(quoted(text), cell);
        }
    }
}

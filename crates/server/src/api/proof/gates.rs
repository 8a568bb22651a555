//! What can look at the project: its gates, its runners, and the acceptance of changed definitions.

use axum::extract::State;
use engine::proof::{
    definitions::{self, KnownGate},
    ground,
    runners::Found,
};
use model::{
    actor::Actor,
    digest::Digest,
    policy::Policy,
    proof::gate::{GateHow, GateName, ParserSpec},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{listing::Listing, visible};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Json, Path, ProjectName},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(accept)).routes(routes!(runners))
}

/// A gate of the project.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Gate)]
struct GateView {
    /// Its name.
    name: GateName,
    /// What people call it.
    title: String,
    /// What it proves.
    meaning: String,
    /// Who looks.
    how: GateHow,
    /// Whether a run that names no gates runs it.
    enabled: bool,
    /// The runners that prove it; empty when none was found.
    runners: Vec<String>,
    /// The declared command.
    argv: Vec<String>,
    /// Where it runs, relative to the repository.
    cwd: String,
    /// Whether nothing else of a run may run beside it.
    exclusive: bool,
    /// The time limit of one command.
    timeout_s: u32,
    /// The declared results; null leaves it to the runner.
    parser: Option<ParserSpec>,
    /// What a reviewer ticks.
    checklist: Vec<String>,
    /// The digest of all that can change its verdict.
    definition: Digest,
    /// Whether the merge gate takes evidence of this definition.
    accepted: bool,
}

impl From<KnownGate> for GateView {
    fn from(known: KnownGate) -> Self {
        let gate = known.gate;
        Self {
            name: gate.definition.name,
            title: gate.title,
            meaning: gate.meaning,
            how: gate.definition.how,
            enabled: gate.enabled,
            runners: gate.definition.runners,
            argv: gate.definition.argv,
            cwd: gate.definition.cwd,
            exclusive: gate.definition.exclusive,
            timeout_s: gate.definition.timeout_s,
            parser: gate.definition.parser,
            checklist: gate.definition.checklist,
            definition: known.definition,
            accepted: known.accepted,
        }
    }
}

fn all<T>(items: Vec<T>) -> Listing<T> {
    let total = items.len() as u64;
    Listing { items, next_cursor: None, total: Some(total) }
}

/// The project's gates as its checkout has them, in their order.
#[utoipa::path(get, path = "/projects/{p}/proof/gates", tag = "proof",
    params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = Listing<GateView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<Listing<GateView>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let gates = definitions::gates(&app.engine, &project).await?;
    Ok(axum::Json(all(gates.into_iter().map(GateView::from).collect())))
}

/// Which definitions are accepted, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptDefinitions {
    /// Their digests.
    definitions: Vec<Digest>,
    /// Why, in 1 to 2,000 characters.
    #[serde(default)]
    reason: String,
}

/// A definition that the merge gate takes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AcceptedDefinition)]
struct AcceptedView {
    /// The gate.
    gate: GateName,
    /// Its definition.
    definition: Digest,
    /// Who accepted it.
    by: Actor,
    /// When.
    at: Timestamp,
    /// Why.
    reason: String,
}

/// Let evidence of changed definitions count at the merge gate. For an admin who is a person.
#[utoipa::path(post, path = "/projects/{p}/proof/gates/accept", tag = "proof", request_body = AcceptDefinitions,
    params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = Listing<AcceptedView>), Refusals))]
async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Json(body): Json<AcceptDefinitions>,
) -> Result<axum::Json<Listing<AcceptedView>>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let accepted = definitions::accept(&app.engine, &project, &body.definitions, &body.reason, caller.actor()).await?;
    let view = |one: store::AcceptedDefinition| AcceptedView {
        gate: one.gate,
        definition: one.definition,
        by: one.by,
        at: one.at,
        reason: one.reason,
    };
    Ok(axum::Json(all(accepted.into_iter().map(view).collect())))
}

/// A program that a family needs and the machine lacks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MissingTool {
    /// The program.
    tool: String,
    /// How to get it.
    hint: String,
}

/// A family of tools that was found in the checkout.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Runner)]
struct RunnerView {
    /// The family.
    runner: String,
    /// Folders with a manifest of it, outermost first; the root is empty.
    roots: Vec<String>,
    /// The gates it can prove.
    gates: Vec<GateName>,
    /// What it needs and the machine lacks.
    missing: Vec<MissingTool>,
}

impl From<Found> for RunnerView {
    fn from(found: Found) -> Self {
        Self {
            runner: found.runner,
            roots: found.roots,
            gates: found.gates.into_keys().collect(),
            missing: found.missing.into_iter().map(|(tool, hint)| MissingTool { tool, hint }).collect(),
        }
    }
}

/// What was found, and the policy that would let it run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Runners)]
struct RunnersView {
    /// The families.
    items: Vec<RunnerView>,
    /// Always null: the list is short.
    next_cursor: Option<String>,
    /// How many there are.
    total: u64,
    /// A policy for a person to look at and save: the defaults, and the commands of what was found.
    starter_policy: Policy,
}

/// The families of tools that were found, what they lack, and how to get it.
#[utoipa::path(get, path = "/projects/{p}/proof/runners", tag = "proof",
    params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = RunnersView), Refusals))]
async fn runners(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<RunnersView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let catalogue = ground::catalogue(&app.engine, &project).await?;
    let starter_policy = ground::starter(&project, &catalogue);
    let items: Vec<RunnerView> = catalogue.found.into_iter().map(RunnerView::from).collect();
    Ok(axum::Json(RunnersView { total: items.len() as u64, next_cursor: None, items, starter_policy }))
}

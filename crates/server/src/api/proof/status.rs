//! Where a project stands, and whether what it rests on is intact.

use std::collections::BTreeMap;

use axum::extract::State;
use engine::proof::{
    evidence::{Examined, words},
    integrity,
    status::{self, Overview},
};
use model::{
    id::{EvidenceId, RunId},
    proof::{gate::GateName, requirement::RequirementNumber, tree::ObjectId},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{listing, run_view::RunView, visible},
    requirement_view::RequirementView,
};
use crate::{
    app::App,
    auth::Caller,
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(integrity))
}

/// Requirements by status.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StatusCounts {
    /// Something is not proven.
    open: u32,
    /// All is proven.
    satisfied: u32,
    /// A person has taken it over for a time.
    waived: u32,
}

impl From<status::StatusCounts> for StatusCounts {
    fn from(counts: status::StatusCounts) -> Self {
        Self { open: counts.open, satisfied: counts.satisfied, waived: counts.waived }
    }
}

/// Obligations of a gate by verdict.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct VerdictCounts {
    /// Held.
    passed: u32,
    /// Did not hold.
    failed: u32,
    /// Gave no answer.
    unproven: u32,
    /// Left out by a waiver, and not counted above.
    waived: u32,
}

/// The project's files as last seen.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FilesView {
    /// Their tree; null when they have no name or nobody has looked.
    tree: Option<ObjectId>,
    /// The commit they stand on.
    commit: Option<ObjectId>,
    /// Whether they differ from it.
    dirty: bool,
}

/// Where a project stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ProofStatus)]
struct StatusView {
    /// How many requirements there are.
    total: u32,
    /// All of them by status.
    by_status: StatusCounts,
    /// And by severity.
    by_severity: BTreeMap<String, StatusCounts>,
    /// Obligations by gate.
    by_gate: BTreeMap<GateName, VerdictCounts>,
    /// Requirements that rest on another tree's proof.
    stale: u32,
    /// Requirements with tampered evidence.
    tampered: u32,
    /// Requirements whose gates pass and fail on the same files.
    flaky: u32,
    /// The files.
    tree: FilesView,
    /// The proof run that is active.
    active_run: Option<RunView>,
    /// The proof run that ended last.
    last_run: Option<RunView>,
    /// The first requirements: open ones and worse ones first.
    items: Vec<RequirementView>,
}

impl From<Overview> for StatusView {
    fn from(overview: Overview) -> Self {
        let severity = |(severity, counts): (model::proof::requirement::Severity, status::StatusCounts)| {
            (severity.as_str().to_owned(), counts.into())
        };
        let gate = |(gate, counts): (GateName, status::VerdictCounts)| {
            let status::VerdictCounts { passed, failed, unproven, waived } = counts;
            (gate, VerdictCounts { passed, failed, unproven, waived })
        };
        Self {
            total: overview.total,
            by_status: overview.by_status.into(),
            by_severity: overview.by_severity.into_iter().map(severity).collect(),
            by_gate: overview.by_gate.into_iter().map(gate).collect(),
            stale: overview.stale,
            tampered: overview.tampered,
            flaky: overview.flaky,
            tree: FilesView { tree: overview.seen.tree, commit: overview.seen.commit, dirty: overview.seen.dirty },
            active_run: overview.active_run.map(RunView::from),
            last_run: overview.last_run.map(RunView::from),
            items: overview.first.into_iter().map(RequirementView::from).collect(),
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StatusQuery {
    /// Requirements that are shown, 1 to 500; 100 by default.
    limit: Option<u32>,
}

/// Where a project stands on the files of its checkout.
#[utoipa::path(get, path = "/projects/{p}/proof/status", tag = "proof",
    params(("p" = String, Path, description = "key or id"), StatusQuery),
    responses((status = 200, body = StatusView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<StatusQuery>,
) -> Result<axum::Json<StatusView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let limit = listing::limit(query.limit)?;
    Ok(axum::Json(status::status(&app.engine, &project, limit).await?.into()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct IntegrityQuery {
    /// Only this requirement.
    requirement: Option<RequirementNumber>,
}

/// A piece of evidence that was looked at.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CheckedEvidence {
    /// Which.
    evidence: EvidenceId,
    /// Its requirement.
    requirement: RequirementNumber,
    /// Its gate.
    gate: GateName,
    /// Its run.
    run: RunId,
    /// Whether it is what was sealed.
    intact: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

impl From<Examined> for CheckedEvidence {
    fn from(examined: Examined) -> Self {
        Self {
            intact: examined.is_intact(),
            damage: examined.damage().as_ref().map(words),
            evidence: examined.facts.id,
            requirement: examined.facts.requirement,
            gate: examined.facts.gate,
            run: examined.facts.run,
        }
    }
}

/// Whether what the project rests on is what was sealed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Integrity)]
struct IntegrityView {
    /// Whether all of it is.
    intact: bool,
    /// How many pieces were looked at.
    checked: usize,
    /// Each of them, by requirement and gate.
    items: Vec<CheckedEvidence>,
}

/// The newest evidence of each obligation, held against its seal, its journal and its bytes now.
#[utoipa::path(get, path = "/projects/{p}/proof/integrity", tag = "proof",
    params(("p" = String, Path, description = "key or id"), IntegrityQuery),
    responses((status = 200, body = IntegrityView), Refusals))]
async fn integrity(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<IntegrityQuery>,
) -> Result<axum::Json<IntegrityView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let examined = integrity::integrity(&app.engine, &project, query.requirement).await?;
    Ok(axum::Json(IntegrityView {
        intact: examined.iter().all(Examined::is_intact),
        checked: examined.len(),
        items: examined.into_iter().map(CheckedEvidence::from).collect(),
    }))
}

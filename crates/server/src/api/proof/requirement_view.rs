//! How requirements look in answers.

use engine::proof::{requirements::Captured, worth::Worth};
use model::{
    actor::Actor,
    id::EvidenceId,
    proof::{
        classify::{GatesFrom, Kind},
        gate::GateName,
        requirement::{RequirementNumber, Rule, Scope, Severity, Source},
        standing::Status,
        stub::StubAnswer,
        verdict::{Outcome, Reason, Verdict},
        waiver::Waiver,
    },
    time::Timestamp,
};
use serde::Serialize;

/// What one gate has to show, and what it has shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ObligationState)]
pub(super) struct ObligationView {
    /// The gate.
    gate: GateName,
    /// Its rules.
    rules: Vec<Rule>,
    /// What the newest evidence that counts says.
    verdict: Verdict,
    /// Why it is not passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// The evidence it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceId>,
    /// Whether that evidence is of other files than the present ones.
    stale: bool,
    /// Whether a waiver leaves it out.
    waived: bool,
}

/// A requirement and what it is worth on the project's current tree.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RequirementState)]
pub(super) struct RequirementView {
    /// Its id in the project.
    id: RequirementNumber,
    /// One line.
    title: String,
    /// Markdown.
    description: String,
    /// How bad.
    severity: Severity,
    /// Seen where first.
    source: Source,
    /// A link to where it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_url: Option<String>,
    /// What kind of glitch.
    kind: Kind,
    /// What it is about.
    scope: Scope,
    /// Its gates, in order.
    obligations: Vec<ObligationView>,
    /// Other requirements.
    related: Vec<RequirementNumber>,
    /// The board's issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    issue: Option<String>,
    /// Who captured it.
    created_by: Actor,
    /// When.
    created_at: Timestamp,
    /// Rises with every change.
    revision: u64,
    /// Where it stands.
    status: Status,
    /// The worst verdict of what is not waived; absent when all is.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// Whether something rests on other files than the present ones. Never changes the status.
    stale: bool,
    /// Whether a gate lately passed and failed on the same files.
    flaky: bool,
    /// Whether evidence that it rests on is not what was sealed.
    tampered: bool,
    /// When it became satisfied; absent unless it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    satisfied_at: Option<Timestamp>,
    /// The waiver in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver>,
    /// Its stubs, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    stubs: Option<Vec<StubAnswer>>,
}

impl RequirementView {
    /// The same, with its stubs.
    pub(super) fn with_stubs(self, stubs: Vec<StubAnswer>) -> Self {
        Self { stubs: Some(stubs), ..self }
    }
}

impl From<Worth> for RequirementView {
    fn from(worth: Worth) -> Self {
        let (tampered, verdict) = (worth.tampered(), worth.standing.verdict());
        let requirement = worth.requirement;
        let told = |gate: &GateName| worth.standing.obligations.iter().find(|told| told.gate == *gate);
        let obligations = requirement.obligations.into_iter().map(|obligation| {
            let told = told(&obligation.gate);
            let outcome = told.map_or(Outcome::FRESH, |told| told.outcome);
            ObligationView {
                rules: obligation.rules,
                verdict: outcome.verdict(),
                reason: outcome.reason(),
                evidence: told.and_then(|told| told.evidence),
                stale: told.is_some_and(|told| told.stale),
                waived: told.is_some_and(|told| told.waived),
                gate: obligation.gate,
            }
        });
        Self {
            obligations: obligations.collect(),
            id: requirement.id,
            title: requirement.title,
            description: requirement.description,
            severity: requirement.severity,
            source: requirement.source,
            source_url: requirement.source_url,
            kind: requirement.kind,
            scope: requirement.scope,
            related: requirement.related,
            issue: requirement.issue,
            created_by: requirement.created_by,
            created_at: requirement.created_at,
            revision: requirement.revision,
            status: worth.standing.status,
            verdict,
            stale: worth.standing.stale,
            flaky: worth.flaky,
            tampered,
            satisfied_at: worth.satisfied_at,
            waiver: worth.waiver,
            stubs: None,
        }
    }
}

/// Another requirement with the same title: a hint.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SimilarRequirement)]
struct SimilarView {
    /// Its id.
    id: RequirementNumber,
    /// Its title.
    title: String,
    /// Where it stands.
    status: Status,
}

/// A requirement that was captured, or would be.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CapturedRequirement)]
pub(super) struct CapturedView {
    /// The requirement, as it was captured.
    #[serde(flatten)]
    requirement: RequirementView,
    /// What decided its gates.
    gates_from: GatesFrom,
    /// Its gates that are off: they are attached, and no run takes them unless it names them.
    disabled_gates: Vec<GateName>,
    /// Unsatisfied requirements with the same title.
    similar: Vec<SimilarView>,
    /// Whether nothing was stored. Then the id is the one that comes next.
    dry_run: bool,
}

impl CapturedView {
    pub(super) fn of(captured: Captured, dry_run: bool) -> Self {
        let similar = captured.similar.into_iter();
        Self {
            gates_from: captured.gates_from,
            disabled_gates: captured.disabled_gates,
            similar: similar.map(|one| SimilarView { id: one.id, title: one.title, status: one.status }).collect(),
            requirement: RequirementView::from(Worth::fresh(captured.requirement))
                .with_stubs(captured.stubs.unwrap_or_default()),
            dry_run,
        }
    }
}

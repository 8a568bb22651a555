//! Requirements: captured exactly once, listed by what they are worth, changed by their revision
//! (P1 to P12).
//!
//! Files and git are looked at before the transaction, stubs are written after it: a stub that cannot be
//! written never undoes a capture (P9), and a transaction awaits nothing but itself.

use std::sync::Arc;

use model::{
    actor::Actor,
    code::Code,
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    project::Project,
    proof::{
        capture::Draft,
        change::{Changed, Patch},
        classify::GatesFrom,
        gate::GateName,
        requirement::{Requirement, RequirementNumber, Source},
        standing::Status,
        stub::StubAnswer,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Order, RequirementFilter, StoreError, Tx};

use super::{
    surroundings::Around,
    worth::{self, Worth},
};
use crate::{Engine, Once, once};

/// A requirement with the same title that is not satisfied: a hint (P11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Similar {
    /// Its id.
    pub id: RequirementNumber,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: Status,
}

/// What a capture led to, or would lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The requirement.
    pub requirement: Requirement,
    /// What decided its gates (P3).
    pub gates_from: GatesFrom,
    /// Its gates that are off (P4).
    pub disabled_gates: Vec<GateName>,
    /// Others like it.
    pub similar: Vec<Similar>,
    /// Its stubs; none while nobody has tried to write them.
    pub stubs: Option<Vec<StubAnswer>>,
}

/// Captures a requirement, or answers with what the same key captured before (P21).
///
/// # Errors
/// 422 naming each wrong value; then no number is used (P1). 422 [`Code::KeyReused`].
pub async fn capture(
    engine: &Engine,
    project: &Project,
    body: &Value,
    by: &Actor,
    once: Option<Once>,
) -> Result<Captured, Problem> {
    let (captured, seen) = match captured_before(engine, once.clone()).await? {
        Some(captured) => (captured, None),
        None => {
            let around = around(engine, project, body).await?;
            let draft = Arc::new(Draft::read(body, &around, default_source(by))?);
            (store(engine, project, &draft, by, once.clone()).await?, Some(around))
        }
    };
    if captured.stubs.is_some() {
        return Ok(captured);
    }
    let around = match seen {
        Some(around) => around,
        None => Around::of(engine, project, &[]).await?,
    };
    let stubs = around.write_stubs(&captured.requirement).await;
    let captured = Captured { stubs: Some(stubs), ..captured };
    if once.is_some() {
        // From now on a repeat reads this answer and touches no file.
        let told = captured.clone();
        let write = engine.store().write(move |tx| {
            let (once, told) = (once.clone(), told.clone());
            Box::pin(async move { once::answer(tx, once.as_ref(), 201, &told).await })
        });
        write.await?;
    }
    Ok(captured)
}

/// What a capture would lead to. Nothing is stored; the number is the one that comes next, if nobody
/// else takes it.
///
/// # Errors
/// As [`capture`].
pub async fn preview(engine: &Engine, project: &Project, body: &Value, by: &Actor) -> Result<Captured, Problem> {
    let around = around(engine, project, body).await?;
    let draft = Draft::read(body, &around, default_source(by))?;
    let (id, title) = (project.id, draft.title.clone());
    let (last, similar) = engine
        .store()
        .read(move |tx| {
            let title = title.clone();
            Box::pin(async move {
                let last = tx.requirements(id, &RequirementFilter::default(), Order::Newest, None, 1).await?;
                let last = last.first().map_or(0, |last| last.requirement.id.number());
                Ok::<_, Problem>((last, similar(tx, id, &title, None).await?))
            })
        })
        .await?;
    let next = RequirementNumber::new(last.saturating_add(1)).ok_or_else(full)?;
    let requirement = draft.numbered(project.id, next, by.clone(), engine.now());
    let stubs = around.stubs_seen(&requirement);
    Ok(Captured {
        gates_from: draft.gates_from,
        disabled_gates: draft.disabled_gates().into_iter().cloned().collect(),
        similar,
        stubs: Some(stubs),
        requirement,
    })
}

/// One requirement with what it is worth.
///
/// # Errors
/// 404.
pub async fn requirement(engine: &Engine, project: &Project, id: RequirementNumber) -> Result<Worth, Problem> {
    let (project, now) = (project.id, engine.now());
    engine.store().read(move |tx| Box::pin(async move { worth::one(tx, project, id, now).await })).await
}

/// Which stubs a requirement has, and which of them are there.
///
/// # Errors
/// 404; 422 [`Code::ConfigInvalid`].
pub async fn stubs_seen(engine: &Engine, project: &Project, id: RequirementNumber) -> Result<Vec<StubAnswer>, Problem> {
    let found = requirement(engine, project, id).await?;
    Ok(Around::of(engine, project, &[]).await?.stubs_seen(&found.requirement))
}

/// Writes the stubs of a requirement that are not there (P9).
///
/// # Errors
/// As [`stubs_seen`]; 409 [`Code::CheckoutMissing`], since this was asked for and nothing else.
pub async fn write_stubs(
    engine: &Engine,
    project: &Project,
    id: RequirementNumber,
) -> Result<Vec<StubAnswer>, Problem> {
    let found = requirement(engine, project, id).await?;
    let around = Around::of(engine, project, &[]).await?;
    if around.root().is_none() {
        return Err(Problem::new(Code::CheckoutMissing, Code::CheckoutMissing.title()));
    }
    Ok(around.write_stubs(&found.requirement).await)
}

/// Changes a requirement that still has the revision that was read (P12). `may_weaken` says whether the
/// caller could weaken it; it is asked only when the change does.
///
/// # Errors
/// 404, 412, 422 naming each wrong value; `may_weaken`'s refusal; [`Code::ReasonRequired`].
pub async fn change(
    engine: &Engine,
    project: &Project,
    id: RequirementNumber,
    body: &Value,
    revision: u64,
    by: &Actor,
    may_weaken: Result<(), Problem>,
) -> Result<Worth, Problem> {
    let old = requirement(engine, project, id).await?.requirement;
    fits(&old, revision)?;
    let around = around(engine, project, body).await?;
    let patch = Patch::read(body, &old, &around)?;
    let changed = match (patch.apply(&old), &may_weaken) {
        (Err(problem), Err(refused)) if problem.code == Code::ReasonRequired => return Err(refused.clone()),
        (Err(problem), _) => return Err(problem),
        (Ok(changed), Err(refused)) if !changed.weakens.is_empty() => return Err(refused.clone()),
        (Ok(changed), _) => Arc::new(changed),
    };
    let (project, now, by, reason) = (project.id, engine.now(), by.clone(), patch.reason.clone());
    engine
        .store()
        .write(move |tx| {
            let (changed, by, reason) = (changed.clone(), by.clone(), reason.clone());
            Box::pin(async move {
                let kept = tx.requirement(project, id).await?.ok_or_else(Problem::not_found)?;
                fits(&kept.requirement, revision)?;
                if changed.fields.is_empty() {
                    return worth::one(tx, project, id, now).await;
                }
                tx.requirement_update(&changed.new, revision).await?;
                let facts = facts_of(&changed, &by, reason.as_deref());
                if !changed.weakens.is_empty() {
                    let entry = NewEntry::new("requirement.changed", facts.clone());
                    tx.journal_append(StreamId::Audit(project), &[entry], now).await?;
                }
                let entry = NewEntry::new("requirement.changed", facts);
                tx.journal_append(StreamId::Project(project), &[entry], now).await?;
                worth::retell(tx, project, id, "the requirement was changed", now).await
            })
        })
        .await
}

fn facts_of(changed: &Changed, by: &Actor, reason: Option<&str>) -> Value {
    json!({
        "requirement": changed.new.id, "revision": changed.new.revision, "fields": changed.fields,
        "weakens": changed.weakens, "added": changed.added, "reason": reason, "actor": by,
    })
}

fn fits(found: &Requirement, revision: u64) -> Result<(), Problem> {
    if found.revision == revision { Ok(()) } else { Err(StoreError::RevisionOld { found: found.revision }.into()) }
}

/// The project as this body needs it.
async fn around(engine: &Engine, project: &Project, body: &Value) -> Result<Around, Problem> {
    let related = body.get("related").and_then(Value::as_array).into_iter().flatten();
    let asked: Vec<RequirementNumber> =
        related.filter_map(Value::as_str).filter_map(|text| text.parse().ok()).take(limits::FILTER_IDS).collect();
    Around::of(engine, project, &asked).await
}

/// A program's capture is an agent's, unless it says otherwise.
const fn default_source(by: &Actor) -> Source {
    match by {
        Actor::Token { .. } | Actor::Run { .. } | Actor::Worker { .. } => Source::Agent,
        Actor::Person { .. } | Actor::System => Source::UserReport,
    }
}

async fn captured_before(engine: &Engine, once: Option<Once>) -> Result<Option<Captured>, Problem> {
    let now = engine.now();
    let look = engine.store().read(move |tx| {
        let once = once.clone();
        Box::pin(async move { once::seen(tx, once.as_ref(), now).await })
    });
    look.await
}

async fn store(
    engine: &Engine,
    project: &Project,
    draft: &Arc<Draft>,
    by: &Actor,
    once: Option<Once>,
) -> Result<Captured, Problem> {
    let (project, now, draft, by) = (project.id, engine.now(), draft.clone(), by.clone());
    engine
        .store()
        .write(move |tx| {
            let (draft, by, once) = (draft.clone(), by.clone(), once.clone());
            Box::pin(async move {
                if let Some(before) = once::answered(tx, once.as_ref(), now).await? {
                    return Ok(before);
                }
                let number = tx.requirement_number(project).await?;
                if number.number() > limits::REQUIREMENTS {
                    return Err(full());
                }
                let requirement = draft.numbered(project, number, by.clone(), now);
                tx.requirement_insert(&requirement).await?;
                let captured = Captured {
                    gates_from: draft.gates_from,
                    disabled_gates: draft.disabled_gates().into_iter().cloned().collect(),
                    similar: similar(tx, project, &requirement.title, Some(number)).await?,
                    stubs: None,
                    requirement,
                };
                let gates = captured.requirement.obligations.iter().map(|obligation| &obligation.gate);
                let facts = json!({
                    "requirement": number, "title": captured.requirement.title, "revision": 1, "actor": by,
                    "severity": captured.requirement.severity, "kind": captured.requirement.kind,
                    "source": captured.requirement.source, "gates": gates.collect::<Vec<_>>(),
                });
                let entry = NewEntry::new("requirement.captured", facts);
                tx.journal_append(StreamId::Project(project), &[entry], now).await?;
                once::answer(tx, once.as_ref(), 201, &captured).await?;
                Ok(captured)
            })
        })
        .await
}

async fn similar(
    tx: &mut Tx,
    project: model::id::ProjectId,
    title: &str,
    except: Option<RequirementNumber>,
) -> Result<Vec<Similar>, Problem> {
    let found = tx.requirements_similar(project, title, except).await?.into_iter();
    let hint = |kept: store::KeptRequirement| Similar {
        id: kept.requirement.id,
        title: kept.requirement.title,
        status: kept.memory.status,
    };
    Ok(found.map(hint).collect())
}

fn full() -> Problem {
    let message = format!("a project has at most {} requirements", limits::REQUIREMENTS);
    Problem::new(Code::TooMany, message).with_hint("register another project for the rest")
}

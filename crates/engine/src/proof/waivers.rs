//! Waivers: a person's dated exception, its end, and its history (P64 to P66).
//!
//! Who may ask is the caller's business; that it is a person, and where the project wants it a second
//! one, is held here as well, since nothing else could put it right later.

use model::{
    actor::Actor,
    code::Code,
    id::{ProjectId, WaiverId},
    problem::Problem,
    project::Project,
    proof::{
        form::{Form, Text},
        requirement::RequirementNumber,
        settings::ProofSettings,
        waiver::{Waiver, WaiverAsked, WaiverEnd, WaiverEndKind},
    },
    time::{Day, Timestamp},
};
use serde_json::{Value, json};
use store::Tx;

use super::worth;
use crate::{
    Engine, Once, once,
    projects::{proof_settings, told},
};

/// Grants a waiver in the place of the one in force, or answers with what the same key granted before.
///
/// # Errors
/// 404; 403 [`Code::PersonRequired`], [`Code::FourEyes`]; 422 naming what is wrong.
pub async fn grant(
    engine: &Engine,
    project: &Project,
    requirement: RequirementNumber,
    body: &Value,
    by: &Actor,
    once: Option<Once>,
) -> Result<Waiver, Problem> {
    person(by, "waive")?;
    let id = WaiverId::from_uuid(engine.clock().id());
    let (project, now, by, body) = (project.id, engine.now(), by.clone(), body.clone());
    engine
        .store()
        .write(move |tx| {
            let (by, body, once) = (by.clone(), body.clone(), once.clone());
            Box::pin(async move {
                if let Some(before) = once::answered(tx, once.as_ref(), now).await? {
                    return tx.waiver(project, before).await?.ok_or_else(Problem::not_found);
                }
                let subject = tx.requirement(project, requirement).await?.ok_or_else(Problem::not_found)?.requirement;
                let asked = WaiverAsked::read(&body, &subject, now.day())?;
                four_eyes(&proof_settings(tx, project).await?, &by, &[&subject.created_by])?;
                let replaced = replace(tx, project, requirement, &by, now).await?;
                let waiver = Waiver {
                    id,
                    project,
                    requirement,
                    gates: asked.gates,
                    reason: asked.reason,
                    expires: asked.expires,
                    checklist: asked.checklist,
                    approved_by: by,
                    granted_at: now,
                    ended: None,
                };
                tx.waiver_insert(&waiver).await?;
                let facts = json!({
                    "requirement": requirement, "waiver": id, "gates": waiver.gates, "reason": waiver.reason,
                    "expires": waiver.expires, "checklist": waiver.checklist, "replaces": replaced,
                    "actor": waiver.approved_by,
                });
                told(tx, project, "waiver.granted", facts, now).await?;
                worth::retell(tx, project, requirement, "a waiver was granted", now).await?;
                once::answer(tx, once.as_ref(), 201, &id).await?;
                Ok(waiver)
            })
        })
        .await
}

/// Takes a waiver back.
///
/// # Errors
/// 404; 403 [`Code::PersonRequired`]; 422 [`Code::ReasonRequired`]; 409 [`Code::WaiverEnded`], also for
/// one whose last day has passed.
pub async fn revoke(
    engine: &Engine,
    project: &Project,
    requirement: RequirementNumber,
    id: WaiverId,
    body: &Value,
    by: &Actor,
) -> Result<Waiver, Problem> {
    person(by, "revoke a waiver")?;
    let (project, now, by, why) = (project.id, engine.now(), by.clone(), reason(body)?);
    engine
        .store()
        .write(move |tx| {
            let (by, why) = (by.clone(), why.clone());
            Box::pin(async move {
                let found = tx.waiver(project, id).await?.filter(|waiver| waiver.requirement == requirement);
                let found = shown(found.ok_or_else(Problem::not_found)?, now.day());
                if let Some(end) = &found.ended {
                    return Err(ended(end));
                }
                let end = WaiverEnd { at: now, by: by.clone(), kind: WaiverEndKind::Revoked, why: why.clone() };
                let Some(waiver) = tx.waiver_end(id, &end).await? else { return Err(ended(&end)) };
                let facts = json!({"requirement": requirement, "waiver": id, "reason": why, "actor": by});
                told(tx, project, "waiver.revoked", facts, now).await?;
                worth::retell(tx, project, requirement, "a waiver was revoked", now).await?;
                Ok(waiver)
            })
        })
        .await
}

/// A requirement's waivers, newest first.
///
/// # Errors
/// 404.
pub async fn history(
    engine: &Engine,
    project: &Project,
    requirement: RequirementNumber,
) -> Result<Vec<Waiver>, Problem> {
    let (project, today) = (project.id, engine.now().day());
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                tx.requirement(project, requirement).await?.ok_or_else(Problem::not_found)?;
                let waivers = tx.waivers_of(project, requirement).await?;
                Ok(waivers.into_iter().map(|waiver| shown(waiver, today)).collect())
            })
        })
        .await
}

/// Writes down the ends of waivers whose last day has passed. They had ended for every reader before:
/// this only tells it (P64). How many.
pub async fn expire_due(engine: &Engine) -> Result<usize, Problem> {
    let now = engine.now();
    let due =
        engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.waivers_due(now).await?) })).await?;
    let mut told = 0;
    for waiver in due {
        let write = engine.store().write(move |tx| {
            let waiver = waiver.clone();
            Box::pin(async move {
                let is_news = expire(tx, &waiver, now).await?;
                if is_news {
                    worth::retell(tx, waiver.project, waiver.requirement, "a waiver ran out", now).await?;
                }
                Ok::<_, Problem>(is_news)
            })
        });
        told += usize::from(write.await?);
    }
    Ok(told)
}

/// Whether a second person is needed, and this is none: neither of `others` may decide (P66).
///
/// # Errors
/// 403 [`Code::FourEyes`].
pub fn four_eyes(settings: &ProofSettings, by: &Actor, others: &[&Actor]) -> Result<(), Problem> {
    let same = |other: &&Actor| match (by, *other) {
        // Names change, ids do not.
        (Actor::Person { id, .. }, Actor::Person { id: other, .. }) => id == other,
        (one, other) => one == other,
    };
    if settings.four_eyes && others.iter().any(same) {
        return Err(Problem::new(Code::FourEyes, "whoever captured or started it cannot also decide it"));
    }
    Ok(())
}

/// A waiver as every reader sees it: one whose last day has passed has ended, written down or not.
pub fn shown(waiver: Waiver, today: Day) -> Waiver {
    let ended = waiver.ended.clone().or_else(|| expiry(&waiver).filter(|_| !waiver.holds_on(today)));
    Waiver { ended, ..waiver }
}

fn expiry(waiver: &Waiver) -> Option<WaiverEnd> {
    waiver.expires.map(|last| WaiverEnd {
        at: last.end(),
        by: Actor::System,
        kind: WaiverEndKind::Expired,
        why: format!("its last day, {last}, has passed (UTC)"),
    })
}

async fn expire(tx: &mut Tx, waiver: &Waiver, now: Timestamp) -> Result<bool, Problem> {
    let Some(end) = expiry(waiver) else { return Ok(false) };
    if tx.waiver_end(waiver.id, &end).await?.is_none() {
        return Ok(false);
    }
    let facts = json!({
        "requirement": waiver.requirement, "waiver": waiver.id, "expires": waiver.expires, "actor": Actor::System,
    });
    told(tx, waiver.project, "waiver.expired", facts, now).await?;
    Ok(true)
}

/// Ends the waiver that stands where a new one goes. Its id.
async fn replace(
    tx: &mut Tx,
    project: ProjectId,
    requirement: RequirementNumber,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<WaiverId>, Problem> {
    let Some(old) = tx.waiver_current(project, requirement).await? else { return Ok(None) };
    if !old.holds_on(now.day()) {
        expire(tx, &old, now).await?;
        return Ok(None);
    }
    let why = "a newer waiver took its place".to_owned();
    let end = WaiverEnd { at: now, by: by.clone(), kind: WaiverEndKind::Replaced, why };
    tx.waiver_end(old.id, &end).await?;
    let facts = json!({"requirement": requirement, "waiver": old.id, "reason": end.why, "actor": by});
    told(tx, project, "waiver.revoked", facts, now).await?;
    Ok(Some(old.id))
}

fn person(by: &Actor, what: &str) -> Result<(), Problem> {
    let refused = || Problem::new(Code::PersonRequired, format!("only a person may {what}"));
    if by.is_person() { Ok(()) } else { Err(refused()) }
}

fn ended(end: &WaiverEnd) -> Problem {
    Problem::new(Code::WaiverEnded, Code::WaiverEnded.title()).with("ended", json!(end))
}

/// The one field of a revocation.
fn reason(body: &Value) -> Result<String, Problem> {
    let mut form = Form::new(body, "");
    let given = form.value("reason");
    let blank = given.is_none_or(|value| value.as_str().is_some_and(|text| text.trim().is_empty()));
    let reason = if blank { None } else { form.text("reason", Text::lines(2_000)) };
    let errors = form.finish();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    reason.ok_or_else(|| Problem {
        code: Code::ReasonRequired,
        ..Problem::invalid_field("/reason", Code::ReasonRequired.title())
    })
}

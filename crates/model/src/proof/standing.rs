//! What a requirement is worth on a tree: the one function behind lists, pages, selection, the merge
//! gate and publication (P57 to P63).
//!
//! Per obligation it takes the newest evidence on this tree, else the newest settling one as stale,
//! else nothing. Bad news counts when it is recorded; good news when its run has closed over files
//! that did not move.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    gate::GateName,
    requirement::{Requirement, RequirementNumber},
    settings::{ProofSettings, Staleness},
    tree::ObjectId,
    verdict::{Outcome, Reason, Verdict},
    waiver::Waiver,
};
use crate::{
    digest::Digest,
    id::{EvidenceId, RunId, WaiverId},
    time::{Day, Timestamp},
};

/// What standing has to know of one piece of evidence; a narrow row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// Its id.
    pub id: EvidenceId,
    /// Rising over the project.
    pub seq: u64,
    /// Its requirement.
    pub requirement: RequirementNumber,
    /// Its gate.
    pub gate: GateName,
    /// Its run.
    pub run: RunId,
    /// What it showed.
    pub outcome: Outcome,
    /// The files it saw; none when they have no name, which is fresh nowhere.
    pub tree: Option<ObjectId>,
    /// The definition of the gate that made it.
    pub definition: Digest,
    /// Whether its run speaks for the project (P59).
    pub settles: bool,
    /// Whether its run has ended.
    pub closed: bool,
    /// Whether the files changed during its run: its pass counts nowhere (P56).
    pub moved: bool,
    /// Whether it is what was sealed, as last known.
    pub intact: bool,
    /// When.
    pub recorded_at: Timestamp,
}

impl EvidenceFacts {
    /// Whether it has a say yet (P57).
    pub fn counts(&self) -> bool {
        !self.outcome.is_passed() || (self.closed && !self.moved)
    }

    /// What it is worth when read: tampered evidence is unproven, whatever it claims (P52).
    pub fn shown(&self) -> Outcome {
        if self.intact { self.outcome } else { Reason::Tampered.into() }
    }
}

/// Against what a requirement is held.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The files in question; none when they have no name, on which nothing is fresh.
    pub tree: Option<&'a ObjectId>,
    /// The UTC day.
    pub today: Day,
    /// The project's settings.
    pub settings: &'a ProofSettings,
    /// Digests of gate definitions that the merge gate takes: the default branch's own and accepted ones.
    pub accepted: &'a HashSet<Digest>,
}

/// The status of a requirement. Derived, never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is not proven.
    Open,
    /// Everything that is asked is proven and intact.
    Satisfied,
    /// A person has taken it over for a time.
    Waived,
}

impl Status {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Satisfied => "satisfied",
            Self::Waived => "waived",
        }
    }
}

/// What one obligation is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObligationStanding {
    /// Its gate.
    pub gate: GateName,
    /// Verdict and reason.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceId>,
    /// Whether that evidence is of another tree.
    pub stale: bool,
    /// Whether a waiver leaves it out.
    pub waived: bool,
    /// Why the merge gate does not take it; none when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Reason>,
}

impl ObligationStanding {
    /// Whether the merge gate takes it.
    pub const fn is_clear(&self) -> bool {
        self.waived || self.blocks.is_none()
    }
}

/// What a requirement is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// Its status.
    pub status: Status,
    /// Whether the merge gate takes it.
    pub clear: bool,
    /// Whether something that counts rests on another tree's proof. Never changes the status (P58).
    pub stale: bool,
    /// The waiver in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<WaiverId>,
    /// Each obligation, in order.
    pub obligations: Vec<ObligationStanding>,
}

impl Standing {
    /// The obligations that the merge gate does not take.
    pub fn blocking(&self) -> impl Iterator<Item = &ObligationStanding> {
        self.obligations.iter().filter(|obligation| !obligation.is_clear())
    }

    /// The worst verdict of what is not waived; none when all is.
    pub fn verdict(&self) -> Option<Verdict> {
        let judged = self.obligations.iter().filter(|obligation| !obligation.waived);
        judged.map(|obligation| obligation.outcome.verdict()).max()
    }
}

/// What a requirement is worth on this ground. `evidence` may be all there is about it, or, per gate,
/// the newest that counts on this tree and the newest that counts and settles: the answer is the same.
pub fn standing<'e>(
    requirement: &Requirement,
    evidence: impl IntoIterator<Item = &'e EvidenceFacts>,
    waiver: Option<&Waiver>,
    ground: &Ground<'_>,
) -> Standing {
    let waiver = waiver.filter(|waiver| waiver.requirement == requirement.id && waiver.holds_on(ground.today));
    // At most sixteen obligations: a slot each, filled in one pass over the evidence.
    let mut here: Vec<Option<&EvidenceFacts>> = vec![None; requirement.obligations.len()];
    let mut settling: Vec<Option<&EvidenceFacts>> = here.clone();
    for facts in evidence {
        if facts.requirement != requirement.id || !facts.counts() {
            continue;
        }
        let Some(at) = requirement.obligations.iter().position(|obligation| obligation.gate == facts.gate) else {
            continue;
        };
        let newer = |slot: &Option<&EvidenceFacts>| slot.is_none_or(|before| before.seq < facts.seq);
        if facts.tree.is_some() && facts.tree.as_ref() == ground.tree && newer(&here[at]) {
            here[at] = Some(facts);
        }
        if facts.settles && newer(&settling[at]) {
            settling[at] = Some(facts);
        }
    }

    let obligations: Vec<ObligationStanding> = requirement
        .obligations
        .iter()
        .enumerate()
        .map(|(at, obligation)| {
            let stale = here[at].is_none() && settling[at].is_some();
            let facts = here[at].or(settling[at]);
            let outcome = facts.map_or(Outcome::FRESH, EvidenceFacts::shown);
            ObligationStanding {
                gate: obligation.gate.clone(),
                outcome,
                evidence: facts.map(|facts| facts.id),
                stale,
                waived: waiver.is_some_and(|waiver| waiver.covers(&obligation.gate)),
                blocks: blocks(outcome, stale, facts, ground),
            }
        })
        .collect();

    let asked = || obligations.iter().filter(|obligation| !obligation.waived);
    let status = if obligations.iter().all(|obligation| obligation.waived) {
        Status::Waived
    } else if asked().all(|obligation| obligation.outcome.is_passed()) {
        Status::Satisfied
    } else {
        Status::Open
    };
    Standing {
        requirement: requirement.id,
        status,
        clear: obligations.iter().all(ObligationStanding::is_clear),
        stale: asked().any(|obligation| obligation.stale),
        waiver: waiver.map(|waiver| waiver.id),
        obligations,
    }
}

fn blocks(outcome: Outcome, stale: bool, facts: Option<&EvidenceFacts>, ground: &Ground<'_>) -> Option<Reason> {
    if let Some(reason) = outcome.reason() {
        return Some(reason);
    }
    if facts.is_none_or(|facts| !ground.accepted.contains(&facts.definition)) {
        return Some(Reason::DefinitionChanged);
    }
    (stale && ground.settings.staleness == Staleness::Strict).then_some(Reason::Stale)
}

/// Whether the last 20 evidences of one obligation hold a pass and a failure on the same tree (P63).
/// In any order; more than 20 are cut to the newest.
pub fn is_flaky<'e>(evidence: impl IntoIterator<Item = &'e EvidenceFacts>) -> bool {
    let mut newest: Vec<&EvidenceFacts> = evidence.into_iter().collect();
    newest.sort_unstable_by_key(|facts| std::cmp::Reverse(facts.seq));
    newest.truncate(20);
    let on = |verdict: Verdict| {
        let of_verdict = newest.iter().filter(move |facts| facts.outcome.verdict() == verdict);
        of_verdict.filter_map(|facts| facts.tree.as_ref()).collect::<HashSet<_>>()
    };
    let passed = on(Verdict::Passed);
    on(Verdict::Failed).iter().any(|tree| passed.contains(tree))
}

/// A change of status that is written down once (P62).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settled {
    /// Before.
    pub from: Status,
    /// After.
    pub to: Status,
}

/// What is stored about the status, so that its changes can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusMemory {
    /// The status as last told.
    pub status: Status,
    /// When it became satisfied; none unless it is.
    pub satisfied_at: Option<Timestamp>,
}

impl StatusMemory {
    /// Of a requirement that was just captured.
    pub const NEW: Self = Self { status: Status::Open, satisfied_at: None };

    /// The memory after the status was found to be `now_is`, and the change to tell, if any.
    pub fn on(self, now_is: Status, now: Timestamp) -> (Self, Option<Settled>) {
        if self.status == now_is {
            return (self, None);
        }
        let satisfied_at = (now_is == Status::Satisfied).then_some(now);
        (Self { status: now_is, satisfied_at }, Some(Settled { from: self.status, to: now_is }))
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
pub(super) mod tests;

//! The merge gate: may this tree be merged, and if not, what stands in the way? (P69 to P71)
//!
//! Built from standing, not from runs. It fails closed: there is an answer only when everything could be
//! read, and an error of any kind is for the caller to answer as such, never as clear (P70).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    gate::GateName,
    requirement::{Requirement, RequirementNumber, Severity},
    scope::Changes,
    settings::{CheckScope, Enforcement, ProofSettings, Staleness},
    standing::Standing,
    tree::ObjectId,
    verdict::{Reason, Verdict},
    waiver::Waiver,
};
use crate::{
    actor::Actor,
    id::{EvidenceId, WaiverId},
    time::Day,
};

/// A gate that is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockingGate {
    /// The gate.
    pub gate: GateName,
    /// What it said.
    pub verdict: Verdict,
    /// Why it is not taken.
    pub reason: Reason,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceId>,
}

/// A requirement that is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blocking {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// Its title.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Its gates that are not taken.
    pub gates: Vec<BlockingGate>,
}

/// A waiver that the answer leans on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaiverUse {
    /// The waiver.
    pub id: WaiverId,
    /// Its requirement.
    pub requirement: RequirementNumber,
    /// The gates it leaves out; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<GateName>>,
    /// Why.
    pub reason: String,
    /// Its last UTC day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// Who.
    pub approved_by: Actor,
}

/// How many requirements are in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckCounts {
    /// In scope.
    pub in_scope: u32,
    /// Of those, clear.
    pub clear: u32,
    /// Of those, clear because a waiver leaves out all of it.
    pub waived: u32,
    /// Of those, in the way.
    pub blocking: u32,
    /// Not in scope.
    pub outside_scope: u32,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// Whether everything in scope is clear.
    pub clear: bool,
    /// Whether an override lets it through; there are none yet, so never.
    pub overridden: bool,
    /// The tree in question; none when the files have no name.
    pub tree: Option<ObjectId>,
    /// What proof of another tree is worth.
    pub staleness: Staleness,
    /// Which requirements were asked about.
    pub scope: CheckScope,
    /// What it means when it is not clear.
    pub enforcement: Enforcement,
    /// What is in the way, worst severity first.
    pub blocking: Vec<Blocking>,
    /// The waivers it leans on.
    pub waivers: Vec<WaiverUse>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// How many.
    pub counts: CheckCounts,
    /// One sentence; never empty.
    pub message: String,
}

/// One requirement with what it is worth and the waiver that may be in force.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    /// The requirement.
    pub requirement: &'a Requirement,
    /// What it is worth on the tree.
    pub standing: &'a Standing,
    /// Its waiver, if it has one.
    pub waiver: Option<&'a Waiver>,
}

/// What the question was.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The tree; none when the files have no name.
    pub tree: Option<&'a ObjectId>,
    /// Which requirements.
    pub scope: CheckScope,
    /// What changed, for [`CheckScope::Changed`].
    pub changes: &'a Changes<'a>,
    /// Whether nothing in scope is clear; the settings may say so, too.
    pub allow_empty: bool,
    /// The project's settings.
    pub settings: &'a ProofSettings,
}

/// A number of requirements with its verb.
fn requirements(count: u32) -> String {
    if count == 1 { "1 requirement is".to_owned() } else { format!("{count} requirements are") }
}

/// The answer to a question.
pub fn check<'a>(question: &Question<'_>, checked: impl IntoIterator<Item = Checked<'a>>) -> CheckAnswer {
    let settings = question.settings;
    let mut counts = CheckCounts::default();
    let mut blocking = Vec::new();
    let mut waivers = Vec::new();
    let mut stale = 0u32;
    for Checked { requirement, standing, waiver } in checked {
        if question.scope == CheckScope::Changed && !question.changes.meet(&requirement.scope) {
            counts.outside_scope += 1;
            continue;
        }
        counts.in_scope += 1;
        if let Some(waiver) = waiver.filter(|waiver| standing.waiver == Some(waiver.id)) {
            waivers.push(WaiverUse {
                id: waiver.id,
                requirement: requirement.id,
                gates: waiver.gates.clone(),
                reason: waiver.reason.clone(),
                expires: waiver.expires,
                approved_by: waiver.approved_by.clone(),
            });
        }
        if standing.clear {
            counts.clear += 1;
            counts.waived += u32::from(standing.obligations.iter().all(|obligation| obligation.waived));
            stale += u32::from(standing.stale);
            continue;
        }
        counts.blocking += 1;
        let gates = standing.blocking().map(|obligation| BlockingGate {
            gate: obligation.gate.clone(),
            verdict: obligation.outcome.verdict(),
            reason: obligation.blocks.unwrap_or(Reason::InternalError),
            evidence: obligation.evidence,
        });
        blocking.push(Blocking {
            requirement: requirement.id,
            title: requirement.title.clone(),
            severity: requirement.severity,
            gates: gates.collect(),
        });
    }
    blocking.sort_by_key(|one| (std::cmp::Reverse(one.severity), one.requirement));

    let empty = counts.in_scope == 0;
    let allow_empty = question.allow_empty || settings.allow_empty;
    let clear = blocking.is_empty() && (!empty || allow_empty);
    let mut warnings = Vec::new();
    if stale > 0 {
        warnings.push(format!("{} resting on proof of another tree", requirements(stale)));
    }
    if question.tree.is_none() {
        warnings.push("the files have no tree name (a dirty submodule?), so no proof is fresh on them".to_owned());
    }
    if question.scope == CheckScope::Changed && !question.changes.are_known() {
        warnings.push("the changed files could not be found out, so every requirement is in scope".to_owned());
    }
    if settings.enforcement == Enforcement::Warn && !clear {
        warnings.push("not clear; the project only warns, so nothing is blocked".to_owned());
    }
    let message = match (clear, empty) {
        (true, true) => "no requirement is in scope, which this project allows".to_owned(),
        (false, true) => "no requirement is in scope, so nothing is proven".to_owned(),
        (true, false) => {
            let waived = if counts.waived > 0 { format!(", {} of them waived", counts.waived) } else { String::new() };
            format!("{} clear{waived}", requirements(counts.clear))
        }
        (false, false) => {
            let first = blocking.first().and_then(|one| Some((one, one.gates.first()?)));
            let first = first.map_or(String::new(), |(one, gate)| {
                format!(", first {} ({} {})", one.requirement, gate.gate, gate.reason)
            });
            format!("{} of {} in the way{first}", counts.blocking, requirements(counts.in_scope))
        }
    };
    CheckAnswer {
        clear,
        overridden: false,
        tree: question.tree.cloned(),
        staleness: settings.staleness,
        scope: question.scope,
        enforcement: settings.enforcement,
        blocking,
        waivers,
        warnings,
        counts,
        message,
    }
}

impl CheckAnswer {
    /// What `proofhouse proof check --exit-code` ends with: 0 clear, 1 something failed, 3 unproven, stale,
    /// tampered or empty. `warn` changes this number only (P71).
    pub fn exit_code(&self) -> u8 {
        let failed = || self.blocking.iter().flat_map(|one| &one.gates).any(|gate| gate.verdict == Verdict::Failed);
        match (self.clear, self.enforcement) {
            (true, _) | (false, Enforcement::Warn) => 0,
            (false, Enforcement::Block) if failed() => 1,
            (false, Enforcement::Block) => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{
        capture::tests::captured,
        config::ScopeMaps,
        standing::{
            EvidenceFacts, standing,
            tests::{Stage, fact, tree},
        },
        verdict::Outcome,
        waiver::tests::waiver,
    };
    use super::*;

    struct Case {
        stage: Stage,
        facts: Vec<EvidenceFacts>,
        waiver: Option<Waiver>,
        requirements: usize,
        allow_empty: bool,
        changed: Option<&'static str>,
    }

    impl Default for Case {
        fn default() -> Self {
            let facts = vec![fact(1, "unit", Outcome::PASSED)];
            Self { stage: Stage::default(), facts, waiver: None, requirements: 1, allow_empty: false, changed: None }
        }
    }

    impl Case {
        fn answer(&self) -> CheckAnswer {
            let body = json!({"title": "t", "description": "d", "gates": ["unit"], "scope": {"files": ["src"]}});
            let requirement = captured(&body);
            let standing = standing(&requirement, &self.facts, self.waiver.as_ref(), &self.stage.ground());
            let maps = ScopeMaps::default();
            let changes = Changes::of(self.changed, &maps);
            let question = Question {
                tree: self.stage.tree.as_ref(),
                scope: if self.changed.is_some() { CheckScope::Changed } else { CheckScope::All },
                changes: &changes,
                allow_empty: self.allow_empty,
                settings: &self.stage.settings,
            };
            let one = Checked { requirement: &requirement, standing: &standing, waiver: self.waiver.as_ref() };
            check(&question, std::iter::repeat_n(one, self.requirements))
        }
    }

    fn with(change: impl Fn(&mut EvidenceFacts)) -> Case {
        let mut case = Case::default();
        change(&mut case.facts[0]);
        case
    }

    /// P69: every reason, and the exit code of section 7.
    #[test]
    fn the_gate_names_what_is_in_the_way() {
        let cases: Vec<(Case, Option<Reason>, u8)> = vec![
            (Case::default(), None, 0),
            (Case { facts: Vec::new(), ..Case::default() }, Some(Reason::NeverRan), 3),
            (with(|f| f.outcome = Reason::TestFailed.into()), Some(Reason::TestFailed), 1),
            (with(|f| f.outcome = Reason::NoRunner.into()), Some(Reason::NoRunner), 3),
            (with(|f| f.tree = Some(tree('b'))), Some(Reason::Stale), 3),
            (with(|f| f.intact = false), Some(Reason::Tampered), 3),
            (with(|f| f.definition = crate::digest::Digest::of(b"x")), Some(Reason::DefinitionChanged), 3),
            (with(|f| f.closed = false), Some(Reason::NeverRan), 3),
        ];
        for (case, reason, exit) in cases {
            let answer = case.answer();
            assert_eq!(answer.clear, reason.is_none(), "{answer:?}");
            assert_eq!(answer.blocking.first().map(|one| one.gates[0].reason), reason);
            assert_eq!(answer.exit_code(), exit, "{answer:?}");
            assert!(!answer.message.is_empty() && !answer.overridden);
        }
    }

    /// P69: no requirement in scope is not clear, unless somebody allows it.
    #[test]
    fn nothing_in_scope_is_not_clear() {
        let empty = Case { requirements: 0, ..Case::default() };
        assert_eq!((empty.answer().clear, empty.answer().exit_code()), (false, 3));
        assert!(Case { allow_empty: true, ..empty }.answer().clear);
        let mut by_setting = Case { requirements: 0, ..Case::default() };
        by_setting.stage.settings.allow_empty = true;
        assert!(by_setting.answer().clear);
        // P71: the scope of the question.
        let outside = Case { changed: Some("docs/a"), facts: Vec::new(), ..Case::default() };
        assert_eq!((outside.answer().clear, outside.answer().counts.outside_scope), (false, 1));
        let inside = Case { changed: Some("src/a"), ..Case::default() };
        assert_eq!((inside.answer().clear, inside.answer().counts.in_scope), (true, 1));
        // An allowed emptiness does not let through what blocks.
        let blocked = Case { facts: Vec::new(), allow_empty: true, ..Case::default() };
        assert!(!blocked.answer().clear);
    }

    /// P71: warn changes the exit code and says so; the answer stays.
    #[test]
    fn warn_changes_the_exit_code_only() {
        let mut case = with(|f| f.outcome = Reason::TestFailed.into());
        case.stage.settings.enforcement = Enforcement::Warn;
        let answer = case.answer();
        assert_eq!((answer.clear, answer.exit_code(), answer.blocking.len()), (false, 0, 1));
        assert!(answer.warnings.iter().any(|warning| warning.contains("only warns")));
    }

    /// P58, P65, P69: what the answer leans on is listed.
    #[test]
    fn waivers_and_stale_proof_are_listed() {
        let waived = Case { facts: Vec::new(), waiver: Some(waiver(None, Some("2026-11-21"))), ..Case::default() };
        let answer = waived.answer();
        assert!(answer.clear && answer.message.contains("waived"));
        assert_eq!((answer.waivers.len(), answer.counts.waived), (1, 1));
        let expired = Case { facts: Vec::new(), waiver: Some(waiver(None, Some("2026-11-20"))), ..Case::default() };
        assert!(!expired.answer().clear && expired.answer().waivers.is_empty());
        let mut stale = with(|f| f.tree = Some(tree('b')));
        stale.stage.settings.staleness = Staleness::Advisory;
        assert!(stale.answer().clear && stale.answer().warnings.len() == 1);
        let mut nameless = Case::default();
        nameless.stage.tree = None;
        assert!(!nameless.answer().clear && nameless.answer().warnings.len() == 1);
    }
}

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::proof::{
    capture::tests::captured,
    waiver::tests::{day, waiver},
};

pub(crate) fn tree(digit: char) -> ObjectId {
    digit.to_string().repeat(40).parse().unwrap()
}

pub(crate) fn requirement(gates: &[&str]) -> Requirement {
    captured(&json!({"title": "t", "description": "d", "gates": gates}))
}

/// Closed, settling, intact evidence of an accepted definition on tree `a`.
pub(crate) fn fact(seq: u64, gate: &str, outcome: Outcome) -> EvidenceFacts {
    EvidenceFacts {
        id: EvidenceId::from_uuid(Uuid::from_u128(u128::from(seq))),
        seq,
        requirement: RequirementNumber::new(7).unwrap(),
        gate: gate.parse().unwrap(),
        run: RunId::from_uuid(Uuid::nil()),
        outcome,
        tree: Some(tree('a')),
        definition: Digest::of(b"own"),
        settles: true,
        closed: true,
        moved: false,
        intact: true,
        recorded_at: Timestamp::default(),
    }
}

const PASS: Outcome = Outcome::PASSED;
const FAIL: Outcome = Outcome::because(Reason::TestFailed);

pub(crate) struct Stage {
    pub settings: ProofSettings,
    pub accepted: HashSet<Digest>,
    pub tree: Option<ObjectId>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            settings: ProofSettings::default(),
            accepted: HashSet::from([Digest::of(b"own")]),
            tree: Some(tree('a')),
        }
    }
}

impl Stage {
    pub fn ground(&self) -> Ground<'_> {
        Ground {
            tree: self.tree.as_ref(),
            today: day("2026-11-21"),
            settings: &self.settings,
            accepted: &self.accepted,
        }
    }

    fn one(&self, facts: &[EvidenceFacts]) -> Standing {
        standing(&requirement(&["unit"]), facts, None, &self.ground())
    }
}

fn blocks(standing: &Standing) -> Vec<Reason> {
    standing.blocking().filter_map(|obligation| obligation.blocks).collect()
}

#[test]
fn nothing_ran_is_open_and_not_clear() {
    // P62
    let fresh = Stage::default().one(&[]);
    assert_eq!((fresh.status, fresh.clear, fresh.stale), (Status::Open, false, false));
    assert_eq!(blocks(&fresh), [Reason::NeverRan]);
    let good = Stage::default().one(&[fact(1, "unit", PASS)]);
    assert_eq!(
        (good.status, good.clear, good.stale, good.verdict()),
        (Status::Satisfied, true, false, Some(Verdict::Passed))
    );
}

#[test]
fn the_newest_on_this_tree_wins_by_number() {
    // P62: by seq, in whatever order they come.
    let stage = Stage::default();
    assert!(!stage.one(&[fact(2, "unit", FAIL), fact(1, "unit", PASS)]).clear);
    assert!(stage.one(&[fact(2, "unit", PASS), fact(1, "unit", FAIL)]).clear);
    // A newer one of another tree does not matter while this tree has its own.
    let elsewhere = EvidenceFacts { tree: Some(tree('b')), ..fact(9, "unit", FAIL) };
    assert!(stage.one(&[fact(1, "unit", PASS), elsewhere]).clear);
}

#[test]
fn evidence_of_several_runs_adds_up() {
    // P62: not "all in one run".
    let stage = Stage::default();
    let both = requirement(&["unit", "e2e"]);
    let facts = [fact(1, "unit", PASS), fact(2, "e2e", PASS)];
    assert!(standing(&both, &facts, None, &stage.ground()).clear);
    assert_eq!(blocks(&standing(&both, &facts[..1], None, &stage.ground())), [Reason::NeverRan]);
}

#[test]
fn bad_news_counts_at_once_good_news_at_the_end() {
    // P57, P56
    let stage = Stage::default();
    let open = |outcome| EvidenceFacts { closed: false, ..fact(2, "unit", outcome) };
    assert_eq!(stage.one(&[fact(1, "unit", PASS), open(FAIL)]).status, Status::Open);
    assert_eq!(stage.one(&[fact(1, "unit", FAIL), open(PASS)]).status, Status::Open);
    let moved = |outcome| EvidenceFacts { moved: true, ..fact(2, "unit", outcome) };
    assert_eq!(blocks(&stage.one(&[moved(PASS)])), [Reason::NeverRan]);
    assert_eq!(blocks(&stage.one(&[fact(1, "unit", PASS), moved(FAIL)])), [Reason::TestFailed]);
}

#[test]
fn proof_of_another_tree_is_stale() {
    // P58: strict blocks, advisory does not, and neither changes the status.
    let mut stage = Stage { tree: Some(tree('b')), ..Stage::default() };
    let strict = stage.one(&[fact(1, "unit", PASS)]);
    assert_eq!((strict.status, strict.clear, strict.stale), (Status::Satisfied, false, true));
    assert_eq!(blocks(&strict), [Reason::Stale]);
    stage.settings.staleness = Staleness::Advisory;
    let advisory = stage.one(&[fact(1, "unit", PASS)]);
    assert_eq!((advisory.status, advisory.clear, advisory.stale), (Status::Satisfied, true, true));
    assert!(!stage.one(&[fact(1, "unit", FAIL)]).clear);
    // P54: an unknown tree is fresh nowhere, not even on an unknown tree.
    let nameless = Stage { tree: None, ..Stage::default() };
    let facts = EvidenceFacts { tree: None, ..fact(1, "unit", PASS) };
    assert!(nameless.one(std::slice::from_ref(&facts)).stale);
    assert!(!Stage::default().one(&[facts]).clear);
}

#[test]
fn a_run_elsewhere_speaks_for_its_own_tree_only() {
    // P59
    let elsewhere = EvidenceFacts { settles: false, ..fact(5, "unit", FAIL) };
    let main = Stage { tree: Some(tree('b')), ..Stage::default() };
    let settled = EvidenceFacts { tree: Some(tree('b')), ..fact(1, "unit", PASS) };
    assert!(main.one(&[settled, elsewhere.clone()]).clear);
    assert_eq!(blocks(&main.one(std::slice::from_ref(&elsewhere))), [Reason::NeverRan]);
    // When the branch reaches that tree, it holds there.
    assert_eq!(blocks(&Stage::default().one(&[elsewhere])), [Reason::TestFailed]);
}

#[test]
fn a_changed_gate_definition_does_not_clear() {
    // P60
    let other = EvidenceFacts { definition: Digest::of(b"weaker"), ..fact(1, "unit", PASS) };
    let mut stage = Stage::default();
    let found = stage.one(std::slice::from_ref(&other));
    assert_eq!((found.status, blocks(&found)), (Status::Satisfied, vec![Reason::DefinitionChanged]));
    stage.accepted.insert(Digest::of(b"weaker"));
    assert!(stage.one(&[other]).clear);
}

#[test]
fn tampered_evidence_is_unproven_and_hides_nothing_older() {
    // P52
    let tampered = EvidenceFacts { intact: false, ..fact(2, "unit", PASS) };
    let found = Stage::default().one(&[fact(1, "unit", PASS), tampered]);
    assert_eq!((found.status, blocks(&found)), (Status::Open, vec![Reason::Tampered]));
    // Damage to evidence that nothing rests on any more blocks nothing.
    let old = EvidenceFacts { intact: false, ..fact(1, "unit", FAIL) };
    assert!(Stage::default().one(&[old, fact(2, "unit", PASS)]).clear);
}

#[test]
fn a_waiver_leaves_out_what_it_covers_until_its_day() {
    // P64, P65
    let stage = Stage::default();
    let both = requirement(&["unit", "e2e"]);
    let at = |waiver: &Waiver, facts: &[EvidenceFacts]| standing(&both, facts, Some(waiver), &stage.ground());
    let all = at(&waiver(None, Some("2026-11-21")), &[fact(1, "unit", FAIL)]);
    assert_eq!((all.status, all.clear, all.verdict()), (Status::Waived, true, None));
    assert_eq!(at(&waiver(None, Some("2026-11-20")), &[]).status, Status::Open);
    let part = waiver(Some(&["e2e"]), None);
    assert_eq!(at(&part, &[fact(1, "unit", PASS)]).status, Status::Satisfied);
    assert!(!at(&part, &[fact(1, "unit", FAIL)]).clear);
    let mut ended = waiver(None, None);
    ended.requirement = RequirementNumber::new(8).unwrap();
    assert!(!at(&ended, &[]).clear);
}

#[test]
fn satisfied_at_is_the_time_of_the_last_change_to_it() {
    // P62, P63
    let t = Timestamp::from_micros;
    let (memory, told) = StatusMemory::NEW.on(Status::Satisfied, t(5));
    assert_eq!((memory.satisfied_at, told.unwrap().from), (Some(t(5)), Status::Open));
    assert_eq!(memory.on(Status::Satisfied, t(9)), (memory, None));
    let (waived, _) = memory.on(Status::Waived, t(10));
    assert_eq!(waived.satisfied_at, None);
    assert_eq!(waived.on(Status::Satisfied, t(11)).0.satisfied_at, Some(t(11)));
}

#[test]
fn flaky_is_both_answers_on_one_tree_of_late() {
    // P63
    let other = EvidenceFacts { tree: Some(tree('b')), ..fact(2, "unit", FAIL) };
    assert!(!is_flaky(&[fact(1, "unit", PASS), other]));
    assert!(is_flaky(&[fact(1, "unit", PASS), fact(2, "unit", FAIL)]));
    let mut long: Vec<_> = (2..22).map(|seq| fact(seq, "unit", PASS)).collect();
    long.push(fact(1, "unit", FAIL));
    assert!(!is_flaky(&long));
}

/// P62: the whole list of a large project, in one pass each.
#[test]
fn five_thousand_requirements_are_quick() {
    let stage = Stage::default();
    let asked = requirement(&["unit", "e2e"]);
    let facts: Vec<_> = (0..20).map(|seq| fact(seq, if seq % 2 == 0 { "unit" } else { "e2e" }, PASS)).collect();
    let started = std::time::Instant::now();
    let clear = (0..5_000).filter(|_| standing(&asked, &facts, None, &stage.ground()).clear).count();
    assert_eq!(clear, 5_000);
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

prop_compose! {
    fn any_fact()(
        seq in 0u64..50, gate in 0usize..2, verdict in 0usize..3, on in 0usize..3, own in any::<bool>(),
        settles in any::<bool>(), closed in any::<bool>(), moved in any::<bool>(), intact in prop::bool::weighted(0.8),
    ) -> EvidenceFacts {
        EvidenceFacts {
            outcome: [PASS, FAIL, Outcome::because(Reason::Skipped)][verdict],
            tree: [Some(tree('a')), Some(tree('b')), None][on].clone(),
            definition: Digest::of(if own { b"own" } else { b"else" }),
            settles, closed, moved, intact,
            ..fact(seq, ["unit", "e2e"][gate], PASS)
        }
    }
}

proptest! {
    /// Never clear with a failed, stale under strict, tampered or missing obligation that no waiver covers.
    #[test]
    fn clear_always_has_its_grounds(
        facts in prop::collection::vec(any_fact(), 0..12), strict in any::<bool>(),
        waived in prop::option::of(prop::option::of(0usize..2)),
    ) {
        let mut stage = Stage::default();
        stage.settings.staleness = if strict { Staleness::Strict } else { Staleness::Advisory };
        let gates = ["unit", "e2e"];
        let waiver = waived.map(|only| waiver(only.map(|at| &gates[at..=at]), None));
        let found = standing(&requirement(&gates), &facts, waiver.as_ref(), &stage.ground());
        for obligation in &found.obligations {
            let newest = |on: &dyn Fn(&&EvidenceFacts) -> bool| {
                let own = facts.iter().filter(|f| f.gate == obligation.gate && f.counts());
                own.filter(on).max_by_key(|f| f.seq).map(|f| f.seq)
            };
            let here = newest(&|f| f.tree == stage.tree);
            let settling = newest(&|f| f.settles);
            prop_assert_eq!(obligation.stale, here.is_none() && settling.is_some());
            if found.clear && !obligation.waived {
                prop_assert!(obligation.outcome.is_passed());
                prop_assert!(!(strict && obligation.stale));
                let rests = facts.iter().find(|f| Some(f.id) == obligation.evidence && f.outcome.is_passed()).unwrap();
                prop_assert!(rests.intact && rests.closed && !rests.moved && rests.definition == Digest::of(b"own"));
            }
        }
        if found.status == Status::Satisfied {
            prop_assert!(found.obligations.iter().all(|o| o.waived || o.outcome.is_passed()));
        }
        prop_assert_eq!(found.clear, found.blocking().next().is_none());
    }

    /// The two newest per gate are enough: what else a store knows changes nothing.
    #[test]
    fn the_newest_two_are_enough(mut facts in prop::collection::vec(any_fact(), 0..12)) {
        for (at, fact) in facts.iter_mut().enumerate() {
            fact.seq = at as u64; // numbers are unique in a project
        }
        let stage = Stage::default();
        let asked = requirement(&["unit", "e2e"]);
        let whole = standing(&asked, &facts, None, &stage.ground());
        let mut few: Vec<&EvidenceFacts> = Vec::new();
        for gate in ["unit", "e2e"] {
            let own = || facts.iter().filter(|f| f.gate.as_str() == gate && f.counts());
            few.extend(own().filter(|f| f.tree == stage.tree).max_by_key(|f| f.seq));
            few.extend(own().filter(|f| f.settles).max_by_key(|f| f.seq));
        }
        prop_assert_eq!(standing(&asked, few, None, &stage.ground()), whole);
    }
}

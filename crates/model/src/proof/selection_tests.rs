use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::proof::{
    capture::tests::captured,
    config::ScopeMaps,
    standing::{
        EvidenceFacts, standing,
        tests::{Stage, fact},
    },
    verdict::Outcome,
    waiver::{Waiver, tests::waiver},
};

struct Project {
    requirements: Vec<Requirement>,
    standings: Vec<Standing>,
}

/// Each requirement: number, gates, a file of its scope, its waiver, and the gates that passed on this tree.
type Row<'a> = (u32, &'a [&'a str], &'a str, Option<Option<&'a [&'a str]>>, &'a [&'a str]);

fn project(rows: &[Row<'_>]) -> Project {
    let stage = Stage::default();
    let mut project = Project { requirements: Vec::new(), standings: Vec::new() };
    for (number, gates, file, waived, passed) in rows {
        let mut requirement =
            captured(&json!({"title": "t", "description": "d", "gates": gates, "scope": {"files": [file]}}));
        requirement.id = RequirementNumber::new(*number).unwrap();
        let facts: Vec<EvidenceFacts> = passed
            .iter()
            .map(|gate| EvidenceFacts { requirement: requirement.id, ..fact(1, gate, Outcome::PASSED) })
            .collect();
        let waiver = waived.map(|gates| Waiver { requirement: requirement.id, ..waiver(gates, None) });
        project.standings.push(standing(&requirement, &facts, waiver.as_ref(), &stage.ground()));
        project.requirements.push(requirement);
    }
    project
}

impl Project {
    fn select(&self, config: serde_json::Value, changed: Option<&[&str]>) -> Selection {
        let config: ProofRunConfig = serde_json::from_value(config).unwrap();
        let maps = ScopeMaps::default();
        let changes = match changed {
            Some(files) => Changes::of(files.iter().copied(), &maps),
            None => Changes::unknown(&maps),
        };
        let candidates = self
            .requirements
            .iter()
            .zip(&self.standings)
            .map(|(requirement, standing)| Candidate { requirement, standing });
        select(&config, candidates, |gate| gate.as_str() != "sec", &changes)
    }
}

fn names(selection: &Selection) -> Vec<String> {
    selection.gates.iter().map(|gate| format!("{}/{}", gate.requirement.number(), gate.gate)).collect()
}

const ALL: Option<Option<&[&str]>> = Some(None);

#[test]
fn each_mode_takes_what_it_says() {
    // P13, P65
    let project = project(&[
        (1, &["unit", "e2e"], "a", None, &["unit", "e2e"]),
        (2, &["unit", "e2e"], "b", None, &["unit"]),
        (3, &["unit"], "a", ALL, &[]),
        (4, &["unit", "e2e"], "c", Some(Some(&["e2e"])), &[]),
        (5, &["unit", "sec"], "c", None, &[]),
    ]);
    let full = project.select(json!({}), Some(&[]));
    assert_eq!(names(&full), ["1/unit", "1/e2e", "2/unit", "2/e2e", "4/unit", "5/unit"]);
    assert_eq!((full.waived, full.diagnostics.len(), full.notes.len()), (2, 1, 1));
    // A change also re-proves what is satisfied.
    let changed = project.select(json!({"mode": "changed"}), Some(&["a/x.rs"]));
    assert_eq!(names(&changed), ["1/unit", "1/e2e"]);
    let not_clear = project.select(json!({"mode": "not_clear"}), None);
    assert_eq!(names(&not_clear), ["2/e2e", "4/unit", "5/unit"]);
    let waived = project.select(json!({"include_waived": true}), None);
    assert_eq!((waived.gates.len(), waived.waived, waived.gates[4].waived), (8, 0, true));
    let unknown = project.select(json!({"mode": "changed"}), None);
    assert_eq!(unknown.gates, full.gates);
    assert!(unknown.notes.iter().any(|note| note.contains("could not be found out")));
}

#[test]
fn naming_a_gate_outranks_that_it_is_off() {
    // P15: filters join with AND.
    let project = project(&[(1, &["unit", "sec"], "a", None, &[]), (2, &["sec"], "b", None, &[])]);
    assert_eq!(names(&project.select(json!({"gates": ["sec"]}), None)), ["1/sec", "2/sec"]);
    assert_eq!(names(&project.select(json!({"gates": ["sec"], "requirements": ["REQ-0002"]}), None)), ["2/sec"]);
}

#[test]
fn an_empty_selection_says_why_and_what_to_do() {
    // P16: every reason, with a remedy that is not already in use.
    use EmptyReason as E;
    let rows: &[Row<'_>] = &[
        (1, &["unit"], "a", None, &["unit"]),
        (2, &["e2e"], "b", ALL, &[]),
        (3, &["sec"], "c", None, &[]),
        (4, &["e2e"], "d", None, &["e2e"]),
    ];
    let all = project(rows);
    let waived = project(&rows[1..2]);
    let off = project(&rows[2..3]);
    let clear = project(&[rows[0], rows[1], rows[3]]);
    let table = [
        (project(&[]).select(json!({}), None), E::NoRequirements, "capture"),
        (waived.select(json!({}), None), E::AllWaived, "include_waived"),
        (all.select(json!({"requirements": ["REQ-0002"]}), None), E::AllWaived, "include_waived"),
        (
            clear.select(json!({"mode": "changed", "requirements": ["REQ-0001"]}), Some(&["x"])),
            E::OutsideScope,
            "mode full",
        ),
        (all.select(json!({"gates": ["demo"]}), None), E::FilteredOut, "leave out the gate filter"),
        (off.select(json!({}), None), E::GatesDisabled, "name the gates"),
        (all.select(json!({"requirements": ["REQ-0001"], "gates": ["e2e"]}), None), E::FiltersCombined, "each alone"),
        (all.select(json!({"mode": "changed", "gates": ["unit"]}), Some(&["d"])), E::FiltersCombined, "each alone"),
        (all.select(json!({"mode": "changed"}), Some(&["x"])), E::OutsideScope, "mode full"),
        (project(&rows[1..3]).select(json!({}), None), E::Mixed, "1 waived: run with include_waived"),
        (clear.select(json!({"mode": "not_clear"}), None), E::AlreadyClear, "mode full"),
    ];
    for (at, (selection, reason, remedy)) in table.into_iter().enumerate() {
        assert_eq!(selection.empty_reason, Some(reason), "{at}: {}", selection.message);
        assert!(selection.message.contains(remedy), "{at}: {}", selection.message);
        assert!(selection.gates.is_empty());
    }
    let mixed = all.select(json!({"mode": "not_clear"}), None);
    assert_eq!((mixed.empty_reason, mixed.diagnostics.len()), (Some(E::Mixed), 4));
    let combined = project(&[(1, &["unit"], "a", None, &[]), (4, &["e2e"], "d", None, &[])]);
    let combined = combined.select(json!({"mode": "changed", "gates": ["unit"]}), Some(&["d"]));
    assert_eq!(combined.empty_reason, Some(E::FiltersCombined));
    assert!(combined.message.contains("the changed files and the gates"), "{}", combined.message);
}

#[test]
fn five_thousand_requirements_are_quick() {
    let one: Row<'_> = (1, &["unit", "e2e"], "src/a", None, &[]);
    let project = project(&[one]);
    let files: Vec<String> = (0..2_000).map(|n| format!("src/{n}")).collect();
    let maps = ScopeMaps::default();
    let changes = Changes::of(files.iter().map(String::as_str), &maps);
    let config = ProofRunConfig { mode: Mode::Changed, ..ProofRunConfig::default() };
    let candidate = Candidate { requirement: &project.requirements[0], standing: &project.standings[0] };
    let started = std::time::Instant::now();
    let selection = select(&config, std::iter::repeat_n(candidate, 5_000), |_| true, &changes);
    assert_eq!(selection.diagnostics.len(), 5_000);
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

proptest! {
    /// P16: each requirement is either taken or listed with its cause; nothing taken means a reason.
    #[test]
    fn everything_is_taken_or_explained(
        rows in proptest::collection::vec((0usize..3, 0usize..3, any::<bool>(), any::<bool>()), 0..6),
        mode in 0usize..3, filter in any::<bool>(), gates in any::<bool>(), include in any::<bool>(),
    ) {
        let gate_sets: [&[&str]; 3] = [&["unit"], &["unit", "e2e"], &["sec"]];
        let rows: Vec<Row<'_>> = rows.iter().enumerate().map(|(at, (gates, file, waived, passed))| {
            let gates = gate_sets[*gates];
            (at as u32 + 1, gates, ["a", "b", "c"][*file], waived.then_some(None), if *passed { gates } else { &[] })
        }).collect();
        let project = project(&rows);
        let mut config = json!({"mode": Mode::WORDS[mode], "include_waived": include});
        if filter { config["requirements"] = json!(["REQ-0001", "REQ-0002"]); }
        if gates { config["gates"] = json!(["e2e"]); }
        let selection = project.select(config, Some(&["a/x"]));
        let mut taken: Vec<_> = selection.gates.iter().map(|gate| gate.requirement).collect();
        taken.dedup();
        prop_assert_eq!(taken.len() + selection.diagnostics.len(), rows.len());
        prop_assert_eq!(selection.empty_reason.is_some(), selection.gates.is_empty());
        prop_assert!(!selection.message.is_empty());
        if include { prop_assert!(!selection.message.contains("include_waived")); }
        if mode == 0 { prop_assert!(!selection.message.contains("mode full")); }
    }
}

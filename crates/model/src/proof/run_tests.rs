use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(body: Value) -> Result<ProofRunConfig, Problem> {
    ProofRunConfig::read(&body, |gate| gate.as_str() != "nope", |id| id.number() <= 9)
}

#[test]
fn a_config_reads_back_what_it_writes() {
    let full = json!({
        "mode": "changed", "requirements": ["REQ-0001", "REQ-0001"], "gates": ["unit", "e2e", "unit"], "include_waived": true,
        "target": {"ref": "feature/x"}, "base": "main", "slots": 3, "manual": "skip",
    });
    let config = read(full).unwrap();
    assert_eq!(config.gates.as_ref().unwrap().len(), 2);
    assert_eq!(read(serde_json::to_value(&config).unwrap()).unwrap(), config);
    for target in [
        json!("worktree"),
        json!({"worktree": {}}),
        json!({"pr": 12}),
        json!({"checkpoint": {
        "run": "01890000-0000-7000-8000-000000000000", "checkpoint": "a".repeat(40)}}),
    ] {
        let config = read(json!({"target": target})).unwrap();
        assert_eq!(read(serde_json::to_value(&config).unwrap()).unwrap(), config);
    }
    assert_eq!(read(json!({})).unwrap(), ProofRunConfig::default());
}

#[test]
fn a_wrong_config_is_refused_before_a_run_exists() {
    // P15, P18: the table of section 9.
    #[rustfmt::skip]
    let table = [
        (json!({"gates": ["nope"]}), Code::UnknownGate, vec!["/gates/0"]),
        (json!({"gates": []}), Code::Invalid, vec!["/gates"]),
        (json!({"requirements": ["REQ-0010", "x"]}), Code::Invalid, vec!["/requirements/0", "/requirements/1"]),
        (json!({"requirements": []}), Code::Invalid, vec!["/requirements"]),
        (json!({"mode": "all"}), Code::Invalid, vec!["/mode"]),
        (json!({"target": {"ref": "-x"}}), Code::RefNotFound, vec!["/target/ref"]),
        (json!({"base": "a..b"}), Code::RefNotFound, vec!["/base"]),
        (json!({"target": {"ref": "a", "pr": 1}}), Code::Invalid, vec!["/target"]),
        (json!({"target": {}}), Code::Invalid, vec!["/target"]),
        (json!({"target": {"pr": 0}}), Code::Invalid, vec!["/target/pr"]),
        (json!({"target": "elsewhere"}), Code::Invalid, vec!["/target"]),
        (json!({"target": {"checkpoint": {"run": "x", "checkpoint": "y"}}}), Code::Invalid, vec!["/target/checkpoint/run", "/target/checkpoint/checkpoint"]),
        (json!({"slots": 0, "manual": "ask", "trigger": "person"}), Code::Invalid, vec!["/slots", "/manual", "/trigger"]),
    ];
    for (body, code, pointers) in table {
        let problem = read(body.clone()).unwrap_err();
        let found: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!((problem.code, found), (code, pointers), "{body}");
    }
    let many: Vec<_> = (0..501).map(|_| "REQ-0001").collect();
    assert!(read(json!({"requirements": many})).is_err());
}

#[test]
fn only_the_worktree_and_the_default_branch_settle() {
    // P59, X8
    let settles =
        |target| ProofRunConfig { target, ..ProofRunConfig::default() }.settles(|name| name.as_str() == "main");
    assert!(settles(Target::Worktree));
    assert!(settles(Target::Ref("main".parse().unwrap())));
    assert!(!settles(Target::Ref("feature".parse().unwrap())));
    assert!(!settles(Target::Pr(1)));
    let checkpoint = "a".repeat(40).parse().unwrap();
    assert!(!settles(Target::Checkpoint { run: RunId::from_uuid(uuid::Uuid::nil()), checkpoint }));
}

#[test]
fn joining_says_whether_the_active_run_covers_what_is_asked() {
    // P19
    let c = |body| read(body).unwrap();
    let full = c(json!({}));
    assert!(full.covers(&c(json!({"requirements": ["REQ-0001"]}))));
    assert!(full.covers(&c(json!({"mode": "changed"}))));
    assert!(!full.covers(&c(json!({"gates": ["unit"]}))));
    assert!(!full.covers(&c(json!({"include_waived": true}))));
    assert!(!full.covers(&c(json!({"target": {"ref": "x"}}))));
    assert!(!c(json!({"requirements": ["REQ-0001"]})).covers(&full));
    assert!(!c(json!({"mode": "changed"})).covers(&full));
    assert!(!c(json!({"mode": "changed"})).covers(&c(json!({"mode": "changed", "base": "x"}))));
    assert!(c(json!({"gates": ["unit", "e2e"]})).covers(&c(json!({"gates": ["unit"]}))));
}

#[test]
fn the_verdict_of_a_run() {
    // P17, P56, P42
    let ok = RunEnd { completed: true, moved: false, executed: 1 };
    let counts = |passed, failed, unproven| GateCounts {
        total: passed + failed + unproven,
        passed,
        failed,
        unproven,
        ..GateCounts::default()
    };
    #[rustfmt::skip]
    let table = [
        (counts(2, 0, 0), ok, Verdict::Passed),
        (counts(2, 0, 1), ok, Verdict::Unproven),
        (counts(2, 1, 1), ok, Verdict::Failed),
        (counts(0, 0, 0), ok, Verdict::Unproven),
        (counts(2, 0, 0), RunEnd { executed: 0, ..ok }, Verdict::Unproven),
        (counts(2, 0, 0), RunEnd { moved: true, ..ok }, Verdict::Unproven),
        (counts(1, 1, 0), RunEnd { moved: true, ..ok }, Verdict::Failed),
        (counts(2, 0, 0), RunEnd { completed: false, ..ok }, Verdict::Unproven),
        (counts(1, 1, 0), RunEnd { completed: false, ..ok }, Verdict::Failed),
    ];
    for (counts, end, expected) in table {
        assert_eq!(run_verdict(&counts, end), expected, "{counts:?} {end:?}");
        assert!(!run_message(&counts, end).is_empty());
    }
    let waived = GateCounts { waived: 3, ..counts(0, 0, 0) };
    assert_eq!((run_verdict(&waived, ok), waived.total), (Verdict::Unproven, 0));
    assert!(run_message(&counts(1, 0, 0), RunEnd { moved: true, ..ok }).contains("files changed"));
}

proptest! {
    /// P17, P22: counting by moves agrees with counting the states, and nothing executed is never a pass.
    #[test]
    fn counts_follow_the_states(moves in proptest::collection::vec((0usize..5, 0usize..6), 0..40), executed in 0u32..2) {
        use GateState::*;
        let all = [Pending, Running, Waiting, Passed, Failed, Unproven];
        let mut states = [Pending; 5];
        let mut counts = GateCounts::of(states, 0);
        for (at, to) in moves {
            if states[at].may_become(all[to]) {
                counts.moved(states[at], all[to]);
                states[at] = all[to];
            }
        }
        prop_assert_eq!(counts, GateCounts::of(states, 0));
        prop_assert_eq!(counts.all_ended(), states.iter().all(|state| state.is_ended()));
        let verdict = run_verdict(&counts, RunEnd { completed: true, moved: false, executed });
        if verdict == Verdict::Passed {
            prop_assert!(executed > 0 && states.iter().all(|state| *state == Passed));
        }
    }
}

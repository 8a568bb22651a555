//! Dependencies are made ready before gates (P35), and what is clear is not proved again (P13).

use std::fs;

use serde_json::Value;

use super::{
    house::House,
    proof::{in_project, set_up},
};

const GATES: &str = r#"
[proof]
prepare = ["./gate", "prepare"]
[proof.gates.unit]
runner = "command"
argv = ["./gate", "unit"]
[proof.gates.contract]
runner = "command"
argv = ["./gate", "contract"]
"#;

const GATE: &str = "#!/bin/sh\nif [ $1 = prepare ]; then [ -f refuse ] && exit 7; echo once >> ready; exit; fi\n\
                    cat ready && [ \"$(cat $1.verdict)\" = good ]\n";

// P35: once per run, before every gate; a failure is a note that is shown, and no verdict.
#[test]
fn what_a_project_declares_is_prepared_once_before_its_gates() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract"]);
    house.commit(&root, &[("proofhouse.toml", GATES), ("gate", GATE), (".gitignore", "ready\n")]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    assert_eq!(fs::read_to_string(root.join("ready")).unwrap(), "once\n");
    let journal = house.run(in_project(&["log", "--json"])).out;
    let kinds: Vec<String> = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let at = |kind: &str| kinds.iter().position(|known| known == kind).unwrap();
    assert!(at("prepare.finished") < at("gate.started"), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "prepare.finished").count(), 1);

    house.commit(&root, &[("refuse", "")]);
    let noted = house.run_in(&root, ["proof", "run"]);
    noted.said("PASSED");
    noted.said("preparation failed");
    noted.said("`./gate prepare` ended with exit code 7");
}

// P13: `not_clear` takes only what the merge gate would not clear on this tree now.
#[test]
fn what_is_clear_is_not_proved_again() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract"]);
    house.run_in(&root, ["proof", "run", "--gate", "unit"]).said("PASSED");
    let rest = house.run_in(&root, ["proof", "run", "--mode", "not_clear"]);
    rest.said("PASSED");
    assert!(rest.out.contains("REQ-0002") && !rest.out.contains("REQ-0001"), "{rest}");
    let nothing = house.run_in(&root, ["proof", "run", "--mode", "not_clear"]);
    nothing.said("clear already");
    assert!(!nothing.out.contains("PASSED"), "P17: an empty run proves nothing: {nothing}");
    fs::write(root.join("contract.verdict"), "bad\n").unwrap();
    let all = house.run_in(&root, ["proof", "run", "--mode", "not_clear"]);
    assert!(all.out.contains("REQ-0001") && all.out.contains("REQ-0002"), "another tree: {all}");
}

//! Proof from the command line, over real repositories and real processes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use super::house::House;

/// A repository whose gates do what its files say: `unit.verdict` holds `good` or not, `unit.slow`
/// makes it wait, as many seconds as it says.
const GATES: &str = r#"
[proof.gates.unit]
runner = "command"
argv = ["./gate", "unit"]
[proof.gates.contract]
runner = "command"
argv = ["./gate", "contract"]
[proof.gates.demo]
runner = "command"
argv = ["no-such-program-anywhere"]
[proof.gates.manual]
how = "review"
checklist = ["it looks right", "it feels right"]
"#;
const GATE: &str = "#!/bin/sh\n[ -f $1.slow ] && sleep $(cat $1.slow; [ -s $1.slow ] || echo 20)\necho \"$1 is $(cat $1.verdict)\"\n[ \"$(cat $1.verdict)\" = good ]\n";

pub fn shop(house: &House) -> PathBuf {
    let files =
        [("proofhouse.toml", GATES), ("gate", GATE), ("unit.verdict", "good\n"), ("contract.verdict", "good\n")];
    house.repository("shop", &files)
}

/// The shop, set up with one requirement for each of the gates.
pub fn set_up(house: &House, gates: &[&str]) -> PathBuf {
    let root = shop(house);
    house.run(["project", "add", root.to_str().unwrap(), "--key", "shop"]).said("registered shop");
    let policy = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/policy.json")).unwrap();
    fs::write(house.at("policy.json"), policy).unwrap();
    let file = house.at("policy.json");
    house.run(["-p", "shop", "project", "policy", "--edit", file.to_str().unwrap()]).said("may execute");
    for gate in gates {
        let mut args = vec!["proof", "capture", "--title", "It holds", "--gate", gate];
        if *gate != "manual" {
            args.extend(["--suite", gate]);
        }
        house.run_in(&root, args).said("REQ-000");
    }
    root
}

pub fn in_project<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["-p", "shop"], args].concat()
}

// X30: the verdict is the exit code.
#[test]
fn the_exit_code_is_the_verdict() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract", "demo"]);
    let run = |args: &[&str]| house.run_in(&root, args.iter().copied());
    run(&["proof", "run", "--gate", "unit", "--gate", "contract"]).said("PASSED");

    fs::write(root.join("contract.verdict"), "bad\n").unwrap();
    let failed = run(&["proof", "run", "--gate", "unit", "--gate", "contract"]);
    assert_eq!(failed.code, 1, "{failed}");
    assert!(failed.out.contains("1 passed · 1 failed"), "{failed}");

    let unproven = run(&["proof", "run", "--gate", "demo"]);
    assert_eq!(unproven.code, 3, "{unproven}");
    let all = run(&["proof", "run"]);
    assert_eq!(all.code, 1, "failed is worse than unproven: {all}");

    // P25: a retry is a new run of what did not pass.
    fs::write(root.join("contract.verdict"), "good\n").unwrap();
    let retried = run(&["proof", "retry"]);
    assert_eq!(retried.code, 3, "{retried}");
    assert!(retried.out.contains("✓ passed   REQ-0002") && !retried.out.contains("REQ-0001"), "{retried}");
}

#[test]
fn what_does_not_exist_is_refused_before_a_run_is_made() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    for (args, code) in [
        (&["proof", "run", "--gate", "nope"][..], "PH-1107"),
        (&["proof", "run", "--requirement", "REQ-0099"], "PH-10"),
        (&["proof", "run", "--ref=-x"], "PH-1114"),
        (&["proof", "show", "REQ-0099"], "PH-1003"),
        (&["proof", "waive", "REQ-0001", "--reason", "r", "--expires", "2026-02-30"], "PH-1108"),
        (&["proof", "waive", "REQ-0001", "--reason", "r", "--expires", "2020-01-01"], "PH-1109"),
        (&["proof", "waive", "REQ-0001", "--reason", " "], "PH-11"),
        (&["proof", "capture", "--title", "t", "--gate", "nope"], "PH-1"),
        (&["proof", "watch", "00000000-0000-7000-8000-000000000000"], "PH-1003"),
        (&["proof", "watch", "abcdef12"], "PH-1003"),
    ] {
        house.run_in(&root, args.iter().copied()).refused(2, code);
    }
    assert!(house.json(in_project(&["run", "list", "--json"]))["items"].as_array().unwrap().is_empty());
}

// X18: without a policy nothing runs.
#[test]
fn without_a_policy_a_run_is_refused() {
    let house = House::new();
    let root = shop(&house);
    house.run(["project", "add", root.to_str().unwrap()]).said("registered shop");
    house.run_in(&root, ["proof", "capture", "--title", "t", "--suite", "unit"]).said("REQ-0001");
    let ran = house.run_in(&root, ["proof", "run"]);
    ran.refused(5, "PH-1010");
    ran.refused(5, "hint: ");
}

// P61: an invalid proofhouse.toml fails the run with line and column.
#[test]
fn a_malformed_proofhouse_toml_fails_the_run() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    fs::write(root.join("proofhouse.toml"), "[proof]\nno_such_key = 1\n").unwrap();
    let ran = house.run_in(&root, ["proof", "run"]);
    assert!(matches!(ran.code, 1 | 3), "{ran}");
    assert!(ran.out.contains("proofhouse.toml:2:1") && ran.out.contains("config_invalid"), "{ran}");
}

#[test]
fn a_detached_head_is_proved_like_any_other() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.git(&root, ["checkout", "-q", "--detach"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
}

#[test]
fn a_checkout_that_has_gone_fails_the_run_and_can_be_moved() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    let moved = house.at("moved");
    fs::rename(&root, &moved).unwrap();
    let ran = house.run(in_project(&["proof", "run"]));
    assert_ne!(ran.code, 0, "{ran}");
    assert!(format!("{ran}").contains("proofhouse project move"), "{ran}");
    house.run(in_project(&["project", "move", moved.to_str().unwrap()])).said("moved");
    house.run_in(&moved, ["proof", "run"]).said("PASSED");
}

// P19, P24, X30: one active run; a second is refused with its id, may join, and a cancelled one proves nothing.
#[test]
fn a_second_run_is_refused_and_a_cancelled_one_proves_nothing() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    fs::write(root.join("unit.slow"), "").unwrap();
    let _server = house.serve(&[]);
    let started = house.run_in(&root, ["proof", "run", "--detach", "--json"]).json();
    let id = started["run"].as_str().unwrap();
    let second = house.run_in(&root, ["proof", "run"]);
    second.refused(5, "PH-1008");
    second.refused(5, &id[28..]);
    second.refused(5, "--join");

    let mut joined = house.proofhouse(["-p", "shop", "proof", "run", "--join"]);
    let mut joined = joined.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(joined.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("joined"));
    house.run_in(&root, ["proof", "cancel", "--active"]).said(&id[28..]);
    assert_eq!(joined.wait().unwrap().code(), Some(3), "cancelled, and nothing was proven");
    house.run(in_project(&["proof", "history"])).said("cancelled");
    house.run(in_project(&["run", "cancel", &id[28..]])).said("is cancelled");
    // P24: another ended run is not cancelled.
    fs::remove_file(root.join("unit.slow")).unwrap();
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    let list = house.json(in_project(&["run", "list", "--json"]));
    house.run(in_project(&["run", "cancel", list["items"][0]["id"].as_str().unwrap()])).refused(5, "PH-1009");
}

// P75, P23: a run is followed over a killed and restarted server, and no gate is told twice.
#[test]
fn a_watch_outlives_its_server() {
    let house = House::new();
    let root = set_up(&house, &["contract", "unit"]);
    fs::write(root.join("unit.slow"), "").unwrap();
    let mut server = house.serve(&[]);
    let mut watch = house.proofhouse(["-p", "shop", "proof", "run", "--slots", "1"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first: Vec<String> = lines.by_ref().take_while(|line| !line.contains("✓ passed   REQ-0001")).collect();
    assert!(!first.iter().any(|line| line.contains("REQ-0002")), "{first:?}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    fs::remove_file(root.join("unit.slow")).unwrap();
    let _again = house.serve(&[]);
    let rest: Vec<String> = lines.collect();
    watch.wait().unwrap();
    assert_eq!(rest.iter().filter(|line| line.contains("REQ-0001")).count(), 0, "{rest:?}");
    assert_eq!(rest.iter().filter(|line| line.contains("REQ-0002")).count(), 1, "{rest:?}");
}

// P75: in this process the run stops with the command, says so, and goes on at the next start.
#[test]
fn a_run_in_this_process_goes_on_at_the_next_start() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    fs::write(root.join("unit.slow"), "").unwrap();
    let mut first = house.proofhouse(["-p", "shop", "proof", "run"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    let running = loop {
        // The command that keeps the run going answers others, too.
        let list = house.json(in_project(&["run", "list", "--active", "--json"]));
        if list["items"][0]["status"] == "running" {
            break list["items"][0]["id"].as_str().unwrap().to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{list}");
    };
    let pid = first.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut first.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(3));
    assert!(said.contains("goes on at the next start") && said.contains("run cancel"), "{said}");
    fs::remove_file(root.join("unit.slow")).unwrap();
    let again = house.run(in_project(&["proof", "watch", &running]));
    assert!(again.out.contains("REQ-0001  unit"), "{again}");
}

// P67, X30: a run that waits for a person ends with 3; the answer is evidence.
#[test]
fn a_review_is_asked_and_answered() {
    let house = House::new();
    let root = set_up(&house, &["manual"]);
    let parked = house.run_in(&root, ["proof", "run"]);
    assert_eq!(parked.code, 3, "{parked}");
    assert!(parked.out.contains("WAITING"), "{parked}");
    house.run_in(&root, ["answer"]).said("REQ-0001/manual");
    house.run_in(&root, ["proof", "review", "REQ-0001", "--pass", "--tick", "1"]).refused(2, "PH-1119");
    house.run_in(&root, ["proof", "review", "REQ-0001", "--pass", "--tick", "9"]).refused(2, "2 items");
    house.run_in(&root, ["proof", "review", "REQ-0001", "--pass", "--tick", "1", "--tick", "2"]).said("answered");
    house.run_in(&root, ["proof", "watch"]).said("PASSED");
    house.run_in(&root, ["proof", "review", "REQ-0001", "--pass"]).refused(2, "no open review");
}

#[test]
fn requirements_of_a_file_are_captured_once() {
    let house = House::new();
    let root = set_up(&house, &[]);
    let list = r#"[{"title": "a", "description": "d", "gates": ["unit"]}, {"title": "b", "description": "d", "gates": ["unit"]}]"#;
    fs::write(house.at("requirements.json"), list).unwrap();
    let file = house.at("requirements.json");
    house.run_in(&root, ["proof", "capture", "--from", file.to_str().unwrap()]).said("REQ-0002");
    house.run_in(&root, ["proof", "capture", "--from", file.to_str().unwrap()]).said("already captured");
    house.run_in(&root, ["proof", "capture", "--title", "c", "--description", "-", "--dry-run"]).refused(2, "PH-");
    assert_eq!(house.json(in_project(&["proof", "list", "--json"]))["items"].as_array().unwrap().len(), 2);
}

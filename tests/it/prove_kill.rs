//! SIGKILL of the server in the middle of a proof run.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    process::{alive, tag},
    programs,
    proving::{Gate, Proving},
    work::text,
};
use rand::Rng as _;
use serde_json::json;
use testkit::{
    assert_gapless,
    journal::{assert_ended_once, of_kind},
};

/// P23: killed at random instants, the run goes on from its rows: what had ended is not run again, what was
/// lost is attempted once more at most, and each gate ends once.
#[test]
fn a_run_survives_kills_at_any_instant() {
    for kills in [1, 2, 3, 5] {
        survive(kills);
    }
}

/// P23, for minutes.
#[test]
#[ignore = "soak"]
fn soak_kills_of_proof_runs() {
    for _ in 0..25 {
        survive(4);
    }
}

fn survive(kills: usize) {
    let names = ["a", "b", "c", "d", "e", "f"];
    let gates = names.map(|name| {
        let body = "sleep 0.15; echo \"done\" >> log/NAME; echo it holds".replace("NAME", name);
        let gate = Gate::script(name, &body);
        if name == "f" { gate.with("repeat = false") } else { gate }
    });
    let mut proving = Proving::at(&gates, &["--slots", "2"], &[]);
    let run = proving.start(&json!({}));
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(rand::rng().random_range(5..350)));
        proving.server.kill();
        proving.server.start();
        for gate in proving.gates(&run).iter().filter(|gate| !gate["verdict"].is_null()) {
            let name = text(gate, "gate");
            let starts = proving.starts(&name);
            assert_eq!(*ended.entry(name).or_insert(starts), starts, "an ended gate was run again");
        }
    }
    let back = Instant::now();
    let view = proving.ended(&run);
    assert!(back.elapsed() < Duration::from_secs(20), "it waited for a lease that nobody held any more");
    let journal = proving.server.journal(&format!("runs/{run}"));
    assert_gapless(&journal);
    assert_ended_once(&journal);
    assert_eq!(of_kind(&journal, "gate.finished").len(), names.len(), "each gate ends once");
    let mut attempts: BTreeMap<String, u64> = BTreeMap::new();
    for started in of_kind(&journal, "command.started") {
        *attempts.entry(text(&started["data"], "command")).or_default() += 1;
    }
    assert!(attempts.values().all(|attempts| *attempts <= 2), "{attempts:?}");
    if view["status"] == "failed" {
        // Both attempts at finding out what to run were hit; nothing was, and that is said.
        assert_eq!(view["failure"]["code"], "worker_lost", "{view}");
        return;
    }
    assert_eq!(view["status"], "completed");
    for (name, reason) in proving.reasons(&run) {
        let (starts, log) = (proving.starts(&name), proving.log(&name));
        assert!(starts <= if name == "f" { 1 } else { 2 }, "{name} was started {starts} times");
        assert!(ended.get(&name).is_none_or(|then| *then == starts), "{name} was run again after its end");
        let evidence = proving.evidence(&run, &name);
        assert_eq!(evidence["intact"], true);
        match reason.as_str() {
            "passed" => {
                assert_eq!(log.last().map(String::as_str), Some("done"));
                assert_eq!(proving.output(&evidence), "it holds\n");
            }
            "worker_lost" => assert!(evidence["commands"][0]["exit_code"].is_null(), "{evidence}"),
            other => panic!("{name} is {other}"),
        }
    }
    assert_eq!(proving.list(&format!("/runs/{run}/evidence")).len(), names.len());
    // P18, P23: nothing is left that keeps the next run from starting, and all that is stored holds.
    let next = proving.start(&json!({"gates": ["a"]}));
    assert_eq!(proving.ended(&next)["verdict"], "passed");
    assert!(proving.server.stop().success());
    let verified = programs::run(proving.server.root(), proving.folder(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// P23, F13: the server's death ends its commands; the lost one is attempted again and counts, the finished
/// one is not, and one that may not be repeated is not started again.
#[test]
fn what_was_lost_is_attempted_once_more() {
    let tag = tag();
    let slow = |name: &str| {
        let body = format!("[ -f log/go ] || ./child ignore-term , sleep 300 , {tag}");
        Gate::script(name, &body)
    };
    let gates = [Gate::script("quick", ""), slow("lost"), slow("once").with("repeat = false")];
    let mut proving = Proving::at(&gates, &["--slots", "3"], &[]);
    let run = proving.start(&json!({}));
    proving.gate_is(&run, "quick", "passed");
    proving.logged("lost", "started");
    proving.logged("once", "started");
    while alive(&tag).len() < 2 {}
    proving.server.kill();
    let gone = (0..250).any(|_| {
        thread::sleep(Duration::from_millis(10));
        alive(&tag).is_empty()
    });
    assert!(gone, "commands outlive their server: {:?}", alive(&tag));
    std::fs::write(proving.repo.at("log/go"), "").unwrap();
    proving.server.start();
    let ended = proving.ended(&run);
    assert_eq!(ended["verdict"], "unproven");
    let reasons = proving.reasons(&run);
    let said = |gate: &str| (reasons[gate].as_str(), proving.starts(gate));
    assert_eq!((said("quick"), said("lost"), said("once")), (("passed", 1), ("passed", 2), ("worker_lost", 1)));
    assert_eq!(proving.evidence(&run, "lost")["commands"][0]["attempt"], 2);

    // Lost at both attempts.
    std::fs::remove_file(proving.repo.at("log/go")).unwrap();
    let run = proving.start(&json!({"gates": ["lost"]}));
    for starts in [3, 4] {
        while proving.starts("lost") < starts || alive(&tag).is_empty() {
            thread::sleep(Duration::from_millis(10));
        }
        proving.server.kill();
        proving.server.start();
    }
    assert_eq!(proving.ended(&run)["verdict"], "unproven");
    assert_eq!(proving.reasons(&run)["lost"], "worker_lost");
    assert_eq!(proving.starts("lost"), 4);
}

/// P24: killed while a cancelled run drains, the server ends it at its next start, and nothing is run again.
#[test]
fn a_cancel_outlives_its_server() {
    let gates = [Gate::script("slow", "trap '' TERM; while :; do sleep 0.05; done"), Gate::script("later", "")];
    let mut proving = Proving::at(&gates, &["--slots", "1"], &[]);
    let run = proving.start(&json!({}));
    proving.logged("slow", "started");
    proving.client().post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    proving.server.kill();
    proving.server.start();
    let back = Instant::now();
    let ended = proving.ended(&run);
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    assert_eq!((&ended["status"], &ended["verdict"]), (&json!("cancelled"), &json!("unproven")));
    assert_eq!((proving.starts("slow"), proving.starts("later")), (1, 0));
    assert_eq!(proving.list(&format!("/runs/{run}/evidence")).len(), 0);
    assert_ended_once(&proving.server.journal(&format!("runs/{run}")));
}

/// P26: files that change while no server runs end the rest of the run.
#[test]
fn files_that_change_while_the_server_is_down_end_the_rest() {
    let gates = [Gate::script("quick", ""), Gate::script("slow", "sleep 300"), Gate::script("later", "")];
    let mut proving = Proving::at(&gates, &["--slots", "1"], &[]);
    let run = proving.start(&json!({}));
    proving.logged("slow", "started");
    // The next command begins while the last one's end is written down.
    proving.gate_is(&run, "quick", "passed");
    proving.server.kill();
    proving.repo.file("README.md", "other words\n");
    proving.server.start();
    assert_eq!(proving.ended(&run)["verdict"], "unproven");
    let reasons = proving.reasons(&run);
    let said = |gate: &str| (reasons[gate].as_str(), proving.starts(gate));
    assert_eq!((said("slow"), said("later")), (("tree_moved", 1), ("tree_moved", 0)));
    assert_eq!(proving.evidence(&run, "quick")["moved"], true);
}

//! Dispatch runs on the product itself: the command line's way to a branch, and SIGKILL of the server at each step.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    process::{alive, tag},
    programs,
    proving::{KEY, Proving},
    work::text,
};
use serde_json::{Value, json};
use testkit::{
    Database, assert_gapless, database,
    journal::{assert_ended_once, of_kind},
};

/// A plane with one agent, `mine`, that runs this script.
fn plane(script: &str) -> Proving {
    plane_with(script, &[])
}

fn plane_with(script: &str, arguments: &[&str]) -> Proving {
    let arguments: Vec<&str> = ["--slots", "2"].iter().chain(arguments).copied().collect();
    let mut proving = Proving::at(&[], &arguments, &[]);
    let program = proving.folder().join("mine");
    fs::write(
        &program,
        format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 1.0; exit 0; }}\ncat > /dev/null\n{script}\n"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let agents = proving.server.root().join("agents");
    fs::write(&agents, format!("mine=command:{}\n", program.display())).unwrap();
    fs::set_permissions(&agents, fs::Permissions::from_mode(0o600)).unwrap();
    proving.policy(&json!({"allowed_paths": {"*": ["."]}, "agents": ["mine"]}));
    // Nobody says what these sessions cost, so each counts as a dollar.
    let path = format!("/projects/{KEY}/settings/budget");
    let body = json!({"run_micro_usd": 5_000_000, "day_micro_usd": 100_000_000});
    proving.client().call("PUT", &path, &[("if-match", "0")], Some(&body)).unwrap().expect(200);
    // The agents of a machine are read at the start.
    proving.server.kill();
    proving.server.start();
    proving
}

fn issue(proving: &Proving, title: &str) -> Value {
    let body = json!({"title": title, "body": "Please.", "status": "ready"});
    proving.client().post(&format!("/projects/{KEY}/issues"), &body).expect(201)
}

fn start(proving: &Proving, issue: &str) -> String {
    let body = json!({"kind": "dispatch", "issue": issue, "config": {"role": "implementer"}});
    text(&proving.client().post(&format!("/projects/{KEY}/runs"), &body).expect(202), "run")
}

/// D36, D45, D56, K6, F1: killed behind each kind of entry of a dispatch, the run ends once, with one commit, its
/// journal without a hole, and nothing left of any child.
#[test]
fn a_dispatch_survives_a_kill_at_each_step() {
    let tag = tag();
    let script = format!("echo line >> made.txt\nsh -c 'sleep 0.4; true' {tag}\necho I made it.");
    let proving = survives(plane(&script), &tag, STEPS);
    let verified = programs::run(proving.server.root(), proving.folder(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// The same on PostgreSQL, at the steps where the plane has something half done.
#[test]
fn a_dispatch_on_postgres_survives_kills() {
    let Some(server) = database::postgres_server() else {
        println!("skipped: a dispatch on PostgreSQL needs one, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let (tag, database) = (tag(), Database::postgres(&server));
    let script = format!("echo line >> made.txt\nsh -c 'sleep 0.4; true' {tag}\necho I made it.");
    let plane = plane_with(&script, &["--store", &database.address()]);
    survives(plane, &tag, &[STEPS[2], STEPS[4], STEPS[6], STEPS[7], STEPS[9]]);
}

const STEPS: &[(&str, &str)] = &[
    ("run.created", ""),
    ("prompt.rendered", ""),
    ("ledger.reserved", ""),
    ("task.phase", "running"),
    ("agent.session", ""),
    ("task.phase", "parsing"),
    ("result.parsed", ""),
    ("ledger.settled", ""),
    ("task.phase", "applying"),
    ("task.phase", "submitting"),
    ("files.summary", ""),
];

fn survives(mut proving: Proving, tag: &str, steps: &[(&str, &str)]) -> Proving {
    for (kind, phase) in steps {
        let filed = issue(&proving, &format!("Killed at {kind} {phase}"));
        let run = start(&proving, &text(&filed, "id"));
        let from = Instant::now();
        loop {
            let journal = proving.server.journal(&format!("runs/{run}"));
            let is_there = |entry: &&Value| phase.is_empty() || entry["data"]["phase"] == *phase;
            if of_kind(&journal, kind).iter().any(is_there) {
                break;
            }
            assert!(from.elapsed() < Duration::from_secs(30), "no {kind} {phase}: {journal:#?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        proving.server.kill();
        proving.server.start();
        let view = proving.ended(&run);
        assert_eq!(
            (text(&view, "status").as_str(), &view["verdict"]),
            ("completed", &json!("applied")),
            "{kind} {phase}: {view}"
        );
        let journal = proving.server.journal(&format!("runs/{run}"));
        assert_gapless(&journal);
        assert_ended_once(&journal);
        let branch = text(&view["dispatch"]["report"], "branch");
        assert_eq!(
            proving.repo.git(&["rev-list", "--count", &format!("main..{branch}")]).trim(),
            "1",
            "{kind} {phase}"
        );
        assert_eq!(proving.repo.git(&["show", &format!("{branch}:made.txt")]).trim(), "line", "an attempt began anew");
        let named = proving.repo.git(&["branch", "--list", &format!("proofhouse/{}-*", filed["number"])]);
        assert_eq!(named.lines().count(), 1, "{named}");
        // L85, L125: each attempt is paid for once, by what was set aside for it, and nothing stays open.
        let ledger = proving.client().get(&format!("/runs/{run}/ledger")).expect(200);
        let kinds: Vec<&str> =
            ledger["lines"].as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
        let attempts = kinds.iter().filter(|kind| **kind == "reserve").count();
        let settled = kinds.iter().filter(|kind| **kind == "settle").count();
        assert!((1..=2).contains(&attempts) && settled == attempts && kinds.len() == 2 * attempts, "{ledger}");
        let sum = (&ledger["totals"]["spent_micro_usd"], &ledger["totals"]["reserved_micro_usd"]);
        assert_eq!(sum, (&json!(attempts * 1_000_000), &json!(0)), "{kind} {phase}: {ledger}");
        let counted = proving.client().get(&format!("/projects/{KEY}/ledger/verify")).expect(200);
        assert_eq!(counted["flaws"], json!([]), "{kind} {phase}");
        assert_eq!(alive(tag), Vec::<u32>::new(), "left over after {kind} {phase}");
        assert_eq!(proving.repo.git(&["status", "--porcelain"]).trim(), "");
    }
    assert!(proving.server.stop().success());
    proving
}

/// D33, X30: from the command line, with its exit codes; what is shown is what is.
#[test]
fn the_command_line_leads_to_a_branch() {
    let proving = plane(
        "echo made > made.txt\nmkdir -p .proofhouse/roles\necho evil > .proofhouse/roles/x.md\n[ -f stop ] && exit 7\necho I made it.",
    );
    let at = proving.repo.path().to_owned();
    let ask = |arguments: &[&str]| {
        let ran = programs::run(proving.server.root(), &at, arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        (ran.status.code().unwrap(), said)
    };
    let number = issue(&proving, "Make it")["number"].to_string();
    let (code, said) = ask(&["dispatch", &number, "--wait"]);
    assert_eq!(code, 2, "no role is named: {said}");
    let (code, said) = ask(&["dispatch", &number, "--role", "nobody"]);
    assert!(code == 2 && said.contains("PH-2020"), "{code} {said}");
    let (code, said) = ask(&["dispatch", &number, "--role", "implementer", "--agent", "claude"]);
    assert!(code == 5 && said.contains("PH-1010"), "{code} {said}");
    let (code, said) = ask(&["dispatch", &number, "--role", "implementer", "--wait"]);
    assert_eq!(code, 1, "partial: {said}");
    for words in [
        "PARTIAL",
        "+ created",
        "made.txt",
        "refused",
        ".proofhouse/roles/x.md",
        "(policy",
        "I made it.",
        "proofhouse/1-",
        "run diff",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let run = proving.list(&format!("/projects/{KEY}/runs"))[0]["id"].as_str().unwrap().to_owned();
    let (code, said) = ask(&["run", "diff", &run]);
    assert!(code == 0 && said.contains("+made"), "{said}");
    let (code, said) = ask(&["run", "context", &run]);
    assert!(code == 0 && said.contains("implementer (implement)"), "{said}");
    let (code, said) = ask(&["run", "context", &run, "--raw"]);
    assert!(code == 0 && said.contains("\"Make it\""), "{said}");
    let (code, said) = ask(&["log", &run]);
    for words in ["task.phase", "agent.session", "file.refused", "files.summary", "run.finished"] {
        assert!(code == 0 && said.contains(words), "no {words} in {said}");
    }
    let (code, said) = ask(&["role", "list"]);
    assert!(code == 0 && said.contains("implementer") && !said.contains("router"), "{said}");
    let (code, said) = ask(&["role", "show", "architect"]);
    assert!(code == 0 && said.contains("{{issue.title}}"), "{said}");
    fs::write(at.join("bad.md"), "---\nid: other\n---\n").unwrap();
    let (code, said) = ask(&["role", "check", "bad.md"]);
    assert!(code == 1 && said.contains("differs from the name of its file"), "{said}");
    fs::remove_file(at.join("bad.md")).unwrap();
    let (code, said) = ask(&["run", "retry", &run, "--reuse-result"]);
    assert!(code == 1 && said.contains("PARTIAL"), "{said}");

    // The API's own answers: a stranger's look, and what is not a dispatch run's.
    let client = proving.client();
    let role = client.get(&format!("/projects/{KEY}/roles/implementer")).expect(200);
    assert!(role["prompt"].as_str().unwrap().contains("{{issue.body}}"));
    client.get(&format!("/projects/{KEY}/roles/nobody")).expect(404);
    let other = "0".repeat(40);
    client.get(&format!("/runs/{run}/diff?from={other}")).expect(404);
    client.get(&format!("/runs/{run}/diff?to=x")).expect(422);
    client.get(&format!("/runs/{run}/context?raw=1")).expect(200);
}

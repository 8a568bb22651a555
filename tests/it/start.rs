//! Starts that are cut short, and folders from elsewhere.

use std::{
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    programs::{self, Program},
    server::Server,
    work,
};
use rand::Rng as _;
use serde_json::{Value, json};
use testkit::Repo;

/// F19: a server that is killed at any instant of its first starts, migrations included, starts the
/// next time as if nothing had been.
#[test]
fn a_start_that_was_killed_is_simply_made_again() {
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        for _ in 0..6 {
            let mut child = std::process::Command::new(Program::WithProbe.path())
                .args(["serve", "--listen", "127.0.0.1:0"])
                .env("PROOFHOUSE_DATA", &root)
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            thread::sleep(Duration::from_micros(rand::rng().random_range(500..40_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut server = Server::on(&root, Program::WithProbe, &[]);
        let run = work::submit(&server.client(), "probe", json!({"tasks": 0}));
        assert_eq!(server.client().get(&format!("/runs/{run}")).expect(200)["id"], run.as_str());
        assert!(server.stop().success());
        assert!(programs::run(&root, folder.path(), &["verify"]).status.success());
    }
}

/// PH-1030: a server that is killed while its gates start and run is followed by another at once, on
/// the same folder; nothing that it had started keeps the folder, and the run ends under the new one.
#[test]
fn a_server_killed_while_gates_run_leaves_its_folder_free() {
    let repo = Repo::new();
    let names: Vec<String> = (0..6).map(|n| format!("g{n}")).collect();
    // Six commands, not one that serves six gates.
    let scripts: Vec<String> = names.iter().map(|name| format!("echo {name} >> began.log; sleep 0.3")).collect();
    let argvs: Vec<[&str; 3]> = scripts.iter().map(|script| ["sh", "-c", script.as_str()]).collect();
    let gates: Vec<(&str, &[&str])> =
        names.iter().zip(&argvs).map(|(name, argv)| (name.as_str(), argv.as_slice())).collect();
    repo.file(".gitignore", "began.log\n").gates(&gates).commit();
    let mut server = Server::proofhouse();
    let owner = server.client();
    let project = owner.post("/projects", &json!({"path": repo.path()})).expect(201);
    let project = work::text(&project, "id");
    let policy = json!({"commands": [{"program": "sh", "decision": "allow", "inline": true}]});
    owner.call("PUT", &format!("/projects/{project}/settings/policy"), &[("if-match", "0")], Some(&policy)).unwrap();
    for name in &names {
        let body = json!({
            "title": format!("{name} holds"), "description": "It does.", "gates": [name],
            "rules": [{"gate": name, "how": "suite"}],
        });
        owner.post(&format!("/projects/{project}/proof/requirements"), &body).expect(201);
    }
    let ended = |server: &Server, run: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        while server.client().get(&format!("/runs/{run}")).expect(200)["finished_at"] == Value::Null {
            assert!(Instant::now() < until, "the run does not end: {}", server.log());
            thread::sleep(Duration::from_millis(20));
        }
    };
    for round in 0..8 {
        let started = json!({"kind": "proof", "config": {}});
        let started = server.client().post(&format!("/projects/{project}/runs"), &started).expect(202);
        let run = work::text(&started, "run");
        let began = std::fs::read(repo.at("began.log")).map_or(0, |bytes| bytes.len());
        let until = Instant::now() + Duration::from_secs(20);
        // Some rounds in the middle of a gate, some while one is being started.
        while round % 2 == 0 && std::fs::read(repo.at("began.log")).map_or(0, |bytes| bytes.len()) == began {
            assert!(Instant::now() < until, "no gate began: {}", server.log());
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(rand::rng().random_range(0..30_000)));
        server.kill();
        // `start` panics when the server ends at its start, which it does when the folder is taken.
        server.start();
        ended(&server, &run);
    }
    assert!(server.stop().success());
    assert!(programs::run(server.root(), repo.path(), &["verify"]).status.success());
}

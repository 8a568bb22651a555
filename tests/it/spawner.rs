//! The process that forks commands in the server's place: it is killed, and its server is.

use std::{fs, time::Duration};

use proofhouse_tests::{
    process::{alive, tag},
    proving::{Gate, Proving},
};
use serde_json::json;

use crate::far::until;

/// Name and parent of each process of this machine.
fn processes() -> Vec<(u32, String, u32)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let Some(parent) = stat[close + 1..].split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) else {
            continue;
        };
        all.push((pid, stat[open + 1..close].to_owned(), parent));
    }
    all
}

fn child(of: u32, name: &str) -> Option<u32> {
    processes().into_iter().find(|(_, comm, parent)| comm == name && *parent == of).map(|(pid, ..)| pid)
}

/// How long a process may take to begin or to end.
const SOON: Duration = Duration::from_secs(20);

/// K8, F13: commands hang on the spawner and not on the server; when it is killed, what runs goes on to its true
/// end, and the next command is forked from the server.
#[test]
fn a_killed_spawner_costs_no_command() {
    let gates = [Gate::script("unit", "touch log/began; sleep 1"), Gate::script("quick", "exit 0")];
    let mut proving = Proving::new(&gates);
    let server = proving.server.process().pid();
    let spawner = child(server, "ph-spawner").unwrap();
    let run = proving.start(&json!({}));
    until("the gate began", SOON, || child(spawner, "ph-warden").is_some() && proving.repo.at("log/began").exists());
    // SAFETY: a signal to a process that this test's server started.
    assert_eq!(unsafe { libc::kill(spawner.cast_signed(), libc::SIGKILL) }, 0);
    assert_eq!(proving.ended(&run)["verdict"], "passed", "{:?}", proving.reasons(&run));
    let again = proving.start(&json!({}));
    assert_eq!(proving.ended(&again)["verdict"], "passed", "{:?}", proving.reasons(&again));
    assert!(proving.server.log().contains("the spawner is gone"), "{}", proving.server.log());
}

/// F13: of a server that is killed neither spawner nor command stays.
#[test]
fn a_spawner_lives_as_long_as_its_server() {
    let tag = tag();
    let mut proving = Proving::new(&[Gate::script("unit", &format!("sh -c 'sleep 300; :' {tag}"))]);
    let server = proving.server.process().pid();
    let spawner = child(server, "ph-spawner").unwrap();
    proving.start(&json!({}));
    until("the gate began", SOON, || !alive(&tag).is_empty());
    proving.server.kill();
    until("the command is gone", SOON, || alive(&tag).is_empty());
    until("the spawner is gone", SOON, || {
        processes().iter().all(|(pid, name, _)| *pid != spawner || name != "ph-spawner")
    });
}

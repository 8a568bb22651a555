//! Starts that are cut short, and folders from elsewhere.

use std::{thread, time::Duration};

use proofhouse_tests::{
    programs::{self, Program},
    server::Server,
    work,
};
use rand::Rng as _;
use serde_json::json;

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

//! Starts that are cut short, and folders from elsewhere.

use std::{fs, path::Path, thread, time::Duration};

use proofhouse_tests::{
    programs::{self, Program},
    server::Server,
    work,
};
use rand::Rng as _;
use serde_json::json;
use testkit::{assert_gapless, journal::assert_ended_once};

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

/// F20: a backup made while entries are written holds, for every stream, a prefix of it that
/// verifies, and a plane started on the copy goes on from there.
#[test]
fn a_backup_under_load_is_a_prefix_that_verifies() {
    let server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    let run = work::submit(&owner, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let mut after = 0;
    thread::scope(|scope| {
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (stop, appender, lease) = (done.clone(), worker.again(), &lease);
        let load = scope.spawn(move || {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                n += 1;
                lease.append(&appender, &[n]).unwrap().expect(200);
            }
            n
        });
        thread::sleep(Duration::from_millis(300));
        let made = programs::run(server.root(), Path::new("/"), &["backup", copy.to_str().unwrap()]);
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        after = load.join().unwrap();
        assert!(made.status.success(), "{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    });
    lease.complete(&worker, &json!({})).unwrap().expect(200);
    let whole = server.journal(&format!("runs/{run}"));
    assert_ended_once(&whole);
    let restored = folder.path().join("restored");
    fs::rename(&copy, &restored).unwrap();
    let verified = programs::run(&restored, folder.path(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let other = Server::on(&restored, Program::WithProbe, &[]);
    let kept = other.journal(&format!("runs/{run}"));
    assert_gapless(&kept);
    assert!(!kept.is_empty() && kept.len() as u64 <= after + 10 && kept[..] == whole[..kept.len()], "a prefix");
    assert_eq!(other.client().get(&format!("/runs/{run}")).expect(200)["status"], "running");
}

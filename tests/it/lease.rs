//! Workers that die, sleep, or come back too late.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{process::Process, server::Server, work};
use serde_json::json;
use testkit::journal::{assert_ended_once, of_kind};

/// A worker process with one task in hand.
struct Worker {
    process: Process,
    lines: BufReader<std::process::ChildStdout>,
}

impl Worker {
    fn start(server: &Server, hold: Duration) -> Self {
        let owner = server.client();
        let made = owner.post("/tokens", &json!({"label": "process", "kind": "worker"})).expect(201);
        let mut child = Command::new(env!("CARGO_BIN_EXE_probe-worker"))
            .arg(server.address().to_string())
            .arg(work::text(&made, "secret"))
            .arg(hold.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Self { process: child.into(), lines };
        assert!(worker.line().starts_with("claimed "));
        assert_eq!(worker.line(), "append 1 200");
        worker
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// F2, F3, D56: side by side, as each of them lasts a lease.
#[test]
fn leases_that_run_out() {
    thread::scope(|scope| {
        scope.spawn(the_task_of_a_killed_worker_is_handed_out_again);
        scope.spawn(a_stopped_worker_comes_back_too_late);
        scope.spawn(a_late_word_counts_while_nobody_has_claimed_since);
    });
}

/// F2, K2: the task of a killed worker is handed out again within its lease and two seconds, and
/// ends once.
fn the_task_of_a_killed_worker_is_handed_out_again() {
    let server = Server::with_probe();
    let owner = server.client();
    let run = work::submit(&owner, "probe", json!({}));
    let mut worker = Worker::start(&server, Duration::from_secs(600));
    worker.process.kill();
    let from = Instant::now();
    let heir = work::worker(&owner);
    let lease = loop {
        if let Some(lease) = work::claim(&heir, 1, 30).pop() {
            break lease;
        }
        assert!(from.elapsed() < Duration::from_secs(40), "never handed out again");
    };
    assert!(from.elapsed() < model::limits::LEASE + Duration::from_secs(2), "only after {:?}", from.elapsed());
    assert_eq!((lease.generation, lease.attempt), (2, 2));
    lease.complete(&heir, &json!({"by": "heir"})).unwrap().expect(200);
    let journal = server.journal(&format!("runs/{run}"));
    testkit::assert_gapless(&journal);
    assert_ended_once(&journal);
    assert_eq!(of_kind(&journal, "task.requeued").len(), 1);
}

/// F3, K2, D55: a worker that slept past its lease cannot touch what another now holds, and the
/// heir's outcome is the only one.
fn a_stopped_worker_comes_back_too_late() {
    let server = Server::with_probe();
    let owner = server.client();
    let run = work::submit(&owner, "probe", json!({}));
    let mut sleeper = Worker::start(&server, Duration::from_secs(3));
    sleeper.process.signal(libc::SIGSTOP);
    let heir = work::worker(&owner);
    let from = Instant::now();
    let lease = loop {
        if let Some(lease) = work::claim(&heir, 1, 30).pop() {
            break lease;
        }
        assert!(from.elapsed() < Duration::from_secs(40), "never handed out again");
    };
    let before = server.journal(&format!("runs/{run}")).len();
    sleeper.process.signal(libc::SIGCONT);
    let last = loop {
        let line = sleeper.line();
        if line.starts_with("complete ") || line.is_empty() {
            break line;
        }
        thread::yield_now();
    };
    assert_eq!(last, "complete 409 PH-1017");
    assert_eq!(server.journal(&format!("runs/{run}")).len(), before, "a late entry was stored");
    lease.complete(&heir, &json!({"by": "heir"})).unwrap().expect(200);
    let journal = server.journal(&format!("runs/{run}"));
    testkit::assert_gapless(&journal);
    assert_ended_once(&journal);
    let tasks = owner.get(&format!("/runs/{run}/tasks")).expect(200);
    assert_eq!(tasks["items"][0]["output"], json!({"by": "heir"}));
}

/// D56: a lease that ran out while nobody else asked is taken up again by its last holder's word.
fn a_late_word_counts_while_nobody_has_claimed_since() {
    let server = Server::with_probe();
    let owner = server.client();
    let run = work::submit(&owner, "probe", json!({}));
    let worker = work::worker(&owner);
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let from = Instant::now();
    while from.elapsed() < model::limits::LEASE + Duration::from_secs(8) {
        thread::sleep(Duration::from_millis(250));
        let task = owner.get(&format!("/runs/{run}/tasks")).expect(200)["items"][0]["state"].clone();
        if task == "ready" {
            break;
        }
    }
    lease.append(&worker, &[1]).unwrap().expect(200);
    lease.complete(&worker, &json!({"by": "late"})).unwrap().expect(200);
    let journal = server.journal(&format!("runs/{run}"));
    assert_ended_once(&journal);
    assert_eq!(of_kind(&journal, "task.requeued").len(), 1);
}

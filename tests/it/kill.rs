//! SIGKILL and SIGTERM of the server, under load.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{programs, server::Server, work, work::Lease};
use rand::Rng as _;
use serde_json::{Value, json};
use testkit::{assert_gapless, http::Client};

const CLIENTS: usize = 8;

/// What was sent and the number it got, for each append that was answered.
type Acknowledged = Mutex<Vec<(u64, u64)>>;

/// F1: whatever was acknowledged before a kill is there after it, numbers have no holes, what is
/// stored verifies, and the server is ready again within a second.
#[test]
fn what_was_acknowledged_survives_a_kill_at_any_instant() {
    kill_under_appends(12);
}

/// F1, for minutes.
#[test]
#[ignore = "soak"]
fn soak_kills_under_appends() {
    kill_under_appends(300);
}

fn kill_under_appends(kills: usize) {
    let mut server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    for _ in 0..CLIENTS {
        work::submit(&owner, "probe", json!({}));
    }
    let leases = work::claim(&worker, u32::try_from(CLIENTS).unwrap(), 5);
    assert_eq!(leases.len(), CLIENTS);
    let acknowledged: Vec<Acknowledged> = (0..CLIENTS).map(|_| Acknowledged::default()).collect();
    let next = AtomicU64::new(1);
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        let address = server.address();
        thread::scope(|scope| {
            for (lease, acknowledged) in leases.iter().zip(&acknowledged) {
                let (client, next) = (worker.moved(address), &next);
                scope.spawn(move || append_until_cut(&client, lease, next, acknowledged));
            }
            thread::sleep(Duration::from_millis(rand::rng().random_range(20..250)));
            server.kill();
        });
        slowest = slowest.max(server.start());
    }
    let mut total = 0;
    for (lease, acknowledged) in leases.iter().zip(&acknowledged) {
        let journal = server.journal(&format!("runs/{}", lease.run));
        assert_gapless(&journal);
        let acknowledged = acknowledged.lock().unwrap();
        total += acknowledged.len();
        for (n, seq) in &*acknowledged {
            let entry = &journal[usize::try_from(*seq).unwrap() - 1];
            assert_eq!(entry["data"]["n"], *n, "entry {seq} was acknowledged with another content");
        }
        let mut written: Vec<u64> = journal.iter().filter_map(|entry| entry["data"]["n"].as_u64()).collect();
        let count = written.len();
        written.dedup();
        assert_eq!(written.len(), count, "an entry was stored twice");
    }
    assert!(total > kills, "the load was too small to prove anything: {total} appends");
    assert!(slowest < ready_again(), "ready again only after {slowest:?}");
    assert!(server.stop().success());
    let verified = programs::run(server.root(), server.root(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    println!("{total} acknowledged appends over {kills} kills; slowest start {slowest:?}");
}

/// A debug build on a busy machine is given more than the promised second.
fn ready_again() -> Duration {
    if cfg!(debug_assertions) { Duration::from_secs(5) } else { Duration::from_secs(1) }
}

/// Appends until the connection breaks off, and keeps what was answered.
fn append_until_cut(client: &Client, lease: &Lease, next: &AtomicU64, acknowledged: &Acknowledged) {
    loop {
        let n = next.fetch_add(1, SeqCst);
        match lease.append(client, &[n]) {
            Ok(reply) => {
                let seq = reply.expect(200)["last_seq"].as_u64().unwrap();
                acknowledged.lock().unwrap().push((n, seq));
            }
            Err(_) => return,
        }
    }
}

/// F5, P21, K1: an answer that was lost is found again under its key, also over a kill; the key with
/// another body is refused and does nothing.
#[test]
fn a_lost_answer_is_found_again_under_its_key() {
    let mut server = Server::with_probe();
    let mut owner = server.client();
    let config = json!({"kind": "probe", "config": {"tasks": 2}});
    for round in 0..12u64 {
        let key = format!("key-{round}");
        // The request goes out, and nobody waits for the answer.
        let mut connection = owner.connect().unwrap();
        let request = owner.request("POST", "/projects/probe/runs", &[("idempotency-key", &key)], Some(&config));
        std::io::Write::write_all(connection.get_mut(), &request).unwrap();
        thread::sleep(Duration::from_micros(rand::rng().random_range(0..4_000)));
        drop(connection);
        if round % 4 == 3 {
            server.kill();
            server.start();
            owner = server.client();
        }
        let first = owner.post_once("/projects/probe/runs", &key, &config);
        let body = first.expect(202);
        let again = owner.post_once("/projects/probe/runs", &key, &config);
        assert_eq!((again.status, &again.body), (202, &first.body), "the same answer, byte for byte");
        assert_eq!(again.header("location"), Some(format!("/api/v1/runs/{}", work::text(&body, "run")).as_str()));
        let other = owner.post_once("/projects/probe/runs", &key, &json!({"kind": "probe", "config": {"tasks": 3}}));
        assert_eq!(other.problem(422), "PH-1007");
    }
    let runs = owner.get("/projects/probe/runs?limit=500").expect(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 12, "each key started one run");
}

/// F21: SIGTERM under load. Calls that were accepted are answered, streams are told to come back,
/// the process ends in time and well, and nothing that was acknowledged is missing.
#[test]
fn a_server_that_is_told_to_stop_answers_what_it_accepted() {
    let mut server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    for _ in 0..4 {
        work::submit(&owner, "probe", json!({}));
    }
    let leases = work::claim(&worker, 4, 5);
    let path = format!("/runs/{}/events", leases[0].run);
    let mut streams: Vec<_> = (0..5).map(|_| owner.stream(&path, None).unwrap()).collect();
    let stopping = AtomicBool::new(false);
    let next = AtomicU64::new(1);
    let status = thread::scope(|scope| {
        let loads: Vec<_> = leases
            .iter()
            .map(|lease| {
                let (client, stopping, next) = (worker.again(), &stopping, &next);
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    loop {
                        let n = next.fetch_add(1, SeqCst);
                        match lease.append(&client, &[n]) {
                            Ok(reply) => {
                                reply.expect(200);
                                acknowledged.push(n);
                            }
                            Err(error) => {
                                assert!(stopping.load(SeqCst), "cut before the stop: {error}");
                                return acknowledged;
                            }
                        }
                    }
                })
            })
            .collect();
        // A claim that waits is sent home, not held until its time is over.
        let waiting = {
            let client = worker.again();
            scope.spawn(move || work::claim(&client, 1, 30))
        };
        thread::sleep(Duration::from_millis(300));
        stopping.store(true, SeqCst);
        let asked = Instant::now();
        let status = server.stop();
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert_eq!(waiting.join().unwrap(), []);
        let acknowledged: Vec<Vec<u64>> = loads.into_iter().map(|load| load.join().unwrap()).collect();
        for stream in &mut streams {
            // Each ends in order, behind a word to come back; none is cut in the middle of an event.
            while let Some(event) = stream.next().expect("a stream ends in order") {
                assert_ne!(event.event, "end", "the run has not ended");
            }
        }
        server.start();
        for (lease, acknowledged) in leases.iter().zip(acknowledged) {
            let journal = server.journal(&format!("runs/{}", lease.run));
            assert_gapless(&journal);
            let stored: std::collections::HashSet<u64> =
                journal.iter().filter_map(|entry: &Value| entry["data"]["n"].as_u64()).collect();
            assert!(acknowledged.iter().all(|n| stored.contains(n)), "an acknowledged entry is missing");
        }
        status
    });
    assert!(status.success(), "{}", server.log());
}

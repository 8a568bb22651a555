//! Two servers over one PostgreSQL.

use std::time::{Duration, Instant};

use proofhouse_tests::{programs::Program, server::Server, work};
use serde_json::json;
use testkit::{Database, assert_gapless, database};

/// F9: with its wake-up connection cut, a replica still starts work within two seconds of its
/// submission elsewhere; F7 in small: what one replica is told, the other serves.
#[test]
fn a_cut_wake_up_costs_a_poll_and_nothing_else() {
    let Some(postgres) = database::postgres_server() else {
        println!("skipped: F9 needs PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let database = Database::postgres(&postgres);
    let address = database.address();
    let one = Server::fresh(Program::WithProbe, &["--store", &address]);
    let mut two = Server::fresh(Program::WithProbe, &["--store", &address]);
    let (owner, there) = (one.client(), two.client());
    let worker = work::worker(&there);
    for round in 0..4 {
        let cut = round > 0;
        if cut {
            database
                .execute(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE query LIKE 'LISTEN %' AND query LIKE '%{}%'",
                    database.schema().unwrap()
                ))
                .unwrap();
        }
        let run = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let leases = work::claim(&worker, 1, 20);
                (leases, Instant::now())
            });
            // The claim is on its way before the run is; with its connection gone only the poll helps.
            std::thread::sleep(Duration::from_millis(200));
            let run = work::submit(&owner, "probe", json!({}));
            let from = Instant::now();
            let (leases, at) = waiting.join().unwrap();
            assert_eq!(leases.first().map(|lease| &lease.run), Some(&run), "round {round}");
            let latency = at.saturating_duration_since(from);
            assert!(latency < Duration::from_secs(2), "round {round}: started only after {latency:?}");
            leases[0].complete(&worker, &json!({})).unwrap().expect(200);
            run
        });
        let mut stream = owner.stream(&format!("/runs/{run}/events"), None).unwrap();
        let events = stream.until("end").unwrap();
        assert_eq!(
            events.iter().filter(|event| event.event == "entry").count(),
            two.journal(&format!("runs/{run}")).len()
        );
        assert_gapless(&one.journal(&format!("runs/{run}")));
    }
    assert!(two.stop().success(), "{}", two.log());
}

/// F7: a replica that is killed while a reader follows and a worker holds a task: the reader goes on
/// at the other by number, and the worker's next words are taken there.
#[test]
fn streams_and_leases_go_on_at_the_other_replica() {
    let Some(postgres) = database::postgres_server() else {
        println!("skipped: F7 needs PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let database = Database::postgres(&postgres);
    let address = database.address();
    let mut one = Server::fresh(Program::WithProbe, &["--store", &address]);
    let two = Server::fresh(Program::WithProbe, &["--store", &address]);
    let here = one.client();
    let there = two.client();
    let worker = work::worker(&here);
    let run = work::submit(&here, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    lease.append(&worker, &[1, 2, 3]).unwrap().expect(200);
    let path = format!("/runs/{run}/events");
    let mut stream = here.stream(&path, None).unwrap();
    let mut last = stream.next().unwrap().unwrap();
    while last.json()["data"]["n"] != 2 {
        last = stream.next().unwrap().unwrap();
    }
    one.kill();
    let moved = worker.moved(two.address());
    lease.append(&moved, &[4]).unwrap().expect(200);
    lease.complete(&moved, &json!({})).unwrap().expect(200);
    let events = there.stream(&path, Some(&last.id)).unwrap().until("end").unwrap();
    let numbers: Vec<u64> =
        events.iter().filter(|event| event.event == "entry").map(testkit::sse::Event::seq).collect();
    let journal = two.journal(&format!("runs/{run}"));
    assert_eq!(numbers, (last.seq() + 1..=journal.len() as u64).collect::<Vec<_>>());
    assert_gapless(&journal);
}

/// Whether a replica does what is to happen once.
fn leads(server: &Server) -> bool {
    let page = String::from_utf8(server.client().get("//metrics").body).unwrap();
    page.lines().any(|line| line == "proofhouse_leader 1")
}

/// F7: the replica that leads is killed. Within ten seconds the other leads, under a newer epoch, and
/// what came due meanwhile happens once; a lease that is renewed there is kept, one that is not is
/// handed out again.
#[test]
fn leader_work_moves_within_ten_seconds_and_happens_once() {
    let Some(postgres) = database::postgres_server() else {
        println!("skipped: F7 needs PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let database = Database::postgres(&postgres);
    let schema = database.schema().unwrap().to_owned();
    let address = database.address();
    let mut servers = [(); 2].map(|()| Server::fresh(Program::WithProbe, &["--store", &address]));
    let from = Instant::now();
    while !servers.iter().any(leads) {
        assert!(from.elapsed() < Duration::from_secs(20), "nobody leads");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(servers.iter().filter(|server| leads(server)).count(), 1, "one leads");
    if leads(&servers[1]) {
        servers.swap(0, 1);
    }
    let [mut one, two] = servers;
    let here = one.client();
    let worker = work::worker(&here);
    let run = work::submit(&here, "probe", json!({"tasks": 2}));
    let leases = work::claim(&worker, 2, 5);
    let project = work::text(&here.get(&format!("/runs/{run}")).expect(200), "project");
    let claimed = Instant::now();
    one.kill();
    let killed = Instant::now();
    // Due already, and nobody leads: it waits for the next leader.
    database
        .execute(&format!(
            "INSERT INTO {schema}.question (id, project, run, kind, state, subject, prompt, schema, expires_at, created_at)
             VALUES ('{}', '{project}', '{run}', 'question', 'open', 'due', 'Due?', '{{}}', 1, 1)",
            uuid::Uuid::now_v7()
        ))
        .unwrap();
    let moved = worker.moved(two.address());
    let expired = |journal: &[serde_json::Value]| testkit::journal::of_kind(journal, "question.expired").len();
    let path = format!("runs/{run}");
    while expired(&two.journal(&path)) == 0 {
        assert!(killed.elapsed() < Duration::from_secs(10), "leader work did not move within ten seconds");
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("F7: leader work moved after {:?}", killed.elapsed());
    assert!(leads(&two));
    // The killed one comes back, and does not do it again.
    one.start();
    let kept = &leases[0];
    while claimed.elapsed() < model::limits::LEASE + Duration::from_secs(1) {
        kept.heartbeat(&moved);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!leads(&one) && leads(&two), "the lead is kept");
    let again = work::claim(&moved, 2, 10);
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!((&again[0].task, again[0].generation), (&leases[1].task, 2), "the other lease ran out");
    assert_eq!(leases[1].complete(&moved, &json!({})).unwrap().problem(409), "PH-1017");
    kept.complete(&moved, &json!({})).unwrap().expect(200);
    again[0].complete(&moved, &json!({})).unwrap().expect(200);
    let journal = two.journal(&path);
    assert_gapless(&journal);
    assert_eq!(expired(&journal), 1);
    assert_eq!(expired(&two.journal(&format!("projects/{project}"))), 1);
    assert_eq!(journal, one.journal(&path));
}

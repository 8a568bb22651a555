//! PostgreSQL that goes away under load, in every way it can (F8). Only in `make soak`.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{cluster::Cluster, programs::Program, server::Server, work};
use serde_json::json;
use testkit::{Database, assert_gapless};

/// How soon the appends of before have to come again.
const BACK: Duration = Duration::from_secs(30);

/// F8: PostgreSQL crashes and comes back, all its connections are terminated, others use them all up, a
/// transaction holds the rows that are written: the server does not exit, what it acknowledged is
/// stored once and in order, and within thirty seconds it takes as much as before.
#[test]
#[ignore = "soak"]
fn soak_postgres_comes_and_goes() {
    let Some(cluster) = Cluster::start() else {
        println!("skipped: F8 needs PostgreSQL's own programs");
        return;
    };
    let database = Database::postgres(&cluster.url());
    let schema = database.schema().unwrap().to_owned();
    let mut server = Server::fresh(Program::WithProbe, &["--store", &database.address()]);
    let owner = server.client();
    let worker = work::worker(&owner);
    for _ in 0..4 {
        work::submit(&owner, "probe", json!({}));
    }
    let leases = work::claim(&worker, 4, 10);
    assert_eq!(leases.len(), 4);
    let (stop, taken, next) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(1));
    let acknowledged: Vec<Mutex<Vec<(u64, u64)>>> = leases.iter().map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for (lease, acknowledged) in leases.iter().zip(&acknowledged) {
            let (worker, stop, taken, next) = (worker.again(), &stop, &taken, &next);
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let n = next.fetch_add(1, SeqCst);
                    // Refused, or without an answer: nothing was promised.
                    if let Ok(reply) = lease.append(&worker, &[n])
                        && reply.status == 200
                    {
                        let seq = reply.json()["last_seq"].as_u64().unwrap();
                        acknowledged.lock().unwrap().push((n, seq));
                        taken.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        // The leases are kept whatever happens to the database for a while.
        let (beats, stop_beats) = (worker.again(), &stop);
        let held = &leases;
        scope.spawn(move || {
            while !stop_beats.load(SeqCst) {
                let held: Vec<_> =
                    held.iter().map(|lease| json!({"task": lease.task, "generation": lease.generation})).collect();
                let _ = beats.call("POST", "/worker/heartbeat", &[], Some(&json!({"held": held})));
                thread::sleep(Duration::from_secs(2));
            }
        });
        let rate = |over: Duration| {
            let before = taken.load(SeqCst);
            thread::sleep(over);
            (taken.load(SeqCst) - before) as f64 / over.as_secs_f64()
        };
        thread::sleep(Duration::from_secs(2));
        let usual = rate(Duration::from_secs(3));
        assert!(usual > 20.0, "the load is too small to prove anything: {usual} appends a second");
        for round in 0..3 {
            for fault in ["crash", "terminate", "exhaust", "hold"] {
                match fault {
                    "crash" => {
                        cluster.crash();
                        thread::sleep(Duration::from_secs(1 + round));
                        cluster.up();
                    }
                    "terminate" => terminate(&database),
                    "exhaust" => exhaust(&cluster),
                    // The rows of the journal's heads: every append waits behind it.
                    _ => hold(&cluster, &format!("LOCK TABLE {schema}.stream IN ACCESS EXCLUSIVE MODE")),
                }
                let from = Instant::now();
                while rate(Duration::from_secs(1)) < usual / 2.0 {
                    assert!(from.elapsed() < BACK, "{fault}: not back after {:?}\n{}", from.elapsed(), server.log());
                }
                println!("F8: {fault}: back after {:?}", from.elapsed());
                assert!(server.process().is_alive(), "{fault}: the server has ended\n{}", server.log());
            }
        }
        stop.store(true, SeqCst);
    });
    for (lease, acknowledged) in leases.iter().zip(&acknowledged) {
        let journal = server.journal(&format!("runs/{}", lease.run));
        assert_gapless(&journal);
        for (n, seq) in acknowledged.lock().unwrap().iter() {
            assert_eq!(journal[usize::try_from(*seq).unwrap() - 1]["data"]["n"], *n, "acknowledged and not there");
        }
    }
    let verified = owner.get("/verify").expect(200);
    assert_eq!(verified["damage"], json!([]));
    assert!(server.stop().success());
}

fn terminate(database: &Database) {
    // It may end the very connection that asks.
    let _ = database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
}

/// Uses up every connection that is left, for five seconds, once the server's own were ended.
fn exhaust(cluster: &Cluster) {
    with_client(cluster, async |url| {
        let mut taken = Vec::new();
        let (first, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let _ = first
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'proofhouse'",
            )
            .await;
        while let Ok((client, connection)) = tokio_postgres::connect(url, tokio_postgres::NoTls).await {
            tokio::spawn(connection);
            taken.push(client);
        }
        assert!(taken.len() > 10, "only {} connections were free", taken.len());
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
}

/// Begins a transaction, takes what the server needs, and sits on it for eight seconds.
fn hold(cluster: &Cluster, statement: &str) {
    with_client(cluster, async |url| {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(8)).await;
        client.batch_execute("ROLLBACK").await.unwrap();
    });
}

fn with_client(cluster: &Cluster, work: impl AsyncFnOnce(&str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(work(&cluster.url()));
    runtime.shutdown_background();
}

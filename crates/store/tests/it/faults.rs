//! Kills, full disks, broken connections, races.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use model::{
    id::*,
    journal::StreamId,
    limits::LEASE,
    run::RunStatus,
    task::{Fence, TaskEvent, TaskState},
};
use proptest::{prelude::*, strategy::ValueTree};
use store::{Blobs, Reaped, RunChange, Store, StoreError, StoreUrl, TaskChange};

use crate::support::*;

const CHILD: &str = "PROOFHOUSE_TEST_CHILD";

/// Starts this test binary again as one of the children below.
fn child(name: &str, path: &Path, also: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("faults::{name}"), "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .env("PROOFHOUSE_TEST_CHILD_ALSO", also)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn told() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(CHILD)?.into(), std::env::var("PROOFHOUSE_TEST_CHILD_ALSO").unwrap_or_default()))
}

/// A pseudo-random number below `bound` that differs from call to call.
fn some(bound: u64) -> u64 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    (u64::from(nanos) ^ (uuid().as_u128() >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % bound
}

/// Child of F1: appends for ever from eight tasks, and says each number only after its acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_appends() {
    let Some((path, run)) = told() else { return };
    let store = Store::open(StoreUrl::Sqlite(path)).await.unwrap();
    let run: RunId = run.parse().unwrap();
    println!("ready");
    for _ in 0..8 {
        tokio::spawn(append_for_ever(store.clone(), run));
    }
    std::future::pending::<()>().await;
}

async fn append_for_ever(store: Store, run: RunId) {
    loop {
        let range = store.write(move |tx| {
            Box::pin(async move {
                let head = tx.head(StreamId::Run(run)).await?.seq;
                let entries: Vec<_> = (0..1 + head % 3).map(|n| entry(head + 1 + n)).collect();
                tx.journal_append_numbered(StreamId::Run(run), &entries, model::time::Timestamp::from_micros(1)).await
            })
        });
        let range = Result::<_, StoreError>::unwrap(range.await);
        println!("acked {}", range.end - 1);
    }
}

/// F1: killed many times at random under concurrent appends: what was acknowledged is stored, the
/// numbers are dense, the chain and the file are sound, and it is ready again within a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let run = Db::open(StoreUrl::Sqlite(path.clone())).await.start(vec![]).await;
    let mut highest = 0;
    for _ in 0..12 {
        let begun = Instant::now();
        let mut process = child("child_appends", &path, &run.to_string());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.ends_with("ready")));
        // A second by itself; the rest is for a machine that builds beside it.
        assert!(begun.elapsed() < Duration::from_secs(5), "ready again after {:?}", begun.elapsed());
        let acked = std::thread::spawn(move || {
            let numbers = lines.filter_map(|line| line.strip_prefix("acked ")?.parse::<u64>().ok());
            numbers.max().unwrap_or(0)
        });
        std::thread::sleep(Duration::from_millis(20 + some(120)));
        process.kill().unwrap();
        process.wait().unwrap();
        let acked = acked.join().unwrap();
        highest = highest.max(acked);

        let store = Store::open(StoreUrl::Sqlite(path.clone())).await.unwrap();
        let verified = store.verify_stream(StreamId::Run(run)).await.unwrap();
        assert_eq!(verified.damage, []);
        assert!(verified.entries >= highest, "{highest} was acknowledged, {} are stored", verified.entries);
        assert_eq!(store.check_pages().await.unwrap(), Vec::<String>::new());
        let entries = store.read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), 0, 1_000_000).await }));
        for (at, entry) in Result::<_, StoreError>::unwrap(entries.await).iter().enumerate() {
            assert_eq!(entry.seq, at as u64 + 1);
            assert_eq!(entry.data, format!("{{\"n\":{}}}", entry.seq), "each number holds what was written under it");
        }
    }
    assert!(highest > 50, "only {highest} entries were acknowledged");
}

/// Child of F10: appends until a write of the file fails for another cause than space. It must not go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_writes_into_a_failing_file() {
    let Some((path, run)) = told() else { return };
    let store = Store::open(StoreUrl::Sqlite(path)).await.unwrap();
    let run: RunId = run.parse().unwrap();
    let hooked = Arc::new(AtomicBool::new(false));
    let hear = Arc::clone(&hooked);
    store.on_poison(move |_| hear.store(true, Ordering::Relaxed));
    let append = async || {
        let big = model::journal::NewEntry::new("note", serde_json::json!({"text": "x".repeat(5_000)}));
        let range = store.write(move |tx| {
            let entries = [big.clone()];
            Box::pin(async move {
                tx.journal_append_numbered(StreamId::Run(run), &entries, model::time::Timestamp::from_micros(1)).await
            })
        });
        range.await
    };
    println!("ready");
    let error = loop {
        match append().await {
            Ok(range) => println!("acked {}", range.start),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Poisoned(_)), "{error:?}");
    assert!(matches!(append().await, Err(StoreError::Poisoned(_))), "nothing is written any more");
    assert!(hooked.load(Ordering::Relaxed));
    // As the binary does.
    std::process::exit(70);
}

/// F10: after a failed write the store stops, the process exits, and the next start is sound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_ends_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let run = Db::open(StoreUrl::Sqlite(path.clone())).await.start(vec![]).await;
    // No file may grow past the limit, and the signal about it is ignored: writes fail with EFBIG.
    let mut process = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1500; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "faults::child_writes_into_a_failing_file", "--nocapture", "--test-threads=1"])
        .env(CHILD, &path)
        .env("PROOFHOUSE_TEST_CHILD_ALSO", run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acked = lines.filter_map(|line| line.strip_prefix("acked ")?.parse::<u64>().ok()).max().unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(70));
    let store = Store::open(StoreUrl::Sqlite(path)).await.unwrap();
    let verified = store.verify_stream(StreamId::Run(run)).await.unwrap();
    assert_eq!(verified.damage, []);
    assert!(verified.entries >= acked && acked > 10, "{acked} acknowledged, {} stored", verified.entries);
    assert_eq!(store.check_pages().await.unwrap(), Vec::<String>::new());
}

/// Child of F19: migrates fresh files for ever.
#[tokio::test]
async fn child_migrates() {
    let Some((path, _)) = told() else { return };
    println!("ready");
    for n in 0.. {
        let file = path.join(format!("{n}.db"));
        Store::open(StoreUrl::Sqlite(file)).await.unwrap();
        println!("done {n}");
    }
}

/// F19: killed in mid-migration, the file is whole before or after each step, and the next start goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_migration_goes_on_at_the_next_start() {
    for _ in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let mut process = child("child_migrates", folder.path(), "");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.ends_with("ready")));
        std::thread::sleep(Duration::from_micros(some(60_000)));
        process.kill().unwrap();
        process.wait().unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.path()).collect();
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "db")) {
            let store = Store::open(StoreUrl::Sqlite(file.clone())).await.unwrap();
            assert!(store.prepare_all().await.unwrap() > 100);
            let version = store.read(|tx| Box::pin(async move { tx.schema_version().await }));
            assert_eq!(version.await, Ok::<_, StoreError>(store::SCHEMA_VERSION));
        }
    }
}

both! {
    /// F19: a database of a newer program is refused by its version, and left as it is.
    async fn a_newer_database_is_refused(db: Db) {
        db.harm("INSERT INTO schema_version (version, name) VALUES (999, 'future')").await;
        let refused = Store::open(db.url.clone()).await.map(drop).unwrap_err();
        assert_eq!(refused, StoreError::DatabaseNewer { found: 999, known: store::SCHEMA_VERSION });
    }

    /// F19: many starts at once migrate once.
    async fn concurrent_starts_migrate_once(db: Db) {
        db.harm("DROP TABLE meta").await;
        db.harm("DELETE FROM schema_version").await;
        // The same file or schema, not migrated as far as it says: the step fails whole, and changes nothing.
        assert!(Store::open(db.url.clone()).await.is_err());
        db.harm("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)").await;
        // As the step before the last left it; the last is done again, by one of the four.
        for version in 1..store::SCHEMA_VERSION {
            db.harm(&format!("INSERT INTO schema_version (version, name) VALUES ({version}, 'step')")).await;
        }
        db.harm("DROP TABLE ledger_line").await;
        db.harm("DROP TABLE ledger_top_up").await;
        db.harm("DROP TABLE ledger_pool").await;
        db.harm("ALTER TABLE task DROP COLUMN reserve").await;
        if db.store.kind() == "postgres" {
            db.harm("DROP FUNCTION ledger_is_kept").await;
        }
        let opened: Vec<_> = (0..4).map(|_| tokio::spawn(Store::open(db.url.clone()))).collect();
        for open in opened {
            open.await.unwrap().unwrap();
        }
    }

    /// F18, K5: cancel, finish, expiry, release and claims interleaved at random end each task once, as the pure
    /// machine allows, and the counters agree with the rows.
    async fn random_interleavings_end_each_task_once(db: Db) {
        let actions = prop::collection::vec((0..7u8, 0..4usize), 40);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..12 {
            let script = actions.new_tree(&mut runner).unwrap().current();
            interleave(&db, script).await;
        }
    }
}

async fn interleave(db: &Db, script: Vec<(u8, usize)>) {
    let tasks: Vec<_> = (0..4).map(|n| task(&n.to_string())).collect();
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let run = db.start(tasks).await;
    let me = worker();
    let mut fences: Vec<Fence> = Vec::new();
    let mut ended = [None; 4];
    for (action, which) in script {
        let now = db.now();
        let id = ids[which];
        let newest = fences.iter().rev().find(|fence| fence.task == id).copied();
        match action {
            0 | 1 => fences.extend(db.claim(me, 1).await.iter().map(fence)),
            2 => {
                if let Some(fence) = newest {
                    let _ = db.finish(fence).await;
                }
            }
            3 => {
                db.advance(LEASE);
                for reaped in db.store.reap(db.now()).await.unwrap() {
                    if let Reaped::AttemptsUsedUp(task) | Reaped::Cancelling(task) = reaped {
                        let (fence, now) = (Fence { task: task.id, generation: task.generation }, db.now());
                        within!(db, |tx| tx.task_lost(fence, &TaskChange::new(TaskEvent::Failed), now).await)
                            .await
                            .unwrap();
                    }
                }
            }
            4 => {
                if let Some(fence) = newest {
                    let _ = db.store.release(fence, "drain", which % 2 == 0, None, now).await;
                }
            }
            5 => {
                let open = [TaskState::Blocked, TaskState::Ready, TaskState::Leased];
                within!(db, |tx| tx.task_transition(id, &open, &TaskChange::new(TaskEvent::Cancelled), now).await)
                    .await
                    .unwrap();
            }
            _ => {
                if let Some(fence) = newest {
                    let _ = db.store.heartbeat(me, &[fence], now).await.unwrap();
                }
            }
        }
        for (at, id) in ids.iter().enumerate() {
            let task = db.task(*id).await;
            match ended[at] {
                Some(state) => assert_eq!(task.state, state, "an ended task never changes"),
                None if task.state.is_terminal() => ended[at] = Some(task.state),
                None => assert_eq!(task.lease.is_some(), task.state == TaskState::Leased),
            }
        }
        let progress = db.run(run).await.progress;
        assert_eq!(within!(db, |tx| tx.run_recount(run, false).await).await.unwrap(), progress);
        assert_eq!(progress.done as usize, ended.iter().flatten().count());
    }
    let now = db.now();
    within!(db, |tx| {
        tx.run_set(run, &RunChange { cancelling: Some(true), ..Default::default() }, now).await?;
        tx.cancel_open_tasks(run, now).await?;
        tx.cancel_leased_tasks(run, now).await?;
        tx.run_set(run, &RunChange { status: Some(RunStatus::Cancelled), ..Default::default() }, now).await
    })
    .await
    .unwrap();
    let run = db.run(run).await;
    assert_eq!((run.status, run.progress.done), (RunStatus::Cancelled, 4));
}

/// A file system of a few megabytes, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let path = tempfile::tempdir().unwrap().keep();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path).status();
        assert!(mounted.is_ok_and(|status| status.success()), "this test mounts a small tmpfs: run it as root");
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// F10, X56: a full disk is said, nothing acknowledged is lost, reads go on, and writing goes on by
/// itself when there is space.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_survived() {
    let disk = SmallDisk::new("6m");
    let db = Db::open(StoreUrl::Sqlite(disk.0.join("store.db"))).await;
    let poisoned = Arc::new(AtomicBool::new(false));
    let hear = Arc::clone(&poisoned);
    db.store.on_poison(move |_| hear.store(true, Ordering::Relaxed));
    let run = db.start(vec![]).await;
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let append = async || {
        let now = db.now();
        let big = model::journal::NewEntry::new("note", serde_json::json!({"text": "x".repeat(20_000)}));
        let done = db.store.write(move |tx| {
            let entries = [big.clone()];
            Box::pin(async move { tx.journal_append_numbered(StreamId::Run(run), &entries, now).await })
        });
        done.await
    };
    let mut acked = 0;
    let full = loop {
        match append().await {
            Ok(range) => acked = range.start,
            Err(error) => break error,
        }
        assert!(acked < 1_000, "the disk never filled");
    };
    assert_eq!(full, StoreError::DiskFull);
    assert_eq!(append().await, Err(StoreError::DiskFull), "refused until there is space");
    let blobs = Blobs::open(&disk.0);
    if let Ok(blobs) = blobs {
        assert_eq!(blobs.put_bytes(vec![1; 4 << 20]).await, Err(StoreError::DiskFull));
    }
    let verified = db.store.verify_stream(StreamId::Run(run)).await.unwrap();
    assert_eq!((verified.entries, verified.damage), (acked, vec![]), "reads go on, over what was acknowledged");
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(append().await.unwrap().start, acked + 1);
    assert!(!poisoned.load(Ordering::Relaxed));
    assert_eq!(db.store.check_pages().await.unwrap(), Vec::<String>::new());
}

fn schema(db: &Db) -> String {
    match &db.url {
        StoreUrl::Postgres(url) => url.rsplit("%3D").next().unwrap().to_owned(),
        StoreUrl::Sqlite(_) => panic!("not PostgreSQL"),
    }
}

/// What one replica commits wakes the other; a killed wake-up connection comes back (F9).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_wake_each_other_and_come_back() {
    on_postgres(|db| async move {
        let other = Store::open(db.url.clone()).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&heard);
        other.on_commit(move |what| hear.lock().unwrap().push(what.clone()));
        let run = db.start(vec![]).await;
        let stream = StreamId::Run(run);
        let wakes = async |round: u64| {
            for _ in 0..50 {
                let now = db.now();
                let range =
                    within!(db, |tx| tx.journal_append_numbered(stream, &[entry(round)], now).await).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                let heard = heard.lock().unwrap();
                if heard
                    .iter()
                    .any(|what| what.streams.iter().any(|(name, seq)| *name == stream && *seq >= range.start))
                {
                    return;
                }
            }
            panic!("the other replica was never woken");
        };
        wakes(1).await;
        let client = postgres_client().await;
        let channel = format!("LISTEN \"proofhouse_{}\"", schema(&db));
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1";
        let killed = client.execute(kill, &[&channel]).await.unwrap();
        assert!(killed >= 1);
        wakes(2).await;
        assert!(heard.lock().unwrap().iter().any(|what| what.lost), "told to look at everything after the break");
    })
    .await;
}

/// F8: all connections terminated under load: every acknowledged append is stored, and writing goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_lose_nothing_acknowledged() {
    on_postgres(|db| async move {
        let run = db.start(vec![]).await;
        let stream = StreamId::Run(run);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (db, stop) = (db.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut acked = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let now = db.now();
                        let range = within!(db, |tx| tx.journal_append_numbered(stream, &[entry(1)], now).await).await;
                        // A refusal is honest: its outcome is not known, and nothing is claimed.
                        acked.extend(range.map(|range| range.start));
                    }
                    acked
                })
            })
            .collect();
        let client = postgres_client().await;
        let schema = schema(&db);
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(80)).await;
            // Only this test's own connections: those that hold its tables in a transaction.
            let kill = format!(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}' AND l.pid <> pg_backend_pid()"
            );
            client.execute(&kill, &[]).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.store(true, Ordering::Relaxed);
        let mut acked = Vec::new();
        for writer in writers {
            acked.extend(writer.await.unwrap());
        }
        acked.sort_unstable();
        let count = acked.len();
        acked.dedup();
        assert_eq!(acked.len(), count, "no number was given twice");
        let now = db.now();
        let last = within!(db, |tx| tx.journal_append_numbered(stream, &[entry(2)], now).await).await.unwrap().start;
        let verified = db.store.verify_stream(stream).await.unwrap();
        assert_eq!((verified.entries, verified.damage), (last, vec![]));
        assert!(acked.last().is_some_and(|seq| *seq < last));
    })
    .await;
}

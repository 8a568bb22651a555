//! Backups that are made while everything goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use model::{
    actor::Actor,
    journal::{NewEntry, StreamId},
    run::RunKind,
    task::Fence,
};
use proofhouse_tests::{
    programs::{self, Program},
    server::Server,
    work,
};
use serde_json::{Value, json};
use testkit::{TestPlane, assert_gapless, plane::Wanted};

/// F20: a backup made while entries are written holds, for every stream, a prefix of it that
/// verifies, and a plane started on the copy goes on from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_prefix_that_verifies() {
    let plane = TestPlane::with(Wanted { real_time: true, ..Wanted::default() }).await;
    let project = plane.project("probe", plane.folder()).await;
    let submit = engine::Submit {
        project,
        kind: RunKind::named("probe"),
        config: json!({"tasks": 4}),
        actor: Actor::System,
        join: false,
        once: None,
        retry_of: None,
        issue: None,
    };
    let run = plane.engine.submit(submit).await.unwrap().run.id;
    let leased = plane.claim(4, Duration::from_secs(5)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = leased
        .into_iter()
        .map(|leased| {
            let (engine, stop) = (plane.engine.clone(), stop.clone());
            tokio::spawn(async move {
                let fence = Fence { task: leased.task.id, generation: leased.task.generation };
                while !stop.load(SeqCst) {
                    let entries = vec![NewEntry::new("probe.entry", json!({"task": fence.task}))];
                    engine.append(fence, entries).await.unwrap();
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let blobs = plane.engine.blobs().clone();
    plane.engine.store().backup(&blobs, &copy, plane.clock.now()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.store(true, SeqCst);
    for load in load {
        load.await.unwrap();
    }
    let whole: Vec<Value> = {
        let mut whole = Vec::new();
        loop {
            let after = whole.len() as u64;
            let page = plane
                .engine
                .store()
                .read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), after, 1_000).await }))
                .await
                .unwrap();
            if page.is_empty() {
                break whole;
            }
            whole.extend(page.iter().map(|entry| serde_json::from_str::<Value>(&entry.render()).unwrap()));
        }
    };
    plane.stop().await;
    tokio::task::spawn_blocking(move || {
        let verified = programs::run(&copy, folder.path(), &["verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        let other = Server::on(&copy, Program::WithProbe, &[]);
        let kept = other.journal(&format!("runs/{run}"));
        assert_gapless(&kept);
        assert!(kept.len() > 5 && kept.len() < whole.len(), "{} of {} entries", kept.len(), whole.len());
        assert!(kept[..] == whole[..kept.len()], "the copy is no prefix");
        assert_eq!(other.client().get(&format!("/runs/{run}")).expect(200)["status"], "running");
    })
    .await
    .unwrap();
}

/// F20: the same on the real server, asked over its own address while workers write: nothing stops,
/// and the copy, started as it is, is a prefix that verifies.
#[test]
fn a_running_server_is_backed_up_and_checked_under_load() {
    let server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    for _ in 0..4 {
        work::submit(&owner, "probe", json!({}));
    }
    let leases = work::claim(&worker, 4, 5);
    assert_eq!(leases.len(), 4);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let stop = AtomicBool::new(false);
    let appended: u64 = std::thread::scope(|scope| {
        let loads: Vec<_> = leases
            .iter()
            .map(|lease| {
                let (client, stop) = (worker.again(), &stop);
                scope.spawn(move || {
                    let mut n = 0;
                    while !stop.load(SeqCst) {
                        n += 1;
                        lease.append(&client, &[n]).unwrap().expect(200);
                    }
                    n
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        for arguments in [&["backup", copy.to_str().unwrap()][..], &["verify"]] {
            let ran = programs::run(server.root(), folder.path(), arguments);
            let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
            assert!(ran.status.success(), "{arguments:?}: {said}");
        }
        std::thread::sleep(Duration::from_millis(50));
        stop.store(true, SeqCst);
        loads.into_iter().map(|load| load.join().unwrap()).sum()
    });
    let again = programs::run(server.root(), folder.path(), &["backup", copy.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2), "a backup is never overwritten");
    let verified = programs::run(&copy, folder.path(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let other = Server::on(&copy, Program::WithProbe, &[]);
    let mut kept_of_all = 0;
    for lease in &leases {
        let path = format!("runs/{}", lease.run);
        let (kept, whole) = (other.journal(&path), server.journal(&path));
        assert_gapless(&kept);
        assert!(kept.len() > 1 && kept[..] == whole[..kept.len()], "the copy is no prefix");
        kept_of_all += kept.len() as u64;
    }
    assert!(kept_of_all < appended, "the load went on behind the copy: {kept_of_all} of {appended}");
}

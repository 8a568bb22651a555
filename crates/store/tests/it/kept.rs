//! What is kept, what is dropped, what is found damaged, and what comes back from a backup.

use std::{path::Path, time::Duration};

use model::{
    digest::Digest,
    id::*,
    journal::{NewEntry, StreamId},
    proof::verdict::Outcome,
    run::RunStatus,
};
use serde_json::json;
use store::{Artifact, Blobs, Damage, EvidenceBody, Retention, RunChange, StoreError, StoreUrl, backup_check};

use crate::{
    proof::{capture, evidence, record, tree},
    support::*,
};

async fn end(db: &Db, run: RunId) {
    let now = db.now();
    let ended = within!(db, |tx| {
        tx.run_set(run, &RunChange { status: Some(RunStatus::Failed), ..Default::default() }, now).await?;
        let entries = [NewEntry::new("run.finished", json!({"status": "failed"}))];
        tx.journal_append_numbered(StreamId::Run(run), &entries, now).await
    });
    ended.await.unwrap();
}

async fn close(db: &Db, run: RunId) {
    within!(db, |tx| tx.evidence_close(run, false).await).await.unwrap();
}

async fn artifact(db: &Db, blobs: &Blobs, run: RunId, bytes: &[u8]) -> Digest {
    let put = blobs.put_bytes(bytes.to_vec()).await.unwrap();
    let artifact = Artifact {
        id: ArtifactId::from_uuid(uuid()),
        run,
        task: None,
        name: "log".into(),
        digest: put.digest,
        bytes: put.bytes,
        media_type: "text/plain".into(),
        created_at: db.now(),
        expired: false,
    };
    db.store
        .write(move |tx| {
            let artifact = artifact.clone();
            Box::pin(async move { tx.artifact_insert(&artifact).await })
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
    put.digest
}

both! {
    /// X38, P53: oldest ended runs first, by count and by age; never an active one, never one that
    /// kept evidence rests on; its line and its number in the stream stay.
    async fn retention_drops_what_nothing_rests_on(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let req = capture(&db, "Login fails").await;
        let other = capture(&db, "List is slow").await;
        let mut runs = Vec::new();
        for n in 0..6 {
            let run = db.start(vec![task("a")]).await;
            artifact(&db, &blobs, run, format!("only of {n}").as_bytes()).await;
            artifact(&db, &blobs, run, b"of all").await;
            runs.push(run);
        }
        // The second holds the newest settling evidence, the third the newest of its tree.
        let project = db.project;
        record(&db, evidence(project, runs[0], req, Outcome::PASSED, "old"), true).await;
        close(&db, runs[0]).await;
        record(&db, evidence(project, runs[1], req, Outcome::PASSED, "new"), true).await;
        close(&db, runs[1]).await;
        record(&db, evidence(project, runs[2], other, Outcome::PASSED, "head"), false).await;
        close(&db, runs[2]).await;
        for run in &runs[..5] {
            end(&db, *run).await;
        }
        let keep = |keep_runs, keep_days, trees: &[&str]| Retention {
            project, keep_runs, keep_days, trees: trees.iter().map(|name| tree(name).as_str().to_owned()).collect(),
        };
        let now = db.now();
        assert_eq!(db.store.retain(&keep(5, 1, &["head"]), now).await.unwrap(), []);
        assert_eq!(db.store.retain(&keep(2, 1, &["head"]), now).await.unwrap(), [runs[0]]);
        assert_eq!(db.store.retain(&keep(2, 1, &[]), now).await.unwrap(), [runs[2]], "a head that nobody needs");
        let later = now.plus(Duration::from_secs(86_400));
        assert_eq!(db.store.retain(&keep(9, 1, &[]), later).await.unwrap(), [runs[3], runs[4]], "by age");
        assert_eq!(db.store.retain(&keep(0, 0, &[]), later).await.unwrap(), [], "the rest is active or rested upon");

        let dropped = runs[0];
        let line = db.run(dropped).await;
        assert_eq!((line.status, line.progress.total), (RunStatus::Failed, 1));
        assert!(within!(db, |tx| tx.run_is_dropped(dropped).await).await.unwrap());
        let head = within!(db, |tx| tx.head(StreamId::Run(dropped)).await).await.unwrap();
        assert_eq!((head.seq, head.floor), (2, 3));
        let artifacts = within!(db, |tx| tx.artifacts(dropped).await).await.unwrap();
        assert!(artifacts.iter().all(|artifact| artifact.expired));

        assert_eq!(db.store.sweep_blobs(&blobs, now).await.unwrap(), 0, "not before the grace time");
        assert_eq!(db.store.sweep_blobs(&blobs, later.plus(Duration::from_secs(3_600))).await.unwrap(), 4);
        let (gone, shared) = (artifacts[0].digest, artifacts[1].digest);
        assert_eq!(blobs.read(&gone).unwrap_err(), StoreError::NotFound("blob"));
        blobs.read(&shared).unwrap();
        let verified = db.store.verify_all(&blobs).await.unwrap();
        assert_eq!((verified.damage.as_slice(), verified.evidence, verified.blobs), (&[][..], 1, 3));
    }

    /// A board stream is cut at an append's end, and the rest still verifies.
    async fn a_trimmed_stream_still_verifies(db: Db) {
        let stream = StreamId::Project(db.project);
        for _ in 0..4 {
            let now = db.now();
            within!(db, |tx| tx.journal_append_numbered(stream, &[entry(1), entry(2)], now).await).await.unwrap();
            db.advance(Duration::from_secs(1));
        }
        let before = db.now().shifted(-2_000_000);
        assert_eq!(within!(db, |tx| tx.journal_trim(stream, before).await).await, Ok(5));
        let verified = db.store.verify_stream(stream).await.unwrap();
        assert_eq!((verified.entries, verified.damage), (4, vec![]));
        let now = db.now();
        within!(db, |tx| tx.journal_append_numbered(stream, &[entry(3)], now).await).await.unwrap();
        assert_eq!(db.store.verify_stream(stream).await.unwrap().damage, []);
        assert_eq!(within!(db, |tx| tx.floor(stream).await).await, Ok(5));
    }

    /// F11, K3: a changed, missing or added byte is found, and named by stream and number.
    async fn damage_to_rows_is_found_and_named(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let req = capture(&db, "Login fails").await;
        let run = db.start(vec![]).await;
        let stream = StreamId::Run(run);
        let now = db.now();
        for n in 0..5 {
            within!(db, |tx| tx.journal_append_numbered(stream, &[entry(n), entry(n)], now).await).await.unwrap();
        }
        let proof = record(&db, evidence(db.project, run, req, Outcome::PASSED, "a"), true).await;
        assert_eq!(db.store.verify_project(db.project, &blobs).await.unwrap().damage, []);

        let number = |what: &[Damage]| match what {
            [Damage::Stream { seq, .. }] => *seq,
            other => panic!("{other:?}"),
        };
        let checked = async |harm: &str, undo: &str| {
            db.harm(harm).await;
            let damage = db.store.verify_stream(stream).await.unwrap().damage;
            assert_eq!(db.store.check_chain(stream).await.unwrap().damage.as_slice(), damage.as_slice());
            db.harm(undo).await;
            assert_eq!(db.store.verify_stream(stream).await.unwrap().damage, []);
            number(&damage)
        };
        let changed = checked("UPDATE entry SET data = '{\"n\":9}' WHERE seq = 3", "UPDATE entry SET data = '{\"n\":1}' WHERE seq = 3");
        assert_eq!(changed.await, 4, "the append that it belongs to ends at 4");
        assert_eq!(checked("UPDATE entry SET at = at + 1 WHERE seq = 7", "UPDATE entry SET at = at - 1 WHERE seq = 7").await, 8);
        assert_eq!(checked("UPDATE entry SET seq = 99 WHERE seq = 5", "UPDATE entry SET seq = 5 WHERE seq = 99").await, 5);
        assert_eq!(checked("UPDATE stream SET seq = 10", "UPDATE stream SET seq = 11").await, 12);
        let chain = db.store.check_chain(stream).await.unwrap();
        assert_eq!((chain.entries, chain.head.seq, chain.head.floor, chain.damage), (11, 11, 1, None));

        // P52: the row says passed, the sealed text says failed: shown as damaged, and nothing else breaks.
        let (project, id) = (db.project, proof.id);
        db.harm("UPDATE evidence SET reason = 'test_failed'").await;
        let kept = within!(db, |tx| tx.evidence(project, id).await).await.unwrap().unwrap();
        assert_eq!(kept.body, EvidenceBody::Damaged);
        let damage = db.store.verify_project(db.project, &blobs).await.unwrap().damage;
        assert!(matches!(damage.as_slice(), [Damage::Evidence { evidence, .. }] if *evidence == proof.id.to_string()), "{damage:?}");
        db.harm("UPDATE evidence SET reason = NULL").await;
        db.harm("UPDATE evidence_body SET body = replace(body, 'it ran', 'it RAN')").await;
        let damage = db.store.verify_project(db.project, &blobs).await.unwrap().damage;
        assert!(matches!(damage.as_slice(), [Damage::Evidence { what, .. }] if what.contains("seal")), "{damage:?}");
        db.harm("UPDATE evidence_body SET body = substr(body, 1, 40)").await;
        let rows = within!(db, |tx| tx.evidence_bodies(project, 0, 10).await).await.unwrap();
        assert_eq!(rows[0].body, EvidenceBody::Damaged);
    }

    /// F11: a blob that changed or went is named.
    async fn damage_to_blobs_is_found_and_named(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let run = db.start(vec![]).await;
        let altered = artifact(&db, &blobs, run, b"one").await;
        let missing = artifact(&db, &blobs, run, b"two").await;
        artifact(&db, &blobs, run, b"three").await;
        let path = |digest: &Digest| {
            let name = digest.to_string();
            folder.path().join("blobs").join(&name[..2]).join(&name[2..])
        };
        std::fs::write(path(&altered), b"onE").unwrap();
        std::fs::remove_file(path(&missing)).unwrap();
        let verified = db.store.verify_all(&blobs).await.unwrap();
        let mut named: Vec<_> = verified.damage.iter().map(|damage| match damage {
            Damage::Blob { blob, what } => (*blob, what.contains("missing")),
            other => panic!("{other:?}"),
        }).collect();
        named.sort_by_key(|(_, missing)| *missing);
        assert_eq!(named, [(altered, false), (missing, true)]);
        assert_eq!(verified.blobs, 3);
    }
}

/// F20: a backup made under load is a prefix, verifies, and refuses a full folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_prefix_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(StoreUrl::Sqlite(folder.path().join("store.db"))).await;
    let blobs = Blobs::open(folder.path()).unwrap();
    let run = db.start(vec![]).await;
    let kept = artifact(&db, &blobs, run, b"an artifact").await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (db, stop) = (db.clone(), std::sync::Arc::clone(&stop));
            tokio::spawn(async move {
                let mut last = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let now = db.now();
                    let range = within!(db, |tx| tx
                        .journal_append_numbered(StreamId::Run(run), &[entry(1), entry(2)], now)
                        .await);
                    last = range.await.unwrap().end;
                }
                last
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let target = folder.path().join("backup");
    let manifest = db.store.backup(&blobs, &target, db.now()).await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut last = 0;
    for writer in writers {
        last = last.max(writer.await.unwrap());
    }
    assert_eq!((manifest.blobs, manifest.damaged_blobs.len()), (1, 0));
    let (read, verified) = backup_check(&target).await.unwrap();
    assert_eq!(read, manifest);
    assert_eq!(verified.damage, []);
    assert!(verified.entries > 0 && verified.entries < last, "{} of {last}", verified.entries);

    // Restoring is to open a copy of it.
    let restored = folder.path().join("restored");
    copy(&target, &restored);
    let store = store::Store::open(StoreUrl::Sqlite(restored.join(store::DATABASE))).await.unwrap();
    let prefix = store.read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), 0, 100_000).await }));
    let prefix = Result::<_, StoreError>::unwrap(prefix.await);
    let whole = db.store.read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), 0, 1_000_000).await }));
    let whole = Result::<_, StoreError>::unwrap(whole.await);
    assert_eq!(prefix[..], whole[..prefix.len()]);
    assert_eq!(Blobs::open(&restored).unwrap().verify(&kept), model::proof::evidence::BlobState::Sound);

    let full = db.store.backup(&blobs, &target, db.now()).await.unwrap_err();
    assert!(matches!(full, StoreError::BackupUnusable { .. }), "{full:?}");
    std::fs::remove_file(target.join("backup.json")).unwrap();
    assert!(matches!(backup_check(&target).await.unwrap_err(), StoreError::BackupUnusable { .. }));

    // One that was killed half-way is told as such, and begins anew; nothing but its own files is removed.
    std::fs::write(target.join(store::UNFINISHED), "").unwrap();
    std::fs::write(target.join(store::DATABASE), "half").unwrap();
    std::fs::write(target.join("notes.txt"), "mine").unwrap();
    assert!(matches!(backup_check(&target).await.unwrap_err(), StoreError::BackupUnusable { .. }));
    let full = db.store.backup(&blobs, &target, db.now()).await.unwrap_err();
    assert!(matches!(full, StoreError::BackupUnusable { .. }), "{full:?}");
    assert_eq!(std::fs::read(target.join("notes.txt")).unwrap(), b"mine");
    std::fs::remove_file(target.join("notes.txt")).unwrap();
    db.store.backup(&blobs, &target, db.now()).await.unwrap();
    assert_eq!(backup_check(&target).await.unwrap().1.damage, []);
    assert!(!target.join(store::UNFINISHED).exists());
}

/// A PostgreSQL store says who backs it up.
#[tokio::test]
async fn a_postgres_store_points_to_its_own_backup() {
    on_postgres(|db| async move {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let refused = db.store.backup(&blobs, &folder.path().join("b"), db.now()).await.unwrap_err();
        assert!(matches!(&refused, StoreError::BackupUnusable { hint, .. } if hint.contains("pg_dump")), "{refused:?}");
    })
    .await;
}

/// F11: a damaged page of the file is found at the open, at a read or by verify, and never served as good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_is_never_served_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (run, whole) = {
        let db = Db::open(StoreUrl::Sqlite(path.clone())).await;
        let run = db.start((0..200).map(|n| task(&format!("{n:03}"))).collect()).await;
        for n in 0..200 {
            let now = db.now();
            within!(db, |tx| tx.journal_append_numbered(StreamId::Run(run), &[entry(n)], now).await).await.unwrap();
        }
        let whole = db.store.read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), 0, 1_000).await }));
        (run, Result::<_, StoreError>::unwrap(whole.await))
    };
    let blobs = Blobs::open(folder.path()).unwrap();
    let sound = wait_for_close(&path).await;
    let mut seen = 0;
    for page in 1..sound.len() / 4096 {
        let mut harmed = sound.clone();
        harmed[page * 4096..page * 4096 + 64].fill(0x5a);
        let copy = folder.path().join(format!("harmed{page}.db"));
        std::fs::write(&copy, &harmed).unwrap();
        match store::Store::open(StoreUrl::Sqlite(copy)).await {
            Err(error) => {
                assert!(matches!(error, StoreError::DatabaseDamaged(_)), "{error:?}");
                seen += 1;
            }
            Ok(store) => {
                let read =
                    store.read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(run), 0, 1_000).await }));
                let read = read.await;
                let damage = store.verify_all(&blobs).await.unwrap().damage;
                match read {
                    Ok(entries) => assert_eq!(entries, whole, "page {page} gave other entries"),
                    Err(error) => assert!(matches!(error, StoreError::DatabaseDamaged(_)), "{error:?}"),
                }
                seen += usize::from(!damage.is_empty());
            }
        }
    }
    let pages = sound.len() / 4096 - 1;
    assert_eq!(seen, pages, "verify finds each damaged page");
}

/// The bytes of a database whose store was dropped: its threads close it in their own time.
async fn wait_for_close(path: &Path) -> Vec<u8> {
    for _ in 0..500 {
        if !path.with_extension("db-wal").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!path.with_extension("db-wal").exists(), "the store was not closed");
    std::fs::read(path).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &to.join(file.file_name()));
        } else {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

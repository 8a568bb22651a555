//! Much work with little kept: memory and files stay as they are (F22).

use std::{fs, path::Path, time::Duration};

use engine::{Submit, projects::PROOF, work::Outcome};
use model::{
    actor::Actor,
    digest::Digest,
    id::{ProjectId, UserId},
    journal::NewEntry,
    run::RunKind,
    task::Fence,
};
use serde_json::json;
use store::StoreError;
use testkit::TestPlane;

/// Runs in a day of the test's clock.
const RUNS: usize = 25;
/// What a run's line in the history, and its number on the board's tail, may take for ever.
const LINE: u64 = 2_500;

/// F22, P53: a fortnight with three days of retention.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fortnight_leaves_no_more_than_its_lines() {
    many_days(14).await;
}

/// F22: a year of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_a_year_leaves_no_more_than_its_lines() {
    many_days(365).await;
}

#[derive(Debug, Clone, Copy)]
struct Size {
    memory: u64,
    database: u64,
    blobs: usize,
}

async fn many_days(days: usize) {
    let plane = TestPlane::start().await;
    let project = plane.project("flat", plane.folder()).await;
    let by = Actor::Person { id: UserId::from_uuid(uuid::Uuid::from_u128(1)), name: "ada".to_owned() };
    plane.engine.set_document(project, PROOF, json!({"keep_runs": RUNS * 2, "keep_days": 3}), 0, &by).await.unwrap();
    let warm = days / 2;
    let mut half = None;
    for day in 0..days {
        for run in 0..RUNS {
            one(&plane, project, &format!("day {day} run {run}")).await;
        }
        let looks = |job: &str| plane.engine.upkeep().figures().find(|figures| figures.job == job).unwrap().runs;
        let before = ["retention", "blobs", "journals", "idempotency", "outboxes"].map(|job| (job, looks(job)));
        plane.clock.advance(Duration::from_secs(86_400));
        for (job, before) in before {
            for _ in 0..400 {
                if looks(job) > before {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(looks(job) > before, "{job} was not done on day {day}");
        }
        if day + 1 == warm {
            half = Some(size(&plane));
        }
    }
    let (half, end) = (half.unwrap(), size(&plane));
    println!("F22: {days} days of {RUNS} runs: {half:?} after half, {end:?} at the end");
    let lines = (days - warm) as u64 * RUNS as u64 * LINE;
    assert!(end.database <= half.database + lines, "{} KiB more", (end.database - half.database) >> 10);
    assert!(end.memory <= half.memory + (24 << 20), "{} MiB more", (end.memory - half.memory) >> 20);
    // Of the runs kept, and of those dropped within the grace time and the look after it.
    assert!(end.blobs <= RUNS * 4, "{} blobs", end.blobs);
    assert_eq!(plane.engine.store().verify_all(plane.engine.blobs()).await.unwrap().damage, []);
    plane.stop().await;
}

/// A run with a task, a hundred entries and an artifact.
async fn one(plane: &TestPlane, project: ProjectId, what: &str) {
    let key = store::IdempotencyKey { principal: "ada".into(), route: "POST /runs".into(), key: what.into() };
    let ask = Submit {
        project,
        kind: RunKind::named("probe"),
        config: json!({}),
        actor: Actor::System,
        join: false,
        once: Some(engine::Once { key, body: Digest::of(what.as_bytes()) }),
        retry_of: None,
        issue: None,
    };
    let run = plane.engine.submit(ask).await.unwrap().run.id;
    let leased = plane.claim(1, Duration::from_secs(10)).await.remove(0);
    let fence = Fence { task: leased.task.id, generation: leased.task.generation };
    let entries = (0..100).map(|n| NewEntry::new("probe.entry", json!({"n": n, "text": what}))).collect();
    plane.engine.append(fence, entries).await.unwrap();
    let blob = plane.engine.blobs().put_bytes(what.repeat(500).into_bytes()).await.unwrap();
    let artifact = store::Artifact {
        id: model::id::ArtifactId::from_uuid(plane.clock.id()),
        run,
        task: None,
        name: "a.txt".to_owned(),
        digest: blob.digest,
        bytes: blob.bytes,
        media_type: "text/plain".to_owned(),
        created_at: plane.clock.now(),
        expired: false,
    };
    let now = plane.clock.now();
    let kept = plane.engine.store().write(move |tx| {
        let artifact = artifact.clone();
        Box::pin(async move {
            tx.journal_append_once(fence, &[("last".to_owned(), NewEntry::new("probe.entry", json!({})))], now).await?;
            tx.artifact_insert(&artifact).await.map(drop)
        })
    });
    Result::<_, StoreError>::unwrap(kept.await);
    plane.engine.finish_one(fence, Outcome::done(json!({}))).await.unwrap();
}

fn size(plane: &TestPlane) -> Size {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let memory: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    let length = |name: &str| fs::metadata(plane.folder().join(name)).map_or(0, |data| data.len());
    Size {
        memory: memory * 1024,
        // With its log, which is bounded by itself.
        database: length("proofhouse.db") + length("proofhouse.db-wal"),
        blobs: files(&plane.folder().join("blobs")),
    }
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

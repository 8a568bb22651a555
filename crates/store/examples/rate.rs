//! How fast the store is by itself: durable appends and task cycles, one line per figure.
//!
//! `cargo run --release -p proofhouse-store --example rate [sqlite:PATH | postgres://...] [seconds] [cycles]`

extern crate proofhouse_store as store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use model::{
    actor::{Actor, Trigger},
    id::{ProjectId, RunId, TaskId, WorkerId},
    journal::NewEntry,
    limits::LEASE,
    project::Project,
    run::{Progress, Run, RunKind, RunStatus},
    task::Fence,
    time::Timestamp,
};
use serde_json::json;
use store::{ClaimRequest, NewTask, Outcome, Store, StoreError, StoreUrl};
use uuid::Uuid;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(0))
}

fn run(project: ProjectId) -> Run {
    Run {
        id: RunId::from_uuid(Uuid::now_v7()),
        project,
        kind: RunKind::PROOF,
        status: RunStatus::Queued,
        phase: "gates".to_owned(),
        verdict: None,
        failure: None,
        progress: Progress::default(),
        config: json!({"mode": "full"}),
        detail: json!({}),
        created_by: Actor::System,
        trigger: Trigger::Person,
        exclusive_key: None,
        retry_of: None,
        parent: None,
        issue: None,
        cancelling: false,
        created_at: now(),
        started_at: None,
        finished_at: None,
        revision: 1,
    }
}

async fn submit(store: &Store, project: ProjectId, tasks: usize) -> Result<RunId, StoreError> {
    let run = run(project);
    let id = run.id;
    let tasks: Vec<NewTask> = (0..tasks)
        .map(|n| {
            NewTask::ready(TaskId::from_uuid(Uuid::now_v7()), "command", n.to_string(), "q", json!({"argv": ["true"]}))
        })
        .collect();
    store
        .write(move |tx| {
            let (run, tasks) = (run.clone(), tasks.clone());
            Box::pin(async move {
                tx.run_insert(&run, None, None).await?;
                tx.tasks_insert(run.id, project, &tasks, now()).await
            })
        })
        .await?;
    Ok(id)
}

fn claim(worker: WorkerId, max: u32) -> ClaimRequest {
    ClaimRequest {
        worker,
        claim_id: Uuid::now_v7().to_string(),
        queues: vec!["q".to_owned()],
        labels: vec!["linux".to_owned()],
        max,
        now: now(),
        lease: LEASE,
    }
}

async fn finish(store: &Store, fences: Vec<Fence>) -> Result<(), StoreError> {
    let outcome = Outcome { done: true, output: json!({"exit": 0}), detail: None, bad: false };
    let outcomes: Vec<_> = fences.into_iter().map(|fence| (fence, outcome.clone())).collect();
    store
        .write(move |tx| {
            let outcomes = outcomes.clone();
            Box::pin(async move { tx.tasks_finish(&outcomes, now()).await.map(drop) })
        })
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url: StoreUrl = std::env::args().nth(1).unwrap_or_else(|| "sqlite:target/rate.db".to_owned()).parse()?;
    let seconds: u64 = std::env::args().nth(2).map_or(Ok(3), |text| text.parse())?;
    if let StoreUrl::Sqlite(path) = &url {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
    }
    let store = Store::open(url).await?;
    let project = ProjectId::from_uuid(Uuid::now_v7());
    let row = Project {
        id: project,
        key: format!("p{}", now().micros()).parse()?,
        name: "p".to_owned(),
        path: "/p".to_owned(),
        created_at: now(),
        revision: 1,
    };
    store
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move { tx.project_insert(&row).await })
        })
        .await?;

    let only = std::env::args().nth(3).unwrap_or_default();
    for clients in [1, 64] {
        if only == "cycles" {
            break;
        }
        for batch in [1, 32] {
            appends(&store, project, clients, batch, Duration::from_secs(seconds)).await?;
        }
    }
    for (clients, batch) in [(1, 1), (64, 1), (16, 32)] {
        cycles(&store, project, clients, batch, Duration::from_secs(seconds)).await?;
    }
    Ok(())
}

async fn appends(
    store: &Store,
    project: ProjectId,
    clients: usize,
    batch: u64,
    time: Duration,
) -> Result<(), StoreError> {
    submit(store, project, clients).await?;
    let leased = store.claim(claim(WorkerId::from_uuid(Uuid::now_v7()), 64)).await?;
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let work = leased.into_iter().take(clients).map(|task| {
        let (store, done) = (store.clone(), Arc::clone(&done));
        let fence = Fence { task: task.task.id, generation: task.task.generation };
        tokio::spawn(async move {
            let mut slow = Duration::ZERO;
            while begun.elapsed() < time {
                let entries = (0..batch).map(|n| {
                    NewEntry::new("probe.entry", json!({"n": n, "text": "a line of output that a worker wrote"}))
                });
                let sent = Instant::now();
                store.append(fence, entries.collect(), now()).await?;
                slow = slow.max(sent.elapsed());
                done.fetch_add(batch, Ordering::Relaxed);
            }
            finish(&store, vec![fence]).await?;
            Ok::<_, StoreError>(slow)
        })
    });
    let mut slowest = Duration::ZERO;
    for work in work.collect::<Vec<_>>() {
        slowest = slowest.max(work.await.map_err(|error| StoreError::Internal(error.to_string()))??);
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{} appends, {clients} clients, {batch} a call: {rate:.0}/s (slowest call {slowest:.1?})", store.kind());
    Ok(())
}

async fn cycles(
    store: &Store,
    project: ProjectId,
    clients: usize,
    batch: usize,
    time: Duration,
) -> Result<(), StoreError> {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let work = (0..clients).map(|_| {
        let (store, done) = (store.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let worker = WorkerId::from_uuid(Uuid::now_v7());
            while begun.elapsed() < time {
                submit(&store, project, batch).await?;
                let leased = store.claim(claim(worker, u32::try_from(batch).unwrap_or(1))).await?;
                let fences: Vec<_> =
                    leased.iter().map(|task| Fence { task: task.task.id, generation: task.task.generation }).collect();
                done.fetch_add(fences.len() as u64, Ordering::Relaxed);
                finish(&store, fences).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    for work in work.collect::<Vec<_>>() {
        work.await.map_err(|error| StoreError::Internal(error.to_string()))??;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{} cycles, {clients} clients, {batch} a call: {rate:.0}/s", store.kind());
    Ok(())
}

//! A throw-away database of either kind, and short words for what tests do with it.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{
    actor::{Actor, Trigger},
    id::*,
    journal::NewEntry,
    limits,
    project::Project,
    run::{Progress, Run, RunKind, RunStatus},
    time::Timestamp,
};
use serde_json::json;
use store::{ClaimRequest, Leased, NewTask, Outcome, Store, StoreError, StoreUrl};
use uuid::Uuid;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A fresh UUID, rising like version 7.
pub fn uuid() -> Uuid {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128((u128::from(number) << 64) | 0x8000_0000_0000_0000 | u128::from(std::process::id()))
}

/// A database of its own for one test.
#[derive(Clone)]
pub struct Db {
    pub store: Store,
    pub url: StoreUrl,
    pub project: ProjectId,
    clock: Arc<AtomicI64>,
}

pub fn postgres_url() -> String {
    std::env::var("PROOFHOUSE_TEST_POSTGRES").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/test".to_owned())
}

/// A client outside of the store, for setting up and for doing harm.
pub async fn postgres_client() -> tokio_postgres::Client {
    let url = postgres_url();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap_or_else(|error| {
        panic!("these tests need PostgreSQL at {url} ({error}): start it, or name another in PROOFHOUSE_TEST_POSTGRES")
    });
    tokio::spawn(connection);
    client
}

pub async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: fn(Db) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(StoreUrl::Sqlite(folder.path().join("store.db"))).await;
    test(db).await;
}

pub async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: fn(Db) -> F) {
    let client = postgres_client().await;
    let schema = format!("t_{}_{}", std::process::id(), uuid().simple());
    client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let url = postgres_url();
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}options=-csearch_path%3D{schema}");
    let done = tokio::spawn(async move { test(Db::open(StoreUrl::Postgres(url)).await).await }).await;
    client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    if let Err(failed) = done {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Runs one test on both databases.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($db:ident: Db) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn script($db: Db) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                crate::support::on_sqlite(script).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                crate::support::on_postgres(script).await;
            }
        }
    )*};
}
pub(crate) use both;

/// Runs a script in a write transaction; `$tx` is the transaction.
macro_rules! within {
    ($db:expr, |$tx:ident| $body:expr) => {
        $db.store.write(move |$tx| Box::pin(async move { $body }))
    };
}
pub(crate) use within;

impl Db {
    pub async fn open(url: StoreUrl) -> Self {
        let store = Store::open(url.clone()).await.unwrap();
        let project = ProjectId::from_uuid(uuid());
        let db = Self { store, url, project, clock: Arc::new(AtomicI64::new(1_800_000_000_000_000)) };
        let now = db.now();
        db.store
            .write(move |tx| {
                Box::pin(async move {
                    let row = Project {
                        id: project,
                        key: format!("p-{}", project.uuid().as_u128() >> 64).parse().unwrap(),
                        name: "Project".to_owned(),
                        path: "/tmp/project".to_owned(),
                        created_at: now,
                        revision: 1,
                    };
                    tx.project_insert(&row).await
                })
            })
            .await
            .unwrap();
        db
    }

    /// The test's own clock: it moves only when told.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.load(Ordering::Relaxed))
    }

    pub fn advance(&self, by: Duration) {
        self.clock.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub fn new_run(&self) -> Run {
        Run {
            id: RunId::from_uuid(uuid()),
            project: self.project,
            kind: RunKind::PROOF,
            status: RunStatus::Queued,
            phase: "selecting".to_owned(),
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
            created_at: self.now(),
            started_at: None,
            finished_at: None,
            revision: 1,
        }
    }

    /// Stores a run with these tasks.
    pub async fn start(&self, tasks: Vec<NewTask>) -> RunId {
        self.start_by(Actor::System, tasks).await
    }

    /// Stores a run that somebody started.
    pub async fn start_by(&self, created_by: Actor, tasks: Vec<NewTask>) -> RunId {
        let run = Run { created_by, ..self.new_run() };
        let (id, now, project) = (run.id, self.now(), self.project);
        self.store
            .write(move |tx| {
                let (run, tasks) = (run.clone(), tasks.clone());
                Box::pin(async move {
                    tx.run_insert(&run, None, None).await?;
                    tx.tasks_insert(run.id, project, &tasks, now).await
                })
            })
            .await
            .unwrap();
        id
    }

    pub async fn claim(&self, worker: WorkerId, max: u32) -> Vec<Leased> {
        self.store.claim(self.request(worker, max)).await.unwrap()
    }

    pub fn request(&self, worker: WorkerId, max: u32) -> ClaimRequest {
        ClaimRequest {
            worker,
            claim_id: uuid().to_string(),
            queues: vec!["q".to_owned()],
            labels: Vec::new(),
            max,
            now: self.now(),
            lease: limits::LEASE,
        }
    }

    pub async fn finish(&self, fence: model::task::Fence) -> Result<store::Finished, StoreError> {
        let now = self.now();
        self.store.write(move |tx| Box::pin(async move { tx.task_finish(fence, &outcome(), now).await })).await
    }

    pub async fn run(&self, id: RunId) -> Run {
        self.store.read(move |tx| Box::pin(async move { tx.run(id).await })).await.unwrap().unwrap()
    }

    /// Changes the database behind the store's back.
    pub async fn harm(&self, sql: &str) {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            StoreUrl::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
            }
        }
    }

    pub async fn task(&self, id: TaskId) -> model::task::Task {
        self.store.read(move |tx| Box::pin(async move { tx.task(id).await })).await.unwrap().unwrap()
    }
}

pub fn worker() -> WorkerId {
    WorkerId::from_uuid(uuid())
}

pub fn task(subject: &str) -> NewTask {
    NewTask::ready(TaskId::from_uuid(uuid()), "command", subject, "q", json!({"argv": ["true"]}))
}

pub fn outcome() -> Outcome {
    Outcome { done: true, output: json!({"exit": 0}), detail: Some("passed".to_owned()), bad: false }
}

pub fn fence(leased: &Leased) -> model::task::Fence {
    model::task::Fence { task: leased.task.id, generation: leased.task.generation }
}

pub fn entry(number: u64) -> NewEntry {
    NewEntry::new("probe.entry", json!({"n": number}))
}

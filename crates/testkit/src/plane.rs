//! A whole plane that exists for one test: data folder, store, engine, and a server where one is
//! asked for.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use engine::{Engine, EngineConfig, clock::Clock, data::DataFolder, kind::Kind};
use model::{
    id::{ProjectId, WorkerId},
    limits,
    project::Project,
    time::Timestamp,
};
use server::ServerConfig;
use store::{ClaimRequest, Leased};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{database::Database, http::Client, probe, probe::Probe};

/// 2027-01-15T08:00:00Z: when every fixed clock starts.
pub const STARTS_AT: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// How a [`TestPlane`] is to be.
pub struct Wanted {
    /// A PostgreSQL server to take a schema on, instead of a SQLite file in the data folder.
    pub postgres: Option<String>,
    /// Real time instead of a clock that moves only when told.
    pub real_time: bool,
    /// Work in the process itself, with so many slots.
    pub worker: Option<usize>,
    /// Streams one caller may hold open.
    pub streams_per_caller: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { postgres: None, real_time: false, worker: None, streams_per_caller: model::limits::STREAMS_PER_CALLER }
    }
}

/// A plane in this process, with the kind `probe` beside the built-in ones. Dropped, it leaves
/// nothing behind; [`Self::stop`] ends it in order.
pub struct TestPlane {
    /// The engine itself.
    pub engine: Engine,
    /// Its clock.
    pub clock: Clock,
    streams_per_caller: usize,
    database: Database,
    folder: TempDir,
}

impl TestPlane {
    /// A plane on SQLite with a fixed clock and nobody at work.
    pub async fn start() -> Self {
        Self::with(Wanted::default()).await
    }

    /// A plane to order.
    pub async fn with(wanted: Wanted) -> Self {
        let folder = tempfile::Builder::new().prefix("plane-").tempdir().expect("a temporary folder can be made");
        let database = match &wanted.postgres {
            Some(server) => Database::postgres(server),
            None => Database::sqlite(folder.path()),
        };
        let clock = if wanted.real_time { Clock::system() } else { Clock::fixed(STARTS_AT) };
        let data = DataFolder::open(folder.path(), "test").expect("a fresh folder can be held");
        let store = store::Store::open(database.url().clone()).await.expect("a fresh database can be opened");
        let probe: Arc<dyn Kind> = Arc::new(Probe);
        let engine = Engine::start(EngineConfig {
            data,
            store,
            clock: clock.clone(),
            slots: wanted.worker,
            embedded_worker: wanted.worker.is_some(),
            kinds: vec![probe],
        })
        .await
        .expect("an engine starts on a fresh database");
        Self { engine, clock, streams_per_caller: wanted.streams_per_caller, database, folder }
    }

    /// Claims tasks of the kind `probe` as a worker nobody has heard of.
    ///
    /// # Panics
    /// When the claim is refused.
    pub async fn claim(&self, max: u32, wait: Duration) -> Vec<Leased> {
        let request = ClaimRequest {
            worker: WorkerId::from_uuid(self.clock.id()),
            claim_id: self.clock.id().to_string(),
            queues: vec![probe::QUEUE.to_owned()],
            labels: Vec::new(),
            max,
            now: self.clock.now(),
            lease: limits::LEASE,
        };
        self.engine.claim(request, wait).await.expect("a claim is answered")
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Stores a project that lies in this folder, without looking at the folder: enough for runs of
    /// kind `probe`.
    pub async fn project(&self, key: &str, path: &Path) -> ProjectId {
        let project = Project {
            id: ProjectId::from_uuid(self.clock.id()),
            key: key.parse().expect("a test names its projects well"),
            name: key.to_owned(),
            path: path.display().to_string(),
            created_at: self.clock.now(),
            revision: 1,
        };
        let id = project.id;
        self.engine
            .store()
            .write(move |tx| {
                let project = project.clone();
                Box::pin(async move { tx.project_insert(&project).await })
            })
            .await
            .expect("a new key is free");
        id
    }

    /// Serves it on a free port of the loopback interface.
    pub async fn serve(&self) -> Served {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound listener has an address");
        let access = server::auth::local_access(&self.engine).await.expect("a fresh plane has an owner");
        let config = ServerConfig {
            bound: Some(address),
            streams_per_caller: self.streams_per_caller,
            ..ServerConfig::default()
        };
        let router = server::build(server::Plane { engine: self.engine.clone(), config });
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            // A dropped sender stops the server, too.
            let stopped = async { drop(stopped.await) };
            server::serve(listener, router, stopped).await
        });
        Served { address, token: access.token.reveal().to_owned(), stop: Some(stop), running }
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.engine.shutdown().await;
        self.engine.store().close().await;
    }
}

/// A plane's server.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    /// The token of the data folder's owner, an admin.
    pub token: String,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// The owner as a blocking client; call it off the async threads.
    pub fn client(&self) -> Client {
        Client::new(self.address, Some(&self.token))
    }

    /// Stops it in order, and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(Duration::from_secs(12), &mut self.running)
            .await
            .expect("a server stops within ten seconds")
            .expect("a server does not panic")
            .expect("a server's listener works");
    }
}

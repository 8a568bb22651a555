//! The engine's own life: start, the loops it keeps, an ordered stop.

use std::{sync::Arc, time::Duration};

use model::{
    id::{RunId, WorkerId},
    problem::Problem,
    time::Timestamp,
};
use store::{Blobs, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    bus::Bus,
    clock::Clock,
    contacts::{self, Contacts},
    data::DataFolder,
    dispatch::Dispatch,
    kind::{Kind, Kinds},
    proof::Proof,
    sweep::{self, lead::Lead, upkeep::Upkeep},
    waiters::{self, Waiters},
    work,
    worker::{self, Held},
};

/// What an engine is started with.
pub struct EngineConfig {
    /// The data folder, held.
    pub data: DataFolder,
    /// The open store.
    pub store: Store,
    /// Where time comes from.
    pub clock: Clock,
    /// Tasks that the embedded worker does at once; by default the machine's cores, 1 to 4.
    pub slots: Option<usize>,
    /// Whether this process works itself.
    pub embedded_worker: bool,
    /// Kinds beside the built-in ones, for tests and benchmarks.
    pub kinds: Vec<Arc<dyn Kind>>,
}

/// Starts, moves and ends runs. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) data: DataFolder,
    pub(crate) blobs: Blobs,
    pub(crate) kinds: Kinds,
    pub(crate) proof: Arc<Proof>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) contacts: Contacts,
    pub(crate) held: Held,
    pub(crate) lead: Lead,
    pub(crate) upkeep: Upkeep,
    pub(crate) stopping: CancellationToken,
    slots: usize,
    loops: TaskTracker,
}

impl Engine {
    /// Starts the sweep and, unless told otherwise, the embedded worker.
    pub async fn start(config: EngineConfig) -> Result<Self, Problem> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = config.slots.unwrap_or(cores.clamp(1, 4));
        let blobs = Blobs::open(config.data.blobs())?;
        let bus = Bus::new(config.store.clone());
        let waiters = Arc::new(Waiters::default());
        config.store.on_commit({
            let (bus, waiters) = (bus.clone(), waiters.clone());
            move |committed| {
                for (stream, seq) in &committed.streams {
                    bus.hint(*stream, *seq);
                }
                for (queue, labels, count) in &committed.ready {
                    waiters.offer(queue, labels, *count);
                }
                if committed.unsure || committed.lost {
                    waiters.look.notify_one();
                }
            }
        });
        let proof = Arc::new(Proof::default());
        let dispatch = Arc::new(Dispatch::on_machine(config.data.root())?);
        let builtin: [Arc<dyn Kind>; 2] = [proof.clone(), dispatch.clone()];
        let lead = Lead::new(WorkerId::from_uuid(config.clock.id()));
        let engine = Self {
            inner: Arc::new(Inner {
                store: config.store,
                bus,
                clock: config.clock,
                data: config.data,
                blobs,
                kinds: Kinds::of(builtin.into_iter().chain(config.kinds)),
                proof,
                waiters,
                contacts: Contacts::default(),
                held: Held::default(),
                lead,
                upkeep: Upkeep::default(),
                stopping: CancellationToken::new(),
                slots,
                loops: TaskTracker::new(),
            }),
        };
        // The first server of a plane says at its start whose folder holds the blobs.
        if !engine.has_all_blobs().await? {
            tracing::warn!("another server of this plane keeps its blobs in another folder; share one with --blobs");
        }
        engine.inner.loops.spawn(sweep::serve(engine.clone()));
        engine.inner.loops.spawn(sweep::upkeep::serve(engine.clone()));
        engine.inner.loops.spawn(waiters::look(engine.clone()));
        engine.inner.loops.spawn(contacts::keep(engine.clone()));
        if config.embedded_worker {
            // The folder's lock proves that the worker of this folder's last life is gone, so its leases
            // need not run out: they go back at once, each at the cost of an attempt.
            let worker = embedded_worker(engine.data());
            worker::enlist(&engine, worker, slots, dispatch.advertised()).await?;
            work::returned(&engine, worker, "worker_restarted").await?;
            engine.inner.loops.spawn(dispatch.clone().look_after(engine.clone(), worker));
            engine.inner.loops.spawn(worker::serve(engine.clone(), worker, slots, dispatch));
        }
        Ok(engine)
    }

    /// Stops claiming, stops what runs and gives it back, and ends the loops (F21).
    pub async fn shutdown(&self) {
        self.inner.stopping.cancel();
        self.inner.loops.close();
        if tokio::time::timeout(Duration::from_secs(8), self.inner.loops.wait()).await.is_err() {
            tracing::warn!("some work did not stop in time; it is handed out again at the next start");
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The live bus.
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The data folder.
    pub fn data(&self) -> &DataFolder {
        &self.inner.data
    }

    /// The bytes that evidence and artifacts point to.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// How many tasks the embedded worker does at once.
    pub fn slots(&self) -> usize {
        self.inner.slots
    }

    /// What the jobs of the sweep did in this process.
    pub fn upkeep(&self) -> &Upkeep {
        &self.inner.upkeep
    }

    /// Whether this process does what is to happen once over all replicas.
    pub fn leads(&self) -> bool {
        self.inner.lead.epoch(self).is_some()
    }

    /// Fires when the engine begins to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    pub(crate) fn proof(&self) -> &Arc<Proof> {
        &self.inner.proof
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.inner.kinds
    }

    /// Tells waiting claims that something may be ready.
    pub(crate) fn wake(&self) {
        self.inner.waiters.look.notify_one();
    }

    /// Tells whoever holds tasks of a run to stop: the handlers in this process, and the workers that wait
    /// for news.
    pub(crate) fn stop_held(&self, run: RunId) {
        self.inner.held.stop(run);
        self.inner.waiters.tell_run(run);
    }
}

/// The embedded worker's id: the same for a data folder in all its lives.
fn embedded_worker(data: &DataFolder) -> WorkerId {
    let digest = model::digest::Digest::of(data.root().as_os_str().as_encoded_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.bytes()[..16]);
    WorkerId::from_uuid(Uuid::from_bytes(bytes))
}

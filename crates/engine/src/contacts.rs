//! When workers were last heard of: kept in memory, written down many at once (X37), and told to the
//! streams of the projects they serve when a worker comes, grows late or goes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{
    id::{TaskId, WorkerId},
    journal::{Level, NewEntry, StreamId},
    limits,
    problem::Problem,
    task::Fence,
    time::Timestamp,
    worker::{Said, WorkerState},
};
use serde_json::json;
use store::{Tx, Worker};
use tokio::sync::Notify;

use crate::Engine;

/// Who made which claim, remembered: that never changes, so it is right for as long as it is known.
const HOLDERS: usize = 20_000;

/// What this process heard of workers since it last wrote it down.
#[derive(Default)]
pub(crate) struct Contacts {
    heard: Mutex<BTreeMap<WorkerId, Timestamp>>,
    /// Workers that this process found online when it last looked.
    online: Mutex<BTreeSet<WorkerId>>,
    said: Mutex<HashMap<WorkerId, Said>>,
    holders: Mutex<HashMap<(TaskId, u32), WorkerId>>,
    /// When a worker last had a task, for lists that still show it a while after (D69).
    worked: Mutex<HashMap<WorkerId, Timestamp>>,
    come: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics half-way through a change of these maps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Contacts {
    /// A worker called.
    pub(crate) fn heard(&self, worker: WorkerId, now: Timestamp) {
        locked(&self.heard).insert(worker, now);
        if !locked(&self.online).contains(&worker) {
            self.come.notify_one();
        }
    }

    /// When a worker was last heard of, if this process did since it last wrote it down.
    pub(crate) fn newest(&self, worker: WorkerId) -> Option<Timestamp> {
        locked(&self.heard).get(&worker).copied()
    }

    /// A worker has a task in hand.
    pub(crate) fn works(&self, worker: WorkerId, now: Timestamp) {
        locked(&self.worked).insert(worker, now);
    }

    /// Remembers who made a claim.
    pub(crate) fn holds(&self, worker: WorkerId, fence: Fence) {
        let mut holders = locked(&self.holders);
        if holders.len() >= HOLDERS {
            holders.clear();
        }
        holders.insert((fence.task, fence.generation), worker);
    }

    fn holder(&self, fence: Fence) -> Option<WorkerId> {
        locked(&self.holders).get(&(fence.task, fence.generation)).copied()
    }
}

impl Engine {
    /// A worker called: it is there.
    pub fn heard_of(&self, worker: WorkerId) {
        self.inner.contacts.heard(worker, self.now());
    }

    /// When a worker last had a task in hand, as far as this process knows.
    pub fn last_worked(&self, worker: WorkerId) -> Option<Timestamp> {
        locked(&self.inner.contacts.worked).get(&worker).copied()
    }

    /// Refuses fences of claims that this worker never made: such tasks are as if they did not exist (D55).
    ///
    /// # Errors
    /// 404.
    pub async fn holds(&self, worker: WorkerId, fence: Fence) -> Result<(), Problem> {
        let contacts = &self.inner.contacts;
        let holder = match contacts.holder(fence) {
            Some(holder) => Some(holder),
            None => {
                let found = self
                    .store()
                    .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.holder(fence).await?) }))
                    .await?;
                if let Some(found) = found {
                    contacts.holds(found, fence);
                }
                found
            }
        };
        if holder == Some(worker) { Ok(()) } else { Err(Problem::not_found()) }
    }

    /// Writes down what a worker says of itself, when it says something new. Saying the same costs no write.
    pub async fn worker_says(&self, worker: WorkerId, said: Said) -> Result<(), Problem> {
        let said = said.bounded();
        if locked(&self.inner.contacts.said).get(&worker) == Some(&said) {
            return Ok(());
        }
        let now = self.now();
        let stored = said.clone();
        self.store()
            .write(move |tx| {
                let said = stored.clone();
                Box::pin(async move {
                    if tx.worker_says(worker, &said).await?
                        && let Some(worker) = tx.worker(worker).await?
                        && worker.revoked_at.is_none()
                    {
                        tell(tx, &worker, "worker.changed", now).await?;
                    }
                    Ok::<_, Problem>(())
                })
            })
            .await?;
        locked(&self.inner.contacts.said).insert(worker, said);
        Ok(())
    }

    /// Writes down who was heard of, and tells of workers that came, grew late or went.
    async fn keep_contacts(&self) -> Result<(), Problem> {
        let now = self.now();
        let contacts = &self.inner.contacts;
        for worker in self.inner.waiters.present() {
            locked(&contacts.heard).insert(worker, now);
        }
        let heard = std::mem::take(&mut *locked(&contacts.heard));
        let ids: Vec<_> = heard.into_keys().collect();
        let states = self
            .store()
            .write(move |tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    if !ids.is_empty() {
                        tx.workers_seen(&ids, now).await?;
                    }
                    let mut online = BTreeSet::new();
                    for worker in tx.workers().await? {
                        let state = WorkerState::by_contact(worker.seen_at, now);
                        if state == WorkerState::Online {
                            online.insert(worker.id);
                        }
                        // Of many replicas one tells it.
                        if worker.revoked_at.is_none()
                            && worker.told != state.name()
                            && tx.worker_told(worker.id, &worker.told, state.name()).await?
                        {
                            let kind = match state {
                                WorkerState::Late => "worker.late",
                                WorkerState::Offline => "worker.offline",
                                WorkerState::Online | WorkerState::Draining | WorkerState::Revoked => "worker.online",
                            };
                            tell(tx, &worker, kind, now).await?;
                        }
                    }
                    Ok::<_, Problem>(online)
                })
            })
            .await?;
        *locked(&contacts.online) = states;
        Ok(())
    }
}

/// Keeps the contacts until the engine stops: in the rhythm of X37, and at once when somebody comes.
pub(crate) async fn keep(engine: Engine) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::CONTACT_EVERY) => {}
            // Others may come with it.
            () = engine.inner.contacts.come.notified() => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            () = engine.stopping().cancelled() => return,
        }
        if let Err(problem) = engine.keep_contacts().await {
            tracing::warn!(%problem, "failed to write down which workers were heard of");
        }
    }
}

/// Tells the streams of the projects that a worker serves about it.
pub(crate) async fn tell(tx: &mut Tx, worker: &Worker, kind: &'static str, now: Timestamp) -> Result<(), Problem> {
    let level = if matches!(kind, "worker.late" | "worker.offline") { Level::Warning } else { Level::Info };
    let entry = NewEntry::new(kind, json!({"worker": worker.id, "name": worker.name, "pairing": worker.pairing}))
        .at_level(level);
    for project in tx.projects().await? {
        if worker.serves(project.id) {
            tx.journal_append(StreamId::Project(project.id), std::slice::from_ref(&entry), now).await?;
        }
    }
    Ok(())
}

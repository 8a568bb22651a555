//! Workers as people see them: invited, paired, listed, changed, drained, revoked.

use std::collections::{BTreeMap, HashSet};

use model::{
    actor::Actor,
    code::Code,
    digest::Digest,
    id::{PairingId, ProjectId, RunId, TaskId, TokenId, UserId, WorkerId},
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    time::Timestamp,
    worker::{self, OLDEST_PROTOCOL, PROTOCOL, PairCode, Said, Sharing},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Held, Pairing, StoreError, Token, Worker};

use crate::{Engine, Once, contacts::tell, once, work};

/// Newest entries of a run that are looked through for what its tasks do.
const ACTIVITY: u32 = 400;

/// Whom a worker is to serve, and what it is called.
#[derive(Debug, Clone, Default)]
pub struct Invitation {
    /// What it will be called; else what its machine says.
    pub name: Option<String>,
    /// Labels it gets on the plane.
    pub labels: Vec<String>,
    /// Whom it serves.
    pub sharing: Sharing,
    /// In which projects; none is all.
    pub projects: Option<Vec<ProjectId>>,
}

/// An invitation that was made, without its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Its id; the worker that comes of it names it.
    pub id: PairingId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A worker at the door.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What it calls itself.
    pub name: String,
    /// What it says of itself.
    pub said: Said,
    /// The digest of the token that it will get.
    pub token: Digest,
}

/// What a person changes of a worker; `None` is unchanged.
#[derive(Debug, Clone, Default)]
pub struct WorkerChange {
    /// Its name.
    pub name: Option<String>,
    /// Its labels.
    pub labels: Option<Vec<String>>,
    /// Whom it serves.
    pub sharing: Option<Sharing>,
    /// In which projects; none is all.
    pub projects: Option<Option<Vec<ProjectId>>>,
    /// Whether it claims nothing any more.
    pub draining: Option<bool>,
}

/// A task in a worker's hands with what it does: its live lease joined with its newest phase and step (D66).
#[derive(Debug, Clone)]
pub struct Activity {
    /// The lease.
    pub held: Held,
    /// The phase it is in, and since when.
    pub phase: Option<(String, Timestamp)>,
    /// What it last said it does.
    pub step: Option<String>,
    /// When it last told anything.
    pub told_at: Option<Timestamp>,
}

impl Activity {
    /// Whether it has told nothing for too long (D69).
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        now.since(self.told_at.unwrap_or(self.held.claimed_at)) >= limits::QUIET
    }
}

/// What a task told in its run's journal.
#[derive(Default)]
struct Told {
    phase: Option<(String, Timestamp)>,
    step: Option<String>,
    at: Option<Timestamp>,
}

impl Told {
    fn hear(&mut self, kind: &str, data: &Value, at: Timestamp) {
        self.at = Some(at);
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        match kind {
            "task.phase" => {
                self.phase = text("phase").map(|phase| (phase, at));
                self.step = None;
            }
            "task.step" => self.step = text("step"),
            _ => {}
        }
    }
}

/// Refuses protocols that this plane does not speak (D61).
///
/// # Errors
/// 426 naming the range.
pub fn check_protocol(protocol: u32) -> Result<(), Problem> {
    if (OLDEST_PROTOCOL..=PROTOCOL).contains(&protocol) {
        return Ok(());
    }
    let message = format!("the worker speaks protocol {protocol}; this plane speaks {OLDEST_PROTOCOL} to {PROTOCOL}");
    Err(Problem::new(Code::ProtocolUnsupported, message)
        .with("protocol", protocol)
        .with("oldest", OLDEST_PROTOCOL)
        .with("newest", PROTOCOL))
}

impl Engine {
    /// Invites a worker of a person's own, once per idempotency key. The code is shown once; only its digest is kept
    /// (D50), so a repeated request is answered without it.
    ///
    /// # Errors
    /// 422 for a key that was used for another request.
    pub async fn invite(
        &self,
        ask: Invitation,
        owner: UserId,
        once: Option<Once>,
    ) -> Result<(Invited, Option<PairCode>), Problem> {
        let now = self.now();
        let code = PairCode::of_bits(rand::random());
        let pairing = Pairing {
            id: PairingId::from_uuid(self.clock().id()),
            owner,
            name: ask.name,
            labels: worker::labels(&ask.labels),
            sharing: ask.sharing,
            projects: ask.projects,
            created_at: now,
            expires_at: now.plus(limits::PAIRING),
        };
        let digest = Digest::of(code.letters().as_bytes());
        let (invited, is_new) = self
            .store()
            .write(move |tx| {
                let (pairing, once) = (pairing.clone(), once.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered(tx, once.as_ref(), now).await? {
                        return Ok::<_, Problem>((before, false));
                    }
                    tx.pairings_sweep(now).await?;
                    tx.pairing_insert(&digest, &pairing).await?;
                    let invited = Invited { id: pairing.id, expires_at: pairing.expires_at };
                    once::answer(tx, once.as_ref(), 201, &invited).await?;
                    Ok((invited, true))
                })
            })
            .await?;
        Ok((invited, is_new.then_some(code)))
    }

    /// Pairs a worker by a code, once, however many try at the same time (D50).
    ///
    /// # Errors
    /// 400 for a code that is unknown, was used or has ended: one answer for all of them. 426 for a
    /// protocol that the plane does not speak; the code stays good.
    pub async fn pair(&self, code: &str, arrival: Arrival) -> Result<Worker, Problem> {
        check_protocol(arrival.said.protocol)?;
        let refused = || Problem::new(Code::PairingRefused, Code::PairingRefused.title());
        let digest = Digest::of(PairCode::typed(code).ok_or_else(refused)?.letters().as_bytes());
        let now = self.now();
        let id = WorkerId::from_uuid(self.clock().id());
        let token_id = TokenId::from_uuid(self.clock().id());
        let said = arrival.said.bounded();
        let (name, secret) = (arrival.name, arrival.token);
        let paired = self
            .store()
            .write(move |tx| {
                let (said, name) = (said.clone(), name.clone());
                Box::pin(async move {
                    let Some(pairing) = tx.pairing_use(&digest, id, now).await? else {
                        return Err(Problem::new(Code::PairingRefused, Code::PairingRefused.title()));
                    };
                    // An invitation lasts no longer than its maker may work.
                    let Some(person) = tx.person(pairing.owner).await? else {
                        return Err(Problem::new(Code::PairingRefused, Code::PairingRefused.title()));
                    };
                    let worker = Worker {
                        id,
                        name: pairing.name.unwrap_or(name),
                        said,
                        created_at: now,
                        seen_at: now,
                        owner: Some((person.id, person.name.clone())),
                        sharing: pairing.sharing,
                        projects: pairing.projects,
                        labels: pairing.labels,
                        draining: false,
                        revoked_at: None,
                        revision: 1,
                        told: "offline".to_owned(),
                        pairing: Some(pairing.id),
                    };
                    tx.worker_put(&worker).await?;
                    let token = Token {
                        id: token_id,
                        label: worker.name.clone(),
                        scope: "worker".to_owned(),
                        role: person.role,
                        project: None,
                        person: None,
                        run: None,
                        worker: Some(id),
                        created_by: Actor::Person { id: person.id, name: person.name },
                        created_at: now,
                        expires_at: None,
                        revoked_at: None,
                    };
                    tx.token_insert(&token, &secret).await?;
                    tell(tx, &worker, "worker.paired", now).await?;
                    Ok(worker)
                })
            })
            .await?;
        self.heard_of(id);
        Ok(paired)
    }

    /// A worker, with the newest contact that this process knows of.
    ///
    /// # Errors
    /// 404.
    pub async fn worker(&self, id: WorkerId) -> Result<Worker, Problem> {
        let found =
            self.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.worker(id).await?) })).await?;
        found.map(|worker| self.freshened(worker)).ok_or_else(Problem::not_found)
    }

    /// Every worker, by name.
    pub async fn workers(&self) -> Result<Vec<Worker>, Problem> {
        let all = self.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.workers().await?) })).await?;
        Ok(all.into_iter().map(|worker| self.freshened(worker)).collect())
    }

    /// A worker with the newest contact that this process knows of.
    pub(crate) fn freshened(&self, mut worker: Worker) -> Worker {
        if let Some(newest) = self.inner.contacts.newest(worker.id) {
            worker.seen_at = worker.seen_at.max(newest);
        }
        worker
    }

    /// What workers do now: live leases joined with what their tasks told last (D66).
    pub async fn activities(&self) -> Result<BTreeMap<WorkerId, Vec<Activity>>, Problem> {
        self.store()
            .read(|tx| {
                Box::pin(async move {
                    let held = tx.held_now().await?;
                    let runs: HashSet<RunId> = held.iter().map(|held| held.run).collect();
                    let mut told: BTreeMap<TaskId, Told> = BTreeMap::new();
                    for run in runs {
                        let head = tx.head(StreamId::Run(run)).await?.seq;
                        let since = head.saturating_sub(u64::from(ACTIVITY));
                        for entry in tx.entries(StreamId::Run(run), since, ACTIVITY).await? {
                            let data: Value = serde_json::from_str(&entry.data).unwrap_or_default();
                            if let Some(task) = data["task"].as_str().and_then(|task| task.parse().ok()) {
                                told.entry(task).or_default().hear(&entry.kind, &data, entry.at);
                            }
                        }
                    }
                    let mut by_worker: BTreeMap<WorkerId, Vec<Activity>> = BTreeMap::new();
                    for held in held {
                        // What an earlier attempt told is not what this one does.
                        let told = told.remove(&held.task).filter(|told| told.at >= Some(held.claimed_at));
                        let Told { phase, step, at } = told.unwrap_or_default();
                        let activity = Activity { phase, step, told_at: at, held };
                        by_worker.entry(activity.held.worker).or_default().push(activity);
                    }
                    Ok::<_, Problem>(by_worker)
                })
            })
            .await
    }

    /// Changes a worker that still has the revision that was read; the same values change nothing (D4).
    ///
    /// # Errors
    /// 412 when it changed meanwhile, 409 when it is revoked.
    pub async fn change_worker(
        &self,
        id: WorkerId,
        change: WorkerChange,
        revision: Option<u64>,
    ) -> Result<Worker, Problem> {
        let now = self.now();
        let changed = self
            .store()
            .write(move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let old = tx.worker(id).await?.ok_or_else(Problem::not_found)?;
                    if revision.is_some_and(|read| read != old.revision) {
                        return Err(StoreError::RevisionOld { found: old.revision }.into());
                    }
                    if old.revoked_at.is_some() {
                        return Err(Problem::new(Code::WrongState, "a revoked worker stays as it is"));
                    }
                    let new = Worker {
                        name: change.name.unwrap_or_else(|| old.name.clone()),
                        labels: change.labels.map_or_else(|| old.labels.clone(), |labels| worker::labels(&labels)),
                        sharing: change.sharing.unwrap_or(old.sharing),
                        projects: change.projects.unwrap_or_else(|| old.projects.clone()),
                        draining: change.draining.unwrap_or(old.draining),
                        ..old.clone()
                    };
                    if new == old {
                        return Ok(old);
                    }
                    if !tx.worker_set(&new).await? {
                        let found = tx.worker(id).await?.map_or(old.revision, |worker| worker.revision);
                        return Err(StoreError::RevisionOld { found }.into());
                    }
                    let kind = if new.draining == old.draining { "worker.changed" } else { "worker.draining" };
                    tell(tx, &new, kind, now).await?;
                    Ok(Worker { revision: old.revision + 1, ..new })
                })
            })
            .await?;
        self.inner.waiters.tell_worker(id);
        self.wake();
        Ok(self.freshened(changed))
    }

    /// Revokes a worker: its tokens are refused from now on, and what it held is ready again at once
    /// (D60). Revoking it again is fine.
    pub async fn revoke_worker(&self, id: WorkerId, actor: &Actor) -> Result<Worker, Problem> {
        let (now, actor) = (self.now(), actor.clone());
        let revoked = self
            .store()
            .write(move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let worker = tx.worker(id).await?.ok_or_else(Problem::not_found)?;
                    if tx.worker_revoke(id, now).await? {
                        tell(tx, &worker, "worker.revoked", now).await?;
                        let entry =
                            NewEntry::new("worker.revoked", json!({"worker": id, "name": worker.name, "actor": actor}));
                        for project in tx.projects().await? {
                            if worker.serves(project.id) {
                                let audit = StreamId::Audit(project.id);
                                tx.journal_append(audit, std::slice::from_ref(&entry), now).await?;
                            }
                        }
                    }
                    tx.worker(id).await?.ok_or_else(Problem::not_found)
                })
            })
            .await?;
        // Should this process die before it gets here, the leases run out by themselves: nobody may renew them.
        work::returned(self, id, "worker_revoked").await?;
        self.inner.waiters.tell_worker(id);
        self.wake();
        Ok(revoked)
    }
}

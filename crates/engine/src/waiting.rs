//! What a run waits for when nobody takes its work (D12): derived at each look, kept nowhere.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    actor::Actor,
    id::WorkerId,
    problem::Problem,
    run::{Run, RunStatus},
    time::Timestamp,
    waiting::{Eligible, Reason, WaitingFor},
    worker::{Sharing, WorkerState},
};
use store::Worker;

use crate::Engine;

impl Engine {
    /// What a run waits for; nothing while somebody works on it, when it waits for a person, and when it has ended.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn waiting_for(&self, run: &Run) -> Result<Option<WaitingFor>, Problem> {
        match run.status {
            RunStatus::Queued | RunStatus::Running if !run.cancelling => {}
            _ => return Ok(None),
        }
        let id = run.id;
        let Some((queue, labels, workers, held)) = self
            .store()
            .read(move |tx| {
                Box::pin(async move {
                    if tx.open_tasks(id).await?.leased {
                        return Ok(None);
                    }
                    // What asks for nothing is done by the plane itself, presently.
                    let asked = tx.queues_waited(id).await?.into_iter().find(|(_, labels)| !labels.is_empty());
                    let Some((queue, labels)) = asked else { return Ok(None) };
                    Ok::<_, Problem>(Some((queue, labels, tx.workers().await?, tx.held_now().await?)))
                })
            })
            .await?
        else {
            return Ok(None);
        };
        let mut busy: BTreeMap<WorkerId, u32> = BTreeMap::new();
        for held in held {
            *busy.entry(held.worker).or_default() += 1;
        }
        let workers: Vec<Worker> = workers.into_iter().map(|worker| self.freshened(worker)).collect();
        Ok(Some(judge(run, queue, labels, &workers, &busy, self.now())))
    }
}

fn judge(
    run: &Run,
    queue: String,
    labels: Vec<String>,
    workers: &[Worker],
    busy: &BTreeMap<WorkerId, u32>,
    now: Timestamp,
) -> WaitingFor {
    let starter = match &run.created_by {
        Actor::Person { id, .. } => Some(*id),
        Actor::Token { .. } | Actor::Worker { .. } | Actor::Run { .. } | Actor::System => None,
    };
    let may = |worker: &&Worker| {
        let owner = worker.owner.as_ref().map(|(id, _)| *id);
        worker.revoked_at.is_none()
            && worker.serves(run.project)
            && (worker.sharing == Sharing::Project || owner.is_none() || owner == starter)
    };
    let eligible: Vec<&Worker> =
        workers.iter().filter(may).filter(|one| labels.iter().all(|label| one.offers().contains(label))).collect();
    let state = |worker: &Worker| WorkerState::of(worker.seen_at, worker.draining, false, now);
    let there: Vec<&&Worker> =
        eligible.iter().filter(|one| matches!(state(one), WorkerState::Online | WorkerState::Late)).collect();
    let is_free = |worker: &Worker| busy.get(&worker.id).copied().unwrap_or(0) < worker.said.slots.max(1);
    let wanted = labels.join(", ");
    let (reason, message) = if eligible.is_empty() {
        let known: BTreeSet<String> = workers.iter().filter(may).flat_map(Worker::offers).collect();
        let unknown: Vec<&str> = labels.iter().filter(|label| !known.contains(*label)).map(String::as_str).collect();
        let lacks = if unknown.is_empty() { wanted } else { unknown.join(", ") };
        (Reason::NoneHas, format!("no worker of this project has {lacks}"))
    } else if there.is_empty() {
        (Reason::NoneOnline, format!("no worker with {wanted} is online"))
    } else if !there.iter().any(|one| is_free(one)) {
        (Reason::AllBusy, format!("every worker with {wanted} is busy"))
    } else {
        (Reason::Soon, "a worker will take it presently".to_owned())
    };
    let eligible_workers =
        eligible.into_iter().map(|one| Eligible { id: one.id, name: one.name.clone(), state: state(one) }).collect();
    WaitingFor { queue, labels, eligible_workers, reason, message }
}

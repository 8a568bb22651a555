//! The worker's loop: deliver what was left, then claim, renew and work until it is told to stop. No error of
//! network, plane or task ends it (D64).

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use model::{code::Code, id::TaskId, limits, problem::Problem, task::Fence, worker::Advertised};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    link::{Backoff, CallError, Link},
    outbox::TaskBox,
    perform::Performers,
    recover::recover,
    say::Saying,
    state::State,
    tasks::{Hands, InHand},
};

/// How long a heartbeat waits for news at the plane.
const NEWS: u64 = 9;
/// How often agents are looked at (D62).
const HEALTH: Duration = Duration::from_secs(300);

/// Looks at the agents of this machine.
pub type LookAtAgents = Arc<dyn Fn() -> BoxFuture<'static, Vec<Advertised>> + Send + Sync>;

/// How a worker runs.
pub struct Config {
    /// Its folder, held.
    pub state: State,
    /// Tasks at once.
    pub slots: u32,
    /// Where it looks for tasks.
    pub queues: Vec<String>,
    /// Labels of its machine's owner.
    pub labels: Vec<String>,
    /// Who does what.
    pub performers: Performers,
    /// Looks at the agents.
    pub agents: LookAtAgents,
    /// Take at most one task, then end.
    pub once: bool,
    /// How long running tasks may go on after the first signal.
    pub grace: Duration,
    /// Fires at the first signal: finish what is in hand, claim nothing.
    pub stop: CancellationToken,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, or had its one task.
    Stopped,
    /// The plane revoked it.
    Revoked,
}

/// Runs until it is told to stop or is revoked.
///
/// # Errors
/// 422 when it was never paired; 426 for a protocol that the plane does not speak; 500 when its folder cannot
/// be used.
pub async fn serve(config: Config) -> Result<Ended, Problem> {
    let paired =
        config.state.paired()?.ok_or_else(|| Problem::new(Code::WorkerNotPaired, Code::WorkerNotPaired.title()))?;
    let link = Link::at(&paired.server)?.with_token(&paired.token);
    let repos = config.state.repos()?;
    let saying = Saying::new(config.slots, config.labels.clone(), repos, &config.state.tasks());
    saying.set_agents((config.agents)().await);
    let revoked = CancellationToken::new();
    let recovered = tokio::select! {
        recovered = recover(&config.state, &link, &saying, &config.performers) => recovered?,
        () = config.stop.cancelled() => return Ok(Ended::Stopped),
    };
    if !recovered {
        return Ok(Ended::Revoked);
    }
    let work_stop = CancellationToken::new();
    let hands = Hands {
        link,
        performers: config.performers.clone(),
        in_hand: InHand::default(),
        saying: saying.clone(),
        aside: config.state.aside(),
        stop: work_stop.clone(),
        revoked: revoked.clone(),
    };
    let looking = tokio::spawn(look_after_agents(config.agents.clone(), saying));
    let renewing = tokio::spawn(renew(hands.clone()));
    let running = TaskTracker::new();
    let claimed = claim_loop(&config, &hands, &running).await;
    running.close();
    // What is in hand may go on for a while; then it is told to stop, and gives back what it has not done.
    tokio::select! {
        () = running.wait() => {}
        () = grace(&config) => {}
        () = revoked.cancelled() => {}
    }
    if revoked.is_cancelled() {
        hands.in_hand.desks().iter().for_each(crate::desk::Desk::lose);
    }
    work_stop.cancel();
    // What cannot be told now is on the disk, and is told at the next start.
    let told = tokio::time::timeout(Duration::from_secs(15), running.wait()).await;
    if told.is_err() {
        tracing::warn!("the plane does not answer; what waits is delivered at the next start");
    }
    renewing.abort();
    looking.abort();
    claimed?;
    Ok(if revoked.is_cancelled() { Ended::Revoked } else { Ended::Stopped })
}

async fn grace(config: &Config) {
    config.stop.cancelled().await;
    tokio::time::sleep(config.grace).await;
}

async fn look_after_agents(look: LookAtAgents, saying: Saying) {
    loop {
        tokio::time::sleep(HEALTH).await;
        saying.set_agents(look().await);
    }
}

async fn claim_loop(config: &Config, hands: &Hands, running: &TaskTracker) -> Result<(), Problem> {
    let free = Arc::new(Semaphore::new(config.slots as usize));
    let mut backoff = Backoff::default();
    // The same claim until its answer is here: a lost answer loses nothing (D52).
    let mut claim_id = Uuid::now_v7();
    let stopped = || config.stop.is_cancelled() || hands.revoked.is_cancelled();
    while !stopped() {
        let acquired = tokio::select! {
            acquired = free.clone().acquire_owned() => acquired,
            () = config.stop.cancelled() => break,
            () = hands.revoked.cancelled() => break,
        };
        let Ok(permit) = acquired else { break };
        let mut permits = vec![permit];
        while !config.once
            && permits.len() < 16
            && let Ok(more) = free.clone().try_acquire_owned()
        {
            permits.push(more);
        }
        if hands.saying.waiting_bytes() >= limits::OUTBOX {
            let full = format!("the outbox holds {} MiB, so nothing is claimed", limits::OUTBOX >> 20);
            tracing::error!("{full}");
            hands.saying.set_trouble(Some(full));
            drop(permits);
            backoff.pause().await;
            continue;
        }
        // While something is in hand it asks only shortly, so that a slot that comes free is asked for, too.
        let wait = match (config.once, hands.in_hand.count()) {
            (true, _) => 1,
            (false, 0) => limits::CLAIM_WAIT.as_secs(),
            (false, _) => 5,
        };
        let mut ask = json!({
            "claim_id": claim_id, "max": permits.len(), "queues": config.queues, "labels": hands.saying.labels(),
            "slots_free": permits.len(), "wait_s": wait,
        });
        hands.saying.add_to(&mut ask);
        let answered = tokio::select! {
            answered = hands.link.post("/worker/claim", None, &ask, Duration::from_secs(wait)) => answered,
            // Tasks that the plane hands out into this call go back when their leases end.
            () = config.stop.cancelled() => break,
            () = hands.revoked.cancelled() => break,
        };
        match answered {
            Ok(answer) => {
                backoff.reset();
                claim_id = Uuid::now_v7();
                let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
                let none = tasks.is_empty();
                for task in tasks {
                    let permit = permits.pop();
                    begin(config, hands, running, task, permit);
                }
                if config.once {
                    return Ok(());
                }
                if none && answer["drain"] == true {
                    drop(permits);
                    drained(config, hands).await;
                }
            }
            Err(error) if error.is_revoked() => hands.revoked.cancel(),
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the plane is not reached; trying again");
                drop(permits);
                tokio::select! {
                    () = backoff.pause() => {}
                    () = config.stop.cancelled() => break,
                }
            }
            // A claim that is refused for what it says is refused again.
            Err(error) => return Err(error.problem()),
        }
    }
    Ok(())
}

/// Writes a claim down and starts its work. What cannot be written down is not worked on: its lease runs out.
fn begin(
    config: &Config,
    hands: &Hands,
    running: &TaskTracker,
    task: Value,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
) {
    let id = task["task"].as_str().and_then(|task| task.parse::<TaskId>().ok());
    let generation = task["generation"].as_u64().and_then(|generation| u32::try_from(generation).ok());
    let (Some(id), Some(generation)) = (id, generation) else {
        tracing::error!("a claimed task has no id or generation");
        return;
    };
    // A repeated answer names what is in hand already.
    if hands.in_hand.desk(id).is_some() {
        return;
    }
    match TaskBox::begin(&config.state.tasks(), Fence { task: id, generation }, &task) {
        Ok(outbox) => {
            let work = hands.clone().work(task, outbox);
            running.spawn(async move {
                work.await;
                drop(permit);
            });
        }
        Err(error) => {
            hands.saying.set_trouble(Some(format!("failed to write a claim down: {error}")));
            tracing::error!(%error, "failed to write a claim down; the task goes back when its lease ends");
        }
    }
}

/// Waits while the plane wants nothing to be claimed.
async fn drained(config: &Config, hands: &Hands) {
    tracing::info!("the plane drains this worker; it claims nothing until that ends");
    let mut backoff = Backoff::default();
    loop {
        let mut ask = json!({"held": hands.in_hand.fences(), "wait_s": NEWS});
        hands.saying.add_to(&mut ask);
        let answered = tokio::select! {
            answered = hands.link.post("/worker/heartbeat", None, &ask, Duration::from_secs(NEWS)) => answered,
            () = config.stop.cancelled() => return,
            () = hands.revoked.cancelled() => return,
        };
        match answered {
            Ok(answer) if answer["drain"] == true => {
                heed(hands, &answer);
                // With something in hand that is over, the answer comes at once.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(_) => return,
            Err(error) if error.is_revoked() => return hands.revoked.cancel(),
            Err(_) => backoff.pause().await,
        }
    }
}

/// Renews what is in hand, and hears at once what becomes of it (D54).
async fn renew(hands: Hands) {
    let mut backoff = Backoff::default();
    loop {
        let held = hands.in_hand.fences();
        if held.is_empty() {
            hands.in_hand.more().await;
            continue;
        }
        let mut ask = json!({"held": held, "wait_s": NEWS});
        hands.saying.add_to(&mut ask);
        let answered = tokio::select! {
            answered = hands.link.post("/worker/heartbeat", None, &ask, Duration::from_secs(NEWS)) => answered,
            // What waits at the plane does not hear of a task that came later: it is asked anew, with that (D36).
            () = hands.in_hand.more() => continue,
        };
        match answered {
            Ok(answer) => {
                backoff.reset();
                heed(&hands, &answer);
                // News that stays news, such as a run that is being cancelled, is answered at once each time.
                if !answer["lost"].as_array().is_some_and(Vec::is_empty)
                    || !answer["cancelled"].as_array().is_some_and(Vec::is_empty)
                    || answer["drain"] == true
                {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            Err(error) if error.is_revoked() => {
                hands.revoked.cancel();
                return;
            }
            Err(error) => {
                // The work goes on: a late word counts while nobody else has claimed (D56).
                tracing::warn!(%error, "the leases were not renewed; trying again");
                if let CallError::Refused(refusal) = &error {
                    hands.saying.set_trouble(Some(refusal.detail.clone()));
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
                backoff.pause().await;
            }
        }
    }
}

fn heed(hands: &Hands, answer: &Value) {
    let task = |value: &Value| value.as_str().and_then(|task| task.parse::<TaskId>().ok());
    for lost in answer["lost"].as_array().into_iter().flatten() {
        if let Some(desk) = task(&lost["task"]).and_then(|task| hands.in_hand.desk(task)) {
            desk.lose();
        }
    }
    for cancelled in answer["cancelled"].as_array().into_iter().flatten() {
        if let Some(desk) = task(cancelled).and_then(|task| hands.in_hand.desk(task)) {
            desk.cancel();
        }
    }
}

/// Where a worker's folder lies when nobody says otherwise.
pub fn default_folder(data_home: &std::path::Path) -> PathBuf {
    data_home.join("proofhouse-worker")
}

//! Claiming tasks and renewing their leases.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::State;
use engine::workers::check_protocol;
use model::{
    id::{ProjectId, RunId, TaskId, WorkerId},
    limits,
    problem::{FieldError, Problem},
    run::RunKind,
    task::Fence,
    time::Timestamp,
    worker::{Advertised, OutboxSize, Said},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ClaimRequest, Leased, Worker};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::Caller,
    extract::Json,
    problem::{Refusal, Refusals},
};

/// Queues or labels in a claim.
const NAMES: usize = 64;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claim)).routes(routes!(heartbeat))
}

/// What a worker wants.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Claim {
    /// Names this claim: the same again returns the same leases while they live, so that a lost
    /// answer loses nothing.
    claim_id: String,
    /// Tasks at most, 1 to 64.
    #[serde(default = "one")]
    max: u32,
    /// Where to look, in no order.
    queues: Vec<String>,
    /// What the worker offers.
    #[serde(default)]
    labels: Vec<String>,
    /// How long to wait for the first task, 0 to 30.
    #[serde(default)]
    wait_s: u32,
    /// What the worker says of itself.
    #[serde(flatten)]
    says: Says,
}

/// What a worker says of itself with a call; absent is as it was.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
struct Says {
    /// The protocol it speaks.
    protocol: Option<u32>,
    /// Its operating system and processor.
    platform: Option<String>,
    /// The version of its program.
    version: Option<String>,
    /// Its agents.
    agents: Option<Vec<Advertised>>,
    /// Keys of projects it has a checkout of.
    repos: Option<Vec<String>>,
    /// Tasks that it does at once.
    slots: Option<u32>,
    /// What waits on its disk.
    outbox: Option<OutboxSize>,
    /// What last went wrong there; empty when nothing did.
    last_error: Option<String>,
}

impl Says {
    /// Writes it down where it is news; the worker as it then is, when it said anything.
    async fn heard(self, app: &App, id: WorkerId, labels: Option<&[String]>) -> Result<Option<Worker>, Problem> {
        if let Some(protocol) = self.protocol {
            check_protocol(protocol)?;
        }
        let (Some(slots), Some(protocol)) = (self.slots, self.protocol) else { return Ok(None) };
        let worker = app.engine.worker(id).await?;
        let old = worker.said.clone();
        let said = Said {
            platform: self.platform.unwrap_or(old.platform),
            version: self.version.unwrap_or(old.version),
            protocol,
            labels: labels.map_or(old.labels, <[String]>::to_vec),
            agents: self.agents.unwrap_or(old.agents),
            repos: self.repos.unwrap_or(old.repos),
            slots,
            outbox: self.outbox.unwrap_or(old.outbox),
            last_error: self.last_error.or(old.last_error),
        }
        .bounded();
        app.engine.worker_says(id, said.clone()).await?;
        Ok(Some(Worker { said, ..worker }))
    }
}

/// What the plane wants of its workers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WorkerConfig)]
struct Config {
    /// How long a lease lasts without a renewal.
    lease_s: u64,
    /// How often to renew.
    heartbeat_s: u64,
}

const CONFIG: Config = Config { lease_s: limits::LEASE.as_secs(), heartbeat_s: limits::HEARTBEAT.as_secs() };

/// What a person asks of a worker. None are asked by this version.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WorkerRequest)]
struct Request {
    /// Its id.
    id: String,
    /// What is asked.
    kind: String,
}

const fn one() -> u32 {
    1
}

/// Tasks that are the worker's until their leases end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Claimed {
    /// The tasks; none when nothing was ready in time.
    tasks: Vec<LeasedView>,
    /// What a person asks of it.
    requests: Vec<Request>,
    /// It is to finish what it holds and claim nothing.
    drain: bool,
    /// What the plane wants.
    config: Config,
    /// The plane's clock.
    server_time: Timestamp,
}

/// A task under a lease.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LeasedView {
    /// The task.
    task: TaskId,
    /// The fence: send it back as `Lease-Generation` with every call about the task.
    generation: u32,
    /// When the lease ends unless renewed.
    expires_at: Option<Timestamp>,
    /// The run it is part of.
    run: RunId,
    /// That run's kind.
    run_kind: RunKind,
    /// The project of that run.
    project: ProjectId,
    /// What it does.
    kind: String,
    /// What it is about.
    subject: String,
    /// Which attempt this is.
    attempt: u32,
    /// What to do.
    #[schema(value_type = Object)]
    input: Value,
}

impl From<Leased> for LeasedView {
    fn from(leased: Leased) -> Self {
        let task = leased.task;
        Self {
            task: task.id,
            generation: task.generation,
            expires_at: task.lease.map(|lease| lease.expires_at),
            run: task.run,
            run_kind: leased.run_kind,
            project: task.project,
            kind: task.kind,
            subject: task.subject,
            attempt: task.attempt,
            input: task.input,
        }
    }
}

/// Take ready tasks under a lease, waiting for the first.
#[utoipa::path(post, path = "/worker/claim", tag = "workers", request_body = Claim,
    responses((status = 200, body = Claimed), Refusals))]
async fn claim(State(app): State<App>, caller: Caller, Json(ask): Json<Claim>) -> Result<axum::Json<Claimed>, Refusal> {
    let worker = caller.worker()?;
    let wait = check_claim(&ask)?;
    let known = ask.says.heard(&app, worker, Some(&ask.labels)).await?;
    let labels = match &known {
        Some(worker) => worker.offers().into_iter().collect(),
        None => ask.labels,
    };
    let request = ClaimRequest {
        worker,
        claim_id: ask.claim_id,
        queues: ask.queues,
        labels,
        max: ask.max,
        now: app.engine.now(),
        lease: limits::LEASE,
    };
    let leased = app.engine.claim(request, wait).await?;
    app.metrics.figures.tasks_claimed.fetch_add(leased.len() as u64, Relaxed);
    let tasks: Vec<_> = leased.into_iter().map(LeasedView::from).collect();
    // What it was told before it waited may not be so any more.
    let drain = match known {
        Some(worker) if tasks.is_empty() => app.engine.worker(worker.id).await?.draining,
        Some(_) | None => false,
    };
    Ok(axum::Json(Claimed { tasks, requests: Vec::new(), drain, config: CONFIG, server_time: app.engine.now() }))
}

fn check_claim(ask: &Claim) -> Result<Duration, Problem> {
    let mut errors = Vec::new();
    if ask.claim_id.is_empty() || ask.claim_id.len() > 64 || !ask.claim_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        errors.push(FieldError::new("/claim_id", "1 to 64 visible ASCII characters are expected"));
    }
    if !(1..=limits::CLAIM_MAX).contains(&ask.max) {
        errors.push(FieldError::new("/max", format!("1 to {} are allowed", limits::CLAIM_MAX)));
    }
    let wait = Duration::from_secs(u64::from(ask.wait_s));
    if wait > limits::CLAIM_WAIT {
        errors.push(FieldError::new("/wait_s", format!("0 to {} are allowed", limits::CLAIM_WAIT.as_secs())));
    }
    if ask.queues.is_empty() {
        errors.push(FieldError::new("/queues", "at least one queue is required"));
    }
    // What is proven and what is applied is the plane's own word: no worker elsewhere gives it (D51, D56).
    if ask.queues.iter().any(|queue| queue == engine::worker::QUEUE) {
        let message = format!("the queue {} is served by the plane's own worker alone", engine::worker::QUEUE);
        errors.push(FieldError::new("/queues", message));
    }
    for (pointer, names) in [("/queues", &ask.queues), ("/labels", &ask.labels)] {
        let fits = |name: &String| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if names.len() > NAMES || !names.iter().all(fits) {
            errors.push(FieldError::new(pointer, format!("at most {NAMES} names of 1 to 64 visible ASCII characters")));
        }
    }
    if errors.is_empty() { Ok(wait) } else { Err(Problem::invalid(errors)) }
}

/// What a worker holds.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Held {
    /// Every lease that shall go on.
    #[serde(default)]
    held: Vec<Fence>,
    /// How long to wait for news, 0 to 10.
    #[serde(default)]
    wait_s: u32,
    /// What the worker says of itself.
    #[serde(flatten)]
    says: Says,
}

/// What became of each.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Renewed {
    /// Leases that go on.
    renewed: Vec<RenewedLease>,
    /// Leases that are over: stop, and drop what you have of them.
    lost: Vec<LostLease>,
    /// Leases whose run is being cancelled: stop, then report what there is.
    cancelled: Vec<TaskId>,
    /// What a person asks of it.
    requests: Vec<Request>,
    /// It is to finish what it holds and claim nothing.
    drain: bool,
    /// What the plane wants.
    config: Config,
    /// The plane's clock.
    server_time: Timestamp,
}

/// A lease that goes on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RenewedLease {
    /// The task.
    task: TaskId,
    /// When the lease ends unless renewed again.
    expires_at: Timestamp,
}

/// A lease that is over.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LostLease {
    /// The task.
    task: TaskId,
    /// Why.
    reason: LostReason,
}

/// Why a lease is over.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum LostReason {
    /// Another claim was made since.
    Reclaimed,
    /// The task already has an outcome.
    Finished,
    /// The task was cancelled.
    Cancelled,
    /// The lease was taken away.
    Revoked,
}

impl From<store::LostReason> for LostReason {
    fn from(reason: store::LostReason) -> Self {
        match reason {
            store::LostReason::Reclaimed => Self::Reclaimed,
            store::LostReason::Finished => Self::Finished,
            store::LostReason::Cancelled => Self::Cancelled,
            store::LostReason::Revoked => Self::Revoked,
        }
    }
}

/// Renew every lease in one call, on arrival; then wait for news, and return at once when there is some.
#[utoipa::path(post, path = "/worker/heartbeat", tag = "workers", request_body = Held,
    responses((status = 200, body = Renewed), Refusals))]
async fn heartbeat(
    State(app): State<App>,
    caller: Caller,
    Json(ask): Json<Held>,
) -> Result<axum::Json<Renewed>, Refusal> {
    let worker = caller.worker()?;
    if ask.held.len() > 1_000 {
        return Err(Problem::invalid_field("/held", "at most 1000 leases at once").into());
    }
    let wait = Duration::from_secs(u64::from(ask.wait_s));
    if wait > limits::HEARTBEAT_WAIT {
        let message = format!("0 to {} are allowed", limits::HEARTBEAT_WAIT.as_secs());
        return Err(Problem::invalid_field("/wait_s", message).into());
    }
    let known = ask.says.heard(&app, worker, None).await?;
    let beats = if wait.is_zero() {
        app.engine.heartbeat(worker, &ask.held).await?
    } else {
        app.engine.heartbeat_and_hear(worker, &ask.held, wait).await?
    };
    let drain = match known {
        Some(worker) => app.engine.worker(worker.id).await?.draining,
        None => false,
    };
    let now = app.engine.now();
    let expires_at = now.plus(limits::LEASE);
    let mut answer = Renewed {
        renewed: Vec::new(),
        lost: Vec::new(),
        cancelled: Vec::new(),
        requests: Vec::new(),
        drain,
        config: CONFIG,
        server_time: now,
    };
    for (fence, beat) in beats {
        match beat {
            store::Beat::Renewed => answer.renewed.push(RenewedLease { task: fence.task, expires_at }),
            store::Beat::Cancelled => answer.cancelled.push(fence.task),
            store::Beat::Lost { reason } => answer.lost.push(LostLease { task: fence.task, reason: reason.into() }),
        }
    }
    Ok(axum::Json(answer))
}

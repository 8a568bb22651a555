//! Claiming tasks and renewing their leases.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::State;
use model::{
    id::{ProjectId, RunId, TaskId},
    limits,
    problem::{FieldError, Problem},
    run::RunKind,
    task::Fence,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ClaimRequest, Leased};
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
}

const fn one() -> u32 {
    1
}

/// Tasks that are the worker's until their leases end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Claimed {
    /// The tasks; none when nothing was ready in time.
    tasks: Vec<LeasedView>,
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
    let request = ClaimRequest {
        worker,
        claim_id: ask.claim_id,
        queues: ask.queues,
        labels: ask.labels,
        max: ask.max,
        now: app.engine.now(),
        lease: limits::LEASE,
    };
    let leased = app.engine.claim(request, wait).await?;
    app.metrics.figures.tasks_claimed.fetch_add(leased.len() as u64, Relaxed);
    let tasks = leased.into_iter().map(LeasedView::from).collect();
    Ok(axum::Json(Claimed { tasks, server_time: app.engine.now() }))
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

/// Renew every lease in one call.
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
    let expires_at = app.engine.now().plus(limits::LEASE);
    let beats = app.engine.heartbeat(worker, &ask.held).await?;
    let mut answer =
        Renewed { renewed: Vec::new(), lost: Vec::new(), cancelled: Vec::new(), server_time: app.engine.now() };
    for (fence, beat) in beats {
        match beat {
            store::Beat::Renewed => answer.renewed.push(RenewedLease { task: fence.task, expires_at }),
            store::Beat::Cancelled => answer.cancelled.push(fence.task),
            store::Beat::Lost { reason } => answer.lost.push(LostLease { task: fence.task, reason: reason.into() }),
        }
    }
    Ok(axum::Json(answer))
}

//! The protocol of workers (20-plan-dispatch D52-D59): claim, renew, append, end. The embedded worker
//! makes the same calls on the engine. Unknown fields are ignored on both sides (D61).

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderName, request::Parts},
};
use engine::work::Outcome;
use model::{
    code::Code,
    failure::{Failure, FailureCode},
    id::{ProjectId, RunId, TaskId},
    journal::{Edge, Level, NewEntry},
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
    extract::{Json, Path},
    limits as http_limits,
    problem::{Refusal, Refusals},
};

const LEASE_GENERATION: HeaderName = HeaderName::from_static("lease-generation");
/// Queues or labels in a claim.
const NAMES: usize = 64;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(claim))
        .routes(routes!(heartbeat))
        .routes(routes!(entries))
        .routes(routes!(complete))
        .routes(routes!(fail))
        .routes(routes!(release))
        .routes(routes!(complete_many))
}

/// The `Lease-Generation` of a call about one task; missing is 422 (D55).
struct Generation(u32);

impl<S: Send + Sync> FromRequestParts<S> for Generation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let value = parts.headers.get(LEASE_GENERATION).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.trim().parse().ok()).map(Self).ok_or_else(|| {
            Problem::invalid_field("/Lease-Generation", "the number of the claim is required")
                .with("in", "header")
                .into()
        })
    }
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

/// Entries for the run's journal.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Entries {
    /// In the order they are to be numbered: 1 to 1,000.
    entries: Vec<EntryIn>,
}

/// An entry that has no number yet.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct EntryIn {
    /// What it tells: one of the kinds that workers write.
    kind: String,
    /// How much it matters.
    #[serde(default)]
    level: Level,
    /// The span it belongs to.
    #[serde(default)]
    span: Option<String>,
    /// That span's parent.
    #[serde(default)]
    parent: Option<String>,
    /// Whether it opens or closes the span.
    #[serde(default)]
    edge: Option<Edge>,
    /// The kind's own data.
    #[serde(default)]
    #[schema(value_type = Object)]
    data: Value,
}

/// What was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Appended {
    /// How many entries.
    accepted: usize,
    /// The number of the last one.
    last_seq: u64,
}

/// Append to the journal of the task's run, behind the fence. All of a batch or none of it; the
/// answer comes after the sync.
#[utoipa::path(post, path = "/worker/tasks/{task}/entries", tag = "workers", request_body = Entries,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Appended), Refusals))]
async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(batch): Json<Entries>,
) -> Result<axum::Json<Appended>, Refusal> {
    caller.worker()?;
    let accepted = batch.entries.len();
    if accepted == 0 || accepted > limits::ENTRIES_PER_APPEND {
        let message = format!("1 to {} entries at once", limits::ENTRIES_PER_APPEND);
        return Err(Problem::invalid_field("/entries", message).into());
    }
    let entries =
        batch.entries.into_iter().enumerate().map(|(at, entry)| taken(at, entry)).collect::<Result<_, _>>()?;
    let last_seq = counted(&app, app.engine.append(Fence { task, generation }, entries).await)?;
    app.metrics.figures.entries_appended.fetch_add(accepted as u64, Relaxed);
    Ok(axum::Json(Appended { accepted, last_seq }))
}

/// Kinds that a worker writes itself. Everything else is the plane's own word: a worker cannot say
/// that a run has finished or that a gate passed.
const WORKER_KINDS: [&str; 7] =
    ["probe.entry", "command.started", "command.output", "command.finished", "prepare.finished", "warning", "note"];
/// The longest span name.
const SPAN: usize = 200;

fn taken(at: usize, entry: EntryIn) -> Result<NewEntry, Problem> {
    let refused = |field: &str, message: &str| {
        Problem::invalid_field(format!("/entries/{at}/{field}"), message).with("index", at)
    };
    let known = WORKER_KINDS.iter().find(|kind| **kind == entry.kind);
    let kind = match known {
        Some(kind) => std::borrow::Cow::Borrowed(*kind),
        None if is_agent_kind(&entry.kind) => entry.kind.into(),
        None => return Err(refused("kind", "not a kind that a worker writes")),
    };
    for (field, span) in [("span", &entry.span), ("parent", &entry.parent)] {
        if span.as_ref().is_some_and(|span| span.is_empty() || span.len() > SPAN || span.chars().any(char::is_control))
        {
            return Err(refused(field, "1 to 200 bytes without control characters are allowed"));
        }
    }
    let data = match entry.data {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(fields) => cut(Value::Object(fields)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(refused("data", "an object is expected"));
        }
    };
    Ok(NewEntry { kind, level: entry.level, span: entry.span, parent: entry.parent, edge: entry.edge, data })
}

fn is_agent_kind(kind: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    kind.strip_prefix("agent.").is_some_and(|name| (1..=58).contains(&name.len()) && name.bytes().all(plain))
}

/// Data over the limit is cut and marked (D57): its text's start is kept, as text.
fn cut(data: Value) -> Value {
    if fits(&data, &mut limits::ENTRY_DATA.clone()) {
        return data;
    }
    let text = data.to_string();
    if text.len() <= limits::ENTRY_DATA {
        return data;
    }
    let start: String = text.chars().take(limits::ENTRY_DATA / 8).collect();
    serde_json::json!({"truncated": true, "bytes": text.len(), "start": start})
}

/// Whether a value is surely small, found without writing it down.
fn fits(value: &Value, room: &mut usize) -> bool {
    let needs = match value {
        // In JSON a byte takes six at most.
        Value::String(text) => text.len() * 6 + 2,
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 40,
        Value::Array(items) => items.len() + 2,
        Value::Object(fields) => fields.keys().map(|key| key.len() * 6 + 4).sum::<usize>() + 2,
    };
    if needs > *room {
        return false;
    }
    *room -= needs;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, room)),
        Value::Object(fields) => fields.values().all(|field| fits(field, room)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A result of a task.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Complete {
    /// The kind's own result.
    #[serde(default)]
    #[schema(value_type = Object)]
    output: Value,
}

/// Why a task could not be done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Fail {
    /// The cause.
    code: String,
    /// What happened.
    message: String,
    /// When trying again makes sense.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    retry_at: Option<Timestamp>,
}

impl Fail {
    /// A code outside the list is stored as `internal` with the given text in the message (D59).
    fn failure(self) -> Failure {
        let known = FailureCode::ALL.iter().copied().find(|code| code.slug() == self.code);
        let message: String = self.message.chars().filter(|c| *c != '\0').take(4_000).collect();
        let given: String = self.code.chars().filter(|c| !c.is_control()).take(64).collect();
        let failure = match known {
            Some(code) => Failure::new(code, message),
            None => Failure::new(FailureCode::Internal, format!("{given}: {message}")),
        };
        Failure { retry_at: self.retry_at, ..failure }
    }
}

/// That an outcome was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Taken {
    /// The task.
    task: TaskId,
}

async fn finish(app: &App, caller: &Caller, fence: Fence, outcome: Outcome) -> Result<axum::Json<Taken>, Refusal> {
    caller.worker()?;
    counted(app, app.engine.finish_one(fence, outcome).await)?;
    app.metrics.figures.tasks_finished.fetch_add(1, Relaxed);
    Ok(axum::Json(Taken { task: fence.task }))
}

fn counted<T>(app: &App, result: Result<T, Problem>) -> Result<T, Problem> {
    if result.as_ref().is_err_and(|problem| problem.code == Code::LeaseLost) {
        app.metrics.figures.leases_lost.fetch_add(1, Relaxed);
    }
    result
}

/// The task is done. The same outcome again is answered like the first time; another one is 409.
#[utoipa::path(post, path = "/worker/tasks/{task}/complete", tag = "workers", request_body = Complete,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Taken), Refusals))]
async fn complete(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(ask): Json<Complete>,
) -> Result<axum::Json<Taken>, Refusal> {
    finish(&app, &caller, Fence { task, generation }, Outcome::Done { output: ask.output }).await
}

/// The task could not be done.
#[utoipa::path(post, path = "/worker/tasks/{task}/fail", tag = "workers", request_body = Fail,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Taken), Refusals))]
async fn fail(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(ask): Json<Fail>,
) -> Result<axum::Json<Taken>, Refusal> {
    finish(&app, &caller, Fence { task, generation }, Outcome::Failed { failure: ask.failure() }).await
}

/// Why a task is given back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Release {
    /// For the journal, such as `shutdown` or `drain`.
    reason: String,
    /// Not to be claimed before.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
}

/// Give a task back untouched.
#[utoipa::path(post, path = "/worker/tasks/{task}/release", tag = "workers", request_body = Release,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Taken), Refusals))]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(ask): Json<Release>,
) -> Result<axum::Json<Taken>, Refusal> {
    let reason = ask.reason.chars().filter(|c| !c.is_control()).take(200).collect();
    let outcome = Outcome::Released { reason, not_before: ask.not_before };
    caller.worker()?;
    counted(&app, app.engine.finish_one(Fence { task, generation }, outcome).await)?;
    Ok(axum::Json(Taken { task }))
}

/// Outcomes of several tasks.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct CompleteMany {
    /// 1 to 64 of them.
    outcomes: Vec<OutcomeIn>,
}

/// An outcome of one task: an output, or a failure.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct OutcomeIn {
    /// The task.
    task: TaskId,
    /// The fence.
    generation: u32,
    /// The kind's own result.
    #[serde(default)]
    #[schema(value_type = Object)]
    output: Value,
    /// Why it could not be done, instead of an output.
    #[serde(default)]
    failure: Option<Fail>,
}

/// What became of each outcome, in their order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CompletedMany {
    /// One for each outcome.
    results: Vec<OutcomeResult>,
}

/// What became of one outcome.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OutcomeResult {
    /// The task.
    task: TaskId,
    /// Whether it was taken.
    accepted: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// Why an outcome of a batch was not taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Refused {
    /// The code, such as `PH-1017`.
    #[schema(value_type = crate::problem::ProblemCode)]
    code: String,
    /// What went wrong.
    detail: String,
    /// For a lost lease: `reclaimed, finished, cancelled, revoked`, or `outcome_set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<Value>,
}

/// The ends of up to 64 tasks at once. Each is taken or refused on its own.
#[utoipa::path(post, path = "/worker/tasks/complete", tag = "workers", request_body = CompleteMany,
    responses((status = 200, body = CompletedMany), Refusals))]
async fn complete_many(
    State(app): State<App>,
    caller: Caller,
    Json(ask): Json<CompleteMany>,
) -> Result<axum::Json<CompletedMany>, Refusal> {
    caller.worker()?;
    if ask.outcomes.is_empty() || ask.outcomes.len() > http_limits::OUTCOMES {
        return Err(
            Problem::invalid_field("/outcomes", format!("1 to {} outcomes at once", http_limits::OUTCOMES)).into()
        );
    }
    let outcomes: Vec<_> = ask
        .outcomes
        .into_iter()
        .map(|one| {
            let outcome = match one.failure {
                Some(fail) => Outcome::Failed { failure: fail.failure() },
                None => Outcome::Done { output: one.output },
            };
            (Fence { task: one.task, generation: one.generation }, outcome)
        })
        .collect();
    let tasks: Vec<_> = outcomes.iter().map(|(fence, _)| fence.task).collect();
    let ended = app.engine.finish(outcomes).await;
    let mut results = Vec::with_capacity(tasks.len());
    for (task, end) in tasks.into_iter().zip(ended) {
        let refused = counted(&app, end).err().map(|problem| Refused {
            code: problem.code.to_string(),
            because: problem.facts.get("reason").cloned(),
            detail: problem.message,
        });
        app.metrics.figures.tasks_finished.fetch_add(u64::from(refused.is_none()), Relaxed);
        results.push(OutcomeResult { task, accepted: refused.is_none(), refused });
    }
    Ok(axum::Json(CompletedMany { results }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(kind: &str, data: Value) -> EntryIn {
        EntryIn { kind: kind.into(), level: Level::Info, span: None, parent: None, edge: None, data }
    }

    // D57, X24: a worker writes its own kinds and no other.
    #[test]
    fn a_worker_cannot_write_the_planes_own_word() {
        for kind in ["run.finished", "gate.finished", "question.answered", "agent.", "agent.A", "probe.entry ", ""] {
            assert!(taken(3, entry(kind, json!({}))).is_err(), "{kind}");
        }
        let problem = taken(3, entry("run.finished", json!({}))).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/entries/3/kind");
        assert_eq!(taken(0, entry("agent.text", Value::Null)).unwrap().data, json!({}));
        assert!(taken(0, entry("note", json!([1]))).is_err());
    }

    // D57, K7
    #[test]
    fn data_over_the_limit_is_cut_and_marked() {
        let small = json!({"text": "a".repeat(1000)});
        assert_eq!(cut(small.clone()), small);
        let large = cut(json!({"text": "\u{1}".repeat(limits::ENTRY_DATA)}));
        assert_eq!(large["truncated"], true);
        assert!(large.to_string().len() <= limits::ENTRY_DATA);
        let close = json!({"text": "a".repeat(limits::ENTRY_DATA - 20)});
        assert_eq!(cut(close.clone()), close, "what fits as text is kept, however it was estimated");
    }

    #[test]
    fn an_unknown_failure_keeps_its_name_in_the_message() {
        let fail = Fail { code: "on_fire".into(), message: "smoke".into(), retry_at: None };
        let failure = fail.failure();
        assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Internal, "on_fire: smoke"));
    }
}

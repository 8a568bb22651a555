//! How tasks end: done, failed, given back; one at a time or many.

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use engine::work::Outcome;
use model::{
    failure::{Failure, FailureCode},
    id::TaskId,
    ledger::Spent,
    problem::Problem,
    task::Fence,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Generation, counted};
use crate::{
    app::App,
    auth::Caller,
    extract::{Json, Path},
    limits as http_limits,
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(complete))
        .routes(routes!(fail))
        .routes(routes!(release))
        .routes(routes!(complete_many))
}

/// A result of a task.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Complete {
    /// The kind's own result.
    #[serde(default)]
    #[schema(value_type = Object)]
    output: Value,
    /// What it cost, where it may have cost anything.
    #[serde(default)]
    spent: Option<Spent>,
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
    /// What it cost all the same.
    #[serde(default)]
    spent: Option<Spent>,
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
    app.engine.holds(caller.worker()?, fence).await?;
    counted(app, app.engine.finish_one(fence, outcome).await)?;
    app.metrics.figures.tasks_finished.fetch_add(1, Relaxed);
    Ok(axum::Json(Taken { task: fence.task }))
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
    finish(&app, &caller, Fence { task, generation }, Outcome::done(ask.output).spending(ask.spent)).await
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
    let spent = ask.spent;
    finish(&app, &caller, Fence { task, generation }, Outcome::failed(ask.failure()).spending(spent)).await
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
    /// What it cost until then.
    #[serde(default)]
    spent: Option<Spent>,
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
    let outcome = Outcome::Released { reason, not_before: ask.not_before, spent: ask.spent };
    let fence = Fence { task, generation };
    app.engine.holds(caller.worker()?, fence).await?;
    counted(&app, app.engine.finish_one(fence, outcome).await)?;
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
    /// What it cost, where it may have cost anything.
    #[serde(default)]
    spent: Option<Spent>,
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
    let worker = caller.worker()?;
    if ask.outcomes.is_empty() || ask.outcomes.len() > http_limits::OUTCOMES {
        return Err(
            Problem::invalid_field("/outcomes", format!("1 to {} outcomes at once", http_limits::OUTCOMES)).into()
        );
    }
    let outcomes: Vec<_> = ask
        .outcomes
        .into_iter()
        .map(|one| {
            // What a failed task cost may be said in either place: beside the failure, or in it as `fail` takes it.
            let (outcome, spent) = match one.failure {
                Some(fail) => {
                    let spent = one.spent.or(fail.spent);
                    (Outcome::failed(fail.failure()), spent)
                }
                None => (Outcome::done(one.output), one.spent),
            };
            let outcome = outcome.spending(spent);
            (Fence { task: one.task, generation: one.generation }, outcome)
        })
        .collect();
    let tasks: Vec<_> = outcomes.iter().map(|(fence, _)| fence.task).collect();
    let mut held = Vec::with_capacity(tasks.len());
    for (fence, _) in &outcomes {
        held.push(app.engine.holds(worker, *fence).await);
    }
    let mine = outcomes.into_iter().zip(&held).filter(|(_, held)| held.is_ok()).map(|(outcome, _)| outcome).collect();
    let mut ended = app.engine.finish(mine).await.into_iter();
    let ended = held.into_iter().map(|held| held.and_then(|()| ended.next().unwrap_or(Ok(()))));
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
    use super::*;

    #[test]
    fn an_unknown_failure_keeps_its_name_in_the_message() {
        let fail = Fail { code: "on_fire".into(), message: "smoke".into(), retry_at: None, spent: None };
        let failure = fail.failure();
        assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Internal, "on_fire: smoke"));
    }
}

//! Starts a proof run of what came of a dispatch: the task `dispatch.prove` (D38).

use model::{
    actor::Actor,
    digest::Digest,
    failure::{Failure, FailureCode},
    run::RunKind,
};
use serde_json::json;
use store::IdempotencyKey;

use super::state::{Detail, Proving};
use crate::{
    Once,
    submit::Submit,
    work::{Assignment, Outcome},
};

/// Does the task: exactly one proof run, however often it is tried.
pub async fn handle(assignment: Assignment) -> Outcome {
    match go(&assignment).await {
        Ok(proving) => Outcome::done(serde_json::to_value(proving).unwrap_or_default()),
        Err(failure) => Outcome::failed(failure),
    }
}

async fn go(assignment: &Assignment) -> Result<Proving, Failure> {
    let engine = &assignment.engine;
    let failed = |problem: model::problem::Problem| Failure::new(FailureCode::Internal, problem.to_string());
    let run = engine.run(assignment.leased.task.run).await.map_err(failed)?;
    let detail = Detail::of(&run).map_err(failed)?;
    let commit = detail.report.as_ref().and_then(|report| report.commit.clone());
    let commit = commit.ok_or_else(|| Failure::new(FailureCode::Internal, "there is no commit to prove"))?;
    let config = json!({"mode": "full", "target": {"ref": commit}});
    let key = format!("dispatch:{}", run.id);
    let once = Once {
        body: Digest::of(config.to_string().as_bytes()),
        key: IdempotencyKey { principal: key.clone(), route: "prove".to_owned(), key },
    };
    let started = engine
        .submit(Submit {
            project: run.project,
            kind: RunKind::PROOF,
            config,
            actor: Actor::Run { id: run.id },
            join: false,
            once: Some(once),
            retry_of: None,
            issue: run.issue,
        })
        .await
        .map_err(failed)?;
    Ok(Proving { run: started.run.id })
}

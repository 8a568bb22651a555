//! What issues ask of a person.

use axum::extract::State;
use model::issue::Attention;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::visible,
    app::App,
    auth::Caller,
    extract::{Path, ProjectName},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(counts))
}

/// How many issues ask what; each is counted once, for what it asks first.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
struct AttentionCounts {
    /// A run of theirs has an open question.
    questions: u64,
    /// Something was made and nobody has looked at it.
    to_review: u64,
    /// Epics that nobody has planned.
    to_plan: u64,
    /// Their last work did not succeed.
    failed: u64,
}

/// What the project's issues ask of a person.
#[utoipa::path(get, path = "/projects/{p}/attention", tag = "issues",
    params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = AttentionCounts), Refusals))]
async fn counts(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<AttentionCounts>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let mut counts = AttentionCounts::default();
    for (word, count) in app.engine.issue_attention(project.id).await? {
        match word {
            Attention::Question => counts.questions = count,
            Attention::Review => counts.to_review = count,
            Attention::Plan => counts.to_plan = count,
            Attention::Failed => counts.failed = count,
            Attention::None => {}
        }
    }
    Ok(axum::Json(counts))
}

//! Durable requests to a person: listed, read, answered once.

use axum::extract::State;
use model::{
    actor::Actor,
    id::{ProjectId, QuestionId, RunId, TaskId},
    problem::Problem,
    question::{Question, QuestionKind, QuestionState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{self, Listing},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(inbox))
        .routes(routes!(of_project))
        .routes(routes!(read))
        .routes(routes!(answer))
}

/// A question to a person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Question)]
pub struct QuestionView {
    /// Its id.
    pub id: QuestionId,
    /// The project it is asked in.
    pub project: ProjectId,
    /// The run that waits for it.
    pub run: RunId,
    /// The task that is blocked on it.
    pub task: Option<TaskId>,
    /// What is asked for.
    pub kind: QuestionKind,
    /// Where it stands.
    pub state: QuestionState,
    /// What it is about.
    pub subject: String,
    /// The words to read.
    pub prompt: String,
    /// What the answer must fit: checklist, tree, options.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// The answer.
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Value>,
    /// Who answered.
    pub answered_by: Option<Actor>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was withdrawn.
    pub because: Option<String>,
    /// When it ends unanswered.
    pub expires_at: Option<Timestamp>,
    /// When it was asked.
    pub created_at: Timestamp,
}

impl From<Question> for QuestionView {
    fn from(question: Question) -> Self {
        Self {
            id: question.id,
            project: question.project,
            run: question.run,
            task: question.task,
            kind: question.kind,
            state: question.state,
            subject: question.subject,
            prompt: question.prompt,
            schema: question.schema,
            answer: question.answer,
            answered_by: question.answered_by,
            ended_at: question.ended_at,
            because: question.because,
            expires_at: question.expires_at,
            created_at: question.created_at,
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct QuestionsQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// In this state; any when absent.
    state: Option<QuestionState>,
}

/// Questions over all projects that the caller sees, newest first.
#[utoipa::path(get, path = "/questions", tag = "questions", params(QuestionsQuery),
    responses((status = 200, body = Listing<QuestionView>), Refusals))]
async fn inbox(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<QuestionsQuery>,
) -> Result<axum::Json<Listing<QuestionView>>, Refusal> {
    caller.reads_something()?;
    page(&app, caller.principal().project, query).await
}

/// A project's questions, newest first.
#[utoipa::path(get, path = "/projects/{p}/questions", tag = "questions",
    params(("p" = String, Path, description = "key or id"), QuestionsQuery),
    responses((status = 200, body = Listing<QuestionView>), Refusals))]
async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<QuestionsQuery>,
) -> Result<axum::Json<Listing<QuestionView>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    page(&app, Some(project.id), query).await
}

async fn page(
    app: &App,
    project: Option<ProjectId>,
    query: QuestionsQuery,
) -> Result<axum::Json<Listing<QuestionView>>, Refusal> {
    let limit = listing::limit(query.limit)?;
    let before: Option<QuestionId> = listing::cursor(query.cursor.as_deref())?;
    let rows = app
        .engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let projects = match project {
                    Some(project) => vec![project],
                    None => tx.projects().await?.into_iter().map(|project| project.id).collect(),
                };
                let mut rows = Vec::new();
                for project in projects {
                    rows.extend(tx.questions(project, query.state, before, limit + 1).await?);
                }
                rows.sort_unstable_by_key(|question| std::cmp::Reverse(question.id));
                rows.truncate(limit as usize + 1);
                Ok::<_, Problem>(rows)
            })
        })
        .await?;
    Ok(axum::Json(Listing::cut(rows, limit, |question| question.id.to_string(), QuestionView::from)))
}

async fn seen(app: &App, caller: &Caller, id: QuestionId) -> Result<Question, Problem> {
    let question = app
        .engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.question(id).await?) }))
        .await?
        .ok_or_else(Problem::not_found)?;
    caller.may(Action::Read, question.project)?;
    Ok(question)
}

/// A question.
#[utoipa::path(get, path = "/questions/{question}", tag = "questions", params(("question" = QuestionId, Path)),
    responses((status = 200, body = QuestionView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
) -> Result<axum::Json<QuestionView>, Refusal> {
    Ok(axum::Json(seen(&app, &caller, id).await?.into()))
}

/// Answer a question, once: 409 with the first answer, who gave it and when, if somebody did, 410 when its time is over.
/// The body must fit the question's own schema.
#[utoipa::path(post, path = "/questions/{question}/answer", tag = "questions",
    params(("question" = QuestionId, Path)), request_body = Object,
    responses((status = 200, body = QuestionView), Refusals))]
async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
    ask: Keyed<Value>,
) -> Result<axum::Json<QuestionView>, Refusal> {
    let question = seen(&app, &caller, id).await?;
    caller.may(Action::Answer, question.project)?;
    // Money is raised by admins, and by those whom the policy names (L90).
    if question.kind == QuestionKind::Budget && !app.engine.approves_budgets(question.project, caller.actor()).await? {
        caller.may(Action::Decide, question.project)?;
    }
    let once = caller.once("POST /questions/{question}/answer", ask.key, ask.digest);
    Ok(axum::Json(app.engine.answer(question.id, ask.body, caller.actor(), once).await?.into()))
}

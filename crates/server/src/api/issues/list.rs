//! Issues of a project: listed, filed.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    id::IssueId,
    issue::{Attention, Card, IssueKind, IssueNumber, IssueStatus, NewIssue, Priority},
    problem::Problem,
};
use serde::Deserialize;
use store::IssueOrder;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{filter::Chosen, view::IssueView};
use crate::{
    api::{
        listing::{self, Listing},
        visible,
    },
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, file))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct IssuesQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// In these columns, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    status: List<IssueStatus>,
    /// Of these kinds, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    kind: List<IssueKind>,
    /// Of these priorities, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    priority: List<Priority>,
    /// That ask this of a person, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    attention: List<Attention>,
    /// With this label, whatever its case.
    label: Option<String>,
    /// Whose they are.
    assignee: Option<String>,
    /// Who does them: `manual` or `role:ID`.
    execution: Option<String>,
    /// Parts of this issue.
    parent: Option<IssueId>,
    /// Whose number (`#7`), title or text holds this, 1 to 200 characters.
    q: Option<String>,
    /// `rank` (default), `number`, `-number`, `priority` (the most urgent first) or `-updated_at` (the last changed
    /// first).
    sort: Option<String>,
}

const SORTS: [(&str, IssueOrder); 5] = [
    ("rank", IssueOrder::Rank),
    ("number", IssueOrder::Oldest),
    ("-number", IssueOrder::Newest),
    ("priority", IssueOrder::Priority),
    ("-updated_at", IssueOrder::Changed),
];

/// The project's issues, as cards.
#[utoipa::path(get, path = "/projects/{p}/issues", tag = "issues",
    params(("p" = String, Path, description = "key or id"), IssuesQuery),
    responses((status = 200, body = Listing<Card>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<IssuesQuery>,
) -> Result<axum::Json<Listing<Card>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<IssueNumber> = listing::cursor(query.cursor.as_deref())?;
    let order = match query.sort.as_deref() {
        None => IssueOrder::default(),
        Some(word) => SORTS.iter().find(|(name, _)| *name == word).map(|(_, order)| *order).ok_or_else(|| {
            let known = SORTS.map(|(name, _)| name).join(", ");
            Problem::invalid_field("/sort", format!("one of {known} is expected")).with("in", "query")
        })?,
    };
    let chosen = Chosen {
        status: query.status,
        kind: query.kind,
        priority: query.priority,
        attention: query.attention,
        label: query.label,
        assignee: query.assignee,
        execution: query.execution,
        parent: query.parent,
        q: query.q,
    };
    let listed = app.engine.issues(project.id, chosen.read()?, order, after, limit).await?;
    let next_cursor = listed.items.last().filter(|_| listed.has_more).map(|last| last.number.to_string());
    Ok(axum::Json(Listing { items: listed.items, next_cursor, total: Some(listed.total) }))
}

/// File an issue. Exactly once per `Idempotency-Key`. Nothing is started.
#[utoipa::path(post, path = "/projects/{p}/issues", tag = "issues", request_body = NewIssue,
    params(("p" = String, Path, description = "key or id"), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = IssueView, description = "filed; see Location"), Refusals))]
async fn file(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    ask: Keyed<NewIssue>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::File).await?;
    let once = caller.once("POST /projects/{p}/issues", ask.key, ask.digest);
    let filed = app.engine.file_issue(project.id, ask.body, caller.actor(), once).await?;
    let address = format!("/api/v1/issues/{}", filed.issue.id);
    let mut response = (StatusCode::CREATED, axum::Json(IssueView::from(filed))).into_response();
    if let Ok(location) = HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

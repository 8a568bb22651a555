//! Registered repositories.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::projects::{NewProject, ProjectChange};
use model::{
    id::ProjectId,
    problem::Problem,
    project::{Project, ProjectKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{Listing, PageQuery},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{IfMatch, Json, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, register)).routes(routes!(read, change))
}

/// A registered repository.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Project)]
pub struct ProjectView {
    /// Its id.
    pub id: ProjectId,
    /// Its short name in addresses.
    pub key: ProjectKey,
    /// What people call it.
    pub name: String,
    /// Its checkout on the plane's machine.
    pub path: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub revision: u64,
    /// Where its live stream is.
    pub events: String,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            events: format!("/api/v1/projects/{}/events", project.id),
            id: project.id,
            key: project.key,
            name: project.name,
            path: project.path,
            created_at: project.created_at,
            revision: project.revision,
        }
    }
}

/// Every project the caller sees, by key.
#[utoipa::path(get, path = "/projects", tag = "projects", params(PageQuery), responses((status = 200, body = Listing<ProjectView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<ProjectView>>, Refusal> {
    caller.reads_something()?;
    let all: Vec<Project> =
        app.engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.projects().await?) })).await?;
    let visible = all.into_iter().filter(|project| caller.may(Action::Read, project.id).is_ok()).collect();
    let key = |project: &Project| project.key.as_str().to_owned();
    Ok(axum::Json(Listing::of_all(visible, &query, key, ProjectView::from)?))
}

/// A project.
#[utoipa::path(get, path = "/projects/{p}", tag = "projects", params(("p" = String, Path, description = "key or id")),
    responses((status = 200, body = ProjectView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<ProjectView>, Refusal> {
    Ok(axum::Json(visible::project(&app, &caller, &project).await?.into()))
}

/// The repository to register.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterProject {
    /// A folder inside it: an absolute path on the plane's machine.
    path: String,
    /// Its short name: 1 to 40 of `a-z 0-9 -`. Absent is from the folder's name.
    #[serde(default)]
    key: Option<String>,
    /// What people call it. Absent is the folder's name.
    #[serde(default)]
    name: Option<String>,
}

/// Register a repository. A checkout that is registered already is answered as it is, with 200: a
/// repeated request needs no key to happen once.
#[utoipa::path(post, path = "/projects", tag = "projects", request_body = RegisterProject,
    responses((status = 201, body = ProjectView, description = "registered; see Location"),
        (status = 200, body = ProjectView, description = "it was registered before"), Refusals))]
async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(ask): Json<RegisterProject>,
) -> Result<Response, Refusal> {
    caller.may_everywhere(Action::Decide)?;
    let key = ask.key.map(|key| key.parse::<ProjectKey>()).transpose();
    let key = key.map_err(|invalid| Problem::invalid_field("/key", invalid.to_string()))?;
    let new = NewProject { path: ask.path, key, name: ask.name };
    let registered = app.engine.register_project(new, caller.actor()).await?;
    let status = if registered.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let address = format!("/api/v1/projects/{}", registered.project.id);
    let mut response = (status, axum::Json(ProjectView::from(registered.project))).into_response();
    if let Ok(location) = HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What to change; absent is unchanged.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeProject {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// A folder inside the repository, where that is now.
    #[serde(default)]
    path: Option<String>,
}

/// Rename a project, or say where its repository went.
#[utoipa::path(patch, path = "/projects/{p}", tag = "projects", request_body = ChangeProject,
    params(("p" = String, Path, description = "key or id"),
        ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 200, body = ProjectView), Refusals))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    IfMatch(revision): IfMatch,
    Json(ask): Json<ChangeProject>,
) -> Result<axum::Json<ProjectView>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let change = ProjectChange { name: ask.name, path: ask.path };
    Ok(axum::Json(app.engine.change_project(project.id, change, revision, caller.actor()).await?.into()))
}

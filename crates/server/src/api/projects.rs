//! Registered repositories.

use axum::extract::State;
use model::{
    id::ProjectId,
    problem::Problem,
    project::{Project, ProjectKey},
    time::Timestamp,
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{Listing, PageQuery},
    visible,
};
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
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

//! Roles of a project: those of the plane under those of its repository, as its default branch has them.

use axum::extract::State;
use engine::dispatch::roles;
use model::{
    issue::IssueName,
    problem::{FieldError, Problem},
    proof::tree::ObjectId,
    role::{self, Category, Intent, Listed, Origin, Output, Suggestion, Tool},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::visible;
use crate::{
    app::App,
    auth::Caller,
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(suggest))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RolesQuery {
    /// `meta`: those that serve the plane itself, too.
    #[param(inline)]
    include: Option<Include>,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Include {
    /// Roles that serve the plane itself.
    Meta,
}

/// A role; one whose file has errors says what they are and can be chosen by nobody.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AgentRole)]
pub struct RoleView {
    /// Its id.
    id: String,
    /// Where it comes from.
    origin: Origin,
    /// Its file in the repository.
    path: Option<String>,
    /// Whether an issue can be handed to it.
    selectable: bool,
    /// What people call it.
    title: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Whether issues are handed to it.
    category: Option<Category>,
    /// When to choose it.
    use_case: Option<String>,
    /// The agent it wants.
    agent: Option<String>,
    /// The model it wants.
    model: Option<String>,
    /// How long its agent may work.
    timeout_s: Option<u32>,
    /// What is handed in.
    output: Option<Output>,
    /// What kind of work it is.
    intent: Option<Intent>,
    /// The only paths it may write.
    write_paths: Option<Vec<String>>,
    /// The only tools its agent has; null is all that its work allows.
    tools: Option<Vec<Tool>>,
    /// The digest of its file.
    digest: Option<model::digest::Digest>,
    /// The prompt; only where one role is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// What is wrong with its file.
    errors: Vec<FieldError>,
}

impl RoleView {
    fn of(listed: &Listed, with_prompt: bool) -> Self {
        let role = listed.role.as_ref();
        Self {
            id: listed.id.clone(),
            origin: listed.origin,
            path: listed.path.clone(),
            selectable: listed.is_selectable(),
            title: role.map(|role| role.title.clone()),
            version: role.map(|role| role.version.clone()),
            category: role.map(|role| role.category),
            use_case: role.map(|role| role.use_case.clone()),
            agent: role.and_then(|role| role.agent.clone()),
            model: role.and_then(|role| role.model.clone()),
            timeout_s: role.map(|role| role.timeout_s),
            output: role.map(|role| role.output),
            intent: role.map(|role| role.intent),
            write_paths: role.and_then(|role| role.write_paths.clone()),
            tools: role.and_then(|role| role.tools.clone()),
            digest: role.map(|role| role.digest),
            prompt: role.filter(|_| with_prompt).map(|role| role.prompt.clone()),
            errors: listed.errors.clone(),
        }
    }
}

/// The roles of a project.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AgentRoles)]
pub struct RolesView {
    /// In the order of their ids.
    items: Vec<RoleView>,
    /// The commit that the project's own were read from; null where there is no repository.
    commit: Option<ObjectId>,
}

/// A project's roles.
#[utoipa::path(get, path = "/projects/{p}/roles", tag = "roles", params(("p" = String, Path), RolesQuery),
    responses((status = 200, body = RolesView), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<ProjectName>,
    Query(query): Query<RolesQuery>,
) -> Result<axum::Json<RolesView>, Refusal> {
    let project = visible::project(&app, &caller, &name).await?;
    let (catalogue, commit) = roles::of_project(&project).await?;
    let items = catalogue.list(query.include.is_some()).into_iter().map(|listed| RoleView::of(listed, false));
    Ok(axum::Json(RolesView { items: items.collect(), commit }))
}

/// One role, with its prompt.
#[utoipa::path(get, path = "/projects/{p}/roles/{id}", tag = "roles", params(("p" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RoleView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((name, id)): Path<(ProjectName, String)>,
) -> Result<axum::Json<RoleView>, Refusal> {
    let project = visible::project(&app, &caller, &name).await?;
    let (catalogue, _) = roles::of_project(&project).await?;
    let listed = catalogue.get(&id).ok_or_else(Problem::not_found)?;
    Ok(axum::Json(RoleView::of(listed, true)))
}

/// Which role fits an issue, by the words it shares with each role's use case. Advice: nothing is stored.
#[utoipa::path(post, path = "/issues/{issue}/suggest-role", tag = "roles",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23")),
    responses((status = 200, body = Suggestion), Refusals))]
async fn suggest(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
) -> Result<axum::Json<Suggestion>, Refusal> {
    let issue = visible::issue(&app, &caller, issue).await?.issue;
    let project = app.engine.project(&issue.project.to_string()).await?;
    let (catalogue, _) = roles::of_project(&project).await?;
    let lines: Vec<&str> = issue.acceptance.iter().map(|criterion| criterion.text.as_str()).collect();
    let text = format!("{} {} {}", issue.kind, issue.body, lines.join(" "));
    Ok(axum::Json(role::suggest(&catalogue, &issue.title, &text)))
}

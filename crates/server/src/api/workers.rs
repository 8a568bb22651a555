//! Workers as people see them: list, one of them, change, drain, revoke.

use std::collections::BTreeMap;

use axum::extract::State;
use engine::workers::{Activity, WorkerChange};
use model::{
    actor::{Actor, Role},
    code::Code,
    id::{PairingId, ProjectId, RunId, TaskId, UserId, WorkerId},
    limits,
    problem::Problem,
    run::RunKind,
    time::Timestamp,
    worker::{self, Advertised, OutboxSize, Sharing, WorkerState},
};
use serde::{Deserialize, Deserializer, Serialize};
use store::Worker;
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
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(of_project))
        .routes(routes!(read, change))
        .routes(routes!(drain))
        .routes(routes!(revoke))
}

/// A worker.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Worker)]
pub(super) struct WorkerView {
    /// Its id.
    id: WorkerId,
    /// Its name.
    name: String,
    /// Whose it is; null is the plane's own.
    owner: Option<OwnerView>,
    /// Whose tasks it takes.
    sharing: Sharing,
    /// In which projects; null is all.
    projects: Option<Vec<ProjectId>>,
    /// Its operating system and processor.
    platform: String,
    /// The version of its program.
    version: String,
    /// The protocol it speaks.
    protocol: u32,
    /// Labels that a person gave it on the plane.
    labels: Vec<String>,
    /// Every label that tasks are matched with.
    offers: Vec<String>,
    /// Its agents.
    agents: Vec<Advertised>,
    /// Tasks that it does at once.
    slots: u32,
    /// How it is.
    state: WorkerState,
    /// When it was last heard of.
    last_seen: Timestamp,
    /// What last went wrong there.
    last_error: Option<String>,
    /// What waits on its disk for the plane.
    outbox: OutboxSize,
    /// When it was paired.
    paired_at: Timestamp,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
    /// The invitation by which it came.
    pairing: Option<PairingId>,
    /// Rises with each change by a person.
    revision: u64,
    /// Whether the caller may change, drain and revoke it.
    may_change: bool,
    /// What it does now; empty is idle.
    activity: Vec<ActivityView>,
    /// Tasks that it does in projects which the caller may not see.
    elsewhere: u32,
}

/// The person whose worker it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OwnerView {
    /// The person.
    id: UserId,
    /// Their name.
    name: String,
}

/// What a worker does: a task in its hands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ActivityView {
    /// The task.
    task: TaskId,
    /// Its run.
    run: RunId,
    /// What the run does.
    run_kind: RunKind,
    /// The run's project.
    project: ProjectId,
    /// What the task does.
    kind: String,
    /// What it is about.
    subject: String,
    /// Which attempt it is.
    attempt: u32,
    /// Since when the worker has it.
    since: Timestamp,
    /// The phase it is in.
    phase: Option<String>,
    /// Since when.
    phase_since: Option<Timestamp>,
    /// What it last said it does there.
    step: Option<String>,
    /// It has told nothing for a minute and a half.
    quiet: bool,
}

impl ActivityView {
    fn of(activity: Activity, now: Timestamp) -> Self {
        let quiet = activity.is_quiet(now);
        let held = activity.held;
        let (phase, phase_since) = activity.phase.unzip();
        Self {
            task: held.task,
            run: held.run,
            run_kind: held.run_kind,
            project: held.project,
            kind: held.kind,
            subject: held.subject,
            attempt: held.attempt,
            since: held.claimed_at,
            phase,
            phase_since,
            step: activity.step,
            quiet,
        }
    }
}

/// Whether a worker is the caller's to change: its owner's, or an admin's.
fn is_own(caller: &Caller, worker: &Worker) -> bool {
    let owner = worker.owner.as_ref().map(|(id, _)| *id);
    let is_owner = matches!(caller.actor(), Actor::Person { id, .. } if Some(*id) == owner);
    is_owner || caller.may_everywhere(Action::Decide).is_ok() || is_admin_program(caller)
}

fn is_admin_program(caller: &Caller) -> bool {
    matches!(caller.actor(), Actor::Token { .. })
        && caller.may_everywhere(Action::Change).is_ok()
        && caller.principal().role == Role::Admin
}

/// Whether the caller may know of a worker: its owner and admins do, and whoever it may serve.
fn is_visible(caller: &Caller, worker: &Worker) -> bool {
    if is_own(caller, worker) {
        return true;
    }
    let shared = worker.sharing == Sharing::Project || worker.owner.is_none();
    let reaches = match (caller.principal().project, &worker.projects) {
        (Some(project), _) => worker.serves(project),
        (None, Some(projects)) => projects.iter().any(|project| caller.may(Action::Read, *project).is_ok()),
        (None, None) => true,
    };
    shared && reaches && caller.principal().worker.is_none()
}

fn view(app: &App, caller: &Caller, worker: Worker, doing: Vec<Activity>) -> WorkerView {
    let now = app.engine.now();
    let may_change = is_own(caller, &worker);
    let all = doing.len();
    let mut activity: Vec<_> = doing
        .into_iter()
        .filter(|activity| caller.may(Action::Read, activity.held.project).is_ok())
        .map(|activity| ActivityView::of(activity, now))
        .collect();
    activity.sort_by_key(|activity| (activity.since, activity.task));
    WorkerView {
        state: WorkerState::of(worker.seen_at, worker.draining, worker.revoked_at.is_some(), now),
        offers: worker.offers().into_iter().collect(),
        id: worker.id,
        name: worker.name,
        owner: worker.owner.map(|(id, name)| OwnerView { id, name }),
        sharing: worker.sharing,
        projects: worker.projects,
        platform: worker.said.platform,
        version: worker.said.version,
        protocol: worker.said.protocol,
        labels: worker.labels,
        agents: worker.said.agents,
        slots: worker.said.slots,
        last_seen: worker.seen_at,
        last_error: worker.said.last_error,
        outbox: worker.said.outbox,
        paired_at: worker.created_at,
        revoked_at: worker.revoked_at,
        pairing: worker.pairing,
        revision: worker.revision,
        may_change,
        elsewhere: u32::try_from(all - activity.len()).unwrap_or(u32::MAX),
        activity,
    }
}

pub(super) async fn view_of(app: &App, caller: &Caller, worker: Worker) -> Result<WorkerView, Problem> {
    let mut doing = app.engine.activities().await?;
    let doing = doing.remove(&worker.id).unwrap_or_default();
    Ok(view(app, caller, worker, doing))
}

/// The workers that the caller may know of, by name, with what they do now.
#[utoipa::path(get, path = "/workers", tag = "workers", params(PageQuery),
    responses((status = 200, body = Listing<WorkerView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<WorkerView>>, Refusal> {
    caller.reads_something()?;
    Ok(axum::Json(listed(&app, &caller, &query, |_, _| true).await?))
}

async fn listed(
    app: &App,
    caller: &Caller,
    query: &PageQuery,
    wanted: impl Fn(&Worker, bool) -> bool,
) -> Result<Listing<WorkerView>, Problem> {
    let all = app.engine.workers().await?;
    let mut doing: BTreeMap<WorkerId, Vec<Activity>> = app.engine.activities().await?;
    let shown: Vec<_> = all
        .into_iter()
        .filter(|worker| is_visible(caller, worker))
        .filter(|worker| wanted(worker, doing.contains_key(&worker.id)))
        .collect();
    Listing::of_all(
        shown,
        query,
        |worker| worker.id.to_string(),
        |worker| {
            let doing = doing.remove(&worker.id).unwrap_or_default();
            view(app, caller, worker, doing)
        },
    )
}

/// Which of a project's workers to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct OfProject {
    /// Only those that have a task, or had one within the last five minutes.
    active: bool,
    /// Behind which worker the page begins.
    cursor: Option<String>,
    /// Items at most: 1 to 500.
    limit: Option<u32>,
}

/// The workers that may serve a project.
#[utoipa::path(get, path = "/projects/{p}/workers", tag = "workers",
    params(("p" = String, Path, description = "key or id"), OfProject),
    responses((status = 200, body = Listing<WorkerView>), Refusals))]
async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<OfProject>,
) -> Result<axum::Json<Listing<WorkerView>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let now = app.engine.now();
    let page = PageQuery { cursor: query.cursor, limit: query.limit };
    let lately =
        |worker: &Worker| app.engine.last_worked(worker.id).is_some_and(|at| now.since(at) < limits::IDLE_SHOWN);
    let wanted = |worker: &Worker, works: bool| worker.serves(project.id) && (!query.active || works || lately(worker));
    Ok(axum::Json(listed(&app, &caller, &page, wanted).await?))
}

async fn known(app: &App, caller: &Caller, id: WorkerId) -> Result<Worker, Problem> {
    let worker = app.engine.worker(id).await?;
    if is_visible(caller, &worker) { Ok(worker) } else { Err(Problem::not_found()) }
}

async fn own(app: &App, caller: &Caller, id: WorkerId) -> Result<Worker, Problem> {
    let worker = known(app, caller, id).await?;
    if is_own(caller, &worker) {
        return Ok(worker);
    }
    Err(Problem::new(Code::NotEntitled, "only its owner or an admin may change a worker"))
}

/// A worker, with what it does now.
#[utoipa::path(get, path = "/workers/{worker}", tag = "workers", params(("worker" = WorkerId, Path)),
    responses((status = 200, body = WorkerView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<WorkerId>,
) -> Result<axum::Json<WorkerView>, Refusal> {
    caller.reads_something()?;
    let worker = known(&app, &caller, id).await?;
    Ok(axum::Json(view_of(&app, &caller, worker).await?))
}

/// What to change; absent is unchanged.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeWorker {
    /// Its name: 1 to 64 characters.
    #[serde(default)]
    name: Option<String>,
    /// Its labels on the plane, at most 32.
    #[serde(default)]
    labels: Option<Vec<String>>,
    /// Whose tasks it takes.
    #[serde(default)]
    sharing: Option<Sharing>,
    /// In which projects, by id; null is all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    projects: Option<Option<Vec<ProjectId>>>,
    /// Whether it finishes what it holds and claims nothing.
    #[serde(default)]
    draining: Option<bool>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Vec<ProjectId>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Checks labels as a person gives them.
pub(super) fn check_labels(labels: &[String]) -> Result<(), Problem> {
    if labels.len() > limits::WORKER_LABELS {
        return Err(Problem::invalid_field("/labels", format!("at most {} labels", limits::WORKER_LABELS)));
    }
    for (at, label) in labels.iter().enumerate() {
        let is_blank = label.trim().is_empty();
        if !is_blank && worker::labels(std::slice::from_ref(label)).is_empty() {
            let message = "1 to 64 visible ASCII characters that do not begin with agent:, os:, worker: or repo:";
            return Err(Problem::invalid_field(format!("/labels/{at}"), message));
        }
    }
    Ok(())
}

/// Checks a name as a person gives it.
pub(super) fn check_name(name: &str) -> Result<String, Problem> {
    worker::name(name)
        .ok_or_else(|| Problem::invalid_field("/name", format!("1 to {} characters in one line", limits::WORKER_NAME)))
}

/// Checks that the caller sees each of these projects.
pub(super) async fn check_projects(app: &App, caller: &Caller, projects: &[ProjectId]) -> Result<(), Problem> {
    for (at, project) in projects.iter().enumerate() {
        if visible::project(app, caller, &ProjectName::Id(*project)).await.is_err() {
            return Err(Problem::invalid_field(format!("/projects/{at}"), "there is no such project"));
        }
    }
    Ok(())
}

/// Rename a worker, label it, or say whom it serves.
#[utoipa::path(patch, path = "/workers/{worker}", tag = "workers", request_body = ChangeWorker,
    params(("worker" = WorkerId, Path), ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 200, body = WorkerView), Refusals))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<WorkerId>,
    IfMatch(revision): IfMatch,
    Json(ask): Json<ChangeWorker>,
) -> Result<axum::Json<WorkerView>, Refusal> {
    caller.reads_something()?;
    own(&app, &caller, id).await?;
    let name = ask.name.as_deref().map(check_name).transpose()?;
    check_labels(ask.labels.as_deref().unwrap_or_default())?;
    if let Some(Some(projects)) = &ask.projects {
        check_projects(&app, &caller, projects).await?;
    }
    let change =
        WorkerChange { name, labels: ask.labels, sharing: ask.sharing, projects: ask.projects, draining: ask.draining };
    if let WorkerChange { name: None, labels: None, sharing: None, projects: None, draining: None } = change {
        return Err(Problem::invalid_field("", "nothing is to be changed").into());
    }
    let worker = app.engine.change_worker(id, change, Some(revision)).await?;
    Ok(axum::Json(view_of(&app, &caller, worker).await?))
}

/// Let a worker finish what it holds and claim nothing more. Draining it again is fine.
#[utoipa::path(post, path = "/workers/{worker}/drain", tag = "workers", params(("worker" = WorkerId, Path)),
    responses((status = 200, body = WorkerView), Refusals))]
async fn drain(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<WorkerId>,
) -> Result<axum::Json<WorkerView>, Refusal> {
    caller.reads_something()?;
    own(&app, &caller, id).await?;
    let change = WorkerChange { draining: Some(true), ..WorkerChange::default() };
    let worker = app.engine.change_worker(id, change, None).await?;
    Ok(axum::Json(view_of(&app, &caller, worker).await?))
}

/// Revoke a worker: its token is refused from now on and what it holds is ready for others at once.
/// Revoking it again is fine.
#[utoipa::path(post, path = "/workers/{worker}/revoke", tag = "workers", params(("worker" = WorkerId, Path)),
    responses((status = 200, body = WorkerView), Refusals))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<WorkerId>,
) -> Result<axum::Json<WorkerView>, Refusal> {
    caller.reads_something()?;
    let worker = own(&app, &caller, id).await?;
    if worker.owner.is_none() {
        return Err(Problem::new(Code::WrongState, "the plane's own worker cannot be revoked")
            .with_hint("start the server with --no-worker, or drain it")
            .into());
    }
    let worker = app.engine.revoke_worker(id, caller.actor()).await?;
    app.auth.forget();
    Ok(axum::Json(view_of(&app, &caller, worker).await?))
}

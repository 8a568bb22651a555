//! Bearer tokens: made by a person, shown once, revoked at once.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{
    actor::{Actor, Role},
    code::Code,
    id::{ProjectId, RunId, TokenId, UserId, WorkerId},
    problem::Problem,
    time::Timestamp,
    worker::{Said, Sharing},
};
use serde::{Deserialize, Serialize};
use store::{Token, Worker};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::listing::{Listing, PageQuery};
use crate::{
    app::App,
    auth::{Action, Caller, Scope, Secret, SecretKind},
    extract::{Keyed, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

/// How many of the newest tokens can be listed.
const LISTED: u32 = 1_000;
/// The longest label.
const LABEL: usize = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(revoke))
}

/// A token, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Token)]
struct TokenView {
    /// Its id.
    id: TokenId,
    /// What people call it.
    label: String,
    /// What it is for.
    #[serde(rename = "kind")]
    #[schema(rename = "kind")]
    scope: Option<Scope>,
    /// What it may do.
    role: Role,
    /// The one project it is good for; null is all.
    project: Option<ProjectId>,
    /// The worker it makes.
    worker: Option<WorkerId>,
    /// The run it was given to.
    run: Option<RunId>,
    /// Who made it.
    created_by: Actor,
    /// When.
    created_at: Timestamp,
    /// When it ends.
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            label: token.label,
            scope: Scope::by_name(&token.scope),
            role: token.role,
            project: token.project,
            worker: token.worker,
            run: token.run,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct NewTokenView {
    /// The secret, shown this once. A repeated request is answered without it: it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The token.
    #[serde(flatten)]
    token: TokenView,
}

/// What the token shall be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeToken {
    /// What people call it: 1 to 100 characters.
    label: String,
    /// What it is for.
    kind: Scope,
    /// What it may do: at most what its maker may. By default `member`.
    #[serde(default)]
    role: Option<Role>,
    /// The one project it is good for, by id; absent is all. Required for a run's token.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    project: Option<ProjectId>,
    /// The run it is given to; required for a run's token.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    run: Option<RunId>,
    /// When it ends; absent is never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// The newest tokens: an admin sees all, others those that they made.
#[utoipa::path(get, path = "/tokens", tag = "access", params(PageQuery), responses((status = 200, body = Listing<TokenView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<TokenView>>, Refusal> {
    caller.may_everywhere(Action::Read)?;
    let tokens: Vec<Token> =
        app.engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.tokens(LISTED).await?) })).await?;
    let own = tokens.into_iter().filter(|token| owns(&caller, token)).collect();
    Ok(axum::Json(Listing::of_all(own, &query, |token| token.id.to_string(), TokenView::from)?))
}

/// Make a token. Only a person does, and for no more than they may themselves.
#[utoipa::path(post, path = "/tokens", tag = "access", request_body = MakeToken,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = NewTokenView), Refusals))]
async fn make(State(app): State<App>, caller: Caller, ask: Keyed<MakeToken>) -> Result<Response, Refusal> {
    let Actor::Person { id, name } = caller.actor().clone() else {
        return Err(Problem::new(Code::PersonRequired, "only a person makes tokens").into());
    };
    let (once, body) = (caller.once("POST /tokens", ask.key, ask.digest), ask.body);
    check(&app, &caller, &body).await?;
    let now = app.engine.now();
    let secret = Secret::draw(SecretKind::Token);
    let digest = secret.digest();
    let token = Token {
        id: TokenId::from_uuid(app.engine.clock().id()),
        label: body.label.trim().to_owned(),
        scope: body.kind.name().to_owned(),
        role: body.role.unwrap_or(Role::Member.min(caller.principal().role)),
        project: body.project,
        person: (body.kind == Scope::Person).then_some((id, name)),
        run: body.run,
        worker: (body.kind == Scope::Worker).then(|| WorkerId::from_uuid(app.engine.clock().id())),
        created_by: caller.actor().clone(),
        created_at: now,
        expires_at: body.expires_at,
        revoked_at: None,
    };
    let (stored, repeated) = app
        .engine
        .store()
        .write(move |tx| {
            let (once, token) = (once.clone(), token.clone());
            Box::pin(async move {
                if let Some(once) = &once
                    && let Some(answer) = tx.idempotency_get(&once.key, &once.body, now).await?
                {
                    // The secret is not kept, so the key keeps only which token it made.
                    let made =
                        answer.body.parse().map_err(|_| Problem::new(Code::Internal, "a stored answer is damaged"))?;
                    let made = tx.token(made).await?.ok_or_else(Problem::not_found)?;
                    return Ok::<_, Problem>((made, true));
                }
                tx.token_insert(&token, &digest).await?;
                if let (Some(id), Actor::Person { id: owner, name }) = (token.worker, &token.created_by) {
                    // A worker made without a code serves everybody, as its maker decides over everything.
                    tx.worker_put(&serving_all(id, &token.label, (*owner, name.clone()), now)).await?;
                }
                if let Some(once) = &once {
                    let answer = store::StoredAnswer { status: 201, body: token.id.to_string() };
                    tx.idempotency_put(&once.key, &answer).await?;
                }
                Ok((token, false))
            })
        })
        .await?;
    let secret = (!repeated).then(|| secret.reveal().to_owned());
    let view = NewTokenView { secret, token: stored.into() };
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

fn serving_all(id: WorkerId, name: &str, owner: (UserId, String), now: Timestamp) -> Worker {
    Worker {
        id,
        name: name.to_owned(),
        said: Said { slots: 1, ..Said::default() },
        created_at: now,
        seen_at: Timestamp::from_micros(0),
        owner: Some(owner),
        sharing: Sharing::Project,
        projects: None,
        labels: Vec::new(),
        draining: false,
        revoked_at: None,
        revision: 1,
        told: "offline".to_owned(),
        pairing: None,
    }
}

async fn check(app: &App, caller: &Caller, ask: &MakeToken) -> Result<(), Problem> {
    let principal = caller.principal();
    let label = ask.label.trim();
    if label.is_empty() || label.chars().count() > LABEL || label.chars().any(char::is_control) {
        return Err(Problem::invalid_field("/label", format!("1 to {LABEL} characters in one line are allowed")));
    }
    if ask.expires_at.is_some_and(|end| end <= app.engine.now()) {
        return Err(Problem::invalid_field("/expires_at", "lies in the past"));
    }
    if ask.role.is_some_and(|role| role > principal.role) {
        return Err(Problem::new(Code::NotEntitled, "a token may not do more than its maker")
            .with("role", principal.role.name()));
    }
    match ask.project {
        Some(project) => {
            super::visible::project(app, caller, &ProjectName::Id(project)).await?;
        }
        None => caller.may_everywhere(Action::Read)?,
    }
    match (ask.kind, ask.run, ask.project) {
        (Scope::Run, Some(run), Some(project)) => {
            let run = super::visible::run(app, caller, run).await?;
            if run.project != project {
                return Err(Problem::invalid_field("/run", "belongs to another project"));
            }
        }
        (Scope::Run, None, _) => return Err(Problem::invalid_field("/run", "is required for a run's token")),
        (Scope::Run, _, None) => return Err(Problem::invalid_field("/project", "is required for a run's token")),
        (_, Some(_), _) => return Err(Problem::invalid_field("/run", "is for a run's token only")),
        (Scope::Worker, None, Some(_)) => {
            return Err(Problem::invalid_field("/project", "a worker serves all projects"));
        }
        (Scope::Worker, None, None) => caller.may_everywhere(Action::Decide)?,
        (Scope::Person | Scope::Program, None, _) => {}
    }
    Ok(())
}

/// Revoke a token. It is refused from now on, here at once and on other replicas within seconds.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "access", params(("token" = TokenId, Path)),
    responses((status = 200, body = TokenView), Refusals))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TokenId>,
) -> Result<axum::Json<TokenView>, Refusal> {
    caller.may_everywhere(Action::Read)?;
    let now = app.engine.now();
    let found: Option<Token> =
        app.engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.token(id).await?) })).await?;
    if !found.is_some_and(|token| owns(&caller, &token)) {
        return Err(Problem::not_found().into());
    }
    let token: Option<Token> = app
        .engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                tx.token_revoke(id, now).await?;
                Ok::<_, Problem>(tx.token(id).await?)
            })
        })
        .await?;
    app.auth.forget();
    Ok(axum::Json(token.ok_or_else(Problem::not_found)?.into()))
}

/// An admin owns every token, anybody else those that they made.
fn owns(caller: &Caller, token: &Token) -> bool {
    caller.may_everywhere(Action::Decide).is_ok() || &token.created_by == caller.actor()
}

//! Sessions, sign-in links, and who one is.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    actor::{Actor, Role},
    code::Code,
    id::{ProjectId, TokenId},
    limits,
    problem::Problem,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{self, Action, Caller, Via, cleared_cookie, session_cookie, session_secret},
    extract::Json,
    problem::{Refusal, Refusals},
    serve::Peer,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(begin)).routes(routes!(end)).routes(routes!(link))
}

/// Who calls.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Me {
    /// In whose name things happen.
    actor: Actor,
    /// What it may do at most.
    role: Role,
    /// The one project it reaches; null is all.
    project: Option<ProjectId>,
    /// The token it showed; null for a session.
    token: Option<TokenId>,
    /// When that ends.
    expires_at: Option<Timestamp>,
}

/// Who the caller is and what it may do.
#[utoipa::path(get, path = "/me", tag = "access", responses((status = 200, body = Me), Refusals))]
async fn me(caller: Caller) -> axum::Json<Me> {
    let principal = caller.principal();
    axum::Json(Me {
        actor: principal.actor.clone(),
        role: principal.role,
        project: principal.project,
        token: match principal.via {
            Via::Session => None,
            Via::Token(token) => Some(token),
        },
        expires_at: principal.expires_at,
    })
}

/// How to sign in: one of the two.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInWith {
    /// The code of a sign-in link.
    #[serde(default)]
    code: Option<String>,
    /// A token of one's own.
    #[serde(default)]
    token: Option<String>,
}

/// A session that began.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SessionView {
    /// Who signed in.
    actor: Actor,
    /// What they may do.
    role: Role,
    /// How long it lasts.
    max_age_s: u64,
}

/// Begin a session in this browser. The answer sets the cookie.
#[utoipa::path(post, path = "/sessions", tag = "access", security(()), request_body = SignInWith,
    responses((status = 201, body = SessionView), Refusals))]
async fn begin(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Json(with): Json<SignInWith>,
) -> Result<Response, Refusal> {
    if headers.contains_key(header::ORIGIN) {
        app.auth.hosts.check_origin(&axum::http::Method::POST, &headers)?;
    }
    let address = peer.map(|Extension(Peer(address))| address.ip());
    let session = match (with.code, with.token) {
        (Some(code), None) => app.auth.redeem(&app, &code, address).await?,
        (None, Some(token)) => app.auth.exchange(&app, &token, address).await?,
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::invalid_field("", "exactly one of code and token is required").into());
        }
    };
    let view = SessionView {
        actor: Actor::Person { id: session.person.id, name: session.person.name.clone() },
        role: session.person.role,
        max_age_s: session.max_age_s,
    };
    let cookie = session_cookie(&session.secret, session.max_age_s, app.config.secure_cookies);
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], axum::Json(view)).into_response())
}

/// Sign out. Also when nobody is signed in any more, this takes the cookie away.
#[utoipa::path(delete, path = "/sessions/current", tag = "access", responses((status = 204), Refusals))]
async fn end(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    app.auth.hosts.check_origin(&axum::http::Method::DELETE, &headers)?;
    if let Some(secret) = session_secret(&headers) {
        app.auth.end(&app, secret.digest()).await?;
    }
    let cookie = cleared_cookie(app.config.secure_cookies);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// A sign-in link.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SignInLink {
    /// Its path on this server; it works once.
    path: String,
    /// When it ends.
    expires_at: Timestamp,
}

/// Make a link that signs the calling person in, in any browser that can reach the server.
#[utoipa::path(post, path = "/sign-in-links", tag = "access", responses((status = 201, body = SignInLink), Refusals))]
async fn link(State(app): State<App>, caller: Caller) -> Result<Response, Refusal> {
    caller.may_everywhere(Action::Read)?;
    let Actor::Person { id, .. } = caller.actor() else {
        return Err(Problem::new(Code::PersonRequired, "a program cannot sign in").into());
    };
    let expires_at = app.engine.now().plus(limits::SIGN_IN_LINK);
    let code = auth::code_for(&app.engine, *id).await?;
    let path = format!("/sign-in?code={}", code.reveal());
    Ok((StatusCode::CREATED, axum::Json(SignInLink { path, expires_at })).into_response())
}

//! Inviting a worker, and the worker's answer to it (D50).

use std::time::Instant;

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engine::workers::{Arrival, Invitation};
use model::{
    actor::Actor,
    code::Code,
    id::{PairingId, ProjectId},
    limits,
    problem::Problem,
    time::Timestamp,
    worker::{Advertised, Said, Sharing},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::workers::{WorkerView, check_labels, check_name, check_projects, view_of};
use crate::{
    app::App,
    auth::{Action, Caller, Secret, SecretKind},
    extract::{Json, Keyed},
    problem::{Refusal, Refusals},
    serve::Peer,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(invite)).routes(routes!(pair))
}

/// What the worker shall be.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Invite {
    /// What it is called; absent is what its machine says.
    name: Option<String>,
    /// Labels it gets, at most 32.
    labels: Vec<String>,
    /// Whose tasks it takes; by default its owner's.
    sharing: Sharing,
    /// In which projects, by id; absent is all.
    #[schema(value_type = Option<Vec<String>>)]
    projects: Option<Vec<ProjectId>>,
}

/// An invitation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Pairing)]
struct PairingView {
    /// Its id; the worker that comes of it names it.
    id: PairingId,
    /// The code, shown this once. A repeated request is answered without it: it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// When it ends.
    expires_at: Timestamp,
    /// The plane's clock.
    server_time: Timestamp,
}

/// Invite a worker. The code works once, for ten minutes, and makes a worker of the calling person. Exactly once per
/// `Idempotency-Key`.
#[utoipa::path(post, path = "/workers/pairings", tag = "workers", request_body = Invite,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = PairingView), Refusals))]
async fn invite(State(app): State<App>, caller: Caller, ask: Keyed<Invite>) -> Result<Response, Refusal> {
    let Actor::Person { id: owner, .. } = caller.actor().clone() else {
        return Err(Problem::new(Code::PersonRequired, "only a person invites workers").into());
    };
    caller.may_everywhere(Action::Change)?;
    let (once, ask) = (caller.once("POST /workers/pairings", ask.key, ask.digest), ask.body);
    let name = ask.name.as_deref().map(check_name).transpose()?;
    check_labels(&ask.labels)?;
    if let Some(projects) = &ask.projects {
        check_projects(&app, &caller, projects).await?;
    }
    let invitation = Invitation { name, labels: ask.labels, sharing: ask.sharing, projects: ask.projects };
    let (invited, code) = app.engine.invite(invitation, owner, once).await?;
    let view = PairingView {
        id: invited.id,
        code: code.map(|code| code.shown()),
        expires_at: invited.expires_at,
        server_time: app.engine.now(),
    };
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

/// A worker at the door. Unknown fields are ignored (D61).
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Pair {
    /// The code, in any case, with or without dashes.
    code: String,
    /// What it calls itself.
    name: String,
    /// Its operating system and processor.
    #[serde(default)]
    platform: String,
    /// The version of its program.
    #[serde(default)]
    version: String,
    /// The protocol it speaks.
    protocol: u32,
    /// Labels of its machine's owner.
    #[serde(default)]
    labels: Vec<String>,
    /// Tasks that it does at once, 1 to 64.
    #[serde(default = "one")]
    slots: u32,
    /// Its agents.
    #[serde(default)]
    agents: Vec<Advertised>,
}

const fn one() -> u32 {
    1
}

/// A worker that was just paired.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Paired {
    /// The worker.
    worker: WorkerView,
    /// Its token, shown this once.
    token: String,
}

/// Become a worker, by the code of an invitation. Unknown, used and ended codes are one answer.
#[utoipa::path(post, path = "/workers/pair", tag = "workers", security(()), request_body = Pair,
    responses((status = 201, body = Paired), Refusals))]
async fn pair(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    Json(ask): Json<Pair>,
) -> Result<Response, Refusal> {
    let address = peer.map(|Extension(Peer(address))| address.ip());
    app.auth.attempt_pairing(address, Instant::now())?;
    if !(1..=limits::WORKER_SLOTS).contains(&ask.slots) {
        return Err(Problem::invalid_field("/slots", format!("1 to {} are allowed", limits::WORKER_SLOTS)).into());
    }
    let name = check_name(&ask.name)?;
    let said = Said {
        platform: ask.platform,
        version: ask.version,
        protocol: ask.protocol,
        labels: ask.labels,
        agents: ask.agents,
        slots: ask.slots,
        ..Said::default()
    };
    let secret = Secret::draw(SecretKind::Token);
    let worker = app.engine.pair(&ask.code, Arrival { name, said, token: secret.digest() }).await?;
    let caller = app.auth.known(&app.engine, &secret).await?;
    let view = Paired { worker: view_of(&app, &caller, worker).await?, token: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

//! Backups of the whole plane, made while everything goes on (F20).
//!
//! Where one may be put: whoever owns the data folder could write anywhere as the server's user, so
//! the token that lies in that folder may name any place outside of it. Every other admin names a
//! place below the folder that whoever started the server gave for backups.

use std::path::{Component, Path, PathBuf};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{code::Code, digest::Digest, problem::Problem, time::Timestamp};
use serde::{Deserialize, Serialize};
use store::{Manifest, StoredAnswer};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Action, Caller, Secret, SecretKind},
    extract::Keyed,
    limits,
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(make))
}

/// Where the backup shall be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeBackup {
    /// A new or empty folder on the plane's machine: relative to its folder for backups, or absolute.
    folder: String,
}

/// A finished backup.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Backup {
    /// Where it lies. A server can be started on it, or on a copy.
    folder: String,
    /// The version of the schema.
    schema: i64,
    /// When it was made.
    made_at: Timestamp,
    /// Blobs in it.
    blobs: u64,
    /// Blobs that were wanted and were damaged or missing; they are not in it.
    damaged_blobs: Vec<Digest>,
}

/// Back up the store and its blobs. Only an admin who is a person does; nothing is overwritten.
#[utoipa::path(post, path = "/backups", tag = "server", request_body = MakeBackup,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Backup), Refusals))]
async fn make(State(app): State<App>, caller: Caller, ask: Keyed<MakeBackup>) -> Result<Response, Refusal> {
    caller.may_everywhere(Action::Decide)?;
    let once = caller.once("POST /backups", ask.key, ask.digest);
    let now = app.engine.now();
    if let Some(once) = once.clone() {
        let stored = app.engine.store().read(move |tx| {
            let once = once.clone();
            Box::pin(async move { Ok::<_, Problem>(tx.idempotency_look(&once.key, &once.body, now).await?) })
        });
        if let Some(answer) = stored.await? {
            let made: Backup = serde_json::from_str(&answer.body)
                .map_err(|_| Problem::new(Code::Internal, "a stored answer is damaged"))?;
            return Ok((StatusCode::CREATED, axum::Json(made)).into_response());
        }
    }
    let folder = place(&app, &caller, &ask.body.folder)?;
    let Ok(_place) = app.whole_store.backup.try_acquire() else {
        return Err(Problem::new(Code::TooMany, "a backup is being made").with_hint("wait until it is done").into());
    };
    let Manifest { schema, made_at, blobs, damaged_blobs } =
        app.engine.store().backup(app.engine.blobs(), &folder, now).await.map_err(Problem::from)?;
    let made = Backup { folder: folder.display().to_string(), schema, made_at, blobs, damaged_blobs };
    if let Some(once) = once {
        // The effect is a folder, so the key follows it. Killed in between, a repeat is told that the folder is taken.
        let answer = StoredAnswer { status: 201, body: serde_json::json!(made).to_string() };
        let kept = app.engine.store().write(move |tx| {
            let (once, answer) = (once.clone(), answer.clone());
            Box::pin(async move {
                tx.idempotency_get(&once.key, &once.body, now).await?;
                Ok::<_, Problem>(tx.idempotency_put(&once.key, &answer).await?)
            })
        });
        kept.await?;
    }
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}

/// The folder that the caller means, if this caller may put a backup there.
fn place(app: &App, caller: &Caller, named: &str) -> Result<PathBuf, Problem> {
    let wrong = |why: &str| Problem::invalid_field("/folder", why.to_owned());
    let path = Path::new(named);
    if named.is_empty() || named.len() > limits::PATH || named.chars().any(char::is_control) {
        return Err(wrong(&format!("1 to {} bytes without control characters are allowed", limits::PATH)));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(wrong("must not contain `..`"));
    }
    let data = app.engine.data();
    let root = app.config.backups.clone().unwrap_or_else(|| data.backups());
    let target = resolved(&root.join(path));
    let root = resolved(&root);
    if target != root && target.starts_with(&root) {
        return Ok(target);
    }
    let owner = std::fs::read_to_string(data.local_token()).ok();
    let owner = owner.and_then(|token| Secret::sent(SecretKind::Token, token.trim())).map(|token| token.digest());
    if owner.as_ref() != Some(caller.secret()) {
        return Err(Problem::new(Code::NotEntitled, "a backup may only be put below the plane's folder for backups")
            .with_hint("name a relative path; `proofhouse serve --backups FOLDER` says where that is"));
    }
    if target == root || target.starts_with(data.root()) {
        return Err(wrong("must not lie in the data folder itself, but for its folder `backups`"));
    }
    Ok(target)
}

/// The path with the links of its existing part followed, so that none leads elsewhere.
fn resolved(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut at = path.to_owned();
    loop {
        if let Ok(real) = at.canonicalize() {
            return rest.iter().rev().fold(real, |path, part| path.join(part));
        }
        match (at.file_name().map(ToOwned::to_owned), at.parent().map(Path::to_owned)) {
            (Some(name), Some(parent)) => {
                rest.push(name);
                at = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

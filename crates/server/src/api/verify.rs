//! Is everything that is stored what was stored? (K3, F11)

use axum::extract::State;
use model::{code::Code, digest::Digest, id::RunId, journal::StreamId, problem::Problem, time::Timestamp};
use serde::{Deserialize, Serialize};
use store::Damage;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::visible;
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(verify)).routes(routes!(audit_chain))
}

/// What to check; all there is when nothing is named.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Of {
    /// Only this run's journal.
    #[param(value_type = Option<String>)]
    run: Option<RunId>,
    /// Only this project, by key or id.
    #[param(value_type = Option<String>)]
    project: Option<ProjectName>,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Verified {
    /// Streams.
    streams: u64,
    /// Entries.
    entries: u64,
    /// Pieces of evidence.
    evidence: u64,
    /// Blobs.
    blobs: u64,
    /// What is wrong; empty is sound.
    damage: Vec<DamageView>,
}

/// One thing that is not what was stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Damage)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum DamageView {
    /// A stream's entries do not fit its chain.
    Stream {
        /// The stream.
        stream: String,
        /// The first append that does not fit ends here, or the first missing entry.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// Evidence does not match its seal, its journal or its blobs.
    Evidence {
        /// The evidence.
        evidence: String,
        /// The run it was recorded in.
        run: String,
        /// What is wrong.
        what: String,
    },
    /// A blob is missing or has other bytes.
    Blob {
        /// The blob.
        blob: Digest,
        /// What is wrong.
        what: String,
    },
    /// The database's own pages or log do not hold together.
    Pages {
        /// What the database says.
        what: String,
    },
}

impl From<Damage> for DamageView {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Stream { stream, seq, what } => Self::Stream { stream, seq, what },
            Damage::Evidence { evidence, run, what } => Self::Evidence { evidence, run, what },
            Damage::Blob { blob, what } => Self::Blob { blob, what },
            Damage::Pages { what } => Self::Pages { what },
        }
    }
}

/// Check journals, evidence, blobs and the database's pages while everything goes on. Only an admin
/// does. Damage is no error: it is the answer.
#[utoipa::path(get, path = "/verify", tag = "server", params(Of), responses((status = 200, body = Verified), Refusals))]
async fn verify(State(app): State<App>, caller: Caller, Query(of): Query<Of>) -> Result<axum::Json<Verified>, Refusal> {
    let place = || {
        app.whole_store
            .verify
            .try_acquire()
            .map_err(|_| Problem::new(Code::TooMany, "another check is going on").with_hint("wait until it is done"))
    };
    let (store, blobs) = (app.engine.store(), app.engine.blobs());
    let found = match (of.run, of.project) {
        (Some(_), Some(_)) => return Err(Problem::invalid_field("/project", "name a run or a project").into()),
        (Some(run), None) => {
            let run = visible::run_for(&app, &caller, run, Action::Decide).await?;
            let _place = place()?;
            store.verify_stream(StreamId::Run(run.id)).await
        }
        (None, Some(project)) => {
            let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
            let _place = place()?;
            store.verify_project(project.id, blobs).await
        }
        (None, None) => {
            caller.may_everywhere(Action::Decide)?;
            let _place = place()?;
            store.verify_all(blobs).await
        }
    };
    let found = found.map_err(Problem::from)?;
    Ok(axum::Json(Verified {
        streams: found.streams,
        entries: found.entries,
        evidence: found.evidence,
        blobs: found.blobs,
        damage: found.damage.into_iter().map(Into::into).collect(),
    }))
}

/// Whether a journal is what was written, as found a moment ago.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ChainState)]
struct ChainView {
    /// Every entry that is kept is as it was written, and none is missing.
    intact: bool,
    /// The entries that were read, from `floor` on, up to the first that does not fit.
    entries: u64,
    /// The oldest number that is kept: below it, retention has cut.
    floor: u64,
    /// The newest number; 0 before the first entry.
    head: u64,
    /// The end of the chain, a SHA-256 over all that was written. Noted elsewhere, it also proves that
    /// the whole journal was not written anew.
    digest: Option<Digest>,
    /// When it was checked.
    checked_at: Timestamp,
    /// The first thing that does not fit; behind it nothing can be said.
    damage: Option<ChainDamage>,
}

/// Where a chain breaks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ChainDamage {
    /// The number at which it shows.
    seq: u64,
    /// What is wrong.
    what: String,
}

/// Check the chain of a project's audit journal now: every entry is read. Damage is no error: it is the answer.
#[utoipa::path(get, path = "/projects/{p}/audit/chain", tag = "projects",
    params(("p" = String, Path, description = "key or id")), responses((status = 200, body = ChainView), Refusals))]
async fn audit_chain(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
) -> Result<axum::Json<ChainView>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let _place = app.whole_store.chain.acquire().await;
    let checked_at = app.engine.now();
    let found = app.engine.store().check_chain(StreamId::Audit(project.id)).await.map_err(Problem::from)?;
    let damage = found.damage.map(|damage| match damage {
        Damage::Stream { seq, what, .. } => ChainDamage { seq, what },
        Damage::Evidence { what, .. } | Damage::Blob { what, .. } | Damage::Pages { what } => {
            ChainDamage { seq: 0, what }
        }
    });
    Ok(axum::Json(ChainView {
        intact: damage.is_none(),
        entries: found.entries,
        floor: found.head.floor,
        head: found.head.seq,
        digest: found.head.chain,
        checked_at,
        damage,
    }))
}

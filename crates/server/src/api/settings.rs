//! A project's documents: its policy, its proof settings and its budget. Each change is a new revision.

use axum::extract::State;
use model::{actor::Actor, digest::Digest, ledger::Budget, proof::settings::ProofSettings, time::Timestamp};
use serde::Serialize;
use serde_json::Value;
use store::Document;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::visible;
use crate::{
    app::App,
    auth::{Action, Caller},
    extract::{IfMatch, Json, Path, ProjectName},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, write))
}

/// The documents there are.
#[derive(Debug, Clone, Copy, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum DocumentName {
    /// What runs may touch and execute.
    Policy,
    /// How proof is judged.
    Proof,
    /// What may be spent.
    Budget,
}

impl DocumentName {
    const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Proof => "proof",
            Self::Budget => "budget",
        }
    }
}

/// A document of a project.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Document)]
struct DocumentView {
    /// Its name.
    name: String,
    /// Its content.
    #[schema(value_type = Object)]
    body: Value,
    /// What holds where the content says nothing; for documents that inherit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    inherits: Option<Value>,
    /// Rises with every change; 0 when nobody wrote one yet and the defaults hold.
    revision: u64,
    /// The SHA-256 of its text.
    digest: Digest,
    /// Who wrote it.
    by: Actor,
    /// When.
    at: Timestamp,
    /// What a person should know about settings that are allowed and odd.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        let settings = if document.name == engine::projects::PROOF {
            ProofSettings::read(&document.body, |_| true).ok()
        } else {
            None
        };
        let inherits = (document.name == engine::projects::BUDGET).then(|| Budget::default().document());
        Self {
            inherits,
            warnings: settings.map(|settings| settings.warnings()).unwrap_or_default(),
            name: document.name,
            body: document.body,
            revision: document.revision,
            digest: document.digest,
            by: document.by,
            at: document.at,
        }
    }
}

/// A document of a project. One that nobody wrote yet has revision 0 and what holds without it.
#[utoipa::path(get, path = "/projects/{p}/settings/{document}", tag = "projects",
    params(("p" = String, Path, description = "key or id"), ("document" = inline(DocumentName), Path)),
    responses((status = 200, body = DocumentView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((project, name)): Path<(ProjectName, DocumentName)>,
) -> Result<axum::Json<DocumentView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    Ok(axum::Json(app.engine.document(project.id, name.name()).await?.into()))
}

/// Replace a document. `If-Match: 0` writes the first one.
#[utoipa::path(put, path = "/projects/{p}/settings/{document}", tag = "projects", request_body = Object,
    params(("p" = String, Path, description = "key or id"), ("document" = inline(DocumentName), Path),
        ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 200, body = DocumentView), Refusals))]
async fn write(
    State(app): State<App>,
    caller: Caller,
    Path((project, name)): Path<(ProjectName, DocumentName)>,
    IfMatch(revision): IfMatch,
    Json(body): Json<Value>,
) -> Result<axum::Json<DocumentView>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let document = app.engine.set_document(project.id, name.name(), body, revision, caller.actor()).await?;
    Ok(axum::Json(document.into()))
}

//! Projects: registered repositories, and the documents that are set for them in the plane.
//!
//! A repository is looked at once, when it is registered or moved, so that a wrong folder is refused
//! where it is named. Documents (policy, proof settings) are read whole before they are stored, and are
//! never read from the repository itself (P60).

use std::path::Path;

use exec::git::Repository;
use model::{
    actor::Actor,
    code::Code,
    digest::Digest,
    id::ProjectId,
    journal::{NewEntry, StreamId},
    ledger::Budget,
    policy::Policy,
    problem::Problem,
    project::{Project, ProjectKey},
    proof::settings::ProofSettings,
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{Document, StoreError, Tx};

use crate::Engine;

/// The longest path that is looked at.
const PATH: usize = 4_096;
/// The longest name.
const NAME: usize = 100;
/// How many numbers are tried behind a key that is taken.
const NUMBERS: u32 = 10_000;

/// The document that says what runs may touch and execute.
pub const POLICY: &str = "policy";
/// The document that says how proof is judged.
pub const PROOF: &str = "proof";
/// The document that says what may be spent.
pub const BUDGET: &str = "budget";

/// A repository to register.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// A folder inside it, absolute.
    pub path: String,
    /// Its short name; absent is from the folder's name, with a number where that is taken.
    pub key: Option<ProjectKey>,
    /// What people call it; absent is the folder's name.
    pub name: Option<String>,
}

/// What becomes of a registered project; absent is unchanged.
#[derive(Debug, Clone, Default)]
pub struct ProjectChange {
    /// What people call it.
    pub name: Option<String>,
    /// A folder inside the repository, where that is now.
    pub path: Option<String>,
}

/// A project that was asked to be registered.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The project.
    pub project: Project,
    /// Whether it is new; the same checkout is never registered twice.
    pub is_new: bool,
}

impl Engine {
    /// Registers the repository that a folder is in. One that is registered already is answered as it is.
    ///
    /// # Errors
    /// What is wrong with the folder (PH-1040 to PH-1045); 422 for a key that another project has.
    pub async fn register_project(&self, new: NewProject, by: &Actor) -> Result<Registered, Problem> {
        let root = checkout_root(&new.path).await?;
        let folder = Path::new(&root).file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy());
        let name = match &new.name {
            Some(name) => checked_name(name)?,
            None => folder.chars().filter(|c| !c.is_control()).take(NAME).collect(),
        };
        let (wanted, slug) = (new.key, ProjectKey::slug_of(&folder));
        let (id, now, by) = (ProjectId::from_uuid(self.clock().id()), self.now(), by.clone());
        self.store()
            .write(move |tx| {
                let (root, name, wanted, slug, by) =
                    (root.clone(), name.clone(), wanted.clone(), slug.clone(), by.clone());
                Box::pin(async move {
                    let known = tx.projects().await?;
                    if let Some(project) = known.iter().find(|project| project.path == root) {
                        return Ok(Registered { project: project.clone(), is_new: false });
                    }
                    let is_free = |key: &ProjectKey| known.iter().all(|project| project.key != *key);
                    let key = match wanted {
                        Some(key) if is_free(&key) => key,
                        Some(_) => return Err(Problem::invalid_field("/key", "another project has this key")),
                        None => std::iter::once(slug.clone())
                            .chain((2..NUMBERS).map(|number| slug.numbered(number)))
                            .find(is_free)
                            .ok_or_else(|| Problem::invalid_field("/key", "name a key: the folder's is taken"))?,
                    };
                    let project = Project { id, key, name, path: root, created_at: now, revision: 1 };
                    tx.project_insert(&project).await?;
                    let facts = json!({"project": id, "key": project.key, "name": project.name, "actor": by});
                    told(tx, id, "project.registered", facts, now).await?;
                    Ok(Registered { project, is_new: true })
                })
            })
            .await
    }

    /// Renames a project, or tells the plane where its repository went.
    ///
    /// # Errors
    /// 412 when it changed since it was read; what is wrong with the new folder; 422 for a checkout that
    /// belongs to another project.
    pub async fn change_project(
        &self,
        project: ProjectId,
        change: ProjectChange,
        revision: u64,
        by: &Actor,
    ) -> Result<Project, Problem> {
        let path = match &change.path {
            Some(path) => Some(checkout_root(path).await?),
            None => None,
        };
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let (now, by) = (self.now(), by.clone());
        self.store()
            .write(move |tx| {
                let (path, name, by) = (path.clone(), name.clone(), by.clone());
                Box::pin(async move {
                    let old = tx.project(project).await?.ok_or_else(Problem::not_found)?;
                    if old.revision != revision {
                        return Err(StoreError::RevisionOld { found: old.revision }.into());
                    }
                    let (path, name) = (path.unwrap_or_else(|| old.path.clone()), name.unwrap_or(old.name.clone()));
                    if path == old.path && name == old.name {
                        return Ok(old);
                    }
                    if tx.projects().await?.iter().any(|other| other.id != project && other.path == path) {
                        return Err(Problem::invalid_field("/path", "another project has this checkout"));
                    }
                    let new = tx.project_update(project, revision, &name, &path).await?;
                    let facts = json!({
                        "project": project, "name": new.name, "moved": new.path != old.path,
                        "revision": new.revision, "actor": by,
                    });
                    told(tx, project, "project.changed", facts, now).await?;
                    Ok(new)
                })
            })
            .await
    }

    /// Tells the plane where a project's repository went.
    ///
    /// # Errors
    /// As [`Engine::change_project`].
    pub async fn move_project(
        &self,
        project: ProjectId,
        path: &str,
        revision: u64,
        by: &Actor,
    ) -> Result<Project, Problem> {
        let change = ProjectChange { path: Some(path.to_owned()), name: None };
        self.change_project(project, change, revision, by).await
    }

    /// The project with this key or id.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn project(&self, name: &str) -> Result<Project, Problem> {
        let (id, key) = (name.parse::<ProjectId>().ok(), name.parse::<ProjectKey>().ok());
        self.store()
            .read(move |tx| {
                let key = key.clone();
                Box::pin(async move {
                    let found = match (id, key) {
                        (Some(id), _) => tx.project(id).await?,
                        (None, Some(key)) => tx.project_by_key(&key).await?,
                        (None, None) => None,
                    };
                    found.ok_or_else(Problem::not_found)
                })
            })
            .await
    }

    /// A document of a project. One that nobody wrote yet has revision 0 and what holds without it: no
    /// policy, the default settings.
    ///
    /// # Errors
    /// 404 for a project or name that there is not.
    pub async fn document(&self, project: ProjectId, name: &str) -> Result<Document, Problem> {
        let name = known(name)?;
        self.store().read(move |tx| Box::pin(async move { document(tx, project, name).await })).await
    }

    /// Replaces a document whose revision is the one that was read; 0 writes the first. The caller has
    /// made sure that an admin asks.
    ///
    /// # Errors
    /// 422 naming each wrong value; 412 when it changed since.
    pub async fn set_document(
        &self,
        project: ProjectId,
        name: &str,
        body: Value,
        revision: u64,
        by: &Actor,
    ) -> Result<Document, Problem> {
        let name = known(name)?;
        let body = match name {
            POLICY => Policy::read(&body).map(|_| body).map_err(Problem::invalid)?,
            BUDGET => Budget::read(&body).map(|_| body)?,
            _ => {
                let project = self.project(&project.to_string()).await?;
                let gates = crate::proof::surroundings::gates(self, &project).await?;
                let is_gate = |gate: &model::proof::gate::GateName| {
                    gates.iter().any(|known| known.name() == gate) || model::proof::gate::standard_gate(gate).is_some()
                };
                let settings = ProofSettings::read(&body, is_gate).map_err(Problem::invalid)?;
                // As it was understood: doubles are gone, what was left out is there with its default.
                serde_json::to_value(settings).map_err(|error| Problem::new(Code::Internal, error.to_string()))?
            }
        };
        let (now, by) = (self.now(), by.clone());
        self.store()
            .write(move |tx| {
                let (body, by) = (body.clone(), by.clone());
                Box::pin(async move {
                    tx.project(project).await?.ok_or_else(Problem::not_found)?;
                    let document = tx.document_put(project, name, revision, &body, &by, now).await?;
                    let facts = json!({
                        "document": name, "revision": document.revision, "digest": document.digest, "actor": by,
                    });
                    told(tx, project, "settings.changed", facts, now).await?;
                    Ok(document)
                })
            })
            .await
    }
}

/// The newest version of a document, or what holds without one.
async fn document(tx: &mut Tx, project: ProjectId, name: &'static str) -> Result<Document, Problem> {
    if let Some(document) = tx.document(project, name).await? {
        return Ok(document);
    }
    let project = tx.project(project).await?.ok_or_else(Problem::not_found)?;
    let body = if name == PROOF { json!(ProofSettings::default()) } else { json!({}) };
    let digest = Digest::of(body.to_string().as_bytes());
    Ok(Document { name: name.to_owned(), revision: 0, digest, body, by: Actor::System, at: project.created_at })
}

/// A project's proof settings, inside a transaction.
pub(crate) async fn proof_settings(tx: &mut Tx, project: ProjectId) -> Result<ProofSettings, Problem> {
    let stored = tx.document(project, PROOF).await?;
    // A gate that has gone from the repository since is no reason to forget the rest.
    stored.map_or_else(
        || Ok(ProofSettings::default()),
        |document| ProofSettings::read(&document.body, |_| true).map_err(Problem::invalid),
    )
}

/// The same fact for who asks what was done (X47) and for who watches the project. The project's stream
/// is always the last that a transaction writes (X57).
pub(crate) async fn told(
    tx: &mut Tx,
    project: ProjectId,
    kind: &'static str,
    facts: Value,
    now: Timestamp,
) -> Result<(), Problem> {
    tx.journal_append(StreamId::Audit(project), &[NewEntry::new(kind, facts.clone())], now).await?;
    tx.journal_append(StreamId::Project(project), &[NewEntry::new(kind, facts)], now).await?;
    Ok(())
}

fn known(name: &str) -> Result<&'static str, Problem> {
    [POLICY, PROOF, BUDGET].into_iter().find(|known| *known == name).ok_or_else(Problem::not_found)
}

fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let fits = (1..=NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Problem::invalid_field("/name", format!("1 to {NAME} characters in one line are allowed")))
    }
}

/// The canonical root of the checkout that a folder is in.
async fn checkout_root(path: &str) -> Result<String, Problem> {
    if path.len() > PATH || path.contains('\0') || !Path::new(path).is_absolute() {
        return Err(Problem::invalid_field("/path", format!("an absolute path of at most {PATH} bytes is expected")));
    }
    let repository = Repository::open(Path::new(path)).await?;
    let root = repository.root().to_str();
    root.map(str::to_owned).ok_or_else(|| Problem::invalid_field("/path", "the path is not UTF-8"))
}

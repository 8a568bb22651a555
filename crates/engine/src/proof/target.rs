//! The files of a run: binding to a tree, looking whether it moved, and what is allowed on it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::git::{FileText, Observation, Observer, Repository, WorktreeRoot};
use model::{
    digest::Digest,
    id::{ProjectId, RunId},
    limits,
    policy::{Judged, Policy},
    problem::Problem,
    project::Project,
    proof::{
        config::{FILE, ProjectConfig},
        gate::{self, Gate, GateName},
        judge::CommandEnd,
        tree::ObjectId,
    },
    run::Run,
};
use serde_json::json;

use super::{
    Proof, locked,
    runners::{self, Found, Tools, Tree},
    state::Bound,
};
use crate::{Engine, projects};

/// Gate definitions by name.
pub type Definitions = BTreeMap<GateName, Digest>;

/// The largest manifest that detection reads.
const MANIFEST: u64 = 1 << 20;

/// The name under which a run's own worktree is kept.
const WORKTREE: &str = "tree";

/// The project's policy, when one is loaded and can be read: no policy means nothing is allowed (L67).
pub async fn policy(engine: &Engine, project: ProjectId) -> Result<Option<Policy>, Problem> {
    let read = engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.document(project, projects::POLICY).await?) }))
        .await?;
    Ok(read.and_then(|document| Policy::read(&document.body).ok()))
}

/// The rule that refuses a prepared command, if any (L68).
pub fn refused(policy: &Policy, argv: &[String], root: &Path, cwd: &str) -> Option<String> {
    match policy.judge_command(argv, root, cwd) {
        Judged::Allowed => None,
        Judged::Refused { rule, message } => Some(format!("{rule}: {message}")),
    }
}

/// The folder of what a run needs while it runs.
pub fn run_folder(engine: &Engine, run: RunId) -> PathBuf {
    engine.data().runs().join(run.to_string())
}

/// All worktrees of the plane.
pub fn worktrees(engine: &Engine) -> Result<WorktreeRoot, Problem> {
    Ok(WorktreeRoot::new(&engine.data().runs())?)
}

/// The repository behind a bound run, as the plane looks at it.
pub async fn repository(engine: &Engine, run: RunId, bound: &Bound) -> Result<Repository, Problem> {
    if bound.own_worktree {
        return Ok(worktrees(engine)?.open(&run.to_string(), WORKTREE)?.repository());
    }
    Ok(Repository::open(Path::new(&bound.folder)).await?)
}

/// Makes a worktree of the plane's own at a commit.
pub async fn check_out(
    engine: &Engine,
    repository: &Repository,
    run: RunId,
    commit: &ObjectId,
) -> Result<PathBuf, Problem> {
    let checkout = exec::git::Checkout { commit: commit.clone(), branch: None };
    Ok(worktrees(engine)?.create(repository, &run.to_string(), WORKTREE, &checkout).await?.path)
}

impl Proof {
    /// The observer of a checkout. It keeps what git learned of the files from one look to the next.
    pub async fn observer(
        &self,
        engine: &Engine,
        project: ProjectId,
        repository: &Repository,
        ignore: &[String],
    ) -> Result<Arc<Observer>, Problem> {
        let key = format!("{project} {} {}", repository.root().display(), ignore.join("\n"));
        if let Some(known) = locked(&self.observers).get(&key) {
            return Ok(known.clone());
        }
        let name = Digest::of(key.as_bytes()).to_string();
        let folder = engine.data().cache().join(project.to_string()).join("index").join(&name[..16]);
        let observer = Arc::new(Observer::new(repository.clone(), &folder, ignore)?);
        let mut known = locked(&self.observers);
        if known.len() > 256 {
            // Observers of worktrees that are long gone; any of them can be made again.
            known.clear();
        }
        Ok(known.entry(key).or_insert(observer).clone())
    }

    /// The folders of git that belong to a run's repository; they stay where they are while it runs.
    pub async fn git_dirs(&self, engine: &Engine, run: RunId, bound: &Bound) -> Result<Vec<PathBuf>, Problem> {
        if let Some(known) = locked(&self.git_dirs).get(&run) {
            return Ok(known.clone());
        }
        let dirs = repository(engine, run, bound).await?.git_dirs();
        let mut known = locked(&self.git_dirs);
        if known.len() > 256 {
            // Of runs that have ended long ago; any of them can be asked for again.
            known.clear();
        }
        known.insert(run, dirs.clone());
        Ok(dirs)
    }

    /// Remembers that this process has compared a run's tree.
    pub fn has_verified(&self, run: RunId, resumes: u64) {
        locked(&self.verified).insert(run, resumes);
    }
}

/// Takes the tree of a bound run's folder now.
pub async fn look(
    proof: &Proof,
    engine: &Engine,
    run: &Run,
    bound: &Bound,
) -> Result<(Arc<Observer>, Observation), Problem> {
    let repository = repository(engine, run.id, bound).await?;
    let observer = proof.observer(engine, run.project, &repository, &bound.tree_ignore).await?;
    let seen = observer.observe().await?;
    Ok((observer, seen))
}

/// Compares the tree before a process is started, where this process has not done so since the start,
/// the last resume or a lost lease (P26). The end that the command has when it moved.
pub async fn verify(
    proof: &Proof,
    engine: &Engine,
    run: &Run,
    bound: &Bound,
    again: bool,
) -> Result<Option<CommandEnd>, Problem> {
    let resumes = run.detail["resumes"].as_u64().unwrap_or(0);
    if !again && locked(&proof.verified).get(&run.id) == Some(&resumes) {
        return Ok(None);
    }
    let Some(start) = &bound.tree else { return Ok(None) };
    match look(proof, engine, run, bound).await {
        Ok((observer, seen)) => {
            if observer.compare(start, &seen).await?.is_moved() {
                return Ok(Some(CommandEnd::TreeMoved));
            }
            proof.has_verified(run.id, resumes);
            Ok(None)
        }
        Err(problem) => Ok(Some(CommandEnd::Environment { message: problem.message })),
    }
}

/// The files of a folder, or of a commit, as detection sees them.
pub struct Files {
    files: Vec<String>,
    texts: HashMap<String, String>,
    folder: Option<PathBuf>,
}

impl Tree for Files {
    fn files(&self) -> &[String] {
        &self.files
    }
    fn read(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned()
    }
    fn exists(&self, path: &str) -> bool {
        match &self.folder {
            Some(folder) => folder.join(path).exists(),
            None => self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok(),
        }
    }
}

/// Whether detection wants the text of this file.
fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "package.json" | "uv.lock" | "pyproject.toml" | "Cargo.toml" | "go.mod")
        && !path.split('/').any(|part| part == "node_modules")
}

fn text_of(read: FileText) -> Option<String> {
    match read {
        FileText::Bytes(bytes) => String::from_utf8(bytes).ok(),
        FileText::Absent | FileText::Unusable(_) => None,
    }
}

/// The files of a checkout as they lie, with its configuration.
///
/// # Errors
/// An invalid `proofhouse.toml` is never guessed around (P61).
pub async fn files(repository: &Repository) -> Result<(Files, ProjectConfig), Problem> {
    let files = repository.files().await?;
    let mut texts = HashMap::new();
    for path in files.iter().filter(|path| is_manifest(path)).take(500) {
        if let Some(text) = repository.read(path, MANIFEST).ok().and_then(text_of) {
            texts.insert(path.clone(), text);
        }
    }
    let config = config(repository.read(FILE, limits::CONFIG_FILE)?)?;
    Ok((Files { files, texts, folder: Some(repository.root().to_owned()) }, config))
}

/// What a `proofhouse.toml` says; one that is not there says nothing.
///
/// # Errors
/// Where it is wrong, and what was expected.
pub fn config(read: FileText) -> Result<ProjectConfig, Problem> {
    let invalid = |message: String| Problem::new(model::code::Code::ConfigInvalid, message);
    match read {
        FileText::Absent => Ok(ProjectConfig::default()),
        FileText::Bytes(bytes) => ProjectConfig::parse(&bytes).map_err(|error| invalid(error.to_string())),
        FileText::Unusable(why) => Err(invalid(format!("{FILE} cannot be read: {why}"))),
    }
}

async fn files_at(repository: &Repository, commit: &ObjectId) -> Result<(Files, ProjectConfig), Problem> {
    let files = repository.files_at(commit).await?;
    let mut texts = HashMap::new();
    for path in files.iter().filter(|path| is_manifest(path)).take(500) {
        if let Some(text) = text_of(repository.read_at(commit, path, MANIFEST).await?) {
            texts.insert(path.clone(), text);
        }
    }
    let config = config(repository.read_at(commit, FILE, limits::CONFIG_FILE).await?)?;
    Ok((Files { files, texts, folder: None }, config))
}

/// What the gates of a target are.
pub struct Catalogue {
    /// Every gate, in order.
    pub gates: Vec<Gate>,
    /// What each family found.
    pub found: Vec<Found>,
    /// What the project declares as its preparation (P35).
    pub prepare: Option<Vec<String>>,
}

impl Catalogue {
    /// Resolves a target's gates.
    pub fn of(
        tree: &dyn Tree,
        config: &ProjectConfig,
        settings: &model::proof::settings::ProofSettings,
        tools: &Tools,
    ) -> Self {
        let (found, detected) = runners::detect(tree, tools);
        let gates = gate::resolve(&config.proof.gates, settings, &detected);
        Self { gates, found, prepare: config.proof.prepare.clone() }
    }

    /// The definitions.
    pub fn definitions(&self) -> Definitions {
        self.gates.iter().map(|gate| (gate.name().clone(), gate.definition.digest())).collect()
    }
}

/// The digests of gate definitions that the merge gate takes: the default branch's own and those an
/// admin accepted (P60).
///
/// # Errors
/// What git and the store say. A default branch whose configuration is invalid has no definitions.
pub async fn accepted(engine: &Engine, project: &Project) -> Result<HashSet<Digest>, Problem> {
    let id = project.id;
    let (rows, settings) = engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let rows = tx.definitions_accepted(id).await?;
                Ok::<_, Problem>((rows, projects::proof_settings(tx, id).await?))
            })
        })
        .await?;
    let mut accepted: HashSet<Digest> = rows.into_iter().map(|row| row.definition).collect();
    let repository = Repository::open(Path::new(&project.path)).await?;
    let commit = match repository.default_branch().await? {
        Some(branch) => repository.resolve(&branch).await?,
        None => repository.head().await?.commit,
    };
    let proof = engine.proof();
    let key = format!("{id} {commit}");
    if let Some(known) = locked(&proof.definitions).get(&key) {
        accepted.extend(known.values());
        return Ok(accepted);
    }
    let (mut tree, config) = match files_at(&repository, &commit).await {
        Ok(read) => read,
        // A default branch whose configuration cannot be read declares nothing.
        Err(problem) if problem.code == model::code::Code::ConfigInvalid => return Ok(accepted),
        Err(problem) => return Err(problem),
    };
    // A virtual environment is not in the commit and still decides how tests are called.
    tree.folder = Some(repository.root().to_owned());
    let tools = proof.tools(&tree, repository.root()).await;
    let definitions = Catalogue::of(&tree, &config, &settings, &tools).definitions();
    accepted.extend(definitions.values());
    let mut known = locked(&proof.definitions);
    if known.len() > 1_024 {
        known.clear();
    }
    known.insert(key, definitions);
    Ok(accepted)
}

/// The current tree of a project's checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The tree; none when it is unknown.
    pub tree: Option<ObjectId>,
    /// The commit.
    pub commit: ObjectId,
    /// Whether the files differ from it.
    pub dirty: bool,
}

/// Takes the current tree of the checkout and remembers it as the project's (P55).
///
/// # Errors
/// What git says: a missing checkout is a coded problem.
pub async fn observe(engine: &Engine, project: &Project) -> Result<Seen, Problem> {
    let repository = Repository::open(Path::new(&project.path)).await?;
    let (_, config) = files(&repository).await?;
    let observer = engine.proof().observer(engine, project.id, &repository, &config.proof.tree_ignore).await?;
    let seen = observer.observe().await?;
    let seen = Seen { tree: seen.tree.ok(), commit: seen.commit, dirty: seen.dirty };
    let (id, row) = (project.id, json!({"tree": seen.tree, "commit": seen.commit, "dirty": seen.dirty}));
    engine
        .store()
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move {
                let mut merged = tx.project_observed(id).await?.unwrap_or_else(|| json!({}));
                if let (Some(merged), Some(row)) = (merged.as_object_mut(), row.as_object()) {
                    merged.extend(row.clone());
                }
                tx.project_observe(id, &merged).await?;
                Ok::<_, Problem>(())
            })
        })
        .await?;
    Ok(seen)
}

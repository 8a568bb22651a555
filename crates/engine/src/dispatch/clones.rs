//! Where the repository of a project lies on the machine that works on it (D48): where its owner said, else where the
//! plane's own clone would be, else in a cache of clones that this worker makes itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::git::{Repository, WorktreeRoot};
use model::{digest::Digest, proof::tree::ObjectId};
use tokio::sync::Mutex;

use super::state::AgentTask;

/// The clones of a machine.
#[derive(Debug, Clone, Default)]
pub struct Clones {
    /// Where the machine's owner has the repositories of projects, by the projects' keys.
    known: BTreeMap<String, PathBuf>,
    /// Where clones are made; nowhere for the plane itself, which has them all.
    cache: Option<PathBuf>,
    /// One at a time is cloned or brought up to date.
    busy: Arc<Mutex<()>>,
}

impl Clones {
    /// Those of a worker.
    pub fn of_worker(known: BTreeMap<String, PathBuf>, cache: PathBuf) -> Self {
        Self { known, cache: Some(cache), busy: Arc::default() }
    }

    /// A repository of the task's project that has the commit to start from.
    ///
    /// # Errors
    /// In words, why there is none.
    pub async fn find(&self, task: &AgentTask) -> Result<Repository, String> {
        let base = task.base.as_ref().ok_or("the run knows no commit to start from")?;
        let mut tried = Vec::new();
        let here = [("where this machine's owner has it", self.known.get(&task.project).cloned())]
            .into_iter()
            .chain([("where the project is registered", Some(PathBuf::from(&task.repository)))]);
        for (role, path) in here {
            let Some(path) = path else { continue };
            match with_commit(&path, base).await {
                Ok(repository) => return Ok(repository),
                Err(why) => tried.push(format!("{role}: {why}")),
            }
        }
        match (&self.cache, &task.url) {
            (Some(cache), Some(url)) => match self.cloned(cache, url, base).await {
                Ok(repository) => return Ok(repository),
                Err(why) => tried.push(format!("by cloning: {why}")),
            },
            (Some(_), None) => tried.push("by cloning: the project has no address of a server".to_owned()),
            (None, _) => {}
        }
        Err(format!("this worker has no clone of the project with the commit ({})", tried.join("; ")))
    }

    async fn cloned(&self, cache: &Path, url: &str, base: &ObjectId) -> Result<Repository, String> {
        let _alone = self.busy.lock().await;
        let folder = cached_at(cache, url);
        let repository = match Repository::open(&folder).await {
            Ok(repository) => repository,
            // Not there, or left half made by a process that died.
            Err(_) => Repository::clone_from(url, &folder).await.map_err(|error| error.to_string())?,
        };
        if repository.tree_of(base).await.is_err() {
            repository.fetch().await.map_err(|error| error.to_string())?;
            repository.tree_of(base).await.map_err(|_| format!("the server does not have {base}; was it pushed?"))?;
        }
        Ok(repository)
    }

    /// Lets go of the commit that a run stood on, wherever a worker may have found it; the plane tidies by itself. What cannot be let go of now keeps a commit from being cleaned up, and nothing else.
    pub async fn let_go(&self, task: &AgentTask, root: &WorktreeRoot) {
        let Some(cache) = &self.cache else { return };
        let cached = task.url.as_ref().map(|url| cached_at(cache, url));
        let known = self.known.get(&task.project).cloned();
        for path in [known, cached, Some(PathBuf::from(&task.repository))].into_iter().flatten() {
            if let Ok(repository) = Repository::open(&path).await {
                let _ = root.unpin(&repository, &task.run.to_string()).await;
            }
        }
    }
}

fn cached_at(cache: &Path, url: &str) -> PathBuf {
    cache.join(Digest::of(url.as_bytes()).to_string())
}

/// What lies at a path, when it is a repository with this commit. Which path that is, is nobody's business elsewhere.
async fn with_commit(path: &Path, base: &ObjectId) -> Result<Repository, String> {
    if !path.is_absolute() {
        return Err("its path is not absolute".to_owned());
    }
    let repository = match Repository::open(path).await {
        Ok(repository) => repository,
        Err(error) => return Err(error.code().title().to_lowercase()),
    };
    repository.tree_of(base).await.map_err(|_| "it does not have the commit".to_owned())?;
    Ok(repository)
}

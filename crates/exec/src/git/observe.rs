//! Which files a gate sees: the git tree id of a checkout as it lies (P54, P56, X59, X64).
//!
//! The user's index says what is tracked; everything else is found out by a copy of it, with new
//! objects going to a folder of the plane's own that borrows the repository's. So the user's
//! index, objects and locks are left alone, a clean checkout gives exactly its commit's tree, and
//! what is observed before a commit is named as it will be after it.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use model::proof::tree::ObjectId;
use tokio::sync::Mutex;

use super::{
    FileChange, GitError, Kind, Repository,
    command::Git,
    index::{self, Entry, NotRead},
    read::name_status,
    repository::object,
};

/// Untracked folders that are caches of tools, never part of what is proved.
const CACHES: &[&str] = &[
    "node_modules",
    "target",
    "__pycache__",
    ".venv",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    "coverage",
    "test-results",
];

/// How long objects of earlier observations are kept once there are many.
const KEEP_OBJECTS: Duration = Duration::from_secs(48 * 3600);
/// How many observations pass between two looks at their number.
const SWEEP_EVERY: u64 = 256;

/// What a checkout was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The tree of the files as they lie, or why it cannot be known: then evidence for it is
    /// fresh nowhere.
    pub tree: Result<ObjectId, String>,
    /// The commit under it.
    pub commit: ObjectId,
    /// The branch, unless HEAD is detached.
    pub branch: Option<String>,
    /// Whether the files differ from the commit.
    pub dirty: bool,
}

/// How the files moved from one tree to another (X59).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Files of the first tree that are other or gone: the tree has moved.
    pub moved: Vec<FileChange>,
    /// New files: residue of what ran in between, not a move.
    pub residue: Vec<String>,
}

/// Watches one checkout. It keeps what git learned about the files from one look to the next, in
/// a folder of the plane's own.
#[derive(Debug)]
pub struct Observer {
    repository: Repository,
    folder: PathBuf,
    ignored: Vec<String>,
    looks: Mutex<u64>,
}

impl Observer {
    /// An observer that keeps its things in `folder`, which it makes. `tree_ignore` are patterns
    /// of untracked files to leave out, in the notation of `.gitignore`.
    pub fn new(repository: Repository, folder: &Path, tree_ignore: &[String]) -> Result<Self, GitError> {
        let objects = folder.join("objects");
        let info = objects.join("info");
        let made = fs::create_dir_all(&info)
            .and_then(|()| fs::create_dir_all(objects.join("pack")))
            .and_then(|()| fs::write(info.join("alternates"), format!("{}\n", repository.objects().display())));
        made.map_err(|error| failed("observe", &format!("{}: {error}", folder.display())))?;
        let ignored = tree_ignore.iter().filter(|pattern| !pattern.contains('\n')).cloned().collect();
        let observer = Self { repository, folder: folder.to_owned(), ignored, looks: Mutex::new(0) };
        observer.write_excludes()?;
        Ok(observer)
    }

    /// The repository it watches.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Looks at the checkout. About two git processes one after the other on a clean one.
    pub async fn observe(&self) -> Result<Observation, GitError> {
        let mut looks = self.looks.lock().await;
        *looks += 1;
        if looks.is_multiple_of(SWEEP_EVERY) {
            sweep(&self.folder.join("objects"), SystemTime::now());
        }
        let (head, tree) = tokio::join!(self.repository.head(), self.tree());
        let head = head?;
        let tree = tree?;
        let dirty = tree.as_ref() != Ok(&head.tree);
        Ok(Observation { tree, commit: head.commit, branch: head.branch, dirty })
    }

    /// What moved between two observed trees, or commits.
    pub async fn compare(&self, start: &ObjectId, now: &ObjectId) -> Result<Moves, GitError> {
        let mut moves = Moves::default();
        for change in self.changed(start, now).await? {
            match change.kind {
                Kind::Added => moves.residue.push(change.path),
                Kind::Modified | Kind::Deleted => moves.moved.push(change),
            }
        }
        Ok(moves)
    }

    /// The files in which an observed tree differs from another, or from a commit.
    pub async fn changed(&self, from: &ObjectId, to: &ObjectId) -> Result<Vec<FileChange>, GitError> {
        if from == to {
            return Ok(Vec::new());
        }
        let diff =
            self.git().args(["diff-tree", "-r", "--name-status", "-z", "--no-renames", from.as_str(), to.as_str()]);
        Ok(name_status(&diff.tell().await?))
    }

    async fn tree(&self) -> Result<Result<ObjectId, String>, GitError> {
        // What was kept may have lost its objects; the second try starts from the user's index.
        match self.try_tree(true).await {
            Err(GitError::Failed { .. }) => self.try_tree(false).await,
            done => done,
        }
    }

    async fn try_tree(&self, may_keep: bool) -> Result<Result<ObjectId, String>, GitError> {
        let copy = Scratch::in_folder(&self.folder);
        let Some(source) = self.source(may_keep, &copy).await? else {
            return Ok(Err("the index of the repository cannot be read".to_owned()));
        };
        let git = || self.git().env("GIT_INDEX_FILE", &copy.path);
        let has_modules = source.entries.iter().any(|entry| entry.is_link);
        let add = git()
            .setting("core.ignoreStat", "false")
            .setting("core.safecrlf", "false")
            .setting("core.splitIndex", "false")
            .setting("core.fsync", "none")
            .setting("core.looseCompression", "1")
            .setting("core.excludesFile", &self.folder.join("excludes").to_string_lossy())
            .args(["add", "-A"])
            .timeout(Duration::from_secs(600));
        let (added, dirty_module) = tokio::join!(add.ask(), self.dirty_module(has_modules));
        let added = added?;
        if let Some(module) = dirty_module? {
            return Ok(Err(format!("the submodule {module} has changes of its own")));
        }
        if added.code != 0 {
            // A folder with a repository that has no commit, a file that may not be read.
            return match added.failed() {
                GitError::Failed { message, .. } if message.contains("does not have a commit") => Ok(Err(message)),
                GitError::Failed { message, .. } if message.contains("ermission denied") => Ok(Err(message)),
                other => Err(other),
            };
        }

        let after = read_index(&copy.path, self.repository.is_sha256())
            .map_err(|why| failed("add", &why))?
            .map_err(|NotRead| failed("add", "it wrote an index that cannot be read"))?;
        let before: BTreeSet<&[u8]> = source.entries.iter().map(|entry| entry.path.as_slice()).collect();
        let new: Vec<&Entry> = after.1.iter().filter(|entry| !before.contains(entry.path.as_slice())).collect();
        if let Some(nested) = new.iter().find(|entry| entry.is_link && !is_cache(&entry.path)) {
            return Ok(Err(format!("{} is a repository of its own", String::from_utf8_lossy(&nested.path))));
        }
        // A `.gitignore` can take a cache back in; we do not.
        let caches: Vec<u8> = new
            .iter()
            .filter(|entry| is_cache(&entry.path))
            .flat_map(|entry| entry.path.iter().copied().chain([0]))
            .collect();
        if !caches.is_empty() {
            git().args(["update-index", "--force-remove", "-z", "--stdin"]).input(caches).tell().await?;
        }
        let written = git().args(["write-tree"]).tell().await?;
        let tree = object(String::from_utf8_lossy(&written).trim())?;
        if new.is_empty() && after.1.len() == source.entries.len() {
            // It lists what the user's lists, and knows more about it: the next look is faster.
            if fs::rename(&copy.path, self.folder.join("index")).is_ok() {
                let _ = fs::write(self.folder.join("index-of"), source.name);
            }
        }
        Ok(Ok(tree))
    }

    /// Lays a copy of the best index there is, and says what it lists.
    async fn source(&self, may_keep: bool, copy: &Scratch) -> Result<Option<Source>, GitError> {
        let users = self.repository.git_dir().join("index");
        if !users.exists() {
            // Nobody has checked anything out yet: everything in HEAD is tracked.
            self.git().env("GIT_INDEX_FILE", &copy.path).args(["read-tree", "HEAD"]).tell().await?;
        }
        let origin = if users.exists() { users } else { copy.path.clone() };
        let name = name_of(&origin).map_err(|why| failed("observe", &why))?;
        let kept = self.folder.join("index");
        let is_kept = may_keep && fs::read_to_string(self.folder.join("index-of")).is_ok_and(|of| of == name);
        let from = if is_kept && kept.exists() { &kept } else { &origin };
        let read = read_index(from, self.repository.is_sha256()).map_err(|why| failed("observe", &why))?;
        let (mut bytes, entries, written) = match read {
            Ok((bytes, entries, written)) => (bytes, entries, written),
            Err(NotRead) => {
                // Split over two files: git itself makes one of it.
                if from != &copy.path {
                    fs::copy(from, &copy.path).map_err(|error| failed("observe", &error.to_string()))?;
                }
                let whole = self.git().env("GIT_INDEX_FILE", &copy.path).args(["update-index", "--no-split-index"]);
                whole.tell().await?;
                match read_index(&copy.path, self.repository.is_sha256()).map_err(|why| failed("observe", &why))? {
                    Ok(whole) => whole,
                    Err(NotRead) => return Ok(None),
                }
            }
        };
        index::look_at_all(&mut bytes, &entries);
        let laid = fs::write(&copy.path, &bytes).and_then(|()| {
            // git takes files that are as new as the index for possibly changed since. The copy
            // must not look newer than what it is a copy of.
            fs::File::options().write(true).open(&copy.path)?.set_modified(written)
        });
        laid.map_err(|error| failed("observe", &error.to_string()))?;
        Ok(Some(Source { entries, name }))
    }

    /// A submodule whose own files are changed, where there are submodules.
    async fn dirty_module(&self, has_modules: bool) -> Result<Option<String>, GitError> {
        if !has_modules {
            return Ok(None);
        }
        let status = self
            .repository
            .git()
            .args(["status", "--porcelain=v2", "-z", "--ignore-submodules=none", "--untracked-files=no"])
            .tell()
            .await?;
        // `1 XY S<c><m><u> mH mI mW hH hI path`
        Ok(String::from_utf8_lossy(&status).split('\0').find_map(|line| {
            let fields: Vec<&str> = line.splitn(9, ' ').collect();
            let module = fields.get(2).filter(|field| field.starts_with('S') && fields[0] == "1")?;
            (module.contains('M') || module.contains('U')).then(|| fields.get(8).unwrap_or(&"?").to_string())
        }))
    }

    fn git(&self) -> Git {
        self.repository.git().env("GIT_OBJECT_DIRECTORY", self.folder.join("objects"))
    }

    /// One file of everything that is left out unless tracked.
    fn write_excludes(&self) -> Result<(), GitError> {
        let mut text = self.repository.excludes().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        text.push('\n');
        for cache in CACHES {
            text.push_str(&format!("{cache}/\n"));
        }
        for pattern in &self.ignored {
            // Neither a comment nor an exception.
            if pattern.starts_with(['!', '#']) {
                text.push('\\');
            }
            text.push_str(pattern);
            text.push('\n');
        }
        let path = self.folder.join("excludes");
        fs::write(&path, text).map_err(|error| failed("observe", &format!("{}: {error}", path.display())))
    }
}

struct Source {
    entries: Vec<Entry>,
    /// Which state of the user's index it is.
    name: String,
}

/// A file of a name of its own, gone when it is no longer needed.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn in_folder(folder: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { path: folder.join(format!("look-{}-{count}", std::process::id())) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

/// Bytes, entries and time of writing.
type ReadIndex = (Vec<u8>, Vec<Entry>, SystemTime);

fn read_index(path: &Path, is_sha256: bool) -> Result<Result<ReadIndex, NotRead>, String> {
    let read = || {
        let mut file = fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, file.metadata()?.modified()?))
    };
    let (bytes, written) = read().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
    Ok(index::entries(&bytes, is_sha256).map(|entries| (bytes, entries, written)))
}

/// A name for the state of a file, without reading it.
fn name_of(path: &Path) -> Result<String, String> {
    let data = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(format!(
        "{}.{:09} {}.{:09} {} {}",
        data.mtime(),
        data.mtime_nsec(),
        data.ctime(),
        data.ctime_nsec(),
        data.size(),
        data.ino()
    ))
}

fn is_cache(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').rev().skip(1).any(|part| CACHES.iter().any(|cache| cache.as_bytes() == part))
}

fn failed(action: &str, message: &str) -> GitError {
    GitError::Failed { action: action.to_owned(), message: message.to_owned() }
}

/// Removes objects that no observation has touched for long.
fn sweep(objects: &Path, now: SystemTime) {
    for folder in fs::read_dir(objects).into_iter().flatten().flatten() {
        if folder.file_name().len() != 2 {
            continue;
        }
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let age = file.metadata().and_then(|data| data.modified()).ok().and_then(|at| now.duration_since(at).ok());
            if age.is_some_and(|age| age > KEEP_OBJECTS) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P54: a cache is a folder, at any depth.
    #[test]
    fn caches_are_folders() {
        for (path, expected) in
            [("target/a", true), ("x/target/a", true), ("target", false), ("x/targets/a", false), ("coverage", false)]
        {
            assert_eq!(is_cache(path.as_bytes()), expected, "{path}");
        }
    }
}

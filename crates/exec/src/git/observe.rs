//! Which files a gate sees: the git tree id of a checkout as it lies (P54, P56, X59, X64).
//!
//! The user's index says what is tracked; everything else is found out by a copy of it, with new
//! objects going to a folder of the plane's own that borrows the repository's. So the user's
//! index, objects and locks are left alone, a clean checkout gives exactly its commit's tree, and
//! what is observed before a commit is named as it will be after it.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io::Read as _,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use model::{digest::Digest, proof::tree::ObjectId};
use tokio::sync::Mutex;

use super::{
    FileChange, GitError, Kind, Repository,
    command::Git,
    index::{self, Entry, NotRead},
    modules,
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

/// How files that keep what was learned begin.
const KEPT: &str = "kept-";

/// How long objects of earlier observations are kept once there are many.
const KEEP_OBJECTS: Duration = Duration::from_secs(48 * 3600);
/// How long the name of a tree is believed without its objects being touched: well below the above.
const REMEMBER: Duration = Duration::from_secs(12 * 3600);
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
    /// The files of the tree that git does not track, sorted. Names that are no UTF-8 are shown with
    /// replacement characters.
    pub untracked: Vec<String>,
}

/// How the files moved since an observation (X59).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Files of the first tree that are other or gone, and new ones that somebody handed to git: the
    /// tree has moved.
    pub moved: Vec<FileChange>,
    /// New untracked files: residue of what ran in between, not a move.
    pub residue: Vec<String>,
    /// Why the tree cannot be known now. Then nothing says that it has not moved.
    pub unknown: Option<String>,
}

impl Moves {
    /// Whether what was proved before may be about other files than those that lie there now.
    pub fn is_moved(&self) -> bool {
        self.unknown.is_some() || !self.moved.is_empty()
    }
}

/// Watches one checkout. It keeps what git learned about the files from one look to the next, in
/// a folder of the plane's own.
#[derive(Debug)]
pub struct Observer {
    repository: Repository,
    folder: PathBuf,
    ignored: Vec<String>,
    /// The same patterns once more: no `.gitignore` can take back in what they leave out.
    ignored_set: GlobSet,
    looks: Mutex<Looks>,
}

/// What is remembered from look to look.
#[derive(Debug, Default)]
struct Looks {
    count: u64,
    /// What an index that was kept says, so that git need not be asked again.
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    /// Which index, by its bytes.
    print: u64,
    tree: ObjectId,
    since: Instant,
}

impl Observer {
    /// An observer that keeps its things in `folder`, which it makes. `tree_ignore` are globs of
    /// untracked files to leave out, in the notation of `.gitignore` or that of the plane.
    pub fn new(repository: Repository, folder: &Path, tree_ignore: &[String]) -> Result<Self, GitError> {
        let objects = folder.join("objects");
        let info = objects.join("info");
        let made = fs::create_dir_all(&info)
            .and_then(|()| fs::create_dir_all(objects.join("pack")))
            .and_then(|()| fs::write(info.join("alternates"), format!("{}\n", repository.objects().display())));
        made.map_err(|error| failed("observe", &format!("{}: {error}", folder.display())))?;
        let ignored = tree_ignore.iter().filter(|pattern| !pattern.contains('\n')).cloned().collect();
        let observer = Self {
            repository,
            folder: folder.to_owned(),
            ignored_set: glob_set(tree_ignore),
            ignored,
            looks: Mutex::default(),
        };
        observer.write_excludes()?;
        Ok(observer)
    }

    /// The repository it watches.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Looks at the checkout. Two git processes side by side, and a third when something is new.
    pub async fn observe(&self) -> Result<Observation, GitError> {
        let mut looks = self.looks.lock().await;
        looks.count += 1;
        if looks.count.is_multiple_of(SWEEP_EVERY) {
            sweep(&self.folder.join("objects"), SystemTime::now());
        }
        let (head, tree) = tokio::join!(self.repository.head(), self.tree(&mut looks.known));
        let head = head?;
        let (tree, untracked) = match tree? {
            Ok(seen) => (Ok(seen.tree), seen.untracked),
            Err(why) => (Err(why), Vec::new()),
        };
        let dirty = tree.as_ref() != Ok(&head.tree);
        Ok(Observation { tree, commit: head.commit, branch: head.branch, dirty, untracked })
    }

    /// What moved since a tree was observed. The same content is no move, committed meanwhile or not.
    pub async fn compare(&self, start: &ObjectId, now: &Observation) -> Result<Moves, GitError> {
        let mut moves = Moves::default();
        let tree = match &now.tree {
            Ok(tree) => tree,
            Err(why) => return Ok(Moves { unknown: Some(why.clone()), ..moves }),
        };
        let changed = match self.changed(start, tree).await {
            Ok(changed) => changed,
            // Its objects were swept, or lost with the plane's folder: another id is all that is known.
            Err(GitError::Failed { message, .. }) => {
                return Ok(Moves {
                    unknown: Some(format!("the first tree can no longer be read: {message}")),
                    ..moves
                });
            }
            Err(error) => return Err(error),
        };
        for change in changed {
            match change.kind {
                Kind::Added if now.untracked.binary_search(&change.path).is_ok() => moves.residue.push(change.path),
                Kind::Added | Kind::Modified | Kind::Deleted => moves.moved.push(change),
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

    async fn tree(&self, known: &mut Option<Known>) -> Result<Result<Seen, String>, GitError> {
        // What was kept may have lost its objects; the second try starts from the user's index.
        match self.try_tree(known, true).await {
            Err(GitError::Failed { .. }) => {
                *known = None;
                self.try_tree(known, false).await
            }
            done => done,
        }
    }

    async fn try_tree(&self, known: &mut Option<Known>, may_keep: bool) -> Result<Result<Seen, String>, GitError> {
        let copy = Scratch::in_folder(&self.folder);
        let Some(source) = self.source(may_keep, &copy).await? else {
            return Ok(Err("the index of the repository cannot be read".to_owned()));
        };
        let git = || self.git().env("GIT_INDEX_FILE", &copy.path);
        let links: Vec<&Entry> = source.entries.iter().filter(|entry| entry.is_link).collect();
        let add = git()
            // What it left out is not there, and is believed; what is there is looked at.
            .setting("core.sparseCheckout", "false")
            .setting("core.safecrlf", "false")
            .setting("core.splitIndex", "false")
            .setting("core.fsync", "none")
            .setting("core.looseCompression", "1")
            .setting("core.excludesFile", &self.folder.join("excludes").to_string_lossy())
            .args(["add", "-A"])
            .timeout(Duration::from_secs(600));
        // A submodule is looked at first: git must not be led into one that somebody laid there.
        if let Some(why) = modules::unknown(&self.repository, &links, &|path| self.is_left_out(path)).await? {
            return Ok(Err(why));
        }
        let added = add.ask().await?;
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
        if after.0 == source.bytes
            && let Some(known) = known.as_ref()
            && known.since.elapsed() < REMEMBER
            && known.print == print_of(&source.bytes)
        {
            return Ok(Ok(Seen { tree: known.tree.clone(), untracked: Vec::new() }));
        }
        let before: BTreeSet<&[u8]> = source.entries.iter().map(|entry| entry.path.as_slice()).collect();
        let new: Vec<&Entry> = after.1.iter().filter(|entry| !before.contains(entry.path.as_slice())).collect();
        if let Some(nested) = new.iter().find(|entry| entry.is_link && !self.is_left_out(&entry.path)) {
            let nested = String::from_utf8_lossy(&nested.path).into_owned();
            return Ok(Err(format!("{nested} is a repository of its own: ignore it, or list it in tree_ignore")));
        }
        // A `.gitignore` can take a cache back in; we do not.
        let (out, new): (Vec<&Entry>, Vec<&Entry>) = new.into_iter().partition(|entry| self.is_left_out(&entry.path));
        if !out.is_empty() {
            let paths = out.iter().flat_map(|entry| entry.path.iter().copied().chain([0])).collect();
            git().args(["update-index", "--force-remove", "-z", "--stdin"]).input(paths).tell().await?;
        }
        // The name of the tree is asked for, not its files: a partial clone does not have them all.
        let written = git().args(["write-tree", "--missing-ok"]).tell().await?;
        let tree = object(String::from_utf8_lossy(&written).trim())?;
        if new.is_empty() && after.1.len() == source.entries.len() {
            // It lists what the user's lists, and knows more about it: the next look is faster. Its
            // name says whose it is, so that nothing in between can give it to another.
            self.forget_kept(&source.kept);
            let bytes = fs::read(&copy.path).ok().filter(|_| fs::rename(&copy.path, &source.kept).is_ok());
            *known = bytes.map(|bytes| Known { print: print_of(&bytes), tree: tree.clone(), since: Instant::now() });
        }
        let mut untracked: Vec<String> =
            new.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect();
        untracked.sort();
        Ok(Ok(Seen { tree, untracked }))
    }

    /// Removes what was kept of earlier states of the user's index.
    fn forget_kept(&self, but: &Path) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(KEPT.as_bytes()) && entry.path() != but {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn is_left_out(&self, path: &[u8]) -> bool {
        is_cache(path) || self.ignored_set.is_match(OsStr::from_bytes(path))
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
        let kept = self.folder.join(format!("{KEPT}{}", Digest::of(name.as_bytes())));
        let from = if may_keep && kept.exists() { &kept } else { &origin };
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
        let root = self.repository.root();
        index::look_at_all(&mut bytes, &entries, |path| root.join(OsStr::from_bytes(path)).symlink_metadata().is_ok());
        let laid = fs::write(&copy.path, &bytes).and_then(|()| {
            // git takes files that are as new as the index for possibly changed since. The copy
            // must not look newer than what it is a copy of.
            fs::File::options().write(true).open(&copy.path)?.set_modified(written)
        });
        laid.map_err(|error| failed("observe", &error.to_string()))?;
        Ok(Some(Source { entries, kept, bytes }))
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
    /// As it was laid.
    bytes: Vec<u8>,
    /// Where what is learned about this state of the user's index is kept.
    kept: PathBuf,
}

struct Seen {
    tree: ObjectId,
    untracked: Vec<String>,
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

/// Tells the plane's own indexes apart; nobody else chooses their bytes.
fn print_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
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

/// The patterns as globs. One that is none is left to git; it was refused where it was written.
fn glob_set(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() {
            set.add(glob);
        }
    }
    set.build().unwrap_or_default()
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

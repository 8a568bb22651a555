//! Checkouts of the plane's own (X39, L13-L16, P55).
//!
//! Each has a git directory inside its run's folder and borrows the clone's objects. Whatever
//! happens in it cannot reach the refs, settings, hooks or objects of the clone. The commit it
//! stands on is pinned there by a ref under `refs/proofhouse/`, so that a clean-up of the clone
//! does not take the borrowed objects away.
//!
//! That git directory is for those who work there, and they may write what they like into it, also
//! settings that make git start programs. So the plane never looks through it: it has a second one
//! of its own beside it, which nobody else may write ([`Worktree::repository`]).
//!
//! Nothing is ever removed but folders below the root that carry the plane's own mark.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use model::proof::tree::{ObjectId, RefName};

use super::{GitError, Repository};

/// The file by which a folder is known to be ours.
const MARK: &str = "proofhouse-worktree";
/// How a git directory says that its objects are named by SHA-256.
const SHA256: &str = "objectFormat = sha256";
/// Where commits are pinned.
const PINS: &str = "refs/proofhouse";

/// The folder that holds all worktrees of the plane.
#[derive(Debug, Clone)]
pub struct WorktreeRoot {
    root: PathBuf,
}

/// What to check out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The commit.
    pub commit: ObjectId,
    /// A new branch on it, for work that is to be kept; none for a detached HEAD.
    pub branch: Option<RefName>,
}

/// A checkout that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its files. Who works there may write here,
    pub path: PathBuf,
    /// and here: its git directory.
    pub git_dir: PathBuf,
    /// The git directory through which the plane looks. No gate and no agent may write here.
    pub plane_dir: PathBuf,
    /// The folder of its run, for all else the run needs.
    pub run_folder: PathBuf,
    is_sha256: bool,
}

impl Worktree {
    fn at(folder: &Path, run_folder: PathBuf, is_sha256: bool) -> Self {
        Self {
            path: folder.join("tree"),
            git_dir: folder.join("git"),
            plane_dir: folder.join("plane"),
            run_folder,
            is_sha256,
        }
    }

    /// Whether its files and what the plane knows of them are still there (S71).
    pub fn is_whole(&self) -> bool {
        self.path.is_dir() && self.plane_dir.join("index").is_file()
    }

    /// The worktree as the plane sees it, to read and to observe. Its HEAD stays on the commit that
    /// was checked out, whatever is committed there.
    pub fn repository(&self) -> Repository {
        Repository::of_plane(self.path.clone(), self.plane_dir.clone(), self.is_sha256)
    }
}

impl WorktreeRoot {
    /// Takes a folder for worktrees, and makes it.
    pub fn new(root: &Path) -> Result<Self, GitError> {
        fs::create_dir_all(root).map_err(|error| failed("make", root, &error))?;
        let root = root.canonicalize().map_err(|error| failed("open", root, &error))?;
        Ok(Self { root })
    }

    /// The folder of a run.
    pub fn folder_of(&self, run: &str) -> Result<PathBuf, GitError> {
        let plain = !run.is_empty()
            && run.len() <= 64
            && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if plain { Ok(self.root.join(run)) } else { Err(GitError::PathOutside) }
    }

    /// Makes a worktree for a run. `key` tells the run's repositories apart. One that is there
    /// already, from a try that died, is removed and made again (L15).
    pub async fn create(
        &self,
        repository: &Repository,
        run: &str,
        key: &str,
        checkout: &Checkout,
    ) -> Result<Worktree, GitError> {
        let run_folder = self.folder_of(run)?;
        // A key is named as a run is.
        let folder = run_folder.join(self.folder_of(key)?.file_name().ok_or(GitError::PathOutside)?);
        fs::create_dir_all(&run_folder).map_err(|error| failed("make", &run_folder, &error))?;
        fs::write(run_folder.join(MARK), run).map_err(|error| failed("mark", &run_folder, &error))?;
        if folder.symlink_metadata().is_ok() {
            remove_folder(&folder)?;
        }
        let worktree = Worktree::at(&folder, run_folder, repository.is_sha256());

        let pin = format!("{PINS}/{run}");
        repository.git().args(["update-ref", "--end-of-options", &pin, checkout.commit.as_str()]).tell().await?;
        if let Err(error) = self.lay(repository, &worktree, checkout).await {
            // git says which files it could not write, and not why.
            let is_full = has_no_space(&folder);
            let _ = remove_folder(&folder);
            return Err(if is_full { GitError::DiskFull(error.to_string()) } else { error });
        }
        Ok(worktree)
    }

    /// A worktree that was made before, by this process or another.
    pub fn open(&self, run: &str, key: &str) -> Result<Worktree, GitError> {
        let run_folder = self.folder_of(run)?;
        let folder = run_folder.join(self.folder_of(key)?.file_name().ok_or(GitError::PathOutside)?);
        let worktree = Worktree::at(&folder, run_folder, false);
        let config = fs::read_to_string(worktree.plane_dir.join("config"));
        match config {
            // Written last: a worktree without it was never finished.
            Ok(config) if worktree.is_whole() => Ok(Worktree { is_sha256: config.contains(SHA256), ..worktree }),
            _ => Err(GitError::Missing(worktree.path)),
        }
    }

    /// The keys of the worktrees that stand in a run's folder, finished or not.
    pub fn keys(&self, run: &str) -> Vec<String> {
        let Ok(folder) = self.folder_of(run) else { return Vec::new() };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    async fn lay(&self, repository: &Repository, worktree: &Worktree, checkout: &Checkout) -> Result<(), GitError> {
        fs::create_dir_all(&worktree.path).map_err(|error| failed("make", &worktree.path, &error))?;
        lay_git_dir(&worktree.plane_dir, repository, worktree, None, &checkout.commit)?;
        lay_git_dir(&worktree.git_dir, repository, worktree, checkout.branch.as_ref(), &checkout.commit)?;
        let pointer = worktree.path.join(".git");
        fs::write(&pointer, format!("gitdir: {}\n", worktree.git_dir.display()))
            .map_err(|error| failed("write", &pointer, &error))?;
        worktree
            .repository()
            .git()
            .setting("core.fsync", "none")
            .args(["read-tree", "--reset", "-u", checkout.commit.as_str()])
            .timeout(Duration::from_secs(600))
            .tell()
            .await?;
        // As old as it is: git takes files as new as their index for possibly changed.
        let (from, to) = (worktree.plane_dir.join("index"), worktree.git_dir.join("index"));
        let copied = fs::copy(&from, &to).and_then(|_| {
            let written = from.metadata()?.modified()?;
            fs::File::options().write(true).open(&to)?.set_modified(written)
        });
        copied.map_err(|error| failed("write", &to, &error))
    }

    /// Removes everything of a run here: its worktrees and its folder. Removing what is not there
    /// is nothing. The pin stays until [`Self::unpin`].
    pub fn remove(&self, run: &str) -> Result<(), GitError> {
        let folder = self.folder_of(run)?;
        match folder.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("remove", &folder, &error)),
            Ok(data) if !data.is_dir() => return Err(GitError::PathOutside),
            Ok(_) => {}
        }
        if fs::read_to_string(folder.join(MARK)).is_ok_and(|marked| marked == run) {
            remove_folder(&folder)
        } else {
            Err(GitError::Failed {
                action: "worktree".to_owned(),
                message: format!("{} does not carry the plane's mark and is left alone", folder.display()),
            })
        }
    }

    /// Lets go of the commit a run stood on.
    pub async fn unpin(&self, repository: &Repository, run: &str) -> Result<(), GitError> {
        self.folder_of(run)?;
        let pin = format!("{PINS}/{run}");
        repository.git().args(["update-ref", "-d", "--end-of-options", &pin]).tell().await.map(drop)
    }

    /// The runs whose commits are pinned in a clone, of this plane or of another.
    pub async fn pinned(&self, repository: &Repository) -> Result<Vec<String>, GitError> {
        let out = repository.git().args(["for-each-ref", "--format=%(refname)", PINS]).tell().await?;
        let text = String::from_utf8_lossy(&out);
        // `refs/proofhouse/archive/...` and the like belong to others.
        let runs = text.lines().filter_map(|line| line.strip_prefix("refs/proofhouse/"));
        Ok(runs.filter(|run| !run.contains('/')).map(str::to_owned).collect())
    }
}

/// Makes a git directory that borrows the clone's objects and stands on a commit.
fn lay_git_dir(
    git: &Path,
    repository: &Repository,
    worktree: &Worktree,
    branch: Option<&RefName>,
    commit: &ObjectId,
) -> Result<(), GitError> {
    let write = |path: PathBuf, text: String| -> Result<(), GitError> {
        let folder = path.parent().unwrap_or(git);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|error| failed("write", &path, &error))
    };
    let (version, format) = match repository.is_sha256() {
        true => (1, format!("[extensions]\n\t{SHA256}\n")),
        false => (0, String::new()),
    };
    write(
        git.join("config"),
        format!(
            "[core]\n\trepositoryFormatVersion = {version}\n\tfileMode = true\n\tbare = false\n\tworktree = {}\n\
             \tlogAllRefUpdates = false\n[gc]\n\tauto = 0\n[user]\n\tname = Proofhouse\n\temail = proofhouse@localhost\n{format}",
            quoted(&worktree.path)
        ),
    )?;
    let head = match branch {
        None => format!("{commit}\n"),
        Some(branch) => {
            write(git.join("refs/heads").join(branch.as_str()), format!("{commit}\n"))?;
            format!("ref: refs/heads/{branch}\n")
        }
    };
    write(git.join("HEAD"), head)?;
    write(git.join("objects/info/alternates"), format!("{}\n", repository.objects().display()))?;
    fs::create_dir_all(git.join("refs/heads")).map_err(|error| failed("make", git, &error))?;
    // Where history was cut off in the clone, it is cut off here.
    let shallow = repository.common_dir().join("shallow");
    if shallow.is_file() {
        fs::copy(&shallow, git.join("shallow")).map_err(|error| failed("copy", &shallow, &error))?;
    }
    Ok(())
}

/// Removes a folder and what is in it, never what its links lead to. Folders that their maker
/// closed (Go's module cache does) are opened first.
fn remove_folder(folder: &Path) -> Result<(), GitError> {
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        if next.symlink_metadata().is_ok_and(|data| data.is_dir()) {
            let _ = fs::set_permissions(&next, fs::Permissions::from_mode(0o700));
            open.extend(fs::read_dir(&next).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    fs::remove_dir_all(folder).map_err(|error| failed("remove", folder, &error))
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether the disk that a folder is on has no room for a file of some size.
fn has_no_space(folder: &Path) -> bool {
    const ROOM: u64 = 256 << 10;
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> GitError {
    if error.kind() == io::ErrorKind::StorageFull {
        return GitError::DiskFull(format!("failed to {what} {}: {error}", path.display()));
    }
    GitError::Failed { action: "worktree".to_owned(), message: format!("failed to {what} {}: {error}", path.display()) }
}

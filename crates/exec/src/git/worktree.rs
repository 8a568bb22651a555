//! Checkouts of the plane's own (X39, L13-L16, P55).
//!
//! Each has a git directory inside its run's folder and borrows the clone's objects. Whatever
//! happens in it cannot reach the refs, settings, hooks or objects of the clone. The commit it
//! stands on is pinned there by a ref under `refs/proofhouse/`, so that a clean-up of the clone
//! does not take the borrowed objects away.
//!
//! Nothing is ever removed but folders below the root that carry the plane's own mark.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use model::proof::tree::{ObjectId, RefName};

use super::{GitError, Repository, command::Git};

/// The file by which a folder is known to be ours.
const MARK: &str = "proofhouse-worktree";
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
    /// Its files.
    pub path: PathBuf,
    /// Its git directory.
    pub git_dir: PathBuf,
    /// The folder of its run, for all else the run needs.
    pub run_folder: PathBuf,
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
        let worktree = Worktree { path: folder.join("tree"), git_dir: folder.join("git"), run_folder };

        let pin = format!("{PINS}/{run}");
        repository.git().args(["update-ref", "--end-of-options", &pin, checkout.commit.as_str()]).tell().await?;
        let laid = self.lay(repository, &worktree, checkout).await;
        if laid.is_err() {
            let _ = remove_folder(&folder);
        }
        laid.map(|()| worktree)
    }

    async fn lay(&self, repository: &Repository, worktree: &Worktree, checkout: &Checkout) -> Result<(), GitError> {
        let git = &worktree.git_dir;
        let write = |path: PathBuf, text: String| -> Result<(), GitError> {
            let folder = path.parent().unwrap_or(git);
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
            written.map_err(|error| failed("write", &path, &error))
        };
        let (version, format) =
            if repository.is_sha256() { (1, "[extensions]\n\tobjectFormat = sha256\n") } else { (0, "") };
        write(
            git.join("config"),
            format!(
                "[core]\n\trepositoryFormatVersion = {version}\n\tfileMode = true\n\tbare = false\n\tworktree = {}\n\
                 \tlogAllRefUpdates = false\n[gc]\n\tauto = 0\n[user]\n\tname = Proofhouse\n\temail = proofhouse@localhost\n{format}",
                quoted(&worktree.path)
            ),
        )?;
        let head = match &checkout.branch {
            None => format!("{}\n", checkout.commit),
            Some(branch) => {
                write(git.join("refs/heads").join(branch.as_str()), format!("{}\n", checkout.commit))?;
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
        write(worktree.path.join(".git"), format!("gitdir: {}\n", git.display()))?;
        Git::at(&worktree.path)
            .setting("core.fsync", "none")
            .args(["read-tree", "--reset", "-u", checkout.commit.as_str()])
            .timeout(Duration::from_secs(600))
            .tell()
            .await?;
        Ok(())
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

    /// The runs that have a folder here, ours by its mark.
    pub fn runs(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut runs: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|run| {
                self.folder_of(run)
                    .is_ok_and(|folder| fs::read_to_string(folder.join(MARK)).is_ok_and(|marked| marked == *run))
            })
            .collect();
        runs.sort();
        runs
    }

    /// Removes what dead runs left here, but for those to keep. The runs that are gone now.
    pub fn clean(&self, keep: &BTreeSet<String>) -> Vec<String> {
        let dead = self.runs().into_iter().filter(|run| !keep.contains(run));
        dead.filter(|run| self.remove(run).is_ok()).collect()
    }

    /// Lets go of the commits of dead runs in a clone, but for those to keep.
    pub async fn unpin_dead(&self, repository: &Repository, keep: &BTreeSet<String>) -> Result<Vec<String>, GitError> {
        let out = repository.git().args(["for-each-ref", "--format=%(refname)", PINS]).tell().await?;
        let mut gone = Vec::new();
        for run in String::from_utf8_lossy(&out).lines().filter_map(|line| line.strip_prefix("refs/proofhouse/")) {
            // `refs/proofhouse/archive/...` and the like belong to others.
            if !run.contains('/') && !keep.contains(run) {
                self.unpin(repository, run).await?;
                gone.push(run.to_owned());
            }
        }
        Ok(gone)
    }
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

fn failed(what: &str, path: &Path, error: &io::Error) -> GitError {
    GitError::Failed { action: "worktree".to_owned(), message: format!("failed to {what} {}: {error}", path.display()) }
}

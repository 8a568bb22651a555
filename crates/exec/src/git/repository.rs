//! A checkout of a person: what it is, where its parts are, what its refs name.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use model::proof::tree::{ObjectId, RefName};

use super::{
    GitError,
    command::Git,
    settings::{self, Picked},
};

/// A repository with a checkout and at least one commit.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    objects: PathBuf,
    is_sha256: bool,
    picked: Picked,
}

/// Where HEAD stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The branch, or none when HEAD is detached.
    pub branch: Option<String>,
    /// The commit.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
}

impl Repository {
    /// Opens the repository that a folder is in.
    pub async fn open(folder: &Path) -> Result<Self, GitError> {
        match fs::read_dir(folder) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(GitError::Missing(folder.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(GitError::NotARepository(folder.to_owned()));
            }
            Err(error) => return Err(GitError::Unreadable(folder.to_owned(), error.to_string())),
        }
        // One look says all, and git says it in this order: where it breaks off tells what is missing.
        let look = Git::at(folder)
            .args([
                "rev-parse",
                "--is-bare-repository",
                "--is-inside-work-tree",
                "--absolute-git-dir",
                "--git-common-dir",
                "--git-path",
                "objects",
                "--show-object-format",
                "--show-toplevel",
                "HEAD^{commit}",
            ])
            .ask();
        let (answer, listed) = tokio::join!(look, settings::list(folder));
        let answer = answer?;
        let text = answer.text();
        let told: Vec<&str> = text.lines().collect();
        let [bare, inside, git_dir, common_dir, objects, format, top @ ..] = &told[..] else {
            return Err(match answer.complaint.as_str() {
                text if text.contains("not a git repository") => GitError::NotARepository(folder.to_owned()),
                text if text.contains("ermission denied") => GitError::Unreadable(folder.to_owned(), text.to_owned()),
                _ => answer.failed(),
            });
        };
        if *bare == "true" {
            return Err(GitError::Bare(folder.to_owned()));
        }
        if *inside != "true" {
            // Inside `.git` itself.
            return Err(GitError::NotARepository(folder.to_owned()));
        }
        let top = match top {
            // A name may hold a line break; the commit, which is last, does not.
            [top @ .., _] if answer.code == 0 && !top.is_empty() => top.join("\n"),
            [] => return Err(answer.failed()),
            _ => return Err(GitError::NoCommits(folder.to_owned())),
        };
        let absolute = |path: &str| {
            let path = folder.join(path);
            path.canonicalize().map_err(|error| GitError::Unreadable(path, error.to_string()))
        };
        let git_dir = absolute(git_dir)?;
        // SAFETY: asks for a number that every process has.
        let us = unsafe { libc::geteuid() };
        let is_foreign = git_dir.metadata().is_ok_and(|data| data.uid() != us);
        Ok(Self {
            root: absolute(&top)?,
            git_dir,
            common_dir: absolute(common_dir)?,
            objects: absolute(objects)?,
            is_sha256: *format == "sha256",
            picked: listed.pick(is_foreign),
        })
    }

    /// A checkout of the plane's own, by the git directory that only the plane writes.
    pub(super) fn of_plane(root: PathBuf, git_dir: PathBuf, is_sha256: bool) -> Self {
        Self {
            objects: git_dir.join("objects"),
            common_dir: git_dir.clone(),
            root,
            git_dir,
            is_sha256,
            picked: Picked::default(),
        }
    }

    /// The top of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The git directory of this checkout.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all checkouts of the clone share. No gate may write there.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Every git directory of this checkout, and the place of its `.git`: what a sandbox protects.
    pub fn git_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = vec![self.root.join(".git"), self.git_dir.clone(), self.common_dir.clone()];
        dirs.sort();
        dirs.dedup();
        dirs
    }

    pub(super) fn objects(&self) -> &Path {
        &self.objects
    }

    pub(super) fn is_sha256(&self) -> bool {
        self.is_sha256
    }

    /// A call that finds the repository where it was opened, whatever has become of the `.git` in
    /// its checkout since.
    pub(super) fn git(&self) -> Git {
        let git = self.git_elsewhere(&self.git_dir, &self.root);
        match &self.picked.excludes {
            Some(file) => git.setting("core.excludesFile", &file.to_string_lossy()),
            None => git,
        }
    }

    /// A call under the same settings, for another checkout (a submodule).
    pub(super) fn git_elsewhere(&self, git_dir: &Path, root: &Path) -> Git {
        let git = Git::at(root).env("GIT_DIR", git_dir).env("GIT_WORK_TREE", root);
        self.picked.settings.iter().fold(git, |git, (name, value)| git.setting(name, value))
    }

    pub(super) fn excludes(&self) -> Option<&Path> {
        self.picked.excludes.as_deref()
    }

    /// Where HEAD stands.
    pub async fn head(&self) -> Result<Head, GitError> {
        let answer = self
            .git()
            .args(["rev-parse", "HEAD^{commit}", "HEAD^{tree}", "--symbolic-full-name", "HEAD"])
            .ask()
            .await?;
        if answer.code != 0 {
            // Somebody may have taken the repository away since it was opened.
            let is_gone = answer.complaint.contains("not a git repository");
            return Err(match is_gone {
                true => GitError::NotARepository(self.root.clone()),
                false => GitError::RefNotFound("HEAD".to_owned()),
            });
        }
        let text = answer.text();
        let [commit, tree, name] = text.lines().collect::<Vec<_>>()[..] else { return Err(answer.failed()) };
        Ok(Head {
            branch: name.strip_prefix("refs/heads/").map(str::to_owned),
            commit: object(commit)?,
            tree: object(tree)?,
        })
    }

    /// The commit that a branch, tag, remote branch or commit id names. A branch that only the
    /// remote `origin` has is found, too.
    pub async fn resolve(&self, name: &str) -> Result<ObjectId, GitError> {
        if name != "HEAD" && name.parse::<ObjectId>().is_err() {
            name.parse::<RefName>().map_err(|_| GitError::RefInvalid(name.chars().take(255).collect()))?;
        }
        let full = |name: &str| format!("{name}^{{commit}}");
        for candidate in [full(name), full(&format!("refs/remotes/origin/{name}"))] {
            let answer =
                self.git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &candidate]).ask().await?;
            if answer.code == 0 {
                return object(answer.text().trim());
            }
        }
        Err(GitError::RefNotFound(name.to_owned()))
    }

    /// The tree of a commit.
    pub async fn tree_of(&self, commit: &ObjectId) -> Result<ObjectId, GitError> {
        let name = format!("{commit}^{{tree}}");
        let answer = self.git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).ask().await?;
        if answer.code == 0 { object(answer.text().trim()) } else { Err(GitError::RefNotFound(commit.to_string())) }
    }

    /// The default branch: what the remote calls so, else `main`, else `master`, else the branch
    /// that is checked out.
    pub async fn default_branch(&self) -> Result<Option<String>, GitError> {
        let out = self
            .git()
            .args([
                "for-each-ref",
                "--format=%(refname) %(symref)",
                "refs/remotes/origin/HEAD",
                "refs/heads/main",
                "refs/heads/master",
            ])
            .tell()
            .await?;
        let text = String::from_utf8_lossy(&out);
        let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let remote = lines
            .iter()
            .find(|(name, _)| *name == "refs/remotes/origin/HEAD")
            .and_then(|(_, target)| target.strip_prefix("refs/remotes/origin/"));
        let local = ["main", "master"]
            .into_iter()
            .find(|branch| lines.iter().any(|(name, _)| name.strip_prefix("refs/heads/") == Some(branch)));
        match remote.or(local) {
            Some(branch) => Ok(Some(branch.to_owned())),
            None => Ok(self.head().await?.branch),
        }
    }

    /// The newest commit that both have; none where they have nothing in common.
    pub async fn merge_base(&self, one: &ObjectId, other: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        let answer = self.git().args(["merge-base", one.as_str(), other.as_str()]).ask().await?;
        match answer.code {
            0 => object(answer.text().lines().next().unwrap_or_default()).map(Some),
            1 => Ok(None),
            _ => Err(answer.failed()),
        }
    }
}

pub(super) fn object(text: &str) -> Result<ObjectId, GitError> {
    text.parse().map_err(|_| GitError::Failed {
        action: "rev-parse".to_owned(),
        message: format!("it answered {:?}", text.chars().take(80).collect::<String>()),
    })
}

//! What was left in a worktree by work that came to nothing, kept before the worktree goes (S70).
//!
//! It becomes a commit under `refs/proofhouse/archive/RUN` of the clone, made like a run's own commit: through the plane's
//! own index, without hooks, and without a look at the person's checkout, index, HEAD and stash. Nothing of it is judged;
//! it is on no branch, and no push takes it along that does not name it.

use std::collections::BTreeMap;

use model::proof::tree::ObjectId;

use super::{
    GitError, Repository, Worktree,
    branch::{EMAIL, NAME, TRAILER},
    repository::object,
};

/// Where it is kept.
const ARCHIVE: &str = "refs/proofhouse/archive";
/// The largest file that is kept, and all together: what was built there is not work.
const FILE: u64 = 16 << 20;
const ALL: u64 = 256 << 20;

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The name by which git finds it.
    pub reference: String,
    /// The commit, on the one that the work began from; behind it what earlier attempts of the run left.
    pub commit: ObjectId,
}

impl Repository {
    /// Keeps the files of a worktree as they lie. `None`: they are those of its commit.
    ///
    /// # Errors
    /// Those of git.
    pub async fn archive(&self, worktree: &Worktree, run: &str) -> Result<Option<Archived>, GitError> {
        let plane = worktree.repository();
        let base = plane.head().await?;
        let mut left = ALL;
        let mut list = Vec::new();
        // Repositories inside, which git lists as folders, are nobody's work in this one.
        for change in plane.changed_since(&base.commit).await?.iter().filter(|change| !change.path.ends_with('/')) {
            let size = worktree.path.join(&change.path).symlink_metadata().map_or(0, |data| data.len());
            if size <= FILE.min(left) {
                left -= size;
                list.extend([change.path.as_bytes(), b"\0"].concat());
            }
        }
        if list.is_empty() {
            return Ok(None);
        }
        let objects = self.objects().to_owned();
        let git = || plane.git().env("GIT_OBJECT_DIRECTORY", &objects).setting("core.fsync", "committed");
        git().args(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"]).input(list).tell().await?;
        let tree = object(String::from_utf8_lossy(&git().args(["write-tree"]).tell().await?).trim())?;
        if tree == base.tree {
            return Ok(None);
        }
        let reference = format!("{ARCHIVE}/{run}");
        let before = self.git().args(["rev-parse", "--verify", "--quiet", &reference]).ask().await?;
        let before = (before.code == 0).then(|| before.text().trim().to_owned());
        let parents = [Some(base.commit.as_str()), before.as_deref()].into_iter().flatten();
        let parents: Vec<&str> = parents.flat_map(|parent| ["-p", parent]).collect();
        let who: BTreeMap<String, &str> = ["AUTHOR", "COMMITTER"]
            .into_iter()
            .flat_map(|who| [(format!("GIT_{who}_NAME"), NAME), (format!("GIT_{who}_EMAIL"), EMAIL)])
            .collect();
        let mut make = git()
            .args(["commit-tree", tree.as_str(), "-F", "-"].into_iter().chain(parents))
            .setting("commit.gpgSign", "false")
            .setting("i18n.commitEncoding", "UTF-8")
            .input(format!("Left unfinished by a run, and judged by nobody\n\n{TRAILER}{run}\n").into_bytes());
        for (name, value) in &who {
            make = make.env(name, *value);
        }
        let commit = object(String::from_utf8_lossy(&make.tell().await?).trim())?;
        let old = before.unwrap_or_else(|| "0".repeat(commit.as_str().len()));
        self.git()
            .setting("core.fsync", "reference")
            .args(["update-ref", "--end-of-options", &reference, commit.as_str(), &old])
            .tell()
            .await?;
        Ok(Some(Archived { reference, commit }))
    }
}

//! One commit on a branch of its own, made by the plane (D45).
//!
//! The commit is made of the files of a worktree of the plane's own, through the plane's own index; only its objects
//! and one new branch go into the clone. No hook runs, no identity is asked for, nothing is pushed, and the person's
//! checkout, index, HEAD and stash are not looked at. The same change of the same run gives the same commit, byte for
//! byte, so that doing it again after a crash makes no second one.

use model::{
    proof::tree::{ObjectId, RefName},
    time::Timestamp,
};

use super::{GitError, Repository, Worktree, repository::object};

/// Who the plane is to git.
pub(super) const NAME: &str = "Proofhouse";
/// Its address, which nobody can write to.
pub(super) const EMAIL: &str = "proofhouse@localhost";
/// The line of a message that says which run made a commit.
pub const TRAILER: &str = "Proofhouse-Run: ";

/// What a commit is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommit {
    /// The branch; it must be new.
    pub branch: RefName,
    /// The commit it stands on, which the worktree was made from.
    pub base: ObjectId,
    /// The run that makes it.
    pub run: String,
    /// Its message, without the line that names the run.
    pub message: String,
    /// When: the run's own time, not that of the try.
    pub at: Timestamp,
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is on its branch now.
    Made(ObjectId),
    /// The same run had made it before.
    Found(ObjectId),
    /// The files are those of the base: there is nothing to commit, and no branch.
    Nothing,
}

impl Repository {
    /// The commit that this run made on a branch before, if it did.
    ///
    /// # Errors
    /// When the branch is there and is not this run's.
    pub async fn commit_of_run(&self, branch: &RefName, run: &str) -> Result<Option<ObjectId>, GitError> {
        let name = format!("refs/heads/{branch}");
        let answer =
            self.git().args(["for-each-ref", "--format=%(objectname)%0a%(contents)", "--count=1", &name]).ask().await?;
        if answer.code != 0 {
            return Err(answer.failed());
        }
        let text = answer.text();
        let Some((commit, message)) = text.split_once('\n') else { return Ok(None) };
        let trailer = format!("{TRAILER}{run}");
        if message.lines().any(|line| line.trim_end() == trailer) {
            return object(commit.trim()).map(Some);
        }
        Err(taken(branch))
    }

    /// Puts the files of a worktree into one commit on a new branch of this clone.
    ///
    /// # Errors
    /// A branch of that name that is somebody else's, or a name that cannot be one beside those there are.
    pub async fn commit_branch(
        &self,
        worktree: &Worktree,
        paths: &[String],
        new: &NewCommit,
    ) -> Result<Committed, GitError> {
        if let Some(found) = self.commit_of_run(&new.branch, &new.run).await? {
            return Ok(Committed::Found(found));
        }
        let plane = worktree.repository();
        // New objects go straight into the clone: the worktree has none of its own worth keeping.
        let objects = self.objects().to_owned();
        let git = || plane.git().env("GIT_OBJECT_DIRECTORY", &objects).setting("core.fsync", "committed");
        let list: String = paths.iter().map(|path| format!("{path}\0")).collect();
        git()
            .args(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"])
            .input(list.into_bytes())
            .tell()
            .await?;
        let tree = object(String::from_utf8_lossy(&git().args(["write-tree"]).tell().await?).trim())?;
        if tree == self.tree_of(&new.base).await? {
            return Ok(Committed::Nothing);
        }
        let message = format!("{}\n\n{TRAILER}{}\n", new.message.trim_end(), new.run);
        let seconds = new.at.micros().div_euclid(1_000_000);
        let date = format!("{seconds} +0000");
        let mut make = git()
            .args(["commit-tree", tree.as_str(), "-p", new.base.as_str(), "-F", "-"])
            .setting("commit.gpgSign", "false")
            .setting("i18n.commitEncoding", "UTF-8")
            .input(message.into_bytes());
        for who in ["AUTHOR", "COMMITTER"] {
            make = make
                .env(&format!("GIT_{who}_NAME"), NAME)
                .env(&format!("GIT_{who}_EMAIL"), EMAIL)
                .env(&format!("GIT_{who}_DATE"), &date);
        }
        let commit = object(String::from_utf8_lossy(&make.tell().await?).trim())?;
        let name = format!("refs/heads/{}", new.branch);
        let none = "0".repeat(commit.as_str().len());
        let made = self
            .git()
            .setting("core.fsync", "reference")
            .env("GIT_COMMITTER_NAME", NAME)
            .env("GIT_COMMITTER_EMAIL", EMAIL)
            .args(["update-ref", "-m", "proofhouse", &name, commit.as_str(), &none])
            .ask()
            .await?;
        if made.code != 0 {
            // Somebody may have been quicker; if that was this run, all is well.
            return match self.commit_of_run(&new.branch, &new.run).await? {
                Some(found) => Ok(Committed::Found(found)),
                None => Err(made.failed()),
            };
        }
        Ok(Committed::Made(commit))
    }

    /// The difference between two commits as text, cut after `max` bytes; whether it was cut.
    pub async fn diff_text(&self, from: &ObjectId, to: &ObjectId, max: u64) -> Result<(Vec<u8>, bool), GitError> {
        let out = self
            .git()
            .args([
                "diff-tree",
                "-r",
                "-p",
                "--no-ext-diff",
                "--no-textconv",
                "--no-color",
                "--find-renames",
                "--full-index",
                from.as_str(),
                to.as_str(),
            ])
            .tell()
            .await?;
        let keep = usize::try_from(max).unwrap_or(usize::MAX);
        let cut = out.len() > keep;
        let end =
            if cut { out[..keep].iter().rposition(|byte| *byte == b'\n').map_or(keep, |at| at + 1) } else { out.len() };
        Ok((out[..end].to_vec(), cut))
    }
}

fn taken(branch: &RefName) -> GitError {
    GitError::Failed {
        action: "branch".to_owned(),
        message: format!("{branch} is there already and is not of this run"),
    }
}

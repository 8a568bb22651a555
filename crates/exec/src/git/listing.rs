//! What stands where: in a commit, and what git ignores.

use std::collections::{BTreeMap, BTreeSet};

use model::{change::Node, proof::tree::ObjectId};

use super::{GitError, Repository, read::names};

impl Repository {
    /// Every file, link and submodule of a commit by its path. Paths that are no UTF-8 are left out: nothing that is
    /// written as text can name them.
    pub async fn nodes_at(&self, commit: &ObjectId) -> Result<BTreeMap<String, Node>, GitError> {
        let out = self.git().args(["ls-tree", "-r", "-z", "--full-tree", commit.as_str()]).tell().await?;
        let mut nodes = BTreeMap::new();
        for line in out.split(|byte| *byte == 0) {
            // MODE TYPE ID<TAB>PATH
            let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { continue };
            let (Ok(head), Ok(path)) = (std::str::from_utf8(&line[..tab]), std::str::from_utf8(&line[tab + 1..]))
            else {
                continue;
            };
            let node = match head.split(' ').next() {
                Some("120000") => Node::Link,
                Some("160000") => Node::Repository,
                _ => Node::File,
            };
            nodes.insert(path.to_owned(), node);
        }
        Ok(nodes)
    }

    /// Those of these paths that git ignores. Tracked files are never ignored. No path may lead through a link.
    pub async fn ignored(&self, paths: &[String]) -> Result<BTreeSet<String>, GitError> {
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let questions: String = paths.iter().map(|path| format!("{path}\0")).collect();
        // Patterns are what this command is about, so paths are meant literally already.
        let answer = self
            .git()
            .without("GIT_LITERAL_PATHSPECS")
            .args(["check-ignore", "-z", "--stdin"])
            .input(questions.into_bytes())
            .ask()
            .await?;
        match answer.code {
            0 | 1 => Ok(names(&answer.stdout).collect()),
            _ => Err(answer.failed()),
        }
    }

    /// The files of the checkout that hold what no commit has: changed, staged, untracked.
    pub async fn dirty(&self) -> Result<BTreeSet<String>, GitError> {
        let head = self.head().await?.commit;
        Ok(self.changed_since(&head).await?.into_iter().map(|change| change.path).collect())
    }

    /// Whether git knows this file of the checkout.
    pub async fn tracked(&self) -> Result<BTreeSet<String>, GitError> {
        let out = self.git().args(["ls-files", "-z", "--cached"]).tell().await?;
        Ok(names(&out).collect())
    }
}

//! The trees that a change is judged against: a commit, or a checkout as it lies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::FileTypeExt as _,
    path::PathBuf,
};

use exec::git::{FileText, Repository};
use model::{
    change::{Entry, Ground, Node},
    problem::Problem,
    proof::tree::ObjectId,
};

/// A commit, all of it known beforehand.
pub struct Commit {
    nodes: BTreeMap<String, Node>,
    contents: BTreeMap<String, Vec<u8>>,
    /// Those that git ignores; filled in once it is known which paths matter.
    pub ignored: BTreeSet<String>,
}

impl Commit {
    /// The tree of a commit, with the contents of the files that the entries would change.
    ///
    /// # Errors
    /// Those of git.
    pub async fn read(
        repository: &Repository,
        commit: &ObjectId,
        entries: &[Entry],
        max: u64,
    ) -> Result<Self, Problem> {
        let nodes = repository.nodes_at(commit).await?;
        let wanted: Vec<String> = entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Write { .. }))
            .map(|entry| entry.path().to_owned())
            .filter(|path| nodes.get(path) == Some(&Node::File))
            .collect();
        let read = repository.read_many_at(commit, &wanted, max).await?;
        let contents = read.into_iter().filter_map(|(path, text)| match text {
            FileText::Bytes(bytes) => Some((path, bytes)),
            FileText::Absent | FileText::Unusable(_) => None,
        });
        Ok(Self { nodes, contents: contents.collect(), ignored: BTreeSet::new() })
    }
}

impl Ground for Commit {
    fn node(&self, path: &str) -> Option<Node> {
        if let Some(node) = self.nodes.get(path) {
            return Some(*node);
        }
        let below = format!("{path}/");
        let first = self.nodes.range(below.clone()..).next();
        first.is_some_and(|(path, _)| path.starts_with(&below)).then_some(Node::Folder)
    }

    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.contents.get(path).cloned()
    }

    fn is_emptied(&self, folder: &str, gone: &BTreeSet<String>) -> bool {
        let below = format!("{folder}/");
        let inside = self.nodes.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        inside.into_iter().all(|(path, _)| gone.contains(path))
    }

    fn is_ignored(&self, path: &str) -> bool {
        self.ignored.contains(path)
    }

    fn is_dirty(&self, _: &str) -> bool {
        false
    }
}

/// A person's checkout as it lies. What is looked at may change meanwhile; the writing holds against that by itself.
pub struct Checkout {
    root: PathBuf,
    tracked: BTreeSet<String>,
    dirty: BTreeSet<String>,
    /// What the entries would write: a file that is so already loses nothing.
    wanted: BTreeMap<String, Vec<u8>>,
}

impl Checkout {
    /// Looks at a checkout.
    ///
    /// # Errors
    /// Those of git.
    pub async fn look(repository: &Repository, entries: &[Entry]) -> Result<Self, Problem> {
        let (tracked, dirty) = (repository.tracked().await?, repository.dirty().await?);
        let wanted = entries.iter().filter_map(|entry| match entry {
            Entry::Write { path, contents, .. } => Some((path.clone(), contents.bytes().to_vec())),
            _ => None,
        });
        Ok(Self { root: repository.root().to_owned(), tracked, dirty, wanted: wanted.collect() })
    }
}

impl Ground for Checkout {
    fn node(&self, path: &str) -> Option<Node> {
        let place = self.root.join(path);
        let kind = place.symlink_metadata().ok()?.file_type();
        Some(if kind.is_symlink() {
            Node::Link
        } else if kind.is_dir() {
            // A folder with a `.git` of its own, whatever that is.
            if place.join(".git").symlink_metadata().is_ok() { Node::Repository } else { Node::Folder }
        } else if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            Node::Other
        } else {
            Node::File
        })
    }

    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(path)).ok()
    }

    fn is_emptied(&self, folder: &str, gone: &BTreeSet<String>) -> bool {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = fs::read_dir(self.root.join(&folder)) else { return false };
            for entry in entries.flatten() {
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(path),
                    _ if gone.contains(&path) => {}
                    _ => return false,
                }
            }
        }
        true
    }

    fn is_ignored(&self, _: &str) -> bool {
        false
    }

    fn is_dirty(&self, path: &str) -> bool {
        // What no commit has would be lost: changes, and files that git does not know.
        let at_risk = self.dirty.contains(path) || (!self.tracked.contains(path) && self.node(path).is_some());
        at_risk && self.contents(path).is_none_or(|found| self.wanted.get(path) != Some(&found))
    }
}

//! What preparation knows of a worktree: names of files, texts of manifests.

use std::collections::{BTreeMap, BTreeSet};

/// A worktree as preparation sees it. Paths are relative to its top, `""` is the top.
#[derive(Debug, Clone, Default)]
pub struct Project {
    root: String,
    cwd: String,
    manifests: BTreeMap<String, String>,
    files: BTreeSet<String>,
}

/// A change, by its files.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Every path it touches.
    pub touched: BTreeSet<String>,
    /// Those that are there after it.
    pub existing: BTreeSet<String>,
}

impl Project {
    /// A worktree whose top is at `root` on this machine, where a command starts in `cwd` below.
    /// Manifests are the texts of files that preparers read (`pyproject.toml`, `package.json`);
    /// a lock file may be given without its text.
    pub fn new(root: &str, cwd: &str, manifests: BTreeMap<String, String>) -> Self {
        let files = manifests.keys().cloned().collect();
        let cwd = resolve(root, "", cwd).unwrap_or_default();
        Self { root: root.trim_end_matches('/').to_owned(), cwd, manifests, files }
    }

    /// With the names of further files in it.
    pub fn with_files(mut self, files: impl IntoIterator<Item = String>) -> Self {
        self.files.extend(files);
        self
    }

    /// Where the command starts.
    pub fn cwd(&self) -> &str {
        &self.cwd
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The text of a manifest.
    pub fn manifest(&self, path: &str) -> Option<&str> {
        self.manifests.get(path).map(String::as_str)
    }

    /// A path that a command names, seen from `folder`; none when it leaves the worktree.
    pub fn resolve(&self, folder: &str, path: &str) -> Option<String> {
        resolve(&self.root, folder, path)
    }

    /// The nearest folder from here upward that has such a file.
    pub fn nearest(&self, folder: &str, file: &str) -> Option<String> {
        let mut at = folder;
        loop {
            if self.has(&join(at, file)) {
                return Some(at.to_owned());
            }
            if at.is_empty() {
                return None;
            }
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}

/// A path below a folder.
pub(super) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

fn resolve(root: &str, folder: &str, path: &str) -> Option<String> {
    let below = match path.strip_prefix('/') {
        None => join(folder, path),
        Some(_) => {
            let root = root.trim_end_matches('/');
            let rest = path.strip_prefix(root).filter(|_| !root.is_empty())?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return None;
            }
            rest.to_owned()
        }
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in below.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let project = Project::new("/work/tree", "api", BTreeMap::new());
        for (folder, path, expected) in [
            ("", "a", Some("a")),
            ("api", "../web", Some("web")),
            ("api", "../../x", None),
            ("api", "./b/.", Some("api/b")),
            ("api", "/work/tree/x", Some("x")),
            ("api", "/work/tree", Some("")),
            ("api", "/work/tree2/x", None),
            ("api", "/etc", None),
        ] {
            assert_eq!(project.resolve(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}

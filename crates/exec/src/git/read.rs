//! Which files there are, which changed, what is in them.

use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::{Component, Path},
};

use model::proof::tree::ObjectId;

use super::{GitError, Repository};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is new.
    Added,
    /// Its content, mode or type is another.
    Modified,
    /// It is gone.
    Deleted,
}

/// A file that differs. Renames are a deletion and an addition. A path that is no UTF-8 is shown
/// with replacement characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileChange {
    /// Its path from the top of the repository.
    pub path: String,
    /// What happened to it.
    pub kind: Kind,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileText {
    /// There is no file of that name.
    Absent,
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is larger than asked for, or no regular file.
    Unusable(String),
}

impl Repository {
    /// The files in which the checkout differs from a commit: committed, staged, unstaged and
    /// untracked ones, ignored ones apart (P13, P14). In order, each once.
    pub async fn changed_since(&self, commit: &ObjectId) -> Result<Vec<FileChange>, GitError> {
        let tracked =
            self.git().args(["diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", commit.as_str(), "--"]);
        let untracked = self.git().args(["ls-files", "-z", "--others", "--exclude-standard"]);
        let (tracked, untracked) = tokio::try_join!(tracked.tell(), untracked.tell())?;
        let mut changes = name_status(&tracked);
        changes.extend(names(&untracked).map(|path| FileChange { path, kind: Kind::Added }));
        changes.sort();
        changes.dedup_by(|later, first| later.path == first.path);
        Ok(changes)
    }

    /// The files in which two commits or trees differ.
    pub async fn changed_between(&self, one: &ObjectId, other: &ObjectId) -> Result<Vec<FileChange>, GitError> {
        let out = self
            .git()
            .args(["diff-tree", "-r", "--name-status", "-z", "--no-renames", one.as_str(), other.as_str()])
            .tell()
            .await?;
        Ok(name_status(&out))
    }

    /// The files of the checkout: tracked ones that are there, and untracked ones that are not
    /// ignored. In order.
    pub async fn files(&self) -> Result<Vec<String>, GitError> {
        let present = self.git().args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let deleted = self.git().args(["ls-files", "-z", "--deleted"]);
        let (present, deleted) = tokio::try_join!(present.tell(), deleted.tell())?;
        let deleted: std::collections::BTreeSet<String> = names(&deleted).collect();
        let files: std::collections::BTreeSet<String> =
            names(&present).filter(|path| !deleted.contains(path) && !path.ends_with('/')).collect();
        Ok(files.into_iter().collect())
    }

    /// The files of a commit. In order.
    pub async fn files_at(&self, commit: &ObjectId) -> Result<Vec<String>, GitError> {
        let out =
            self.git().args(["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit.as_str()]).tell().await?;
        Ok(names(&out).collect())
    }

    /// A file as a commit has it.
    pub async fn read_at(&self, commit: &ObjectId, path: &str, max: u64) -> Result<FileText, GitError> {
        inside(path)?;
        if path.contains('\n') {
            return Err(GitError::PathOutside);
        }
        let ask = |what: &str| {
            self.git().args(["cat-file", what]).input(format!("{commit}:{path}\n").into_bytes()).max(max + 4_096)
        };
        let head = ask("--batch-check=%(objecttype) %(objectsize)").tell().await?;
        let head = String::from_utf8_lossy(&head);
        match head.trim_end().rsplit_once(' ') {
            Some(("blob", size)) => match size.parse::<u64>() {
                Ok(size) if size <= max => {}
                _ => return Ok(FileText::Unusable(format!("it is larger than {max} bytes"))),
            },
            Some((_, "missing")) => return Ok(FileText::Absent),
            _ => return Ok(FileText::Unusable("it is no file".to_owned())),
        }
        let mut bytes = ask("--batch=").tell().await?;
        // An empty format leaves an empty line before the content, and one ends it.
        if bytes.first() == Some(&b'\n') && bytes.last() == Some(&b'\n') && bytes.len() >= 2 {
            bytes.pop();
            bytes.remove(0);
        }
        Ok(FileText::Bytes(bytes))
    }

    /// A file as it lies in the checkout. A symbolic link that leads out of it is unusable.
    pub fn read(&self, path: &str, max: u64) -> Result<FileText, GitError> {
        inside(path)?;
        read_inside(self.root(), path, max)
    }
}

/// Reads a regular file below `root`, wherever its links lead within.
fn read_inside(root: &Path, path: &str, max: u64) -> Result<FileText, GitError> {
    let unusable = |why: &str| Ok(FileText::Unusable(why.to_owned()));
    let real = match root.join(path).canonicalize() {
        Ok(real) => real,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(FileText::Absent);
        }
        Err(error) => return unusable(&error.to_string()),
    };
    if !real.starts_with(root) {
        return unusable("it leads out of the repository");
    }
    // Resolved above; what has changed since must not be followed elsewhere, nor waited for.
    let opened = fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&real);
    let file = match opened {
        Ok(file) => file,
        Err(error) => return unusable(&error.to_string()),
    };
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return unusable("it is no regular file");
    }
    let mut bytes = Vec::new();
    match file.take(max + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > max => unusable(&format!("it is larger than {max} bytes")),
        Ok(_) => Ok(FileText::Bytes(bytes)),
        Err(error) => unusable(&error.to_string()),
    }
}

/// Refuses what is not a plain path downward.
fn inside(path: &str) -> Result<(), GitError> {
    let plain = !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain { Ok(()) } else { Err(GitError::PathOutside) }
}

/// The names in a NUL-separated list.
pub(super) fn names(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    bytes
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| OsStr::from_bytes(name).to_string_lossy().into_owned())
}

/// `--name-status -z`: a letter, a name, a letter, a name.
pub(super) fn name_status(bytes: &[u8]) -> Vec<FileChange> {
    let words: Vec<String> = names(bytes).collect();
    let mut changes: Vec<FileChange> = words
        .chunks_exact(2)
        .map(|pair| FileChange {
            kind: match pair[0].as_str() {
                "A" => Kind::Added,
                "D" => Kind::Deleted,
                _ => Kind::Modified,
            },
            path: pair[1].clone(),
        })
        .collect();
    changes.sort();
    changes
}

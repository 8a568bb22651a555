//! Which files there are, which changed, what is in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{CString, OsStr},
    fs,
    io::{self, Read as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
    path::{Component, Path},
};

use model::proof::tree::ObjectId;

use super::{GitError, Repository};

/// The heads of the files of one question.
const ANSWERS_MAX: u64 = 64 << 20;
/// Contents read in one call, unless a single file is larger.
const PART: u64 = 16 << 20;

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
        // One call for all: each name comes behind what it is, and a deleted one also as a tracked one.
        let all = ["ls-files", "-z", "-t", "--cached", "--others", "--deleted", "--exclude-standard"];
        let told = self.git().args(all).tell().await?;
        let (mut files, mut deleted) = (BTreeSet::new(), Vec::new());
        for line in names(&told) {
            match line.split_once(' ') {
                Some(("R", path)) => deleted.push(path.to_owned()),
                Some((_, path)) if !path.ends_with('/') => _ = files.insert(path.to_owned()),
                Some(_) | None => {}
            }
        }
        for path in &deleted {
            files.remove(path);
        }
        Ok(files.into_iter().collect())
    }

    /// The files of a commit. In order.
    pub async fn files_at(&self, commit: &ObjectId) -> Result<Vec<String>, GitError> {
        let out =
            self.git().args(["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit.as_str()]).tell().await?;
        Ok(names(&out).collect())
    }

    /// A file as a commit has it. A symbolic link is followed inside the commit.
    pub async fn read_at(&self, commit: &ObjectId, path: &str, max: u64) -> Result<FileText, GitError> {
        let mut read = self.read_many_at(commit, &[path.to_owned()], max).await?;
        Ok(read.remove(path).unwrap_or(FileText::Absent))
    }

    /// Files as a commit has them, each of at most `max` bytes, in a few calls.
    pub async fn read_many_at(
        &self,
        commit: &ObjectId,
        paths: &[String],
        max: u64,
    ) -> Result<BTreeMap<String, FileText>, GitError> {
        let mut read = BTreeMap::new();
        let mut asked = Vec::with_capacity(paths.len());
        for path in paths {
            inside(path)?;
            // One line is one question; git 2.30 has no other way to ask.
            if path.contains('\n') {
                read.insert(path.clone(), FileText::Unusable("there is a line break in its name".to_owned()));
            } else {
                asked.push(path);
            }
        }
        let questions: String = asked.iter().map(|path| format!("{commit}:{path}\n")).collect();
        let heads = self.cat(&["--batch-check", "--follow-symlinks"], questions, ANSWERS_MAX).await?;
        let mut rest = heads.as_slice();
        let mut wanted: Vec<(&String, String, u64)> = Vec::new();
        for path in asked {
            let head = Head::take(&mut rest)?;
            let unusable = |why: &str| FileText::Unusable(why.to_owned());
            let found = match head {
                Head::Object { kind: "blob", id, size } if size <= max => {
                    wanted.push((path, id.to_owned(), size));
                    continue;
                }
                Head::Object { kind: "blob", .. } => unusable(&format!("it is larger than {max} bytes")),
                Head::Object { .. } => unusable("it is no file"),
                Head::Missing => FileText::Absent,
                Head::Link { why } => unusable(why),
            };
            read.insert(path.clone(), found);
        }
        while !wanted.is_empty() {
            // As many as fit into memory comfortably, and one at least.
            let mut bytes = 0;
            let fit = wanted.iter().take_while(|(_, _, size)| {
                bytes += size;
                bytes <= PART
            });
            let part: Vec<_> = wanted.drain(..fit.count().max(1)).collect();
            let questions: String = part.iter().map(|(_, id, _)| format!("{id}\n")).collect();
            let most = part.iter().map(|(_, _, size)| size + 200).sum();
            let answer = self.cat(&["--batch"], questions, most).await?;
            let mut rest = answer.as_slice();
            for (path, _, size) in part {
                let (Head::Object { .. }, Ok(size)) = (Head::take(&mut rest)?, usize::try_from(size)) else {
                    return Err(unreadable());
                };
                let content = rest.get(..size).ok_or_else(unreadable)?;
                read.insert(path.clone(), FileText::Bytes(content.to_vec()));
                rest = rest.get(size + 1..).ok_or_else(unreadable)?;
            }
        }
        Ok(read)
    }

    async fn cat(&self, args: &[&str], questions: String, max: u64) -> Result<Vec<u8>, GitError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let git = self.git().args(["cat-file"]).args(args.iter().copied());
        git.input(questions.into_bytes()).max(max).tell().await
    }

    /// A file as it lies in the checkout. A symbolic link that leads out of it is unusable.
    pub fn read(&self, path: &str, max: u64) -> Result<FileText, GitError> {
        inside(path)?;
        read_inside(self.root(), path, max)
    }
}

/// The first line of an answer of `cat-file`.
enum Head<'a> {
    Object { id: &'a str, kind: &'a str, size: u64 },
    Missing,
    Link { why: &'static str },
}

impl<'a> Head<'a> {
    fn take(rest: &mut &'a [u8]) -> Result<Self, GitError> {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
        let (line, after) = (String::from_utf8_lossy(&rest[..end]), &rest[end + 1..]);
        // Where a link leads to nothing follows as so many bytes and a line break.
        for (word, why) in [
            ("dangling ", "its link leads to nothing"),
            ("loop ", "its link leads to itself"),
            ("notdir ", "its link leads through a file"),
            ("symlink ", "its link leads out of the repository"),
        ] {
            if let Some(size) = line.strip_prefix(word).and_then(|size| size.parse::<usize>().ok()) {
                *rest = after.get(size + 1..).ok_or_else(unreadable)?;
                return Ok(Self::Link { why });
            }
        }
        let line = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        *rest = after;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [id, kind, size] if id.parse::<ObjectId>().is_ok() => {
                let size = size.parse().map_err(|_| unreadable())?;
                Ok(Self::Object { id, kind, size })
            }
            // A name with spaces, or none: `NAME missing`, `NAME submodule`.
            _ => Ok(Self::Missing),
        }
    }
}

fn unreadable() -> GitError {
    GitError::Failed { action: "cat-file".to_owned(), message: "its answer cannot be read".to_owned() }
}

/// Reads a regular file below `root`, wherever its links lead within.
fn read_inside(root: &Path, path: &str, max: u64) -> Result<FileText, GitError> {
    let unusable = |why: &str| Ok(FileText::Unusable(why.to_owned()));
    let file = match open_beneath(root, path) {
        Ok(file) => file,
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => return Ok(FileText::Absent),
            Some(libc::EXDEV) => return unusable("it leads out of the repository"),
            Some(libc::ELOOP) => return unusable("its link leads to itself"),
            _ => return unusable(&error.to_string()),
        },
    };
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return unusable("it is no regular file");
    }
    let mut bytes = Vec::new();
    match file.take(max.saturating_add(1)).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > max => unusable(&format!("it is larger than {max} bytes")),
        Ok(_) => Ok(FileText::Bytes(bytes)),
        Err(error) => unusable(&error.to_string()),
    }
}

/// Opens a file without ever leaving `root`, also while somebody lays links. Does not wait for a
/// pipe's other end.
fn open_beneath(root: &Path, path: &str) -> io::Result<fs::File> {
    let folder = fs::File::open(root)?;
    let name = CString::new(path)?;
    // SAFETY: all zeroes is a valid value of this plain struct of numbers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY) as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    for _ in 0..8 {
        // SAFETY: the name and the struct live until the call returns, and the size is the struct's.
        let descriptor = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                folder.as_raw_fd(),
                name.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        if let Ok(descriptor) = i32::try_from(descriptor)
            && descriptor >= 0
        {
            // SAFETY: just made, and owned by nobody else.
            return Ok(unsafe { fs::File::from_raw_fd(descriptor) });
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // Something was renamed meanwhile.
            Some(libc::EAGAIN | libc::EINTR) => {}
            // An old kernel, or a container that hides the call.
            Some(libc::ENOSYS | libc::EPERM) => return open_resolved(root, path),
            _ => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// The same as far as it goes without the kernel's help.
fn open_resolved(root: &Path, path: &str) -> io::Result<fs::File> {
    let real = root.join(path).canonicalize()?;
    if !real.starts_with(root) {
        return Err(io::Error::from_raw_os_error(libc::EXDEV));
    }
    // Resolved above; what has changed since must not be followed elsewhere, nor waited for.
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(real)
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

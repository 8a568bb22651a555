//! Writing an accepted set of files into a folder, as a whole or not at all (D43, D44).
//!
//! Every step is taken beneath a handle of the folder: each part of a path is opened on its own, no link is ever
//! followed, and what is then written is written into the folder that was opened. Somebody who lays links or moves
//! folders meanwhile makes an error, never a write elsewhere.
//!
//! New contents are laid into a folder of their own first; only when all of them are on the disk do they take their
//! places, each by one rename. What was there before is kept in that folder until all have, and put back when one
//! cannot. The folder is named by a tag of the caller, so that who comes after a crash finds it and puts back what was
//! ([`recover`]).

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::Path,
};

use model::digest::Digest;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, mkdirat, openat, readlinkat,
        renameat, renameat_with, statat, symlinkat, unlinkat,
    },
    io::Errno,
};

/// How an executable file is told: so that somebody may execute it.
const ANY_EXECUTE: u32 = 0o111;

/// What is to be done at one path. Paths were judged before; what is wrong with one all the same is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The path below the folder.
    pub path: String,
    /// What becomes of it.
    pub what: What,
}

/// What becomes of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file with these bytes.
    Write {
        /// All of them.
        bytes: Vec<u8>,
        /// Whether a new file is executable.
        executable: bool,
        /// Whether an existing file's mode is changed to that, too; else it keeps its mode.
        set_mode: bool,
    },
    /// A symbolic link that leads there.
    Link(String),
    /// Nothing.
    Delete,
}

/// What was done at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is new.
    Created,
    /// It was something else before.
    Overwritten,
    /// It is gone.
    Deleted,
    /// It was so already.
    Unchanged,
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
#[error("failed to apply {path}: {source}{}", if *.restored { "" } else { "; what was there before could not be put back" })]
pub struct ApplyError {
    /// At which path.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
    /// Whether all is as it was.
    pub restored: bool,
}

/// What was changed, so that it can be taken back.
enum Change<'a> {
    /// A folder was made.
    MadeFolder(String),
    /// An empty folder was removed.
    RemovedFolder(String, u32),
    /// A file was put where nothing was.
    Put(&'a str),
    /// What was there is kept beside.
    Kept(&'a str),
}

/// One go at applying.
struct Go<'a> {
    root: OwnedFd,
    /// Where new contents wait and old ones are kept.
    beside: OwnedFd,
    changes: Vec<Change<'a>>,
}

/// Applies all steps, or none. What was done is told in their order.
///
/// # Errors
/// The first step that could not be done; everything before it is undone.
pub fn apply(root: &Path, tag: &str, steps: &[Step]) -> Result<Vec<Done>, ApplyError> {
    let name = beside(tag);
    let start = || {
        let root = open_root(root)?;
        mkdirat(&root, &name, Mode::from_raw_mode(0o700))?;
        Ok::<_, io::Error>(Go { beside: open_folder(&root, &name)?, root, changes: Vec::new() })
    };
    let mut go = start().map_err(|source| ApplyError { path: name.clone(), source, restored: true })?;
    let done = go.all(steps);
    let result = match done {
        Ok(done) => Ok(done),
        Err((path, source)) => Err(ApplyError { path, source, restored: go.undo() }),
    };
    if !matches!(&result, Err(error) if !error.restored) {
        clear(&go.root, &go.beside, &name, steps);
    }
    result
}

/// Puts back what an [`apply`] of the same tag and steps left half done when its process died.
///
/// # Errors
/// What the system said.
pub fn recover(root: &Path, tag: &str, steps: &[Step]) -> io::Result<()> {
    let (root, name) = (open_root(root)?, beside(tag));
    let beside = match open_folder(&root, &name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    for step in steps {
        let kept = old(&step.path);
        if statat(&beside, &kept, AtFlags::SYMLINK_NOFOLLOW).is_err() {
            continue;
        }
        // Its folder may have been removed as empty.
        let mut go = Go { root: root.try_clone()?, beside: beside.try_clone()?, changes: Vec::new() };
        let (folder, name) = go.make_parents(&step.path)?;
        renameat(&beside, &kept, &folder, name)?;
    }
    clear(&root, &beside, &name, steps);
    Ok(())
}

impl<'a> Go<'a> {
    fn all(&mut self, steps: &'a [Step]) -> Result<Vec<Done>, (String, io::Error)> {
        let at = |step: &Step| {
            let path = step.path.clone();
            move |error| (path, error)
        };
        // A disk that is full is full before anything has changed.
        for step in steps {
            self.lay(step).map_err(at(step))?;
        }
        let mut done = vec![Done::Unchanged; steps.len()];
        // Deletions first, so that a file may take the place of a folder that they empty.
        for is_delete in [true, false] {
            for (number, step) in steps.iter().enumerate() {
                if matches!(step.what, What::Delete) == is_delete {
                    done[number] = self.place(step).map_err(at(step))?;
                }
            }
        }
        Ok(done)
    }

    /// Lays new contents into the folder beside.
    fn lay(&self, step: &Step) -> io::Result<()> {
        match &step.what {
            What::Delete => Ok(()),
            What::Link(target) => Ok(symlinkat(target.as_str(), &self.beside, new(&step.path))?),
            What::Write { bytes, .. } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(openat(&self.beside, new(&step.path), flags, Mode::from_raw_mode(0o600))?);
                file.write_all(bytes)?;
                file.sync_all()
            }
        }
    }

    /// Puts one step in its place, keeping what was there.
    fn place(&mut self, step: &'a Step) -> io::Result<Done> {
        let (folder, name) = match &step.what {
            What::Delete => match self.parent(&step.path)? {
                Some(found) => found,
                None => return Ok(Done::Unchanged),
            },
            What::Write { .. } | What::Link(_) => self.make_parents(&step.path)?,
        };
        let there = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        let kind = there.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
        match (kind, &step.what) {
            (None, What::Delete) => return Ok(Done::Unchanged),
            (None | Some(FileType::RegularFile), _) => {}
            // A link is replaced or removed itself, and only by a step that says so.
            (Some(FileType::Symlink), What::Write { .. }) => return Err(Errno::LOOP.into()),
            (Some(FileType::Symlink), _) => {}
            (Some(FileType::Directory), _) => return Err(Errno::ISDIR.into()),
            (Some(_), _) => return Err(io::Error::other("it is no regular file")),
        }
        match &step.what {
            What::Delete => {
                renameat(&folder, name, &self.beside, old(&step.path))?;
                self.changes.push(Change::Kept(&step.path));
                self.remove_emptied(&step.path);
                fsync(&folder)?;
                return Ok(Done::Deleted);
            }
            What::Link(target) => {
                if kind == Some(FileType::Symlink)
                    && readlinkat(&folder, name, Vec::new())?.as_bytes() == target.as_bytes()
                {
                    return Ok(Done::Unchanged);
                }
            }
            What::Write { bytes, executable, set_mode } => {
                let mut mode = if *executable { 0o755 } else { 0o644 };
                if let Some(stat) = &there {
                    let keeps = !set_mode || (stat.st_mode & ANY_EXECUTE != 0) == *executable;
                    if keeps && has(&folder, name, bytes)? {
                        return Ok(Done::Unchanged);
                    }
                    if keeps {
                        mode = stat.st_mode & 0o7777;
                    }
                }
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fresh = openat(&self.beside, new(&step.path), flags, Mode::empty())?;
                // Whatever the umask says.
                fchmod(&fresh, Mode::from_raw_mode(mode))?;
            }
        }
        let done = if there.is_some() {
            // A second name for what is there, so that at no time there is nothing.
            linkat(&folder, name, &self.beside, old(&step.path), AtFlags::empty())?;
            self.changes.push(Change::Kept(&step.path));
            renameat(&self.beside, new(&step.path), &folder, name)?;
            Done::Overwritten
        } else {
            // What somebody put there meanwhile is not lost.
            renameat_with(&self.beside, new(&step.path), &folder, name, RenameFlags::NOREPLACE)?;
            self.changes.push(Change::Put(&step.path));
            Done::Created
        };
        fsync(&folder)?;
        Ok(done)
    }

    /// Opens the folder of a path, making what is missing.
    fn make_parents<'p>(&mut self, path: &'p str) -> io::Result<(OwnedFd, &'p str)> {
        let (parents, name) = split(path);
        let mut folder = self.root.try_clone()?;
        let mut end = 0;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            end += part.len() + usize::from(end > 0);
            folder = match open_folder(&folder, part) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    mkdirat(&folder, part, Mode::from_raw_mode(0o755))?;
                    self.changes.push(Change::MadeFolder(path[..end].to_owned()));
                    open_folder(&folder, part)?
                }
                opened => opened?,
            };
        }
        Ok((folder, name))
    }

    fn parent<'p>(&self, path: &'p str) -> io::Result<Option<(OwnedFd, &'p str)>> {
        parent(&self.root, path)
    }

    /// Removes the folders above a deleted file that are empty now; git knows no empty folders either.
    fn remove_emptied(&mut self, path: &str) {
        let mut path = path;
        while let Some((above, _)) = path.rsplit_once('/') {
            let Ok(Some((folder, name))) = self.parent(above) else { return };
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
            if unlinkat(&folder, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            self.changes.push(Change::RemovedFolder(above.to_owned(), stat.st_mode & 0o7777));
            path = above;
        }
    }

    /// Takes everything back, the last first. Whether all could be.
    fn undo(&mut self) -> bool {
        let mut all = true;
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            let path = match &change {
                Change::MadeFolder(path) | Change::RemovedFolder(path, _) => path.as_str(),
                Change::Put(path) | Change::Kept(path) => path,
            };
            let Ok(Some((folder, name))) = self.parent(path) else {
                all = false;
                continue;
            };
            let taken_back = match change {
                Change::MadeFolder(_) => unlinkat(&folder, name, AtFlags::REMOVEDIR),
                Change::RemovedFolder(_, mode) => mkdirat(&folder, name, Mode::from_raw_mode(mode)),
                Change::Put(_) => unlinkat(&folder, name, AtFlags::empty()),
                // Where it is still in its place, both names are one file and the rename does nothing.
                Change::Kept(path) => renameat(&self.beside, old(path), &folder, name),
            };
            all &= taken_back.is_ok();
        }
        all
    }
}

/// Removes the folder beside with what is left in it.
fn clear(root: &OwnedFd, beside: &OwnedFd, name: &str, steps: &[Step]) {
    for step in steps {
        let _ = unlinkat(beside, new(&step.path), AtFlags::empty());
        let _ = unlinkat(beside, old(&step.path), AtFlags::empty());
    }
    let _ = unlinkat(root, name, AtFlags::REMOVEDIR);
    let _ = fsync(root);
}

fn beside(tag: &str) -> String {
    format!(".proofhouse-{tag}")
}

/// Named by the path, so that who recovers need not know which steps there were beside it.
fn new(path: &str) -> String {
    format!("{}.new", Digest::of(path.as_bytes()))
}

fn old(path: &str) -> String {
    format!("{}.old", Digest::of(path.as_bytes()))
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a file has these bytes.
fn has(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(folder, name, flags, Mode::empty())?);
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut found = Vec::with_capacity(bytes.len());
    file.take(bytes.len() as u64 + 1).read_to_end(&mut found)?;
    Ok(found == bytes)
}

fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, root, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a folder in a folder; a link is an error, wherever it leads.
fn open_folder(folder: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    if matches!(name, "" | "." | "..") {
        return Err(Errno::INVAL.into());
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

/// The open folder of a path, when it is there, and the name in it.
fn parent<'a>(root: &OwnedFd, path: &'a str) -> io::Result<Option<(OwnedFd, &'a str)>> {
    let (parents, name) = split(path);
    let mut folder = root.try_clone()?;
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        folder = match open_folder(&folder, part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
    }
    Ok(Some((folder, name)))
}

//! What an agent left in its working copy, as entries that are judged like an answer (D46, L69).
//!
//! It is found through the plane's own index and git directory: commits, an index, settings, hooks and excludes that
//! were made in the copy's git directory hide nothing and forge nothing. Files are read without following links.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
};

use model::{
    change::{Contents, Entry, Mode},
    proof::tree::ObjectId,
};

use super::{FileText, GitError, Kind, Worktree};

impl Worktree {
    /// The difference between a commit and the files found here, deletions first. Files larger than `max` are named
    /// and not read; behind `most` files, and behind `all` bytes, the rest is named only.
    pub async fn difference(&self, base: &ObjectId, max: u64, all: u64, most: usize) -> Result<Vec<Entry>, GitError> {
        let repository = self.repository();
        let mut changes = repository.changed_since(base).await?;
        changes.sort_by_key(|change| change.kind != Kind::Deleted);
        let mut entries = Vec::with_capacity(changes.len());
        let mut bytes = 0;
        for (number, change) in changes.into_iter().enumerate() {
            let path = change.path;
            if change.kind == Kind::Deleted {
                entries.push(Entry::Delete { path });
                continue;
            }
            if let Some(folder) = path.strip_suffix('/') {
                // git lists an untracked repository as a folder.
                entries.push(Entry::Repository { path: folder.to_owned() });
                continue;
            }
            let place = self.path.join(&path);
            let data = match place.symlink_metadata() {
                Ok(data) => data,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = "its name is not UTF-8, or it vanished".to_owned();
                    entries.push(Entry::Bad { path, message });
                    continue;
                }
                Err(error) => return Err(failed(&path, &error)),
            };
            let room = number < most && bytes + data.len() <= all;
            let entry = if data.is_symlink() {
                let target = fs::read_link(&place).map_err(|error| failed(&path, &error))?;
                match std::str::from_utf8(target.as_os_str().as_bytes()) {
                    Ok(target) => Entry::Link { path, target: target.to_owned() },
                    Err(_) => Entry::Bad { path, message: "the link leads to a name that is not UTF-8".to_owned() },
                }
            } else if data.is_dir() {
                Entry::Repository { path }
            } else if data.len() > max || !room {
                Entry::Oversize { path, bytes: data.len() }
            } else {
                match repository.read(&path, max)? {
                    FileText::Bytes(read) => {
                        bytes += read.len() as u64;
                        let executable = data.permissions().mode() & 0o111 != 0;
                        Entry::Write { path, contents: Contents::of(read), mode: Mode::Set(executable) }
                    }
                    FileText::Absent => Entry::Bad { path, message: "it vanished while it was read".to_owned() },
                    FileText::Unusable(message) => Entry::Bad { path, message },
                }
            };
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn failed(path: &str, error: &io::Error) -> GitError {
    GitError::Failed { action: "difference".to_owned(), message: format!("{path}: {error}") }
}

//! The data folder: where the database, blobs, worktrees and caches of a plane lie, and the lock
//! that lets one process at a time be that plane.

mod home;
mod lock;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{code::Code, problem::Problem};
use serde::{Deserialize, Serialize};

use self::lock::{Lock, Taken};

/// A data folder that this process holds. The lock goes with the last clone, or with the process:
/// the kernel drops it also after SIGKILL, so a stale lock file is simply taken over.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
    blobs: Option<PathBuf>,
    _lock: Arc<Lock>,
}

/// Who holds a data folder, as its lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it is, such as `serve` or `proof run`.
    pub owner: String,
}

/// How to reach the server of a data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAddress {
    /// The server's process.
    pub pid: u32,
    /// Its address, such as `http://127.0.0.1:7420`.
    pub url: String,
}

impl DataFolder {
    /// Makes the folder when it is missing and takes its lock.
    ///
    /// # Errors
    /// [`Code::DataFolderInUse`] when a living process holds it, [`Code::DataFolderUnusable`] when it
    /// cannot be made or written.
    pub fn open(root: &Path, owner: &str) -> Result<Self, Problem> {
        let unusable = |error: &io::Error| {
            Problem::new(Code::DataFolderUnusable, format!("failed to use the data folder {}: {error}", root.display()))
        };
        make(root).map_err(|error| unusable(&error))?;
        let root = root.canonicalize().map_err(|error| unusable(&error))?;
        let own = Holder { pid: std::process::id(), owner: owner.to_owned() };
        let lock = match lock::take(&root, &own).map_err(|error| unusable(&error))? {
            Taken::Ours(lock) => lock,
            Taken::Held(holder) => {
                let by = holder.map_or_else(
                    || "another process".to_owned(),
                    |holder| format!("process {} (proofhouse {})", holder.pid, holder.owner),
                );
                let mut problem = Problem::new(Code::DataFolderInUse, format!("the data folder is held by {by}"));
                if let Some(server) = server_of(&root) {
                    problem = problem.with("server", server.url);
                }
                return Err(problem);
            }
        };
        if root.join(store::UNFINISHED).exists() {
            return Err(Problem::new(Code::BackupUnusable, "the folder holds a backup that was not finished")
                .with_hint("make the backup again, or name another folder"));
        }
        for folder in ["runs", "cache", "log"] {
            make(&root.join(folder)).map_err(|error| unusable(&error))?;
        }
        Ok(Self { root, blobs: None, _lock: Arc::new(lock) })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite file.
    pub fn database(&self) -> PathBuf {
        self.root.join(store::DATABASE)
    }

    /// The same, with its blobs in another folder, which replicas over one PostgreSQL share.
    #[must_use]
    pub fn with_blobs(self, blobs: Option<PathBuf>) -> Self {
        Self { blobs, ..self }
    }

    /// The folder in which the folder `blobs` lies.
    pub fn blobs(&self) -> &Path {
        self.blobs.as_deref().unwrap_or(&self.root)
    }

    /// Where backups go that name no other place.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Where the plane keeps what runs need while they run: one folder per run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Build caches that outlive a run, one folder per project; safe to delete.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// The token that local commands use.
    pub fn local_token(&self) -> PathBuf {
        self.root.join("local.token")
    }

    /// Tells local commands where the server listens.
    pub fn publish(&self, url: &str) -> io::Result<()> {
        let address = ServerAddress { pid: std::process::id(), url: url.to_owned() };
        write_private(&self.root.join("server.json"), serde_json::json!(address).to_string().as_bytes())
    }

    /// Takes the server's address back.
    pub fn unpublish(&self) {
        // It may never have been written; a stale one is told by its pid and by the lock.
        let _ = fs::remove_file(self.root.join("server.json"));
    }
}

/// The server that published its address in this data folder, running or not.
pub fn server_of(root: &Path) -> Option<ServerAddress> {
    serde_json::from_slice(&fs::read(root.join("server.json")).ok()?).ok()
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_a_data_folder_and_a_stale_lock_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("plane");
        let held = DataFolder::open(&root, "serve").unwrap();
        held.publish("http://127.0.0.1:1").unwrap();
        let refused = DataFolder::open(&root, "proof run").unwrap_err();
        assert_eq!(refused.code, Code::DataFolderInUse);
        assert!(refused.message.contains(&std::process::id().to_string()), "{refused}");
        assert_eq!(refused.facts["server"], "http://127.0.0.1:1");
        drop(held);
        assert!(root.join("lock").exists(), "the file stays; the lock is what counts");
        DataFolder::open(&root, "proof run").unwrap();
    }

    #[test]
    fn an_unfinished_backup_is_no_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(store::UNFINISHED), "").unwrap();
        assert_eq!(DataFolder::open(folder.path(), "serve").unwrap_err().code, Code::BackupUnusable);
        fs::remove_file(folder.path().join(store::UNFINISHED)).unwrap();
        DataFolder::open(folder.path(), "serve").unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_a_coded_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("file");
        fs::write(&root, "x").unwrap();
        assert_eq!(DataFolder::open(&root, "serve").unwrap_err().code, Code::DataFolderUnusable);
    }
}

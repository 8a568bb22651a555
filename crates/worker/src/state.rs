//! The worker's folder: who it is, which repositories it knows, what waits for the plane. Only its user reads
//! it, one process at a time works on it, and a newer version's folder is refused (D64).

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use model::{code::Code, id::WorkerId, problem::Problem};
use rustix::fs::{FlockOperation, fcntl_lock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of the folder's layout.
const VERSION: u32 = 1;

/// Who this worker is to which plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// The version of the folder.
    pub version: u32,
    /// The plane's address.
    pub server: String,
    /// The worker's id there.
    pub worker: WorkerId,
    /// Its name there.
    pub name: String,
    /// Its token.
    pub token: String,
}

impl Paired {
    /// One of this version.
    pub fn new(server: String, worker: WorkerId, name: String, token: String) -> Self {
        Self { version: VERSION, server, worker, name, token }
    }
}

/// A worker's folder.
#[derive(Debug)]
pub struct State {
    root: PathBuf,
    /// Held for as long as this value lives; none where the folder is only looked at.
    _lock: Option<File>,
}

fn unusable(root: &Path, error: &io::Error) -> Problem {
    Problem::new(Code::WorkerStateUnusable, format!("failed to use the worker's folder {}: {error}", root.display()))
}

impl State {
    /// Makes the folder when it is missing and takes its lock. The kernel gives it back whatever ends the process.
    ///
    /// # Errors
    /// 409 while another process works on it; 500 when it cannot be used or is of a newer version.
    pub fn open(root: &Path) -> Result<Self, Problem> {
        let failed = |error: io::Error| unusable(root, &error);
        make(root).map_err(failed)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(root.join("lock"))
            .map_err(|error| unusable(&root, &error))?;
        // A record lock belongs to the process: children that were forked and live a moment longer do not keep it.
        if fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Problem::new(Code::WorkerStateInUse, "another worker process holds the folder")
                .with("folder", root.display().to_string()));
        }
        let state = Self { root, _lock: Some(lock) };
        make(&state.tasks()).map_err(|error| unusable(&state.root, &error))?;
        make(&state.aside()).map_err(|error| unusable(&state.root, &error))?;
        state.paired()?;
        Ok(state)
    }

    /// The folder without its lock, for looking, and for what is replaced whole.
    pub fn look(root: &Path) -> Self {
        Self { root: root.to_owned(), _lock: None }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where each task in hand has a folder.
    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// Where things go that cannot be delivered.
    pub fn aside(&self) -> PathBuf {
        self.root.join("aside")
    }

    /// Who this worker is, when it was paired.
    ///
    /// # Errors
    /// 500 for a folder of a newer version, or one that is damaged.
    pub fn paired(&self) -> Result<Option<Paired>, Problem> {
        let paired: Option<Paired> = self.read("worker.json")?;
        match &paired {
            Some(paired) if paired.version > VERSION => Err(Problem::new(
                Code::WorkerStateUnusable,
                format!("the worker's folder has version {}, this program knows {VERSION}", paired.version),
            )),
            Some(_) | None => Ok(paired),
        }
    }

    /// Keeps who this worker is.
    pub fn keep(&self, paired: &Paired) -> Result<(), Problem> {
        self.write("worker.json", paired)
    }

    /// Where repositories of projects lie on this machine (D48).
    pub fn repos(&self) -> Result<BTreeMap<String, PathBuf>, Problem> {
        Ok(self.read("repos.json")?.unwrap_or_default())
    }

    /// Keeps where they lie.
    pub fn keep_repos(&self, repos: &BTreeMap<String, PathBuf>) -> Result<(), Problem> {
        make(&self.root).map_err(|error| unusable(&self.root, &error))?;
        self.write("repos.json", repos)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        match fs::read(self.root.join(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                Problem::new(Code::WorkerStateUnusable, format!("{name} in the worker's folder is damaged: {error}"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&self.root, &error)),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Problem> {
        let bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
        write_durably(&self.root.join(name), &bytes).map_err(|error| unusable(&self.root, &error))
    }
}

/// Makes a folder that only its user may enter.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file that only its user may read: whole or not at all, and on the disk when this returns.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paired(version: u32) -> Paired {
        let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(1));
        Paired { version, ..Paired::new("http://h:1".into(), worker, "den".into(), "pht_x".into()) }
    }

    // D64
    #[test]
    fn the_folder_is_private_and_versioned() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("worker");
        let state = State::open(&root).unwrap();
        assert_eq!(state.paired(), Ok(None));
        state.keep(&paired(VERSION)).unwrap();
        let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("."), mode("worker.json"), mode("lock"), mode("tasks")), (0o700, 0o600, 0o600, 0o700));
        assert_eq!(State::look(&root).paired(), Ok(Some(paired(VERSION))), "looking needs no lock");
        drop(state);
        let state = State::open(&root).unwrap();
        state.keep(&paired(VERSION + 1)).unwrap();
        drop(state);
        assert_eq!(State::open(&root).unwrap_err().code, Code::WorkerStateUnusable);
        fs::write(root.join("worker.json"), b"{").unwrap();
        assert_eq!(State::open(&root).unwrap_err().code, Code::WorkerStateUnusable);
    }

    #[test]
    fn repositories_are_remembered_by_project() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::look(&folder.path().join("w"));
        assert!(state.repos().unwrap().is_empty());
        let repos = BTreeMap::from([("web".to_owned(), PathBuf::from("/src/web"))]);
        state.keep_repos(&repos).unwrap();
        assert_eq!(state.repos(), Ok(repos));
    }
}

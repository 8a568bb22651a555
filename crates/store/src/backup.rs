//! Online backup of a SQLite store with its blobs, and the check that one can be restored (F20).
//!
//! A backup is a data folder: `proofhouse.db`, `blobs/` and, written last, `backup.json`. Restoring is
//! to start the server on it, or on a copy. Until it is finished it holds the file
//! `backup.unfinished`: a repeat begins anew, and no plane starts on it.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use model::{digest::Digest, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    blob::Blobs,
    error::StoreError,
    migrate,
    sql::statements,
    sqlite::{self, SqliteTx},
    store::{Backend, Store},
    url::StoreUrl,
    verify::Verified,
};

statements! {
    BLOBS => sqlite "SELECT DISTINCT digest FROM blob_use ORDER BY digest", postgres "";
}

/// The database's file in a data folder, and so in a backup.
pub const DATABASE: &str = "proofhouse.db";
/// The file that marks a backup as not finished.
pub const UNFINISHED: &str = "backup.unfinished";
const MANIFEST: &str = "backup.json";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the schema.
    pub schema: i64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Blobs in it.
    pub blobs: u64,
    /// Blobs that were wanted and were damaged or missing when it was made.
    pub damaged_blobs: Vec<Digest>,
}

fn unusable(message: impl Into<String>, hint: &str) -> StoreError {
    StoreError::BackupUnusable { message: message.into(), hint: hint.to_owned() }
}

fn failed(what: &str, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::DiskFull;
    }
    unusable(format!("failed to {what}: {error}"), "choose an empty folder on a local disk with space")
}

impl Store {
    /// Writes a backup into an empty or new folder while everything goes on.
    pub async fn backup(&self, blobs: &Blobs, target: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
        let Backend::Sqlite(source) = self.backend() else {
            return Err(unusable(
                "a PostgreSQL store is backed up with PostgreSQL's own tools",
                "run pg_dump (or pg_basebackup) first, and copy the folder `blobs` after it",
            ));
        };
        let (source, blobs, target) = (source.path.clone(), blobs.clone(), target.to_owned());
        let work = tokio::task::spawn_blocking(move || write(&source, &blobs, &target, now));
        work.await.map_err(|error| StoreError::Internal(error.to_string()))?
    }
}

fn write(source: &Path, blobs: &Blobs, target: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
    // It holds what the data folder holds, so nobody else may read it either.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(target);
    made.map_err(|error| failed("make the backup's folder", &error))?;
    clear_unfinished(target).map_err(|error| failed("clear what an unfinished backup left", &error))?;
    let mut inside = fs::read_dir(target).map_err(|error| failed("read the backup's folder", &error))?;
    if inside.next().is_some() {
        return Err(unusable(format!("{} is not empty", target.display()), "choose an empty or new folder"));
    }
    let marked = File::create(target.join(UNFINISHED)).and_then(|mark| {
        mark.sync_all()?;
        File::open(target)?.sync_all()
    });
    marked.map_err(|error| failed("begin the backup", &error))?;
    let database = target.join(DATABASE);
    let name = database.to_str().ok_or_else(|| unusable("the folder's name is not UTF-8", "choose another name"))?;
    // One read transaction: the copy is one moment of the store, whatever is written meanwhile.
    let mut from = sqlite::connect(source, true)?;
    from.connection().execute("VACUUM INTO ?1", [name]).map_err(|error| sqlite::map(&error).0)?;
    drop(from);
    let synced = File::open(&database).and_then(|file| file.sync_all());
    synced.map_err(|error| failed("sync the backup", &error))?;
    let mut copy = open_copy(&database)?;
    let schema = migrate::version(copy.connection())?;
    // Blobs that the copied rows want: dropped ones stay for a grace time that is longer than this.
    let mut manifest = Manifest { schema, made_at: now, blobs: 0, damaged_blobs: Vec::new() };
    let to = Blobs::open(target)?;
    for mut row in copy.query(BLOBS.sqlite, &[])? {
        let digest = row.digest()?;
        let copied = match blobs.read(&digest) {
            Ok(file) => Some(to.put(file)?),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        match copied {
            Some(put) if put.digest == digest => manifest.blobs += 1,
            // A damaged one is not passed on as good; the manifest names it.
            Some(put) => {
                to.remove(&put.digest)?;
                manifest.damaged_blobs.push(digest);
            }
            None => manifest.damaged_blobs.push(digest),
        }
    }
    // Closed like a store, so that the copy is one file.
    copy.checkpoint()?;
    drop(copy);
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| StoreError::Internal(error.to_string()))?;
    let finish = || -> io::Result<()> {
        let mut file = File::create(target.join(MANIFEST))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(target)?.sync_all()?;
        fs::remove_file(target.join(UNFINISHED))?;
        File::open(target)?.sync_all()
    };
    finish().map_err(|error| failed("finish the backup", &error))?;
    Ok(manifest)
}

/// Removes what a backup that was cut off left in its folder: our own files, and only behind our mark.
fn clear_unfinished(target: &Path) -> io::Result<()> {
    let mark = target.join(UNFINISHED);
    if !mark.is_file() {
        return Ok(());
    }
    let gone = |done: io::Result<()>| match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    for end in ["", "-wal", "-shm", "-journal"] {
        gone(fs::remove_file(target.join(format!("{DATABASE}{end}"))))?;
    }
    gone(fs::remove_dir_all(target.join("blobs")))?;
    gone(fs::remove_file(target.join(MANIFEST)))?;
    // Last: killed before, the rest still lies behind the mark.
    fs::remove_file(mark)
}

fn open_copy(database: &Path) -> Result<SqliteTx, StoreError> {
    sqlite::connect(database, true)
}

/// Reads a backup as a restored server would, and checks all of it. Works on a copy of the database
/// file, so that the backup stays as it is.
pub async fn backup_check(folder: &Path) -> Result<(Manifest, Verified), StoreError> {
    if folder.join(UNFINISHED).exists() {
        return Err(unusable(format!("the backup in {} was not finished", folder.display()), "make it again"));
    }
    let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|error| {
        unusable(
            format!("{} holds no finished backup: {error}", folder.display()),
            "name the folder that `proofhouse backup` wrote; one without backup.json was not finished",
        )
    })?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| unusable(format!("backup.json cannot be read: {error}"), "make a new backup"))?;
    if manifest.schema > migrate::KNOWN {
        return Err(StoreError::DatabaseNewer { found: manifest.schema, known: migrate::KNOWN });
    }
    let copy =
        std::env::temp_dir().join(format!("proofhouse-check-{}-{}", std::process::id(), manifest.made_at.micros()));
    let checked = check_copy(folder, &copy).await;
    let _ = fs::remove_dir_all(&copy);
    Ok((manifest, checked?))
}

async fn check_copy(folder: &Path, copy: &Path) -> Result<Verified, StoreError> {
    fs::create_dir_all(copy).map_err(|error| failed("make a copy to check", &error))?;
    let database = copy.join(DATABASE);
    fs::copy(folder.join(DATABASE), &database).map_err(|error| failed("copy the database", &error))?;
    let store = Store::open(StoreUrl::Sqlite(database)).await?;
    let verified = store.verify_all(&Blobs::open(folder)?).await;
    store.close().await;
    verified
}

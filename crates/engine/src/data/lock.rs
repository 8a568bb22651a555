//! The lock of a data folder.
//!
//! It is a POSIX record lock, which belongs to the process and not to the open file: a child that was
//! forked and has not yet executed its program holds a copy of every descriptor, and with a lock on
//! the open file a killed server's folder stayed taken until that child was scheduled again. Two things
//! follow. The same process is not refused by the kernel, so the folders it holds are also listed here.
//! And closing any descriptor of the file ends the lock, so nothing else in this process opens it.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::{FlockOperation, fcntl_lock};

use super::Holder;

/// A folder by its device and number, whatever it is called.
type Folder = (u64, u64);

static HELD: LazyLock<Mutex<HashMap<Folder, Holder>>> = LazyLock::new(Mutex::default);

fn held() -> MutexGuard<'static, HashMap<Folder, Holder>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock that this process has.
#[derive(Debug)]
pub(super) struct Lock {
    folder: Folder,
    file: Option<File>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = held();
        // Closing it ends the lock; only then may somebody else in this process open the file.
        drop(self.file.take());
        held.remove(&self.folder);
    }
}

/// What came of taking a lock.
pub(super) enum Taken {
    /// It is this process's now.
    Ours(Lock),
    /// Somebody has it, who may have said who they are.
    Held(Option<Holder>),
}

/// Takes the lock of a folder, or says who has it.
pub(super) fn take(root: &Path, own: &Holder) -> io::Result<Taken> {
    let metadata = root.metadata()?;
    let folder = (metadata.dev(), metadata.ino());
    let mut held = held();
    if let Some(holder) = held.get(&folder) {
        return Ok(Taken::Held(Some(holder.clone())));
    }
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(root.join("lock"))?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(Taken::Held(read(&mut file))),
        Err(error) => return Err(error.into()),
    }
    write(&mut file, own)?;
    held.insert(folder, own.clone());
    Ok(Taken::Ours(Lock { folder, file: Some(file) }))
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::json!(holder).to_string().as_bytes())
}

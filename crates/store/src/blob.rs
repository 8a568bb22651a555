//! Blobs: bytes by their SHA-256, one file each, in `blobs/ab/cdef...` under the data folder.
//!
//! A blob is durable before its name is given out: written beside its place, synced, renamed, and
//! the folder synced. It never changes. Who wants it is written down in the database; a blob that
//! nobody wants is swept after a grace time, so that one that was just made is not taken away.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use model::{digest::Digest, proof::evidence::BlobState};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;

/// How long an unwanted blob stays.
pub const GRACE: Duration = model::limits::BLOB_GRACE;

/// The blob folder.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: PathBuf,
}

/// A blob that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef {
    /// Its name.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

fn failed(what: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        io::ErrorKind::NotFound => StoreError::NotFound("blob"),
        _ => StoreError::Unavailable(format!("failed to {what} a blob: {error}")),
    }
}

impl Blobs {
    /// Opens or makes the folder `blobs` under the data folder.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let root = data.join("blobs");
        fs::create_dir_all(root.join("new")).map_err(|error| failed("make a place for", &error))?;
        Ok(Self { root })
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (folder, rest) = name.split_at(2);
        self.root.join(folder).join(rest)
    }

    /// Stores everything that a reader gives, in bounded memory. Returns when it is durable.
    pub fn put(&self, mut from: impl Read) -> Result<BlobRef, StoreError> {
        let mut writer = self.writer()?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return writer.finish(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read what becomes", &error)),
            };
            writer.write_all(&buffer[..read]).map_err(|error| failed("write", &error))?;
        }
    }

    /// As [`Blobs::put`], of bytes in memory, off the async threads.
    pub async fn put_bytes(&self, bytes: Vec<u8>) -> Result<BlobRef, StoreError> {
        self.aside(move |blobs| blobs.put(bytes.as_slice())).await
    }

    /// As [`Blobs::put`], of a file, off the async threads. The file stays.
    pub async fn put_file(&self, path: PathBuf) -> Result<BlobRef, StoreError> {
        self.aside(move |blobs| {
            let kind = fs::symlink_metadata(&path).map_err(|error| failed("read what becomes", &error))?;
            if !kind.is_file() {
                return Err(StoreError::Unstorable("only a regular file becomes a blob".to_owned()));
            }
            blobs.put(File::open(&path).map_err(|error| failed("read what becomes", &error))?)
        })
        .await
    }

    /// As [`Blobs::read_range`], off the async threads.
    pub async fn range(&self, digest: Digest, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.aside(move |blobs| blobs.read_range(&digest, offset, length)).await
    }

    /// As [`Blobs::verify`], of many, off the async threads and in their order.
    pub async fn states(&self, digests: Vec<Digest>) -> Result<Vec<BlobState>, StoreError> {
        self.aside(move |blobs| Ok(digests.iter().map(|digest| blobs.verify(digest)).collect())).await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let blobs = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&blobs)).await;
        done.map_err(|error| StoreError::Internal(error.to_string()))?
    }

    /// Begins a blob that is written piece by piece. Dropping it unfinished leaves nothing.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        // Replicas may share the folder, and process numbers repeat: no other writer has this name.
        let path = self.root.join("new").join(uuid::Uuid::now_v7().simple().to_string());
        let file = File::options().write(true).create_new(true).open(&path).map_err(|error| failed("begin", &error))?;
        Ok(BlobWriter { blobs: self.clone(), file: Some(file), path, hash: Sha256::new(), bytes: 0 })
    }

    /// Opens a blob for reading. Only a regular file is a blob; its bytes are checked by [`Blobs::verify`].
    pub fn read(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.place(digest);
        let kind = fs::symlink_metadata(&path).map_err(|error| failed("open", &error))?;
        if !kind.is_file() {
            return Err(StoreError::NotFound("blob"));
        }
        File::open(&path).map_err(|error| failed("open", &error))
    }

    /// Reads a part of a blob: at most `length` bytes from `offset`, fewer at its end.
    pub fn read_range(&self, digest: &Digest, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut file = self.read(digest)?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| failed("read", &error))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes).map_err(|error| failed("read", &error))?;
        Ok(bytes)
    }

    /// The size of a blob.
    pub fn size(&self, digest: &Digest) -> Result<u64, StoreError> {
        Ok(self.read(digest)?.metadata().map_err(|error| failed("read", &error))?.len())
    }

    /// Whether there is a regular, readable file with exactly these bytes (P51).
    pub fn verify(&self, digest: &Digest) -> BlobState {
        let Ok(mut file) = self.read(digest) else { return BlobState::Missing };
        let mut hash = Hasher(Sha256::new());
        match io::copy(&mut file, &mut hash) {
            Ok(_) if Digest::from_bytes(hash.0.finalize().into()) == *digest => BlobState::Sound,
            Ok(_) => BlobState::Altered,
            Err(_) => BlobState::Missing,
        }
    }

    /// Removes a blob. Only the sweep does that, after nobody wants it.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        match fs::remove_file(self.place(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &error)),
            _ => Ok(()),
        }
    }

    /// Every blob in the folder, with its age.
    pub(crate) fn list(&self) -> Result<Vec<(Digest, Duration)>, StoreError> {
        let read = |path: &Path| fs::read_dir(path).map_err(|error| failed("list", &error));
        let mut found = Vec::new();
        for folder in read(&self.root)?.flatten() {
            let name = folder.file_name();
            let Some(start) = name.to_str().filter(|name| name.len() == 2) else { continue };
            for file in read(&folder.path())?.flatten() {
                let name = file.file_name();
                let digest = name.to_str().and_then(|rest| format!("{start}{rest}").parse().ok());
                if let Some(digest) = digest {
                    found.push((digest, age(&file)));
                }
            }
        }
        Ok(found)
    }

    /// Removes what unfinished writers of killed processes left.
    pub(crate) fn sweep_unfinished(&self) -> Result<(), StoreError> {
        let left = fs::read_dir(self.root.join("new")).map_err(|error| failed("list", &error))?;
        for file in left.flatten().filter(|file| age(file) > GRACE) {
            fs::remove_file(file.path()).map_err(|error| failed("remove", &error))?;
        }
        Ok(())
    }
}

fn age(file: &fs::DirEntry) -> Duration {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or(Duration::ZERO)
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blob in the making.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Blobs,
    file: Option<File>,
    path: PathBuf,
    hash: Sha256,
    bytes: u64,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let written = file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter {
    /// Bytes so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name that the bytes so far would have.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.hash.clone().finalize().into())
    }

    /// Makes it durable under its name.
    pub fn finish(mut self) -> Result<BlobRef, StoreError> {
        let digest = Digest::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        let place = self.blobs.place(&digest);
        let write = || -> io::Result<()> {
            let folder = place.parent().unwrap_or(&self.blobs.root);
            if let Some(file) = self.file.take() {
                file.sync_all()?;
            }
            if let Err(error) = fs::create_dir(folder) {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
            } else {
                File::open(&self.blobs.root)?.sync_all()?;
            }
            // Over an older file of that name: its bytes are these, or it was damaged and is mended.
            fs::rename(&self.path, &place)?;
            File::open(folder)?.sync_all()
        };
        let bytes = self.bytes;
        let mut write = write;
        write().map_err(|error| failed("keep", &error))?;
        Ok(BlobRef { digest, bytes })
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After `finish` it has another name, and there is nothing here to remove.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_what_was_put_and_damage_is_seen() {
        // F11, P51
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let put = blobs.put(&b"hello"[..]).unwrap();
        assert_eq!(put, BlobRef { digest: Digest::of(b"hello"), bytes: 5 });
        assert_eq!(blobs.put(&b"hello"[..]).unwrap(), put);
        assert_eq!(blobs.verify(&put.digest), BlobState::Sound);
        assert_eq!(blobs.read_range(&put.digest, 1, 3).unwrap(), b"ell");
        assert_eq!(blobs.read_range(&put.digest, 4, 100).unwrap(), b"o");
        assert_eq!(blobs.read_range(&put.digest, 99, 1).unwrap(), b"");
        fs::write(blobs.place(&put.digest), b"hellO").unwrap();
        assert_eq!(blobs.verify(&put.digest), BlobState::Altered);
        blobs.put(&b"hello"[..]).unwrap();
        assert_eq!(blobs.verify(&put.digest), BlobState::Sound, "putting it again mends it");
        fs::remove_file(blobs.place(&put.digest)).unwrap();
        assert_eq!(blobs.verify(&put.digest), BlobState::Missing);
        std::os::unix::fs::symlink("/etc/hostname", blobs.place(&put.digest)).unwrap();
        assert_eq!(blobs.verify(&put.digest), BlobState::Missing, "a link is no blob");
        assert_eq!(blobs.read(&Digest::of(b"other")).unwrap_err(), StoreError::NotFound("blob"));
    }

    #[test]
    fn an_unfinished_blob_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let mut writer = blobs.writer().unwrap();
        writer.write_all(b"half").unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path().join("blobs/new")).unwrap().count(), 0);
        assert!(blobs.list().unwrap().is_empty());
    }
}

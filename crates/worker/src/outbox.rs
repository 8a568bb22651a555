//! What waits on disk for the plane (D63): a folder for each task in hand, with the claim as it came and,
//! numbered, whatever is to be told. A thing is on the disk before it is sent and leaves it when the plane
//! has taken it.

use std::{
    fs,
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use model::{digest::Digest, id::TaskId, limits, task::Fence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::state::{make, write_durably};

/// The most entries that are sent at once.
pub const ENTRIES: usize = 500;

/// Something to tell the plane about a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum Item {
    /// Entries for the run's journal, each with its client id.
    Entries {
        /// As they are sent.
        entries: Vec<Value>,
    },
    /// A file; its bytes lie beside.
    Artifact {
        /// What it is called.
        name: String,
        /// What it is.
        media_type: String,
        /// The digest of its bytes.
        sha256: Digest,
    },
    /// How the task ended: the last thing there is to tell.
    Outcome {
        /// `complete`, `fail` or `release`.
        verb: String,
        /// As it is sent.
        body: Value,
    },
}

/// A task in hand, as it lies on disk.
#[derive(Debug)]
pub struct TaskBox {
    dir: PathBuf,
    fence: Fence,
    next: AtomicU64,
}

impl TaskBox {
    /// Writes a claim down, before its work starts.
    pub fn begin(tasks: &Path, fence: Fence, claim: &Value) -> io::Result<Self> {
        let dir = tasks.join(format!("{}-{}", fence.task, fence.generation));
        make(&dir)?;
        write_durably(&dir.join("claim.json"), claim.to_string().as_bytes())?;
        fs::File::open(tasks)?.sync_all()?;
        Ok(Self { dir, fence, next: AtomicU64::new(1) })
    }

    /// What an earlier process left. Folders whose claim was not written whole never had work, and go.
    pub fn left(tasks: &Path) -> io::Result<Vec<Self>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(tasks)? {
            let dir = entry?.path();
            let named = dir.file_name().and_then(|name| name.to_str()).and_then(fence);
            let claim = fs::read(dir.join("claim.json")).ok();
            let is_whole = claim.is_some_and(|claim| serde_json::from_slice::<Value>(&claim).is_ok());
            match named.filter(|_| is_whole) {
                Some(fence) => {
                    let mut found = Self { dir, fence, next: AtomicU64::new(1) };
                    let last = found.numbers()?.last().copied().unwrap_or(0);
                    found.next = AtomicU64::new(last + 1);
                    left.push(found);
                }
                None => fs::remove_dir_all(&dir)?,
            }
        }
        left.sort_by_key(|found| (found.fence.task, found.fence.generation));
        Ok(left)
    }

    /// The claim it is behind.
    pub const fn fence(&self) -> Fence {
        self.fence
    }

    /// Where the task works. What is there is nobody's once the task is over.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// Puts something in, durably; its number.
    pub fn put(&self, item: &Item) -> io::Result<u64> {
        let number = self.next.fetch_add(1, Relaxed);
        let bytes = serde_json::to_vec(item).map_err(io::Error::other)?;
        write_durably(&self.dir.join(format!("{number:08}.json")), &bytes)?;
        Ok(number)
    }

    /// Puts a file in: its bytes first, so that what names them never stands without them.
    pub fn put_file(&self, name: &str, media_type: &str, bytes: &[u8]) -> io::Result<(u64, Digest)> {
        let sha256 = Digest::of(bytes);
        let number = self.next.fetch_add(1, Relaxed);
        write_durably(&self.dir.join(format!("{number:08}.bytes")), bytes)?;
        let item = Item::Artifact { name: name.to_owned(), media_type: media_type.to_owned(), sha256 };
        let text = serde_json::to_vec(&item).map_err(io::Error::other)?;
        write_durably(&self.dir.join(format!("{number:08}.json")), &text)?;
        Ok((number, sha256))
    }

    /// Moves a file in, without holding it in memory; its digest, and whether its end was cut off because the plane
    /// takes no more.
    pub fn move_file(&self, name: &str, media_type: &str, file: &Path) -> io::Result<(Digest, bool)> {
        let number = self.next.fetch_add(1, Relaxed);
        let to = self.bytes(number);
        if fs::rename(file, &to).is_err() {
            // Another file system.
            fs::copy(file, &to)?;
        }
        let kept = fs::OpenOptions::new().write(true).read(true).open(&to)?;
        let is_cut = kept.metadata()?.len() > limits::WORKER_ARTIFACT as u64;
        if is_cut {
            kept.set_len(limits::WORKER_ARTIFACT as u64)?;
        }
        kept.sync_all()?;
        let sha256 = digest_of(&kept)?;
        let item = Item::Artifact { name: name.to_owned(), media_type: media_type.to_owned(), sha256 };
        let text = serde_json::to_vec(&item).map_err(io::Error::other)?;
        write_durably(&self.dir.join(format!("{number:08}.json")), &text)?;
        Ok((sha256, is_cut))
    }

    /// The claim as it came.
    pub fn claim(&self) -> io::Result<Value> {
        serde_json::from_slice(&fs::read(self.dir.join("claim.json"))?).map_err(io::Error::other)
    }

    /// The numbers of what waits, in order.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What waits under a number. Damaged things are an error that names them.
    pub fn item(&self, number: u64) -> io::Result<Item> {
        let bytes = fs::read(self.dir.join(format!("{number:08}.json")))?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    /// The file of an artifact that waits under a number.
    pub fn bytes(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:08}.bytes"))
    }

    /// Takes out what the plane has taken.
    pub fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.dir.join(format!("{number:08}.json")))?;
        match fs::remove_file(self.bytes(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sets something aside that cannot be delivered, so that the rest can be.
    pub fn set_aside(&self, number: u64, aside: &Path) -> io::Result<PathBuf> {
        let name =
            |ending: &str| aside.join(format!("{}-{}-{number:08}.{ending}", self.fence.task, self.fence.generation));
        let bytes = self.bytes(number);
        if bytes.exists() {
            fs::rename(bytes, name("bytes"))?;
        }
        let kept = name("json");
        fs::rename(self.dir.join(format!("{number:08}.json")), &kept)?;
        Ok(kept)
    }

    /// Whether its outcome waits here: its work is over.
    pub fn has_outcome(&self) -> io::Result<bool> {
        let Some(last) = self.numbers()?.last().copied() else { return Ok(false) };
        Ok(matches!(self.item(last), Ok(Item::Outcome { .. })))
    }

    /// Drops everything of the task.
    pub fn drop_all(&self) -> io::Result<()> {
        // The claim goes last but one: without it a folder is nobody's work (see `left`).
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn digest_of(mut file: &fs::File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file, &mut hash)?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}

fn fence(name: &str) -> Option<Fence> {
    let (task, generation) = name.rsplit_once('-')?;
    Some(Fence { task: task.parse::<TaskId>().ok()?, generation: generation.parse().ok()? })
}

/// How much waits in all: things and their bytes. The working folders of tasks are not counted.
pub fn waiting(tasks: &Path) -> (u64, u64) {
    let (mut items, mut bytes) = (0, 0);
    for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
        for entry in fs::read_dir(task.path()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let is_item = name.ends_with(".json") && name != "claim.json";
            if is_item || name.ends_with(".bytes") {
                items += u64::from(is_item);
                bytes += entry.metadata().map_or(0, |about| about.len());
            }
        }
    }
    (items, bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn begin(tasks: &Path) -> TaskBox {
        let fence = Fence { task: TaskId::from_uuid(Uuid::from_u128(7)), generation: 3 };
        TaskBox::begin(tasks, fence, &json!({"kind": "probe"})).unwrap()
    }

    fn outcome() -> Item {
        Item::Outcome { verb: "complete".into(), body: json!({"output": {}}) }
    }

    // D63: what was put in is there for the next process, in its order, until it is taken out.
    #[test]
    fn what_was_put_in_is_found_again_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let task = begin(folder.path());
        let entries = Item::Entries { entries: vec![json!({"kind": "note"})] };
        assert_eq!(task.put(&entries).unwrap(), 1);
        let (number, digest) = task.put_file("out.txt", "text/plain", b"hello").unwrap();
        assert_eq!((number, digest), (2, Digest::of(b"hello")));
        assert!(!task.has_outcome().unwrap());
        task.put(&outcome()).unwrap();
        assert_eq!(waiting(folder.path()).0, 3);
        drop(task);

        let task = TaskBox::left(folder.path()).unwrap().pop().unwrap();
        assert_eq!(task.fence().generation, 3);
        assert_eq!((task.numbers().unwrap(), task.has_outcome().unwrap()), (vec![1, 2, 3], true));
        assert_eq!(task.item(1).unwrap(), entries);
        assert_eq!(fs::read(task.bytes(2)).unwrap(), b"hello");
        for number in [1, 2] {
            task.remove(number).unwrap();
        }
        assert_eq!(task.numbers().unwrap(), [3]);
        assert_eq!(task.put(&outcome()).unwrap(), 4, "numbers go on");
        task.drop_all().unwrap();
        assert!(TaskBox::left(folder.path()).unwrap().is_empty());
    }

    // D58, D61, K7: a file is moved in, cut where the plane takes no more, and named by what is then there.
    #[test]
    fn a_file_is_moved_in() {
        let folder = tempfile::tempdir().unwrap();
        let task = begin(folder.path());
        let file = folder.path().join("said");
        fs::write(&file, b"hello").unwrap();
        assert_eq!(task.move_file("said", "text/plain", &file).unwrap(), (Digest::of(b"hello"), false));
        assert!(!file.exists() && task.bytes(1).exists());
        fs::File::create(&file).unwrap().set_len(limits::WORKER_ARTIFACT as u64 + 1).unwrap();
        let (digest, is_cut) = task.move_file("long", "text/plain", &file).unwrap();
        assert_eq!((digest, is_cut), (Digest::of(&vec![0; limits::WORKER_ARTIFACT]), true));
        assert_eq!(task.claim().unwrap(), json!({"kind": "probe"}));
    }

    // D63: a claim that was not written whole never had work.
    #[test]
    fn a_folder_without_its_claim_is_nobodys_work() {
        let folder = tempfile::tempdir().unwrap();
        let task = begin(folder.path());
        fs::write(folder.path().join(format!("{}-3", task.fence().task)).join("claim.json"), b"{\"ki").unwrap();
        fs::create_dir(folder.path().join("stray")).unwrap();
        assert!(TaskBox::left(folder.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    // Section 19: a damaged thing is set aside, and the rest goes on.
    #[test]
    fn a_damaged_thing_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (tasks, aside) = (folder.path().join("tasks"), folder.path().join("aside"));
        make(&tasks).unwrap();
        make(&aside).unwrap();
        let task = begin(&tasks);
        task.put_file("a", "text/plain", b"a").unwrap();
        task.put(&outcome()).unwrap();
        fs::write(task.dir.join("00000001.json"), b"\0\0").unwrap();
        assert!(task.item(1).is_err());
        assert!(task.set_aside(1, &aside).unwrap().exists());
        assert_eq!((task.numbers().unwrap(), task.has_outcome().unwrap()), (vec![2], true));
        assert_eq!(fs::read_dir(&aside).unwrap().count(), 2);
    }
}

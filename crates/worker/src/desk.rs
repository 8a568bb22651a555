//! What a performer of a task sees: the task, a folder of its own, and the ways to tell the plane.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use model::{digest::Digest, journal::bounded, ledger::Spent, limits, task::Fence};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    deliver::Progress,
    link::{Backoff, Link},
    outbox::{ENTRIES, Item, TaskBox},
};

/// Steps of one phase within this time become the last of them (D67).
const STEP_PACE: Duration = Duration::from_millis(500);
/// The bytes of one batch of entries, with room for what stands around them.
const BATCH: usize = limits::BODY - (16 << 10);
/// The longest step.
const STEP: usize = 200;

/// Why the plane could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskError {
    /// The task is no longer this worker's: stop.
    Lost,
    /// It could not be written to this machine's disk, or fetched from the plane.
    Unreachable,
}

/// A performer's place at the plane. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

pub(crate) struct Inner {
    pub link: Link,
    pub claim: Value,
    pub outbox: Arc<TaskBox>,
    pub progress: Arc<Progress>,
    pub stop: CancellationToken,
    pub lost: CancellationToken,
    pub cancelled: AtomicBool,
    pub step: Mutex<Step>,
    /// What the task has cost, by the word of its performer.
    pub spent: Mutex<Option<Spent>>,
}

/// The step that is told next.
#[derive(Debug, Default)]
pub(crate) struct Step {
    phase: String,
    waiting: Option<String>,
    told_at: Option<Instant>,
}

/// An entry for the run's journal.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// What it tells: one of the kinds that workers write.
    pub kind: String,
    /// `debug`, `info`, `warning` or `error`.
    pub level: &'static str,
    /// The span it belongs to.
    pub span: Option<String>,
    /// That span's parent.
    pub parent: Option<String>,
    /// `open` or `close`, where it is an edge of the span.
    pub edge: Option<&'static str>,
    /// The kind's own data: an object.
    pub data: Value,
}

impl NewEntry {
    /// One without a span.
    pub fn new(kind: &str, data: Value) -> Self {
        Self { kind: kind.to_owned(), level: "info", span: None, parent: None, edge: None, data }
    }

    fn sent(&self) -> Value {
        // The plane would cut it; what waits on this disk and what is sent at once are bounded by that, too (D61).
        let data = bounded(self.data.clone());
        let mut entry = json!({
            "client_id": Uuid::now_v7(), "at": now(), "kind": self.kind, "level": self.level, "data": data,
        });
        for (name, value) in [("span", &self.span), ("parent", &self.parent)] {
            if let Some(value) = value {
                entry[name] = json!(value);
            }
        }
        if let Some(edge) = self.edge {
            entry["edge"] = json!(edge);
        }
        entry
    }
}

/// Cuts entries into batches that the plane takes: by number, and by the bytes of the call.
fn parts(entries: impl Iterator<Item = Value>) -> Vec<Vec<Value>> {
    let (mut parts, mut bytes): (Vec<Vec<Value>>, usize) = (Vec::new(), 0);
    for entry in entries {
        let size = entry.to_string().len() + 1;
        match parts.last_mut().filter(|part| part.len() < ENTRIES && bytes + size <= BATCH) {
            Some(part) => {
                bytes += size;
                part.push(entry);
            }
            None => {
                bytes = size;
                parts.push(vec![entry]);
            }
        }
    }
    parts
}

/// This machine's clock, which the plane keeps as data and never believes.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    model::time::Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).to_string()
}

impl Desk {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Says what the task has cost; it travels with the outcome (D34).
    pub fn costs(&self, spent: Option<Spent>) {
        *self.0.spent.lock().unwrap_or_else(PoisonError::into_inner) = spent;
    }

    pub(crate) fn spent(&self) -> Option<Spent> {
        *self.0.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claim as it came: `task, run, project, kind, subject, attempt, input`.
    pub fn claim(&self) -> &Value {
        &self.0.claim
    }

    /// What is to be done, in the kind's own words.
    pub fn input(&self) -> &Value {
        &self.0.claim["input"]
    }

    /// The fence.
    pub fn fence(&self) -> Fence {
        self.0.outbox.fence()
    }

    /// A folder for the work; it goes with the task.
    pub fn folder(&self) -> PathBuf {
        self.0.outbox.work()
    }

    /// Fires when the work is to stop: cancelled, lost, or the worker shuts down.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Whether the run is being cancelled: what there is should be told.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Relaxed)
    }

    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
        self.0.stop.cancel();
    }

    pub(crate) fn lose(&self) {
        self.0.lost.cancel();
        self.0.stop.cancel();
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.lost.is_cancelled()
    }

    /// Tells the run's journal. It returns when the entries are on this machine's disk; the plane gets them
    /// in order, each once, however often they have to be sent (D57, D63).
    pub async fn entries(&self, entries: &[NewEntry]) -> Result<(), DeskError> {
        self.put_entries(entries).await.map(drop)
    }

    async fn put_entries(&self, entries: &[NewEntry]) -> Result<u64, DeskError> {
        let mut last = 0;
        for entries in parts(entries.iter().map(NewEntry::sent)) {
            last = self.put(move |outbox| outbox.put(&Item::Entries { entries })).await?;
        }
        Ok(last)
    }

    /// Enters a phase, and waits until the plane has taken that: what comes after it is done only by whoever
    /// still has the task (D56). Without an answer it waits.
    pub async fn phase(&self, phase: &str) -> Result<(), DeskError> {
        self.flush_step().await?;
        self.step_state(|step| *step = Step { phase: phase.to_owned(), ..Step::default() });
        let data = json!({"task": self.fence().task, "phase": phase});
        let number = self.put_entries(&[NewEntry::new("task.phase", data)]).await?;
        let mut taken = self.0.progress.taken.subscribe();
        tokio::select! {
            reached = taken.wait_for(|taken| *taken >= number) => reached.map(drop).map_err(|_| DeskError::Lost),
            () = self.0.lost.cancelled() => Err(DeskError::Lost),
        }
    }

    /// Says what is done within the phase. Many in a row become the last (D67).
    pub async fn step(&self, text: &str) -> Result<(), DeskError> {
        let text: String = text.chars().filter(|c| !c.is_control()).take(STEP).collect();
        let is_due = self.step_state(|step| {
            step.waiting = Some(text);
            step.told_at.is_none_or(|at| at.elapsed() >= STEP_PACE)
        });
        if is_due { self.flush_step().await } else { Ok(()) }
    }

    /// Tells a step that waits for its turn.
    pub(crate) async fn flush_step(&self) -> Result<(), DeskError> {
        let due = self.step_state(|step| {
            let text = step.waiting.take()?;
            step.told_at = Some(Instant::now());
            Some((step.phase.clone(), text))
        });
        let Some((phase, text)) = due else { return Ok(()) };
        let data = json!({"task": self.fence().task, "phase": phase, "step": text});
        self.entries(&[NewEntry::new("task.step", data)]).await
    }

    fn step_state<T>(&self, look: impl FnOnce(&mut Step) -> T) -> T {
        look(&mut self.0.step.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a text as an artifact of the run (D58).
    pub async fn artifact(&self, name: &str, media_type: &str, bytes: Vec<u8>) -> Result<Digest, DeskError> {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        self.put(move |outbox| outbox.put_file(&name, &media_type, &bytes).map(|(_, digest)| digest)).await
    }

    /// Keeps a file as an artifact of the run (D58). The file is moved away, and cut where the plane takes no more.
    pub async fn artifact_file(&self, name: &str, media_type: &str, file: &Path) -> Result<Digest, DeskError> {
        let (named, media_type, file) = (name.to_owned(), media_type.to_owned(), file.to_owned());
        let (digest, is_cut) = self.put(move |outbox| outbox.move_file(&named, &media_type, &file)).await?;
        if is_cut {
            let text = format!("{name} is larger than the plane takes from a worker; its start is kept");
            let data = json!({"code": "artifact_cut", "text": text});
            self.entries(&[NewEntry { level: "warning", ..NewEntry::new("warning", data) }]).await?;
        }
        Ok(digest)
    }

    /// Fetches something that the run rests on into the task's folder; its bytes are what the digest says (D53).
    pub async fn fetch(&self, digest: &Digest) -> Result<PathBuf, DeskError> {
        let folder = self.folder();
        crate::state::make(&folder).map_err(|_| DeskError::Unreachable)?;
        let to = folder.join(digest.to_string());
        let fence = self.fence();
        let path = format!("/worker/tasks/{}/artifacts/{digest}", fence.task);
        let mut backoff = Backoff::default();
        loop {
            match self.0.link.download(&path, fence.generation, &to).await {
                Ok(()) => {
                    let bytes = tokio::fs::read(&to).await.map_err(|_| DeskError::Unreachable)?;
                    if Digest::of(&bytes) == *digest {
                        return Ok(to);
                    }
                }
                Err(error) if error.is_passing() => tracing::warn!(%error, "failed to fetch; trying again"),
                Err(error) if error.is_lost() && self.is_lost() => return Err(DeskError::Lost),
                Err(error) => {
                    tracing::warn!(%error, "failed to fetch");
                    return Err(DeskError::Unreachable);
                }
            }
            tokio::select! {
                () = backoff.pause() => {}
                () = self.0.stop.cancelled() => return Err(DeskError::Lost),
            }
        }
    }

    /// Asks the plane about the task. Nothing of it is kept on this machine: who gets no answer asks again.
    pub async fn ask(&self, path: &str, body: &Value) -> Result<Value, DeskError> {
        let fence = self.fence();
        let path = format!("/worker/tasks/{}/{path}", fence.task);
        let asked = self.0.link.post(&path, Some(fence.generation), body, Duration::ZERO);
        let answer = tokio::select! {
            answer = asked => answer,
            () = self.0.lost.cancelled() => return Err(DeskError::Lost),
        };
        answer.map_err(|error| {
            tracing::warn!(%error, path, "failed to ask the plane");
            if error.is_lost() || error.is_revoked() { DeskError::Lost } else { DeskError::Unreachable }
        })
    }

    /// Writes to disk off the async threads, then says that there is more to send.
    pub(crate) async fn put<T: Send + 'static>(
        &self,
        write: impl FnOnce(&TaskBox) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, DeskError> {
        if self.is_lost() {
            return Err(DeskError::Lost);
        }
        let outbox = self.0.outbox.clone();
        let written = tokio::task::spawn_blocking(move || write(&outbox)).await;
        match written {
            Ok(Ok(value)) => {
                self.0.progress.more.notify_one();
                Ok(value)
            }
            Ok(Err(error)) => {
                (self.0.progress.trouble)(Some(format!("failed to write to the outbox: {error}")));
                tracing::error!(%error, "failed to write to the outbox");
                Err(DeskError::Unreachable)
            }
            Err(_) => Err(DeskError::Unreachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D57, D61: nothing is sent that the plane refuses for its size.
    #[test]
    fn entries_are_cut_into_batches_that_the_plane_takes() {
        let small = (0..1_200).map(|n| NewEntry::new("note", json!({"n": n})).sent());
        assert_eq!(parts(small).iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
        let large: Vec<_> = (0..40).map(|_| NewEntry::new("note", json!({"text": "x".repeat(60 << 10)}))).collect();
        let batches = parts(large.iter().map(NewEntry::sent));
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 40);
        for batch in batches {
            assert!(json!({"entries": batch}).to_string().len() <= limits::BODY);
        }
        let endless = NewEntry::new("note", json!({"text": "x".repeat(4 << 20)})).sent();
        assert_eq!(endless["data"]["truncated"], true);
        assert!(parts(std::iter::empty()).is_empty());
    }
}

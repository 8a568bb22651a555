//! The live bus: who reads which stream now, and the newest entries, rendered once for all of them.
//!
//! It is a hint and a cache, never the truth. A wake-up carries only a stream and a number and may be
//! lost; a reader that finds nothing here reads the journal by number. No reader slows another: each
//! pulls at its own pace, and nothing is queued per reader.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use model::{
    journal::{Entry, StreamId},
    limits,
};
use rand::Rng as _;
use store::{Store, StoreError};
use tokio::sync::watch;

/// Entries that were read and rendered together. All readers of a stream share them.
#[derive(Debug)]
pub struct Chunk {
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The rendered entries in order.
    pub entries: Vec<Rendered>,
    /// All of them as server-sent events of a single stream: `id`, `event: entry`, `data`.
    pub frames: Bytes,
    /// Whether the last one is the last of its stream.
    pub ends: bool,
}

/// One entry as JSON text.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Its number.
    pub seq: u64,
    /// What [`Entry::render`] gave.
    pub json: Bytes,
}

impl Chunk {
    /// Renders entries that follow one another; `None` for none.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let (first, last) = (entries.first()?, entries.last()?);
        let mut frames = BytesMut::new();
        let mut spans = Vec::with_capacity(entries.len());
        for entry in entries {
            let json = entry.render();
            frames.extend_from_slice(format!("id: {}\nevent: entry\ndata: ", entry.seq).as_bytes());
            let start = frames.len();
            frames.extend_from_slice(json.as_bytes());
            spans.push((entry.seq, start, frames.len()));
            frames.extend_from_slice(b"\n\n");
        }
        let frames = frames.freeze();
        let entries = spans.into_iter().map(|(seq, from, to)| Rendered { seq, json: frames.slice(from..to) }).collect();
        // A project's stream tells of the ends of its runs, and goes on.
        let ends = matches!(last.stream, StreamId::Run(_)) && last.kind == "run.finished";
        Some(Self { first: first.seq, last: last.seq, entries, frames, ends })
    }
}

/// The live streams of this process.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    store: Store,
    live: Mutex<HashMap<StreamId, Weak<Live>>>,
    /// Bytes in all tails together.
    kept: Arc<AtomicUsize>,
}

/// A stream that somebody reads now.
struct Live {
    stream: StreamId,
    /// The newest number that somebody said exists.
    hint: watch::Sender<u64>,
    /// The newest number in the tail.
    head: watch::Sender<u64>,
    tail: Mutex<VecDeque<Arc<Chunk>>>,
    kept: Arc<AtomicUsize>,
}

impl Drop for Live {
    fn drop(&mut self) {
        let tail = self.tail.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.kept.fetch_sub(tail.iter().map(|chunk| chunk.frames.len()).sum(), Relaxed);
    }
}

/// A reader's interest in a stream. Dropping it ends the interest.
pub struct Subscription {
    live: Arc<Live>,
    head: watch::Receiver<u64>,
}

/// What the shared tail has for a reader.
#[derive(Debug)]
pub enum Tail {
    /// These chunks follow what the reader has; the first may begin at or before it.
    Chunks(Vec<Arc<Chunk>>),
    /// Nothing newer is known.
    Nothing,
    /// The reader is behind the tail: read the journal.
    Behind,
}

impl Bus {
    /// A bus over this store.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner { store, live: Mutex::default(), kept: Arc::default() }))
    }

    /// Says that a stream has an entry with this number. Cheap, and ignored when nobody reads.
    pub fn hint(&self, stream: StreamId, seq: u64) {
        let live = locked(&self.0.live).get(&stream).and_then(Weak::upgrade);
        if let Some(live) = live {
            live.hint.send_if_modified(|known| {
                let newer = seq > *known;
                *known = seq.max(*known);
                newer
            });
        }
    }

    /// Registers interest. Do this before reading the journal, so that nothing falls between.
    pub fn subscribe(&self, stream: StreamId) -> Subscription {
        let mut streams = locked(&self.0.live);
        if let Some(live) = streams.get(&stream).and_then(Weak::upgrade) {
            let head = live.head.subscribe();
            return Subscription { live, head };
        }
        streams.retain(|_, live| live.strong_count() > 0);
        let live = Arc::new(Live::new(stream, Arc::clone(&self.0.kept)));
        streams.insert(stream, Arc::downgrade(&live));
        drop(streams);
        let head = live.head.subscribe();
        tokio::spawn(pump(self.0.store.clone(), Arc::downgrade(&live), live.hint.subscribe()));
        Subscription { live, head }
    }
}

impl Live {
    fn new(stream: StreamId, kept: Arc<AtomicUsize>) -> Self {
        Self { stream, hint: watch::Sender::new(0), head: watch::Sender::new(0), tail: Mutex::default(), kept }
    }
}

impl Subscription {
    /// The stream.
    pub fn stream(&self) -> StreamId {
        self.live.stream
    }

    /// Resolves when the tail has grown since the last call. Never fails while subscribed.
    pub async fn changed(&mut self) {
        if self.head.changed().await.is_err() {
            // The sender lives in `self.live`, so this cannot happen; waiting is the safe answer.
            std::future::pending::<()>().await;
        }
    }

    /// What follows number `after`. Marks the present state as seen for [`Self::changed`].
    pub fn after(&mut self, after: u64) -> Tail {
        self.head.borrow_and_update();
        let tail = locked(&self.live.tail);
        match (tail.front(), tail.back()) {
            (Some(front), Some(back)) if back.last > after => {
                if front.first > after + 1 {
                    return Tail::Behind;
                }
                let from = tail.partition_point(|chunk| chunk.last <= after);
                Tail::Chunks(tail.range(from..).cloned().collect())
            }
            (Some(_), Some(_)) => Tail::Nothing,
            _ => Tail::Behind,
        }
    }
}

/// Reads a stream's new entries once for all its readers, until nobody reads it any more.
async fn pump(store: Store, live: Weak<Live>, mut hint: watch::Receiver<u64>) {
    let Some(stream) = live.upgrade().map(|live| live.stream) else { return };
    // Start a little before the head, so that a reader who just read the journal meets the tail.
    let head = head(&store, stream).await;
    let mut known = head.saturating_sub(limits::ENTRIES_PER_PAGE as u64 / 4);
    loop {
        hint.borrow_and_update();
        let read = entries(&store, stream, known).await;
        let Some(live) = live.upgrade() else { return };
        let mut full = false;
        match read {
            Ok(entries) => {
                full = entries.len() == limits::ENTRIES_PER_PAGE;
                if let Some(chunk) = Chunk::of(&entries) {
                    known = chunk.last;
                    push(&live, chunk);
                }
            }
            Err(error) => tracing::warn!(%stream, %error, "failed to read a stream for its live readers"),
        }
        drop(live);
        if !full {
            // The poll is the truth; the hint only makes it early. It may come from another replica, late or never.
            let poll = Duration::from_millis(rand::rng().random_range(1_000..2_000));
            let _ = tokio::time::timeout(poll, hint.changed()).await;
        }
    }
}

async fn head(store: &Store, stream: StreamId) -> u64 {
    let read = store.read(move |tx| Box::pin(async move { Ok::<_, StoreError>(tx.head(stream).await?.seq) })).await;
    read.unwrap_or(0)
}

async fn entries(store: &Store, stream: StreamId, after: u64) -> Result<Vec<Entry>, StoreError> {
    let page = limits::ENTRIES_PER_PAGE as u32;
    store.read(move |tx| Box::pin(async move { tx.entries(stream, after, page).await })).await
}

fn push(live: &Live, chunk: Chunk) {
    let last = chunk.last;
    {
        let mut tail = locked(&live.tail);
        live.kept.fetch_add(chunk.frames.len(), Relaxed);
        tail.push_back(Arc::new(chunk));
        let mut entries: usize = tail.iter().map(|chunk| chunk.entries.len()).sum();
        // Over all streams: where many are read, each keeps less, and its slow readers read the journal.
        while tail.len() > 1 && (entries > limits::TAIL_ENTRIES || live.kept.load(Relaxed) > limits::TAIL_BYTES) {
            if let Some(oldest) = tail.pop_front() {
                entries -= oldest.entries.len();
                live.kept.fetch_sub(oldest.frames.len(), Relaxed);
            }
        }
    }
    live.head.send_replace(last);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding these locks half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::{id::RunId, journal::NewEntry, time::Timestamp};
    use serde_json::json;

    use super::*;

    // X24, W1: the last entry of a run ends its own stream; the project's, which tells it too, goes on.
    #[test]
    fn only_the_stream_of_a_run_ends_with_it() {
        let last = |stream: StreamId| Entry {
            stream,
            seq: 7,
            at: Timestamp::from_micros(1),
            kind: "run.finished".to_owned(),
            span: None,
            parent: None,
            edge: None,
            level: model::journal::Level::Info,
            data: "{}".to_owned(),
        };
        let id = uuid::Uuid::from_u128(1);
        let ends = |stream: StreamId| Chunk::of(&[last(stream)]).unwrap().ends;
        assert!(ends(StreamId::Run(RunId::from_uuid(id))));
        assert!(!ends(StreamId::Project(model::id::ProjectId::from_uuid(id))));
        assert!(!ends(StreamId::Audit(model::id::ProjectId::from_uuid(id))));
    }

    // K7, F6: all tails together stay below their limit, however many streams are read, and give it
    // back with their last reader.
    #[test]
    fn the_tails_of_all_streams_share_one_limit() {
        let kept = Arc::new(AtomicUsize::new(0));
        let chunk = |stream: StreamId, seq: u64| {
            let entry = NewEntry::new("note", json!({"text": "x".repeat(200_000)}));
            Chunk::of(&[Entry {
                stream,
                seq,
                at: Timestamp::from_micros(1),
                kind: entry.kind.into_owned(),
                span: None,
                parent: None,
                edge: None,
                level: entry.level,
                data: entry.data.to_string(),
            }])
            .unwrap()
        };
        let lives: Vec<Live> = (0..20)
            .map(|n| Live::new(StreamId::Run(RunId::from_uuid(uuid::Uuid::from_u128(n))), Arc::clone(&kept)))
            .collect();
        for seq in 1..=30 {
            for live in &lives {
                push(live, chunk(live.stream, seq));
                // The newest of each stays, whatever the others hold.
                assert!(kept.load(Relaxed) <= limits::TAIL_BYTES + lives.len() * 210_000);
                assert_eq!(locked(&live.tail).back().map(|chunk| chunk.last), Some(seq));
            }
        }
        let counted: usize = lives
            .iter()
            .flat_map(|live| locked(&live.tail).iter().map(|chunk| chunk.frames.len()).collect::<Vec<_>>())
            .sum();
        assert_eq!(kept.load(Relaxed), counted);
        drop(lives);
        assert_eq!(kept.load(Relaxed), 0);

        // One alone keeps so many entries at most.
        let live = Live::new(StreamId::Run(RunId::from_uuid(uuid::Uuid::from_u128(99))), kept);
        let small = |seq: u64| {
            let mut chunk = chunk(live.stream, seq);
            chunk.entries = vec![chunk.entries[0].clone(); 1_000];
            chunk
        };
        for seq in 1..=10 {
            push(&live, small(seq));
        }
        assert_eq!(locked(&live.tail).len(), limits::TAIL_ENTRIES / 1_000);
    }
}

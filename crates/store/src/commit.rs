//! What a commit wakes: readers of streams and claimers of queues.
//!
//! A wake-up is a hint. It carries numbers only and may be lost; the journal and the queue are the
//! truth, and whoever waits also polls them.

use std::sync::{Arc, PoisonError, RwLock};

use model::journal::StreamId;

/// What one or more commits made visible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Streams that grew, each once, with the number of its last entry.
    pub streams: Vec<(StreamId, u64)>,
    /// Queues with new work, each once.
    pub queues: Vec<String>,
    /// Tasks that this process made ready: queue, the labels they ask for, how many.
    pub ready: Vec<(String, Vec<String>, u32)>,
    /// There is other new work in the queues, too, and what it asks for has to be looked up.
    pub unsure: bool,
    /// Wake-ups may have been lost (a connection between replicas broke): look at everything.
    pub lost: bool,
}

impl Committed {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.queues.is_empty() && !self.lost
    }

    pub(crate) fn add_stream(&mut self, stream: StreamId, seq: u64) {
        // The common case is many appends to the same few streams in a row.
        match self.streams.iter_mut().rev().take(8).find(|(known, _)| *known == stream) {
            Some((_, last)) => *last = seq.max(*last),
            None => self.streams.push((stream, seq)),
        }
    }

    /// Work in a queue of which nobody has said what it asks for.
    pub(crate) fn add_queue(&mut self, queue: &str) {
        self.unsure = true;
        self.name_queue(queue);
    }

    fn name_queue(&mut self, queue: &str) {
        if !self.queues.iter().any(|known| known == queue) {
            self.queues.push(queue.to_owned());
        }
    }

    pub(crate) fn add_ready(&mut self, queue: &str, labels: &[String], count: u32) {
        self.name_queue(queue);
        match self.ready.iter_mut().find(|(known, wanted, _)| known == queue && wanted == labels) {
            Some((.., known)) => *known += count,
            None => self.ready.push((queue.to_owned(), labels.to_vec(), count)),
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.streams.extend(other.streams);
        for (queue, labels, count) in &other.ready {
            self.add_ready(queue, labels, *count);
        }
        for queue in &other.queues {
            self.name_queue(queue);
        }
        self.unsure |= other.unsure;
        self.lost |= other.lost;
    }

    /// Leaves each stream once, with its highest number.
    pub(crate) fn coalesce(&mut self) {
        self.streams.sort_unstable_by_key(|(stream, seq)| (*stream, std::cmp::Reverse(*seq)));
        self.streams.dedup_by_key(|(stream, _)| *stream);
    }
}

type CommitHook = Arc<dyn Fn(&Committed) + Send + Sync>;
type PoisonHook = Arc<dyn Fn(&str) + Send + Sync>;

/// Whom to tell. Hooks run on the committing thread and must return at once.
#[derive(Default)]
pub(crate) struct Hooks {
    commit: RwLock<Vec<CommitHook>>,
    poison: RwLock<Vec<PoisonHook>>,
}

impl Hooks {
    pub fn on_commit(&self, hook: CommitHook) {
        self.commit.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    pub fn on_poison(&self, hook: PoisonHook) {
        self.poison.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// Forgets everybody, so that nobody is kept alive by being told.
    pub fn clear(&self) {
        self.commit.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.poison.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn committed(&self, mut what: Committed) {
        if what.is_empty() {
            return;
        }
        what.coalesce();
        for hook in self.commit.read().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(&what);
        }
    }

    pub fn poisoned(&self, why: &str) {
        tracing::error!(why, "the store stopped writing after a failed sync");
        for hook in self.poison.read().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(why);
        }
    }
}

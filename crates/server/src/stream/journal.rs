//! Reading a journal by number, with what a reader must know to trust an empty answer.

use engine::{Engine, bus::Chunk};
use model::{
    journal::{Entry, Level, StreamId},
    limits,
    problem::Problem,
};
use store::StreamHead;

/// What the journal has after a number.
pub enum Page {
    /// The entries that follow it, without a hole.
    Next(Chunk),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will ever follow.
    Ended,
    /// What follows it is gone, or the number was never given.
    Cut {
        /// The oldest number that is kept.
        floor: u64,
        /// The newest number.
        head: u64,
    },
}

/// Reads one page after `after`.
pub async fn read(engine: &Engine, stream: StreamId, after: u64) -> Result<Page, Problem> {
    let limit = u32::try_from(limits::ENTRIES_PER_PAGE).unwrap_or(u32::MAX);
    let (entries, head) = page(engine, stream, after, limit).await?;
    Ok(judge(&entries, &head, after))
}

/// A page of entries and the state of their stream, of one moment.
pub async fn page(
    engine: &Engine,
    stream: StreamId,
    after: u64,
    limit: u32,
) -> Result<(Vec<Entry>, StreamHead), Problem> {
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let head = tx.head(stream).await?;
                let entries = if head.seq > after { tx.entries(stream, after, limit).await? } else { Vec::new() };
                Ok((entries, head))
            })
        })
        .await
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Only {
    /// Of these kinds; empty means any.
    pub kinds: Vec<String>,
    /// Of this level and those above it.
    pub least: Option<Level>,
}

/// A page of the entries that are wanted.
pub struct Filtered {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// The number to go on behind; none at the journal's present end.
    pub next: Option<u64>,
    /// Where the stream stands.
    pub head: StreamHead,
}

/// As many entries one page looks at, so that a rare kind does not hold a long journal's reader up.
const LOOKED_AT: usize = 20_000;

/// A page of wanted entries after a number, and the state of their stream, of one moment.
pub async fn filtered(
    engine: &Engine,
    stream: StreamId,
    after: u64,
    limit: u32,
    only: &Only,
) -> Result<Filtered, Problem> {
    if only.kinds.is_empty() && only.least.is_none() {
        let (entries, head) = page(engine, stream, after, limit).await?;
        let next = entries.last().map(|entry| entry.seq).filter(|last| *last < head.seq);
        return Ok(Filtered { entries, next, head });
    }
    let only = only.clone();
    engine
        .store()
        .read(move |tx| {
            let only = only.clone();
            Box::pin(async move {
                let head = tx.head(stream).await?;
                let kinds: Vec<&str> = only.kinds.iter().map(String::as_str).collect();
                let mut found = Filtered { entries: Vec::new(), next: None, head };
                let (mut at, mut looked) = (after, 0);
                while at < found.head.seq {
                    let rows = if kinds.is_empty() {
                        tx.entries(stream, at, 1_000).await?
                    } else {
                        tx.entries_of(stream, &kinds, at, 1_000).await?
                    };
                    let (read, last) = (rows.len(), rows.last().map(|entry| entry.seq));
                    looked += read;
                    let room = limit as usize - found.entries.len();
                    let wanted = rows.into_iter().filter(|entry| only.least.is_none_or(|least| entry.level >= least));
                    found.entries.extend(wanted.take(room));
                    if found.entries.len() == limit as usize {
                        found.next = found.entries.last().map(|entry| entry.seq).filter(|last| *last < found.head.seq);
                        break;
                    }
                    let Some(last) = last.filter(|_| read == 1_000) else { break };
                    at = last;
                    if looked >= LOOKED_AT {
                        found.next = Some(at).filter(|at| *at < found.head.seq);
                        break;
                    }
                }
                Ok::<_, Problem>(found)
            })
        })
        .await
}

fn judge(entries: &[Entry], head: &StreamHead, after: u64) -> Page {
    let cut = Page::Cut { floor: head.floor, head: head.seq };
    match Chunk::of(entries) {
        // Numbers have no holes, so a gap means that retention has cut.
        Some(chunk) if chunk.first > after + 1 => cut,
        Some(chunk) => Page::Next(chunk),
        None if after != head.seq => cut,
        None if head.closed => Page::Ended,
        None => Page::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // K4: an empty answer is told apart from a cut one, whichever side of the journal it is on.
    #[test]
    fn nothing_is_nothing_only_at_the_head() {
        let head = |seq, floor, closed| StreamHead { seq, floor, chain: None, closed };
        assert!(matches!(judge(&[], &head(0, 1, false), 0), Page::Nothing));
        assert!(matches!(judge(&[], &head(7, 1, false), 7), Page::Nothing));
        assert!(matches!(judge(&[], &head(7, 1, true), 7), Page::Ended));
        assert!(matches!(judge(&[], &head(7, 8, true), 0), Page::Cut { floor: 8, head: 7 }), "all was dropped");
        assert!(matches!(judge(&[], &head(7, 1, true), 9), Page::Cut { floor: 1, head: 7 }), "from another life");
    }
}

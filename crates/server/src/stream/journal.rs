//! Reading a journal by number, with what a reader must know to trust an empty answer.

use engine::{Engine, bus::Chunk};
use model::{
    journal::{Entry, StreamId},
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

//! One reader of one stream: what it has seen, and the next bytes for it.

use engine::{
    Engine,
    bus::{Chunk, Subscription, Tail},
};
use model::{journal::StreamId, problem::Problem};

use super::{
    frame::{self, Style},
    journal::{self, Page},
    piece::Piece,
};

/// What a look at a stream gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Bytes were written; there may be more.
    More,
    /// The reader has everything there is.
    CaughtUp,
    /// The reader has everything there will ever be, and was told so.
    Ended,
    /// What the reader asks for is gone (or never was); it needs a snapshot first.
    Cut {
        /// The oldest number that is kept.
        floor: u64,
        /// The newest number.
        head: u64,
    },
}

/// A reader of one stream.
pub struct Reader {
    stream: StreamId,
    style: Style,
    after: u64,
    /// Until the journal itself was read up to its head, the shared tail proves nothing.
    met_journal: bool,
    ends: bool,
}

impl Reader {
    /// A reader that has everything up to `after`.
    pub const fn new(stream: StreamId, style: Style, after: u64) -> Self {
        Self { stream, style, after, met_journal: false, ends: false }
    }

    /// The stream.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Adds what follows to `out`, about `room` bytes. Answers what is left to do and how many entries
    /// were written.
    pub async fn look(
        &mut self,
        engine: &Engine,
        subscription: &mut Subscription,
        out: &mut Piece,
        room: usize,
    ) -> Result<(Look, u64), Problem> {
        if self.ends {
            frame::event(out.buffer(), &self.style, b"end", self.after, self.end_data().as_bytes());
            return Ok((Look::Ended, 0));
        }
        if self.met_journal {
            match subscription.after(self.after) {
                Tail::Nothing => return Ok((Look::CaughtUp, 0)),
                Tail::Chunks(chunks) => {
                    let mut written = 0;
                    for chunk in &chunks {
                        written += self.take(chunk, out);
                        if out.len() >= room {
                            break;
                        }
                    }
                    return Ok((Look::More, written));
                }
                Tail::Behind => {}
            }
        }
        Ok(match journal::read(engine, self.stream, self.after).await? {
            Page::Next(chunk) => (Look::More, self.take(&chunk, out)),
            Page::Nothing => {
                self.met_journal = true;
                (Look::CaughtUp, 0)
            }
            Page::Ended => {
                self.ends = true;
                (Look::More, 0)
            }
            Page::Cut { floor, head } => (Look::Cut { floor, head }, 0),
        })
    }

    /// Goes on at `floor`, with the snapshot that stands for what was before it.
    pub fn resync(&mut self, out: &mut Piece, floor: u64, snapshot: &[u8]) {
        self.after = floor.saturating_sub(1);
        frame::event(out.buffer(), &self.style, b"resync", self.after, snapshot);
    }

    fn take(&mut self, chunk: &Chunk, out: &mut Piece) -> u64 {
        let written = frame::entries(out, &self.style, chunk, self.after);
        self.after = self.after.max(chunk.last);
        self.ends |= chunk.ends;
        written
    }

    fn end_data(&self) -> String {
        format!("{{\"stream\":\"{}\",\"seq\":{}}}", self.stream, self.after)
    }
}

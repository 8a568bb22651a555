//! Keeps what a process prints, in bounded memory whatever it prints (P34).

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::digest::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::error::TrySendError;

use super::{CapturePlan, Captured, Live, Place};
use crate::{
    redact::{RedactStream, Redactor},
    sanitize::Sanitizer,
};

/// The largest piece given to a reader that reads along.
const PIECE: usize = 16 << 10;

/// A sink for one output.
pub(super) struct Capture {
    sink: Sink,
    written: u64,
    cap: u64,
}

enum Sink {
    Memory(Vec<u8>),
    File(Box<TextSink>),
}

struct TextSink {
    sanitizer: Sanitizer,
    redactor: RedactStream,
    live: Option<Live>,
    /// Pieces the lossless reader has not taken yet.
    owed: VecDeque<String>,
    clean: String,
    redacted: String,
    ended: bool,
    store: HeadAndTail,
}

impl Capture {
    pub(super) fn open(plan: &CapturePlan, redactor: &Arc<Redactor>, live: Option<Live>) -> io::Result<Self> {
        let (sink, cap) = match plan {
            CapturePlan::Memory { max } => (Sink::Memory(Vec::new()), *max),
            CapturePlan::File { path, head, tail, kill_past } => {
                let sink = TextSink {
                    sanitizer: Sanitizer::new(),
                    redactor: redactor.stream(),
                    live,
                    owed: VecDeque::new(),
                    clean: String::new(),
                    redacted: String::new(),
                    ended: false,
                    store: HeadAndTail::create(path, *head, *tail)?,
                };
                (Sink::File(Box::new(sink)), *kill_past)
            }
        };
        Ok(Self { sink, written: 0, cap })
    }

    /// How much the process may write.
    pub(super) fn cap(&self) -> u64 {
        self.cap
    }

    /// Takes a chunk. False when the process has now written more than it may.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        let room = usize::try_from(self.cap.saturating_sub(self.written)).unwrap_or(usize::MAX);
        self.written += bytes.len() as u64;
        let bytes = &bytes[..bytes.len().min(room)];
        match &mut self.sink {
            Sink::Memory(kept) => kept.extend_from_slice(bytes),
            Sink::File(sink) => {
                sink.sanitizer.push(bytes, &mut sink.clean);
                sink.pass_on(false);
            }
        }
        self.written <= self.cap
    }

    /// Whether the lossless reader has to catch up before more may be taken.
    pub(super) fn is_behind(&mut self) -> bool {
        match &mut self.sink {
            Sink::File(sink) => !sink.give(),
            Sink::Memory(_) => false,
        }
    }

    /// Says that there is no more: what was held back, as it might have become a secret, goes to the readers, too.
    pub(super) fn end(&mut self) {
        if let Sink::File(sink) = &mut self.sink
            && !std::mem::replace(&mut sink.ended, true)
        {
            sink.sanitizer.finish(&mut sink.clean);
            sink.pass_on(true);
        }
    }

    /// Drops the readers: what they have not taken yet, they will not.
    pub(super) fn hang_up(&mut self) {
        if let Sink::File(sink) = &mut self.sink {
            sink.live = None;
            sink.owed.clear();
        }
    }

    /// Ends the output.
    pub(super) fn finish(mut self) -> Captured {
        self.end();
        let Self { sink, written, cap } = self;
        match sink {
            Sink::Memory(bytes) => Captured {
                digest: Digest::of(&bytes),
                written,
                stored: bytes.len() as u64,
                truncated: written > cap,
                place: Place::Memory(bytes),
                error: None,
            },
            Sink::File(sink) => sink.store.finish(written, written > cap),
        }
    }
}

impl TextSink {
    /// Moves clean text through the redactor into the store and to the reader.
    fn pass_on(&mut self, ended: bool) {
        self.redactor.push(&self.clean, &mut self.redacted);
        self.clean.clear();
        if ended {
            self.redactor.finish(&mut self.redacted);
        }
        self.store.push(&self.redacted);
        match &self.live {
            None => {}
            Some(Live::Lossy(reader)) => {
                for piece in pieces(&self.redacted) {
                    if reader.try_send(piece.to_owned()).is_err() {
                        break;
                    }
                }
            }
            Some(Live::Lossless(_)) => self.owed.extend(pieces(&self.redacted).map(str::to_owned)),
        }
        self.redacted.clear();
        self.give();
    }

    /// Hands the lossless reader what it takes; true when nothing is owed to it.
    fn give(&mut self) -> bool {
        let Some(Live::Lossless(reader)) = &self.live else { return true };
        while let Some(piece) = self.owed.pop_front() {
            match reader.try_send(piece) {
                Ok(()) => {}
                Err(TrySendError::Full(piece)) => {
                    self.owed.push_front(piece);
                    return false;
                }
                Err(TrySendError::Closed(_)) => {
                    self.live = None;
                    self.owed.clear();
                    return true;
                }
            }
        }
        true
    }
}

fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The first and the last part of a text of any length, in a file.
struct HeadAndTail {
    file: File,
    path: PathBuf,
    hasher: Sha256,
    head_room: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    stored: u64,
    dropped: u64,
    error: Option<String>,
}

impl HeadAndTail {
    fn create(path: &Path, head: u64, tail: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            path: path.to_owned(),
            hasher: Sha256::new(),
            head_room: usize::try_from(head).unwrap_or(usize::MAX),
            tail: VecDeque::new(),
            tail_max: usize::try_from(tail).unwrap_or(usize::MAX),
            stored: 0,
            dropped: 0,
            error: None,
        })
    }

    fn push(&mut self, text: &str) {
        let mut rest = text;
        if self.head_room > 0 {
            let at = rest.floor_char_boundary(self.head_room);
            let (head, more) = rest.split_at(at);
            self.write(head.as_bytes());
            // A character that does not fit ends the head, lest a later, shorter one overtake it.
            self.head_room = if more.is_empty() { self.head_room - at } else { 0 };
            rest = more;
        }
        let bytes = rest.as_bytes();
        if bytes.len() >= self.tail_max {
            self.dropped += (self.tail.len() + bytes.len() - self.tail_max) as u64;
            self.tail.clear();
            self.tail.extend(&bytes[bytes.len() - self.tail_max..]);
            return;
        }
        let excess = (self.tail.len() + bytes.len()).saturating_sub(self.tail_max);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
        self.tail.extend(bytes);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_some() || bytes.is_empty() {
            return;
        }
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.hasher.update(bytes);
                self.stored += bytes.len() as u64;
            }
            Err(error) => self.error = Some(format!("failed to store the output: {error}")),
        }
    }

    fn finish(mut self, written: u64, over_cap: bool) -> Captured {
        let mut tail = std::mem::take(&mut self.tail);
        if self.dropped > 0 {
            // The tail may begin in the middle of a character.
            let cut = tail.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
            tail.drain(..cut);
            let dropped = self.dropped + cut as u64;
            self.write(format!("\n[... {dropped} bytes left out ...]\n").as_bytes());
        }
        let (front, back) = tail.as_slices();
        self.write(front);
        self.write(back);
        if over_cap {
            self.write(b"\n[... killed: it printed more than it may ...]\n");
        }
        Captured {
            digest: Digest::from_bytes(self.hasher.finalize().into()),
            written,
            stored: self.stored,
            truncated: self.dropped > 0 || over_cap,
            place: Place::File(self.path),
            error: self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(head: u64, tail: u64, kill_past: u64, chunks: &[&str]) -> (Captured, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let plan = CapturePlan::File { path: path.clone(), head, tail, kill_past };
        let mut capture = Capture::open(&plan, &Arc::new(Redactor::default()), None).unwrap();
        for chunk in chunks {
            capture.take(chunk.as_bytes());
        }
        let captured = capture.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(captured.digest, Digest::of(text.as_bytes()));
        assert_eq!(captured.stored, text.len() as u64);
        (captured, text)
    }

    /// P34: head, marker, tail; the digest is that of the stored bytes.
    #[test]
    fn the_middle_is_left_out() {
        let (end, text) = captured(4, 4, 1000, &["abcdef", "ghijkl", "mn"]);
        assert_eq!(text, "abcd\n[... 6 bytes left out ...]\nklmn");
        assert!(end.truncated && end.written == 14);
    }

    /// P34: what fits is stored as it is.
    #[test]
    fn nothing_is_left_out_that_fits() {
        let (end, text) = captured(4, 4, 1000, &["abc", "defgh"]);
        assert_eq!(text, "abcdefgh");
        assert!(!end.truncated);
    }

    /// P34: both ends are valid text.
    #[test]
    fn characters_are_not_cut() {
        let (_, text) = captured(4, 4, 1000, &["abcé", "défgé", "é"]);
        assert_eq!(text, "abc\n[... 7 bytes left out ...]\néé");
        let (_, text) = captured(3, 3, 1000, &["éééééé"]);
        assert_eq!(text, "é\n[... 8 bytes left out ...]\né");
    }

    /// K7: more than it may print ends it.
    #[test]
    fn the_cap_is_told() {
        let plan = CapturePlan::Memory { max: 4 };
        let mut capture = Capture::open(&plan, &Arc::new(Redactor::default()), None).unwrap();
        assert!(capture.take(b"abcd"));
        assert!(!capture.take(b"e"));
        let end = capture.finish();
        assert_eq!((end.bytes(), end.truncated, end.written), (&b"abcd"[..], true, 5));
    }
}

//! The bytes of server-sent events, written without a text per event.

use bytes::{BufMut as _, Bytes, BytesMut};
use engine::bus::Chunk;
use model::journal::StreamId;

use super::piece::Piece;

/// How the events of one reader are numbered.
#[derive(Debug, Clone)]
pub enum Style {
    /// `id: 7`: the stream is in the address.
    Single,
    /// `id: run:ID@7`: the prefix is kept ready.
    Named(Bytes),
}

impl Style {
    /// The style of one stream among several.
    pub fn named(stream: StreamId) -> Self {
        Self::Named(Bytes::from(format!("{stream}@")))
    }
}

/// Puts the entries of a chunk after number `after` into `out`. Answers how many.
pub fn entries(out: &mut Piece, style: &Style, chunk: &Chunk, after: u64) -> u64 {
    let from = chunk.entries.partition_point(|entry| entry.seq <= after);
    let fresh = &chunk.entries[from..];
    if let (Style::Single, 0) = (style, from) {
        out.share(&chunk.frames);
        return fresh.len() as u64;
    }
    for entry in fresh {
        event(out.buffer(), style, b"entry", entry.seq, &entry.json);
    }
    fresh.len() as u64
}

/// Puts one event into `out`.
pub fn event(out: &mut BytesMut, style: &Style, kind: &[u8], seq: u64, data: &[u8]) {
    out.reserve(data.len() + 128);
    out.put_slice(b"id: ");
    if let Style::Named(prefix) = style {
        out.put_slice(prefix);
    }
    number(out, seq);
    out.put_slice(b"\nevent: ");
    out.put_slice(kind);
    out.put_slice(b"\ndata: ");
    // JSON text of ours has no line breaks; were there one, each line would need its own field.
    let mut lines = data.split(|byte| *byte == b'\n');
    if let Some(first) = lines.next() {
        out.put_slice(first);
    }
    for line in lines {
        out.put_slice(b"\ndata: ");
        out.put_slice(line);
    }
    out.put_slice(b"\n\n");
}

/// The first bytes of every stream: how soon to come back when it breaks off.
pub const GREETING: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// Keeps proxies and readers sure that the stream lives.
pub const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// Tells a reader to come back soon with its cursor.
pub const COME_BACK: Bytes = Bytes::from_static(b"retry: 1000\n: come back with the last id\n\n");

fn number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use model::{
        id::RunId,
        journal::{Entry, Level},
        time::Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    fn entry(seq: u64) -> Entry {
        let stream = StreamId::Run(RunId::from_uuid(Uuid::from_u128(1)));
        let at = Timestamp::from_micros(0);
        let data = "{}".to_owned();
        Entry { stream, seq, at, kind: "note".into(), level: Level::Info, span: None, parent: None, edge: None, data }
    }

    // K3: whichever way an entry reaches a reader, its bytes are the same.
    #[test]
    fn a_cut_chunk_gives_the_bytes_of_the_whole_one() {
        let all: Vec<Entry> = (8..=12).map(entry).collect();
        let chunk = Chunk::of(&all).unwrap();
        let written = |style: &Style, after: u64| {
            let mut out = Piece::default();
            let count = entries(&mut out, style, &chunk, after);
            (String::from_utf8(out.take().to_vec()).unwrap(), count)
        };
        let (whole, five) = written(&Style::Single, 7);
        let (tail, two) = written(&Style::Single, 10);
        assert_eq!((five, two), (5, 2));
        assert!(whole.ends_with(&tail) && tail.starts_with("id: 11\nevent: entry\ndata: {"), "{tail}");
        let (named, _) = written(&Style::named(entry(1).stream), 11);
        assert!(named.starts_with("id: run:00000000-0000-0000-0000-000000000001@12\n"), "{named}");
        assert_eq!(written(&Style::Single, 12), (String::new(), 0));
    }

    #[test]
    fn data_with_line_breaks_stays_one_event() {
        let mut out = BytesMut::new();
        event(&mut out, &Style::Single, b"resync", 1234567890, b"{\n}");
        assert_eq!(&out[..], b"id: 1234567890\nevent: resync\ndata: {\ndata: }\n\n");
    }
}

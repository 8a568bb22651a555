//! Where a reader wants to go on: the number it saw last, per stream.

use axum::http::{HeaderMap, HeaderName};
use model::{journal::StreamId, limits, problem::Problem};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The number that a reader of one stream saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub u64);

impl Cursor {
    /// `Last-Event-ID`, else `?since=`, else 0. An id is one a browser kept, so it is not trusted to
    /// be a number, but a wrong one is refused rather than read as 0.
    pub fn read(headers: &HeaderMap, since: Option<u64>) -> Result<Self, Problem> {
        match headers.get(LAST_EVENT_ID) {
            Some(id) => id.to_str().ok().and_then(|id| id.trim().parse().ok()).map(Self).ok_or_else(|| {
                Problem::invalid_field("/Last-Event-ID", "not a number of an entry").with("in", "header")
            }),
            None => Ok(Self(since.unwrap_or(0))),
        }
    }
}

/// The streams of one connection, each with the number seen last (X61).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiCursor(pub Vec<(StreamId, u64)>);

impl MultiCursor {
    /// `run:ID@SEQ,project:ID@SEQ,...`; without `@SEQ` a stream is read from its start. A
    /// `Last-Event-ID` in the same form moves the streams that it names forward, so that a browser
    /// that reconnects by itself does not start over.
    pub fn read(streams: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = |message: &str| Problem::invalid_field("/streams", message).with("in", "query");
        let mut list: Vec<(StreamId, u64)> = Vec::new();
        for text in streams.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let (stream, seq) = one(text).ok_or_else(|| refused("each is run:ID@SEQ or project:ID@SEQ"))?;
            match list.iter_mut().find(|known| known.0 == stream) {
                Some(known) => known.1 = known.1.max(seq),
                None => list.push((stream, seq)),
            }
            if list.len() > limits::STREAMS_PER_CONNECTION {
                return Err(refused("too many streams in one connection").with("limit", limits::STREAMS_PER_CONNECTION));
            }
        }
        if list.is_empty() {
            return Err(refused("at least one stream is required"));
        }
        let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        for (stream, seq) in seen.split(',').filter_map(|text| one(text.trim())) {
            if let Some(known) = list.iter_mut().find(|known| known.0 == stream) {
                known.1 = known.1.max(seq);
            }
        }
        Ok(Self(list))
    }
}

fn one(text: &str) -> Option<(StreamId, u64)> {
    let (stream, seq) = text.split_once('@').unwrap_or((text, "0"));
    let seq = seq.bytes().all(|byte| byte.is_ascii_digit()).then(|| seq.parse().ok())??;
    Some((stream.parse().ok()?, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(id: &str) -> HeaderMap {
        [(LAST_EVENT_ID, id.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn the_header_wins_over_the_query() {
        assert_eq!(Cursor::read(&seen("7"), Some(3)), Ok(Cursor(7)));
        assert_eq!(Cursor::read(&HeaderMap::new(), Some(3)), Ok(Cursor(3)));
        assert_eq!(Cursor::read(&HeaderMap::new(), None), Ok(Cursor(0)));
        assert!(Cursor::read(&seen("run:x@7"), None).is_err());
    }

    // X61, K7
    #[test]
    fn a_list_of_streams_is_read_with_its_numbers() {
        let run = "run:00000000-0000-0000-0000-000000000001";
        let board = "project:00000000-0000-0000-0000-000000000002";
        let read = |text: &str, headers| {
            MultiCursor::read(text, &headers).map(|list| list.0.iter().map(|s| s.1).collect::<Vec<_>>())
        };
        assert_eq!(read(&format!("{run}@5,{board}"), HeaderMap::new()), Ok(vec![5, 0]));
        assert_eq!(read(&format!("{run}@5,{run}@4"), HeaderMap::new()), Ok(vec![5]), "a stream counts once");
        assert_eq!(read(&format!("{run}@5,{board}@2"), seen(&format!("{board}@9"))), Ok(vec![5, 9]));
        for wrong in ["", ",", "run:x@1", &format!("{run}@-1"), &format!("{run}@+1"), &format!("{run}@"), "board:1@2"] {
            assert!(read(wrong, HeaderMap::new()).is_err(), "{wrong}");
        }
        let many: Vec<_> =
            (0..=limits::STREAMS_PER_CONNECTION).map(|n| format!("run:00000000-0000-0000-0000-{n:012}")).collect();
        assert!(read(&many.join(","), HeaderMap::new()).is_err());
    }
}

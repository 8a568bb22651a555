//! Server-sent events out of bytes that come in pieces.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// A reader of events. Bytes that are no text become the replacement character, within their line.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    /// The last byte was a carriage return, so a line feed now ends nothing.
    after_return: bool,
}

impl Events {
    /// Takes a piece; hands out each event that it ends.
    pub(super) fn push(&mut self, piece: &[u8], mut each: impl FnMut(Event)) {
        for byte in piece {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    if let Some(event) = self.line(&String::from_utf8_lossy(&line)) {
                        each(event);
                    }
                }
                byte => self.line.push(*byte),
            }
        }
    }

    /// What stands there when the bytes have ended: an event without its blank line counts all the same, as some
    /// servers leave the last one out. Half a line does not.
    pub(super) fn finish(mut self) -> Option<Event> {
        self.line("")
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            return self.data.take().map(|data| Event { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments, ids, waits: nothing that is used here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut events, mut found) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, |event| found.push(event));
        }
        found.extend(events.finish());
        found.into_iter().map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = b"event: a\ndata: 1\n\n: comment\r\ndata:2\r\ndata: 3\r\n\r\nid: 7\n\ndata: last\n";
        let expected = [("a", "1"), ("", "2\n3"), ("", "last")].map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(read(&[text]), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes), expected);
    }

    // Half a line at the end is no event, and bytes that are no text hurt nobody else.
    #[test]
    fn broken_bytes_stay_where_they_are() {
        assert_eq!(read(&[b"data: {\"half"]), []);
        assert_eq!(read(&[b"data: \xff\xfe\n\ndata: ok\n\n"])[1].1, "ok");
        assert_eq!(read(&[b"\xff\n\n\0\n\n"]), []);
    }
}

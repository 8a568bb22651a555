//! Server-sent events: bytes in pieces of any size to events, and nothing else. Bounded, whatever
//! the bytes are.

/// An event that came whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Its name; `message` where it has none.
    pub name: String,
    /// The id it carries, if any.
    pub id: Option<String>,
    /// Its data, lines joined.
    pub data: String,
}

/// One event's data may be this long; an entry is 64 KiB at most.
const DATA: usize = 4 << 20;

/// Gathers bytes until events are whole.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    has_data: bool,
    /// The server's wish for the time before a reconnection, in milliseconds.
    pub retry: Option<u64>,
}

/// The stream sent an event longer than any of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream sent an event that is too long")]
pub struct TooLong;

impl Parser {
    /// Takes the next bytes and gives the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_line(&String::from_utf8_lossy(&line)));
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.event.data.len() > DATA {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &str) -> Option<Event> {
        let line = line.trim_start_matches('\u{feff}');
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            let has_data = std::mem::take(&mut self.has_data);
            // An event without data is dropped, except the named ones of ours that carry none.
            let is_named = !event.name.is_empty();
            if event.name.is_empty() {
                event.name.push_str("message");
            }
            return (has_data || is_named).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().or(self.retry),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            // Comments (an empty field) are heartbeats; other fields are not for us.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"\xef\xbb\xbfretry: 1500\n: hello\n\nid: 7\nevent: entry\ndata: {\"a\":\ndata: 1}\r\n\r\nevent: end\n\ndata\n\nid: 9\r\rdata:x\r\r";

    fn events() -> Vec<Event> {
        let event = |name: &str, id: Option<&str>, data: &str| Event {
            name: name.into(),
            id: id.map(Into::into),
            data: data.into(),
        };
        vec![
            event("entry", Some("7"), "{\"a\":\n1}"),
            event("end", None, ""),
            event("message", None, ""),
            event("message", None, "x"),
        ]
    }

    #[test]
    fn events_come_out_the_same_however_the_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let read: Vec<_> = STREAM.chunks(size).flat_map(|piece| parser.push(piece).unwrap()).collect();
            assert_eq!(read, events(), "in pieces of {size}");
            assert_eq!(parser.retry, Some(1500));
        }
    }

    // K7
    #[test]
    fn an_endless_line_or_event_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; DATA + 1]), Err(TooLong));
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; DATA / 2], b"\n"].concat();
        assert!(parser.push(&line).is_ok());
        assert_eq!(parser.push(&line), Err(TooLong));
    }
}

//! A reader of server-sent events for tests.

use std::{
    collections::VecDeque,
    io::{self, BufReader},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use crate::http::{Client, read_chunk, read_head};

/// One event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its `id`, as sent.
    pub id: String,
    /// Its name, such as `entry`, `end` or `resync`.
    pub event: String,
    /// Its data, byte for byte.
    pub data: String,
}

impl Event {
    /// The number in the id; for a named id, the part behind the `@`.
    pub fn seq(&self) -> u64 {
        let digits = self.id.rsplit('@').next().unwrap_or_default();
        digits.parse().unwrap_or_else(|_| panic!("an event without a number: {self:?}"))
    }

    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    connection: BufReader<TcpStream>,
    pending: String,
    ready: VecDeque<Event>,
}

impl Client {
    /// Opens a stream below `/api/v1`, behind the event with this id where one is given.
    ///
    /// # Errors
    /// When the server cannot be reached, or answers anything but 200.
    pub fn stream(&self, path: &str, after: Option<&str>) -> io::Result<Stream> {
        let mut connection = self.connect()?;
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(after.map(|id| ("last-event-id", id)));
        io::Write::write_all(connection.get_mut(), &self.request("GET", path, &headers, None))?;
        let (status, _) = read_head(&mut connection)?;
        if status != 200 {
            return Err(io::Error::other(format!("the stream answered {status}")));
        }
        Ok(Stream { connection, pending: String::new(), ready: VecDeque::new() })
    }
}

impl Stream {
    /// How long [`Self::next`] waits.
    pub fn wait_at_most(&self, timeout: Duration) {
        self.connection.get_ref().set_read_timeout(Some(timeout)).expect("a timeout above zero is accepted");
    }

    /// The next event; `None` when the server ended the stream.
    ///
    /// # Errors
    /// When the connection broke, or nothing came in time.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not tell a timeout from the end")]
    pub fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = read_chunk(&mut self.connection)? else { return Ok(None) };
            self.pending.push_str(
                std::str::from_utf8(&chunk).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            );
            while let Some(end) = self.pending.find("\n\n") {
                let block: String = self.pending.drain(..end + 2).collect();
                self.ready.extend(parse(&block));
            }
        }
    }

    /// Reads up to and including the event with this name.
    ///
    /// # Errors
    /// As [`Self::next`]; also when the stream ends before.
    pub fn until(&mut self, name: &str) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next()? {
            let is_last = event.event == name;
            events.push(event);
            if is_last {
                return Ok(events);
            }
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the stream ended without {name}: {events:?}")))
    }
}

/// The events that are whole in the raw bytes of an answer, head and chunk framing included, wherever
/// the bytes were cut.
pub fn whole_events(raw: &[u8]) -> Vec<Event> {
    let Some(head) = raw.windows(4).position(|window| window == b"\r\n\r\n") else { return Vec::new() };
    let mut rest = &raw[head + 4..];
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let data = &rest[line + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        if data.len() < size + 2 {
            break;
        }
        rest = &data[size + 2..];
    }
    let text = String::from_utf8_lossy(&body);
    // What is behind the last empty line was cut.
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    whole.split("\n\n").filter_map(parse).collect()
}

fn parse(block: &str) -> Option<Event> {
    let mut event = Event { id: String::new(), event: String::new(), data: String::new() };
    let mut lines = 0;
    for line in block.lines() {
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut event.id);
        } else if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event.event);
        } else if let Some(data) = line.strip_prefix("data: ") {
            if lines > 0 {
                event.data.push('\n');
            }
            event.data.push_str(data);
            lines += 1;
        }
    }
    (lines > 0).then_some(event)
}

//! A small blocking HTTP/1.1 client for tests. It does nothing by itself: no redirects, no retries,
//! no cookies. A lost connection is an error that the test sees.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    time::Duration,
};

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; null when it is empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The JSON body of an answer with this status; panics with the whole answer for any other.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The problem's code of an answer with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap_or_else(|| panic!("no problem: {}", self.text())).to_owned()
    }
}

/// A caller with a token and one connection, kept open between calls.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    timeout: Duration,
    connection: Mutex<Option<BufReader<TcpStream>>>,
}

impl Client {
    /// A caller that shows this token.
    pub fn new(address: SocketAddr, token: Option<&str>) -> Self {
        Self {
            address,
            token: token.map(str::to_owned),
            timeout: Duration::from_secs(60),
            connection: Mutex::new(None),
        }
    }

    /// Another caller at the same server.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), timeout: self.timeout, ..Self::new(self.address, None) }
    }

    /// The same caller on another connection.
    #[must_use]
    pub fn again(&self) -> Self {
        self.with_token(self.token.as_deref())
    }

    /// The same caller at a server that moved.
    #[must_use]
    pub fn moved(&self, address: SocketAddr) -> Self {
        Self { address, ..self.again() }
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the server is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A GET below `/api/v1`, or of an absolute path that starts with `//`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], None).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// A POST below `/api/v1`.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, &[], Some(body)).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// A POST under an idempotency key.
    #[track_caller]
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.call("POST", path, &[("idempotency-key", key)], Some(body))
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Any call. Says whether the answer was lost instead of panicking.
    ///
    /// # Errors
    /// When the connection could not be made or ended before the answer was whole.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> io::Result<Reply> {
        let bytes = self.request(method, path, headers, body);
        let mut place = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut connection = match place.take() {
            Some(open) if is_quiet(&open) => open,
            Some(_) | None => self.connect()?,
        };
        connection.get_mut().write_all(&bytes)?;
        let (reply, reusable) = read_reply(&mut connection)?;
        if reusable {
            *place = Some(connection);
        }
        Ok(reply)
    }

    /// The bytes of a request, for tests that send them piecemeal or leave before the answer.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Vec<u8> {
        let path = path.strip_prefix("//").map_or_else(|| format!("/api/v1{path}"), |outside| format!("/{outside}"));
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.map(Value::to_string);
        if let Some(body) = &body {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        } else if method != "GET" {
            head.push_str("content-length: 0\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default().as_bytes());
        bytes
    }

    /// A new connection to the server.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }
}

/// Whether a kept connection is still open and nothing unasked for arrived on it.
fn is_quiet(connection: &BufReader<TcpStream>) -> bool {
    let stream = connection.get_ref();
    let quiet = stream.set_nonblocking(true).is_ok()
        && matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && quiet && connection.buffer().is_empty()
}

/// Status and headers of an answer.
pub(crate) fn read_head(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    let mut next = |connection: &mut BufReader<TcpStream>| -> io::Result<String> {
        line.clear();
        if connection.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended in the middle of a head"));
        }
        Ok(line.trim_end().to_owned())
    };
    let first = next(connection)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not an answer: {first}")))?;
    let mut headers = Vec::new();
    loop {
        let line = next(connection)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

/// The next chunk of a chunked body; `None` after the last.
pub(crate) fn read_chunk(connection: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended between two chunks"));
    }
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(size, 16).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let mut chunk = vec![0; size + 2];
    connection.read_exact(&mut chunk)?;
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}

fn read_reply(connection: &mut BufReader<TcpStream>) -> io::Result<(Reply, bool)> {
    let (status, headers) = read_head(connection)?;
    let mut reply = Reply { status, headers, body: Vec::new() };
    let closes = reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if reply.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        while let Some(chunk) = read_chunk(connection)? {
            reply.body.extend_from_slice(&chunk);
        }
    } else if let Some(length) = reply.header("content-length").and_then(|value| value.parse().ok()) {
        reply.body = vec![0; length];
        connection.read_exact(&mut reply.body)?;
    }
    Ok((reply, !closes))
}

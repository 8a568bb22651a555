//! A fake model on loopback: answers a scripted list of replies over the wire shapes of the real ones,
//! whichever of them is spoken: Anthropic messages, OpenAI responses, OpenAI chat completions, Gemini.
//!
//! One list serves one session: each request for a reply takes the next one. When the list is used up the
//! model says "done". A model that decides by what it is asked serves any number of sessions. Everything that was
//! asked is kept.

mod person;
mod wire;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub use person::sign_in;
use serde_json::Value;
pub use wire::Wire;

/// What the model answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A text, and it is done.
    Say(String),
    /// A use of a tool.
    Call {
        /// The tool's name, as the agent knows it.
        name: String,
        /// What it is given.
        input: Value,
    },
    /// Several texts and uses of tools in one reply.
    Several(Vec<Answer>),
    /// An HTTP error with a message.
    Status {
        /// The status.
        status: u16,
        /// The message in the body.
        message: String,
        /// Seconds in `retry-after`.
        retry_after: Option<u32>,
    },
    /// Nothing, for so long; then the connection is closed.
    Hang(Duration),
    /// The start of a stream, then the connection is closed.
    Cut,
    /// A stream of what is no event.
    Garbage,
    /// A stream of these bytes, as they are.
    Raw(Vec<u8>),
}

impl Answer {
    /// A text.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }

    /// A use of a tool.
    pub fn call(name: impl Into<String>, input: Value) -> Self {
        Self::Call { name: name.into(), input }
    }

    /// An HTTP error.
    pub fn status(status: u16, message: impl Into<String>) -> Self {
        Self::Status { status, message: message.into(), retry_after: None }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// In which shape.
    pub wire: Wire,
    /// The body.
    pub body: Value,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// How often a tool has answered in the conversation so far.
    pub fn results(&self) -> usize {
        self.wire.results(&self.body)
    }

    /// The first path in what was asked that begins and ends like this: where the agent works, as it told its model.
    pub fn path(&self, begins: &str, ends: &str) -> Option<String> {
        let text = self.body.to_string();
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '<' | '>' | '`' | '\'' | ',' | ')');
        let paths = text.match_indices(begins).map(|(from, _)| text[from..].split(is_end).next().unwrap_or_default());
        paths.into_iter().find(|path| path.ends_with(ends)).map(str::to_owned)
    }
}

/// Says what to answer to the request with this number.
type Decide = Box<dyn Fn(usize, &Request) -> Answer + Send + Sync>;

struct Shared {
    decide: Decide,
    next: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    is_over: AtomicBool,
}

/// A model that listens; it is gone when this is dropped.
pub struct Models {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Models {
    /// Starts one with these answers.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        Self::deciding(move |number, _| answers.get(number).cloned().unwrap_or_else(|| Answer::say("done")))
    }

    /// Starts one that decides by what it is asked; it may take its time.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn deciding(decide: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be had");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            decide: Box::new(decide),
            next: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
            is_over: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_thread.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far, requests for titles apart.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Models {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut headers, mut length, mut line) = (Vec::new(), 0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            match name.as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "expect" => reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                _ => {}
            }
            headers.push((name, value));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let out = reader.get_mut();
    let Some(wire) = Wire::of(path).filter(|_| method == "POST") else {
        if method == "GET" && path.ends_with("/models") {
            return list(out, &headers);
        }
        return plain(out, if method == "HEAD" { 200 } else { 404 }, "{}", &[]);
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if wire.is_title(&body) {
        return stream_out(out, &wire.events(&Answer::say("a title"), usize::MAX, &body));
    }
    let number = shared.next.fetch_add(1, Ordering::SeqCst);
    let request = Request { wire, body: body.clone(), headers };
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let answer = (shared.decide)(number, &request);
    match &answer {
        Answer::Say(_) | Answer::Call { .. } | Answer::Several(_) => {
            stream_out(out, &wire.events(&answer, number, &body))
        }
        Answer::Status { status, message, retry_after } => {
            let wait = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
            plain(out, *status, &wire.error(*status, message).to_string(), &Vec::from_iter(wait))
        }
        Answer::Hang(time) => {
            thread::sleep(*time);
            Ok(())
        }
        Answer::Cut => {
            let whole = wire.events(&Answer::say("this is never finished"), number, &body);
            head(out)?;
            out.write_all(&whole.as_bytes()[..whole.len() / 2])
        }
        Answer::Raw(bytes) => {
            head(out)?;
            out.write_all(bytes)
        }
        Answer::Garbage => stream_out(out, "data: {\"half\": \n\ndata: \u{1}\n\n"),
    }
}

/// The list of models, for every key but `wrong`.
fn list(out: &mut TcpStream, headers: &[(String, String)]) -> io::Result<()> {
    if headers.iter().any(|(_, value)| value == "wrong" || value == "Bearer wrong") {
        let error = "{\"error\":{\"type\":\"authentication_error\",\"message\":\"the key is not taken\"}}";
        return plain(out, 401, error, &[]);
    }
    plain(out, 200, "{\"data\":[{\"id\":\"fake-1\"}],\"models\":[{\"name\":\"models/fake-1\"}]}", &[])
}

fn head(out: &mut TcpStream) -> io::Result<()> {
    out.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nconnection: close\r\n\r\n",
    )
}

fn stream_out(out: &mut TcpStream, events: &str) -> io::Result<()> {
    head(out)?;
    out.write_all(events.as_bytes())
}

fn plain(out: &mut TcpStream, status: u16, body: &str, more: &[(&str, String)]) -> io::Result<()> {
    let mut text = format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in more {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    out.write_all(text.as_bytes())
}

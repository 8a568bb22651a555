//! Calls to the plane: HTTP/1.1 with the worker's token, one connection a call, so that none is found dead
//! after a request was written into it.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Method, Request, Response, Uri, body::Frame, header};
use hyper_util::rt::TokioIo;
use model::{code::Code, problem::Problem};
use rand::Rng as _;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_util::io::ReaderStream;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take beyond the time that the call itself waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a file may take.
const FILE: Duration = Duration::from_secs(600);
/// The longest answer that is read.
const ANSWER: usize = 8 << 20;
/// The first and the longest pause before a call is made again (D64).
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// A plane, as a worker reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    host: String,
    port: u16,
    prefix: String,
    token: Option<String>,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// The plane was not reached, broke off, or answered what is no answer: it may or may not have happened.
    Unreachable(String),
    /// The plane said no.
    Refused(Refusal),
}

/// What the plane said no with.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The problem's slug, such as `lease_lost`.
    pub slug: String,
    /// In words.
    pub detail: String,
    /// The whole document.
    pub document: Value,
}

impl CallError {
    /// Whether the token is refused: the worker was revoked.
    pub fn is_revoked(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 401)
    }

    /// Whether the same call may go well later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(refusal) => refusal.status >= 500 || matches!(refusal.status, 408 | 429),
        }
    }

    /// Whether the task of the call is no longer this worker's.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Unreachable(_) => false,
            Self::Refused(refusal) => [Code::NotFound, Code::LeaseLost].iter().any(|code| refusal.slug == code.slug()),
        }
    }

    /// As a person is told.
    pub fn problem(self) -> Problem {
        match self {
            Self::Unreachable(why) => Problem::new(Code::Unreachable, format!("failed to reach the plane: {why}")),
            Self::Refused(refusal) => {
                let code = Code::by_slug(&refusal.slug).unwrap_or(Code::Internal);
                let mut problem = Problem::new(code, refusal.detail);
                if let Some(hint) = refusal.document.get("hint").and_then(Value::as_str) {
                    problem = problem.with_hint(hint);
                }
                problem
            }
        }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Refused(refusal) => write!(f, "{} ({} {})", refusal.detail, refusal.status, refusal.slug),
        }
    }
}

/// Pauses between tries that fail: from half a second to ten, with jitter (D64).
#[derive(Debug, Clone, Default)]
pub struct Backoff(u32);

impl Backoff {
    /// Waits the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }

    fn next(&mut self) -> Duration {
        let full = (PAUSES.0 * 2u32.saturating_pow(self.0)).min(PAUSES.1);
        self.0 = (self.0 + 1).min(16);
        full.mul_f64(rand::rng().random_range(0.5..1.0)).max(PAUSES.0 / 2)
    }

    /// It went well: the next failure waits shortly again.
    pub fn reset(&mut self) {
        self.0 = 0;
    }
}

type Sent = UnsyncBoxBody<Bytes, std::io::Error>;

impl Link {
    /// A plane at an address such as `http://10.0.0.5:7420`.
    ///
    /// # Errors
    /// 422 for what is no address of a plane.
    pub fn at(address: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| {
            Problem::new(Code::Usage, format!("the plane's address is not usable: {why}"))
                .with_hint("write it as http://HOST:PORT, as the invitation printed it")
        };
        let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let uri: Uri = address.parse().map_err(|_| wrong("it is not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong("this version speaks no TLS").with_hint(
                    "forward a port (ssh -L 7420:127.0.0.1:7420 HOST) and pair with http://127.0.0.1:7420",
                ));
            }
            _ => return Err(wrong("it is not http")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong("a host and a port are expected"));
        }
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(wrong("its port is not a number up to 65535"));
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// The same with a worker's token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The address as text.
    pub fn url(&self) -> String {
        format!("http://{}:{}{}", self.host, self.port, self.prefix)
    }

    /// Posts a document; `waits` is how long the plane may wait before it answers.
    pub async fn post(
        &self,
        path: &str,
        generation: Option<u32>,
        body: &Value,
        waits: Duration,
    ) -> Result<Value, CallError> {
        let bytes = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed_unsync();
        let request = self.request(Method::POST, path, generation).header(header::CONTENT_TYPE, "application/json");
        self.answer(request.body(bytes), waits + PATIENCE).await
    }

    /// Reads a document.
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.answer(self.request(Method::GET, path, None).body(empty()), PATIENCE).await
    }

    /// Sends a file as raw bytes (D58).
    pub async fn upload(&self, path: &str, generation: u32, media_type: &str, file: &Path) -> Result<Value, CallError> {
        let gone =
            |error: std::io::Error| CallError::Unreachable(format!("failed to read what is to be sent: {error}"));
        let opened = tokio::fs::File::open(file).await.map_err(gone)?;
        let length = opened.metadata().await.map_err(gone)?.len();
        let body = StreamBody::new(ReaderStream::with_capacity(opened, 64 << 10).map_ok(Frame::data)).boxed_unsync();
        let request = self
            .request(Method::POST, path, Some(generation))
            .header(header::CONTENT_TYPE, media_type)
            .header(header::CONTENT_LENGTH, length);
        self.answer(request.body(body), FILE).await
    }

    /// Fetches bytes into a file (D53).
    pub async fn download(&self, path: &str, generation: u32, to: &Path) -> Result<(), CallError> {
        let fetched = async {
            let answer = self.send(self.request(Method::GET, path, Some(generation)).body(empty())).await?;
            let (head, mut body) = answer.into_parts();
            if !head.status.is_success() {
                return Err(refused(head.status.as_u16(), &whole(body).await?));
            }
            let lost = |what: String| CallError::Unreachable(format!("failed to fetch a file: {what}"));
            let mut file = tokio::fs::File::create(to).await.map_err(|error| lost(error.to_string()))?;
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.map_err(|error| lost(error.to_string()))?.into_data() {
                    file.write_all(&data).await.map_err(|error| lost(error.to_string()))?;
                }
            }
            file.flush().await.map_err(|error| lost(error.to_string()))
        };
        timeout(FILE, fetched).await.map_err(|_| CallError::Unreachable("the file did not come in time".into()))?
    }

    fn request(&self, method: Method, path: &str, generation: Option<u32>) -> hyper::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.prefix))
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::USER_AGENT, concat!("proofhouse-worker/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(generation) = generation {
            request = request.header("lease-generation", generation);
        }
        request
    }

    async fn answer(&self, request: hyper::http::Result<Request<Sent>>, within: Duration) -> Result<Value, CallError> {
        let answered = async {
            let answer = self.send(request).await?;
            let (head, body) = answer.into_parts();
            let body = whole(body).await?;
            if !head.status.is_success() {
                return Err(refused(head.status.as_u16(), &body));
            }
            serde_json::from_slice(&body).map_err(|_| CallError::Unreachable("the answer is not JSON".into()))
        };
        timeout(within, answered).await.map_err(|_| CallError::Unreachable("no answer came in time".into()))?
    }

    async fn send(
        &self,
        request: hyper::http::Result<Request<Sent>>,
    ) -> Result<Response<hyper::body::Incoming>, CallError> {
        let lost = |what: String| CallError::Unreachable(format!("{what} ({})", self.url()));
        let request = request.map_err(|_| lost("a value cannot be sent as it is".into()))?;
        let target = (self.host.trim_start_matches('[').trim_end_matches(']'), self.port);
        let stream = timeout(CONNECT, TcpStream::connect(target))
            .await
            .map_err(|_| lost("nothing answered in time".into()))?
            .map_err(|error| lost(format!("the connection failed: {error}")))?;
        // A delay of small writes would only slow an answer down; without the option it still works.
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(format!("the connection broke: {error}")))?;
        // The connection ends with the answer's body; its error shows there.
        tokio::spawn(async move { connection.await.ok() });
        sender.send_request(request).await.map_err(|error| lost(format!("the connection broke: {error}")))
    }
}

fn empty() -> Sent {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync()
}

async fn whole(body: hyper::body::Incoming) -> Result<Bytes, CallError> {
    let whole = Limited::new(body, ANSWER).collect().await;
    whole
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| CallError::Unreachable(format!("the answer broke off: {error}")))
}

fn refused(status: u16, body: &[u8]) -> CallError {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // What does not come from a plane, such as a proxy's page, is no word of the plane's.
    if text("slug").is_empty() && status != 401 {
        return CallError::Unreachable(format!("an answer {status} that is not the plane's"));
    }
    CallError::Refused(Refusal { status, slug: text("slug"), detail: text("detail"), document })
}

#[cfg(test)]
mod tests {
    use super::*;

    // D64
    #[test]
    fn pauses_grow_to_ten_seconds_with_jitter() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.next()).collect();
        assert!(pauses[0] >= Duration::from_millis(250) && pauses[0] <= Duration::from_millis(500), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= PAUSES.1));
        assert!(pauses[8] >= Duration::from_secs(5), "{pauses:?}");
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }

    #[test]
    fn an_address_is_a_plain_http_url() {
        for (text, url) in [
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("plane.local:80", "http://plane.local:80"),
            ("http://[::1]:7420/", "http://[::1]:7420"),
            ("http://plane.local/proof/", "http://plane.local:80/proof"),
        ] {
            assert_eq!(Link::at(text).map(|link| link.url()), Ok(url.to_owned()));
        }
        for wrong in ["", "https://x", "ftp://x", "http://", "http://a:b@c", "http://h:99999"] {
            assert_eq!(Link::at(wrong).unwrap_err().code, Code::Usage, "{wrong}");
        }
    }

    // D55, D64: what a refusal means for the task and for the worker.
    #[test]
    fn refusals_are_told_apart() {
        let of = |status, slug: &str| refused(status, format!(r#"{{"slug":"{slug}","detail":"d"}}"#).as_bytes());
        assert!(of(409, "lease_lost").is_lost() && of(404, "not_found").is_lost());
        assert!(!of(422, "invalid").is_lost() && !of(422, "invalid").is_passing());
        assert!(of(503, "store_unavailable").is_passing() && of(429, "too_many").is_passing());
        assert!(of(401, "no_session").is_revoked() && !of(403, "not_entitled").is_revoked());
        // The page of a proxy between them says nothing about the task.
        let page = refused(404, b"<html>not here</html>");
        assert!(page.is_passing() && !page.is_lost());
    }
}

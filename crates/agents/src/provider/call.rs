//! Asking a model: the one loop that asks again (S82, S83, X14).

use std::{
    collections::BTreeMap,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyper::Method;
use model::{
    agent::usage::Usage,
    provider::{Class, Next, Provider, Tries},
    time::Timestamp,
};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    http::{Answer, Connector, Sending},
    key::{Secret, key_of},
    sse::Events,
    talk::{Reply, Request, Trouble},
    wire::{self, Reader, shape},
};
use crate::sink::{Boxed, SinkClosed};

/// The largest answer that is read (E32).
const ANSWER: usize = 16 << 20;
/// The largest error that is read.
const REFUSAL: usize = 64 << 10;
/// How long a model may say nothing in the middle of a reply.
const QUIET: Duration = Duration::from_secs(300);

/// What a request met on its way, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// What went wrong.
    pub trouble: Trouble,
    /// Which request it was, from 1.
    pub number: u32,
    /// After which wait it is made again, if it is.
    pub wait: Option<Duration>,
    /// What is known to have been used by it.
    pub usage: Usage,
}

/// Takes what requests meet.
pub trait Listener: Send {
    /// A request failed (S83).
    fn failed(&mut self, heard: Heard) -> Boxed<'_, Result<(), SinkClosed>>;

    /// What came over the wire, of an answer of either kind, as it came.
    fn received(&mut self, number: u32, text: &str) -> Result<(), SinkClosed>;
}

/// Why no reply came in the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Overdue {
    /// The provider will not, or cannot.
    Failed(Trouble),
    /// It can be asked again then (a wait that is too long to be waited here).
    Later(Trouble, Timestamp),
    /// Somebody stopped it.
    Stopped,
    /// The listener takes no more.
    Unheard,
}

/// What asks a provider.
pub struct Client {
    environment: BTreeMap<String, String>,
    connector: OnceLock<Connector>,
}

impl Client {
    /// With the keys of this environment.
    pub const fn new(environment: BTreeMap<String, String>) -> Self {
        Self { environment, connector: OnceLock::new() }
    }

    fn connector(&self) -> Result<Connector, Trouble> {
        if let Some(ready) = self.connector.get() {
            return Ok(ready.clone());
        }
        let made = Connector::new(&self.environment)?;
        Ok(self.connector.get_or_init(|| made).clone())
    }

    /// Asks, and asks again where that makes sense. A stop ends it at once, in a wait or in a reply.
    ///
    /// # Errors
    /// When no reply came in the end.
    pub async fn ask(
        &self,
        provider: &Provider,
        model: &str,
        request: &Request,
        listener: &mut dyn Listener,
        stop: &CancellationToken,
    ) -> Result<Reply, Overdue> {
        let body = shape(provider.wire).body(model, request).to_string();
        let mut tries = Tries::default();
        loop {
            let mut once = Once { reader: shape(provider.wire).reader(), raw: Vec::new() };
            let asked = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Overdue::Stopped),
                asked = self.once(provider, model, &body, &mut once) => asked,
            };
            let number = tries.all() + 1;
            let unheard = |SinkClosed| Overdue::Unheard;
            if !once.raw.is_empty() {
                listener.received(number, &String::from_utf8_lossy(&once.raw)).map_err(unheard)?;
            }
            let usage = once.reader.so_far().usage;
            let asked = asked.and_then(|()| once.reader.finish());
            let trouble = match asked {
                Ok(reply) => return Ok(reply),
                Err(trouble) => trouble,
            };
            let next = provider.retry.next(trouble.class, &mut tries, trouble.retry_after, rand::random());
            let wait = if let Next::Again(wait) = next { Some(wait) } else { None };
            listener.failed(Heard { trouble: trouble.clone(), number, wait, usage }).await.map_err(unheard)?;
            match next {
                Next::Again(wait) => tokio::select! {
                    () = stop.cancelled() => return Err(Overdue::Stopped),
                    () = tokio::time::sleep(wait) => {}
                },
                Next::Later(wait) => return Err(Overdue::Later(trouble, now().plus(wait))),
                Next::Over => return Err(Overdue::Failed(trouble)),
            }
        }
    }

    async fn once(&self, provider: &Provider, model: &str, body: &str, once: &mut Once) -> Result<(), Trouble> {
        let shape = shape(provider.wire);
        let sending = Sending {
            method: Method::POST,
            url: wire::url(provider, &shape.path(model)),
            headers: self.headers(provider)?,
            body: body.as_bytes().to_vec(),
        };
        let deadline = Instant::now() + provider.timeout;
        let slow =
            || Trouble::new(Class::Timeout, format!("no reply within {} s", provider.timeout.as_secs())).billed();
        let connector = self.connector()?;
        let mut answer = timeout_at(deadline, connector.send(sending)).await.map_err(|_| slow())??;
        if !(200..300).contains(&answer.status) {
            let whole = timeout_at(deadline, answer.whole(REFUSAL)).await.map_err(|_| slow())?;
            // One that broke off is still the refusal that its status says.
            once.raw = whole.unwrap_or_default();
            return Err(wire::refused(answer.status, &once.raw, answer.retry_after.as_deref(), now()));
        }
        once.read(&mut answer, deadline, &slow).await
    }

    fn headers(&self, provider: &Provider) -> Result<Vec<(&'static str, String)>, Trouble> {
        let key = self.key(provider)?;
        let mut headers = shape(provider.wire).headers(key.as_ref());
        headers.push(("content-type", "application/json".to_owned()));
        headers.push(("accept", "text/event-stream".to_owned()));
        Ok(headers)
    }

    fn key(&self, provider: &Provider) -> Result<Option<Secret>, Trouble> {
        key_of(provider, &self.environment).map_err(|refused| Trouble::new(Class::Auth, refused.to_string()))
    }

    /// The provider's own list of its models: costs nothing, and shows whether key and address are good (S85).
    pub(super) async fn models(&self, provider: &Provider, within: Duration) -> Result<Vec<String>, Trouble> {
        let shape = shape(provider.wire);
        let sending = Sending {
            method: Method::GET,
            url: wire::url(provider, "models"),
            headers: shape.headers(self.key(provider)?.as_ref()),
            body: Vec::new(),
        };
        let connector = self.connector()?;
        let looked = async {
            let mut answer = connector.send(sending).await?;
            let whole = answer.whole(ANSWER).await?;
            if !(200..300).contains(&answer.status) {
                return Err(wire::refused(answer.status, &whole, answer.retry_after.as_deref(), now()));
            }
            let list = serde_json::from_slice(&whole)
                .map_err(|_| Trouble::new(Class::InvalidResponse, "the list of its models is no JSON"))?;
            Ok(shape.models(&list))
        };
        let slow = |_| Trouble::new(Class::Timeout, format!("no answer within {} s", within.as_secs()));
        tokio::time::timeout(within, looked).await.map_err(slow)?
    }
}

/// One request and what came of it so far.
struct Once {
    reader: Box<dyn Reader>,
    raw: Vec<u8>,
}

impl Once {
    async fn read(
        &mut self,
        answer: &mut Answer,
        deadline: Instant,
        slow: &(dyn Fn() -> Trouble + Sync),
    ) -> Result<(), Trouble> {
        let mut events = Events::default();
        loop {
            let quiet = Instant::now() + QUIET;
            let piece = timeout_at(deadline.min(quiet), answer.piece()).await.map_err(|_| slow())??;
            let Some(piece) = piece else { break };
            if self.raw.len() + piece.len() > ANSWER {
                let message = format!("the answer is larger than {} MiB", ANSWER >> 20);
                return Err(Trouble::new(Class::InvalidResponse, message).billed());
            }
            self.raw.extend_from_slice(&piece);
            let mut found = Vec::new();
            events.push(&piece, |event| found.push(event));
            for event in found {
                self.reader.event(&event)?;
            }
        }
        match events.finish() {
            Some(event) => self.reader.event(&event),
            None => Ok(()),
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

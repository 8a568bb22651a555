//! The shapes: one file each, which says how a request is written and what the events of a reply mean. None does I/O.

mod chat;
mod gemini;
mod messages;
mod responses;

use std::time::Duration;

use model::{
    agent::usage::Numbers,
    provider::{Answered, Class, Provider, Wire, classify, retry::retry_after},
    time::Timestamp,
};
use serde_json::Value;

use super::{
    key::Secret,
    sse::Event,
    talk::{Reply, Request, Trouble},
};

/// A shape.
pub(super) trait Shape: Sync {
    /// Where requests for a reply go, below the provider's address.
    fn path(&self, model: &str) -> String;

    /// The headers with the key.
    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)>;

    /// The body of a request.
    fn body(&self, model: &str, request: &Request) -> Value;

    /// Reads the events of a reply.
    fn reader(&self) -> Box<dyn Reader>;

    /// The names of models in the provider's list.
    fn models(&self, list: &Value) -> Vec<String>;
}

/// Reads one reply.
pub(super) trait Reader: Send {
    /// Takes an event.
    fn event(&mut self, event: &Event) -> Result<(), Trouble>;

    /// The stream is over: the reply, or what is missing.
    fn finish(self: Box<Self>) -> Result<Reply, Trouble>;

    /// What is known to have been used, also when the reply never came to its end.
    fn so_far(&self) -> &Reply;
}

/// The shape of this name.
pub(super) fn shape(wire: Wire) -> &'static dyn Shape {
    match wire {
        Wire::Messages => &messages::Messages,
        Wire::Responses => &responses::Responses,
        Wire::Chat => &chat::Chat,
        Wire::Gemini => &gemini::Gemini,
    }
}

/// The address of a path at a provider.
pub(super) fn url(provider: &Provider, path: &str) -> String {
    format!("{}/{path}", provider.base_url)
}

/// The error in an answer that is no reply, as any of the shapes words it.
pub(super) fn refused(status: u16, body: &[u8], header: Option<&str>, now: Timestamp) -> Trouble {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    // Gemini puts the error of a stream into a list.
    let document = document.get(0).unwrap_or(&document);
    let wait = header.and_then(|text| retry_after(text, now)).or_else(|| wait_in(document));
    let mut trouble = trouble_in(status, document, wait);
    if trouble.message.is_empty() {
        let text = String::from_utf8_lossy(body);
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        trouble.message = format!("HTTP {status}: {text}");
    }
    // What the provider worked on and then failed may be charged; a refusal is not.
    if status >= 500 { trouble.billed() } else { trouble }
}

/// The error in a document. A status of 0: it came in the middle of a reply.
pub(super) fn trouble_in(status: u16, document: &Value, wait: Option<Duration>) -> Trouble {
    let error = document.get("error").filter(|error| !error.is_null()).unwrap_or(document);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let reason = text(error.pointer("/details/0/reason"));
    let code = text(error.get("code"));
    let kind = [text(error.get("type")), text(error.get("status"))].into_iter().find(|kind| !kind.is_empty());
    let kind = kind.unwrap_or_default();
    // Some servers answer `{"error": "words"}`, others `{"detail": "words"}`.
    let message = [error.get("message"), Some(error), document.get("detail"), document.get("message")]
        .into_iter()
        .map(text)
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    let answered = Answered { status, kinds: [&reason, &code, &kind], message: &message, says_when: wait.is_some() };
    let class = classify(&answered);
    let message: String = message.chars().take(1_000).collect();
    Trouble { retry_after: wait, may_be_billed: status == 0, ..Trouble::new(class, message) }
}

/// How long an error's details say to wait: `{"retryDelay": "17s"}`.
fn wait_in(document: &Value) -> Option<Duration> {
    let details = document.pointer("/error/details")?.as_array()?;
    let text = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (0.0..=1e9).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// The JSON of an event.
fn json(event: &Event) -> Result<Value, Trouble> {
    serde_json::from_str(&event.data).map_err(|error| invalid(format!("an event of the reply is no JSON: {error}")))
}

/// A reply that cannot be read.
fn invalid(message: impl Into<String>) -> Trouble {
    Trouble::new(Class::InvalidResponse, message).billed()
}

/// The text at a place.
fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a place, where there is one.
fn some_text(value: &Value, pointer: &str) -> Option<String> {
    Some(text(value, pointer)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The ids in a list of models as most providers write it.
fn ids(list: &Value) -> Vec<String> {
    let items = list.get("data").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect()
}

/// The tokens of a reply, where those from the cache are among those that went in: all that went in, cached, out,
/// reasoning.
fn used(reply: &mut Reply, [all, cached, output, reasoning]: [Option<&Value>; 4]) {
    let mut numbers = Numbers::default();
    let held = &mut reply.usage;
    held.cached_input = numbers.count(cached);
    held.input = numbers.count(all).map(|all| all.saturating_sub(held.cached_input.unwrap_or(0)));
    held.output = numbers.count(output);
    held.reasoning = numbers.count(reasoning);
    reply.bad_number |= numbers.bad;
}

/// A key as most providers take it.
fn bearer(key: Option<&Secret>) -> Vec<(&'static str, String)> {
    key.map(|key| ("authorization", format!("Bearer {}", key.expose()))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // S81, S82: errors as each of the providers words them, and as nobody should.
    #[test]
    fn errors_are_read_in_every_wording() {
        use Class as C;
        let now = Timestamp::from_micros(0);
        for (status, body, class, wait) in [
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                C::ServerError,
                None,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}"#,
                C::ContextLength,
                None,
            ),
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                C::Auth,
                None,
            ),
            (
                429,
                r#"{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                C::Billing,
                None,
            ),
            (
                429,
                r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota, billing","details":[{"@type":"x","retryDelay":"17s"}]}}]"#,
                C::RateLimited,
                Some(17),
            ),
            (
                400,
                r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                C::Auth,
                None,
            ),
            (404, r#"{"error":"model 'x' not found"}"#, C::NotFound, None),
            (422, r#"{"detail":"no"}"#, C::BadRequest, None),
            (502, "<html>\n<h1>Bad gateway 401</h1>", C::ServerError, None),
            (500, "", C::ServerError, None),
            (400, "[]", C::BadRequest, None),
            (400, "{\"error\":{\"message\":{\"nested\":1},\"type\":7,\"details\":{}}}", C::BadRequest, None),
        ] {
            let trouble = refused(status, body.as_bytes(), None, now);
            assert_eq!((trouble.class, trouble.retry_after), (class, wait.map(Duration::from_secs)), "{body}");
            assert!(!trouble.message.is_empty());
            assert_eq!(trouble.may_be_billed, status >= 500);
        }
        let header = refused(429, b"{}", Some("5"), now);
        assert_eq!((header.class, header.retry_after), (C::RateLimited, Some(Duration::from_secs(5))));
        assert!(refused(400, &[0xff, 0xfe], None, now).message.starts_with("HTTP 400"));
    }
}

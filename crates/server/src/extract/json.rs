//! JSON bodies: bounded while they are read, closed in what they may hold.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, MatchedPath, Request},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use model::{
    code::Code,
    digest::{Digest, Fields},
    problem::{FieldError, Problem},
};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::OnceKey;
use crate::{app::App, limits, problem::Refusal};

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let limit = limits::body_limit(request.extensions().get::<MatchedPath>());
        is_json(request.headers())?;
        let body = within(app.config.request, read_body(request.into_body(), limit)).await?;
        Ok(Self(parse(&body)?))
    }
}

/// A JSON body of a request that may carry an `Idempotency-Key`, with what tells it from another
/// request: its method, address and bytes.
pub struct Keyed<T> {
    /// The body.
    pub body: T,
    /// The key, if one was sent.
    pub key: OnceKey,
    /// What the key stands for.
    pub digest: Digest,
}

impl<T: DeserializeOwned> FromRequest<App> for Keyed<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let limit = limits::body_limit(request.extensions().get::<MatchedPath>());
        let key = OnceKey::read(request.headers())?;
        is_json(request.headers())?;
        let mut digest = Fields::tagged("proofhouse.request.1");
        digest.text(request.method().as_str()).text(request.uri().path());
        digest.maybe(request.uri().query());
        let bytes = within(app.config.request, read_body(request.into_body(), limit)).await?;
        digest.push(&bytes);
        // A POST without a body asks for all defaults.
        let body = parse(if bytes.is_empty() { b"{}" } else { &bytes })?;
        Ok(Self { body, key, digest: digest.finish() })
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(Problem::new(Code::NotJson, "the content type is not JSON"))
    }
}

/// A body that does not come is given up, so that nothing waits for it behind an answered request.
async fn within<T>(limit: Duration, body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(limit, body).await.unwrap_or_else(|_| {
        Err(Problem::new(Code::TimedOut, format!("the body did not come within {} s", limit.as_secs())))
    })
}

/// Reads a body up to its limit, without ever holding more than that.
pub async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || limits::too_large(limit);
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The connection ended or broke off in the middle; nobody is there to read this.
        let frame = frame.map_err(|_| Problem::new(Code::NotJson, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(whole.len(), Bytes::len) + data.len() > limit {
            return Err(too_large());
        }
        // Nearly every body is one frame, and then nothing is copied.
        match (first.take(), whole.is_empty()) {
            (None, true) => first = Some(data),
            (Some(start), _) => {
                whole.extend_from_slice(&start);
                whole.extend_from_slice(&data);
            }
            (None, false) => whole.extend_from_slice(&data),
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// Parses a whole body: 400 when it is no JSON at all, 422 with a pointer when a value is wrong.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let error = match serde_json::from_slice::<T>(bytes) {
        // A text that the type skips is not looked at by the parser, so it is looked at here.
        Ok(_) if bytes.trim_ascii_start().first() != Some(&b'{') => {
            // serde would also take the fields of a struct from a list, by position.
            return Err(Problem::invalid_field("", "an object is expected"));
        }
        Ok(value) if std::str::from_utf8(bytes).is_ok() => return Ok(value),
        Ok(_) => return Err(not_json("the body is not UTF-8")),
        Err(error) => error,
    };
    if std::str::from_utf8(bytes).is_err() {
        return Err(not_json("the body is not UTF-8"));
    }
    if bytes.trim_ascii_start().first() != Some(&b'{') && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Err(Problem::invalid_field("", "an object is expected"));
    }
    if !error.is_data() || serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
        return Err(not_json(&format!("the body is not JSON: {}", words(&error.to_string()))));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => Err(not_json("the body is not JSON")),
        Err(error) => Err(wrong_value(&error)),
    }
}

fn not_json(message: &str) -> Problem {
    Problem::new(Code::NotJson, message)
}

fn wrong_value(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let message = error.inner().to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before);
    let mut pointer = String::new();
    for segment in error.path() {
        use serde_path_to_error::Segment;
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&escaped(key));
            }
            Segment::Unknown => {}
        }
    }
    if let Some(name) = message.split('`').nth(1) {
        let tail = format!("/{}", escaped(name));
        let names_a_field = message.starts_with("unknown field") || message.starts_with("missing field");
        if names_a_field && !pointer.ends_with(&tail) {
            pointer.push_str(&tail);
        }
    }
    Problem::invalid(vec![FieldError::new(pointer, words(message))])
}

fn escaped(key: &str) -> String {
    let key: String = key.chars().take(100).collect();
    key.replace('~', "~0").replace('/', "~1")
}

/// A parser's message, cut so that a hostile value is not echoed at length.
fn words(message: &str) -> String {
    message.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        n: u32,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        items: Vec<Inner>,
        #[serde(default)]
        name: String,
    }

    // X26: what is no JSON is 400, what is JSON with a wrong value is 422 and says where.
    #[test]
    fn a_wrong_value_has_a_pointer_and_broken_text_has_none() {
        let wrong = |text: &str| parse::<Outer>(text.as_bytes()).unwrap_err();
        for (text, pointer) in [
            (r#"{"items":[{"n":1},{"n":-1}]}"#, "/items/1/n"),
            (r#"{"items":[{"n":1,"x":2}]}"#, "/items/0/x"),
            (r#"{"items":[],"colour":1}"#, "/colour"),
            (r#"{"name":"a"}"#, "/items"),
            (r#"{"items":[],"a/b":1}"#, "/a~1b"),
            ("[]", ""),
            (r#"[[],"by position"]"#, ""),
            ("null", ""),
        ] {
            let problem = wrong(text);
            assert_eq!(problem.code, Code::Invalid, "{text}: {problem}");
            assert_eq!(problem.errors[0].pointer, pointer, "{text}: {problem}");
        }
        let deep = format!("{{\"items\":{}", "[".repeat(100_000));
        for text in ["", "{", r#"{"items":[],"colour":1"#, r#"{"items":[]} x"#, "nope", &deep] {
            assert_eq!(wrong(text).code, Code::NotJson, "{text:.40}");
        }
        assert_eq!(parse::<Outer>(b"{\"items\":[],\"name\":\"\xff\"}").unwrap_err().code, Code::NotJson);
    }

    // K7: a body without a length is cut off at its limit.
    #[tokio::test]
    async fn a_body_of_many_frames_is_cut_off_at_its_limit() {
        let frames = |count: usize| {
            Body::from_stream(futures::stream::iter(
                (0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 1000]))),
            ))
        };
        assert_eq!(read_body(frames(3), 3_000).await.unwrap().len(), 3_000);
        assert_eq!(read_body(frames(4), 3_000).await.unwrap_err().code, Code::TooLarge);
        assert_eq!(read_body(frames(1_000_000), 3_000).await.unwrap_err().code, Code::TooLarge);
        assert_eq!(read_body(Body::from(vec![0; 3_001]), 3_000).await.unwrap_err().code, Code::TooLarge);
    }
}

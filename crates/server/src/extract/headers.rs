//! Headers with a meaning of their own: the revision a change builds on, and the key that makes a
//! repeated request one request.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use model::{limits, problem::Problem};

use crate::problem::Refusal;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The revision of `If-Match`. Missing or malformed is 422 (X26); old is the engine's 412.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        revision(&parts.headers).map(Self).map_err(Refusal::from)
    }
}

fn revision(headers: &HeaderMap) -> Result<u64, Problem> {
    let refused = |message: &str| {
        Err(Problem::invalid_field("/If-Match", message)
            .with("in", "header")
            .with_hint("read it first and send its revision as `If-Match: REVISION`"))
    };
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return refused("exactly one revision is required");
    };
    let text = value.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match text.parse() {
        Ok(revision) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(revision),
        _ => refused("not a revision: a whole number is expected"),
    }
}

/// The `Idempotency-Key`, where one was sent.
#[derive(Debug, Clone, Default)]
pub struct OnceKey(pub Option<String>);

impl OnceKey {
    /// Reads it from the headers.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = |message: String| Err(Problem::invalid_field("/Idempotency-Key", message).with("in", "header"));
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(_), Some(_)) => refused("given more than once".into()),
            (Some(value), None) => match value.to_str().map(str::trim) {
                Ok(key) if (1..=limits::IDEMPOTENCY_KEY).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
                _ => refused(format!("1 to {} visible ASCII characters are expected", limits::IDEMPOTENCY_KEY)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // X26: a missing or unreadable If-Match is well-formed HTTP with a wrong value.
    #[test]
    fn a_revision_is_a_whole_number_with_or_without_quotes() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, text.parse().unwrap());
            revision(&headers)
        };
        assert_eq!(read("7"), Ok(7));
        assert_eq!(read("\"7\""), Ok(7));
        for wrong in ["*", "W/\"7\"", "-1", "+1", "seven", "", "99999999999999999999"] {
            assert_eq!(read(wrong).unwrap_err().code.status(), 422, "{wrong}");
        }
        assert_eq!(revision(&HeaderMap::new()).unwrap_err().code.status(), 422);
    }

    // K7
    #[test]
    fn an_idempotency_key_is_bounded() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, text.parse().unwrap());
            OnceKey::read(&headers)
        };
        assert_eq!(read("a-key").unwrap().0.as_deref(), Some("a-key"));
        assert!(read("").is_err() && read(&"k".repeat(256)).is_err());
    }
}

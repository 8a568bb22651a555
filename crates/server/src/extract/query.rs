//! The query string, typed and closed: an unknown or bad value is 422, never ignored.

use axum::{extract::FromRequestParts, http::request::Parts};
use model::{
    code::Code,
    problem::{FieldError, Problem},
};
use serde::de::DeserializeOwned;

use crate::problem::Refusal;

/// Typed parameters of the query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(&rejection.body_text()).into()),
        }
    }
}

fn refused(text: &str) -> Problem {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let named = |message: &str| {
        let name = message.split('`').nth(1)?;
        (message.starts_with("unknown field") || message.starts_with("missing field")).then(|| name.to_owned())
    };
    let (pointer, message) = match text.split_once(": ") {
        Some((name, message)) if !name.contains(' ') => (name.to_owned(), message),
        _ => (named(text).unwrap_or_default(), text),
    };
    let name = named(message).unwrap_or(pointer);
    let error = FieldError::new(format!("/{name}"), message.to_owned());
    let mut problem = Problem::invalid(vec![error]);
    problem.code = Code::Invalid;
    problem.with("in", "query")
}

//! The HTTP API as the verbs use it: JSON in, JSON or a [`Fault`] out.
//!
//! Every POST carries an idempotency key, so a request whose answer was lost is sent again with the
//! same key and happens once (K1, P78).

use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, header, http::HeaderValue};
use model::code::Code;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    fault::{Doing as _, Fault},
    json::Look as _,
    transport::{Body, Lost, Transport, http::unreachable, whole},
};

/// How often a request whose answer was lost is sent again, and how long it waits before.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2)];
/// Where the API lies.
const BASE: &str = "/api/v1";

/// A client of one plane, as one person or token.
#[derive(Debug, Clone)]
pub struct Api {
    transport: Transport,
    bearer: Option<Arc<str>>,
}

impl Api {
    /// A client over a way to the plane.
    pub fn new(transport: Transport, token: Option<String>) -> Self {
        Self { transport, bearer: token.map(|token| format!("Bearer {token}").into()) }
    }

    /// Whether the plane stops with this process.
    pub const fn is_in_process(&self) -> bool {
        self.transport.is_in_process()
    }

    /// Ends a plane that lives in this process, in order; a server is left alone.
    pub async fn close(&self) {
        if let Transport::InProcess(plane) = &self.transport {
            plane.close().await;
        }
    }

    /// Reads a document.
    pub async fn get(&self, path: &str) -> Result<Value, Fault> {
        self.call(Method::GET, path, None, &[]).await
    }

    /// Creates, acts or answers.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let key = Uuid::now_v7().to_string();
        self.call(Method::POST, path, Some(body), &[("idempotency-key", &key)]).await
    }

    /// Replaces a document that has not changed since `revision`.
    pub async fn put(&self, path: &str, body: &Value, revision: u64) -> Result<Value, Fault> {
        self.call(Method::PUT, path, Some(body), &[("if-match", &revision.to_string())]).await
    }

    /// Changes a document that has not changed since `revision`.
    pub async fn patch(&self, path: &str, body: &Value, revision: u64) -> Result<Value, Fault> {
        self.call(Method::PATCH, path, Some(body), &[("if-match", &revision.to_string())]).await
    }

    /// Removes.
    pub async fn delete(&self, path: &str) -> Result<Value, Fault> {
        self.call(Method::DELETE, path, None, &[]).await
    }

    /// Removes what has not changed since `revision`.
    pub async fn delete_at(&self, path: &str, revision: u64) -> Result<Value, Fault> {
        self.call(Method::DELETE, path, None, &[("if-match", &revision.to_string())]).await
    }

    /// Up to `limit` items of a list over its pages; the last page's document with all the items.
    pub async fn list(&self, path: &str, limit: usize) -> Result<Value, Fault> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = (limit - items.len()).min(model::limits::PAGE_MAX as usize);
            let mut query = vec![("limit", page.to_string())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut document = self.get(&with_query(path, &query)).await?;
            let Some(Value::Array(more)) = document.get_mut("items").map(Value::take) else {
                return Ok(document);
            };
            let is_last = more.is_empty();
            items.extend(more);
            cursor = document.maybe("/next_cursor").map(str::to_owned);
            if cursor.is_none() || is_last || items.len() >= limit {
                if let Some(document) = document.as_object_mut() {
                    document.insert("items".into(), items.into());
                }
                return Ok(document);
            }
        }
    }

    /// Checks what is stored; `of` names a run or a project, and nothing means all of it.
    pub async fn verify(&self, of: &[(&str, String)]) -> Result<Value, Fault> {
        self.get(&with_query("/verify", of)).await
    }

    /// Writes a backup into a folder of the plane's machine.
    pub async fn backup(&self, folder: &Path) -> Result<Value, Fault> {
        self.post("/backups", &json!({"folder": folder})).await
    }

    /// Opens an answer that is read piece by piece.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, OpenFailed> {
        let request = self.request(&Method::GET, path, None, headers).map_err(OpenFailed::Refused)?;
        let answer = self.transport.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let body = whole(answer.into_body()).await?;
        Err(OpenFailed::Refused(Fault::from_document(status, &body)))
    }

    /// A path outside the API, such as `/healthz`.
    pub async fn get_root(&self, path: &str) -> Result<(StatusCode, Bytes), Lost> {
        let request = self.build(&Method::GET, path, None, &[]).map_err(|fault| Lost(fault.to_string()))?;
        let answer = self.transport.send(request).await?;
        let status = answer.status();
        Ok((status, whole(answer.into_body()).await?))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Fault> {
        // A PUT or PATCH with an old revision is refused, and a DELETE of what is gone, too: a
        // repeat of those could answer other than the first time. Reads and keyed POSTs repeat.
        let may_repeat = matches!(method, Method::GET | Method::POST);
        let mut pauses = AGAIN.iter().filter(|_| may_repeat);
        let request = self.request(&method, path, body, headers)?;
        loop {
            let answered = async {
                let answer = self.transport.send(request.clone()).await?;
                let (head, body) = answer.into_parts();
                Ok::<_, Lost>((head, whole(body).await?))
            };
            match (answered.await, pauses.next()) {
                (Ok((head, body)), _) => return read(head.status, &body),
                (Err(lost), None) => return Err(unreachable(&lost)),
                (Err(_), Some(pause)) => tokio::time::sleep(*pause).await,
            }
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Request<Full<Bytes>>, Fault> {
        self.build(method, &format!("{BASE}{path}"), body, headers)
    }

    fn build(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let mut builder = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1");
        builder = builder.header(header::USER_AGENT, concat!("proofhouse/", env!("CARGO_PKG_VERSION")));
        if let Some(bearer) = &self.bearer {
            let value = HeaderValue::from_str(bearer);
            builder = builder.header(
                header::AUTHORIZATION,
                value.map_err(|_| Fault::new(Code::NoSession, "the token has characters that no token has"))?,
            );
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        if body.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        builder.body(Full::new(bytes)).map_err(|_| Fault::usage("a value cannot be sent as it is"))
    }
}

/// Why an answer could not be opened.
#[derive(Debug)]
pub enum OpenFailed {
    /// The way was lost; trying again may help.
    Lost(Lost),
    /// The plane said no; trying again does not help.
    Refused(Fault),
}

impl From<Lost> for OpenFailed {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<OpenFailed> for Fault {
    fn from(failed: OpenFailed) -> Self {
        match failed {
            OpenFailed::Lost(lost) => unreachable(&lost),
            OpenFailed::Refused(fault) => fault,
        }
    }
}

fn read(status: StatusCode, body: &[u8]) -> Result<Value, Fault> {
    if !status.is_success() {
        return Err(Fault::from_document(status.as_u16(), body));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|_| Fault::new(Code::Unreachable, "the answer is not JSON"))
        .doing("read the plane's answer")
}

/// The path with a query; names are ours, values are encoded.
pub fn with_query<V: AsRef<str>>(path: &str, query: &[(&str, V)]) -> String {
    let mut out = path.to_owned();
    for (name, value) in query {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(name);
        out.push('=');
        out.push_str(&encode(value.as_ref()));
    }
    out
}

/// Those of a query that were given.
pub fn given(query: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Vec<(&'static str, String)> {
    query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A text as one segment of a path or one value of a query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_value_holds_stays_one_value() {
        assert_eq!(with_query("/a", &[("q", "x y&z=ä"), ("r", "")]), "/a?q=x%20y%26z%3D%C3%A4&r=");
        assert_eq!(with_query("/a?b=1", &[("c", "../d")]), "/a?b=1&c=..%2Fd");
        assert_eq!(encode("../../x"), "..%2F..%2Fx");
    }
}

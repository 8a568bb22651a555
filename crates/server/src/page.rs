//! The web page, as it was built into `web/dist` and taken into this binary.
//!
//! A build without it works too: then the server's own plain page stands in its place and says how to
//! build the real one. A debug build reads the files anew for each request.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};

/// The files of `web/dist`; none of them need be there.
#[derive(rust_embed::Embed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Built;

/// A file of the page.
struct File {
    bytes: Cow<'static, [u8]>,
    /// Over what the build wrote, also when this is its compressed form.
    tag: String,
}

/// Where the page's files come from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Page {
    /// What was built into this binary, if anything was.
    #[default]
    Built,
    /// There is none, as in a build without it.
    Absent,
    /// These files, by path: what tests serve.
    Given(&'static [(&'static str, &'static str)]),
}

const INDEX: &str = "index.html";

impl Page {
    fn file(self, path: &str) -> Option<File> {
        match self {
            Self::Built => {
                let file = Built::get(path)?;
                Some(File { tag: hex::encode(&file.metadata.sha256_hash()[..16]), bytes: file.data })
            }
            Self::Absent => None,
            Self::Given(files) => files.iter().find(|(name, _)| *name == path).map(|(name, text)| File {
                bytes: Cow::Borrowed(text.as_bytes()),
                tag: format!("{name}-{}", text.len()),
            }),
        }
    }

    /// Whether there is a page at all.
    pub fn is_there(self) -> bool {
        self.file(INDEX).is_some()
    }

    /// The page's document: the answer to every address that is one of the page's own.
    pub fn document(self, headers: &HeaderMap) -> Option<Response> {
        self.answer(INDEX, headers)
    }

    /// What an address without a route of its own gets: a file of the page, or its document when a
    /// browser asks for a place in it. Everything under `/api` stays the API's.
    pub fn at(self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        let path = path.strip_prefix('/')?;
        if !(method == Method::GET || method == Method::HEAD) || path == "api" || path.starts_with("api/") {
            return None;
        }
        let found = self.answer(path, headers);
        // A missing script must not be answered with a document that is none.
        if found.is_some() || path.starts_with("assets/") || !wants_a_document(headers) {
            return found;
        }
        self.document(headers)
    }

    fn answer(self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let plain = self.file(path)?;
        let packed = accepts_brotli(headers).then(|| self.file(&format!("{path}.br"))).flatten();
        let mut response = Response::new(Body::empty());
        let set = response.headers_mut();
        set.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        // The names of built files change with their content; the document's does not.
        let keeps = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        set.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeps));
        let tag = format!("\"{}{}\"", plain.tag, if packed.is_some() { "-br" } else { "" });
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            set.insert(header::ETAG, tag);
        }
        if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        let bytes = match packed {
            Some(packed) => {
                set.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
                packed.bytes
            }
            None => plain.bytes,
        };
        *response.body_mut() = match bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        Some(response)
    }
}

/// Whether a browser navigates, as opposed to a program that calls an address which does not exist.
pub fn wants_a_document(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == "br" && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_is_sent_to_those_who_take_it() {
        let takes = |text: &'static str| {
            accepts_brotli(&[(header::ACCEPT_ENCODING, HeaderValue::from_static(text))].into_iter().collect())
        };
        assert!(takes("gzip, deflate, br, zstd") && takes("br;q=0.5"));
        assert!(!takes("gzip") && !takes("br;q=0") && !takes("brotli"));
    }
}

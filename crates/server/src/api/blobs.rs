//! Kept bytes as an answer, whole or in a range. What a run made is foreign content: it never runs as a
//! page of ours.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use model::{code::Code, digest::Digest, problem::Problem, proof::evidence::BlobState};
use store::Blobs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::ranges::{Part, part};
use crate::{
    app::App,
    problem::{Refusal, internal},
};

/// What is told of files that were hashed a moment ago, so that a reader of many ranges of one file
/// does not have the whole of it hashed for each.
#[derive(Debug, Clone, Default)]
pub struct Checked(Arc<Mutex<HashMap<Digest, (Marks, Instant)>>>);

/// A file that was not written to keeps these: the time of its last change cannot be set by a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Marks {
    fn of(meta: &Metadata) -> Self {
        Self { inode: meta.ino(), size: meta.size(), changed: (meta.ctime(), meta.ctime_nsec()) }
    }
}

/// How long a check holds for further ranges of the same file.
const HOLDS: Duration = Duration::from_secs(60);

/// As many files are remembered.
const MOST: usize = 256;

impl Checked {
    /// Opens a blob whose bytes are what was kept (F11).
    fn open(&self, blobs: &Blobs, digest: Digest, is_range: bool) -> Result<(File, u64), Problem> {
        let not_sound = || Problem::new(Code::EvidenceTampered, "the content is missing or is not what was kept");
        let file = blobs.read(&digest).map_err(|_| not_sound())?;
        let marks = |file: &File| file.metadata().map(|meta| Marks::of(&meta)).map_err(|_| not_sound());
        let before = marks(&file)?;
        if !(is_range && self.holds(&digest, before)) {
            match blobs.verify(&digest) {
                BlobState::Sound => {}
                BlobState::Missing | BlobState::Altered => return Err(not_sound()),
            }
            if marks(&file)? != before {
                return Err(not_sound());
            }
            self.note(digest, before);
        }
        Ok((file, before.size))
    }

    fn holds(&self, digest: &Digest, marks: Marks) -> bool {
        let checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checked.get(digest).is_some_and(|(known, at)| *known == marks && at.elapsed() < HOLDS)
    }

    fn note(&self, digest: Digest, marks: Marks) {
        let mut checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.len() >= MOST {
            checked.retain(|_, (_, at)| at.elapsed() < HOLDS);
            if checked.len() >= MOST {
                checked.clear();
            }
        }
        checked.insert(digest, (marks, Instant::now()));
    }
}

/// The bytes behind a digest as an answer, checked before the first of them is sent (F11).
pub(super) async fn blob(
    app: &App,
    digest: &Digest,
    media_type: &str,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let etag = format!("\"{digest}\"");
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), media_type, name, &etag);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let (file, size) = open(app, *digest, headers.contains_key(header::RANGE)).await?;
    let (first, last) = match part(headers, size, &etag) {
        Part::Whole => (0, size),
        Part::Bytes { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            (first, last + 1)
        }
        Part::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    file.seek(std::io::SeekFrom::Start(first)).await.map_err(|error| internal("read the content", &error))?;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(last - first));
    *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(file.take(last - first), 64 << 10));
    Ok(response)
}

async fn open(app: &App, digest: Digest, is_range: bool) -> Result<(File, u64), Refusal> {
    let (blobs, checked) = (app.engine.blobs().clone(), app.checked.clone());
    let opened = tokio::task::spawn_blocking(move || checked.open(&blobs, digest, is_range));
    Ok(opened.await.map_err(|error| internal("read the content", &error))??)
}

/// Types that a browser shows without running anything.
const SHOWN: [&str; 6] = ["text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "application/json"];

fn describe(headers: &mut HeaderMap, media_type: &str, name: &str, etag: &str) {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let fits = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    let essence = if fits && essence.len() <= 100 { essence } else { "application/octet-stream".to_owned() };
    let shown = SHOWN.contains(&essence.as_str());
    let charset = if essence.starts_with("text/") { "; charset=utf-8" } else { "" };
    set(headers, header::CONTENT_TYPE, &format!("{essence}{charset}"));
    let disposition = if shown { "inline" } else { "attachment" };
    set(headers, header::CONTENT_DISPOSITION, &format!("{disposition}; filename*=UTF-8''{}", file_name(name)));
    set(
        headers,
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    );
    set(headers, header::ETAG, etag);
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::CACHE_CONTROL, "private, no-cache");
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // All of these are ASCII that was made or checked here.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The last part of a name, percent-encoded, for a download.
fn file_name(name: &str) -> String {
    use std::fmt::Write as _;
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("artifact");
    let mut out = String::new();
    for byte in last.bytes().take(200) {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // S91: nothing that an agent made is run as a page.
    #[test]
    fn foreign_content_is_never_a_page_of_ours() {
        let headers = |kind: &str, name: &str| {
            let mut headers = HeaderMap::new();
            describe(&mut headers, kind, name, "\"e\"");
            let text = |name: header::HeaderName| headers[name].to_str().unwrap().to_owned();
            assert!(text(header::CONTENT_SECURITY_POLICY).starts_with("sandbox; default-src 'none'"));
            (text(header::CONTENT_TYPE), text(header::CONTENT_DISPOSITION))
        };
        for (kind, shown) in [
            ("text/html", false),
            ("image/svg+xml", false),
            ("application/xhtml+xml", false),
            ("text/plain; x=y", true),
            ("IMAGE/PNG", true),
        ] {
            assert_eq!(headers(kind, "a").1.starts_with("inline"), shown, "{kind}");
        }
        for wrong in ["", "text", "text/", "a b/c", "text/html\r\nx: y", "text/html, text/plain"] {
            assert_eq!(headers(wrong, "a").0, "application/octet-stream", "{wrong}");
        }
        assert!(headers("text/plain", "../../etc/a\"b\r\n.txt").1.ends_with("''a%22b%0D%0A.txt"));
        assert!(headers("text/plain", "//").1.ends_with("''artifact"));
    }

    // F11: a check holds for further ranges of the file as it was, and for no other file.
    #[test]
    fn a_range_of_a_file_that_was_written_to_is_checked_again() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let digest = blobs.put(&b"honest"[..]).unwrap().digest;
        let checked = Checked::default();
        assert_eq!(checked.open(&blobs, digest, true).unwrap().1, 6);
        let marks = Marks::of(&blobs.read(&digest).unwrap().metadata().unwrap());
        assert!(checked.holds(&digest, marks));
        let name = digest.to_string();
        let path = folder.path().join("blobs").join(&name[..2]).join(&name[2..]);
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&path, b"h0nest").unwrap();
        assert_eq!(checked.open(&blobs, digest, true).unwrap_err().code, Code::EvidenceTampered);
    }
}

//! The one redactor (X50, S86): what a process printed, a prompt, an error or a log line, with
//! every known secret replaced by `[redacted:NAME]`.
//!
//! A secret is found as it is, percent-encoded, base64-encoded at any offset, and escaped for
//! JSON; in a stream also when it is cut over chunks. Besides the known ones, secrets of well-known
//! shapes ([`shapes`]) and private-key blocks are found without being known. Values shorter than
//! [`SECRET_MIN`] are not looked for: replacing them would only damage text.

mod shapes;

use std::{borrow::Cow, ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use shapes::{Found, SHAPES};

use crate::environment::{inherited, secrets_in};

/// The shortest value that counts as a secret.
pub const SECRET_MIN: usize = 8;
/// The longest value that is looked for as a whole; of a longer one, its first part is.
const SECRET_MAX: usize = 8 << 10;
/// The longest private-key block.
const BLOCK_MAX: usize = 16 << 10;

const BLOCK_START: &str = "-----BEGIN ";
const BLOCK_NAME: &str = "PRIVATE KEY-----";
const BLOCK_END: &str = "-----END ";

/// Whether a variable of this name is taken for a secret (S86, L23).
pub fn looks_secret(name: &str) -> bool {
    const WORDS: &[&str] =
        &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "CREDENTIAL", "SSH", "AWS", "VAULT", "COOKIE"];
    let name = name.to_ascii_uppercase();
    // These hold places and choices, never a secret, and redacting them would spoil every path.
    const PLAIN: &[&str] = &["SSH_AUTH_SOCK", "SSH_AGENT_PID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"];
    !PLAIN.contains(&name.as_str()) && WORDS.iter().any(|word| name.contains(word))
}

/// A set of secrets, ready to be looked for.
#[derive(Debug)]
pub struct Redactor {
    finder: AhoCorasick,
    /// What each needle of the finder stands for; beyond them the shapes, then the block start.
    labels: Vec<String>,
    /// All needles in order, to tell what the end of a chunk may become.
    sorted: Vec<Vec<u8>>,
    /// Which bytes a needle can begin with.
    first: Box<[bool; 256]>,
    longest: usize,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(std::iter::empty::<(String, String)>())
    }
}

impl Redactor {
    /// A redactor for these named values, and for the known shapes.
    pub fn new<N: Into<String>, V: AsRef<str>>(secrets: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut needles: Vec<(Vec<u8>, String)> = Vec::new();
        for (name, value) in secrets {
            let name: String = name.into();
            for needle in spellings(value.as_ref().trim()) {
                if !needles.iter().any(|(known, _)| *known == needle) {
                    needles.push((needle, name.clone()));
                }
            }
        }
        Self::from_needles(needles).unwrap_or_else(|_| {
            // Too many or too large for one automaton. The known shapes always fit.
            Self::from_needles(Vec::new()).unwrap_or_else(|_| unreachable!("a dozen short needles build"))
        })
    }

    fn from_needles(secrets: Vec<(Vec<u8>, String)>) -> Result<Self, aho_corasick::BuildError> {
        let (mut needles, labels): (Vec<_>, Vec<_>) = secrets.into_iter().unzip();
        needles.extend(SHAPES.iter().map(|shape| shape.start.as_bytes().to_vec()));
        needles.push(BLOCK_START.as_bytes().to_vec());
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&needles)?;
        let mut first = Box::new([false; 256]);
        for needle in &needles {
            first[usize::from(needle[0])] = true;
        }
        let longest = needles.iter().map(Vec::len).max().unwrap_or(0);
        needles.sort();
        Ok(Self { finder, labels, sorted: needles, first, longest })
    }

    /// The one that knows no secret, only the shapes.
    pub fn of_shapes() -> Arc<Self> {
        static SHAPES_ONLY: std::sync::LazyLock<Arc<Redactor>> = std::sync::LazyLock::new(Arc::default);
        Arc::clone(&SHAPES_ONLY)
    }

    /// The one that knows what the environment of this process names as secret. Built once: building it for each
    /// command costs more than many a command.
    pub fn of_process() -> Arc<Self> {
        static OWN: std::sync::LazyLock<Arc<Redactor>> =
            std::sync::LazyLock::new(|| Arc::new(Redactor::new(secrets_in(&inherited()))));
        Arc::clone(&OWN)
    }

    /// The text without secrets.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text, true, false).0;
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        write_redacted(text, &found, &mut out);
        Cow::Owned(out)
    }

    /// A redactor for a text that comes in chunks.
    pub fn stream(self: &Arc<Self>) -> RedactStream {
        RedactStream { redactor: Arc::clone(self), held: String::new(), in_word: false }
    }

    /// The parts of `text` to replace, in order, apart from each other; and up to where the text
    /// can be given away when more may follow (`ended` false). `in_word` says that a letter or
    /// digit stood right before.
    fn find(&self, text: &str, ended: bool, in_word: bool) -> (Vec<(Range<usize>, String)>, usize) {
        let bytes = text.as_bytes();
        let mut found: Vec<Hit> = Vec::new();
        let mut safe = text.len();
        for hit in self.finder.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            if let Some(label) = self.labels.get(number) {
                found.push(Hit { known_from: hit.start(), range: hit.range(), label: label.clone() });
            } else if let Some(shape) = SHAPES.get(number - self.labels.len()) {
                let in_word = bytes[..hit.start()].last().map_or(in_word, u8::is_ascii_alphanumeric);
                if in_word && shape.needs_start() {
                    continue;
                }
                match shape.look(&bytes[hit.start()..], ended) {
                    Found::Open => safe = safe.min(hit.start()),
                    Found::Secret(at) => {
                        let range = hit.start() + at.start..hit.start() + at.end;
                        found.push(Hit { known_from: hit.start(), range, label: shape.label().to_owned() });
                    }
                    Found::Nothing => {}
                }
            } else {
                let block =
                    |end| Hit { known_from: hit.start(), range: hit.start()..end, label: "private key".to_owned() };
                let rest = &text[hit.start()..];
                let window = &rest.as_bytes()[..rest.len().min(BLOCK_MAX)];
                let head = &window[..window.len().min(64)];
                match position(head, BLOCK_NAME.as_bytes()) {
                    Some(name) => {
                        let close =
                            position(&window[name..], BLOCK_END.as_bytes()).map(|at| name + at + BLOCK_END.len());
                        let end = close.and_then(|from| position(&window[from..], b"-----").map(|at| from + at + 5));
                        match end {
                            Some(end) => found.push(block(hit.start() + end)),
                            None if ended || window.len() == BLOCK_MAX => {
                                found.push(block(text.floor_char_boundary(hit.start() + window.len())));
                            }
                            None => safe = safe.min(hit.start()),
                        }
                    }
                    None if !ended && head.len() < 64 => safe = safe.min(hit.start()),
                    None => {}
                }
            }
        }
        if !ended {
            safe = safe.min(self.open_end(text));
            // What a secret is known by is held back with it, or the rest of it would not be known for one.
            while let Some(cut) = found.iter().find(|hit| hit.known_from < safe && safe < hit.range.end) {
                safe = cut.known_from;
            }
        }
        found.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
        // Overlapping secrets are replaced whole.
        let mut merged: Vec<(Range<usize>, String)> = Vec::with_capacity(found.len());
        for Hit { range, label, .. } in found {
            match merged.last_mut() {
                Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push((range, label)),
            }
        }
        (merged, safe)
    }

    /// Where the longest end of `text` begins that a needle begins with.
    fn open_end(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        (from..bytes.len())
            .find(|&at| {
                self.first[usize::from(bytes[at])] && text.is_char_boundary(at) && {
                    let end = &bytes[at..];
                    let place = self.sorted.partition_point(|needle| needle.as_slice() < end);
                    self.sorted.get(place).is_some_and(|needle| needle.starts_with(end))
                }
            })
            .unwrap_or(bytes.len())
    }
}

/// A secret in a text.
struct Hit {
    /// Where begins what makes it known for one: its label, or itself.
    known_from: usize,
    range: Range<usize>,
    label: String,
}

/// A redactor in the middle of a text; see [`Redactor::stream`].
#[derive(Debug)]
pub struct RedactStream {
    redactor: Arc<Redactor>,
    /// The end of what came, while it may still become a secret. Bounded by the longest needle.
    held: String,
    /// Whether what was given away ends in a letter or digit.
    in_word: bool,
}

impl RedactStream {
    /// Takes a chunk and appends to `out` what is certain.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        self.held.push_str(chunk);
        let (found, safe) = self.redactor.find(&self.held, false, self.in_word);
        let found: Vec<_> = found.into_iter().filter(|(range, _)| range.end <= safe).collect();
        write_redacted(&self.held[..safe], &found, out);
        if let Some(last) = self.held.as_bytes()[..safe].last() {
            self.in_word = last.is_ascii_alphanumeric();
        }
        self.held.drain(..safe);
    }

    /// Ends the text and appends the rest.
    pub fn finish(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        let found = self.redactor.find(&held, true, self.in_word).0;
        write_redacted(&held, &found, out);
    }
}

fn write_redacted(text: &str, found: &[(Range<usize>, String)], out: &mut String) {
    let mut at = 0;
    for (range, label) in found {
        out.push_str(&text[at..range.start]);
        out.push_str("[redacted:");
        out.push_str(label);
        out.push(']');
        at = range.end;
    }
    out.push_str(&text[at..]);
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The ways a secret may be written.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let value = &value[..value.floor_char_boundary(SECRET_MAX)];
    if value.len() < SECRET_MIN {
        return Vec::new();
    }
    let mut spellings = vec![value.as_bytes().to_vec()];
    for hex in [&b"0123456789ABCDEF"[..], b"0123456789abcdef"] {
        spellings.push(percent_encoded(value.as_bytes(), hex));
    }
    if let Ok(json) = serde_json::to_string(value) {
        spellings.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(value.as_bytes());
        // The first and last characters also hold bits of what stands beside the secret.
        let (skip, drop) = ([0, 2, 3][offset], [0, 1, 1][shifted.len() % 3]);
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            if let Some(core) = text.as_bytes().get(skip..text.len() - drop).filter(|core| core.len() >= SECRET_MIN) {
                spellings.push(core.to_vec());
            }
        }
    }
    spellings
}

fn percent_encoded(bytes: &[u8], hex: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte);
        } else {
            out.extend([b'%', hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "p@ss/word+17=x";

    fn redactor() -> Arc<Redactor> {
        Arc::new(Redactor::new([("DB", SECRET), ("LONG", "abcdefgh1234"), ("OTHER", "1234wxyz9"), ("SHORT", "abc")]))
    }

    /// X50, S86: as it is, encoded, escaped.
    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let redactor = redactor();
        assert_eq!(redactor.redact(&format!("login {SECRET}!")), "login [redacted:DB]!");
        assert_eq!(redactor.redact("u=p%40ss%2Fword%2B17%3Dx&"), "u=[redacted:DB]&");
        assert_eq!(redactor.redact("u=p%40ss%2fword%2b17%3dx&"), "u=[redacted:DB]&");
        for before in ["", "u", "us", "user:"] {
            let encoded = STANDARD.encode(format!("{before}{SECRET} and more"));
            let shown = redactor.redact(&encoded).into_owned();
            assert!(shown.contains("[redacted:DB]"), "{before}: {shown}");
        }
        assert_eq!(redactor.redact("abc is too short"), "abc is too short");
    }

    /// S86: overlapping secrets are replaced whole.
    #[test]
    fn overlapping_secrets_leave_nothing() {
        assert_eq!(redactor().redact("<abcdefgh1234wxyz9>"), "<[redacted:LONG]>");
    }

    /// S86: keys that nobody told us.
    #[test]
    fn known_shapes_are_found() {
        let none = Redactor::default();
        let body = "0123456789abcdefghijABCDEFGHIJ012345";
        for key in [format!("ghp_{body}"), "AKIAIOSFODNN7EXAMPLE".to_owned(), format!("sk-{}-{body}", "ant")] {
            assert!(none.redact(&format!("key={key};")).starts_with("key=[redacted:"), "{key}");
        }
        for text in ["ghp_short", "notAKIAIOSFODNN7EXAMPLE", "task-ant-abcdefghijklmnop-qrst"] {
            assert_eq!(none.redact(text), text);
        }
        let pem = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(none.redact(pem), "a\n[redacted:private key]\nb");
        assert_eq!(
            none.redact("-----BEGIN CERTIFICATE-----\nM\n-----END CERTIFICATE-----"),
            "-----BEGIN CERTIFICATE-----\nM\n-----END CERTIFICATE-----"
        );
    }

    /// D21: what stands behind `Bearer`, before the `@` of a URL, and behind a name that says what it is.
    #[test]
    fn secrets_are_found_by_what_stands_beside_them() {
        let none = Redactor::default();
        for (text, shown) in [
            ("Authorization: Bearer abcDEF0123456789.x-y", "Authorization: Bearer [redacted:bearer value]"),
            ("-H 'authorization: bearer abcDEF0123456789=='", "-H 'authorization: bearer [redacted:bearer value]'"),
            ("Basic dXNlcjpwYXNzd29yZDE=", "Basic [redacted:bearer value]"),
            ("postgres://ann:hunter2@db/x", "postgres://ann:[redacted:password]@db/x"),
            ("https://0123456789abcdef0123@git.example", "https://[redacted:password]@git.example"),
            (r#""api_key": "abcdefgh12345678""#, r#""api_key": "[redacted:labelled secret]""#),
            (r#"{\"clientSecret\":\"abcdefgh12345678\"}"#, r#"{\"clientSecret\":\"[redacted:labelled secret]\"}"#),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[redacted:labelled secret]"),
            ("key gsk_0123456789abcdefghij0123456789x", "key [redacted:api key]"),
        ] {
            assert_eq!(none.redact(text), shown);
        }
        for text in [
            "Bearer authentication is used",
            "the bearer of-this-very-long-title",
            "http://localhost:8080/a@b",
            "https://user@example.com",
            "postgres://ann:${PASSWORD}@db",
            "see https://example.com:443/ or mail a@b.c",
            "password = read_password_2(terminal)",
            "let secret: SecretOfTheHouse01 = x",
            "secret_name: \"short1\"",
            "commit 0123456789abcdef0123456789abcdef01234567",
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(none.redact(text), text);
        }
    }

    /// L23: the names.
    #[test]
    fn secret_names() {
        assert!(looks_secret("GITHUB_TOKEN") && looks_secret("db_password") && looks_secret("OPENAI_API_KEY"));
        assert!(!looks_secret("PATH") && !looks_secret("SSH_AUTH_SOCK") && !looks_secret("HOME"));
    }

    fn streamed(redactor: &Arc<Redactor>, text: &str, cuts: &[usize]) -> String {
        let (mut stream, mut out, mut rest) = (redactor.stream(), String::new(), text);
        for &cut in cuts {
            let at = rest.floor_char_boundary(cut.min(rest.len()));
            stream.push(&rest[..at], &mut out);
            rest = &rest[at..];
        }
        stream.push(rest, &mut out);
        stream.finish(&mut out);
        out
    }

    /// What a reader has not seen yet is only what may still become a secret.
    #[test]
    fn plain_text_is_not_held_back() {
        let (mut stream, mut out) = (redactor().stream(), String::new());
        stream.push("running 3 tests\n", &mut out);
        assert_eq!(out, "running 3 tests\n");
    }

    proptest! {
        /// S86: a secret split over chunk borders is found all the same.
        #[test]
        fn cutting_changes_nothing(parts in proptest::collection::vec(prop_oneof![
            Just(SECRET), Just("abcdefgh1234"), Just("1234wxyz9"), Just("abcdefgh"), Just("1234"), Just("p@ss"), Just("é\n"),
            Just("ghp_0123456789abcdefghijABCDEFGHIJ012345"), Just("ghp_"), Just(" "), Just("-----BEGIN "), Just("RSA PRIVATE KEY-----\n"), Just("-----END RSA PRIVATE KEY-----"),
            Just("Bearer "), Just("://"), Just("u:"), Just("@"), Just("password"), Just("=\""), Just("\": \""), Just("abcdefghij0123456789")
        ], 0..12), cuts in proptest::collection::vec(0usize..20, 0..30)) {
            let text: String = parts.concat();
            let redactor = redactor();
            prop_assert_eq!(streamed(&redactor, &text, &cuts), redactor.redact(&text).into_owned());
        }
    }
}

//! What all parsers do to foreign text: make it harmless, bound it, walk its lines.

use std::{borrow::Cow, fmt::Write as _};

use model::proof::results::{MESSAGE_BYTES, ParserKind, ResultsProblem, cut};

/// The longest name kept. It is more than a rule's name may have, so that a cut name equals none.
const NAME_BYTES: usize = 1024;

/// A name as it is kept: one line, no control characters, bounded.
pub(super) fn name(text: &str) -> String {
    let text = text.trim();
    let short = cut(text, NAME_BYTES);
    let mut out: String = short.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if short.len() < text.len() {
        out.push('…');
    }
    out
}

/// Appends to a message, up to what is kept of one.
pub(super) fn extend(message: &mut String, text: &str) {
    let room = MESSAGE_BYTES.saturating_sub(message.len());
    if room > 0 {
        message.push_str(cut(text, room));
    }
}

/// A message as it is kept: no escape sequences, no control characters but line feed and tab.
pub(super) fn message(text: &str) -> String {
    // Bounded before the walk: sequences are short, and more than this is dropped anyway.
    let text = cut(text, 4 * MESSAGE_BYTES);
    let mut out = String::with_capacity(text.len().min(MESSAGE_BYTES));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while let Some(c) = chars.peek().copied().filter(|c| (' '..='~').contains(c)) {
                    chars.next();
                    if c >= '@' {
                        break;
                    }
                }
            }
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// A number of seconds as milliseconds; none for what no test can take.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let plain: Cow<'_, str> = if text.contains(',') { text.replace(',', "").into() } else { text.into() };
    millis(plain.parse::<f64>().ok()? * 1000.0)
}

/// A number of milliseconds; none for what no test can take.
pub(super) fn millis(value: f64) -> Option<u64> {
    const MOST: f64 = 365.0 * 24.0 * 3_600_000.0;
    (value.is_finite() && (0.0..=MOST).contains(&value)).then(|| value.round() as u64)
}

/// A path as the tool wrote it, relative to `root` where it lies in it. Nothing outside keeps its
/// folders: where the machine keeps things is nobody's business (P74).
pub(super) fn path(text: &str, root: &str) -> String {
    let text = text.strip_prefix("file://").unwrap_or(text);
    if !text.starts_with('/') {
        return name(text.strip_prefix("./").unwrap_or(text));
    }
    let root = root.trim_end_matches('/');
    match text.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
        Some(inside) if !root.is_empty() => name(inside),
        _ => name(text.rsplit('/').next().unwrap_or(text)),
    }
}

/// A piece of captured text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line without its end.
    Line {
        /// The text.
        text: &'a str,
        /// Where it begins.
        at: usize,
        /// Whether a line feed ends it.
        ended: bool,
    },
    /// Something was left out here, lines beside it included that may not be whole.
    Cut,
}

/// The lines of a text. In one that was cut, every line that looks like the marker of a cut is one:
/// taking a printed look-alike for a cut costs a proof, the opposite would make one up.
pub(super) fn pieces(text: &str, is_cut: bool) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut after_cut = false;
    while at < text.len() && is_cut {
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        if is_marker(&text[at..end]) {
            lines(text, start, at.saturating_sub(1).max(start), after_cut, true, &mut out);
            out.push(Piece::Cut);
            start = (end + 1).min(text.len());
            after_cut = true;
        }
        at = end + 1;
    }
    lines(text, start, text.len(), after_cut, false, &mut out);
    out
}

/// Whether the bytes hold the marker of a cut.
pub(super) fn is_cut(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"[... ")).any(|line| {
        let line = std::str::from_utf8(line);
        line.is_ok_and(is_marker)
    })
}

fn is_marker(line: &str) -> bool {
    let Some(inner) = line.strip_prefix("[... ").and_then(|line| line.trim_end().strip_suffix(" ...]")) else {
        return false;
    };
    inner.ends_with(" bytes left out") || inner.starts_with("killed: ")
}

fn lines<'a>(text: &'a str, start: usize, end: usize, skip_first: bool, drop_open: bool, out: &mut Vec<Piece<'a>>) {
    let mut at = start;
    let mut skip = skip_first;
    while at < end {
        let (stop, ended) = text[at..end].find('\n').map_or((end, false), |n| (at + n, true));
        if !skip && (ended || !drop_open) {
            let line = &text[at..stop];
            out.push(Piece::Line { text: line.strip_suffix('\r').unwrap_or(line), at, ended });
        }
        skip = false;
        at = stop + 1;
    }
}

/// `1 test`, `2 tests`.
pub(super) fn many(n: u64, what: &str) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "{n} {what}{}", if n == 1 { "" } else { "s" });
    out
}

/// What serde says about a document, with the byte at which it stopped.
pub(super) fn json(parser: ParserKind, bytes: &[u8], error: &serde_json::Error) -> ResultsProblem {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let at = before.map(<[u8]>::len).sum::<usize>() + error.column();
    super::malformed(parser, at.min(bytes.len()), name(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, cut: bool) -> Vec<&str> {
        let pieces = pieces(text, cut).into_iter();
        pieces
            .map(|piece| match piece {
                Piece::Line { text, .. } => text,
                Piece::Cut => "<cut>",
            })
            .collect()
    }

    /// P34: lines beside a cut are not whole and are not read.
    #[test]
    fn partial_lines_beside_a_cut_are_dropped() {
        let text = "a\nok 2 - b # SK\n[... 12 bytes left out ...]\nP\nok 3\r\n";
        assert_eq!(texts(text, true), ["a", "<cut>", "ok 3"]);
        assert_eq!(texts(text, false).len(), 5);
        assert_eq!(texts("a\n\n[... 1 bytes left out ...]\n\nb\n", true), ["a", "<cut>", "b"]);
        assert!(is_cut(text.as_bytes()) && !is_cut(b"a\n[... and more ...]\n\xff\n"));
        assert_eq!(texts("[... 1 bytes left out ...]\n", true), ["<cut>"]);
    }

    #[test]
    fn names_and_messages_are_harmless() {
        // P10
        assert_eq!(name(" a\u{1b}[1mb\0 "), "a\u{fffd}[1mb\u{fffd}");
        assert!(name(&"é".repeat(2000)).len() > 512);
        assert_eq!(message("\u{1b}[31mred\u{1b}[0m\r\nnext\u{7}"), "red\nnext\u{fffd}");
    }

    #[test]
    fn paths_do_not_name_the_machine() {
        // P74
        assert_eq!(path("/home/x/repo/tests/a.js", "/home/x/repo"), "tests/a.js");
        assert_eq!(path("/home/x/repo2/tests/a.js", "/home/x/repo"), "a.js");
        assert_eq!(path("/home/x/a.js", ""), "a.js");
        assert_eq!(path("./a/b.js", ""), "a/b.js");
    }

    #[test]
    fn times_are_sane() {
        assert_eq!(seconds("1,234.5"), Some(1_234_500));
        for odd in ["", "-1", "NaN", "inf", "1e300", "x"] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }
}

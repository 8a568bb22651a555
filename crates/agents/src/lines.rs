//! Lines out of a text that comes in pieces, in bounded memory (S78).

use std::ops::Range;

use model::limits;

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// Where it stands in the output, its line feed included.
    pub(crate) raw: Range<u64>,
    /// It was longer than is read; the rest is left out.
    pub(crate) is_cut: bool,
}

/// A reader of lines.
#[derive(Debug)]
pub(crate) struct Lines {
    held: String,
    start: u64,
    at: u64,
    is_cut: bool,
    max: usize,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self::up_to(limits::AGENT_LINE)
    }

    fn up_to(max: usize) -> Self {
        Self { held: String::new(), start: 0, at: 0, is_cut: false, max }
    }

    /// Takes a piece; hands out each line that it ends.
    pub(crate) fn push(&mut self, piece: &str, mut each: impl FnMut(Line)) {
        let mut rest = piece;
        while let Some(end) = rest.find('\n') {
            self.hold(&rest[..end]);
            self.at += end as u64 + 1;
            each(self.line());
            rest = &rest[end + 1..];
        }
        self.hold(rest);
        self.at += rest.len() as u64;
    }

    /// How much was taken.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// What stands behind the last line feed, if anything does.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        (self.at > self.start).then(|| self.line())
    }

    fn hold(&mut self, text: &str) {
        if self.is_cut {
            return;
        }
        let room = self.max - self.held.len();
        if text.len() > room {
            self.is_cut = true;
            self.held.push_str(&text[..text.floor_char_boundary(room)]);
        } else {
            self.held.push_str(text);
        }
    }

    fn line(&mut self) -> Line {
        let raw = self.start..self.at;
        self.start = self.at;
        Line { text: std::mem::take(&mut self.held), raw, is_cut: std::mem::take(&mut self.is_cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(max: usize, pieces: &[&str]) -> Vec<(String, Range<u64>, bool)> {
        let (mut lines, mut found) = (Lines::up_to(max), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| found.push(line));
        }
        found.extend(lines.finish());
        found.into_iter().map(|line| (line.text, line.raw, line.is_cut)).collect()
    }

    // S74: each line has its byte range, and the ranges cover the output without a hole.
    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let expected =
            [("ab".to_owned(), 0..3, false), (String::new(), 3..4, false), ("cé".to_owned(), 4..7, false)].to_vec();
        for pieces in [&["ab\n\ncé"][..], &["a", "b", "\n", "\n", "c", "é"], &["ab\n", "\ncé"]] {
            assert_eq!(read(100, pieces), expected);
        }
        assert_eq!(read(100, &["a\n"]), [("a".to_owned(), 0..2, false)]);
        assert!(read(100, &[]).is_empty());
    }

    // S78: a line that is too long is cut, on a character, and the next one is read again.
    #[test]
    fn a_long_line_is_cut_and_the_next_is_not() {
        let found = read(4, &["abcé", "fgh\nok\n"]);
        assert_eq!(found, [("abc".to_owned(), 0..9, true), ("ok".to_owned(), 9..12, false)]);
    }
}

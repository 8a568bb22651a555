//! Aligned columns: as wide as their widest cell, the last one cut to the terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::out::{Out, Tone, clean};

/// A cell: a text in a tone.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    tone: Tone,
}

/// A cell in a tone; the text is made clean.
pub fn cell(tone: Tone, text: impl AsRef<str>) -> Cell {
    Cell { text: clean(text.as_ref()).into_owned(), tone }
}

/// A plain cell.
pub fn plain(text: impl AsRef<str>) -> Cell {
    cell(Tone::Plain, text)
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it.
    pub fn print(&self, out: &Out) {
        for line in self.lines(out, terminal_width()) {
            out.line(line);
        }
    }

    /// Its lines for a terminal of `width` columns; without a terminal nothing is cut.
    pub fn lines(&self, out: &Out, width: Option<usize>) -> Vec<String> {
        let headings = self.headings.iter().map(|heading| cell(Tone::Dim, heading)).collect();
        let mut rows = vec![headings];
        rows.extend(self.rows.iter().cloned());
        let columns = self.headings.len();
        let widths: Vec<usize> = (0..columns)
            .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width()).max().unwrap_or(0))
            .collect();
        let before_last: usize = widths.iter().take(columns.saturating_sub(1)).map(|width| width + 2).sum();
        let room = width.map(|width| width.saturating_sub(before_last).max(16));
        rows.iter()
            .map(|row| {
                let mut line = String::new();
                for (at, cell) in row.iter().enumerate() {
                    let is_last = at + 1 == columns;
                    let text = match room {
                        Some(room) if is_last => cut(&cell.text, room),
                        _ => cell.text.clone(),
                    };
                    let gap = if is_last { 0 } else { widths[at] + 2 - text.width() };
                    line.push_str(&out.paint(cell.tone, &text));
                    line.push_str(&" ".repeat(gap));
                }
                line.trim_end().to_owned()
            })
            .collect()
    }
}

/// The text cut to `width` columns, with a mark where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// The text filled up with spaces to `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    let gap = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(gap))
}

/// The terminal's columns, where standard output is one.
pub fn terminal_width() -> Option<usize> {
    use std::{io::IsTerminal as _, mem::MaybeUninit, os::fd::AsRawFd as _};
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ writes one `winsize` to the given address and nothing else; all-zero bytes
    // are a valid `winsize`, whatever the call returns.
    let columns = unsafe {
        libc::ioctl(stdout.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr());
        size.assume_init().ws_col
    };
    (columns > 0).then_some(usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_letters() {
        let mut table = Table::new(&["ID", "TITLE", "WHEN"]);
        table.row([plain("REQ-0001"), plain("日本語"), plain("now")]);
        table.row([plain("REQ-12345"), plain("plain\x1b[31m"), plain("2 h ago")]);
        assert_eq!(
            table.lines(&Out::plain(), None),
            ["ID         TITLE   WHEN", "REQ-0001   日本語  now", "REQ-12345  plain   2 h ago"]
        );
    }

    #[test]
    fn only_the_last_column_is_cut() {
        let mut table = Table::new(&["ID", "TITLE"]);
        table.row([plain("a"), plain("x".repeat(40))]);
        let lines = table.lines(&Out::plain(), Some(24));
        assert_eq!(lines[1], format!("a   {}…", "x".repeat(19)));
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(pad("日", 4), "日  ");
    }
}

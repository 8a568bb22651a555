//! What is written to the terminal: clean text, colour only where it is wanted, and a standard
//! output that may be closed at any moment (`proofhouse log RUN | head`).
//!
//! Texts that come from repositories, tests and other people are data: [`clean`] takes the control
//! sequences out of them before a terminal could act on them.

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use crate::env;

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where and how a verb writes.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// Whether answers are printed as JSON.
    pub json: bool,
    /// Whether standard output takes live, moving lines.
    pub live: bool,
    /// Whether the terminal shows plain letters only.
    pub plain: bool,
    colour: bool,
}

/// A tone of text. Colour never carries a meaning that the words do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As the terminal shows it.
    Plain,
    /// Headings, names.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Good,
    /// Bad.
    Bad,
    /// Neither: unproven, warned, waived.
    Unsure,
    /// Going on.
    Busy,
}

static STDOUT_GONE: AtomicBool = AtomicBool::new(false);

/// Whether the reader of standard output has gone away.
pub fn gone() -> bool {
    STDOUT_GONE.load(Ordering::Relaxed)
}

impl Out {
    /// Looks at the terminal and at what was asked for.
    pub fn new(json: bool, colour: Colour) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = env::TERMINAL.text().is_some_and(|term| term == "dumb");
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !dumb && env::NO_COLOR.value().is_none(),
        };
        Self { json, live: terminal && !dumb && !json, colour: colour && !json, plain: dumb }
    }

    /// Writes a line to standard output.
    pub fn line(&self, text: impl fmt::Display) {
        if gone() {
            return;
        }
        let mut stdout = io::stdout().lock();
        if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
            // Nobody reads on: what is left to say is not an error.
            STDOUT_GONE.store(true, Ordering::Relaxed);
        }
    }

    /// Writes bytes to standard output as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        if !gone() && io::stdout().lock().write_all(bytes).is_err() {
            STDOUT_GONE.store(true, Ordering::Relaxed);
        }
    }

    /// Writes a remark to standard error, apart from the answer.
    pub fn remark(&self, text: impl fmt::Display) {
        // A closed standard error leaves nowhere to complain.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes an answer of the API as it is: pretty on a terminal's side of `--json`.
    pub fn document(&self, value: &Value) {
        // A `Value` always has a JSON text.
        self.line(serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// The text in a tone.
    pub fn paint(&self, tone: Tone, text: impl fmt::Display) -> String {
        let code = match tone {
            _ if !self.colour => return text.to_string(),
            Tone::Plain => return text.to_string(),
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Unsure => "33",
            Tone::Busy => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A dim text.
    pub fn dim(&self, text: impl fmt::Display) -> String {
        self.paint(Tone::Dim, text)
    }

    /// A bold text.
    pub fn bold(&self, text: impl fmt::Display) -> String {
        self.paint(Tone::Bold, text)
    }
}

#[cfg(test)]
impl Out {
    /// For tests of renderings: no colour, no terminal.
    pub const fn plain() -> Self {
        Self { json: false, live: false, colour: false, plain: true }
    }
}

/// The text without anything a terminal would act on: control characters become spaces or go.
pub fn clean(text: &str) -> Cow<'_, str> {
    let acts = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\t' | '\n' | '\r' => out.push(' '),
            c if acts(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out.trim_end().to_owned())
}

/// Skips what follows an escape character: a CSI sequence, an OSC text, or one character.
fn skip_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
        }
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {
            chars.next();
        }
    }
}

/// A text of several lines, each made clean.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    // P10: titles and output are data, for a terminal too.
    #[test]
    fn a_terminal_never_acts_on_foreign_text() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]8;;http://x\x1b\\b", "ab"),
            ("\x1b[2J\x1b[Hgone", "gone"),
            ("one\ttwo\r\n", "one two"),
            ("bell\x07 back\x08", "bell back"),
            ("trick\u{202e}gpj.exe", "trickgpj.exe"),
            ("cut \x1b[", "cut"),
            ("cut \x1b", "cut"),
            ("Größe 日本", "Größe 日本"),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
        }
    }

    #[test]
    fn no_colour_means_none() {
        let out = Out::plain();
        assert_eq!(out.paint(Tone::Bad, "x"), "x");
        let loud = Out { colour: true, ..out };
        assert_eq!(loud.paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(loud.paint(Tone::Plain, "x"), "x");
    }
}

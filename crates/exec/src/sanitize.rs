//! Turns whatever bytes a process printed into text that is safe to store and to show: valid
//! UTF-8, no escape sequence, no control byte, no text-direction trick.
//!
//! It works on chunks of any size, cut anywhere, in constant memory, and never fails. It does not
//! look for secrets; [`crate::redact`] does, on what comes out of here.

/// The longest escape sequence that is swallowed before it is taken for hostile and ended.
const SEQUENCE_MAX: u16 = 4096;

/// Where the decoder stands between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// After a carriage return: a line feed that follows belongs to it.
    Return,
    /// After ESC.
    Escape,
    /// In `ESC (` and its like: one more character.
    EscapeOne,
    /// In `ESC [ ... final`.
    Control(u16),
    /// In a string sequence (OSC, DCS, APC, PM, SOS), which ends with BEL or ST.
    Text7(u16),
    /// In a string sequence, after ESC.
    Text7Escape(u16),
}

/// A streaming decoder; see the module.
#[derive(Debug)]
pub(crate) struct Sanitizer {
    /// The start of a character whose end has not come yet.
    cut: Vec<u8>,
    state: State,
}

impl Sanitizer {
    pub(crate) fn new() -> Self {
        Self { cut: Vec::with_capacity(4), state: State::Text }
    }

    /// Decodes a chunk and appends the harmless text to `out`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut String) {
        // Complete a character that was cut, byte by byte: at most three of them.
        while !self.cut.is_empty() {
            let Some((&next, rest)) = bytes.split_first() else { return };
            let mut candidate = self.cut.clone();
            candidate.push(next);
            match std::str::from_utf8(&candidate) {
                Ok(text) => {
                    let character = text.chars().next();
                    self.cut.clear();
                    bytes = rest;
                    if let Some(character) = character {
                        self.character(character, out);
                    }
                }
                Err(error) if error.error_len().is_none() => {
                    self.cut = candidate;
                    bytes = rest;
                }
                Err(_) => {
                    self.cut.clear();
                    self.character(char::REPLACEMENT_CHARACTER, out);
                }
            }
        }
        while !bytes.is_empty() {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    self.text(text, out);
                    return;
                }
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    if let Ok(text) = std::str::from_utf8(valid) {
                        self.text(text, out);
                    }
                    match error.error_len() {
                        Some(length) => {
                            self.character(char::REPLACEMENT_CHARACTER, out);
                            bytes = &rest[length..];
                        }
                        None => {
                            self.cut = rest.to_vec();
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Ends the stream: a cut character becomes a replacement character.
    pub(crate) fn finish(&mut self, out: &mut String) {
        if !self.cut.is_empty() {
            self.cut.clear();
            self.character(char::REPLACEMENT_CHARACTER, out);
        }
        if self.state == State::Return {
            out.push('\n');
        }
        self.state = State::Text;
    }

    fn text(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.state == State::Text {
                // Most output is plain: copy it in runs.
                let plain = rest.bytes().take_while(|&byte| is_plain(byte)).count();
                if plain > 0 {
                    out.push_str(&rest[..plain]);
                    rest = &rest[plain..];
                    continue;
                }
            }
            let Some(character) = rest.chars().next() else { return };
            rest = &rest[character.len_utf8()..];
            self.character(character, out);
        }
    }

    fn character(&mut self, character: char, out: &mut String) {
        use State as S;
        self.state = match (self.state, character) {
            (S::Return, '\n') => {
                out.push('\n');
                S::Text
            }
            (S::Return, '\r') => S::Return,
            (S::Return, other) => {
                // A lone return redraws a line; as text it starts a new one.
                out.push('\n');
                self.state = S::Text;
                return self.character(other, out);
            }
            (S::Text, '\u{1b}') => S::Escape,
            (S::Text, '\u{9b}') => S::Control(0),
            (S::Text, '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => S::Text7(0),
            (S::Text, '\r') => S::Return,
            (S::Text, other) => {
                out.push(harmless(other));
                S::Text
            }
            (S::Escape, '[') => S::Control(0),
            (S::Escape, ']' | 'P' | 'X' | '^' | '_') => S::Text7(0),
            (S::Escape, ' '..='/') => S::EscapeOne,
            (S::Escape, '0'..='~') => S::Text,
            (S::EscapeOne, ' '..='~') => S::Text,
            (S::Control(length), ' '..='?') if length < SEQUENCE_MAX => S::Control(length + 1),
            (S::Control(_), '@'..='~') => S::Text,
            (S::Text7(_), '\u{7}' | '\u{9c}') => S::Text,
            (S::Text7(length), '\u{1b}') => S::Text7Escape(length),
            // A line feed ends a string sequence: one that is never closed must not hide the rest.
            (S::Text7(length), other) if other != '\n' && length < SEQUENCE_MAX => S::Text7(length + 1),
            (S::Text7Escape(_), '\\') => S::Text,
            // Not its end: it was cut, and another sequence begins.
            (S::Text7Escape(_), other) => {
                self.state = S::Escape;
                return self.character(other, out);
            }
            // Anything else was no sequence after all; what it is made of counts as text again.
            (_, other) => {
                self.state = S::Text;
                return self.character(other, out);
            }
        };
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

/// What stands for a character that could do something rather than show something.
fn harmless(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        // The control pictures block shows each of them as a letter pair.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        // Text-direction controls reorder what a reader sees.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}' => {
            char::REPLACEMENT_CHARACTER
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> String {
        let (mut sanitizer, mut out) = (Sanitizer::new(), String::new());
        sanitizer.push(bytes, &mut out);
        sanitizer.finish(&mut out);
        out
    }

    /// P34: escape sequences are gone, control bytes are shown, the text stays.
    #[test]
    fn control_sequences_are_neutralised() {
        for (given, expected) in [
            (&b"plain\ttext\n"[..], "plain\ttext\n"),
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1b]never closed\nstill shown", "\nstill shown"),
            (b"\x1bP1$r\x1b\\x", "x"),
            (b"a\r\nb", "a\nb"),
            (b"10%\r20%\rdone", "10%\n20%\ndone"),
            (b"nul\0bel\x07del\x7f", "nul\u{2400}bel\u{2407}del\u{2421}"),
            (b"\xff\xfe ok", "\u{fffd}\u{fffd} ok"),
            ("\u{9b}31mred".as_bytes(), "red"),
            ("abc\u{202e}def".as_bytes(), "abc\u{fffd}def"),
            (b"\x1b(Bx", "x"),
            (b"\x1b", ""),
            (b"tail\xe2\x82", "tail\u{fffd}"),
        ] {
            assert_eq!(whole(given), expected, "{given:?}");
        }
    }

    proptest! {
        /// P34: however the stream is cut, the text is the same, and it is harmless.
        #[test]
        fn cutting_changes_nothing(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b']'), Just(0xe2), Just(0x82), Just(b'\r')], 0..200), cut in 1usize..7) {
            let (mut sanitizer, mut out) = (Sanitizer::new(), String::new());
            for chunk in bytes.chunks(cut) {
                sanitizer.push(chunk, &mut out);
            }
            sanitizer.finish(&mut out);
            prop_assert_eq!(&out, &whole(&bytes));
            prop_assert!(!out.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}

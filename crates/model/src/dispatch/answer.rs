//! From what an agent wrote to what it meant (D40).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::{Entry, read_entries};

/// Characters of the answer that stand in the failure.
const SHOWN: usize = 240;

/// What an agent handed in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its files, in its order.
    pub entries: Vec<Entry>,
    /// What it did and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How to check it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_instructions: Option<String>,
    /// What may go wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<Value>,
    /// Work that is left (D49).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followups: Vec<Value>,
    /// Whatever else it said; kept, not understood.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

/// An answer that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{missing}; the answer begins: {start}")]
pub struct Invalid {
    /// What is missing or wrong.
    pub missing: String,
    /// The first characters of what was said, in one line.
    pub start: String,
}

impl Answer {
    /// Reads the answer of an agent whose role hands in files.
    ///
    /// # Errors
    /// What is missing, with the beginning of the text.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let plain = without_escapes(text);
        let invalid = |missing: &str| Invalid { missing: missing.to_owned(), start: beginning(&plain) };
        let mut fields = find(&plain).ok_or_else(|| invalid("there is no JSON object in it"))?;
        let Some(Value::Array(files)) = fields.shift_remove("files") else {
            return Err(invalid("the object has no list `files`"));
        };
        let mut text = |name: &str| match fields.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(&format!("`{name}` is no text"))),
        };
        let (summary, test_instructions) = (text("summary")?, text("test_instructions")?);
        let mut list = |name: &str| match fields.shift_remove(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(invalid(&format!("`{name}` is no list"))),
        };
        let (risks, followups) = (list("risks")?, list("followups")?);
        Ok(Self { entries: read_entries(&files), summary, test_instructions, risks, followups, more: fields })
    }
}

/// The whole text, else the last fenced block, else what stands between the outermost braces.
fn find(text: &str) -> Option<Map<String, Value>> {
    let object = |text: &str| match serde_json::from_str(text.trim()) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    let between = || {
        let (from, to) = (text.find('{')?, text.rfind('}')?);
        object(text.get(from..=to)?)
    };
    object(text).or_else(|| blocks(text).into_iter().rev().find_map(object)).or_else(between)
}

/// The fenced blocks of a Markdown text.
fn blocks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim();
        let ticks = trimmed.bytes().take_while(|byte| *byte == b'`').count();
        match open {
            None if ticks >= 3 => open = Some((at, ticks)),
            Some((from, by)) if ticks >= by && trimmed.len() == ticks => {
                found.push(&text[from..start]);
                open = None;
            }
            _ => {}
        }
    }
    found
}

/// The text without what terminals take as commands: CSI, OSC and their kin, and lone control characters.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // Parameters, then one final character.
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // A text, until BEL or ESC \.
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '#' | '%') => drop(rest.next()),
                _ => {}
            },
            '\u{9b}' => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            c if c.is_control() && !matches!(c, '\n' | '\r' | '\t') => {}
            c => out.push(c),
        }
    }
    out
}

/// The first characters as one line.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn paths(text: &str) -> Result<Vec<String>, String> {
        Answer::read(text)
            .map(|answer| answer.entries.iter().map(|entry| entry.path().to_owned()).collect())
            .map_err(|invalid| invalid.missing)
    }

    // D40: the whole text, else the last fenced block that is an object, else from the first to the last brace.
    #[test]
    fn the_answer_is_found_where_it_stands() {
        let one = |path: &str| json!({"files": [path]}).to_string();
        let fenced = |path: &str| format!("```json\n{}\n```\n", one(path));
        let table = [
            (one("a"), "a"),
            (format!("\n  {}\n", one("a")), "a"),
            (format!("Here you are:\n{}Bye.", fenced("a")), "a"),
            (format!("{}then\n{}", fenced("a"), fenced("b")), "b"),
            (format!("{}```\nnot json\n```\n```json\n[1]\n```", fenced("a")), "a"),
            (format!("text {} text", one("a")), "a"),
            (format!("````\n{}\n````", one("a")), "a"),
            (format!("\u{1b}[32m{}\u{1b}[0m", one("a")), "a"),
            (format!("\u{1b}]0;title\u{7}{}", one("a")), "a"),
            (format!("```json\r\n{}\r\n```\r\n", one("a")), "a"),
            (json!({"files": ["a"], "note": "```\n{\"files\": [\"b\"]}\n```"}).to_string(), "a"),
        ];
        for (text, path) in table {
            assert_eq!(paths(&text), Ok(vec![path.to_owned()]), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, missing) in [
            ("", "there is no JSON object in it"),
            ("I did it!", "there is no JSON object in it"),
            ("{\"files\": [", "there is no JSON object in it"),
            ("{}", "the object has no list `files`"),
            ("{\"files\": {}}", "the object has no list `files`"),
            ("{\"files\": [], \"summary\": 3}", "`summary` is no text"),
            ("{\"files\": [], \"test_instructions\": []}", "`test_instructions` is no text"),
            ("{\"files\": [], \"risks\": \"none\"}", "`risks` is no list"),
            ("{\"files\": [], \"followups\": {}}", "`followups` is no list"),
        ] {
            assert_eq!(paths(text), Err(missing.to_owned()), "{text}");
        }
        let long = Answer::read(&"line\nbreak ".repeat(100)).unwrap_err();
        assert_eq!((long.start.chars().count(), long.start.contains('\n')), (240, false));
    }

    #[test]
    fn unknown_keys_are_kept() {
        let answer = Answer::read(r#"{"b": 1, "files": [], "summary": "s", "risks": ["r"], "a": null}"#).unwrap();
        assert_eq!(Value::Object(answer.more.clone()), json!({"b": 1, "a": null}));
        assert_eq!((answer.summary.as_deref(), answer.risks.len()), (Some("s"), 1));
        let stored = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&stored).unwrap(), answer);
    }

    proptest! {
        /// F24: any text is an answer or none.
        #[test]
        fn any_text_is_read_or_refused(text in "(\\PC|\\x1b\\[?|```\n|\\{\"files\": ?\\[|\\]\\}|\n|\"){0,30}") {
            let _ = Answer::read(&text);
        }

        // D40: whatever the files hold, they are found in a fenced block with words around it.
        #[test]
        fn contents_do_not_confuse(contents in "(\\PC|```|\n|\\{|\\}|\"){0,40}", before in "[a-z \n]{0,20}", after in "[a-z \n]{0,20}") {
            let object = json!({"files": [{"path": "a", "contents": contents}]});
            let text = format!("{before}\n```json\n{object}\n```\n{after}");
            let answer = Answer::read(&text).unwrap();
            let Entry::Write { contents: found, .. } = &answer.entries[0] else { panic!("{answer:?}") };
            prop_assert_eq!(found.bytes(), contents.as_bytes());
        }
    }
}

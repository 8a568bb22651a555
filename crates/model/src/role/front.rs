//! The front matter of a role: the few lines of YAML that everybody writes, and nothing else of YAML.
//!
//! A line is `name: value`. A value is plain text, a whole number, a JSON text, list or object in one line, or
//! nothing, when the lines below are `- item`. What is not of this form is refused, never guessed.

use serde_json::{Map, Value};

use crate::problem::FieldError;

/// The mark above and below the front matter.
const FENCE: &str = "---";

/// The fields, and the text below them.
pub(super) fn split(text: &str) -> Result<(Value, &str), FieldError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let refuse = |message: String| FieldError::new("", message);
    let (first, mut rest) = line(text);
    if first != FENCE {
        return Err(refuse("must begin with a line `---`, then `name: value` lines, then `---`".to_owned()));
    }
    let mut fields = Map::new();
    let mut open: Option<String> = None;
    let mut number = 1;
    loop {
        if rest.is_empty() {
            return Err(refuse("the front matter is not closed by a line `---`".to_owned()));
        }
        let (this, after) = line(rest);
        (rest, number) = (after, number + 1);
        if this == FENCE {
            break;
        }
        if this.trim().is_empty() || this.trim_start().starts_with('#') {
            continue;
        }
        if let Some(item) = this.trim_start().strip_prefix('-').filter(|item| item.starts_with(' ')) {
            let name = open.as_ref().ok_or_else(|| refuse(format!("line {number}: an item of no list")))?;
            let item = value(item.trim()).map_err(|message| refuse(format!("line {number}: {message}")))?;
            match fields.get_mut(name) {
                Some(Value::Array(items)) => items.push(item),
                Some(empty @ Value::Null) => *empty = Value::Array(vec![item]),
                _ => return Err(refuse(format!("line {number}: an item of no list"))),
            }
            continue;
        }
        let (name, given) = this
            .split_once(':')
            .filter(|(name, given)| {
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                    && (given.is_empty() || given.starts_with(' '))
            })
            .ok_or_else(|| refuse(format!("line {number}: must be `name: value`")))?;
        let read = value(given.trim()).map_err(|message| refuse(format!("line {number}: {message}")))?;
        open = read.is_null().then(|| name.to_owned());
        if fields.insert(name.to_owned(), read).is_some() {
            return Err(refuse(format!("line {number}: {name} stands there twice")));
        }
    }
    Ok((Value::Object(fields), rest))
}

/// The first line without its end, and what follows.
fn line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

fn value(text: &str) -> Result<Value, String> {
    match text.as_bytes().first() {
        None => Ok(Value::Null),
        Some(b'"' | b'[' | b'{') => {
            serde_json::from_str(text).map_err(|_| "is not JSON: quote each text of a list with \"".to_owned())
        }
        Some(b'|' | b'>' | b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'\'') => {
            Err("begins with a sign that is not understood here: put the text in \"".to_owned())
        }
        Some(_) => Ok(match text.parse::<u64>() {
            Ok(number) if !text.starts_with('+') => Value::from(number),
            _ => Value::from(text),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_look_like() {
        let text = "---\r\na: plain: text\nb: 12\nc: \"12\"\nd: [\"x\", 2]\n# a remark\n\ne:\n  - one\n  - 2\nf:\n---\nbody\n---\n";
        let (fields, body) = split(text).unwrap();
        assert_eq!(fields, json!({"a": "plain: text", "b": 12, "c": "12", "d": ["x", 2], "e": ["one", 2], "f": null}));
        assert_eq!(body, "body\n---\n");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["a", "a:b", "A: b", "- x", "a: 'x'", "a: |", "a: [x]", "a: 1\na: 2", "a: 1\n- x", "a b: c"] {
            assert!(split(&format!("---\n{bad}\n---\n")).is_err(), "{bad}");
        }
    }
}

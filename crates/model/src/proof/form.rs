//! Reading a request body field by field, so that every wrong value is named at once.
//!
//! Bodies are closed: a field that nobody asked for is wrong, too. A field that is `null` is absent.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::problem::FieldError;

/// What a text may be.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The most characters.
    pub most: usize,
    /// Whether line breaks and tabs are allowed; other control characters never are.
    pub many_lines: bool,
}

impl Text {
    /// One line of at most `most` characters.
    pub const fn line(most: usize) -> Self {
        Self { most, many_lines: false }
    }

    /// Lines of at most `most` characters in all.
    pub const fn lines(most: usize) -> Self {
        Self { most, many_lines: true }
    }

    /// What is wrong with this text, if anything. Blank is wrong; surrounding space is kept.
    pub fn check(self, text: &str) -> Result<(), String> {
        if text.trim().is_empty() {
            return Err("must not be blank".to_owned());
        }
        if text.chars().nth(self.most).is_some() {
            return Err(format!("must be at most {} characters", self.most));
        }
        let line_break = |c: char| matches!(c, '\n' | '\r' | '\t');
        if text.chars().any(|c| c.is_control() && !(self.many_lines && line_break(c))) {
            let what = if self.many_lines { "control characters" } else { "control characters or line breaks" };
            return Err(format!("must not contain {what}"));
        }
        Ok(())
    }
}

/// One object of a body.
pub struct Form<'v> {
    map: Option<&'v Map<String, Value>>,
    at: String,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

/// The pointer of a field below `at`, escaped as RFC 6901 asks.
pub fn below(at: &str, field: &str) -> String {
    format!("{at}/{}", field.replace('~', "~0").replace('/', "~1"))
}

impl<'v> Form<'v> {
    /// Starts reading the object at pointer `at` (empty for the body itself).
    pub fn new(value: &'v Value, at: impl Into<String>) -> Self {
        let mut form = Self { map: value.as_object(), at: at.into(), known: Vec::new(), errors: Vec::new() };
        if form.map.is_none() {
            form.errors.push(FieldError::new(form.at.clone(), "must be an object"));
        }
        form
    }

    /// The pointer of one of its fields.
    pub fn pointer(&self, field: &str) -> String {
        below(&self.at, field)
    }

    /// Notes that a field is wrong.
    pub fn wrong(&mut self, field: &str, message: impl Into<String>) {
        let pointer = self.pointer(field);
        self.wrong_at(pointer, message);
    }

    /// Notes that the value at `pointer` is wrong.
    pub fn wrong_at(&mut self, pointer: String, message: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, message));
    }

    /// The raw value of a field, unless absent or `null`.
    pub fn value(&mut self, field: &'static str) -> Option<&'v Value> {
        self.known.push(field);
        self.map.and_then(|map| map.get(field)).filter(|value| !value.is_null())
    }

    /// Whether the body has the field at all, also as `null`.
    pub fn has(&self, field: &str) -> bool {
        self.map.is_some_and(|map| map.contains_key(field))
    }

    /// A text that may be absent.
    pub fn text(&mut self, field: &'static str, text: Text) -> Option<String> {
        let value = self.value(field)?;
        match value.as_str().ok_or_else(|| "must be a text".to_owned()).and_then(|s| text.check(s).map(|()| s)) {
            Ok(found) => Some(found.to_owned()),
            Err(message) => {
                self.wrong(field, message);
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, field: &'static str, text: Text) -> Option<String> {
        if self.map.is_some() && self.value(field).is_none() {
            self.wrong(field, "is required");
        }
        self.text(field, text)
    }

    /// One of a closed list of words.
    pub fn choice<T: DeserializeOwned>(&mut self, field: &'static str, words: &[&str]) -> Option<T> {
        let value = self.value(field)?;
        // The list keeps out what serde would also take, such as an object for a unit variant.
        let chosen = value.as_str().filter(|word| words.contains(word)).map(|_| value.clone());
        let chosen = chosen.and_then(|value| serde_json::from_value(value).ok());
        if chosen.is_none() {
            self.wrong(field, format!("must be one of {}", words.join(", ")));
        }
        chosen
    }

    /// Yes or no.
    pub fn flag(&mut self, field: &'static str) -> Option<bool> {
        let value = self.value(field)?;
        if !value.is_boolean() {
            self.wrong(field, "must be true or false");
        }
        value.as_bool()
    }

    /// A whole number within limits.
    pub fn number(&mut self, field: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(field)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(field, format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// A list within limits, each item with its pointer.
    pub fn list(&mut self, field: &'static str, most: usize) -> Option<Vec<(String, &'v Value)>> {
        let value = self.value(field)?;
        let at = self.pointer(field);
        match value.as_array() {
            None => {
                self.wrong(field, "must be a list");
                None
            }
            Some(list) if list.len() > most => {
                self.wrong(field, format!("must have at most {most} entries"));
                None
            }
            Some(list) => Some(list.iter().enumerate().map(|(n, item)| (format!("{at}/{n}"), item)).collect()),
        }
    }

    /// A list of values that are written as text, each read by `parse`; doubles are dropped, order is kept.
    pub fn set<T: PartialEq>(
        &mut self,
        field: &'static str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items = self.list(field, most)?;
        let mut out: Vec<T> = Vec::with_capacity(items.len());
        for (at, item) in items {
            match item.as_str().ok_or_else(|| "must be a text".to_owned()).and_then(&parse) {
                Ok(value) if out.contains(&value) => {}
                Ok(value) => out.push(value),
                Err(message) => self.wrong_at(at, message),
            }
        }
        Some(out)
    }

    /// Takes over what was wrong in a nested object.
    pub fn absorb(&mut self, nested: Form<'_>) {
        self.errors.extend(nested.finish());
    }

    /// Everything that was wrong, unknown fields included.
    pub fn finish(mut self) -> Vec<FieldError> {
        if let Some(map) = self.map {
            for field in map.keys().filter(|field| !self.known.contains(&field.as_str())) {
                self.errors.push(FieldError::new(below(&self.at, field), "is not a known field"));
            }
        }
        self.errors
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wrong_value_is_named_at_once() {
        // P2: bodies are closed.
        let body = json!({"title": " ", "count": 9, "odd/name": 1, "list": ["a", 2, "a"], "on": "yes"});
        let mut form = Form::new(&body, "");
        form.required("title", Text::line(10));
        form.required("text", Text::lines(10));
        form.number("count", 1..=8);
        form.flag("on");
        let list = form.set("list", 3, |text| Ok(text.to_owned()));
        assert_eq!(list, Some(vec!["a".to_owned()]));
        let errors = form.finish();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/title", "/text", "/count", "/on", "/list/1", "/odd~1name"]);
        assert_eq!(Form::new(&json!([]), "").finish().len(), 1);
    }

    #[test]
    fn a_text_counts_characters_not_bytes() {
        assert!(Text::line(3).check("äöü").is_ok());
        assert!(Text::line(3).check("äöüß").is_err());
        assert!(Text::line(9).check("a\nb").is_err());
        assert!(Text::lines(9).check("a\n\tb").is_ok());
        assert!(Text::lines(9).check("a\u{7}b").is_err());
    }
}

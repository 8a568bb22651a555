//! The entries of an answer, read one by one (D41).

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest path that is repeated in a report, whatever was given.
const SHOWN: usize = 1_024;

/// The bytes of a file, as text where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// UTF-8.
    Text(String),
    /// Anything, in base64.
    Base64(#[serde(with = "base64_bytes")] Vec<u8>),
}

impl Contents {
    /// These bytes, in the readable form where there is one.
    pub fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Base64(error.into_bytes()), Self::Text)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Base64(bytes) => bytes,
        }
    }
}

/// Whether a file shall be executable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// New files are not; existing ones stay as they are.
    #[default]
    Keep,
    /// New files are; existing ones stay as they are (D44).
    New,
    /// It is, or is not, whatever was: so it stood in a working copy.
    Set(bool),
}

/// What is asked for, for one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The whole new contents of a file.
    Write {
        /// Where.
        path: String,
        /// What.
        contents: Contents,
        /// Whether it can be executed.
        #[serde(default)]
        mode: Mode,
    },
    /// The file shall go.
    Delete {
        /// Which.
        path: String,
    },
    /// A symbolic link, as one was found in a working copy.
    Link {
        /// Where.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// A file of a working copy that is too large to be carried at all.
    Oversize {
        /// Where.
        path: String,
        /// How large.
        bytes: u64,
    },
    /// Another repository in a working copy.
    Repository {
        /// Where.
        path: String,
    },
    /// A name that was mentioned.
    Listed {
        /// Which.
        path: String,
    },
    /// What cannot be understood.
    Bad {
        /// What was given as the path, if anything.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl Entry {
    /// The path as it was given.
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. }
            | Self::Delete { path }
            | Self::Link { path, .. }
            | Self::Oversize { path, .. }
            | Self::Repository { path }
            | Self::Listed { path }
            | Self::Bad { path, .. } => path,
        }
    }

    /// Bytes of the new contents.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Write { contents, .. } => contents.bytes().len() as u64,
            Self::Link { target, .. } => target.len() as u64,
            Self::Oversize { bytes, .. } => *bytes,
            Self::Delete { .. } | Self::Repository { .. } | Self::Listed { .. } | Self::Bad { .. } => 0,
        }
    }
}

/// Reads the `files` of an answer. None of them can fail the others.
pub fn read_entries(files: &[Value]) -> Vec<Entry> {
    files.iter().map(read_entry).collect()
}

fn read_entry(value: &Value) -> Entry {
    let bad = |path: &str, message: &str| Entry::Bad {
        path: path[..path.floor_char_boundary(SHOWN)].to_owned(),
        message: message.to_owned(),
    };
    let fields = match value {
        Value::String(path) if path.is_empty() => return bad("", "the path is empty"),
        Value::String(path) => return Entry::Listed { path: path[..path.floor_char_boundary(SHOWN)].to_owned() },
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return bad("", "neither an object nor a name");
        }
    };
    let path = match fields.get("path") {
        Some(Value::String(path)) if !path.is_empty() => path.clone(),
        Some(Value::String(_)) => return bad("", "the path is empty"),
        Some(_) => return bad("", "the path is no text"),
        None => return bad("", "there is no path"),
    };
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    match given("action").map(Value::as_str) {
        None | Some(Some("write")) => {}
        Some(Some("delete")) => return Entry::Delete { path },
        Some(_) => return bad(&path, "the action is neither write nor delete"),
    }
    let Some(text) = fields.get("contents").and_then(Value::as_str) else {
        return bad(&path, "there are no contents, or they are no text");
    };
    let contents = match given("encoding").map(Value::as_str) {
        None | Some(Some("utf8" | "utf-8")) => Contents::Text(text.to_owned()),
        Some(Some("base64")) => {
            let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            match base64::engine::general_purpose::STANDARD.decode(packed) {
                Ok(bytes) => Contents::of(bytes),
                Err(_) => return bad(&path, "the contents are not base64"),
            }
        }
        Some(_) => return bad(&path, "the encoding is neither utf8 nor base64"),
    };
    let mode = match given("executable").map(Value::as_bool) {
        None | Some(Some(false)) => Mode::Keep,
        Some(Some(true)) => Mode::New,
        Some(None) => return bad(&path, "executable is neither true nor false"),
    };
    Entry::Write { path, contents, mode }
}

mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // D41: an object is a file, a string is a name, anything else is bad; each on its own.
    #[test]
    fn entries_are_read_one_by_one() {
        let write = |path: &str, contents: Contents, mode| Entry::Write { path: path.into(), contents, mode };
        let text = |text: &str| Contents::Text(text.into());
        let good = [
            (json!({"path": "a", "contents": ""}), write("a", text(""), Mode::Keep)),
            (
                json!({"path": "a", "contents": "x", "action": "write", "executable": true}),
                write("a", text("x"), Mode::New),
            ),
            (
                json!({"path": "a", "contents": "/w==", "encoding": "base64"}),
                write("a", Contents::Base64(vec![255]), Mode::Keep),
            ),
            (json!({"path": "a", "contents": "eA\n==", "encoding": "base64"}), write("a", text("x"), Mode::Keep)),
            (json!({"path": "a", "action": "delete"}), Entry::Delete { path: "a".into() }),
            (
                json!({"path": "a", "contents": "x", "why": "unknown keys are fine", "mode": null}),
                write("a", text("x"), Mode::Keep),
            ),
            (json!("a/b"), Entry::Listed { path: "a/b".into() }),
        ];
        for (value, entry) in good {
            assert_eq!(read_entry(&value), entry, "{value}");
        }
        for bad in [
            json!(null),
            json!(1),
            json!([]),
            json!(""),
            json!({}),
            json!({"path": ""}),
            json!({"path": 3, "contents": ""}),
            json!({"path": "a"}),
            json!({"path": "a", "contents": 3}),
            json!({"path": "a", "contents": "x", "action": "chmod"}),
            json!({"path": "a", "contents": "x", "encoding": "utf16"}),
            json!({"path": "a", "contents": "%", "encoding": "base64"}),
            json!({"path": "a", "contents": "x", "executable": "yes"}),
        ] {
            assert!(matches!(read_entry(&bad), Entry::Bad { .. }), "{bad}");
        }
    }

    #[test]
    fn entries_survive_being_stored() {
        let entries = read_entries(&[
            json!({"path": "a", "contents": "/w==", "encoding": "base64", "executable": true}),
            json!({"path": "a", "action": "delete"}),
            json!("x"),
            json!(0),
        ]);
        let stored = serde_json::to_string(&entries).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Entry>>(&stored).unwrap(), entries);
    }
}

//! Reading and changing files below the worktree.

use std::{io, path::Path};

use model::agent::event::FileChange;
use serde_json::Value;

use super::inside;
use crate::beneath;

/// A file that is read.
const READ: u64 = 8 << 20;
/// A file that is written.
const WRITE: usize = 4 << 20;
/// Lines of one reading, where nobody says how many.
const LINES: u64 = 2_000;

/// What a tool did.
pub(super) struct Did {
    /// What the model is told.
    pub(super) text: String,
    /// The file that changed by it.
    pub(super) change: Option<(String, FileChange)>,
}

impl Did {
    pub(super) fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), change: None }
    }
}

/// A text of a call's input.
pub(super) fn text<'v>(input: &'v Value, name: &str) -> Result<&'v str, String> {
    input.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing, or is no text"))
}

/// A number of a call's input.
pub(super) fn number(input: &Value, name: &str, otherwise: u64) -> Result<u64, String> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(otherwise),
        Some(value) => value.as_u64().ok_or_else(|| format!("{name} is no whole number")),
    }
}

fn bytes(root: &Path, path: &str) -> Result<Vec<u8>, String> {
    beneath::read(root, path, READ).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{path}: there is no such file"),
        // Too large, or no file at all.
        io::ErrorKind::InvalidInput => match root.join(path).metadata() {
            Ok(facts) if facts.is_dir() => format!("{path} is a folder; find lists files"),
            Ok(facts) => format!("{path} has {} bytes, which is more than is read", facts.len()),
            Err(_) => error.to_string(),
        },
        _ => format!("{path}: {error}"),
    })
}

/// The text of a file, or what it is instead (S41).
fn words(root: &Path, path: &str) -> Result<String, String> {
    let bytes = bytes(root, path)?;
    let size = bytes.len();
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(format!("{path} is a binary file of {size} bytes")),
    }
}

/// Reads a file, or some lines of it.
pub(super) fn read(root: &Path, input: &Value) -> Result<Did, String> {
    let path = inside(root, text(input, "path")?)?;
    let (from, lines) = (number(input, "from", 1)?.max(1), number(input, "lines", LINES)?);
    let words = words(root, &path)?;
    let all = words.lines().count() as u64;
    if from == 1 && lines >= all {
        return Ok(Did::said(words));
    }
    let skip = usize::try_from(from - 1).unwrap_or(usize::MAX);
    let take = usize::try_from(lines).unwrap_or(usize::MAX);
    let part: Vec<&str> = words.lines().skip(skip).take(take).collect();
    let last = from.saturating_sub(1).saturating_add(part.len() as u64);
    Ok(Did::said(format!("{}\n[lines {from} to {last} of {all}]", part.join("\n"))))
}

/// Writes a whole file.
pub(super) fn write(root: &Path, input: &Value) -> Result<Did, String> {
    let (path, contents) = (inside(root, text(input, "path")?)?, text(input, "contents")?);
    if contents.len() > WRITE {
        return Err(format!("{path}: {} bytes are more than is written at once", contents.len()));
    }
    let change = put(root, &path, contents)?;
    Ok(Did { text: format!("wrote {path}: {} bytes", contents.len()), change: Some((path, change)) })
}

/// Replaces one place in a file.
pub(super) fn edit(root: &Path, input: &Value) -> Result<Did, String> {
    let path = inside(root, text(input, "path")?)?;
    let (find, replace) = (text(input, "find")?, text(input, "replace")?);
    if find.is_empty() {
        return Err("find is empty".to_owned());
    }
    let words = words(root, &path)?;
    match words.matches(find).count() {
        1 => {}
        0 => return Err(format!("{path} does not hold that text; read it, and copy the place exactly")),
        many => return Err(format!("{path} holds that text {many} times; give more of what stands around it")),
    }
    put(root, &path, &words.replacen(find, replace, 1))?;
    Ok(Did { text: format!("edited {path}"), change: Some((path, FileChange::Modified)) })
}

/// A file keeps its mode when its content changes.
fn put(root: &Path, path: &str, contents: &str) -> Result<FileChange, String> {
    use std::os::unix::fs::PermissionsExt as _;
    if path.is_empty() {
        return Err("a path is missing".to_owned());
    }
    let facts = root.join(path).symlink_metadata().ok();
    if facts.as_ref().is_some_and(|facts| !facts.is_file()) {
        return Err(format!("{path} is no file"));
    }
    let mode = facts.as_ref().map_or(0o644, |facts| facts.permissions().mode() & 0o777);
    beneath::write(root, path, contents.as_bytes(), mode).map_err(|error| format!("{path}: {error}"))?;
    Ok(if facts.is_some() { FileChange::Modified } else { FileChange::Added })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // S41: text, parts of it, and what is none.
    #[test]
    fn files_are_read_and_changed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let said = |done: Result<Did, String>| done.map(|did| did.text);
        assert!(
            said(write(root, &json!({"path": "a/b.txt", "contents": "1\n2\n3\n2\n"}))).unwrap().contains("8 bytes")
        );
        assert_eq!(said(read(root, &json!({"path": "a/b.txt"}))).unwrap(), "1\n2\n3\n2\n");
        assert_eq!(
            said(read(root, &json!({"path": "a/b.txt", "from": 2, "lines": 2}))).unwrap(),
            "2\n3\n[lines 2 to 3 of 4]"
        );
        assert!(said(read(root, &json!({"path": "a/b.txt", "from": 99}))).unwrap().contains("of 4"));
        std::fs::set_permissions(root.join("a/b.txt"), std::fs::Permissions::from_mode(0o755)).unwrap();
        said(edit(root, &json!({"path": "a/b.txt", "find": "3\n", "replace": "three\n"}))).unwrap();
        assert_eq!(std::fs::read_to_string(root.join("a/b.txt")).unwrap(), "1\n2\nthree\n2\n");
        assert_eq!(root.join("a/b.txt").metadata().unwrap().permissions().mode() & 0o777, 0o755);
        std::fs::write(root.join("image"), [0xff, 0, 1]).unwrap();
        for (wrong, words) in [
            (said(edit(root, &json!({"path": "a/b.txt", "find": "2", "replace": "x"}))), "2 times"),
            (said(edit(root, &json!({"path": "a/b.txt", "find": "zwei", "replace": "x"}))), "does not hold"),
            (said(edit(root, &json!({"path": "a/b.txt", "find": "", "replace": "x"}))), "empty"),
            (said(read(root, &json!({"path": "a"}))), "folder"),
            (said(read(root, &json!({"path": "none"}))), "no such file"),
            (said(read(root, &json!({"path": "image"}))), "binary file of 3 bytes"),
            (said(read(root, &json!({"path": 7}))), "path is missing"),
            (said(read(root, &json!({"path": "a/b.txt", "from": "x"}))), "no whole number"),
            (said(write(root, &json!({"path": "a", "contents": ""}))), "no file"),
            (said(write(root, &json!({"path": "", "contents": ""}))), "path is missing"),
            (said(write(root, &json!({"path": "../x", "contents": ""}))), "no plain path"),
        ] {
            let error = wrong.unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

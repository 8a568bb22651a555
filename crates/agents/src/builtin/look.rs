//! Searching the files of the worktree.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use globset::{Glob, GlobMatcher};
use regex::RegexBuilder;
use serde_json::Value;

use super::files::{Did, text};
use crate::beneath;

/// Paths that are listed.
const PATHS: usize = 1_000;
/// Lines that are found.
const FOUND: usize = 200;
/// How much of a line is shown.
const LINE: usize = 300;
/// The largest file that is searched.
const FILE: u64 = 1 << 20;
/// How long a search may take.
const TIME: Duration = Duration::from_secs(20);
/// Entries of a folder tree that are looked at.
const ENTRIES: usize = 200_000;

fn glob(input: &Value) -> Result<Option<GlobMatcher>, String> {
    match input.get("glob").and_then(Value::as_str).filter(|glob| !glob.is_empty()) {
        None => Ok(None),
        Some(glob) => {
            let matcher = Glob::new(glob).map_err(|error| format!("glob: {error}"))?.compile_matcher();
            Ok(Some(matcher))
        }
    }
}

/// Paths that fit.
pub(super) fn find(paths: &[String], input: &Value) -> Result<Did, String> {
    let glob = glob(input)?;
    let fits = |path: &&String| glob.as_ref().is_none_or(|glob| glob.is_match(path));
    let found: Vec<&str> = paths.iter().filter(fits).map(String::as_str).collect();
    Ok(Did::said(match found.len() {
        0 => "no file fits".to_owned(),
        many if many > PATHS => {
            format!("{}\n[{PATHS} of {many}; a narrower glob shows the rest]", found[..PATHS].join("\n"))
        }
        _ => found.join("\n"),
    }))
}

/// Lines that fit.
pub(super) fn grep(root: &Path, paths: &[String], input: &Value) -> Result<Did, String> {
    let ignore_case = input.get("ignore_case").and_then(Value::as_bool).unwrap_or(false);
    let pattern = RegexBuilder::new(text(input, "pattern")?)
        .case_insensitive(ignore_case)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("pattern: {error}"))?;
    let glob = glob(input)?;
    let (until, mut found) = (Instant::now() + TIME, Vec::new());
    for path in paths.iter().filter(|path| glob.as_ref().is_none_or(|glob| glob.is_match(path))) {
        if Instant::now() > until {
            found.push(format!("[not all files were searched within {} s]", TIME.as_secs()));
            break;
        }
        // What is no text, or no file any more, holds no lines.
        let Ok(bytes) = beneath::read(root, path, FILE) else { continue };
        if bytes.contains(&0) {
            continue;
        }
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if pattern.is_match(line) {
                let shown: String = line.chars().take(LINE).collect();
                found.push(format!("{path}:{}: {shown}", number + 1));
                if found.len() >= FOUND {
                    found.push(format!("[the first {FOUND}; a narrower pattern or glob shows the rest]"));
                    return Ok(Did::said(found.join("\n")));
                }
            }
        }
    }
    Ok(Did::said(if found.is_empty() { "nothing fits".to_owned() } else { found.join("\n") }))
}

/// The files of a folder that is no repository; links are not followed.
pub(super) fn walk(root: &Path) -> Vec<String> {
    let (mut folders, mut files, mut seen) = (vec![root.to_owned()], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > ENTRIES {
                return files;
            }
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(path);
            } else if kind.is_file()
                && let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str)
            {
                files.push(path.to_owned());
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_and_lines_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("src/.git")).unwrap();
        for (path, text) in
            [("src/a.rs", "fn one() {}\nfn two() {}\n"), ("b.md", "ONE\n"), ("src/.git/x", "fn"), ("c.bin", "\0fn")]
        {
            std::fs::write(root.join(path), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        let paths = walk(root);
        assert_eq!(paths, ["b.md", "c.bin", "src/a.rs"]);
        let said = |done: Result<Did, String>| done.map(|did| did.text).unwrap();
        assert_eq!(said(find(&paths, &json!({"glob": "**/*.rs"}))), "src/a.rs");
        assert_eq!(said(find(&paths, &json!({"glob": "*.py"}))), "no file fits");
        assert_eq!(
            said(grep(root, &paths, &json!({"pattern": "fn (one|two)"}))),
            "src/a.rs:1: fn one() {}\nsrc/a.rs:2: fn two() {}"
        );
        assert_eq!(
            said(grep(root, &paths, &json!({"pattern": "one", "ignore_case": true, "glob": "*.md"}))),
            "b.md:1: ONE"
        );
        assert_eq!(said(grep(root, &paths, &json!({"pattern": "root:"}))), "nothing fits");
        for wrong in [
            json!({"pattern": "("}),
            json!({"pattern": "x{1000}{1000}{1000}"}),
            json!({}),
            json!({"pattern": "x", "glob": "["}),
        ] {
            assert!(grep(root, &paths, &wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..2_000).map(|number| format!("f{number}")).collect();
        assert!(said(find(&many, &json!({}))).ends_with("[1000 of 2000; a narrower glob shows the rest]"));
    }
}

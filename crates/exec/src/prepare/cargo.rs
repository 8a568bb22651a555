//! Rust, with cargo (L33, L61).

use std::path::Path;

use super::{
    Change, Ecosystem, EnvironmentChange, Prepared, Preparer, Project, Refusal, Refused, Selected, base_name,
    project::join, split_option, with_inserted,
};

/// See the module.
pub(super) struct Cargo;

/// Verbs that take `--locked`.
const GUARDED: &[&str] = &[
    "build", "check", "clippy", "test", "bench", "doc", "run", "tree", "metadata", "nextest", "b", "c", "t", "r", "d",
];
/// Verbs that change the project, install, or publish.
const REFUSED: &[&str] =
    &["update", "add", "remove", "rm", "install", "publish", "generate-lockfile", "fix", "new", "init"];
/// Options before the verb that take a value.
const VALUES_BEFORE: &[&str] = &["--color", "--config", "-Z", "-C", "--manifest-path"];
/// Options of `cargo run` that take a value.
const VALUES_OF_RUN: &[&str] = &[
    "-p",
    "--package",
    "--bin",
    "--example",
    "-F",
    "--features",
    "--target",
    "--target-dir",
    "--profile",
    "--manifest-path",
    "--lockfile-path",
    "-j",
    "--jobs",
    "--message-format",
    "--color",
    "--config",
    "-Z",
    "-C",
];

impl Preparer for Cargo {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Cargo
    }

    fn detect(&self, project: &Project) -> bool {
        project.has("Cargo.toml")
    }

    fn knows(&self, program: &str) -> bool {
        program == "cargo"
    }

    fn select(&self, _project: &Project, change: &Change) -> Vec<Selected> {
        let touches = |path: &String| path.ends_with(".rs") || matches!(base_name(path), "Cargo.toml" | "Cargo.lock");
        if !change.touched.iter().any(touches) {
            return Vec::new();
        }
        [&["cargo", "fmt", "--check"][..], &["cargo", "clippy", "--locked"], &["cargo", "test", "--locked"]]
            .iter()
            .map(|words| Selected::Command(words.iter().map(|word| (*word).to_owned()).collect()))
            .collect()
    }

    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused> {
        let folder = project.nearest(project.cwd(), "Cargo.toml").unwrap_or_else(|| project.cwd().to_owned());
        let verb_at = verb_at(argv);
        let verb = argv.get(verb_at).map_or("", String::as_str);
        if REFUSED.contains(&verb) {
            let text = format!(
                "`cargo {verb}` changes the project or what is installed: do that in a change of its own, and gate with build, clippy or test"
            );
            return Err(Refused::new(Refusal::VerbNotAllowed, text));
        }
        let mut after = verb_at + 1;
        if verb == "nextest" {
            match argv.get(after).map(String::as_str) {
                Some("run" | "list" | "r") => after += 1,
                _ => return Ok(Prepared::unchanged(argv, Ecosystem::Cargo, &folder)),
            }
        }
        if !GUARDED.contains(&verb) {
            return Ok(Prepared::unchanged(argv, Ecosystem::Cargo, &folder));
        }
        // With a guard cargo makes no lock file, so without one the command can only fail (as L59 has it).
        let lock_missing =
            project.has(&join(&folder, "Cargo.toml")) && project.nearest(&folder, "Cargo.lock").is_none();
        let prepared = if is_guarded(argv, verb_at) {
            Prepared::unchanged(argv, Ecosystem::Cargo, &folder)
        } else {
            let words = with_inserted(argv, after, &["--locked"]);
            Prepared::changed(argv, words, Ecosystem::Cargo, &folder)
        };
        Ok(Prepared { lock_missing, ..prepared })
    }

    fn env(&self, scratch: &Path, _project_dir: &str) -> EnvironmentChange {
        let target = scratch.join("cargo-target").to_string_lossy().into_owned();
        EnvironmentChange {
            dropped: &["CARGO_"],
            kept: &["CARGO_HOME="],
            set: [("CARGO_TARGET_DIR".to_owned(), target)].into(),
        }
    }
}

/// Where the verb stands: behind `+toolchain` and cargo's own options.
fn verb_at(argv: &[String]) -> usize {
    let mut at = 1;
    if argv.get(at).is_some_and(|word| word.starts_with('+')) {
        at += 1;
    }
    while let Some(word) = argv.get(at).filter(|word| word.starts_with('-')) {
        if word == "--" {
            // No verb can follow.
            return argv.len();
        }
        at += if VALUES_BEFORE.contains(&word.as_str()) { 2 } else { 1 };
    }
    at
}

/// Whether a guard stands among cargo's own arguments: before `--`, and for `run` before the
/// first word that belongs to the program.
fn is_guarded(argv: &[String], verb_at: usize) -> bool {
    let is_run = argv.get(verb_at).is_some_and(|verb| matches!(verb.as_str(), "run" | "r"));
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        if word == "--" {
            return false;
        }
        if word == "--locked" || word == "--frozen" {
            return true;
        }
        if at > verb_at && is_run {
            if !word.starts_with('-') {
                return false;
            }
            let (name, attached) = split_option(word);
            if attached.is_none() && VALUES_OF_RUN.contains(&name) {
                at += 1;
            }
        } else if at < verb_at && VALUES_BEFORE.contains(&word.as_str()) {
            at += 1;
        }
        at += 1;
    }
    false
}

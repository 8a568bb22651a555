//! From the command a person declared for a gate to the one that is run (X3, L35-L63).
//!
//! Gates prove what is locked, not what a registry serves today: so a lock guard is added, the
//! project's own development tools are selected, and commands that would rewrite a manifest or a
//! lock file are refused. Preparing is a pure function of the argv, the folder and the manifests;
//! what a person meant to hand to their program is never changed, dropped or moved; and preparing
//! what is prepared changes nothing.
//!
//! One file per ecosystem. A program that none of them knows passes unchanged. Nothing here is
//! read from a disk or started, and nothing here allows a command: that is the policy's.

mod cargo;
mod go;
mod node;
mod project;
mod python;
mod text;
mod uv;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

pub use project::{Change, Project};
pub use text::is_text;

use crate::environment::Environment;

/// The most tokens of an argv.
pub const TOKENS_MAX: usize = 1_000;

/// The tools a command belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ecosystem {
    /// Python, with uv.
    Python,
    /// Rust.
    Cargo,
    /// Node.js: npm, npx, pnpm, yarn, bun.
    Npm,
    /// Go.
    Go,
    /// Plain text.
    Text,
    /// Anything else.
    Other,
}

/// A command, prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// As it was declared.
    pub declared: Vec<String>,
    /// As it is run.
    pub prepared: Vec<String>,
    /// Whose it is.
    pub ecosystem: Ecosystem,
    /// The folder of the project it works on, from the top of the worktree; `""` is the top.
    pub project_dir: String,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The lock file the command needs is not there (L59): it is not to be started.
    pub lock_missing: bool,
}

/// Why a command will not be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    /// For programs.
    pub code: Refusal,
    /// For people: what is wrong, and what to write instead.
    pub text: String,
}

impl Refused {
    fn new(code: Refusal, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The reasons to refuse a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No argv: empty, too long, or with a NUL.
    ArgvInvalid,
    /// An option that is not known, or lacks its value.
    UnknownOption,
    /// Nothing to run.
    NoPayload,
    /// Two guards that exclude each other.
    GuardConflict,
    /// The development tools are shut out.
    DevExcluded,
    /// Selectors that exclude each other.
    SelectorConflict,
    /// It would write a lock file.
    WritesLock,
    /// It would not run in the environment of the project.
    DefeatsIsolation,
    /// It would work outside the worktree.
    OutsideWorktree,
    /// A verb that changes the project, fetches programs, or publishes.
    VerbNotAllowed,
}

impl Refusal {
    /// Its name for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArgvInvalid => "argv_invalid",
            Self::UnknownOption => "unknown_option",
            Self::NoPayload => "no_payload",
            Self::GuardConflict => "guard_conflict",
            Self::DevExcluded => "dev_excluded",
            Self::SelectorConflict => "selector_conflict",
            Self::WritesLock => "writes_lock",
            Self::DefeatsIsolation => "defeats_isolation",
            Self::OutsideWorktree => "outside_worktree",
            Self::VerbNotAllowed => "verb_not_allowed",
        }
    }
}

/// What a preparer does to the environment of its commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentChange {
    /// Names that are taken away, by what they begin with; a whole name ends in `=`.
    pub dropped: &'static [&'static str],
    /// Exceptions to that.
    pub kept: &'static [&'static str],
    /// Names that are set, to folders of the run.
    pub set: BTreeMap<String, String>,
}

impl EnvironmentChange {
    /// Changes an environment.
    pub fn apply(&self, environment: &mut Environment) {
        environment.drop_where(|name| {
            let name = format!("{}=", name.to_ascii_uppercase());
            self.dropped.iter().any(|start| name.starts_with(start))
                && !self.kept.iter().any(|kept| name.starts_with(kept))
        });
        for (name, value) in &self.set {
            environment.set_private(name, value);
        }
    }
}

/// A gate that was chosen without being declared (L31).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// A command, still to be prepared.
    Command(Vec<String>),
    /// The plane itself looks whether these files are text.
    Text(Vec<String>),
}

/// A command that brings what a project depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready {
    /// Where it runs, from the top of the worktree; `""` is the top.
    pub folder: String,
    /// What is run.
    pub argv: Vec<String>,
}

/// One ecosystem.
pub trait Preparer: Sync {
    /// Which.
    fn ecosystem(&self) -> Ecosystem;
    /// Whether the worktree has a project of it.
    fn detect(&self, project: &Project) -> bool;
    /// The gates for a change, where none are declared.
    fn select(&self, project: &Project, change: &Change) -> Vec<Selected>;
    /// Whether a program is one of its own, by base name.
    fn knows(&self, program: &str) -> bool;
    /// Prepares one of its commands.
    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused>;
    /// What its commands need in their environment. `scratch` is a folder of the run's own.
    fn env(&self, scratch: &Path, project_dir: &str) -> EnvironmentChange;
    /// What makes a project ready before its gates, where that is missing (P35).
    fn make_ready(&self, _project: &Project) -> Option<Ready> {
        None
    }
}

/// All of them. Adding one is one file and one line here.
pub fn preparers() -> &'static [&'static dyn Preparer] {
    &[&python::Python, &cargo::Cargo, &node::Node, &go::Go, &text::Text]
}

/// The preparer of an ecosystem; none for [`Ecosystem::Other`].
pub fn preparer(ecosystem: Ecosystem) -> Option<&'static dyn Preparer> {
    preparers().iter().copied().find(|preparer| preparer.ecosystem() == ecosystem)
}

/// Prepares a command.
pub fn prepare(argv: &[String], project: &Project) -> Result<Prepared, Refused> {
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return Err(Refused::new(Refusal::ArgvInvalid, "there is no command: name a program and its arguments"));
    };
    if argv.len() > TOKENS_MAX {
        let text = format!("the command has {} words, and at most {TOKENS_MAX} are taken", argv.len());
        return Err(Refused::new(Refusal::ArgvInvalid, text));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(Refused::new(Refusal::ArgvInvalid, "the command has a NUL character in it"));
    }
    let name = base_name(program);
    match preparers().iter().find(|preparer| preparer.knows(name)) {
        Some(preparer) => preparer.prepare(argv, project),
        None => Ok(Prepared::unchanged(argv, Ecosystem::Other, project.cwd())),
    }
}

/// The gates for a change, where none are declared: those of every ecosystem it touches; for a
/// change of text alone, a look at the text.
pub fn select(project: &Project, change: &Change) -> Vec<Selected> {
    preparers().iter().flat_map(|preparer| preparer.select(project, change)).collect()
}

impl Prepared {
    fn unchanged(argv: &[String], ecosystem: Ecosystem, project_dir: &str) -> Self {
        Self::changed(argv, argv.to_vec(), ecosystem, project_dir)
    }

    fn changed(declared: &[String], prepared: Vec<String>, ecosystem: Ecosystem, project_dir: &str) -> Self {
        Self {
            declared: declared.to_vec(),
            prepared,
            ecosystem,
            project_dir: project_dir.to_owned(),
            notes: Vec::new(),
            lock_missing: false,
        }
    }
}

/// The name of a program without its folder.
fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// `words` with `extra` inserted at a place.
fn with_inserted(words: &[String], at: usize, extra: &[&str]) -> Vec<String> {
    let mut all = words.to_vec();
    let at = at.min(all.len());
    all.splice(at..at, extra.iter().map(|word| (*word).to_owned()));
    all
}

/// The name of an option and the value attached to it by `=`.
fn split_option(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    }
}

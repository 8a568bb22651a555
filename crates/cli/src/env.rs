//! Every environment variable that the binary reads, declared once. Help texts and the reference
//! page are made from this table; nothing else in the crate reads the environment by name.

use std::{env, ffi::OsString, path::PathBuf};

/// A variable and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, as one sentence without an end stop.
    pub help: &'static str,
}

macro_rules! variables {
    ($($name:ident = $text:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $name: Variable = Variable { name: $text, help: $help };)*
        /// Every variable, in the order in which help shows them.
        pub const ALL: &[Variable] = &[$($name,)*];
    };
}

variables! {
    DATA = "PROOFHOUSE_DATA", "the data folder, where --data is not given";
    SERVER = "PROOFHOUSE_SERVER", "the address of a running plane, where --server is not given";
    TOKEN = "PROOFHOUSE_TOKEN", "the token that is sent to the plane of --server";
    PROJECT = "PROOFHOUSE_PROJECT", "the project's key or id, where --project is not given";
    STORE = "PROOFHOUSE_STORE", "the store's address (sqlite:FILE or postgres://...), where --store is not given";
    BLOBS = "PROOFHOUSE_BLOBS", "the folder for blobs that replicas over one PostgreSQL share, where --blobs is not given";
    LISTEN = "PROOFHOUSE_LISTEN", "the address `serve` listens on, where --listen is not given";
    LOG = "PROOFHOUSE_LOG", "what is logged, as level or target=level pairs (default info)";
    NO_COLOR = "NO_COLOR", "any value turns colour off";
    TERMINAL = "TERM", "`dumb` turns colour and live progress off";
    EDITOR = "EDITOR", "the program that `project policy --edit` opens without a file";
    XDG_DATA_HOME = "XDG_DATA_HOME", "where the default data folder lies";
    HOME = "HOME", "where the default data folder lies without XDG_DATA_HOME";
    PATH = "PATH", "where `doctor` looks for git and toolchains";
}

impl Variable {
    /// Its value; an empty one counts as absent, as shells make it hard to tell them apart.
    pub fn value(self) -> Option<OsString> {
        env::var_os(self.name).filter(|value| !value.is_empty())
    }

    /// Its value as text; one that is not UTF-8 is read with replacement characters, so that a
    /// later message can show it.
    pub fn text(self) -> Option<String> {
        self.value().map(|value| value.to_string_lossy().into_owned())
    }

    /// Its value as a path.
    pub fn path(self) -> Option<PathBuf> {
        self.value().map(PathBuf::from)
    }
}

/// The part of the help that lists the variables.
pub fn help() -> String {
    let width = ALL.iter().map(|variable| variable.name.len()).max().unwrap_or(0);
    let mut text = String::from("Environment:\n");
    for Variable { name, help } in ALL {
        text.push_str(&format!("  {name:width$}  {help}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_each_variable_once() {
        let help = help();
        for variable in ALL {
            assert_eq!(help.matches(&format!("\n  {} ", variable.name)).count(), 1, "{}", variable.name);
            assert!(!variable.help.ends_with('.'));
        }
    }
}

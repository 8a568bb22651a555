//! The environment of a child process: one allow-list for agents, gates and tools (X32).
//!
//! A child sees what is named here and nothing else. Its HOME and TMPDIR belong to its run. Where
//! a toolchain would look for itself under HOME, it is told where the real one is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use model::digest::{Digest, Fields};

use crate::redact::looks_secret;

/// Taken from the server's environment when set there.
const INHERITED: &[&str] = &["USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TZ"];

/// What a toolchain calls its folder, and where it is when nobody said.
const TOOLCHAINS: &[(&str, &str)] = &[
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("GOPATH", "go"),
    ("GOMODCACHE", "go/pkg/mod"),
    ("PYENV_ROOT", ".pyenv"),
    ("NVM_DIR", ".nvm"),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python"),
];

/// The PATH where the server has none.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What the plane tells its children about their run (X32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// The run's id.
    Run,
    /// The file with the run's context.
    Context,
    /// The worktree.
    Worktree,
    /// `write` or `read_only`.
    Mode,
    /// The file with the prompt.
    PromptFile,
    /// What to prove.
    Prove,
}

impl Told {
    /// The variable it is told in.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "PROOFHOUSE_RUN",
            Self::Context => "PROOFHOUSE_CONTEXT",
            Self::Worktree => "PROOFHOUSE_WORKTREE",
            Self::Mode => "PROOFHOUSE_MODE",
            Self::PromptFile => "PROOFHOUSE_PROMPT_FILE",
            Self::Prove => "PROOFHOUSE_PROVE",
        }
    }
}

/// What to build an environment from.
#[derive(Debug, Clone, Copy)]
pub struct EnvironmentPlan<'p> {
    /// The server's own environment; see [`inherited`].
    pub parent: &'p BTreeMap<String, String>,
    /// Further names that gate and policy agree on. Those of the plane itself are never given.
    pub extra: &'p [String],
    /// The run's own home folder.
    pub home: &'p Path,
    /// The run's own folder for temporary files.
    pub tmp: &'p Path,
    /// A folder of which nothing may be on the PATH: what is written there could stand in for a
    /// program the policy allows.
    pub worktree: Option<&'p Path>,
    /// For a gate: `CI=1`.
    pub is_gate: bool,
    /// What the plane tells the child.
    pub told: &'p [(Told, String)],
}

/// The environment of one child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names whose values differ from run to run and mean nothing for the outcome.
    private: BTreeSet<String>,
}

/// The environment of this process, as far as it is text.
pub fn inherited() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Names and values that look like secrets by their name, for the redactor (S86).
pub fn secrets_in(environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    environment
        .iter()
        .filter(|(name, _)| looks_secret(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Builds the environment of a child.
pub fn child_environment(plan: &EnvironmentPlan<'_>) -> Environment {
    let mut environment = Environment::default();
    for (name, value) in plan.parent {
        let wanted = INHERITED.contains(&name.as_str())
            || name.starts_with("LC_")
            || (plan.extra.contains(name) && !name.starts_with("PROOFHOUSE_"));
        if wanted {
            environment.set(name, value);
        }
    }
    for (name, folder) in toolchain_homes(plan.parent) {
        environment.set(name, folder);
    }
    environment.set("PATH", path_of(plan));
    if plan.is_gate {
        environment.set("CI", "1");
    }
    environment.set_private("HOME", plan.home.to_string_lossy());
    environment.set_private("TMPDIR", plan.tmp.to_string_lossy());
    for (what, value) in plan.told {
        environment.set_private(what.name(), value);
    }
    environment
}

/// The toolchain folders of the person who runs the server: the name each is told by, and where
/// it is. A child may read them; only a preparation step may be let write there.
pub fn toolchain_homes(parent: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let home = parent.get("HOME").map(Path::new);
    TOOLCHAINS
        .iter()
        .filter_map(|(name, below_home)| {
            let folder = match parent.get(*name) {
                Some(folder) if !folder.is_empty() => folder.clone(),
                _ => home?.join(below_home).to_str().filter(|folder| Path::new(folder).is_dir())?.to_owned(),
            };
            Some((*name, folder))
        })
        .collect()
}

/// The PATH: absolute folders outside the worktree.
fn path_of(plan: &EnvironmentPlan<'_>) -> String {
    let given = plan.parent.get("PATH").map_or(PATH, String::as_str);
    let kept: Vec<&str> = given
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .filter(|folder| plan.worktree.is_none_or(|worktree| !Path::new(folder).starts_with(worktree)))
        .collect();
    if kept.is_empty() { PATH.to_owned() } else { kept.join(":") }
}

impl Environment {
    /// Sets a variable that can matter for the outcome.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.private.remove(&name);
        self.variables.insert(name, value.into());
    }

    /// Sets a variable that differs from run to run: a path inside the run's own folder.
    pub fn set_private(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.private.insert(name.clone());
        self.variables.insert(name, value.into());
    }

    /// Takes out the variables whose names the condition picks, but for the run-private ones.
    pub fn drop_where(&mut self, picks: impl Fn(&str) -> bool) {
        let private = &self.private;
        self.variables.retain(|name, _| private.contains(name) || !picks(name));
    }

    /// One variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All of it, as a command takes it.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The digest of names and values handed over, without the run-private ones (P32).
    pub fn digest(&self) -> Digest {
        let mut fields = Fields::tagged("environment/1");
        for (name, value) in &self.variables {
            if !self.private.contains(name) {
                fields.text(name).text(value);
            }
        }
        fields.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> BTreeMap<String, String> {
        [
            ("PATH", "/usr/bin::bin:/work/repo/bin:/opt/bin:."),
            ("HOME", "/nowhere"),
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C"),
            ("CARGO_HOME", "/opt/cargo"),
            ("DATABASE_URL", "postgres://x"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret-value"),
            ("PROOFHOUSE_TOKEN", "plane-token-value"),
            ("LD_PRELOAD", "/evil.so"),
            ("UV_INDEX", "x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn built(home: &str, extra: &[&str]) -> Environment {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        child_environment(&EnvironmentPlan {
            parent: &parent(),
            extra: &extra,
            home: Path::new(home),
            tmp: Path::new(home),
            worktree: Some(Path::new("/work/repo")),
            is_gate: true,
            told: &[(Told::Run, home.to_owned())],
        })
    }

    /// X32, P32: nothing that is not named.
    #[test]
    fn only_what_is_allowed_gets_through() {
        let environment = built("/run/1", &["DATABASE_URL", "PROOFHOUSE_TOKEN"]);
        let names: Vec<&str> = environment.variables().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["CARGO_HOME", "CI", "DATABASE_URL", "HOME", "LANG", "LC_ALL", "PATH", "PROOFHOUSE_RUN", "TMPDIR"]
        );
        assert_eq!(environment.get("PATH"), Some("/usr/bin:/opt/bin"));
        assert_eq!(environment.get("HOME"), Some("/run/1"));
    }

    /// P32: the digest covers what can matter, and not the run's own folders.
    #[test]
    fn the_digest_is_that_of_what_matters() {
        assert_eq!(built("/run/1", &[]).digest(), built("/run/2", &[]).digest());
        assert_ne!(built("/run/1", &[]).digest(), built("/run/1", &["DATABASE_URL"]).digest());
    }

    /// S86: what the redactor learns from an environment.
    #[test]
    fn secrets_are_known_by_name() {
        let names: Vec<String> = secrets_in(&parent()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["AWS_SECRET_ACCESS_KEY", "PROOFHOUSE_TOKEN"]);
    }

    /// L60: what a preparer drops does not come back, what it sets privately stays.
    #[test]
    fn a_family_of_names_can_be_dropped() {
        let mut environment = built("/run/1", &["UV_INDEX"]);
        environment.set_private("UV_CACHE_DIR", "/run/1/uv");
        environment.drop_where(|name| name.starts_with("UV_"));
        assert_eq!((environment.get("UV_INDEX"), environment.get("UV_CACHE_DIR")), (None, Some("/run/1/uv")));
    }
}

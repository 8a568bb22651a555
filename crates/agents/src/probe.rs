//! What is there of an agent on this machine: its program, its version, whether that was tested (S75).

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use exec::{
    environment::{EnvironmentPlan, child_environment},
    run::{CapturePlan, Command, NotStarted, Outcome, Stderr, run},
};
use model::limits;

use crate::{
    agent::{Agent, Kind},
    builtin,
    version::{Tested, Version},
};

/// How much a program may say of its version.
const SAID: u64 = 64 << 10;
/// How much of that is quoted.
const QUOTE: usize = 200;

/// Whether an agent can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Its version is not one that was tested; it is used only where that is allowed.
    Untested {
        /// Those that were.
        tested: Tested,
        /// Whether it is allowed.
        allowed: bool,
    },
    /// It is not the one version that is wanted.
    Pinned {
        /// The one.
        wanted: Version,
        /// How to get it.
        install: Option<&'static str>,
    },
    /// There is no such program.
    Missing {
        /// How to get it.
        install: Option<&'static str>,
    },
    /// It does not say its version.
    Broken {
        /// What it did instead.
        message: String,
    },
}

impl Readiness {
    /// Whether a session may begin.
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Ready | Self::Untested { allowed: true, .. })
    }

    /// Its name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Untested { .. } => "untested",
            Self::Pinned { .. } => "pinned",
            Self::Missing { .. } => "missing",
            Self::Broken { .. } => "broken",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The program's version.
    pub version: Option<Version>,
    /// Whether it can be used.
    pub readiness: Readiness,
    /// Where the program lies.
    pub program: Option<PathBuf>,
    /// In words, for a person.
    pub words: String,
}

/// Where an agent's program lies, without starting it.
pub fn locate(agent: &Agent, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    agent.kind.adapter()?;
    find(agent.argv().first()?, environment.get("PATH").map_or("", String::as_str))
}

/// Whether an agent is here at all, without starting it: a program that lies there, a model that can be asked.
pub fn is_here(agent: &Agent, environment: &BTreeMap<String, String>) -> bool {
    match agent.kind {
        Kind::Scripted => true,
        Kind::Builtin => builtin::readiness(agent, environment).readiness.is_usable(),
        _ => locate(agent, environment).is_some(),
    }
}

/// Looks. `scratch` is a folder of the caller's: what the program wants to keep goes there, never into
/// the person's home.
pub async fn probe(agent: &Agent, environment: &BTreeMap<String, String>, scratch: &Path) -> Probe {
    if agent.kind == Kind::Builtin {
        return builtin::readiness(agent, environment);
    }
    let Some(adapter) = agent.kind.adapter() else {
        let words = "plays a script inside the binary: simulated".to_owned();
        return Probe { version: None, readiness: Readiness::Ready, program: None, words };
    };
    let argv = agent.argv();
    let name = argv.first().cloned().unwrap_or_default();
    let missing = |message: String| {
        let install = adapter.install();
        let words = match install {
            Some(install) => format!("{message}; install it: {install}"),
            None => message,
        };
        Probe { version: None, readiness: Readiness::Missing { install }, program: None, words }
    };
    let Some(program) = find(&name, environment.get("PATH").map_or("", String::as_str)) else {
        return missing(format!("{name}: not found, or it cannot be executed"));
    };
    let broken = |message: String| Probe {
        version: None,
        program: Some(program.clone()),
        words: message.clone(),
        readiness: Readiness::Broken { message },
    };
    let Some(tested) = adapter.tested() else {
        let words = format!("{}", program.display());
        return Probe { version: None, readiness: Readiness::Ready, program: Some(program), words };
    };
    if let Err(error) = std::fs::create_dir_all(scratch) {
        return broken(format!("failed to make {}: {error}", scratch.display()));
    }
    let env = child_environment(&EnvironmentPlan {
        parent: environment,
        extra: &[],
        home: scratch,
        tmp: scratch,
        worktree: None,
        is_gate: false,
        told: &[],
    });
    let end = run(Command {
        env: env.variables().clone(),
        timeout: limits::AGENT_PROBE,
        capture: CapturePlan::Memory { max: SAID },
        stderr: Stderr::Apart(CapturePlan::Memory { max: SAID }),
        ..exec::run::Command::new(argv.into_iter().chain(["--version".to_owned()]), scratch)
    })
    .await;
    let said = end.output.text().into_owned();
    let errors = end.errors.as_ref().map(|errors| errors.text().into_owned()).unwrap_or_default();
    match &end.outcome {
        Outcome::Exited { code: 0 } => {}
        Outcome::NotStarted { kind: NotStarted::NotFound | NotStarted::NotExecutable, message } => {
            return missing(message.clone());
        }
        other => {
            let quote: String = format!("{said}{errors}").trim().chars().take(QUOTE).collect();
            return broken(format!("{name} --version did not work ({}): {quote}", in_words(other)));
        }
    }
    // One of them (pi) says it on standard error.
    let Some(version) = Version::in_text(&said).or_else(|| Version::in_text(&errors)) else {
        let quote: String = said.trim().chars().take(QUOTE).collect();
        return broken(format!("{name} --version names no version: {quote:?}"));
    };
    let (readiness, words) = judge(agent, version, tested, adapter.install());
    Probe { version: Some(version), readiness, program: Some(program), words }
}

/// Whether a version may be used.
fn judge(agent: &Agent, version: Version, tested: Tested, install: Option<&'static str>) -> (Readiness, String) {
    match agent.pin {
        Some(wanted) if wanted != version => {
            let words = format!("version {version}, and {wanted} is pinned; install it: {}", install.unwrap_or("?"));
            (Readiness::Pinned { wanted, install }, words)
        }
        Some(_) => (Readiness::Ready, format!("version {version}, as pinned")),
        None if tested.covers(version) => (Readiness::Ready, format!("version {version}")),
        None => {
            let allowed = agent.allow_untested;
            let words = format!("version {version} is untested; tested: {tested}");
            let hint = if allowed { "" } else { "; allow_untested takes it all the same" };
            (Readiness::Untested { tested, allowed }, format!("{words}{hint}"))
        }
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("exit {code}"),
        Outcome::Signaled { signal } => format!("signal {signal}"),
        Outcome::TimedOut { limit } => format!("not within {} s", limit.as_secs()),
        Outcome::LimitReached { limit } => format!("too much {}", limit.name()),
        Outcome::Cancelled => "stopped".to_owned(),
        Outcome::OutputCap { .. } => "it printed too much".to_owned(),
        Outcome::NotStarted { message, .. } => message.clone(),
    }
}

/// The program behind a name, as `execvp` would find it.
fn find(name: &str, path: &str) -> Option<PathBuf> {
    let can_run =
        |path: &Path| path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| can_run(path));
    }
    path.split(':')
        .filter(|folder| folder.starts_with('/') && !name.is_empty())
        .map(|folder| Path::new(folder).join(name))
        .find(|path| can_run(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    // S75: pinned, tested, untested; an untested one says so even where it is allowed.
    #[test]
    fn a_version_is_judged() {
        let tested = Tested { from: Version(2, 1, 0), below: Version(2, 2, 0) };
        let agent =
            |pin: Option<Version>, allow_untested: bool| Agent { pin, allow_untested, ..Agent::of(Kind::Command) };
        for (agent, version, name, usable) in [
            (agent(None, false), Version(2, 1, 5), "ready", true),
            (agent(None, false), Version(2, 2, 0), "untested", false),
            (agent(None, true), Version(2, 2, 0), "untested", true),
            (agent(Some(Version(3, 0, 0)), false), Version(3, 0, 0), "ready", true),
            (agent(Some(Version(3, 0, 0)), true), Version(2, 1, 5), "pinned", false),
        ] {
            let (readiness, words) = judge(&agent, version, tested, Some("npm install x"));
            assert_eq!((readiness.name(), readiness.is_usable()), (name, usable), "{words}");
            assert!(words.contains(&version.to_string()), "{words}");
            assert_eq!(name == "pinned", words.contains("npm install x"), "{words}");
        }
    }
}

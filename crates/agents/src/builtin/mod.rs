//! The agent inside the binary: a loop of requests and tools over any provider (section 8 of solve).
//!
//! Its tools touch files only below its folder, through handles that follow no link out of it, and start processes only
//! through `exec`, behind the fence of the session. What a model says is never searched for words that would decide
//! anything; a session is over when a reply uses no tool (S35, S36).

mod compact;
mod exchange;
mod files;
mod look;
mod palette;
mod shell;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Instant, SystemTime},
};

use exec::{environment::secrets_in, sandbox::SandboxReport};
use model::{
    agent::fold::{AgentOutcome, Ending, Fold, NotStarted, ProcessEnd},
    failure::{Failure, FailureCode},
    provider::{Configuration, ModelName, Provider},
};
use tokio_util::sync::CancellationToken;

use self::{
    exchange::{Broken, Exchange},
    shell::Shell,
};
use crate::{
    agent::Agent,
    drive::Driven,
    probe::{Probe, Readiness},
    provider::{configuration_in, key_of},
    record::{Record, Unkept},
    session::Session,
    sink::Sink,
};

/// Which model a session asks.
struct Chosen {
    configuration: Configuration,
    provider: Provider,
    model: ModelName,
}

fn choose(agent: &Agent, wanted: Option<&str>, environment: &BTreeMap<String, String>) -> Result<Chosen, String> {
    let configuration = match &agent.providers {
        Some(folder) => configuration_in(folder).map_err(|error| error.to_string())?,
        None => Configuration::default(),
    };
    let model = match wanted {
        Some(wanted) => wanted.parse::<ModelName>().map_err(|error| error.to_string())?,
        None => configuration
            .default_model(|provider| key_of(provider, environment).is_ok())
            .ok_or("no model can be asked: no provider has its key (`proofhouse provider list`)")?,
    };
    let provider = configuration.provider(&model.provider).cloned();
    let provider = provider.ok_or_else(|| format!("{model}: there is no provider {}", model.provider))?;
    if !provider.enabled {
        return Err(format!("{model}: the provider {} is turned off", provider.name));
    }
    key_of(&provider, environment).map_err(|refused| format!("{model}: {refused}"))?;
    Ok(Chosen { configuration, provider, model })
}

/// Whether a model can be asked at all, without asking one (S73).
pub(crate) fn readiness(agent: &Agent, environment: &BTreeMap<String, String>) -> Probe {
    let (readiness, words) = match choose(agent, None, environment) {
        Ok(chosen) => (Readiness::Ready, format!("inside this binary, asks {}", chosen.model)),
        Err(why) => (Readiness::Missing { install: None }, why),
    };
    Probe { version: None, readiness, program: None, words }
}

fn absent(session: &Session, why: NotStarted, code: FailureCode, message: String) -> Driven {
    let process = ProcessEnd::NotStarted { why, message: message.clone() };
    let mut end = Fold::default().end(&ending(session, process.clone(), None));
    end.outcome = AgentOutcome::Failed(Failure::new(code, message));
    Driven::without_process(end, process)
}

fn ending(session: &Session, process: ProcessEnd, over_cap: Option<u64>) -> Ending {
    Ending { process, over_cap, tail: String::new(), billing: session.agent.billing }
}

/// Holds the session's conversation to its end.
pub(crate) async fn converse(session: Session, sink: &mut dyn Sink, stop: CancellationToken) -> Driven {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let chosen = match choose(&session.agent, session.model.as_deref(), &session.environment) {
        Ok(chosen) => chosen,
        Err(message) => return absent(&session, NotStarted::Other, FailureCode::ProviderAuth, message),
    };
    let shell = match Shell::ready(&session).await {
        Ok(shell) => shell,
        Err((why, message)) => {
            let code = if why == NotStarted::Refused { FailureCode::PolicyDenied } else { FailureCode::Internal };
            return absent(&session, why, code, message);
        }
    };
    let key = key_of(&chosen.provider, &session.environment).ok().flatten();
    let key = key.map(|key| ("provider key".to_owned(), key.expose().to_owned()));
    let secrets = session.secrets.iter().cloned().chain(secrets_in(&session.environment)).chain(key);
    let record = match Record::open(&session, sink, secrets) {
        Ok(record) => record,
        Err(error) => {
            let message = format!("failed to keep the output: {error}");
            return absent(&session, NotStarted::Other, FailureCode::DiskFull, message);
        }
    };
    let sandbox = shell.report().clone();
    let mut exchange = Exchange::new(&session, record, chosen, shell);
    let halt = stop.child_token();
    let mut is_late = false;
    let talked = {
        let talking = exchange.talk(&halt);
        tokio::pin!(talking);
        tokio::select! {
            talked = &mut talking => talked,
            () = tokio::time::sleep(session.limits.wall) => {
                is_late = true;
                halt.cancel();
                // What runs is ended, and what was used so far is told.
                talking.await
            }
        }
    };
    let record = exchange.into_record();
    let process = match &talked {
        _ if stop.is_cancelled() => ProcessEnd::Cancelled,
        Err(Broken::Unkept(Unkept::Sink)) => ProcessEnd::Cancelled,
        _ if is_late => ProcessEnd::TimedOut { seconds: session.limits.wall.as_secs() },
        _ => ProcessEnd::Inside,
    };
    let over_cap = (record.size() > session.limits.output).then_some(session.limits.output);
    let (fold, raw) = record.close();
    let mut end = fold.end(&ending(&session, process.clone(), over_cap));
    if process == ProcessEnd::Inside && over_cap.is_none() {
        match talked {
            Err(Broken::Failed(failure)) => end.outcome = AgentOutcome::Failed(failure),
            Err(Broken::Unkept(Unkept::Disk(message))) => {
                end.outcome = AgentOutcome::Failed(Failure::new(FailureCode::DiskFull, message));
            }
            Ok(()) | Err(Broken::Unkept(Unkept::Sink) | Broken::Halted) => {}
        }
    }
    Driven { end, process, sandbox, version: None, raw: Some(raw), is_truncated: false, started, took: clock.elapsed() }
}

/// A report for where nothing can be started.
fn unfenced() -> SandboxReport {
    SandboxReport::none()
}

/// A path below a folder as a model writes it, with links on its way followed as long as they stay inside (S41).
/// The path that is handed out has no link in it.
fn inside(root: &Path, path: &str) -> Result<String, String> {
    let refused = |why: &str| Err(format!("{path}: {why}"));
    let path = path.trim_start_matches("./").trim_end_matches('/');
    if path.is_empty() || path == "." {
        return Ok(String::new());
    }
    if path.starts_with('/') || path.starts_with('~') {
        return refused("paths are written from the top of the worktree, without a leading slash");
    }
    if path.split('/').any(|part| part == ".." || part.is_empty() || part == ".") || path.contains('\0') {
        return refused("is no plain path below the worktree");
    }
    if path.split('/').any(model::change::could_be_git) {
        return refused("git's own files are not for tools");
    }
    let root = root.canonicalize().map_err(|error| format!("the worktree cannot be read: {error}"))?;
    // The longest part of it that is there is resolved; the rest is new and has no links.
    let (mut there, mut new) = (root.join(path), Vec::new());
    let resolved = loop {
        match there.canonicalize() {
            Ok(resolved) => break resolved,
            Err(_) if there.symlink_metadata().is_ok() => return refused("is a link that leads nowhere"),
            Err(_) => {}
        }
        let Some(name) = there.file_name().map(ToOwned::to_owned) else { return refused("is no path") };
        new.push(name);
        if !there.pop() {
            return refused("is no path");
        }
    };
    let Ok(below) = resolved.strip_prefix(&root) else { return refused("leads out of the worktree") };
    let whole = new.into_iter().rev().fold(below.to_owned(), |whole, name| whole.join(name));
    let Some(text) = whole.to_str() else { return refused("is no UTF-8") };
    if text.split('/').any(model::change::could_be_git) {
        return refused("git's own files are not for tools");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    // S41: beneath the worktree, links included; nothing absolute, nothing of git's.
    #[test]
    fn a_path_stays_inside() {
        let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = tree.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(root.join(".git")).unwrap();
        std::fs::write(root.join("a/file"), "x").unwrap();
        symlink("a/file", root.join("good")).unwrap();
        symlink(".git", root.join("sly")).unwrap();
        symlink(other.path(), root.join("out")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        for (path, expected) in [
            ("a/file", "a/file"),
            ("./a/b/", "a/b"),
            ("good", "a/file"),
            ("a/new/deep.txt", "a/new/deep.txt"),
            (".", ""),
            ("...x", "...x"),
        ] {
            assert_eq!(inside(root, path).as_deref(), Ok(expected), "{path}");
        }
        for path in [
            "/etc/passwd",
            "~/x",
            "../x",
            "a/../../x",
            "a//b",
            ".git/config",
            ".GIT/x",
            "sly/config",
            "out",
            "out/x",
            "dangling",
            "a\0b",
        ] {
            assert!(inside(root, path).is_err(), "{path}");
        }
    }
}

//! What every test stands in: a worktree, a folder of the session's own, and agents that are scripts.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use exec::sandbox::{RunFolders, SandboxPlan};
use model::{
    agent::{event::AgentEvent, fold::AgentOutcome},
    failure::FailureCode,
};
use proofhouse_agents::{Agent, Collected, Driven, Session, drive};
use tokio_util::sync::CancellationToken;

/// A place of one's own; gone with its end.
pub struct House {
    pub folder: tempfile::TempDir,
}

impl House {
    pub fn new() -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["tree", "own", "person"] {
            fs::create_dir(house.at(folder)).unwrap();
        }
        house
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// Keeps what a session printed, for a new golden transcript, where somebody wants that.
    pub fn keep(&self, name: &str) {
        if let Some(folder) = std::env::var_os("PROOFHOUSE_KEEP_TRANSCRIPTS").filter(|folder| !folder.is_empty()) {
            let raw = self.read("own/agent.raw").replace(&self.at("tree").display().to_string(), "WORKTREE");
            fs::write(PathBuf::from(folder).join(format!("{name}.jsonl")), raw).unwrap();
        }
    }

    /// A shell script that may be executed.
    pub fn script(&self, body: &str) -> PathBuf {
        let path = self.at("agent.sh");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// An agent of kind command that runs a script.
    pub fn command(&self, words: &str, body: &str) -> Agent {
        format!("mine=command{words}:{}", self.script(body).display()).parse().unwrap()
    }

    pub fn session(&self, agent: Agent, prompt: &str) -> Session {
        let mut session = Session::new(agent, self.at("tree"), &self.at("own"), prompt);
        session.environment = BTreeMap::from([
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("HOME".to_owned(), self.at("person").display().to_string()),
            ("MY_TOKEN".to_owned(), "token-of-the-person".to_owned()),
            ("UNNAMED".to_owned(), "unnamed-value".to_owned()),
        ]);
        session.limits.wall = Duration::from_secs(60);
        session
    }

    /// The same, fenced.
    pub fn fenced(&self, agent: Agent, prompt: &str) -> Session {
        let mut session = self.session(agent, prompt);
        let folders = RunFolders::make(&self.at("own")).unwrap();
        session.sandbox = SandboxPlan::in_worktree(&session.cwd, &[], &folders, vec![self.at("person")]);
        session
    }
}

/// Drives a session and hands out all that was told.
pub async fn driven(session: Session) -> (Driven, Collected) {
    let mut sink = Collected::default();
    let driven = drive(session, &mut sink, CancellationToken::new()).await;
    (driven, sink)
}

#[track_caller]
pub fn answer(driven: &Driven) -> &str {
    match &driven.end.outcome {
        AgentOutcome::Completed { answer } => answer,
        other => panic!("it did not complete: {other:?}"),
    }
}

#[track_caller]
pub fn failure(driven: &Driven) -> (FailureCode, &str) {
    match &driven.end.outcome {
        AgentOutcome::Failed(failure) => (failure.code, &failure.message),
        other => panic!("it did not fail: {other:?}"),
    }
}

pub fn kinds(sink: &Collected) -> Vec<&'static str> {
    sink.seen.iter().map(|seen| seen.event.kind()).collect()
}

pub fn events(sink: &Collected) -> impl Iterator<Item = &AgentEvent> {
    sink.seen.iter().map(|seen| &seen.event)
}

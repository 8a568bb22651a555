//! A plane over a repository of a person, with agents that are shell scripts: what the tests of dispatch runs stand in.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use model::{
    actor::Actor,
    id::{IssueId, RunId, UserId},
    issue::{Attention, IssueStatus, NewIssue},
    journal::StreamId,
    problem::Problem,
    project::Project,
    run::{Run, RunKind},
};
use proofhouse_engine::{
    Clock, DataFolder, Engine, EngineConfig, Submit, Submitted,
    dispatch::Detail,
    projects::{NewProject, POLICY},
};
use serde_json::{Value, json};
use store::{Store, StoreUrl};
use tempfile::TempDir;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct House {
    pub engine: Engine,
    pub project: Project,
    pub folder: TempDir,
}

pub fn owner() -> Actor {
    Actor::Person { id: UserId::from_uuid(Uuid::from_u128(1)), name: "Ada".to_owned() }
}

/// A policy that lets these agents write everything.
pub fn policy() -> Value {
    json!({
        "allowed_paths": {"*": ["."]},
        "agents": ["worker", "other", "scripted"],
        "dispatch": {"apply": ["worktree", "in_place", "none"], "allow_delete": true},
    })
}

impl House {
    /// With agents by name, each a shell script; behind the name stand the words of its declaration.
    pub async fn with(agents: &[(&str, &str)]) -> Self {
        Self::at(Clock::system(), agents).await
    }

    /// The same, by a clock.
    pub async fn at(clock: Clock, agents: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        fs::create_dir_all(&root).unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(folder.path().join("data")).unwrap();
        let mut declared = String::new();
        for (name, script) in agents {
            let (name, words) = name.split_at(name.find(',').unwrap_or(name.len()));
            let path = bin.join(name);
            fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 1.0.0; exit 0; }}\n{script}\n"))
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            declared.push_str(&format!("{name}=command{words}:{}\n", path.display()));
        }
        fs::write(folder.path().join("data/agents"), declared).unwrap();
        fs::set_permissions(folder.path().join("data/agents"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(root.join("a.txt"), "a\n").unwrap();
        fs::write(root.join("b.txt"), "b\n").unwrap();
        fs::write(root.join("README.md"), "# Shop\n").unwrap();
        fs::write(root.join(".gitignore"), "target/\n").unwrap();
        fs::create_dir_all(root.join(".proofhouse/roles")).unwrap();
        for output in ["files", "worktree"] {
            let text = format!(
                "---\nid: by-{output}\ntitle: T\nversion: 1.0.0\ncategory: role\nuse_case: tests\ntimeout_s: 60\n\
                 output: {output}\nintent: implement\n---\n{{{{issue.title}}}}\n{{{{issue.body}}}}\n{{{{nonsense}}}}\n"
            );
            fs::write(root.join(format!(".proofhouse/roles/by-{output}.md")), text).unwrap();
        }
        git(&root, &["init", "-q", "-b", "main"]);
        git(&root, &["add", "-A"]);
        git(&root, &["commit", "-q", "-m", "first"]);
        let engine = engine_at(folder.path(), clock).await;
        let new = NewProject { path: root.to_str().unwrap().to_owned(), key: None, name: None };
        let project = engine.register_project(new, &owner()).await.unwrap().project;
        engine.set_document(project.id, POLICY, policy(), 0, &owner()).await.unwrap();
        Self { engine, project, folder }
    }

    pub fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    pub async fn issue(&self, title: &str) -> IssueId {
        let new: NewIssue =
            serde_json::from_value(json!({"title": title, "body": "Please.", "status": "ready"})).unwrap();
        self.engine.file_issue(self.project.id, new, &owner(), None).await.unwrap().issue.id
    }

    pub async fn start(&self, issue: IssueId, config: Value) -> Result<Submitted, Problem> {
        self.engine
            .submit(Submit {
                project: self.project.id,
                kind: RunKind::DISPATCH,
                config,
                actor: owner(),
                join: false,
                once: None,
                retry_of: None,
                issue: Some(issue),
            })
            .await
    }

    pub async fn until(&self, run: RunId, is_there: impl Fn(&Run) -> bool) -> Run {
        let start = Instant::now();
        loop {
            let now = self.engine.run(run).await.unwrap();
            if is_there(&now) {
                return now;
            }
            assert!(start.elapsed() < PATIENCE, "{now:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn ended(&self, run: RunId) -> (Run, Detail) {
        let run = self.until(run, |run| run.status.is_terminal()).await;
        let detail = Detail::of(&run).unwrap();
        (run, detail)
    }

    pub async fn done(&self, title: &str, config: Value) -> (Run, Detail) {
        let issue = self.issue(title).await;
        let started = self.start(issue, config).await.unwrap();
        self.ended(started.run.id).await
    }

    /// Every entry of a run, whose numbers have no hole and whose last is its end.
    pub async fn journal(&self, run: RunId) -> Vec<(String, Value)> {
        let entries = self
            .engine
            .store()
            .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.entries(StreamId::Run(run), 0, 10_000).await?) }))
            .await
            .unwrap();
        for (number, entry) in entries.iter().enumerate() {
            assert_eq!(entry.seq, number as u64 + 1, "a hole in the journal");
        }
        let told: Vec<(String, Value)> =
            entries.into_iter().map(|entry| (entry.kind, serde_json::from_str(&entry.data).unwrap())).collect();
        assert_eq!(told.iter().filter(|entry| entry.0 == "run.finished").count(), 1);
        assert_eq!(told.last().unwrap().0, "run.finished");
        told
    }

    pub async fn issue_now(&self, issue: IssueId) -> (IssueStatus, Attention) {
        let detailed = self.engine.issue(issue.to_string().parse().unwrap()).await.unwrap();
        (detailed.issue.status, detailed.card.attention)
    }
}

pub async fn engine_at(folder: &Path, clock: Clock) -> Engine {
    let data = DataFolder::open(&folder.join("data"), "test").unwrap();
    let store = Store::open(StoreUrl::Sqlite(data.database())).await.unwrap();
    let config = EngineConfig { data, store, clock, slots: Some(2), embedded_worker: true, kinds: Vec::new() };
    Engine::start(config).await.unwrap()
}

pub fn git(root: &Path, args: &[&str]) -> String {
    let out = std::process::Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "core.quotePath=false"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}

/// Every file below a folder but those of git's own, and git's index, HEAD and stash.
pub fn picture(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut seen = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(next) = open.pop() {
        let data = next.symlink_metadata().unwrap();
        if data.is_dir() {
            if next != root.join(".git") {
                open.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else {
            seen.push((next.clone(), data.permissions().mode(), fs::read(&next).unwrap_or_default()));
        }
    }
    for name in ["index", "HEAD", "config", "refs/stash"] {
        seen.push((name.into(), 0, fs::read(root.join(".git").join(name)).unwrap_or_default()));
    }
    seen.sort();
    seen
}

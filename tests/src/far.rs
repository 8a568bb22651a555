//! `proofhouse worker` as a process of its own: a machine with agents, as a plane sees it from afar.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::Client;

use crate::{process::Process, programs::proofhouse, work::text};

/// A worker's machine: its folder, its person's home, and the process that may run there.
#[derive(Debug)]
pub struct Far {
    /// What the worker is called.
    pub name: String,
    folder: TempDir,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Far {
    /// A worker that is paired with a plane under an address.
    pub fn paired(owner: &Client, url: &str, name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("far-").tempdir().expect("a temporary folder can be made");
        let far = Self { name: name.to_owned(), folder, environment: Vec::new(), process: None };
        fs::create_dir_all(far.home()).expect("folders can be made");
        let code = text(&owner.post("/workers/pairings", &json!({"name": name})).expect(201), "code");
        let paired = far.run(&["pair", url, &code]);
        assert!(paired.status.success(), "{}", String::from_utf8_lossy(&paired.stderr));
        far
    }

    /// Its person's home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The worker's folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Everything of the machine.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A variable of the environment that the worker is started in.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Writes an agent: a shell script behind a look at its version.
    pub fn script(&self, name: &str, body: &str) -> String {
        let path = self.folder.path().join(name);
        let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 1.0.0; exit 0; }}\n{body}\n");
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        format!("{name}={}", path.display())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(proofhouse());
        command
            .arg("worker")
            .args(words)
            .arg("--state")
            .arg(self.state())
            .env("HOME", self.home())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("PROOFHOUSE_DATA")
            .env_remove("PROOFHOUSE_SERVER")
            .env_remove("PROOFHOUSE_TOKEN")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program was built and can be started")
    }

    /// Starts the worker with these agents and further flags.
    pub fn start(&mut self, agents: &[String], flags: &[&str]) {
        let mut words = vec!["run"];
        words.extend(agents.iter().flat_map(|agent| ["--agent", agent]));
        words.extend(flags);
        let log = fs::File::options().append(true).create(true).open(self.folder.path().join("log"));
        let log = log.expect("a log can be written");
        let mut command = self.command(&words);
        let child = command.stdout(log.try_clone().expect("a file can be shared")).stderr(log).spawn();
        self.process = Some(child.expect("the program was built and can be started").into());
    }

    /// The process that runs now.
    #[track_caller]
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the worker runs")
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process().signal(libc::SIGTERM);
        let end = self.process().ends_within(Duration::from_secs(20));
        assert!(end.is_some_and(|end| end.success()), "it does not end well: {end:?} {}", self.log());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many tasks it has in hand.
    pub fn in_hand(&self) -> usize {
        fs::read_dir(self.state().join("tasks")).map_or(0, Iterator::count)
    }

    /// The processes that work in its folder: its agents and what they started.
    pub fn children(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let root = self.folder.path().canonicalize().expect("the folder is there");
        for entry in fs::read_dir("/proc").expect("Linux lists its processes").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process that has ended meanwhile has no folder.
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&root)) {
                found.push(pid);
            }
        }
        found
    }

    /// Waits until the plane knows these agents of it as healthy.
    #[track_caller]
    pub fn offers(&self, owner: &Client, agents: &[&str]) {
        let from = Instant::now();
        loop {
            let shown = self.shown(owner);
            let offers = shown["offers"].as_array().cloned().unwrap_or_default();
            if agents.iter().all(|agent| offers.contains(&json!(format!("agent:{agent}")))) {
                return;
            }
            assert!(from.elapsed() < Duration::from_secs(90), "{agents:?} are not offered: {shown} {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the plane shows of it.
    #[track_caller]
    pub fn shown(&self, owner: &Client) -> Value {
        let list = owner.get("/workers").expect(200);
        let found = list["items"].as_array().and_then(|items| items.iter().find(|one| one["name"] == *self.name));
        found.cloned().unwrap_or_else(|| panic!("no {} in {list}", self.name))
    }
}

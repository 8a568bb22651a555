//! A plane's server as a process of its own, over a data folder that outlives it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use testkit::http::Client;

use crate::{process::Process, programs::Program};

/// A plane that can be killed and started again.
#[derive(Debug)]
pub struct Server {
    program: Program,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    root: PathBuf,
    process: Option<Process>,
    address: Option<SocketAddr>,
    _folder: Option<TempDir>,
}

impl Server {
    /// The plane with the kind `probe`, on a fresh data folder.
    pub fn with_probe() -> Self {
        Self::fresh(Program::WithProbe, &[])
    }

    /// The product, on a fresh data folder.
    pub fn proofhouse() -> Self {
        Self::fresh(Program::Proofhouse, &[])
    }

    /// A program with further arguments, on a fresh data folder.
    pub fn fresh(program: Program, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir().expect("a temporary folder can be made");
        let root = folder.path().join("data");
        Self { _folder: Some(folder), ..Self::on(&root, program, arguments) }
    }

    /// A program on a data folder that is the test's own.
    pub fn on(root: &Path, program: Program, arguments: &[&str]) -> Self {
        Self::surrounded(root, program, arguments, &[])
    }

    /// The same with further variables in its environment, in all its lives.
    pub fn surrounded(root: &Path, program: Program, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut server = Self {
            program,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            root: root.to_owned(),
            process: None,
            address: None,
            _folder: None,
        };
        server.start();
        server
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The process that runs now.
    #[track_caller]
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Starts it again on its folder, and waits until it is ready. Answers how long that took.
    pub fn start(&mut self) -> Duration {
        // Building it, where that is still to be done, is not part of its start.
        self.program.path();
        let from = Instant::now();
        self.spawn();
        let address = self.published(from);
        self.address = Some(address);
        let probe = Client::new(address, None);
        while !matches!(probe.call("GET", "//readyz", &[], None), Ok(reply) if reply.status == 200) {
            assert!(from.elapsed() < Duration::from_secs(30), "the server is not ready after 30 s: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        from.elapsed()
    }

    /// Starts the process without waiting for anything.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        let log = self.root.with_extension("log");
        fs::create_dir_all(self.root.parent().expect("a data folder lies in a folder")).expect("folders can be made");
        let log = fs::OpenOptions::new().append(true).create(true).open(log).expect("a log can be written");
        let child = Command::new(self.program.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("PROOFHOUSE_DATA", &self.root)
            .env_remove("PROOFHOUSE_STORE")
            .env_remove("PROOFHOUSE_LISTEN")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the program was built and can be started");
        self.process = Some(child.into());
    }

    /// Where the process that runs now listens, once it has said so.
    fn published(&mut self, from: Instant) -> SocketAddr {
        let pid = self.process().pid();
        loop {
            let told = fs::read(self.root.join("server.json")).ok();
            let told: Option<Value> = told.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if let Some(told) = told.filter(|told| told["pid"] == pid) {
                let url = told["url"].as_str().unwrap_or_default();
                return url.trim_start_matches("http://").parse().expect("the server publishes its address");
            }
            if let Some(status) = self.process().ends_within(Duration::ZERO) {
                panic!("the server ended at its start ({}): {}", crate::process::end(status), self.log());
            }
            assert!(from.elapsed() < Duration::from_secs(30), "the server does not listen after 30 s: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, and its end within ten seconds (F21).
    pub fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the server runs");
        process.signal(libc::SIGTERM);
        process
            .ends_within(Duration::from_secs(10))
            .unwrap_or_else(|| panic!("the server still runs ten seconds after SIGTERM: {}", self.log()))
    }

    /// Where it listens.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.address.expect("the server was started")
    }

    /// The data folder's owner as a client.
    pub fn client(&self) -> Client {
        let token = fs::read_to_string(self.root.join("local.token")).expect("a started server leaves a local token");
        Client::new(self.address(), Some(token.trim()))
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.with_extension("log")).unwrap_or_default()
    }

    /// All entries of a stream, such as `runs/ID` or `projects/ID`, in pages.
    pub fn journal(&self, of: &str) -> Vec<Value> {
        let client = self.client();
        let mut entries: Vec<Value> = Vec::new();
        loop {
            let since = entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap_or_default());
            let page = client.get(&format!("/{of}/entries?since={since}&limit=1000")).expect(200);
            let items = page["items"].as_array().cloned().unwrap_or_default();
            if items.is_empty() {
                return entries;
            }
            entries.extend(items);
        }
    }
}

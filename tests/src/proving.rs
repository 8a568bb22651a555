//! A project to prove: a real repository with gates that do what a test says, registered at the product
//! as a process of its own, with one requirement for each gate.
//!
//! What a gate leaves in `log/` tells how often it was started; that folder is ignored by git, so it is
//! no part of the tree. `./child` is the test kit's scripted child, ignored likewise.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    Repo,
    http::{Client, Reply},
};

use crate::{programs, programs::Program, server::Server, work::text};

/// The project's key.
pub const KEY: &str = "shop";

/// A gate of the project.
#[derive(Debug, Clone)]
pub struct Gate {
    name: String,
    argv: Vec<String>,
    keys: Vec<String>,
    script: Option<String>,
}

impl Gate {
    /// A shell script. Its first act is a line in `log/NAME`, so that each start is counted.
    pub fn script(name: &str, body: &str) -> Self {
        let script = format!("#!/bin/sh\nmkdir -p log\necho started >> log/{name}\n{body}\n");
        let argv = vec![format!("./gates/{name}")];
        Self { name: name.to_owned(), argv, keys: Vec::new(), script: Some(script) }
    }

    /// The scripted child with these steps, as one would type them.
    pub fn child(name: &str, steps: &str) -> Self {
        let argv = std::iter::once("./child").chain(steps.split_whitespace());
        Self::command(name, &argv.collect::<Vec<_>>())
    }

    /// Any command.
    pub fn command(name: &str, argv: &[&str]) -> Self {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        Self { name: name.to_owned(), argv, keys: Vec::new(), script: None }
    }

    /// With a further line of `proofhouse.toml`.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.keys.push(line.to_owned());
        self
    }

    fn section(&self) -> String {
        let has = |key: &str| self.keys.iter().any(|line| line.starts_with(key));
        let mut lines = vec![format!("[proof.gates.{}]", self.name)];
        if !has("how") {
            lines.push("runner = \"command\"".to_owned());
            lines.push(format!("argv = {}", json!(self.argv)));
        }
        lines.extend(self.keys.iter().cloned());
        lines.join("\n") + "\n"
    }

    fn is_review(&self) -> bool {
        self.keys.iter().any(|line| line.starts_with("how"))
    }
}

/// A server, a repository and the project between them.
#[derive(Debug)]
pub struct Proving {
    /// The server, which can be killed and started again.
    pub server: Server,
    /// The project's checkout.
    pub repo: Repo,
    folder: TempDir,
}

impl Proving {
    /// A project with these gates and one requirement for each, in their order.
    pub fn new(gates: &[Gate]) -> Self {
        Self::at(gates, &[], &[])
    }

    /// The same, with arguments and further environment for the server.
    pub fn at(gates: &[Gate], arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("prove-").tempdir().expect("a temporary folder can be made");
        let root = folder.path().join("data");
        let server = Server::surrounded(&root, Program::Proofhouse, arguments, environment);
        let proving = Self { server, repo: Repo::new(), folder };
        proving.declare(gates);
        proving.register(gates);
        proving
    }

    /// The folder that server and test share, beside the data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the gates into the repository and commits.
    pub fn declare(&self, gates: &[Gate]) {
        self.repo.file("README.md", "a shop\n").file(".gitignore", "/log/\n/child\n");
        self.repo.file("proofhouse.toml", gates.iter().map(Gate::section).collect::<Vec<_>>().join("\n"));
        for gate in gates {
            if let Some(script) = &gate.script {
                let body = script.strip_prefix("#!/bin/sh\n").unwrap_or(script);
                self.repo.script(&format!("gates/{}", gate.name), body);
            }
        }
        fs::create_dir_all(self.repo.at("log")).expect("folders can be made");
        let child = self.repo.at("child");
        if !child.exists() {
            fs::copy(programs::scripted_child(), child).expect("a program can be copied");
        }
        self.repo.commit();
    }

    fn register(&self, gates: &[Gate]) {
        let owner = self.client();
        let path = self.repo.path().display().to_string();
        owner.post("/projects", &json!({"path": path, "key": KEY})).expect(201);
        let mut programs: Vec<&str> = gates.iter().filter_map(|gate| gate.argv.first()).map(String::as_str).collect();
        programs.extend(["./child", "no-such-program"]);
        programs.sort_unstable();
        programs.dedup();
        self.policy(&json!({
            "allowed_paths": {"*": ["."]},
            "commands": programs.iter().map(|program| json!({"program": program, "decision": "allow"})).collect::<Vec<_>>(),
        }));
        for gate in gates {
            self.capture(gate);
        }
    }

    /// Captures one requirement for a gate; its id.
    pub fn capture(&self, gate: &Gate) -> String {
        let how = if gate.is_review() { "review" } else { "suite" };
        let body = json!({
            "title": format!("{} holds", gate.name), "description": "It does.", "gates": [gate.name],
            "rules": [{"gate": gate.name, "how": how}],
        });
        text(&self.client().post(&format!("/projects/{KEY}/proof/requirements"), &body).expect(201), "id")
    }

    /// Saves a policy over the one there is.
    pub fn policy(&self, policy: &Value) {
        let owner = self.client();
        let path = format!("/projects/{KEY}/settings/policy");
        let now = owner.get(&path);
        let revision = if now.status == 200 { now.json()["revision"].as_u64().unwrap_or(0) } else { 0 };
        let header = [("if-match", &*revision.to_string())];
        let saved = owner.call("PUT", &path, &header, Some(policy)).expect("the server answers");
        saved.expect(200);
    }

    /// The owner as a client of the server as it runs now.
    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// Asks for a run.
    pub fn ask(&self, config: &Value) -> Reply {
        self.client().post(&format!("/projects/{KEY}/runs"), &json!({"kind": "proof", "config": config}))
    }

    /// Starts a run; its id.
    #[track_caller]
    pub fn start(&self, config: &Value) -> String {
        text(&self.ask(config).expect(202), "run")
    }

    /// A run as it stands.
    pub fn run(&self, run: &str) -> Value {
        self.client().get(&format!("/runs/{run}")).expect(200)
    }

    /// A run's gates, all pages of them.
    pub fn gates(&self, run: &str) -> Vec<Value> {
        self.list(&format!("/runs/{run}/gates?limit=200"))
    }

    /// All items of a list.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let client = self.client();
        let (mut items, mut cursor): (Vec<Value>, String) = (Vec::new(), String::new());
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let address = if cursor.is_empty() { path.to_owned() } else { format!("{path}{mark}cursor={cursor}") };
            let page = client.get(&address).expect(200);
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return items,
            }
        }
    }

    /// Each gate's reason, `passed` or its state, by the gate's name.
    pub fn reasons(&self, run: &str) -> BTreeMap<String, String> {
        let said = |gate: &Value| gate["reason"].as_str().or(gate["state"].as_str()).unwrap_or_default().to_owned();
        self.gates(run).iter().map(|gate| (text(gate, "gate"), said(gate))).collect()
    }

    /// Waits until something holds of the run; what it then was.
    #[track_caller]
    pub fn until(&self, run: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let from = Instant::now();
        loop {
            let now = self.run(run);
            if holds(&now) {
                return now;
            }
            let waited = from.elapsed();
            assert!(waited < Duration::from_secs(60), "not {what} after {waited:?}: {now}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of a run.
    #[track_caller]
    pub fn ended(&self, run: &str) -> Value {
        self.until(run, "ended", |run| is_terminal(text(run, "status").as_str()))
    }

    /// Waits until a gate says this.
    #[track_caller]
    pub fn gate_is(&self, run: &str, gate: &str, state: &str) {
        let from = Instant::now();
        while self.reasons(run).get(gate).map(String::as_str) != Some(state) {
            assert!(from.elapsed() < Duration::from_secs(30), "{gate} is not {state}: {:?}", self.reasons(run));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a gate's process has written a line into its log.
    #[track_caller]
    pub fn logged(&self, gate: &str, line: &str) {
        let from = Instant::now();
        while !self.log(gate).iter().any(|logged| logged == line) {
            assert!(from.elapsed() < Duration::from_secs(30), "{gate} did not log {line}: {:?}", self.log(gate));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What a gate's processes have written into its log.
    pub fn log(&self, gate: &str) -> Vec<String> {
        let text = fs::read_to_string(self.repo.at(&format!("log/{gate}"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often a gate's process was started.
    pub fn starts(&self, gate: &str) -> usize {
        self.log(gate).iter().filter(|line| *line == "started").count()
    }

    /// The evidence that a run left for a gate, with its details.
    #[track_caller]
    pub fn evidence(&self, run: &str, gate: &str) -> Value {
        let lines = self.list(&format!("/runs/{run}/evidence"));
        let line = lines.iter().find(|line| line["gate"] == gate);
        let line = line.unwrap_or_else(|| panic!("{gate} has no evidence: {lines:?}"));
        self.client().get(&format!("/projects/{KEY}/proof/evidence/{}", text(line, "id"))).expect(200)
    }

    /// What the command of a piece of evidence printed, as it is kept.
    #[track_caller]
    pub fn output(&self, evidence: &Value) -> String {
        let path = format!("/projects/{KEY}/proof/evidence/{}/output?lines=5000", text(evidence, "id"));
        let parts = self.client().get(&path).expect(200);
        let parts = parts["commands"].as_array().cloned().unwrap_or_default();
        let lines = parts.iter().flat_map(|part| part["lines"].as_array().cloned().unwrap_or_default());
        lines.map(|line| line.as_str().unwrap_or_default().to_owned() + "\n").collect()
    }

    /// How the run's commands ended, as its journal has it.
    pub fn finished(&self, run: &str) -> Vec<Value> {
        let journal = self.server.journal(&format!("runs/{run}"));
        testkit::journal::of_kind(&journal, "command.finished").into_iter().map(|entry| entry["data"].clone()).collect()
    }
}

/// Whether a run with this status has ended.
pub fn is_terminal(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled")
}

//! What one session of an agent needs: all of it is given, nothing is looked up.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use exec::sandbox::SandboxPlan;
use model::{agent::AgentName, id::RunId, limits, role::Tool};

use crate::{agent::Agent, version::Version};

/// Whether the agent may change files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It works in its folder.
    #[default]
    Write,
    /// It only looks: the fence lets it write nowhere but in its home.
    ReadOnly,
}

impl Mode {
    /// How it is told to the agent (X32).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::ReadOnly => "read_only",
        }
    }
}

/// Whose permission checks hold (S76).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checks {
    /// The agent's own, and the sandbox.
    #[default]
    Own,
    /// The sandbox alone, which then is required: the policy said so.
    SandboxOnly,
}

/// What a session may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to end (D35).
    pub wall: Duration,
    /// Without a line of output (S78).
    pub quiet: Duration,
    /// How much of the output is kept and read; beyond it the session has failed (D35).
    pub output: u64,
    /// How many turns, for agents that can be told.
    pub turns: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { wall: limits::AGENT_WALL, quiet: limits::AGENT_QUIET, output: limits::AGENT_OUTPUT, turns: None }
    }
}

/// A session to drive.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who.
    pub agent: Agent,
    /// The program's version, where somebody just asked; otherwise it is asked first (S75).
    pub version: Option<Version>,
    /// Where it works.
    pub cwd: PathBuf,
    /// Its HOME, made where it is missing. A session that is to be resumed needs the same one.
    pub home: PathBuf,
    /// Its folder for temporary files, made where it is missing.
    pub tmp: PathBuf,
    /// What it is asked.
    pub prompt: String,
    /// With which model; its own choice otherwise.
    pub model: Option<String>,
    /// The id of an earlier session to go on with.
    pub resume: Option<String>,
    /// A file with the context of the run.
    pub context_file: Option<PathBuf>,
    /// The run this is part of, where there is one.
    pub run: Option<RunId>,
    /// The role it plays, for scripts.
    pub role: Option<String>,
    /// Whether it may change files.
    pub mode: Mode,
    /// The only tools it has, for agents that can be held to them (S72).
    pub tools: Option<Vec<Tool>>,
    /// Whose permission checks hold.
    pub checks: Checks,
    /// Somebody answers what the agent asks: then it is started so that it asks, where its program can.
    pub asks: bool,
    /// What it may use.
    pub limits: Limits,
    /// Which files it may touch. Its home, its folder for temporary files and its own login are added;
    /// the network is that of the machine, as its model needs one, and the report says so (X19).
    pub sandbox: SandboxPlan,
    /// Where its output is kept, after redaction, as it was read (S74). Its errors lie beside it.
    pub raw: PathBuf,
    /// The environment of the process that drives it, of which it gets what is allowed (X32).
    pub environment: BTreeMap<String, String>,
    /// What is set for it beside that: a git identity, settings of its adapter.
    pub env: BTreeMap<String, String>,
    /// Values that are taken out of everything it prints, by name.
    pub secrets: Vec<(String, String)>,
}

impl Session {
    /// A session in a folder with nothing granted beyond it: everything of its own lies in `own`.
    pub fn new(agent: Agent, cwd: impl Into<PathBuf>, own: &Path, prompt: impl Into<String>) -> Self {
        Self {
            agent,
            version: None,
            cwd: cwd.into(),
            home: own.join("home"),
            tmp: own.join("tmp"),
            prompt: prompt.into(),
            model: None,
            resume: None,
            context_file: None,
            run: None,
            role: None,
            mode: Mode::Write,
            tools: None,
            checks: Checks::Own,
            asks: false,
            limits: Limits::default(),
            sandbox: SandboxPlan::none(),
            raw: own.join("agent.raw"),
            environment: BTreeMap::new(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
        }
    }

    /// The agent's name.
    pub fn name(&self) -> &AgentName {
        &self.agent.name
    }

    /// Where the prompt lies for agents that read it from a file.
    pub fn prompt_file(&self) -> PathBuf {
        self.tmp.join("prompt.md")
    }

    /// Where its standard error is kept.
    pub fn errors(&self) -> PathBuf {
        let mut name = self.raw.file_name().unwrap_or_default().to_owned();
        name.push(".errors");
        self.raw.with_file_name(name)
    }
}

//! What a dispatch run and its tasks keep: documents that this crate writes and reads.

use std::collections::BTreeMap;

use model::{
    agent::usage::{Cost, Usage},
    code::Code,
    digest::Digest,
    dispatch::{Report, Scale},
    failure::Failure,
    id::{CommentId, IssueId, QuestionId, RunId},
    problem::Problem,
    proof::tree::ObjectId,
    role::{Intent, Origin, Output, Role, RoleId, Tool},
    run::Run,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The kinds of its tasks.
pub mod task {
    /// Gathers and renders.
    pub const PREPARE: &str = "dispatch.prepare";
    /// Drives the agent.
    pub const AGENT: &str = "dispatch.agent";
    /// Applies the result.
    pub const APPLY: &str = "dispatch.apply";
    /// Starts a proof run.
    pub const PROVE: &str = "dispatch.prove";
}

/// The role of a run as it was at its start (D30).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleOfRun {
    /// Its id.
    pub id: RoleId,
    /// What people call it.
    pub title: String,
    /// Its version.
    pub version: String,
    /// The digest of its file.
    pub digest: Digest,
    /// Where it came from.
    pub origin: Origin,
    /// What is handed in.
    pub output: Output,
    /// What kind of work it is.
    pub intent: Intent,
    /// The only paths it may write, where it may not write all that the policy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_paths: Option<Vec<String>>,
    /// The only tools its agent has, where it does not have all (S72).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
}

/// The issue of a run as it was at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueOfRun {
    /// Its id.
    pub id: IssueId,
    /// Its number.
    pub number: u32,
    /// Its title.
    pub title: String,
}

/// The context pack of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextOfRun {
    /// Its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Items of each source.
    pub counts: BTreeMap<String, usize>,
    /// Items that the budget took.
    pub dropped: BTreeMap<String, usize>,
    /// How large the issue is.
    pub scale: Scale,
    /// Files that say how things are.
    pub sources_of_truth: Vec<Value>,
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// What the agent did, in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentOfRun {
    /// Which one.
    pub name: String,
    /// The version of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The model it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its own name of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How it was confined, in truth (X20).
    pub sandbox: Value,
    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What that cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How long it took.
    pub took_ms: u64,
    /// Nothing real answered: a script played.
    pub simulated: bool,
}

/// What is shown with the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Who does it.
    pub role: RoleOfRun,
    /// What it is about.
    pub issue: IssueOfRun,
    /// The commit that it stands on; none where there was no repository at the start.
    pub base: Option<ObjectId>,
    /// What that commit was called.
    pub base_name: Option<String>,
    /// The address of the server that the repository came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The branch that the result would go to.
    pub branch: String,
    /// The policy that held at the start.
    pub policy: Digest,
    /// What the agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextOfRun>,
    /// The prompt's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Digest>,
    /// What the agent did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentOfRun>,
    /// Approvals that were used: each is for one use of a tool (S39).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_approvals: Vec<QuestionId>,
    /// What it handed in, to be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Digest>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// The proof run that was started for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_run: Option<RunId>,
    /// The outcome in a sentence.
    #[serde(default)]
    pub message: String,
}

impl Detail {
    /// The detail of a dispatch run.
    ///
    /// # Errors
    /// A stored document that cannot be read.
    pub fn of(run: &Run) -> Result<Self, Problem> {
        read(&run.detail)
    }

    /// As it is stored.
    pub fn json(&self) -> Value {
        json!(self)
    }
}

/// What `prepare` needs beside the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrepareTask {
    /// The role, whole (D30).
    pub role: Role,
}

/// A file or text that a task made, durable in the blobs already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// What `prepare` made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// The pack.
    pub context: ContextOfRun,
    /// The prompt.
    pub prompt: Digest,
    /// Its size.
    pub prompt_bytes: u64,
    /// What people said meanwhile that the prompt tells: marked as sent with it.
    #[serde(default)]
    pub told: Vec<CommentId>,
    /// What is to be kept with the run.
    pub kept: Vec<Kept>,
    /// What to look at.
    pub warnings: Vec<String>,
}

/// What a worker is told of a task for an agent (D53).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentTask {
    /// The run.
    pub run: RunId,
    /// The project's key, by which a worker knows its own clones.
    pub project: String,
    /// Where the project's repository lies on the plane's machine.
    pub repository: String,
    /// The address of the server that it came from, for workers that have no clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The commit to start from.
    pub base: Option<ObjectId>,
    /// The role's name.
    pub role: RoleId,
    /// What is handed in.
    pub output: Output,
    /// What kind of work it is.
    pub intent: Intent,
    /// The only tools it has, where it does not have all (S72).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// The agent.
    pub agent: String,
    /// Its model.
    pub model: Option<String>,
    /// The prompt's content.
    pub prompt: Digest,
    /// The context pack's content.
    pub context: Digest,
    /// How long it may work.
    pub timeout_s: u32,
    /// How much it may print.
    pub output_cap: Option<u64>,
    /// The most files that are read from its working copy.
    pub max_files: u32,
    /// The largest of them.
    pub max_file_bytes: u64,
    /// All of them together.
    pub max_change_bytes: u64,
    /// It does not start unconfined.
    pub require_sandbox: bool,
    /// The policy speaks of tools, so the agent asks before it uses one that needs leave.
    #[serde(default)]
    pub asks: bool,
    /// How long its process is kept for an answer, in seconds.
    #[serde(default = "approval_wait")]
    pub approval_wait_s: u32,
}

const fn approval_wait() -> u32 {
    model::policy::APPROVAL_WAIT_S
}

/// What a worker hands in when the agent has done its part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentOutput {
    /// The result: an answer, read and normalised, as a JSON document among the artifacts.
    pub result: Digest,
    /// How many entries it has.
    pub entries: usize,
    /// What the agent did.
    pub agent: AgentOfRun,
}

/// What `apply` is to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplyTask {
    /// The result's content.
    pub result: Digest,
    /// The only paths the role may write.
    #[serde(default)]
    pub write_paths: Option<Vec<String>>,
}

/// What `apply` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// What came of it.
    pub report: Report,
    /// What is to be kept with the run.
    pub kept: Vec<Kept>,
}

/// What `prove` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proving {
    /// The proof run.
    pub run: RunId,
}

/// Reads a document that this crate wrote.
///
/// # Errors
/// One that it cannot have written.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_json::from_value(value.clone())
        .map_err(|error| Problem::new(Code::Internal, format!("a stored document could not be read: {error}")))
}

/// The failure that a task ended with.
pub fn failure_in(output: Option<&Value>) -> Failure {
    output
        .and_then(|output| serde_json::from_value(output.clone()).ok())
        .unwrap_or_else(|| Failure::new(model::failure::FailureCode::Internal, "the work ended without saying how"))
}

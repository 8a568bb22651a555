//! What a project's runs may touch and execute: one strict document for all kinds (X17, L67).
//!
//! It lives in the plane and never in the repository. It fails closed: without one nothing is
//! allowed, an unknown key or a bad value refuses the whole document, and an empty list of what is
//! allowed allows nothing. Nothing here looks at a disk; what a command would start is read off
//! its words alone ([`Policy::judge_command`]).

mod command;
mod interpreter;
mod read;
mod starter;
mod wrapper;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

pub use command::{Decided, Judged, Refusal, programs_of};

use crate::{digest::Fields, dispatch::Apply, problem::FieldError};

/// The longest that an agent's process is kept for an answer, in seconds (S58).
pub const APPROVAL_WAIT_S: u32 = 300;

/// The key that stands for every repository of a project.
pub const ANY_REPO: &str = "*";

/// The document. Its defaults are those of a project that changes little (L74) and executes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Policy {
    /// Per repository (`*` = all), the paths that may be changed; `.` is the whole repository.
    pub allowed_paths: BTreeMap<String, Vec<String>>,
    /// Globs of paths that may never be changed.
    pub denied_paths: Vec<String>,
    /// Regular expressions that no added content may match.
    pub denied_content: Vec<String>,
    /// Files in one change.
    pub max_changed_files: u32,
    /// Bytes of one changed file.
    pub max_file_bytes: u64,
    /// Bytes of one change.
    pub max_change_bytes: u64,
    /// Where symbolic links may lead.
    pub symlinks: Symlinks,
    /// What may be executed.
    pub commands: Vec<CommandRule>,
    /// What agents may use. With none, no agent asks anybody: each has what its own checks and the fence leave it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolRule>,
    /// Names of environment values that may be handed to a command.
    pub env_allow: Vec<String>,
    /// The network of gates and tools.
    pub network: Network,
    /// Refuse to run where the sandbox cannot be had.
    pub require_sandbox: bool,
    /// Branches that no run may push to, nor anything below them.
    pub protected_branches: Vec<String>,
    /// Remotes that may be pushed to.
    pub remotes: Vec<String>,
    /// Agents that may be used; empty is none.
    pub agents: Vec<String>,
    /// Who may approve work besides the admins.
    pub approvers: Vec<String>,
    /// Who may top up budgets besides the admins.
    pub budget_approvers: Vec<String>,
    /// Whether results are published.
    pub publish: Publish,
    /// From which risk on a person is asked before publishing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_at_risk: Option<Risk>,
    /// Whether work whose gates proved nothing may go on.
    pub allow_unproven: bool,
    /// What only dispatch runs know.
    #[serde(skip_serializing_if = "DispatchRules::is_default")]
    pub dispatch: DispatchRules,
    /// What only solve runs know.
    #[serde(skip_serializing_if = "Block::is_empty")]
    pub solve: Block,
    /// What only proof runs know.
    #[serde(skip_serializing_if = "Block::is_empty")]
    pub proof: Block,
    /// What only eval runs know.
    #[serde(skip_serializing_if = "Block::is_empty")]
    pub eval: Block,
}

/// A program that may, or may not, be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommandRule {
    /// A bare name found on the PATH of gates, or a path from the top of the repository. `./x` is
    /// the file `x` at the top, `x` is the program of that name.
    pub program: String,
    /// The leading arguments it is about, any one of these lists; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Vec<String>>>,
    /// Whether it may be given a program as an argument: code (`sh -c`), or the name of whatever
    /// else is to be started (`timeout`).
    pub inline: bool,
    /// What becomes of it; a rule that does not say denies (X17).
    pub decision: Decision,
}

/// A tool of agents, and what becomes of its uses that the agent asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ToolRule {
    /// The tool as its agent names it, or `*` for all that no other rule names.
    pub tool: String,
    /// What becomes of it; a rule that does not say denies (X17).
    pub decision: Decision,
}

/// What becomes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may be executed.
    Allow,
    /// A person is asked each time, where the kind of run can ask.
    Ask,
    /// It may not.
    Deny,
}

/// The network of gates and tools. The loopback of their own is always there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// No way out.
    #[default]
    Off,
    /// The machine's.
    On,
}

/// Where symbolic links of a change may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Symlinks {
    /// To files inside the worktree.
    #[default]
    Inside,
    /// There may be no new ones.
    None,
}

/// Whether a result is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Publish {
    /// When everything is green.
    #[default]
    Auto,
    /// When a person said yes.
    Ask,
    /// Not.
    Never,
}

/// How much can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Everything.
    Critical,
}

/// The block of one kind of run. Nothing can be set in it yet, so everything in it is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Block {}

/// What dispatch runs may do (D33).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DispatchRules {
    /// Where results may go.
    pub apply: Vec<Apply>,
    /// Whether an answer may delete files.
    pub allow_delete: bool,
    /// What one run may cost at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<u64>,
    /// How long an agent may work at most, in seconds.
    pub max_timeout_s: u32,
    /// Whether an issue is done when a linked proof run of its branch passed (X6).
    pub close_on_proof: bool,
    /// How long an agent's process is kept while a person is asked, in seconds; then it is ended, and goes on with
    /// the answer (S58).
    pub approval_wait_s: u32,
}

impl Default for DispatchRules {
    /// What touches nothing of the person's: a branch of its own, or nothing at all.
    fn default() -> Self {
        Self {
            apply: vec![Apply::Worktree, Apply::None],
            allow_delete: false,
            max_cost_micro_usd: None,
            max_timeout_s: 86_400,
            close_on_proof: false,
            approval_wait_s: APPROVAL_WAIT_S,
        }
    }
}

impl DispatchRules {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Block {
    fn is_empty(&self) -> bool {
        true
    }
}

impl Default for Policy {
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Self {
            allowed_paths: BTreeMap::new(),
            denied_paths: texts(starter::DENIED_PATHS),
            denied_content: texts(starter::DENIED_CONTENT),
            max_changed_files: 20,
            max_file_bytes: 1 << 20,
            max_change_bytes: 10 << 20,
            symlinks: Symlinks::default(),
            commands: Vec::new(),
            tools: Vec::new(),
            env_allow: Vec::new(),
            network: Network::default(),
            require_sandbox: false,
            protected_branches: texts(&["main", "master", "production", "prod", "release"]),
            remotes: texts(&["origin"]),
            agents: Vec::new(),
            approvers: Vec::new(),
            budget_approvers: Vec::new(),
            publish: Publish::default(),
            ask_at_risk: Some(Risk::Critical),
            allow_unproven: false,
            dispatch: DispatchRules::default(),
            solve: Block {},
            proof: Block {},
            eval: Block {},
        }
    }
}

impl Policy {
    /// Reads a document; every wrong value is named. What is absent has its default.
    pub fn read(document: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        read::policy(document)
    }

    /// The name of exactly this policy, which a run pins at its start (L67).
    pub fn digest(&self) -> crate::digest::Digest {
        let mut fields = Fields::tagged("policy/1");
        match serde_json::to_vec(self) {
            Ok(bytes) => fields.push(&bytes),
            // Text keys and plain values are always writable; were one not, its debug form names it.
            Err(_) => fields.text(&format!("{self:?}")),
        };
        fields.finish()
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Self::read(&value).map_err(|errors| {
            let words: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect();
            de::Error::custom(words.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // L67: a document is read back as it was written, and its name is that of its content.
    #[test]
    fn a_policy_survives_being_written() {
        let policy =
            Policy::starter(&["rust", "python", "node", "go"], &["./ci/contract".to_owned(), "make".to_owned()]);
        let written = serde_json::to_value(&policy).unwrap();
        let read: Policy = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read, policy);
        assert_eq!(read.digest(), policy.digest());
        assert_ne!(read.digest(), Policy::default().digest());
        assert_eq!(Policy::read(&json!({})).unwrap(), Policy::default());
    }

    // L74: the defaults, to the letter.
    #[test]
    fn the_defaults_are_those_of_the_page() {
        let policy = Policy::default();
        assert_eq!((policy.max_changed_files, policy.max_file_bytes, policy.max_change_bytes), (20, 1 << 20, 10 << 20));
        assert_eq!(policy.protected_branches, ["main", "master", "production", "prod", "release"]);
        assert_eq!((policy.remotes.as_slice(), policy.network), (&["origin".to_owned()][..], Network::Off));
        assert_eq!((policy.publish, policy.ask_at_risk), (Publish::Auto, Some(Risk::Critical)));
        assert!(policy.commands.is_empty() && policy.allowed_paths.is_empty());
    }
}

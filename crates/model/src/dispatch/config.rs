//! What a dispatch is asked to be (D33, D35).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    dispatch::comment::COMMENTS,
    id::CommentId,
    problem::{FieldError, Problem},
    proof::{
        form::{Form, Text},
        tree::RefName,
    },
    role::{RoleId, TIMEOUT_MAX_S},
};

/// How long a run may be asked to wait for a worker: a week.
const QUEUE_MAX_S: u64 = 7 * 86_400;
/// Labels of a task.
const LABELS: usize = 20;
/// Characters of a label.
const LABEL: usize = 50;
/// Instructions, in characters.
const INSTRUCTIONS: usize = 4 << 10;
/// Bytes of output that may be asked for, at least and at most.
const OUTPUT: [u64; 2] = [64 << 10, 32 << 20];

/// How long an agent may work where neither request nor role says (D35).
pub const TIMEOUT_S: u32 = 1_800;

/// Where the files go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// Onto a branch of their own, in one commit; the checkout of the person stays as it is.
    #[default]
    Worktree,
    /// Into the person's checkout, without a commit.
    InPlace,
    /// Nowhere: the result is kept.
    None,
}

impl Apply {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::InPlace => "in_place",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Apply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The request. What is absent is decided by the role, then by the project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DispatchConfig {
    /// Who does it; absent is what the issue says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The worker that shall do it, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What the worker must offer besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Where the files go.
    pub apply: Apply,
    /// The branch, tag or commit to start from; absent is the default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// How long the agent may work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// How long it may wait for a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeout_s: Option<u32>,
    /// How much of its output is read as an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_cap_bytes: Option<u64>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<u64>,
    /// What the person adds to the role's prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Start a proof run on the commit that comes of it.
    pub prove: bool,
    /// Start although the issue is blocked.
    pub force: bool,
    /// Comments on what the run that is tried again made: its agent is told of them (S92). Set when they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<Vec<CommentId>>,
    /// Apply the stored result of the run that is tried again, without an agent. Set by a retry only.
    pub reuse_result: bool,
}

impl DispatchConfig {
    /// Reads a request; `null` asks for nothing special.
    ///
    /// # Errors
    /// 422 naming each wrong value.
    pub fn read(body: &Value) -> Result<Self, Problem> {
        let empty = Value::Object(serde_json::Map::new());
        let mut form = Form::new(if body.is_null() { &empty } else { body }, "/config");
        let config = Self {
            role: text(&mut form, "role", 64, |text| text.parse().map_err(|_| "is no role id".to_owned())),
            agent: text(&mut form, "agent", 64, name),
            model: text(&mut form, "model", 200, |text| Ok(text.to_owned())),
            worker: text(&mut form, "worker", 64, |text| Ok(text.to_owned())),
            labels: form.set("labels", LABELS, label).unwrap_or_default(),
            apply: form.choice("apply", &["worktree", "in_place", "none"]).unwrap_or_default(),
            base: text(&mut form, "base", 255, base),
            timeout_s: form.number("timeout_s", 1..=TIMEOUT_MAX_S).and_then(|number| u32::try_from(number).ok()),
            queue_timeout_s: form
                .number("queue_timeout_s", 1..=QUEUE_MAX_S)
                .and_then(|number| u32::try_from(number).ok()),
            output_cap_bytes: form.number("output_cap_bytes", OUTPUT[0]..=OUTPUT[1]),
            max_cost_micro_usd: form.number("max_cost_micro_usd", 0..=1 << 50),
            instructions: form.text("instructions", Text::lines(INSTRUCTIONS)),
            prove: form.flag("prove").unwrap_or(false),
            force: form.flag("force").unwrap_or(false),
            comments: form.set("comments", COMMENTS, id),
            reuse_result: form.flag("reuse_result").unwrap_or(false),
        };
        if config.prove && config.apply != Apply::Worktree {
            form.wrong("prove", "needs a commit, so apply must be worktree");
        }
        let errors: Vec<FieldError> = form.finish();
        if errors.is_empty() { Ok(config) } else { Err(Problem::invalid(errors)) }
    }
}

fn text<T>(
    form: &mut Form<'_>,
    field: &'static str,
    most: usize,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let text = form.text(field, Text::line(most))?;
    read(text.trim()).map_err(|message| form.wrong(field, message)).ok()
}

/// The name of an agent, as it stands in labels.
fn name(text: &str) -> Result<String, String> {
    let fits = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    if fits { Ok(text.to_owned()) } else { Err("must be small letters, digits, dashes".to_owned()) }
}

fn label(text: &str) -> Result<String, String> {
    Text::line(LABEL).check(text).map(|()| text.trim().to_owned())
}

fn id(text: &str) -> Result<CommentId, String> {
    text.parse().map_err(|_| "is no id".to_owned())
}

fn base(text: &str) -> Result<String, String> {
    if text == "HEAD" || text.parse::<RefName>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("cannot be a branch, tag or commit".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // D35, X28: out of range is refused with its field, nothing is silently replaced.
    #[test]
    fn wrong_values_are_named() {
        let body = json!({
            "role": "Nope", "agent": "A b", "apply": "everywhere", "base": "-x", "timeout_s": 0,
            "queue_timeout_s": 0, "output_cap_bytes": 10, "labels": [""], "instructions": " ", "prove": "yes", "typo": 1,
        });
        let errors = DispatchConfig::read(&body).unwrap_err().errors;
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.trim_start_matches("/config/")).collect();
        assert_eq!(
            pointers,
            [
                "role",
                "agent",
                "labels/0",
                "apply",
                "base",
                "timeout_s",
                "queue_timeout_s",
                "output_cap_bytes",
                "instructions",
                "prove",
                "typo"
            ]
        );
        assert!(DispatchConfig::read(&json!({"timeout_s": 86_401})).is_err());
        assert!(DispatchConfig::read(&json!({"prove": true, "apply": "none"})).is_err());
    }

    #[test]
    fn a_request_is_stored_and_read_back() {
        assert_eq!(DispatchConfig::read(&json!(null)).unwrap(), DispatchConfig::default());
        let body = json!({"role": "implementer", "agent": "claude", "base": "release/1", "prove": true, "labels": ["gpu", "gpu"]});
        let config = DispatchConfig::read(&body).unwrap();
        assert_eq!((config.labels.len(), config.apply), (1, Apply::Worktree));
        let stored = serde_json::to_value(&config).unwrap();
        assert_eq!(DispatchConfig::read(&stored).unwrap(), config);
    }
}

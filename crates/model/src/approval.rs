//! Leave for one use of a tool by an agent (S38, S39, S77): what is asked, what the policy says of it, and what a
//! person's answer is worth. An answer is bound to exactly what was asked, and there is no "always".

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    agent::AgentName,
    digest::{Digest, Fields},
    id::RunId,
    policy::{Decided, Decision, Policy},
    problem::Problem,
    proof::form::{Form, Text},
};

/// The longest input, as JSON, that a person can be shown.
pub const INPUT_MAX: usize = 64 << 10;
/// The longest name of a tool.
const TOOL_MAX: usize = 200;
/// A worktree in which no program lies: where the worker has it is not the policy's business, so a program that is
/// named by a whole path is none of those the policy lists.
const NOWHERE: &str = "/nowhere/of/ours";
/// How much of an input stands in the words of the question.
const SHOWN: usize = 4 << 10;

/// What an agent wants to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolAsk {
    /// The agent's name on its worker.
    pub agent: String,
    /// The tool, as the agent names it.
    pub tool: String,
    /// What the tool would be given.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub input: Value,
    /// The command that would run, where the tool runs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// The folder it would happen in, from the top of the worktree; empty for the top.
    #[serde(default)]
    pub folder: String,
}

/// What the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruled {
    /// It may.
    Allow,
    /// A person is asked; why.
    Ask(String),
    /// It may not; the rule, and why.
    Deny {
        /// For programs.
        rule: String,
        /// For people.
        message: String,
    },
}

impl ToolAsk {
    /// What an answer is bound to: the run, the tool, its input however its keys are ordered, the command and the
    /// folder (S39).
    pub fn digest(&self, run: RunId) -> Digest {
        let mut fields = Fields::tagged("proofhouse-approval-1");
        fields.text(&run.to_string()).text(&self.tool);
        canonical(&self.input, &mut fields);
        match &self.argv {
            None => fields.text("-"),
            Some(argv) => {
                fields.text("+").push(&(argv.len() as u64).to_be_bytes());
                argv.iter().fold(&mut fields, |fields, word| fields.text(word))
            }
        };
        fields.text(&self.folder);
        fields.finish()
    }

    /// Why it can be asked of nobody, if so.
    pub fn flaw(&self) -> Option<String> {
        if self.tool.trim().is_empty() || self.tool.len() > TOOL_MAX || self.tool.chars().any(char::is_control) {
            return Some("the tool has no name that a person could read".to_owned());
        }
        if self.agent.parse::<AgentName>().is_err() {
            return Some("the agent has no name that a person could read".to_owned());
        }
        let size = self.input.to_string().len() + self.argv.iter().flatten().map(String::len).sum::<usize>();
        (size > INPUT_MAX).then(|| format!("what it wants to do has {size} bytes: too much for a person to read"))
    }

    /// What the policy says: first of the command, by its own rules; then of the tool. What neither speaks of is
    /// denied (X17).
    pub fn ruled(&self, policy: &Policy) -> Ruled {
        let command = self.argv.as_ref().map(|argv| policy.decide_command(argv, Path::new(NOWHERE), &self.folder));
        let unlisted = match command {
            Some(Decided::Allow) => return Ruled::Allow,
            Some(Decided::Ask { message }) => return Ruled::Ask(message),
            Some(Decided::Deny(refusal)) if refusal.rule == "command_denied" => {
                return Ruled::Deny { rule: refusal.rule.to_owned(), message: refusal.message };
            }
            // Nobody spoke of the command, or it cannot be told what it starts.
            Some(Decided::Deny(refusal)) => Some(refusal),
            None => None,
        };
        let rule = policy.tools.iter().find(|rule| rule.tool == self.tool);
        let rule = rule.or_else(|| policy.tools.iter().find(|rule| rule.tool == "*"));
        match (rule.map(|rule| rule.decision), unlisted) {
            (Some(Decision::Allow), _) => Ruled::Allow,
            (Some(Decision::Ask), Some(refusal)) => Ruled::Ask(refusal.message),
            (Some(Decision::Ask), None) => Ruled::Ask(format!("the policy asks a person before {} is used", self.tool)),
            (Some(Decision::Deny), _) => Ruled::Deny {
                rule: "tool_denied".to_owned(),
                message: format!("the policy denies the tool {}", self.tool),
            },
            (None, Some(refusal)) => Ruled::Deny { rule: refusal.rule.to_owned(), message: refusal.message },
            (None, None) => Ruled::Deny {
                rule: "tool_not_listed".to_owned(),
                message: format!("the policy does not list the tool {}: add it to `tools`", self.tool),
            },
        }
    }

    /// The words a person reads, as Markdown: what is asked stands in a block that it cannot end.
    pub fn prompt(&self, because: &str) -> String {
        let what = match &self.argv {
            Some(argv) => match argv.as_slice() {
                [_, flag, text] if flag == "-c" || flag == "-lc" => text.clone(),
                words => words.join(" "),
            },
            None => serde_json::to_string_pretty(&self.input).unwrap_or_default(),
        };
        let what: String =
            what.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '?' } else { c }).collect();
        let cut = what.floor_char_boundary(SHOWN);
        let rest = if cut < what.len() { "\n… (cut here; the whole of it is among the question's data)" } else { "" };
        let longest = what.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat((longest + 1).max(3));
        let folder = if self.folder.is_empty() { "its worktree".to_owned() } else { self.folder.clone() };
        format!(
            "The agent {} asks for leave to use **{}** in {}:\n\n{fence}\n{}{rest}\n{fence}\n\n{because}. An answer is for this one use.",
            self.agent,
            plain(&self.tool),
            plain(&folder),
            &what[..cut],
        )
    }
}

/// A name in Markdown, as it is.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(if c.is_control() { '?' } else { c });
    }
    out
}

/// Adds a JSON document so that the order of keys says nothing and no two documents are alike.
fn canonical(value: &Value, fields: &mut Fields) {
    match value {
        Value::Array(items) => {
            fields.text("[").push(&(items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| canonical(item, fields));
        }
        Value::Object(object) => {
            fields.text("{").push(&(object.len() as u64).to_be_bytes());
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort_unstable();
            for key in keys {
                fields.text(key);
                canonical(&object[key], fields);
            }
        }
        Value::String(text) => drop(fields.text("\"").text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => drop(fields.text(&value.to_string())),
    }
}

/// The command behind the text of a shell: its words where it is one plain command, else the shell itself with the
/// text, of which only the shell can say what it starts.
pub fn argv_of_shell(text: &str) -> Vec<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:@%+=".contains(c);
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let first = words.first().copied().unwrap_or_default();
    if !first.is_empty() && !first.contains('=') && words.iter().all(|word| word.chars().all(is_plain)) {
        words.into_iter().map(str::to_owned).collect()
    } else {
        vec!["bash".to_owned(), "-c".to_owned(), text.to_owned()]
    }
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalDecision {
    /// Yes, this once.
    Approve,
    /// Not like this; the text says what to do instead.
    Revise,
    /// No.
    Deny,
}

/// An answer to an approval that may be stored (X9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAnswer {
    /// What was decided.
    pub decision: ApprovalDecision,
    /// What it is about: the digest that the question shows. A yes needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl ApprovalAnswer {
    /// Reads an answer to the question about what has this digest (S60).
    ///
    /// # Errors
    /// 422 naming what does not fit: nothing is stored then.
    pub fn read(body: &Value, about: &Digest) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let decision = form.choice("decision", &["approve", "revise", "deny"]);
        if decision.is_none() && !form.has("decision") {
            form.wrong("decision", "is required");
        }
        let digest = form.text("digest", Text::line(100)).map(|digest| digest.parse::<Digest>());
        match (&digest, decision) {
            (Some(Ok(digest)), _) if digest != about => {
                form.wrong("digest", "is not that of what is asked: look at the question again");
            }
            (Some(Err(_)), _) => form.wrong("digest", "is not a digest"),
            (None, Some(ApprovalDecision::Approve)) => {
                form.wrong("digest", "is required: a yes is bound to exactly what was asked");
            }
            _ => {}
        }
        let text = form.text("text", Text::lines(2_000));
        if decision == Some(ApprovalDecision::Revise) && text.is_none() {
            form.wrong("text", "is required: say what has to change");
        }
        let errors = form.finish();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Some(decision) = decision else { return Err(Problem::invalid_field("/decision", "is required")) };
        Ok(Self { decision, digest: digest.and_then(Result::ok), text })
    }

    /// What an agent is told of a no by this person; nothing for a yes.
    pub fn refusal(&self, by: &str) -> Option<String> {
        let said = self.text.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        match self.decision {
            ApprovalDecision::Approve => None,
            ApprovalDecision::Revise => Some(format!("{by} wants something else{said}")),
            ApprovalDecision::Deny => Some(format!("{by} said no{said}")),
        }
    }
}

/// How an agent's question stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// It may, this once.
    Allowed,
    /// It may not, and why.
    Denied {
        /// For the agent.
        reason: String,
    },
    /// A person is asked.
    Open {
        /// The question.
        question: crate::id::QuestionId,
    },
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;

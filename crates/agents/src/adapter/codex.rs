//! Codex without a terminal: `codex exec --json` (L29, X66).

use model::agent::{
    AgentName, Capability,
    classify::class_of,
    event::{AgentEvent, EndOutcome, FileChange, SessionFacts, ToolStatus, ToolUse},
    usage::{Numbers, Usage, UsageReport},
};
use serde_json::{Value, json};

use super::{Adapter, Launch, LoginFile, Reader, Told, Understood, output_text, some_text, text, told_path};
use crate::{
    agent::Protocol,
    session::{Mode, Session},
    version::{Tested, Version},
};

/// The adapter.
#[derive(Debug)]
pub struct Codex;

impl Adapter for Codex {
    fn program(&self) -> &'static str {
        "codex"
    }

    fn install(&self) -> Option<&'static str> {
        Some("npm install -g @openai/codex@0.169.0")
    }

    fn tested(&self) -> Option<Tested> {
        Some(Tested { from: Version(0, 169, 0), below: Version(0, 170, 0) })
    }

    fn capabilities(&self, _: Protocol) -> &'static [Capability] {
        &[Capability::Resume, Capability::Usage]
    }

    fn login_names(&self) -> &'static [&'static str] {
        &["OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL"]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[
            LoginFile { path: ".codex/auth.json", is_shared: true },
            LoginFile { path: ".codex/config.toml", is_shared: false },
        ]
    }

    fn launch(&self, session: &Session) -> Launch {
        // Its own sandbox mounts, which nothing behind a fence may do, so every command would fail there
        // (seen with 0.169). Behind ours it goes without its own, and then not at all without ours.
        let is_fenced = session.sandbox.files.is_some();
        let sandbox = match session.mode {
            _ if is_fenced => "danger-full-access",
            Mode::ReadOnly => "read-only",
            Mode::Write => "workspace-write",
        };
        let mut args: Vec<String> =
            ["exec", "--json", "--skip-git-repo-check", "--color", "never", "-s", sandbox].map(str::to_owned).into();
        if let Some(model) = &session.model {
            args.extend(["-m".to_owned(), model.clone()]);
        }
        if let Some(resume) = &session.resume {
            args.extend(["resume".to_owned(), resume.clone()]);
        }
        args.push("-".to_owned());
        Launch { args, needs_fence: is_fenced, ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        Box::new(Lines { agent: session.name().clone(), cwd: session.cwd.display().to_string(), turns: 0 })
    }
}

/// Reads what it prints.
#[derive(Debug)]
struct Lines {
    agent: AgentName,
    cwd: String,
    turns: u64,
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        match text(object, "/type") {
            "thread.started" => told.push(AgentEvent::Session(SessionFacts {
                session: some_text(object, "/thread_id"),
                ..SessionFacts::of(self.agent.clone())
            })),
            "turn.started" => self.turns += 1,
            "turn.completed" => {
                told.push(AgentEvent::Usage(self.usage(object.get("usage").unwrap_or(&Value::Null))));
                told.push(AgentEvent::end(EndOutcome::Completed));
            }
            "turn.failed" => {
                let message = text(object, "/error/message");
                told.push(AgentEvent::error(class_of(message), message));
                told.push(AgentEvent::end(EndOutcome::Failed));
            }
            "error" => {
                let message = text(object, "/message");
                told.push(AgentEvent::error(class_of(message), message));
            }
            "item.started" | "item.updated" | "item.completed" => {
                let is_over = text(object, "/type") == "item.completed";
                let is_new = text(object, "/type") == "item.started";
                return object.get("item").map_or(Understood::No, |item| self.item(item, is_new, is_over, told));
            }
            _ => return Understood::No,
        }
        Understood::Yes
    }
}

impl Lines {
    fn item(&self, item: &Value, is_new: bool, is_over: bool, told: &mut Told) -> Understood {
        let kind = text(item, "/type");
        match kind {
            "agent_message" if is_over => told.push(AgentEvent::said(text(item, "/text"))),
            "reasoning" if is_over => told.push(AgentEvent::Reasoning { text: text(item, "/text").to_owned() }),
            // A remark, by itself nothing (X66).
            "error" => told.push(AgentEvent::notice(text(item, "/message"))),
            "command_execution" => {
                let output = some_text(item, "/aggregated_output");
                self.tool(item, "exec_command", json!({"cmd": text(item, "/command")}), output, is_new, is_over, told);
            }
            "mcp_tool_call" => {
                let name = format!("{}.{}", text(item, "/server"), text(item, "/tool"));
                let input = item.get("arguments").cloned().unwrap_or_default();
                let output = some_text(item, "/error/message").or_else(|| item.get("result").and_then(output_text));
                self.tool(item, &name, input, output, is_new, is_over, told);
            }
            "web_search" => {
                self.tool(item, "web_search", json!({"query": text(item, "/query")}), None, is_new, is_over, told);
            }
            "file_change" => {
                let changes = item.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let paths: Vec<&str> = changes.iter().map(|change| text(change, "/path")).collect();
                self.tool(item, "apply_patch", json!({"paths": paths}), None, is_new, is_over, told);
                if is_over && text(item, "/status") == "completed" {
                    for change in changes {
                        let path = told_path(&self.cwd, text(change, "/path"));
                        let change = match text(change, "/kind") {
                            "add" => FileChange::Added,
                            "delete" => FileChange::Deleted,
                            _ => FileChange::Modified,
                        };
                        told.push(AgentEvent::File { path, change });
                    }
                }
            }
            "agent_message" | "reasoning" | "todo_list" => {}
            _ => return Understood::No,
        }
        Understood::Yes
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event, in one place")]
    fn tool(
        &self,
        item: &Value,
        name: &str,
        input: Value,
        output: Option<String>,
        is_new: bool,
        is_over: bool,
        told: &mut Told,
    ) {
        let status = match (is_over, text(item, "/status")) {
            (false, _) if is_new => ToolStatus::Requested,
            (false, _) => ToolStatus::Running,
            (true, "failed") => ToolStatus::Failed,
            (true, "declined") => ToolStatus::Denied,
            (true, _) => ToolStatus::Done,
        };
        let (id, name) = (text(item, "/id").to_owned(), name.to_owned());
        let input = if is_over { Value::Null } else { input };
        told.push(AgentEvent::Tool(ToolUse { id, name, input, status, output: output.filter(|_| is_over) }));
    }

    /// What is cached is part of its input, and the numbers are those of the thread so far.
    fn usage(&self, usage: &Value) -> UsageReport {
        let mut numbers = Numbers::default();
        let mut count = |at: &str| numbers.count(usage.get(at));
        let (input, cached) = (count("input_tokens"), count("cached_input_tokens"));
        let (write, output) = (count("cache_write_input_tokens"), count("output_tokens"));
        let reasoning = count("reasoning_output_tokens");
        let input = input.map(|input| input.saturating_sub(cached.unwrap_or(0)));
        UsageReport {
            total: true,
            usage: Usage { input, cached_input: cached, cache_write: write, output, reasoning },
            turns: Some(self.turns),
            bad_number: numbers.bad,
            ..UsageReport::default()
        }
    }
}

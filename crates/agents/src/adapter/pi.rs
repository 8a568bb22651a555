//! pi without a terminal: `pi --print --mode json` (L29).

use std::collections::BTreeMap;

use model::{
    agent::{
        AgentName, Capability,
        classify::class_of,
        event::{AgentEvent, EndOutcome, FileChange, SessionFacts, ToolStatus, ToolUse},
        usage::{Numbers, Usage, UsageReport},
    },
    role::Tool,
};
use serde_json::Value;

use super::{Adapter, Launch, LoginFile, Reader, Told, Understood, output_text, some_text, text, told_path};
use crate::{
    agent::Protocol,
    session::{Mode, Session},
    version::{Tested, Version},
};

/// What it calls a tool. It has none that shows what was changed.
const fn own_names(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::Read => &["read"],
        Tool::Find => &["find", "ls"],
        Tool::Grep => &["grep"],
        Tool::Diff => &[],
        Tool::Write => &["write"],
        Tool::Edit => &["edit"],
        Tool::Run => &["bash"],
    }
}

/// The adapter.
#[derive(Debug)]
pub struct Pi;

impl Adapter for Pi {
    fn program(&self) -> &'static str {
        "pi"
    }

    fn install(&self) -> Option<&'static str> {
        Some("npm install -g @mariozechner/pi-coding-agent@0.73.1")
    }

    fn tested(&self) -> Option<Tested> {
        Some(Tested { from: Version(0, 73, 1), below: Version(0, 74, 0) })
    }

    fn capabilities(&self, _: Protocol) -> &'static [Capability] {
        &[Capability::Resume, Capability::Palette, Capability::Usage]
    }

    fn login_names(&self) -> &'static [&'static str] {
        &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_OAUTH_TOKEN",
            "OPENAI_API_KEY",
            "GEMINI_API_KEY",
            "OPENROUTER_API_KEY",
            "XAI_API_KEY",
            "DEEPSEEK_API_KEY",
            "MISTRAL_API_KEY",
            "GROQ_API_KEY",
        ]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[
            LoginFile { path: ".pi/agent/auth.json", is_shared: true },
            LoginFile { path: ".pi/agent/models.json", is_shared: false },
            LoginFile { path: ".pi/agent/settings.json", is_shared: false },
        ]
    }

    fn launch(&self, session: &Session) -> Launch {
        let mut args: Vec<String> = ["--print", "--mode", "json"].map(str::to_owned).into();
        let mut words = |words: &[&str]| args.extend(words.iter().map(|word| (*word).to_owned()));
        match &session.tools {
            None if session.mode == Mode::ReadOnly => words(&["--tools", "read,grep,find,ls"]),
            None => {}
            Some(only) => {
                let is_open = |tool: &&Tool| session.mode == Mode::Write || !tool.changes();
                let names: Vec<&str> = only.iter().filter(is_open).flat_map(|tool| own_names(*tool)).copied().collect();
                if names.is_empty() { words(&["--no-tools"]) } else { words(&["--tools", &names.join(",")]) }
            }
        }
        if let Some(model) = &session.model {
            words(&["--model", model]);
        }
        if let Some(resume) = &session.resume {
            words(&["--session", resume]);
        }
        let env = [("PI_OFFLINE", "1"), ("PI_TELEMETRY", "0")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Launch { args, env, ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        Box::new(Lines {
            agent: session.name().clone(),
            cwd: session.cwd.display().to_string(),
            tools: BTreeMap::new(),
            messages: 0,
            turns: 0,
            is_good: false,
        })
    }
}

/// Reads what it prints. A message stands in many lines; only its `message_end` counts.
#[derive(Debug)]
struct Lines {
    agent: AgentName,
    cwd: String,
    /// Paths of writing tools that run.
    tools: BTreeMap<String, String>,
    messages: u64,
    turns: u64,
    /// Whether the last message of the model was a good one.
    is_good: bool,
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        match text(object, "/type") {
            "session" => told.push(AgentEvent::Session(SessionFacts {
                session: some_text(object, "/id"),
                ..SessionFacts::of(self.agent.clone())
            })),
            "message_end" if text(object, "/message/role") == "assistant" => {
                self.message(&object["message"], told);
            }
            "tool_execution_start" => {
                let (id, name) = (text(object, "/toolCallId").to_owned(), text(object, "/toolName").to_owned());
                if let Some(path) =
                    some_text(object, "/args/path").filter(|_| matches!(name.as_str(), "write" | "edit"))
                {
                    self.tools.insert(id.clone(), path);
                }
                let status = ToolStatus::Running;
                told.push(AgentEvent::Tool(ToolUse { id, name, input: Value::Null, status, output: None }));
            }
            "tool_execution_end" => {
                let (id, name) = (text(object, "/toolCallId").to_owned(), text(object, "/toolName").to_owned());
                let is_error = object.get("isError").and_then(Value::as_bool).unwrap_or(false);
                let status = if is_error { ToolStatus::Failed } else { ToolStatus::Done };
                let path = self.tools.remove(&id).filter(|_| !is_error);
                let output = object.get("result").and_then(output_text);
                told.push(AgentEvent::Tool(ToolUse { id, name, input: Value::Null, status, output }));
                if let Some(path) = path {
                    let path = told_path(&self.cwd, &path);
                    told.push(AgentEvent::File { path, change: FileChange::Modified });
                }
            }
            "agent_end" => {
                let will_retry = object.get("willRetry").and_then(Value::as_bool).unwrap_or(false);
                if self.is_good && !will_retry {
                    told.push(AgentEvent::end(EndOutcome::Completed));
                }
            }
            "auto_retry_start" => told.push(AgentEvent::notice(text(object, "/errorMessage"))),
            "auto_retry_end" => {
                if object.get("success") == Some(&Value::Bool(false)) {
                    let message = text(object, "/finalError");
                    told.push(AgentEvent::error(class_of(message), message));
                }
            }
            "compaction_start" | "auto_compaction_start" => {
                told.push(AgentEvent::notice("earlier messages are summed up"));
            }
            "agent_start"
            | "turn_start"
            | "turn_end"
            | "message_start"
            | "message_update"
            | "message_end"
            | "tool_execution_update"
            | "compaction_end"
            | "auto_compaction_end"
            | "queue_update" => {}
            _ => return Understood::No,
        }
        Understood::Yes
    }
}

impl Lines {
    fn message(&mut self, message: &Value, told: &mut Told) {
        self.messages += 1;
        self.turns += 1;
        let stop = text(message, "/stopReason");
        let error = some_text(message, "/errorMessage");
        self.is_good = error.is_none() && !matches!(stop, "error" | "aborted");
        let mut texts = Vec::new();
        for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            match text(part, "/type") {
                "text" => texts.push(text(part, "/text")),
                "thinking" => told.push(AgentEvent::Reasoning { text: text(part, "/thinking").to_owned() }),
                "toolCall" => {
                    let (id, name) = (text(part, "/id").to_owned(), text(part, "/name").to_owned());
                    let input = part.get("arguments").cloned().unwrap_or_default();
                    let status = ToolStatus::Requested;
                    told.push(AgentEvent::Tool(ToolUse { id, name, input, status, output: None }));
                }
                _ => {}
            }
        }
        if !texts.is_empty() {
            told.push(AgentEvent::Message { text: texts.join("\n"), is_final: stop == "stop" });
        }
        told.push(AgentEvent::Usage(self.usage(message)));
        if !self.is_good {
            let words = error.unwrap_or_else(|| format!("the model stopped: {stop}"));
            told.push(AgentEvent::error(class_of(&words), words));
        } else if stop == "length" {
            told.push(AgentEvent::end(EndOutcome::LimitReached));
            self.is_good = false;
        }
    }

    fn usage(&self, message: &Value) -> UsageReport {
        let mut numbers = Numbers::default();
        let mut count = |names: [&str; 2]| {
            names.iter().find_map(|name| message.pointer(name)).and_then(|at| numbers.count(Some(at)))
        };
        let (input, output) =
            (count(["/usage/input", "/usage/input_tokens"]), count(["/usage/output", "/usage/output_tokens"]));
        let (read, write) =
            (count(["/usage/cacheRead", "/usage/cache_read"]), count(["/usage/cacheWrite", "/usage/cache_write"]));
        let stamp = message.get("timestamp").and_then(Value::as_u64);
        // Its id, else when and by which model, else its place (L29).
        let id = some_text(message, "/responseId")
            .or_else(|| stamp.map(|stamp| format!("{stamp}-{}", text(message, "/model"))))
            .unwrap_or_else(|| self.messages.to_string());
        UsageReport {
            message: Some(id),
            total: false,
            usage: Usage {
                input: input.map(|input| input.saturating_add(write.unwrap_or(0))),
                cached_input: read,
                cache_write: write,
                output,
                reasoning: None,
            },
            cost: numbers.dollars(message.pointer("/usage/cost/total")),
            turns: Some(self.turns),
            bad_number: numbers.bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Agent, Kind};

    // S72: held to tools it has these by its own names and no other, in a session that looks none that changes
    // anything, and never all for want of a name.
    #[test]
    fn it_is_started_with_the_tools_that_are_named() {
        let told = |mode: Mode, tools: Option<Vec<Tool>>| {
            let own = std::path::Path::new("/own");
            let session = Session { mode, tools, ..Session::new(Agent::of(Kind::Pi), "/tree", own, "do it") };
            Pi.launch(&session).args.split_off(3)
        };
        assert!(told(Mode::Write, None).is_empty());
        assert_eq!(told(Mode::ReadOnly, None), ["--tools", "read,grep,find,ls"]);
        let some = vec![Tool::Read, Tool::Run, Tool::Find];
        assert_eq!(told(Mode::Write, Some(some.clone())), ["--tools", "read,bash,find,ls"]);
        assert_eq!(told(Mode::ReadOnly, Some(some)), ["--tools", "read,find,ls"]);
        for none in [vec![], vec![Tool::Diff]] {
            assert_eq!(told(Mode::Write, Some(none)), ["--no-tools"]);
        }
    }
}

//! Claude Code in print mode: `claude -p --output-format stream-json` (L29, X66). Where somebody answers, its input
//! stays open and it asks for leave on the same two pipes (S77).

use std::collections::BTreeMap;

use model::{
    agent::{
        AgentName, Capability,
        classify::{class_of, class_of_status},
        event::{AgentEvent, EndOutcome, ErrorClass, FileChange, SessionFacts, ToolStatus, ToolUse},
        usage::{Numbers, Usage, UsageReport},
    },
    approval::argv_of_shell,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{Adapter, Input, Launch, LoginFile, Reader, Told, Understood, output_text, some_text, text, told_path};
use crate::{
    agent::Protocol,
    session::{Checks, Mode, Session},
    sink::{Ask, Reply},
    version::{Tested, Version},
};

/// Tools that change files.
const WRITERS: &[&str] = &["Write", "Edit", "MultiEdit", "NotebookEdit"];
/// What a refusal begins with; the model reads it as the result of its tool.
const DENIED: &str = "Denied: ";
/// What it may use without asking where the sandbox alone holds it.
const ALL_TOOLS: &str = "Bash,Edit,MultiEdit,Write,NotebookEdit,WebFetch,WebSearch";

/// The adapter.
#[derive(Debug)]
pub struct Claude;

impl Adapter for Claude {
    fn program(&self) -> &'static str {
        "claude"
    }

    fn install(&self) -> Option<&'static str> {
        Some("npm install -g @anthropic-ai/claude-code@2.1.197")
    }

    fn tested(&self) -> Option<Tested> {
        Some(Tested { from: Version(2, 1, 197), below: Version(2, 2, 0) })
    }

    fn version(&self) -> u32 {
        2
    }

    fn capabilities(&self, _: Protocol) -> &'static [Capability] {
        &[Capability::Resume, Capability::Approvals, Capability::Usage, Capability::Interrupt]
    }

    fn login_names(&self) -> &'static [&'static str] {
        &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_BASE_URL",
            "ANTHROPIC_MODEL",
            "CLAUDE_CODE_OAUTH_TOKEN",
        ]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[LoginFile { path: ".claude/.credentials.json", is_shared: true }]
    }

    fn launch(&self, session: &Session) -> Launch {
        let mode = match session.mode {
            Mode::Write => "acceptEdits",
            Mode::ReadOnly => "plan",
        };
        let mut args: Vec<String> =
            ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", mode].map(str::to_owned).into();
        let mut option = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
        if session.checks == Checks::SandboxOnly && session.mode == Mode::Write {
            option("--allowedTools", ALL_TOOLS);
        }
        if let Some(turns) = session.limits.turns {
            option("--max-turns", &turns.to_string());
        }
        if let Some(model) = &session.model {
            option("--model", model);
        }
        if let Some(resume) = &session.resume {
            option("--resume", resume);
        }
        let mut input = Input::Prompt;
        if session.asks {
            option("--input-format", "stream-json");
            option("--permission-prompt-tool", "stdio");
            let content = json!({"role": "user", "content": session.prompt});
            input = Input::Open(line(&json!({"type": "user", "message": content, "parent_tool_use_id": null})));
        }
        let env = [("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"), ("DISABLE_AUTOUPDATER", "1")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Launch { args, input, env, ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        Box::new(Lines {
            agent: session.name().clone(),
            cwd: session.cwd.display().to_string(),
            tools: BTreeMap::new(),
            last_text: String::new(),
        })
    }
}

/// Reads what it prints.
#[derive(Debug)]
struct Lines {
    agent: AgentName,
    cwd: String,
    /// Uses of tools that have not ended: name and input.
    tools: BTreeMap<String, (String, Value)>,
    last_text: String,
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        match text(object, "/type") {
            "system" => self.system(object, told),
            "assistant" => self.assistant(object, told),
            "user" => self.user(object, told),
            "result" => self.result(object, told),
            "rate_limit_event" => rate_limit(object, told),
            "control_request" => return asked(object, told),
            "control_response" | "control_cancel_request" => {}
            _ => return Understood::No,
        }
        Understood::Yes
    }

    fn reply(&self, ask: &Ask, reply: &Reply) -> Option<String> {
        let Ask::Approval { id, input, .. } = ask else { return None };
        let response = match reply {
            // It takes the input from the answer. One that was redacted on its way here is no longer what was asked.
            Reply::Allow if input.to_string().contains("[redacted:") => {
                json!({"behavior": "deny", "message": format!("{DENIED}it holds a secret, which is not handed back")})
            }
            Reply::Allow => json!({"behavior": "allow", "updatedInput": input}),
            Reply::Deny(reason) | Reply::Answer(reason) => {
                json!({"behavior": "deny", "message": format!("{DENIED}{reason}")})
            }
        };
        let response = json!({"subtype": "success", "request_id": id, "response": response});
        Some(line(&json!({"type": "control_response", "response": response})))
    }

    fn cancel(&self) -> Option<String> {
        Some(line(&json!({"type": "control_request", "request_id": "stop", "request": {"subtype": "interrupt"}})))
    }
}

/// It asks for leave to use a tool.
fn asked(object: &Value, told: &mut Told) -> Understood {
    let (Some(id), "can_use_tool") = (some_text(object, "/request_id"), text(object, "/request/subtype")) else {
        return Understood::No;
    };
    let tool = text(object, "/request/tool_name").to_owned();
    let input = object.pointer("/request/input").cloned().unwrap_or_default();
    let call = some_text(object, "/request/tool_use_id").unwrap_or_else(|| id.clone());
    let status = ToolStatus::AwaitingApproval;
    told.push(AgentEvent::Tool(ToolUse {
        id: call.clone(),
        name: tool.clone(),
        input: input.clone(),
        status,
        output: None,
    }));
    let argv = (tool == "Bash").then(|| argv_of_shell(text(&input, "/command")));
    told.asks.push(Ask::Approval { id, call, tool, input, argv });
    Understood::Yes
}

fn line(message: &Value) -> String {
    format!("{message}\n")
}

impl Lines {
    fn system(&self, object: &Value, told: &mut Told) {
        match text(object, "/subtype") {
            "init" => told.push(AgentEvent::Session(SessionFacts {
                version: some_text(object, "/claude_code_version"),
                model: some_text(object, "/model"),
                session: some_text(object, "/session_id"),
                ..SessionFacts::of(self.agent.clone())
            })),
            "api_retry" => told.push(AgentEvent::notice(format!(
                "the model is asked again: {} {}",
                object.get("error_status").and_then(Value::as_u64).unwrap_or_default(),
                text(object, "/error")
            ))),
            "compact_boundary" => told.push(AgentEvent::notice("earlier messages were summed up")),
            _ => {}
        }
    }

    fn assistant(&mut self, object: &Value, told: &mut Told) {
        let is_inner = object.get("parent_tool_use_id").is_some_and(|parent| !parent.is_null());
        let error = some_text(object, "/error");
        for part in object.pointer("/message/content").and_then(Value::as_array).into_iter().flatten() {
            match text(part, "/type") {
                "text" => {
                    let said = text(part, "/text");
                    match &error {
                        // It says in its own name that the provider failed.
                        Some(kind) => told.push(AgentEvent::error(class_of_kind(kind, said), said)),
                        // What an agent of the agent says is not the answer.
                        None if is_inner => told.push(AgentEvent::Reasoning { text: said.to_owned() }),
                        None => {
                            said.clone_into(&mut self.last_text);
                            told.push(AgentEvent::said(said));
                        }
                    }
                }
                "thinking" => told.push(AgentEvent::Reasoning { text: text(part, "/thinking").to_owned() }),
                "tool_use" => {
                    let (id, name) = (text(part, "/id").to_owned(), text(part, "/name").to_owned());
                    let input = part.get("input").cloned().unwrap_or_default();
                    self.tools.insert(id.clone(), (name.clone(), input.clone()));
                    let status = ToolStatus::Requested;
                    told.push(AgentEvent::Tool(ToolUse { id, name, input, status, output: None }));
                }
                _ => {}
            }
        }
        let usage = object.pointer("/message/usage");
        if let (Some(usage), Some(id)) = (usage, some_text(object, "/message/id")) {
            let (usage, bad_number) = usage_of(usage);
            told.push(AgentEvent::Usage(UsageReport {
                message: Some(id),
                usage,
                bad_number,
                ..UsageReport::default()
            }));
        }
    }

    fn user(&mut self, object: &Value, told: &mut Told) {
        for part in object.pointer("/message/content").and_then(Value::as_array).into_iter().flatten() {
            if text(part, "/type") != "tool_result" {
                continue;
            }
            let id = text(part, "/tool_use_id").to_owned();
            let (name, input) = self.tools.remove(&id).unwrap_or_default();
            let output = part.get("content").and_then(output_text);
            let is_error = part.get("is_error").and_then(Value::as_bool).unwrap_or(false);
            let said = output.as_deref().unwrap_or_default();
            let status = match is_error {
                false => ToolStatus::Done,
                true if said.contains("requested permissions")
                    || said.contains("haven't granted")
                    || said.contains(DENIED) =>
                {
                    ToolStatus::Denied
                }
                true => ToolStatus::Failed,
            };
            let path = ["/file_path", "/notebook_path"].iter().find_map(|at| some_text(&input, at));
            let is_new = text(object, "/tool_use_result/type") == "create";
            let is_write = WRITERS.contains(&name.as_str()) && status == ToolStatus::Done;
            told.push(AgentEvent::Tool(ToolUse { id, name, input: Value::Null, status, output }));
            if let Some(path) = path.filter(|_| is_write) {
                let change = if is_new { FileChange::Added } else { FileChange::Modified };
                told.push(AgentEvent::File { path: told_path(&self.cwd, &path), change });
            }
        }
    }

    fn result(&self, object: &Value, told: &mut Told) {
        let (usage, bad) = object.get("usage").map(usage_of).unwrap_or_default();
        let mut numbers = Numbers { bad };
        told.push(AgentEvent::Usage(UsageReport {
            message: None,
            total: true,
            usage,
            cost: numbers.dollars(object.get("total_cost_usd")),
            turns: numbers.count(object.get("num_turns")),
            bad_number: numbers.bad,
        }));
        let said = text(object, "/result");
        let subtype = text(object, "/subtype");
        let is_error = object.get("is_error") != Some(&Value::Bool(false));
        let outcome = match subtype {
            "success" if !is_error => {
                if said != self.last_text {
                    told.push(AgentEvent::Message { text: said.to_owned(), is_final: true });
                }
                EndOutcome::Completed
            }
            "error_max_turns" | "error_max_budget_usd" => EndOutcome::LimitReached,
            _ => {
                let errors = object.get("errors").and_then(output_text).unwrap_or_default();
                let words = [said, &errors, subtype].into_iter().find(|words| !words.is_empty()).unwrap_or_default();
                let status = object.get("api_error_status").and_then(Value::as_u64);
                // A status says less than the words where a prompt is too long (400) or a model unknown.
                let class = match class_of(words) {
                    ErrorClass::Other => status.and_then(class_of_status).unwrap_or(ErrorClass::Other),
                    class => class,
                };
                told.push(AgentEvent::error(class, words));
                EndOutcome::Failed
            }
        };
        told.push(AgentEvent::end(outcome));
    }
}

fn class_of_kind(kind: &str, said: &str) -> ErrorClass {
    match kind {
        "authentication_failed" | "oauth_org_not_allowed" => ErrorClass::Auth,
        "billing_error" => ErrorClass::Billing,
        "rate_limit" => ErrorClass::RateLimited,
        "server_error" | "overloaded" => ErrorClass::ServerError,
        "model_not_found" => ErrorClass::ModelUnavailable,
        _ => class_of(said),
    }
}

fn rate_limit(object: &Value, told: &mut Told) {
    if text(object, "/rate_limit_info/status") != "rejected" {
        return;
    }
    let resets = object.pointer("/rate_limit_info/resetsAt").and_then(Value::as_i64);
    told.push(AgentEvent::Error {
        class: ErrorClass::Notice,
        message: "the account's limit is reached".to_owned(),
        retry_at: resets.map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000))),
    });
}

/// Tokens as this provider counts them: apart from the cache.
fn usage_of(usage: &Value) -> (Usage, bool) {
    let mut numbers = Numbers::default();
    let mut count = |at: &str| numbers.count(usage.get(at));
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    let (write, read) = (count("cache_creation_input_tokens"), count("cache_read_input_tokens"));
    let input = input.map(|input| input.saturating_add(write.unwrap_or(0)));
    (Usage { input, cached_input: read, cache_write: write, output, reasoning: None }, numbers.bad)
}

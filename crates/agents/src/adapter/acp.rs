//! Any program that speaks the Agent Client Protocol: JSON-RPC in lines on its two pipes (S77).
//!
//! The plane is the client. It offers neither files nor terminals: the agent works in its folder itself, behind the
//! fence, and what it asks leave for comes as `session/request_permission`.

use std::collections::BTreeMap;

use model::{
    agent::{
        AgentName, Capability,
        classify::class_of,
        event::{AgentEvent, EndOutcome, ErrorClass, FileChange, SessionFacts, ToolStatus, ToolUse},
        usage::{Numbers, Usage, UsageReport},
    },
    approval::argv_of_shell,
};
use serde_json::{Value, json};

use super::{Adapter, Input, Launch, LoginFile, Reader, Told, Understood, output_text, some_text, text, told_path};
use crate::{
    agent::Protocol,
    session::Session,
    sink::{Ask, Reply},
    version::Tested,
};

/// The protocol's number.
const PROTOCOL: u64 = 1;
/// The names of our requests.
const INITIALIZE: u64 = 1;
const SESSION: u64 = 2;
const MODEL: u64 = 3;
const PROMPT: u64 = 4;
/// JSON-RPC: there is no such method.
const NO_METHOD: i64 = -32_601;
/// ACP: the person has to sign in.
const AUTH_REQUIRED: i64 = -32_000;

/// The adapter.
#[derive(Debug)]
pub struct Acp;

impl Adapter for Acp {
    fn program(&self) -> &'static str {
        ""
    }

    fn install(&self) -> Option<&'static str> {
        None
    }

    fn tested(&self) -> Option<Tested> {
        None
    }

    fn capabilities(&self, _: Protocol) -> &'static [Capability] {
        &[Capability::Resume, Capability::Approvals, Capability::Interrupt]
    }

    fn login_names(&self) -> &'static [&'static str] {
        &[]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[]
    }

    fn launch(&self, _: &Session) -> Launch {
        Launch { input: Input::Open(hello()), ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        Box::new(Lines::new(session))
    }
}

/// The first line.
pub(super) fn hello() -> String {
    let none = json!({"fs": {"readTextFile": false, "writeTextFile": false}, "terminal": false});
    request(INITIALIZE, "initialize", &json!({"protocolVersion": PROTOCOL, "clientCapabilities": none}))
}

fn line(message: &Value) -> String {
    format!("{message}\n")
}

fn request(id: u64, method: &str, params: &Value) -> String {
    line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

/// A use of a tool that has not ended.
#[derive(Debug, Default)]
struct Tool {
    name: String,
    kind: String,
    input: Value,
    status: Option<ToolStatus>,
    paths: Vec<String>,
}

/// Reads what the agent says.
#[derive(Debug)]
pub(super) struct Lines {
    agent: AgentName,
    cwd: String,
    prompt: String,
    model: Option<String>,
    resume: Option<String>,
    session: Option<String>,
    /// The prompt was sent: what comes before it is an old session that is told again.
    is_prompted: bool,
    /// What the agent is saying, in pieces.
    saying: String,
    tools: BTreeMap<String, Tool>,
    /// What stands open: the option that says yes once, and the one that says no.
    options: BTreeMap<String, (Value, Option<String>, Option<String>)>,
}

impl Lines {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            agent: session.name().clone(),
            cwd: session.cwd.display().to_string(),
            prompt: session.prompt.clone(),
            model: session.model.clone(),
            resume: session.resume.clone(),
            session: None,
            is_prompted: false,
            saying: String::new(),
            tools: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }

    fn answered(&mut self, id: u64, object: &Value, told: &mut Told) -> Understood {
        if let Some(error) = object.get("error").filter(|error| !error.is_null()) {
            self.failed(id, error, told);
            return Understood::Yes;
        }
        let result = object.get("result").unwrap_or(&Value::Null);
        match id {
            INITIALIZE => self.opened(result, told),
            SESSION => self.ready(result, told),
            MODEL => self.ask(told),
            PROMPT => self.ended_turn(result, told),
            _ => return Understood::No,
        }
        Understood::Yes
    }

    fn opened(&mut self, result: &Value, told: &mut Told) {
        let version = result.get("protocolVersion").and_then(Value::as_u64);
        if version != Some(PROTOCOL) {
            let speaks = version.map_or("none that is known".to_owned(), |version| version.to_string());
            let message = format!("the agent speaks protocol {speaks}, and {PROTOCOL} is needed");
            told.push(AgentEvent::error(ErrorClass::Protocol, message));
            told.push(AgentEvent::end(EndOutcome::Failed));
            return;
        }
        let can_load = result.pointer("/agentCapabilities/loadSession") == Some(&Value::Bool(true));
        let mut params = json!({"cwd": self.cwd, "mcpServers": []});
        let method = match self.resume.clone().filter(|_| can_load) {
            Some(session) => {
                params["sessionId"] = json!(session);
                self.session = Some(session);
                "session/load"
            }
            None => {
                if self.resume.is_some() {
                    told.push(AgentEvent::notice("the agent cannot go on with a session, so it begins a new one"));
                }
                "session/new"
            }
        };
        let version = result.pointer("/agentInfo/version").and_then(Value::as_str).map(str::to_owned);
        if version.is_some() {
            told.push(AgentEvent::Session(SessionFacts { version, ..SessionFacts::of(self.agent.clone()) }));
        }
        told.lines.push(request(SESSION, method, &params));
    }

    fn ready(&mut self, result: &Value, told: &mut Told) {
        self.session = some_text(result, "/sessionId").or_else(|| self.session.take());
        let current = some_text(result, "/models/currentModelId");
        told.push(AgentEvent::Session(SessionFacts {
            model: self.model.clone().or_else(|| current.clone()),
            session: self.session.clone(),
            ..SessionFacts::of(self.agent.clone())
        }));
        match &self.model {
            Some(model) if current.as_ref() != Some(model) => {
                let params = json!({"sessionId": self.session, "modelId": model});
                told.lines.push(request(MODEL, "session/set_model", &params));
            }
            _ => self.ask(told),
        }
    }

    fn ask(&mut self, told: &mut Told) {
        self.is_prompted = true;
        self.saying.clear();
        let prompt = json!([{"type": "text", "text": self.prompt}]);
        let params = json!({"sessionId": self.session, "prompt": prompt});
        told.lines.push(request(PROMPT, "session/prompt", &params));
    }

    fn ended_turn(&mut self, result: &Value, told: &mut Told) {
        if !self.saying.is_empty() {
            told.push(AgentEvent::Message { text: std::mem::take(&mut self.saying), is_final: true });
        }
        if let Some(usage) = result.get("usage").filter(|usage| usage.is_object()) {
            let mut numbers = Numbers::default();
            let mut count = |at: &str| numbers.count(usage.get(at));
            let usage = Usage {
                input: count("inputTokens"),
                output: count("outputTokens"),
                cached_input: count("cachedReadTokens"),
                cache_write: count("cachedWriteTokens"),
                reasoning: count("thoughtTokens"),
            };
            let bad_number = numbers.bad;
            // Of the turn, or of its last request: the protocol does not say, so it is no sum of the session.
            let message = Some("turn".to_owned());
            told.push(AgentEvent::Usage(UsageReport { message, usage, bad_number, ..UsageReport::default() }));
        }
        let outcome = match text(result, "/stopReason") {
            "end_turn" => EndOutcome::Completed,
            "refusal" => EndOutcome::Refused,
            "cancelled" => EndOutcome::Interrupted,
            "max_tokens" | "max_turn_requests" => EndOutcome::LimitReached,
            other => {
                told.push(AgentEvent::error(ErrorClass::Protocol, format!("an unknown end of the turn: {other:?}")));
                EndOutcome::Failed
            }
        };
        told.push(AgentEvent::end(outcome));
    }

    fn failed(&mut self, id: u64, error: &Value, told: &mut Told) {
        let detail = ["/data/details", "/data/message", "/data"].iter().find_map(|at| some_text(error, at));
        let words = match detail {
            Some(detail) => format!("{}: {detail}", text(error, "/message")),
            None => text(error, "/message").to_owned(),
        };
        let code = error.get("code").and_then(Value::as_i64);
        let class = match (id, class_of(&words)) {
            (MODEL, ErrorClass::Other) => ErrorClass::ModelUnavailable,
            (_, ErrorClass::Other) if code == Some(AUTH_REQUIRED) => ErrorClass::Auth,
            (INITIALIZE | SESSION, ErrorClass::Other) => ErrorClass::Protocol,
            (_, class) => class,
        };
        told.push(AgentEvent::error(class, words));
        told.push(AgentEvent::end(EndOutcome::Failed));
    }

    fn update(&mut self, update: &Value, told: &mut Told) -> Understood {
        if !self.is_prompted {
            return Understood::Yes;
        }
        match text(update, "/sessionUpdate") {
            "agent_message_chunk" => self.saying.push_str(text(update, "/content/text")),
            "agent_thought_chunk" => {
                let text = text(update, "/content/text");
                if !text.is_empty() {
                    told.push(AgentEvent::Reasoning { text: text.to_owned() });
                }
            }
            "tool_call" | "tool_call_update" => {
                self.said(told);
                self.tool(update, told);
            }
            "plan"
            | "user_message_chunk"
            | "available_commands_update"
            | "current_mode_update"
            | "config_option_update"
            | "session_info_update"
            | "usage_update" => {}
            _ => return Understood::No,
        }
        Understood::Yes
    }

    /// What was said up to here was not the answer.
    fn said(&mut self, told: &mut Told) {
        if !self.saying.is_empty() {
            told.push(AgentEvent::said(std::mem::take(&mut self.saying)));
        }
    }

    fn tool(&mut self, update: &Value, told: &mut Told) {
        let Some(id) = some_text(update, "/toolCallId") else { return };
        let tool = self.tools.entry(id.clone()).or_default();
        if let Some(kind) = some_text(update, "/kind") {
            tool.kind = kind;
        }
        if tool.name.is_empty() {
            tool.name = some_text(update, "/title").unwrap_or_else(|| tool.kind.clone());
        }
        let input = update.get("rawInput").filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty()));
        let is_new_input = input.is_some_and(|input| *input != tool.input);
        if let Some(input) = input {
            tool.input = input.clone();
        }
        for location in update.get("locations").and_then(Value::as_array).into_iter().flatten() {
            if let Some(path) = some_text(location, "/path")
                && !tool.paths.contains(&path)
            {
                tool.paths.push(path);
            }
        }
        let status = match text(update, "/status") {
            "pending" => Some(ToolStatus::Requested),
            "in_progress" => Some(ToolStatus::Running),
            "completed" => Some(ToolStatus::Done),
            "failed" => Some(ToolStatus::Failed),
            _ => tool.status.is_none().then_some(ToolStatus::Requested),
        };
        let Some(status) = status.filter(|status| tool.status != Some(*status) || is_new_input) else { return };
        tool.status = Some(status);
        let output = if status.is_terminal() { output_of(update) } else { None };
        let input = if status.is_terminal() { Value::Null } else { tool.input.clone() };
        told.push(AgentEvent::Tool(ToolUse { id: id.clone(), name: tool.name.clone(), input, status, output }));
        if !status.is_terminal() {
            return;
        }
        let change = match tool.kind.as_str() {
            "edit" => Some(FileChange::Modified),
            "delete" => Some(FileChange::Deleted),
            "move" => Some(FileChange::Renamed),
            _ => None,
        };
        if let (Some(change), ToolStatus::Done) = (change, status) {
            let paths: Vec<String> = tool.paths.iter().map(|path| told_path(&self.cwd, path)).collect();
            told.events.extend(paths.into_iter().map(|path| AgentEvent::File { path, change }));
        }
        self.tools.remove(&id);
    }

    /// It asks for leave.
    fn permission(&mut self, id: &Value, params: &Value, told: &mut Told) {
        let asked = params.get("toolCall").unwrap_or(&Value::Null);
        self.said(told);
        let call = some_text(asked, "/toolCallId").unwrap_or_else(|| id.to_string());
        let known = self.tools.entry(call.clone()).or_default();
        if let Some(kind) = some_text(asked, "/kind") {
            known.kind = kind;
        }
        if let Some(input) = asked.get("rawInput").filter(|input| input.is_object()) {
            known.input = input.clone();
        }
        known.status = Some(ToolStatus::AwaitingApproval);
        // The kind is of the protocol, the title is the agent's words for this one use.
        let name = if known.kind.is_empty() { "other".to_owned() } else { known.kind.clone() };
        let mut input = known.input.clone();
        if input.is_null() {
            input = json!({"title": text(asked, "/title")});
        }
        let command = match input.get("command") {
            Some(Value::String(text)) if name == "execute" => Some(argv_of_shell(text)),
            Some(Value::Array(words)) if name == "execute" => {
                words.iter().map(|word| word.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        };
        told.push(AgentEvent::Tool(ToolUse {
            id: call.clone(),
            name: name.clone(),
            input: input.clone(),
            status: ToolStatus::AwaitingApproval,
            output: None,
        }));
        let option = |kind: &str| {
            let options = params.get("options").and_then(Value::as_array).into_iter().flatten();
            options.filter(|option| text(option, "/kind") == kind).find_map(|option| some_text(option, "/optionId"))
        };
        let ask = id.to_string();
        // Never an "always": a yes is for one use (S39).
        self.options.insert(ask.clone(), (id.clone(), option("allow_once"), option("reject_once")));
        told.asks.push(Ask::Approval { id: ask, call, tool: name, input, argv: command });
    }
}

/// What came of a tool, in words.
fn output_of(update: &Value) -> Option<String> {
    let content = update.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = content
        .filter_map(|part| part.pointer("/content/text").and_then(Value::as_str))
        .filter(|text| !text.is_empty())
        .collect();
    if !texts.is_empty() {
        return Some(texts.join("\n"));
    }
    let raw = update.get("rawOutput")?;
    raw.get("output").and_then(output_text).or_else(|| output_text(raw))
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        let id = object.get("id").filter(|id| !id.is_null());
        match (object.get("method").and_then(Value::as_str), id) {
            (None, Some(id)) => id.as_u64().map_or(Understood::No, |id| self.answered(id, object, told)),
            (Some("session/update"), None) => {
                self.update(object.pointer("/params/update").unwrap_or(&Value::Null), told)
            }
            (Some("session/request_permission"), Some(id)) => {
                let params = object.get("params").cloned().unwrap_or_default();
                self.permission(&id.clone(), &params, told);
                Understood::Yes
            }
            // What was not offered is not there; an agent that waits for it would wait for ever.
            (Some(method), Some(id)) => {
                let message = format!("this client has no {method}");
                let error = json!({"code": NO_METHOD, "message": message});
                told.lines.push(line(&json!({"jsonrpc": "2.0", "id": id, "error": error})));
                Understood::No
            }
            (Some(_), None) | (None, None) => Understood::No,
        }
    }

    fn reply(&self, ask: &Ask, reply: &Reply) -> Option<String> {
        let Ask::Approval { id, .. } = ask else { return None };
        let (id, yes, no) = self.options.get(id)?;
        let option = if *reply == Reply::Allow { yes } else { no };
        let outcome = match option {
            Some(option) => json!({"outcome": "selected", "optionId": option}),
            // It offers no way to say this once.
            None => json!({"outcome": "cancelled"}),
        };
        Some(line(&json!({"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}})))
    }

    fn cancel(&self) -> Option<String> {
        let session = self.session.as_ref().filter(|_| self.is_prompted)?;
        Some(line(&json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}})))
    }
}

#[cfg(test)]
#[path = "acp_tests.rs"]
mod tests;

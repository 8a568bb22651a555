//! opencode without a terminal: `opencode run --format json` (L29).

use model::agent::{
    AgentName, Capability,
    classify::{class_of, class_of_status},
    event::{AgentEvent, EndOutcome, ErrorClass, FileChange, SessionFacts, ToolStatus, ToolUse},
    usage::{Numbers, Usage, UsageReport},
};
use serde_json::{Value, json};

use super::{Adapter, Launch, LoginFile, Reader, Told, Understood, some_text, text, told_path};
use crate::{
    agent::Protocol,
    session::{Mode, Session},
    version::{Tested, Version},
};

/// The adapter.
#[derive(Debug)]
pub struct Opencode;

impl Adapter for Opencode {
    fn program(&self) -> &'static str {
        "opencode"
    }

    fn install(&self) -> Option<&'static str> {
        Some("npm install -g opencode-ai@1.18.33")
    }

    fn tested(&self) -> Option<Tested> {
        Some(Tested { from: Version(1, 18, 33), below: Version(1, 19, 0) })
    }

    fn capabilities(&self, _: Protocol) -> &'static [Capability] {
        &[Capability::Resume, Capability::Usage]
    }

    fn login_names(&self) -> &'static [&'static str] {
        &[
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "GEMINI_API_KEY",
            "GOOGLE_GENERATIVE_AI_API_KEY",
            "OPENROUTER_API_KEY",
            "XAI_API_KEY",
            "DEEPSEEK_API_KEY",
            "MISTRAL_API_KEY",
            "OPENCODE_API_KEY",
        ]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[
            LoginFile { path: ".local/share/opencode/auth.json", is_shared: true },
            LoginFile { path: ".config/opencode/opencode.json", is_shared: false },
        ]
    }

    fn launch(&self, session: &Session) -> Launch {
        let mut args: Vec<String> = ["run", "--format", "json"].map(str::to_owned).into();
        if let Some(model) = &session.model {
            args.extend(["--model".to_owned(), model.clone()]);
        }
        if let Some(resume) = &session.resume {
            args.extend(["--session".to_owned(), resume.clone()]);
        }
        let mut settings = json!({"autoupdate": false, "share": "disabled"});
        if session.mode == Mode::ReadOnly {
            settings["permission"] = json!({"edit": "deny", "bash": "deny"});
        }
        let env = [
            ("OPENCODE_CONFIG_CONTENT", settings.to_string()),
            ("OPENCODE_DISABLE_AUTOUPDATE", "1".to_owned()),
            ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        Launch { args, env, ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        Box::new(Lines {
            agent: session.name().clone(),
            cwd: session.cwd.display().to_string(),
            session: None,
            texts: Vec::new(),
            steps: 0,
            last: None,
        })
    }
}

/// Reads what it prints.
#[derive(Debug)]
struct Lines {
    agent: AgentName,
    cwd: String,
    session: Option<String>,
    /// What was said in the step that is open.
    texts: Vec<String>,
    steps: u64,
    /// How the last step that ended would end the session.
    last: Option<EndOutcome>,
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        let session = some_text(object, "/sessionID");
        if session.is_some() && session != self.session {
            self.session = session;
            let session = self.session.clone();
            told.push(AgentEvent::Session(SessionFacts { session, ..SessionFacts::of(self.agent.clone()) }));
        }
        match text(object, "/type") {
            "step_start" => {
                self.texts.clear();
                self.last = None;
            }
            "text" => {
                let said = text(object, "/part/text").to_owned();
                self.texts.push(said.clone());
                told.push(AgentEvent::said(said));
            }
            "reasoning" => told.push(AgentEvent::Reasoning { text: text(object, "/part/text").to_owned() }),
            "tool_use" => self.tool(&object["part"], told),
            "step_finish" => self.step(&object["part"], told),
            "error" => {
                let message = ["/error/data/message", "/error/message", "/error/name"]
                    .iter()
                    .find_map(|at| some_text(object, at))
                    .unwrap_or_default();
                let status = object.pointer("/error/data/statusCode").and_then(Value::as_u64);
                let class = match (text(object, "/error/name"), class_of(&message)) {
                    ("ProviderAuthError", _) => ErrorClass::Auth,
                    ("ContextOverflowError", _) => ErrorClass::ContextOverflow,
                    ("ProviderModelNotFoundError", _) => ErrorClass::ModelUnavailable,
                    (_, ErrorClass::Other) => status.and_then(class_of_status).unwrap_or(ErrorClass::Other),
                    (_, class) => class,
                };
                self.last = None;
                told.push(AgentEvent::error(class, message));
            }
            _ => return Understood::No,
        }
        Understood::Yes
    }

    fn ended(&mut self, _: Option<i32>, told: &mut Told) {
        // Only the last step ends the session, and which is the last is known when there are no more.
        if let Some(outcome) = self.last {
            told.push(AgentEvent::end(outcome));
        }
    }
}

impl Lines {
    fn tool(&self, part: &Value, told: &mut Told) {
        let (id, name) = (text(part, "/callID").to_owned(), text(part, "/tool").to_owned());
        let input = part.pointer("/state/input").cloned().unwrap_or_default();
        let (status, output) = match text(part, "/state/status") {
            "completed" => (ToolStatus::Done, some_text(part, "/state/output")),
            "error" => (ToolStatus::Failed, some_text(part, "/state/error")),
            _ => (ToolStatus::Running, None),
        };
        let path = some_text(&input, "/filePath");
        let (id_too, name_too) = (id.clone(), name.clone());
        // It is told of when it is over: both ends of it at once.
        told.push(AgentEvent::Tool(ToolUse { id, name, input, status: ToolStatus::Requested, output: None }));
        let is_write = matches!(name_too.as_str(), "write" | "edit") && status == ToolStatus::Done;
        told.push(AgentEvent::Tool(ToolUse { id: id_too, name: name_too, input: Value::Null, status, output }));
        if let Some(path) = path.filter(|_| is_write) {
            let existed = part.pointer("/state/metadata/exists").and_then(Value::as_bool);
            let change = if existed == Some(false) { FileChange::Added } else { FileChange::Modified };
            told.push(AgentEvent::File { path: told_path(&self.cwd, &path), change });
        }
    }

    fn step(&mut self, part: &Value, told: &mut Told) {
        self.steps += 1;
        let mut numbers = Numbers::default();
        let mut count = |at: &str| numbers.count(part.pointer(at));
        let (input, output) = (count("/tokens/input"), count("/tokens/output"));
        let (reasoning, read, write) =
            (count("/tokens/reasoning"), count("/tokens/cache/read"), count("/tokens/cache/write"));
        told.push(AgentEvent::Usage(UsageReport {
            message: some_text(part, "/id"),
            total: false,
            usage: Usage {
                input: input.map(|input| input.saturating_add(write.unwrap_or(0))),
                cached_input: read,
                cache_write: write,
                output: output.map(|output| output.saturating_add(reasoning.unwrap_or(0))),
                reasoning,
            },
            cost: numbers.dollars(part.get("cost")),
            turns: Some(self.steps),
            bad_number: numbers.bad,
        }));
        self.last = match text(part, "/reason") {
            "tool-calls" => None,
            "length" => Some(EndOutcome::LimitReached),
            "content-filter" => Some(EndOutcome::Refused),
            "error" => Some(EndOutcome::Failed),
            _ => Some(EndOutcome::Completed),
        };
        if self.last == Some(EndOutcome::Completed) && self.texts.len() > 1 {
            // An answer in several parts is one answer.
            told.push(AgentEvent::Message { text: self.texts.join("\n"), is_final: true });
        }
    }
}

//! Protocol 1 of `command` agents: one JSON object per line, both ways (S79).

use model::agent::{
    AgentName,
    event::{AgentEvent, SessionFacts},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Reader, Told, Understood, some_text, text};
use crate::{
    session::Session,
    sink::{Ask, Reply},
};

/// The number of the protocol.
const PROTOCOL: u32 = 1;

/// What is written to the program.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToProgram<'s> {
    /// The first line.
    Start {
        protocol: u32,
        session: &'s str,
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<&'s str>,
        prompt: &'s str,
        cwd: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<&'s str>,
        budget: Budget,
    },
    /// The answer to an `approval_request`.
    Approval {
        id: &'s str,
        allow: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'s str>,
    },
    /// The answer to a `question`.
    Answer { id: &'s str, text: &'s str },
    /// It is to end within ten seconds.
    Cancel {},
}

#[derive(Debug, Serialize)]
struct Budget {
    seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<u32>,
}

fn line(message: &ToProgram<'_>) -> String {
    // Texts and numbers always have a JSON text.
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    line
}

/// The first line for a session.
pub(super) fn start(session: &Session) -> String {
    let id = session.run.map(|run| run.to_string()).unwrap_or_default();
    line(&ToProgram::Start {
        protocol: PROTOCOL,
        session: &id,
        resume: session.resume.as_deref(),
        prompt: &session.prompt,
        cwd: session.cwd.display().to_string(),
        model: session.model.as_deref(),
        budget: Budget { seconds: session.limits.wall.as_secs(), turns: session.limits.turns },
    })
}

/// What the program says first.
#[derive(Debug, Deserialize)]
struct Ready {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    session: Option<String>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before `ready`.
    Before,
    /// Between `ready` and `end`.
    Open,
    /// After `end`.
    Ended,
}

/// Reads what the program says. Lines before `ready` and after `end` are kept raw and ignored.
#[derive(Debug)]
pub(super) struct Lines {
    agent: AgentName,
    stage: Stage,
}

impl Lines {
    pub(super) const fn new(agent: AgentName) -> Self {
        Self { agent, stage: Stage::Before }
    }

    fn ready(&mut self, object: &Value, told: &mut Told) -> Understood {
        let Ok(ready) = Ready::deserialize(object) else { return Understood::No };
        self.stage = Stage::Open;
        let version = ready.version.map_or_else(|| ready.name.clone(), |version| format!("{} {version}", ready.name));
        told.push(AgentEvent::Session(SessionFacts {
            version: Some(version),
            session: ready.session,
            ..SessionFacts::of(self.agent.clone())
        }));
        Understood::Yes
    }
}

impl Reader for Lines {
    fn object(&mut self, object: &Value, told: &mut Told) -> Understood {
        match (self.stage, text(object, "/type")) {
            (Stage::Before, "ready") => self.ready(object, told),
            (Stage::Before | Stage::Ended, _) => Understood::No,
            (Stage::Open, "approval_request") => {
                let Some(id) = some_text(object, "/id") else { return Understood::No };
                let input = object.get("input").cloned().unwrap_or_default();
                let argv = object.get("argv").and_then(|argv| Vec::deserialize(argv).ok());
                let call = some_text(object, "/call").unwrap_or_else(|| id.clone());
                told.asks.push(Ask::Approval { id, call, tool: text(object, "/tool").to_owned(), input, argv });
                Understood::Yes
            }
            (Stage::Open, "question") => {
                let Some(id) = some_text(object, "/id") else { return Understood::No };
                told.asks.push(Ask::Question { id, text: text(object, "/text").to_owned() });
                Understood::Yes
            }
            (Stage::Open, "session") => {
                // Who it is, it has said; what it is called here is not its to say.
                told.push(AgentEvent::Session(SessionFacts {
                    model: some_text(object, "/model"),
                    session: some_text(object, "/session"),
                    ..SessionFacts::of(self.agent.clone())
                }));
                Understood::Yes
            }
            (Stage::Open, _) => match AgentEvent::deserialize(object) {
                Ok(event) => {
                    if matches!(event, AgentEvent::End { .. }) {
                        self.stage = Stage::Ended;
                    }
                    told.push(event);
                    Understood::Yes
                }
                Err(_) => Understood::No,
            },
        }
    }

    fn reply(&self, ask: &Ask, reply: &Reply) -> Option<String> {
        Some(match (ask, reply) {
            (Ask::Approval { id, .. }, Reply::Allow) => line(&ToProgram::Approval { id, allow: true, reason: None }),
            (Ask::Approval { id, .. }, Reply::Deny(reason) | Reply::Answer(reason)) => {
                line(&ToProgram::Approval { id, allow: false, reason: Some(reason) })
            }
            (Ask::Question { id, .. }, Reply::Answer(text) | Reply::Deny(text)) => {
                line(&ToProgram::Answer { id, text })
            }
            (Ask::Question { id, .. }, Reply::Allow) => line(&ToProgram::Answer { id, text: "yes" }),
        })
    }

    fn cancel(&self) -> Option<String> {
        Some(line(&ToProgram::Cancel {}))
    }
}

#[cfg(test)]
mod tests {
    use model::agent::event::EndOutcome;

    use super::*;
    use crate::adapter::read_again;

    // S79: ready first, end last, and what stands outside them is ignored.
    #[test]
    fn only_what_stands_between_ready_and_end_counts() {
        let raw = r#"
{"type":"message","text":"too early"}
{"type":"ready","name":"mine","version":"7","capabilities":[]}
{"type":"message","text":"hello"}
{"type":"tool","id":"1","name":"bash","status":"done","input":{"a":1},"output":"ok"}
{"type":"usage","message":"m1","input":5,"output":6}
{"type":"invention"}
{"type":"end","outcome":"completed"}
{"type":"error","class":"other","message":"too late"}
"#;
        let events = read_again(&mut Lines::new("mine".parse().unwrap()), raw, Some(0));
        let kinds: Vec<_> = events.iter().map(AgentEvent::kind).collect();
        assert_eq!(kinds, ["agent.session", "agent.message", "agent.tool", "agent.usage", "agent.end"]);
        assert_eq!(events[4], AgentEvent::end(EndOutcome::Completed));
    }

    // S77, S79: what it asks is handed on, and the reply goes back under its id.
    #[test]
    fn asks_are_answered_under_their_id() {
        let mut lines = Lines::new("mine".parse().unwrap());
        let mut told = Told::default();
        for text in [
            r#"{"type":"ready","name":"mine"}"#,
            r#"{"type":"approval_request","id":"a1","tool":"rm","input":{"path":"x"}}"#,
            r#"{"type":"question","id":"q1","text":"which?"}"#,
        ] {
            assert_eq!(lines.object(&serde_json::from_str(text).unwrap(), &mut told), Understood::Yes);
        }
        let denied = lines.reply(&told.asks[0], &Reply::Deny("no".into())).unwrap();
        assert_eq!(denied, "{\"type\":\"approval\",\"id\":\"a1\",\"allow\":false,\"reason\":\"no\"}\n");
        let answer = lines.reply(&told.asks[1], &Reply::Answer("b".into())).unwrap();
        assert_eq!(answer, "{\"type\":\"answer\",\"id\":\"q1\",\"text\":\"b\"}\n");
        assert_eq!(lines.cancel().unwrap(), "{\"type\":\"cancel\"}\n");
    }
}

//! A conversation with a model, whichever it is (S81).

use std::{fmt, time::Duration};

use model::{agent::usage::Usage, provider::Class};
use serde_json::Value;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What holds for all of it.
    pub system: String,
    /// What was said so far; a person's or a tool's word last.
    pub messages: Vec<Message>,
    /// What the model may use.
    pub tools: Vec<Tool>,
    /// How long a reply may be, in tokens; sent only when set.
    pub max_output: Option<u32>,
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What it takes, as JSON schema.
    pub input: Value,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A person, or the plane, says something.
    User(String),
    /// The model said this.
    Model(Vec<Block>),
    /// What came of its calls, one result for each.
    Results(Vec<Outcome>),
}

/// A part of what a model said.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Words.
    Text(String),
    /// The use of a tool.
    Call(Call),
    /// Something of the wire's own that has to be sent back as it was: signed thoughts.
    Kept(Value),
}

/// A model wants a tool used.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The provider's id of it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is given, or why that cannot be read (S81: never an empty call).
    pub input: Result<Value, String>,
    /// The part as it came, where the wire wants it back so.
    pub kept: Option<Value>,
}

impl Call {
    /// A call whose arguments came as text.
    pub(super) fn read(id: String, name: String, arguments: &str) -> Self {
        let text = if arguments.trim().is_empty() { "{}" } else { arguments };
        let input = match serde_json::from_str::<Value>(text) {
            Ok(input) if input.is_object() => Ok(input),
            Ok(_) => Err("the arguments are no JSON object".to_owned()),
            Err(error) => Err(format!("the arguments are no JSON: {error}")),
        };
        Self { id, name, input, kept: None }
    }

    /// How long the arguments are, as text.
    pub(crate) fn arguments_len(&self) -> usize {
        self.input.as_ref().map_or(0, |input| input.to_string().len())
    }

    /// The arguments as they are sent back; an object even where they could not be read.
    pub(super) fn arguments(&self) -> Value {
        self.input.clone().unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The call's id.
    pub id: String,
    /// Its tool.
    pub name: String,
    /// What came of it.
    pub text: String,
    /// It did not work.
    pub is_error: bool,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stop {
    /// It had said all.
    #[default]
    End,
    /// It wants tools used.
    Tools,
    /// The reply became too long.
    Length,
    /// It will not answer, or may not.
    Refused,
}

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered, by the provider's words.
    pub model: Option<String>,
    /// What it said, in order.
    pub blocks: Vec<Block>,
    /// What it thought, where it says.
    pub reasoning: String,
    /// Why it stopped.
    pub stop: Stop,
    /// What that used.
    pub usage: Usage,
    /// A number in it was no number one can count.
    pub bad_number: bool,
}

impl Reply {
    /// Its words.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.as_str()),
            Block::Call(_) | Block::Kept(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The tools it wants used.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(call) => Some(call),
            Block::Text(_) | Block::Kept(_) => None,
        })
    }

    /// Whether nothing stands in it.
    pub fn is_blank(&self) -> bool {
        self.calls().next().is_none() && self.text().trim().is_empty()
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of trouble.
    pub class: Class,
    /// In words, those of the provider where it said any. Never a key.
    pub message: String,
    /// How long it says to wait.
    pub retry_after: Option<Duration>,
    /// The model may have worked all the same, and that may be charged (S83).
    pub may_be_billed: bool,
}

impl Trouble {
    /// Trouble of a class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after: None, may_be_billed: false }
    }

    /// The same; what was sent may have been worked on.
    #[must_use]
    pub fn billed(self) -> Self {
        Self { may_be_billed: true, ..self }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.name(), self.message)
    }
}

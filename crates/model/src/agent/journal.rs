//! Events of agents as journal entries: their kind, how much they matter, and a size that fits.

use std::{borrow::Cow, ops::Range};

use serde_json::{Value, json};

use super::event::{AgentEvent, EndOutcome, ErrorClass, ToolStatus};
use crate::{
    journal::{Edge, Level, NewEntry},
    limits,
};

/// How long texts in an entry may be, and all of them together: the first that fits. The whole of it
/// stands in the raw output (S74).
const TEXTS: [(usize, usize); 3] = [(16 << 10, 40 << 10), (4 << 10, 8 << 10), (256, 2 << 10)];
/// Of an entry's size, left for what is added to the event.
const ROOM: usize = 256;

impl AgentEvent {
    /// The kind of its entry.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "agent.session",
            Self::Message { .. } => "agent.message",
            Self::Reasoning { .. } => "agent.reasoning",
            Self::Tool(_) => "agent.tool",
            Self::File { .. } => "agent.file",
            Self::Usage(_) => "agent.usage",
            Self::Error { .. } => "agent.error",
            Self::End { .. } => "agent.end",
        }
    }

    /// How much it matters (section 16 of solve).
    pub const fn level(&self) -> Level {
        match self {
            Self::Message { .. } | Self::Reasoning { .. } | Self::Usage(_) => Level::Debug,
            Self::Tool(tool) if matches!(tool.status, ToolStatus::Failed | ToolStatus::Denied) => Level::Warning,
            Self::Error { class: ErrorClass::Notice, .. } => Level::Info,
            Self::Error { .. } => Level::Warning,
            Self::End { outcome: EndOutcome::Completed } | Self::Session(_) | Self::Tool(_) | Self::File { .. } => {
                Level::Info
            }
            Self::End { .. } => Level::Warning,
        }
    }

    /// Its entry in a span of the agent's session. `raw` is where it stands in the raw output. Texts
    /// longer than an entry may hold are cut, and the entry says so.
    pub fn entry(&self, span: &str, raw: Option<&Range<u64>>) -> NewEntry {
        let mut data = serde_json::to_value(self).unwrap_or_else(|_| json!({}));
        let fits = |data: &Value| data.to_string().len() + ROOM <= limits::ENTRY_DATA;
        let mut is_cut = false;
        for (most, all) in TEXTS {
            is_cut |= shorten(&mut data, &mut { all }, most);
            if fits(&data) {
                break;
            }
        }
        // Many small values can be large as well: then they go, and the raw output has them.
        if !fits(&data)
            && let Some(input) = data.get_mut("input")
        {
            *input = Value::Null;
            is_cut = true;
        }
        if let Some(object) = data.as_object_mut() {
            object.remove("type");
            if let Some(raw) = raw {
                object.insert("raw".to_owned(), json!([raw.start, raw.end]));
            }
            if is_cut {
                object.insert("cut".to_owned(), Value::Bool(true));
            }
        }
        let entry = NewEntry { kind: Cow::Borrowed(self.kind()), ..NewEntry::new("note", data) }.at_level(self.level());
        match self {
            Self::Tool(tool) => {
                let edge = match tool.status {
                    ToolStatus::Requested => Some(Edge::Open),
                    status if status.is_terminal() => Some(Edge::Close),
                    _ => None,
                };
                entry.in_span(format!("{span}/tool:{}", tool.id), Some(span.to_owned()), edge)
            }
            _ => entry.in_span(span, None, None),
        }
    }
}

/// Cuts the texts in a value; whether any was cut.
fn shorten(value: &mut Value, room: &mut usize, most: usize) -> bool {
    match value {
        Value::String(text) => {
            let max = most.min(*room);
            let is_long = text.len() > max;
            if is_long {
                text.truncate(text.floor_char_boundary(max));
                text.push('…');
            }
            *room = room.saturating_sub(text.len());
            is_long
        }
        Value::Array(items) => items.iter_mut().fold(false, |cut, item| shorten(item, room, most) | cut),
        Value::Object(fields) => fields.values_mut().fold(false, |cut, item| shorten(item, room, most) | cut),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::event::{SessionFacts, ToolUse},
        journal::KINDS,
    };

    fn tool(status: ToolStatus, input: Value) -> AgentEvent {
        AgentEvent::Tool(ToolUse { id: "t1".into(), name: "bash".into(), input, status, output: None })
    }

    // Section 14: each event is journaled as agent.<type>; X23: agents write nothing else.
    #[test]
    fn each_event_has_a_declared_kind_and_reads_back() {
        let facts = SessionFacts::of("claude".parse().unwrap());
        for event in [
            AgentEvent::Session(facts),
            AgentEvent::said("hello"),
            AgentEvent::Reasoning { text: "hm".into() },
            tool(ToolStatus::Requested, json!({"command": "ls"})),
            AgentEvent::File { path: "a".into(), change: super::super::event::FileChange::Added },
            AgentEvent::Usage(super::super::usage::UsageReport::default()),
            AgentEvent::notice("retry"),
            AgentEvent::end(EndOutcome::Completed),
        ] {
            assert!(KINDS.iter().any(|(kind, _)| *kind == event.kind()), "{}", event.kind());
            let written = serde_json::to_value(&event).unwrap();
            assert_eq!(format!("agent.{}", written["type"].as_str().unwrap()), event.kind());
            assert_eq!(serde_json::from_value::<AgentEvent>(written).unwrap(), event);
            let entry = event.entry("turn:1", Some(&(3..9)));
            assert_eq!((entry.data["raw"].clone(), entry.data.get("type")), (json!([3, 9]), None));
        }
    }

    #[test]
    fn a_tool_is_a_span() {
        let open = tool(ToolStatus::Requested, json!({})).entry("s", None);
        let close = tool(ToolStatus::Failed, json!({})).entry("s", None);
        assert_eq!((open.span.as_deref(), open.edge), (Some("s/tool:t1"), Some(Edge::Open)));
        assert_eq!((close.parent.as_deref(), close.edge, close.level), (Some("s"), Some(Edge::Close), Level::Warning));
    }

    // An entry that is too large would be refused, and the run would stop for it.
    #[test]
    fn a_large_event_is_cut_to_fit_an_entry() {
        let long = "ä".repeat(200_000);
        let many = Value::Array(vec![json!("x".repeat(10_000)); 50]);
        let numbers = Value::Array(vec![json!(123_456_789); 20_000]);
        for event in [
            AgentEvent::said(long),
            tool(ToolStatus::Requested, many),
            tool(ToolStatus::Requested, numbers),
            AgentEvent::said("\u{1}".repeat(200_000)),
        ] {
            let entry = event.entry("s", Some(&(0..1)));
            let size = entry.data.to_string().len();
            assert!(size <= limits::ENTRY_DATA && entry.data["cut"] == true, "{size}");
        }
    }
}

//! The wire shapes: what the four kinds of request look like, and the stream each is answered with.

use serde_json::{Value, json};

use super::Answer;

/// A wire shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Anthropic messages.
    Messages,
    /// OpenAI responses.
    Responses,
    /// OpenAI chat completions.
    Chat,
    /// Gemini generateContent.
    Gemini,
}

/// Tokens of each request.
const INPUT: u64 = 100;
/// Tokens of each reply.
const OUTPUT: u64 = 20;

impl Wire {
    /// The shape spoken at a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        let ends = [
            ("/messages", Self::Messages),
            ("/responses", Self::Responses),
            ("/chat/completions", Self::Chat),
            (":streamGenerateContent", Self::Gemini),
        ];
        ends.into_iter().find_map(|(end, wire)| path.ends_with(end).then_some(wire))
    }

    /// Whether a request is for the title of a session: some agents make one beside the real ones, and
    /// offer no tools in it.
    pub(super) fn is_title(self, body: &Value) -> bool {
        let tools = body.get("tools").and_then(Value::as_array);
        self == Self::Chat && tools.is_none_or(Vec::is_empty)
    }

    /// How often a tool has answered in the conversation of a request.
    pub(super) fn results(self, body: &Value) -> usize {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let is =
            |item: &Value, field: &str, kinds: &[&str]| item[field].as_str().is_some_and(|kind| kinds.contains(&kind));
        match self {
            Self::Messages => list(body.get("messages"))
                .iter()
                .flat_map(|message| list(message.get("content")))
                .filter(|part| is(part, "type", &["tool_result"]))
                .count(),
            Self::Responses => list(body.get("input"))
                .iter()
                .filter(|item| is(item, "type", &["function_call_output", "custom_tool_call_output"]))
                .count(),
            Self::Chat => list(body.get("messages")).iter().filter(|message| is(message, "role", &["tool"])).count(),
            Self::Gemini => list(body.get("contents"))
                .iter()
                .flat_map(|content| list(content.get("parts")))
                .filter(|part| part.get("functionResponse").is_some())
                .count(),
        }
    }

    /// An error as this provider words it.
    pub(super) fn error(self, status: u16, message: &str) -> Value {
        let kind = match status {
            401 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            402 => "billing_error",
            403 => "permission_error",
            300..=499 => "invalid_request_error",
            _ => "api_error",
        };
        match self {
            Self::Messages => json!({"type": "error", "error": {"type": kind, "message": message}}),
            Self::Gemini => json!([{"error": {"code": status, "status": kind, "message": message}}]),
            Self::Responses | Self::Chat => json!({"error": {"message": message, "type": kind, "code": status}}),
        }
    }

    /// The whole stream of a reply.
    pub(super) fn events(self, answer: &Answer, number: usize, body: &Value) -> String {
        let model = body.get("model").and_then(Value::as_str).unwrap_or("fake");
        let parts = match answer {
            Answer::Several(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        match self {
            Self::Messages => messages(parts, number, model),
            Self::Responses => responses(parts, number),
            Self::Chat => chat(parts, number, model),
            Self::Gemini => gemini(parts, number),
        }
    }
}

fn named(events: &[Value]) -> String {
    let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect()
}

fn has_call(parts: &[Answer]) -> bool {
    parts.iter().any(|part| matches!(part, Answer::Call { .. }))
}

fn messages(parts: &[Answer], number: usize, model: &str) -> String {
    let mut events =
        vec![json!({"type": "message_start", "message": {"id": format!("msg_{number}"), "type": "message",
        "role": "assistant", "model": model, "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": INPUT, "output_tokens": 1}}})];
    for (index, part) in parts.iter().enumerate() {
        let (block, delta) = match part {
            Answer::Call { name, input } => (
                json!({"type": "tool_use", "id": format!("tu_{number}_{index}"), "name": name, "input": {}}),
                json!({"type": "input_json_delta", "partial_json": input.to_string()}),
            ),
            Answer::Say(text) => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text})),
            _ => continue,
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let stop = if has_call(parts) { "tool_use" } else { "end_turn" };
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
        "usage": {"output_tokens": OUTPUT}}));
    events.push(json!({"type": "message_stop"}));
    named(&events)
}

fn responses(parts: &[Answer], number: usize) -> String {
    let id = format!("resp_{number}");
    let items: Vec<Value> = parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| match part {
            Answer::Call { name, input } => Some(json!({"type": "function_call", "id": format!("fc_{number}_{index}"),
                "call_id": format!("call_{number}_{index}"), "name": name, "arguments": input.to_string(),
                "status": "completed"})),
            Answer::Say(text) => Some(json!({"type": "message", "id": format!("msg_{number}"), "role": "assistant",
                "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]})),
            _ => None,
        })
        .collect();
    let mut events = vec![json!({"type": "response.created", "response": {"id": id, "object": "response",
        "status": "in_progress", "output": []}})];
    for (index, item) in items.iter().enumerate() {
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(
        json!({"type": "response.completed", "response": {"id": id, "object": "response", "status": "completed",
        "output": items, "usage": {"input_tokens": INPUT, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT + OUTPUT}}}),
    );
    named(&events)
}

fn chat(parts: &[Answer], number: usize, model: &str) -> String {
    let (mut content, mut calls) = (Value::Null, Vec::new());
    for part in parts {
        match part {
            Answer::Call { name, input } => calls.push(json!({"index": calls.len(),
                "id": format!("call_{number}_{}", calls.len()), "type": "function",
                "function": {"name": name, "arguments": input.to_string()}})),
            Answer::Say(text) => content = json!(text),
            _ => {}
        }
    }
    let mut delta = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        delta["tool_calls"] = json!(calls);
    }
    let finish = if has_call(parts) { "tool_calls" } else { "stop" };
    let chunk = |choices: Value, usage: Value| {
        json!({"id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": choices, "usage": usage})
    };
    let usage = json!({"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT});
    let chunks = [
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null),
        chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish}]), Value::Null),
        chunk(json!([]), usage),
    ];
    let mut text: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    text
}

fn gemini(parts: &[Answer], number: usize) -> String {
    let parts: Vec<Value> = parts
        .iter()
        .filter_map(|part| match part {
            Answer::Call { name, input } => {
                Some(json!({"functionCall": {"name": name, "args": input}, "thoughtSignature": "c2lnbmVk"}))
            }
            Answer::Say(text) => Some(json!({"text": text})),
            _ => None,
        })
        .collect();
    let chunk = |candidate: Value| {
        json!({"candidates": [candidate], "modelVersion": "gemini-fake", "responseId": format!("resp-{number}"),
            "usageMetadata": {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT}})
    };
    let said = chunk(json!({"content": {"role": "model", "parts": parts}}));
    let over = chunk(json!({"content": {"role": "model", "parts": []}, "finishReason": "STOP"}));
    format!("data: {said}\r\n\r\ndata: {over}\r\n\r\n")
}

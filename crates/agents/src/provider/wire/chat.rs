//! OpenAI chat completions, and all that is compatible with them.

use serde_json::{Value, json};

use super::{Event, Reader, Shape, bearer, ids, invalid, json as read, some_text, text, trouble_in, used};
use crate::provider::{
    key::Secret,
    talk::{Block, Call, Message, Reply, Request, Stop, Tool, Trouble},
};

/// The shape.
pub(super) struct Chat;

/// Calls in one reply.
const CALLS: u64 = 256;

impl Shape for Chat {
    fn path(&self, _: &str) -> String {
        "chat/completions".to_owned()
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        bearer(key)
    }

    fn body(&self, model: &str, request: &Request) -> Value {
        let mut messages = Vec::new();
        if !request.system.is_empty() {
            messages.push(json!({"role": "system", "content": request.system}));
        }
        messages.extend(request.messages.iter().flat_map(said));
        let mut body = json!({
            "model": model, "messages": messages, "stream": true, "stream_options": {"include_usage": true},
        });
        if let Some(most) = request.max_output {
            body["max_tokens"] = json!(most);
        }
        if !request.tools.is_empty() {
            let tool = |tool: &Tool| {
                json!({"type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.input}})
            };
            body["tools"] = request.tools.iter().map(tool).collect();
        }
        body
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Reading::default())
    }

    fn models(&self, list: &Value) -> Vec<String> {
        ids(list)
    }
}

fn said(message: &Message) -> Vec<Value> {
    match message {
        Message::User(text) => vec![json!({"role": "user", "content": text})],
        Message::Model(blocks) => {
            let (mut words, mut calls) = (Vec::new(), Vec::new());
            for block in blocks {
                match block {
                    Block::Text(text) => words.push(text.as_str()),
                    Block::Call(call) => calls.push(json!({"id": call.id, "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments().to_string()}})),
                    Block::Kept(_) => {}
                }
            }
            let content = if words.is_empty() { Value::Null } else { json!(words.join("\n")) };
            let mut message = json!({"role": "assistant", "content": content});
            if !calls.is_empty() {
                message["tool_calls"] = Value::Array(calls);
            }
            vec![message]
        }
        Message::Results(results) => results
            .iter()
            .map(|result| json!({"role": "tool", "tool_call_id": result.id, "content": result.text}))
            .collect(),
    }
}

#[derive(Default)]
struct Reading {
    reply: Reply,
    words: String,
    /// By their place in the reply: id, name, arguments.
    calls: Vec<(u64, String, String, String)>,
    is_over: bool,
}

impl Reader for Reading {
    fn event(&mut self, event: &Event) -> Result<(), Trouble> {
        if event.data.trim() == "[DONE]" {
            return Ok(());
        }
        let data = read(event)?;
        if data.get("error").is_some_and(|error| !error.is_null()) {
            return Err(trouble_in(0, &data, None));
        }
        if self.reply.id.is_none() {
            self.reply.id = some_text(&data, "/id");
            self.reply.model = some_text(&data, "/model");
        }
        self.used(data.get("usage"));
        let choice = &data["choices"][0];
        let delta = &choice["delta"];
        self.words.push_str(text(delta, "/content"));
        for name in ["/reasoning_content", "/reasoning"] {
            self.reply.reasoning.push_str(text(delta, name));
        }
        for (number, call) in delta["tool_calls"].as_array().into_iter().flatten().enumerate() {
            self.call(number as u64, call)?;
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.is_over = true;
            self.reply.stop = match reason {
                "length" => Stop::Length,
                "content_filter" => Stop::Refused,
                "tool_calls" | "function_call" => Stop::Tools,
                _ => Stop::End,
            };
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Reply, Trouble> {
        if !self.is_over {
            return Err(invalid("the reply was cut off before its end"));
        }
        if !self.words.is_empty() {
            self.reply.blocks.push(Block::Text(self.words));
        }
        for (number, (_, id, name, arguments)) in self.calls.into_iter().enumerate() {
            // Some servers give no ids; within one reply the place is as good.
            let id = if id.is_empty() { format!("call-{number}") } else { id };
            self.reply.blocks.push(Block::Call(Call::read(id, name, &arguments)));
        }
        Ok(self.reply)
    }

    fn so_far(&self) -> &Reply {
        &self.reply
    }
}

impl Reading {
    fn call(&mut self, number: u64, piece: &Value) -> Result<(), Trouble> {
        let index = piece.get("index").and_then(Value::as_u64).unwrap_or(number);
        let (id, name) = (text(piece, "/id"), text(piece, "/function/name"));
        let found = self
            .calls
            .iter()
            .position(|(at, held, ..)| *at == index && (id.is_empty() || held == id || held.is_empty()));
        let at = match found {
            Some(at) => at,
            None if self.calls.len() as u64 >= CALLS => return Err(invalid("the reply wants too many tools at once")),
            None => {
                self.calls.push((index, String::new(), String::new(), String::new()));
                self.calls.len() - 1
            }
        };
        let (_, held, called, arguments) = &mut self.calls[at];
        if held.is_empty() {
            id.clone_into(held);
        }
        if called.is_empty() {
            name.clone_into(called);
        }
        match piece.pointer("/function/arguments") {
            Some(Value::String(more)) => arguments.push_str(more),
            // Some servers send them as an object, whole.
            Some(object @ Value::Object(_)) => *arguments = object.to_string(),
            _ => {}
        }
        Ok(())
    }

    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let cached = usage.pointer("/prompt_tokens_details/cached_tokens").or(usage.get("prompt_cache_hit_tokens"));
        let reasoning = usage.pointer("/completion_tokens_details/reasoning_tokens");
        used(&mut self.reply, [usage.get("prompt_tokens"), cached, usage.get("completion_tokens"), reasoning]);
    }
}

#[cfg(test)]
mod tests {
    use model::provider::Class;

    use super::*;

    fn reply(events: &[Value]) -> Result<Reply, Trouble> {
        let mut reader = Chat.reader();
        for event in events {
            reader.event(&Event { name: String::new(), data: event.to_string() })?;
        }
        reader.event(&Event { name: String::new(), data: "[DONE]".to_owned() })?;
        reader.finish()
    }

    fn delta(delta: Value, finish: Option<&str>) -> Value {
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    }

    // S81: pieces of several calls are put together by their place, ids or not.
    #[test]
    fn a_reply_is_put_together() {
        let piece = |index: u64, id: &str, name: &str, arguments: &str| json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]});
        let reply = reply(&[
            delta(json!({"content": "a", "reasoning_content": "hm"}), None),
            delta(json!({"content": "b"}), None),
            delta(piece(0, "", "read", "{\"path\""), None),
            delta(piece(1, "x", "find", ""), None),
            delta(piece(0, "", "", ":\"a\"}"), None),
            delta(json!({}), Some("tool_calls")),
            json!({"choices": [], "usage": {"prompt_tokens": 110, "completion_tokens": 5, "prompt_cache_hit_tokens": 100}}),
        ])
        .unwrap();
        assert_eq!((reply.text().as_str(), reply.reasoning.as_str(), reply.stop), ("ab", "hm", Stop::Tools));
        let calls: Vec<_> = reply.calls().map(|call| (call.id.as_str(), call.input.clone())).collect();
        assert_eq!(calls, [("call-0", Ok(json!({"path": "a"}))), ("x", Ok(json!({})))]);
        assert_eq!((reply.usage.input, reply.usage.cached_input, reply.usage.output), (Some(10), Some(100), Some(5)));
        let sent = said(&Message::Model(reply.blocks));
        assert_eq!(sent[0]["tool_calls"][0]["function"]["arguments"], "{\"path\":\"a\"}");
    }

    #[test]
    fn what_is_broken_is_told() {
        assert_eq!(reply(&[delta(json!({"content": "half"}), None)]).unwrap_err().class, Class::InvalidResponse);
        assert_eq!(
            reply(&[json!({"error": {"message": "x", "type": "server_error"}})]).unwrap_err().class,
            Class::ServerError
        );
        assert_eq!(reply(&[delta(json!({}), Some("content_filter"))]).unwrap().stop, Stop::Refused);
        let many: Vec<Value> = (0..300).map(|index| json!({"index": index, "function": {"name": "x"}})).collect();
        assert_eq!(reply(&[delta(json!({"tool_calls": many}), None)]).unwrap_err().class, Class::InvalidResponse);
        for odd in [json!([]), json!({"choices": 7}), json!("x"), json!({"choices": [{"delta": [1]}]})] {
            assert!(reply(&[odd]).is_err());
        }
    }
}

//! Anthropic messages.

use model::agent::usage::Numbers;
use serde_json::{Value, json};

use super::{Event, Reader, Shape, ids, invalid, json as read, some_text, text, trouble_in};
use crate::provider::{
    key::Secret,
    talk::{Block, Call, Message, Reply, Request, Stop, Trouble},
};

/// The length of a reply where nobody sets one; this wire wants a number.
const MAX_OUTPUT: u32 = 32_000;

/// The shape.
pub(super) struct Messages;

impl Shape for Messages {
    fn path(&self, _: &str) -> String {
        "messages".to_owned()
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("anthropic-version", "2023-06-01".to_owned())];
        headers.extend(key.map(|key| ("x-api-key", key.expose().to_owned())));
        headers
    }

    fn body(&self, model: &str, request: &Request) -> Value {
        let mut messages: Vec<Value> = request.messages.iter().map(message).collect();
        // What was said before is read from the provider's cache the next time.
        let last = messages.last_mut().and_then(|message| message["content"].as_array_mut()?.last_mut());
        if let Some(last) = last {
            last["cache_control"] = json!({"type": "ephemeral"});
        }
        let mut body = json!({
            "model": model, "max_tokens": request.max_output.unwrap_or(MAX_OUTPUT), "stream": true, "messages": messages,
        });
        if !request.system.is_empty() {
            body["system"] = json!([{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}]);
        }
        if !request.tools.is_empty() {
            let tool = |tool: &crate::provider::talk::Tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.input});
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

fn message(message: &Message) -> Value {
    match message {
        Message::User(text) => json!({"role": "user", "content": [{"type": "text", "text": text}]}),
        Message::Model(blocks) => {
            let content: Vec<Value> = blocks
                .iter()
                .map(|block| match block {
                    Block::Text(text) => json!({"type": "text", "text": text}),
                    Block::Call(call) => {
                        json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments()})
                    }
                    Block::Kept(value) => value.clone(),
                })
                .collect();
            json!({"role": "assistant", "content": content})
        }
        Message::Results(results) => {
            let content: Vec<Value> = results
                .iter()
                .map(|result| {
                    json!({"type": "tool_result", "tool_use_id": result.id, "content": result.text,
                        "is_error": result.is_error})
                })
                .collect();
            json!({"role": "user", "content": content})
        }
    }
}

/// A block in the making.
enum Part {
    Text(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// Thoughts are sent back as they came, with their signature.
    Thought(Value),
    Other,
}

#[derive(Default)]
struct Reading {
    reply: Reply,
    parts: Vec<(u64, Part)>,
    is_over: bool,
}

impl Reader for Reading {
    fn event(&mut self, event: &Event) -> Result<(), Trouble> {
        let data = read(event)?;
        let index = data.get("index").and_then(Value::as_u64).unwrap_or(0);
        match text(&data, "/type") {
            "message_start" => {
                self.reply.id = some_text(&data, "/message/id");
                self.reply.model = some_text(&data, "/message/model");
                self.used(data.pointer("/message/usage"));
            }
            "content_block_start" => {
                let block = &data["content_block"];
                let part = match text(block, "/type") {
                    "text" => Part::Text(text(block, "/text").to_owned()),
                    "tool_use" => {
                        let given = block.get("input").filter(|input| input.as_object().is_some_and(|o| !o.is_empty()));
                        let arguments = given.map(Value::to_string).unwrap_or_default();
                        Part::Call {
                            id: text(block, "/id").to_owned(),
                            name: text(block, "/name").to_owned(),
                            arguments,
                        }
                    }
                    "thinking" | "redacted_thinking" => Part::Thought(block.clone()),
                    _ => Part::Other,
                };
                self.parts.push((index, part));
            }
            "content_block_delta" => self.delta(index, &data["delta"]),
            "message_delta" => {
                self.reply.stop = match text(&data, "/delta/stop_reason") {
                    "tool_use" => Stop::Tools,
                    "max_tokens" | "model_context_window_exceeded" => Stop::Length,
                    "refusal" => Stop::Refused,
                    _ => Stop::End,
                };
                self.used(data.get("usage"));
            }
            "message_stop" => self.is_over = true,
            "error" => return Err(trouble_in(0, &data, None)),
            // Pings, ends of blocks, and what is not known yet.
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Reply, Trouble> {
        if !self.is_over {
            return Err(invalid("the reply was cut off before its end"));
        }
        self.parts.sort_by_key(|(index, _)| *index);
        let blocks = self.parts.into_iter().filter_map(|(_, part)| match part {
            Part::Text(text) => (!text.is_empty()).then_some(Block::Text(text)),
            Part::Call { id, name, arguments } => Some(Block::Call(Call::read(id, name, &arguments))),
            Part::Thought(value) => Some(Block::Kept(value)),
            Part::Other => None,
        });
        self.reply.blocks = blocks.collect();
        Ok(self.reply)
    }

    fn so_far(&self) -> &Reply {
        &self.reply
    }
}

impl Reading {
    fn delta(&mut self, index: u64, delta: &Value) {
        let Some((_, part)) = self.parts.iter_mut().rev().find(|(at, _)| *at == index) else { return };
        let add = |value: &mut Value, name: &str, more: &str| {
            let mut held = value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            held.push_str(more);
            value[name] = Value::String(held);
        };
        match (part, text(delta, "/type")) {
            (Part::Text(held), "text_delta") => held.push_str(text(delta, "/text")),
            (Part::Call { arguments, .. }, "input_json_delta") => arguments.push_str(text(delta, "/partial_json")),
            (Part::Thought(value), "thinking_delta") => {
                let more = text(delta, "/thinking");
                self.reply.reasoning.push_str(more);
                add(value, "thinking", more);
            }
            (Part::Thought(value), "signature_delta") => add(value, "signature", text(delta, "/signature")),
            _ => {}
        }
    }

    /// Counts come first of the input, at the end of the output; the later one is the sum (X66).
    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let mut numbers = Numbers::default();
        let mut count = |name: &str| numbers.count(usage.get(name));
        let held = &mut self.reply.usage;
        let (fresh, write) = (count("input_tokens"), count("cache_creation_input_tokens"));
        let (cached, output) = (count("cache_read_input_tokens"), count("output_tokens"));
        if fresh.is_some() {
            held.input = fresh.map(|fresh| fresh.saturating_add(write.unwrap_or(0)));
            held.cache_write = write;
        }
        held.cached_input = cached.or(held.cached_input);
        held.output = output.or(held.output);
        self.reply.bad_number |= numbers.bad;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(events: &[Value]) -> Result<Reply, Trouble> {
        let mut reader = Messages.reader();
        for event in events {
            reader.event(&Event { name: String::new(), data: event.to_string() })?;
        }
        reader.finish()
    }

    // S81: thoughts go back with their signature; arguments come in pieces; blocks nobody knows are left out.
    #[test]
    fn a_reply_is_put_together() {
        let reply = reply(&[
            json!({"type": "message_start", "message": {"id": "m1", "model": "claude-x", "usage":
                {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "novelty", "x": 1}}),
            json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "read", "input": {}}}),
            json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"path\":"}}),
            json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "\"a\"}"}}),
            json!({"type": "ping"}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}}),
            json!({"type": "message_stop"}),
        ])
        .unwrap();
        assert_eq!(reply.blocks.len(), 2);
        assert_eq!(reply.blocks[0], Block::Kept(json!({"type": "thinking", "thinking": "hm", "signature": "sig"})));
        assert_eq!(reply.calls().next().unwrap().input, Ok(json!({"path": "a"})));
        assert_eq!((reply.stop, reply.reasoning.as_str()), (Stop::Tools, "hm"));
        let usage = reply.usage;
        assert_eq!(
            (usage.input, usage.cached_input, usage.cache_write, usage.output),
            (Some(15), Some(100), Some(5), Some(30))
        );
        let sent = message(&Message::Model(reply.blocks));
        assert_eq!(sent["content"][0]["signature"], "sig");
        assert_eq!(sent["content"][1]["input"], json!({"path": "a"}));
    }

    // S81, S82: half a stream is no reply, an error in it has its class, arguments that are no JSON are told.
    #[test]
    fn what_is_broken_is_told() {
        use model::provider::Class;
        assert_eq!(
            reply(&[json!({"type": "message_start", "message": {}})]).unwrap_err().class,
            Class::InvalidResponse
        );
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
        let error = reply(&[error]).unwrap_err();
        assert_eq!((error.class, error.may_be_billed), (Class::ServerError, true));
        let broken = reply(&[
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "read"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"half"}}),
            json!({"type": "message_stop"}),
        ])
        .unwrap();
        assert!(broken.calls().next().unwrap().input.as_ref().unwrap_err().contains("no JSON"));
        let odd = json!({"type": "message_start", "message": {"usage": {"input_tokens": -1}}});
        let odd = reply(&[odd, json!({"type": "message_stop"})]).unwrap();
        assert_eq!((odd.usage.input, odd.bad_number), (None, true));
    }
}

//! OpenAI responses.

use model::provider::Class;
use serde_json::{Value, json};

use super::{Event, Reader, Shape, bearer, ids, invalid, json as read, some_text, text, trouble_in, used};
use crate::provider::{
    key::Secret,
    talk::{Block, Call, Message, Reply, Request, Stop, Tool, Trouble},
};

/// The shape.
pub(super) struct Responses;

impl Shape for Responses {
    fn path(&self, _: &str) -> String {
        "responses".to_owned()
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        bearer(key)
    }

    fn body(&self, model: &str, request: &Request) -> Value {
        let input: Vec<Value> = request.messages.iter().flat_map(items).collect();
        // Nothing is to be kept at the provider: the whole conversation goes with each request.
        let mut body = json!({"model": model, "input": input, "stream": true, "store": false});
        if !request.system.is_empty() {
            body["instructions"] = json!(request.system);
        }
        if let Some(most) = request.max_output {
            body["max_output_tokens"] = json!(most);
        }
        if !request.tools.is_empty() {
            let tool = |tool: &Tool| {
                json!({"type": "function", "name": tool.name, "description": tool.description,
                    "parameters": tool.input, "strict": false})
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

fn items(message: &Message) -> Vec<Value> {
    match message {
        Message::User(text) => vec![json!({"role": "user", "content": [{"type": "input_text", "text": text}]})],
        Message::Model(blocks) => blocks
            .iter()
            .map(|block| match block {
                Block::Text(text) => {
                    json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
                }
                Block::Call(call) => json!({"type": "function_call", "call_id": call.id, "name": call.name,
                    "arguments": call.arguments().to_string()}),
                Block::Kept(value) => value.clone(),
            })
            .collect(),
        Message::Results(results) => results
            .iter()
            .map(|result| json!({"type": "function_call_output", "call_id": result.id, "output": result.text}))
            .collect(),
    }
}

#[derive(Default)]
struct Reading {
    reply: Reply,
    items: Vec<Value>,
    is_over: bool,
}

impl Reader for Reading {
    fn event(&mut self, event: &Event) -> Result<(), Trouble> {
        if event.data == "[DONE]" {
            return Ok(());
        }
        let data = read(event)?;
        match text(&data, "/type") {
            "response.created" => {
                self.reply.id = some_text(&data, "/response/id");
                self.reply.model = some_text(&data, "/response/model");
            }
            "response.output_item.done" => self.items.push(data["item"].clone()),
            "response.completed" | "response.incomplete" => {
                let response = &data["response"];
                self.is_over = true;
                self.used(response.get("usage"));
                self.reply.model = some_text(response, "/model").or(self.reply.model.take());
                self.reply.stop = match text(response, "/incomplete_details/reason") {
                    "max_output_tokens" => Stop::Length,
                    "content_filter" => Stop::Refused,
                    _ => Stop::End,
                };
                if self.items.is_empty() {
                    self.items = response["output"].as_array().cloned().unwrap_or_default();
                }
            }
            "response.failed" => {
                self.used(data.pointer("/response/usage"));
                return Err(trouble_in(0, &data["response"], None));
            }
            "error" => return Err(trouble_in(0, &data, None)),
            // The pieces of what comes whole in the end, and what is not known yet.
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Reply, Trouble> {
        if !self.is_over {
            return Err(invalid("the reply was cut off before its end"));
        }
        for item in std::mem::take(&mut self.items) {
            self.item(item)?;
        }
        if self.reply.calls().next().is_some() {
            self.reply.stop = Stop::Tools;
        }
        Ok(self.reply)
    }

    fn so_far(&self) -> &Reply {
        &self.reply
    }
}

impl Reading {
    fn item(&mut self, item: Value) -> Result<(), Trouble> {
        match text(&item, "/type") {
            "message" => {
                let mut words = String::new();
                for part in item["content"].as_array().into_iter().flatten() {
                    match text(part, "/type") {
                        "output_text" => words.push_str(text(part, "/text")),
                        "refusal" => {
                            words.push_str(text(part, "/refusal"));
                            self.reply.stop = Stop::Refused;
                        }
                        _ => {}
                    }
                }
                if !words.is_empty() {
                    self.reply.blocks.push(Block::Text(words));
                }
            }
            "function_call" => {
                let (id, name) = (text(&item, "/call_id"), text(&item, "/name"));
                let call = Call::read(id.to_owned(), name.to_owned(), text(&item, "/arguments"));
                self.reply.blocks.push(Block::Call(call));
            }
            "reasoning" => {
                for part in item["summary"].as_array().into_iter().flatten() {
                    self.reply.reasoning.push_str(text(part, "/text"));
                }
                // Without its content it lies at the provider, which was told to keep nothing.
                if !text(&item, "/encrypted_content").is_empty() {
                    self.reply.blocks.push(Block::Kept(item));
                }
            }
            "" => return Err(Trouble::new(Class::InvalidResponse, "an item of the reply has no type").billed()),
            _ => {}
        }
        Ok(())
    }

    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let cached = usage.pointer("/input_tokens_details/cached_tokens");
        let reasoning = usage.pointer("/output_tokens_details/reasoning_tokens");
        used(&mut self.reply, [usage.get("input_tokens"), cached, usage.get("output_tokens"), reasoning]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(events: &[Value]) -> Result<Reply, Trouble> {
        let mut reader = Responses.reader();
        for event in events {
            reader.event(&Event { name: String::new(), data: event.to_string() })?;
        }
        reader.finish()
    }

    // S81: reasoning that can be sent back is; cached input is told apart from what was read anew.
    #[test]
    fn a_reply_is_put_together() {
        let reasoning = json!({"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"});
        let reply = reply(&[
            json!({"type": "response.created", "response": {"id": "resp", "model": "gpt-x"}}),
            json!({"type": "response.output_text.delta", "delta": "ignored"}),
            json!({"type": "response.output_item.done", "item": reasoning}),
            json!({"type": "response.output_item.done", "item": {"type": "reasoning", "id": "r2", "summary": []}}),
            json!({"type": "response.output_item.done", "item": {"type": "web_search_call"}}),
            json!({"type": "response.output_item.done", "item": {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}}),
            json!({"type": "response.output_item.done", "item": {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{\"path\":\"a\"}"}}),
            json!({"type": "response.completed", "response": {"usage": {"input_tokens": 110, "input_tokens_details": {"cached_tokens": 100},
                "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}}}}),
        ])
        .unwrap();
        assert_eq!((reply.text().as_str(), reply.reasoning.as_str(), reply.stop), ("hi", "hm", Stop::Tools));
        assert_eq!(
            (reply.usage.input, reply.usage.cached_input, reply.usage.output, reply.usage.reasoning),
            (Some(10), Some(100), Some(20), Some(5))
        );
        let sent = items(&Message::Model(reply.blocks));
        assert_eq!((sent.len(), &sent[0]), (3, &reasoning));
        assert_eq!(sent[2]["arguments"], "{\"path\":\"a\"}");
    }

    #[test]
    fn what_is_broken_is_told() {
        assert_eq!(reply(&[]).unwrap_err().class, Class::InvalidResponse);
        let failed = json!({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}});
        assert_eq!(reply(&[failed]).unwrap_err().class, Class::RateLimited);
        let error = json!({"type": "error", "code": "context_length_exceeded", "message": "too long"});
        assert_eq!(reply(&[error]).unwrap_err().class, Class::ContextLength);
        let cut = json!({"type": "response.incomplete", "response": {"output": [], "incomplete_details": {"reason": "max_output_tokens"}}});
        assert_eq!(reply(&[cut]).unwrap().stop, Stop::Length);
        let refusal = json!({"type": "response.completed", "response": {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]}});
        let refusal = reply(&[refusal]).unwrap();
        assert_eq!((refusal.stop, refusal.text().as_str()), (Stop::Refused, "no"));
    }
}

//! Gemini generateContent.

use model::agent::usage::Numbers;
use serde_json::{Value, json};

use super::{Event, Reader, Shape, invalid, json as read, some_text, text, trouble_in};
use crate::provider::{
    key::Secret,
    talk::{Block, Call, Message, Reply, Request, Stop, Tool, Trouble},
};

/// The shape.
pub(super) struct Gemini;

impl Shape for Gemini {
    fn path(&self, model: &str) -> String {
        // A name holds nothing that an address would take for something else (`ModelName`).
        format!("models/{model}:streamGenerateContent?alt=sse")
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        key.map(|key| ("x-goog-api-key", key.expose().to_owned())).into_iter().collect()
    }

    fn body(&self, _: &str, request: &Request) -> Value {
        let contents: Vec<Value> = request.messages.iter().map(content).collect();
        let mut body = json!({"contents": contents});
        if !request.system.is_empty() {
            body["systemInstruction"] = json!({"parts": [{"text": request.system}]});
        }
        if let Some(most) = request.max_output {
            body["generationConfig"] = json!({"maxOutputTokens": most});
        }
        if !request.tools.is_empty() {
            let tool =
                |tool: &Tool| json!({"name": tool.name, "description": tool.description, "parameters": tool.input});
            let tools: Vec<Value> = request.tools.iter().map(tool).collect();
            body["tools"] = json!([{"functionDeclarations": tools}]);
        }
        body
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Reading::default())
    }

    fn models(&self, list: &Value) -> Vec<String> {
        let items = list.get("models").and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Some(item.get("name")?.as_str()?.trim_start_matches("models/").to_owned())).collect()
    }
}

fn content(message: &Message) -> Value {
    match message {
        Message::User(text) => json!({"role": "user", "parts": [{"text": text}]}),
        Message::Model(blocks) => {
            let part = |block: &Block| match block {
                Block::Text(text) => json!({"text": text}),
                Block::Call(call) => call
                    .kept
                    .clone()
                    .unwrap_or_else(|| json!({"functionCall": {"name": call.name, "args": call.arguments()}})),
                Block::Kept(value) => value.clone(),
            };
            json!({"role": "model", "parts": blocks.iter().map(part).collect::<Vec<_>>()})
        }
        Message::Results(results) => {
            let parts: Vec<Value> = results
                .iter()
                .map(|result| {
                    let name = if result.is_error { "error" } else { "output" };
                    json!({"functionResponse": {"name": result.name, "response": {name: result.text}}})
                })
                .collect();
            json!({"role": "user", "parts": parts})
        }
    }
}

#[derive(Default)]
struct Reading {
    reply: Reply,
    is_over: bool,
}

impl Reader for Reading {
    fn event(&mut self, event: &Event) -> Result<(), Trouble> {
        let data = read(event)?;
        if data.get("error").is_some_and(|error| !error.is_null()) {
            return Err(trouble_in(0, &data, None));
        }
        self.reply.id = some_text(&data, "/responseId").or(self.reply.id.take());
        self.reply.model = some_text(&data, "/modelVersion").or(self.reply.model.take());
        self.used(data.get("usageMetadata"));
        if !text(&data, "/promptFeedback/blockReason").is_empty() {
            self.reply.stop = Stop::Refused;
            self.is_over = true;
        }
        for part in data["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            self.part(part);
        }
        match text(&data, "/candidates/0/finishReason") {
            "" => {}
            // The model wrote a call that is none: the same request may bring one that is.
            "MALFORMED_FUNCTION_CALL" => return Err(invalid("the model wrote a call that cannot be read")),
            reason => {
                self.is_over = true;
                self.reply.stop = match reason {
                    "STOP" => Stop::End,
                    "MAX_TOKENS" => Stop::Length,
                    _ => Stop::Refused,
                };
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Reply, Trouble> {
        if !self.is_over {
            return Err(invalid("the reply was cut off before its end"));
        }
        if self.reply.stop == Stop::End && self.reply.calls().next().is_some() {
            self.reply.stop = Stop::Tools;
        }
        Ok(self.reply)
    }

    fn so_far(&self) -> &Reply {
        &self.reply
    }
}

impl Reading {
    fn part(&mut self, part: &Value) {
        let words = text(part, "/text");
        if let Some(call) = part.get("functionCall") {
            let number = self.reply.calls().count();
            let id = some_text(call, "/id").unwrap_or_else(|| format!("call-{number}"));
            let arguments = call.get("args").filter(|args| !args.is_null()).map(Value::to_string).unwrap_or_default();
            let call = Call::read(id, text(call, "/name").to_owned(), &arguments);
            // With its signature, if it has one.
            self.reply.blocks.push(Block::Call(Call { kept: Some(part.clone()), ..call }));
        } else if part.get("thought").and_then(Value::as_bool) == Some(true) {
            self.reply.reasoning.push_str(words);
        } else if part.get("thoughtSignature").is_some() && words.is_empty() {
            self.reply.blocks.push(Block::Kept(part.clone()));
        } else if !words.is_empty() {
            // Pieces of one text follow each other.
            if let Some(Block::Text(held)) = self.reply.blocks.last_mut() {
                held.push_str(words);
            } else {
                self.reply.blocks.push(Block::Text(words.to_owned()));
            }
        }
    }

    /// Each event tells the sums so far.
    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let mut numbers = Numbers::default();
        let held = &mut self.reply.usage;
        let all = numbers.count(usage.get("promptTokenCount"));
        held.cached_input = numbers.count(usage.get("cachedContentTokenCount")).or(held.cached_input);
        held.input = all.map(|all| all.saturating_sub(held.cached_input.unwrap_or(0))).or(held.input);
        let said = numbers.count(usage.get("candidatesTokenCount"));
        let thought = numbers.count(usage.get("thoughtsTokenCount"));
        held.reasoning = thought.or(held.reasoning);
        if said.is_some() || thought.is_some() {
            held.output = Some(said.unwrap_or(0).saturating_add(thought.unwrap_or(0)));
        }
        self.reply.bad_number |= numbers.bad;
    }
}

#[cfg(test)]
mod tests {
    use model::provider::Class;

    use super::*;

    fn reply(events: &[Value]) -> Result<Reply, Trouble> {
        let mut reader = Gemini.reader();
        for event in events {
            reader.event(&Event { name: String::new(), data: event.to_string() })?;
        }
        reader.finish()
    }

    // S81: parts are put together, a call goes back with its signature.
    #[test]
    fn a_reply_is_put_together() {
        let call = json!({"functionCall": {"name": "read", "args": {"path": "a"}}, "thoughtSignature": "sig"});
        let reply = reply(&[
            json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}, {"text": "a"}]}}], "modelVersion": "g", "responseId": "r"}),
            json!({"candidates": [{"content": {"parts": [{"text": "b"}, call.clone()]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 110, "cachedContentTokenCount": 100, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}}),
        ])
        .unwrap();
        assert_eq!((reply.text().as_str(), reply.reasoning.as_str(), reply.stop), ("ab", "hm", Stop::Tools));
        assert_eq!(
            (reply.usage.input, reply.usage.cached_input, reply.usage.output, reply.usage.reasoning),
            (Some(10), Some(100), Some(12), Some(7))
        );
        assert_eq!(content(&Message::Model(reply.blocks))["parts"][1], call);
    }

    #[test]
    fn what_is_broken_is_told() {
        let of = |reason: &str| reply(&[json!({"candidates": [{"finishReason": reason}]})]);
        assert_eq!(of("SAFETY").unwrap().stop, Stop::Refused);
        assert_eq!(of("MAX_TOKENS").unwrap().stop, Stop::Length);
        assert_eq!(of("MALFORMED_FUNCTION_CALL").unwrap_err().class, Class::InvalidResponse);
        assert_eq!(of("").unwrap_err().class, Class::InvalidResponse);
        assert_eq!(reply(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})]).unwrap().stop, Stop::Refused);
        let error = json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}});
        assert_eq!(reply(&[error]).unwrap_err().class, Class::ServerError);
    }
}

//! A policy in words a person can say yes to.

use serde_json::Value;

use crate::{
    json::Look as _,
    out::{Out, Tone, clean},
};

/// The policy as lines of text. What this binary does not know is shown as it stands, never left out:
/// a person who says yes has seen all of it.
pub fn lines(body: &Value, out: &Out) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(fields) = body.as_object() else { return vec![clean(&body.to_string()).into_owned()] };
    for (name, value) in fields {
        let label = out.dim(format!("{:<16}", name.replace('_', " ")));
        match (name.as_str(), value) {
            ("commands", Value::Array(commands)) => {
                let mut label = label;
                for command in commands {
                    lines.push(format!("  {label} {}", command_words(command, out)));
                    label = " ".repeat(16);
                }
                if commands.is_empty() {
                    lines.push(format!("  {label} none: nothing may be executed"));
                }
            }
            (_, Value::Null) => {}
            (_, value) => lines.push(format!("  {label} {}", words(value))),
        }
    }
    lines
}

fn command_words(command: &Value, out: &Out) -> String {
    let decision = command.maybe("/decision").unwrap_or("deny");
    let tone = match decision {
        "allow" => Tone::Good,
        "ask" => Tone::Unsure,
        _ => Tone::Bad,
    };
    let mut text = format!("{} {}", out.paint(tone, format!("{decision:<5}")), clean(command.text("/program")));
    for (name, value) in command.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "decision" | "program") && !value.is_null() {
            text.push_str(&out.dim(format!("  {name} {}", words(value))));
        }
    }
    text
}

fn words(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}: {}", words(value))).collect::<Vec<_>>().join("; ")
        }
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    };
    clean(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // X18: what is said yes to is all there is.
    #[test]
    fn every_part_of_a_policy_is_shown() {
        let policy = json!({
            "allowed_paths": ["."], "denied_paths": [".env", "*.key"], "network": "off", "require_sandbox": false,
            "commands": [{"program": "cargo", "decision": "allow", "args": [["test"]]}, {"program": "curl"}],
            "future_field": {"a": 1},
        });
        assert_eq!(
            lines(&policy, &Out::plain()),
            [
                "  allowed paths    .",
                "  denied paths     .env, *.key",
                "  network          off",
                "  require sandbox  no",
                "  commands         allow cargo  args test",
                "                   deny  curl",
                "  future field     a: 1",
            ]
        );
    }
}

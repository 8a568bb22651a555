//! A policy in words a person can say yes to.

use serde_json::Value;

use crate::{
    json::Look as _,
    out::{Out, Tone, clean},
};

/// What comes first: the parts that decide what happens on this machine.
const FIRST: [&str; 4] = ["commands", "network", "require_sandbox", "env_allow"];

/// The policy as lines of text. What this binary does not know is shown as it stands, never left out:
/// a person who says yes has seen all of it.
pub fn lines(body: &Value, out: &Out) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(fields) = body.as_object() else { return vec![clean(&body.to_string()).into_owned()] };
    let first = FIRST.iter().filter_map(|name| fields.get_key_value(*name));
    let rest = fields.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    for (name, value) in first.chain(rest) {
        match (name.as_str(), value) {
            ("commands", Value::Array(commands)) => lines.extend(command_lines(commands, out)),
            (_, Value::Null) => {}
            (name, value) => lines.push(line(&name.replace('_', " "), Tone::Plain, &words(value), out)),
        }
    }
    lines
}

fn line(label: &str, tone: Tone, text: &str, out: &Out) -> String {
    format!("  {} {}", out.dim(format!("{label:<18}")), out.paint(tone, text))
}

/// Programs by what becomes of them; those with conditions one a line.
fn command_lines(commands: &[Value], out: &Out) -> Vec<String> {
    let mut lines = Vec::new();
    for (decision, label, tone) in [
        ("allow", "may execute", Tone::Good),
        ("ask", "asks before", Tone::Unsure),
        ("deny", "never executes", Tone::Bad),
    ] {
        let these = commands.iter().filter(|command| command.maybe("/decision").unwrap_or("deny") == decision);
        let (plain, conditional): (Vec<_>, Vec<_>) = these.partition(|command| is_unconditional(command));
        if !plain.is_empty() {
            let programs: Vec<_> = plain.iter().map(|command| clean(command.text("/program")).into_owned()).collect();
            lines.push(line(label, tone, &programs.join(", "), out));
        }
        for command in conditional {
            lines.push(line(label, tone, &command_words(command), out));
        }
    }
    if !commands.iter().any(|command| command.text("/decision") != "deny") {
        lines.push(line("may execute", Tone::Bad, "nothing", out));
    }
    lines
}

fn is_unconditional(command: &Value) -> bool {
    let plain = |name: &str, value: &Value| {
        matches!((name, value), ("program" | "decision", _) | (_, Value::Null | Value::Bool(false)))
    };
    command.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| plain(name, value)))
}

fn command_words(command: &Value) -> String {
    let mut text = clean(command.text("/program")).into_owned();
    for (name, value) in command.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("program" | "decision", _) | (_, Value::Null | Value::Bool(false)) => {}
            ("args", Value::Array(lists)) => {
                let lists: Vec<_> = lists.iter().map(|list| format!("`{}`", list.texts("").join(" "))).collect();
                text.push_str(&format!(" {}", clean(&lists.join(" or "))));
            }
            ("inline", _) => text.push_str(", with code or programs as arguments"),
            (name, value) => text.push_str(&format!(", {name}: {}", words(value))),
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
            "allowed_paths": {"*": ["."]}, "denied_paths": [".env", "*.key"], "network": "off", "require_sandbox": false,
            "commands": [
                {"program": "cargo", "decision": "allow", "inline": false},
                {"program": "python3", "decision": "allow"},
                {"program": "sh", "decision": "allow", "inline": true},
                {"program": "npm", "decision": "ask", "args": [["run", "test"], ["ci"]]},
                {"program": "curl"},
                {"program": "\u{1b}[31mx", "decision": "deny", "future": 1},
            ],
            "future_field": {"a": 1},
        });
        assert_eq!(
            lines(&policy, &Out::plain()),
            [
                "  may execute        cargo, python3",
                "  may execute        sh, with code or programs as arguments",
                "  asks before        npm `run test` or `ci`",
                "  never executes     curl",
                "  never executes     x, future: 1",
                "  network            off",
                "  require sandbox    no",
                "  allowed paths      *: .",
                "  denied paths       .env, *.key",
                "  future field       a: 1",
            ]
        );
        assert_eq!(lines(&json!({"commands": []}), &Out::plain()), ["  may execute        nothing"]);
    }
}

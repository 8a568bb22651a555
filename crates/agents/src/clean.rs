//! Texts out of JSON may hold what the raw output cannot: escaped control characters. They never
//! reach a page or a terminal (S78).

use model::agent::event::AgentEvent;
use serde_json::Value;

/// The text without control characters but line feeds and tabs.
pub(crate) fn clean(text: &mut String) {
    let is_bad = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
    };
    if text.contains(is_bad) {
        let unified = text.replace("\r\n", "\n").replace('\r', "\n");
        *text = unified
            .chars()
            .map(|character| match character {
                // The control pictures block shows each of them as a letter pair.
                '\0'..='\u{1f}' if is_bad(character) => {
                    char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                bad if is_bad(bad) => char::REPLACEMENT_CHARACTER,
                good => good,
            })
            .collect();
    }
}

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(fields) => fields.values_mut().for_each(clean_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// All texts of an event.
pub(crate) fn clean_event(event: &mut AgentEvent) {
    match event {
        AgentEvent::Session(facts) => {
            for text in [&mut facts.version, &mut facts.model, &mut facts.session].into_iter().flatten() {
                clean(text);
            }
        }
        AgentEvent::Message { text, .. } | AgentEvent::Reasoning { text } => clean(text),
        AgentEvent::Tool(tool) => {
            clean(&mut tool.id);
            clean(&mut tool.name);
            clean_value(&mut tool.input);
            if let Some(output) = &mut tool.output {
                clean(output);
            }
        }
        AgentEvent::File { path, .. } => clean(path),
        AgentEvent::Usage(report) => {
            if let Some(message) = &mut report.message {
                clean(message);
            }
        }
        AgentEvent::Error { message, .. } => clean(message),
        AgentEvent::End { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S78
    #[test]
    fn escapes_do_not_get_through() {
        let mut text = "a\u{1b}[31mb\0c\r\nd\re\tf\u{202e}g".to_owned();
        clean(&mut text);
        assert_eq!(text, "a\u{241b}[31mb\u{2400}c\nd\ne\tf\u{fffd}g");
        let mut plain = "äöü\n\t𝄞".to_owned();
        clean(&mut plain);
        assert_eq!(plain, "äöü\n\t𝄞");
    }
}

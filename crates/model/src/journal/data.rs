//! The data of one entry has a limit, the same on a worker and on the plane (D57, D61).

use serde_json::{Value, json};

use crate::limits;

/// Data over the limit of one entry is cut and marked (D57): its text's start is kept, as text.
pub fn bounded(data: Value) -> Value {
    if fits(&data, &mut limits::ENTRY_DATA.clone()) {
        return data;
    }
    let text = data.to_string();
    if text.len() <= limits::ENTRY_DATA {
        return data;
    }
    let start: String = text.chars().take(limits::ENTRY_DATA / 8).collect();
    json!({"truncated": true, "bytes": text.len(), "start": start})
}

/// Whether a value is surely small, found without writing it down.
fn fits(value: &Value, room: &mut usize) -> bool {
    let needs = match value {
        // In JSON a byte takes six at most.
        Value::String(text) => text.len() * 6 + 2,
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 40,
        Value::Array(items) => items.len() + 2,
        Value::Object(fields) => fields.keys().map(|key| key.len() * 6 + 4).sum::<usize>() + 2,
    };
    if needs > *room {
        return false;
    }
    *room -= needs;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, room)),
        Value::Object(fields) => fields.values().all(|field| fits(field, room)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D57, K7
    #[test]
    fn data_over_the_limit_is_cut_and_marked() {
        let small = json!({"text": "a".repeat(1000)});
        assert_eq!(bounded(small.clone()), small);
        let large = bounded(json!({"text": "\u{1}".repeat(limits::ENTRY_DATA)}));
        assert_eq!(large["truncated"], true);
        assert!(large.to_string().len() <= limits::ENTRY_DATA);
        let close = json!({"text": "a".repeat(limits::ENTRY_DATA - 20)});
        assert_eq!(bounded(close.clone()), close, "what fits as text is kept, however it was estimated");
    }
}

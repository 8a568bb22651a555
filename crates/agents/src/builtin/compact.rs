//! Makes room in a conversation that has become too long for its model (S43).

use crate::provider::talk::{Block, Message, Request};

/// Of the window, what a conversation may fill before older results go.
const FILL: (u64, u64) = (4, 5);
/// Bytes of a token, as far as one can say without its tokenizer.
const BYTES: u64 = 4;
/// The last results stay: what the model has just asked for.
const KEPT: usize = 2;
/// A shorter result is not worth leaving out.
const SHORT: usize = 200;

/// About how many tokens a request has.
pub(super) fn size(request: &Request) -> u64 {
    let tools = request.tools.iter().map(|tool| tool.input.to_string().len() + tool.description.len());
    let messages = request.messages.iter().map(|message| match message {
        Message::User(text) => text.len(),
        Message::Model(blocks) => blocks
            .iter()
            .map(|block| match block {
                Block::Text(text) => text.len(),
                Block::Call(call) => call.name.len() + call.arguments_len(),
                Block::Kept(value) => value.to_string().len(),
            })
            .sum(),
        Message::Results(results) => results.iter().map(|result| result.text.len()).sum(),
    });
    (request.system.len() as u64 + tools.chain(messages).map(|bytes| bytes as u64).sum::<u64>()) / BYTES
}

/// Whether a request fills too much of a window.
pub(super) fn is_full(request: &Request, window: u64) -> bool {
    size(request).saturating_mul(FILL.1) > window.saturating_mul(FILL.0)
}

/// Puts a line in the place of older results, the oldest first, until there is room; how many it took. Calls and their
/// results stay together.
pub(super) fn compact(request: &mut Request, window: u64) -> usize {
    let places: Vec<usize> =
        (0..request.messages.len()).filter(|place| matches!(request.messages[*place], Message::Results(_))).collect();
    let mut taken = 0;
    for place in &places[..places.len().saturating_sub(KEPT)] {
        if !is_full(request, window) {
            break;
        }
        if let Message::Results(results) = &mut request.messages[*place] {
            for result in results.iter_mut().filter(|result| result.text.len() > SHORT) {
                let size = result.text.len();
                result.text = format!(
                    "[left out to make room: {size} bytes, result of {} {}; it stands in the session's raw output]",
                    result.name, result.id
                );
                taken += 1;
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::talk::Outcome;

    fn conversation(results: usize, size: usize) -> Request {
        let mut messages = vec![Message::User("begin".to_owned())];
        for number in 0..results {
            messages.push(Message::Model(vec![Block::Text(format!("turn {number}"))]));
            let result =
                Outcome { id: format!("c{number}"), name: "read".to_owned(), text: "x".repeat(size), is_error: false };
            messages.push(Message::Results(vec![result]));
        }
        Request { system: String::new(), messages, tools: Vec::new(), max_output: None }
    }

    // S43: at four fifths of the window older results go, the last ones stay, and each is still there as a line.
    #[test]
    fn older_results_go_first() {
        let mut request = conversation(10, 4_000);
        assert!(!is_full(&request, 20_000) && is_full(&request, 10_000));
        let before = request.messages.len();
        let taken = compact(&mut request, 10_000);
        assert!((1..=4).contains(&taken), "{taken}");
        assert!(!is_full(&request, 10_000));
        assert_eq!(request.messages.len(), before);
        let texts: Vec<&str> = request
            .messages
            .iter()
            .filter_map(|message| match message {
                Message::Results(results) => Some(results[0].text.as_str()),
                _ => None,
            })
            .collect();
        assert!(texts[0].contains("4000 bytes, result of read c0"));
        assert_eq!(texts[9].len(), 4_000);
        // Nothing is left that could go.
        assert_eq!(compact(&mut conversation(2, 400_000), 1_000), 0);
    }
}

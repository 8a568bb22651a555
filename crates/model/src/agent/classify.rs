//! What an agent's words mean, where it said nothing better: the last resort of section 13's order
//! "structured signals first, exit status second, text last".

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::event::ErrorClass;
use crate::failure::FailureCode;

/// Wordings of the agents and providers, in the order in which they decide.
const WORDS: &[(ErrorClass, &str)] = &[
    (
        ErrorClass::ContextOverflow,
        r"context[_ -]length|context[_ ]window|prompt is too long|maximum context|too many (input )?tokens|input is too long|context_overflow",
    ),
    (ErrorClass::Billing, r"insufficient_quota|billing|credit balance|payment required|out of credits|\b402\b"),
    (ErrorClass::RateLimited, r"rate.?limit|too many requests|usage limit|quota exceeded|limit reached|\b429\b"),
    (
        ErrorClass::Auth,
        r"not (logged|signed) in|/login\b|log ?in again|sign in again|login required|invalid.{0,20}api.?key|incorrect api key|no api key|missing api key|authentication|unauthori[sz]ed|(token|session|login) (has )?expired|\b401\b|\b403\b|permission_error",
    ),
    (
        ErrorClass::ModelUnavailable,
        r"model.{0,40}(not found|not exist|not available|not supported|no access)|unknown model|invalid model|no such model|model_not_found|issue with the selected model",
    ),
    (
        ErrorClass::ServerError,
        r"overloaded|internal server error|service unavailable|bad gateway|api_error|server_error|\b5(00|02|03|29)\b",
    ),
    (
        ErrorClass::Network,
        r"econnrefused|econnreset|enotfound|etimedout|connection (refused|reset|error)|network error|fetch failed|stream (disconnected|closed)|unable to connect",
    ),
];

static PATTERNS: LazyLock<Vec<(ErrorClass, Regex)>> = LazyLock::new(|| {
    WORDS
        .iter()
        .filter_map(|(class, words)| Some((*class, RegexBuilder::new(words).case_insensitive(true).build().ok()?)))
        .collect()
});

/// What kind of trouble a text tells of.
pub fn class_of(text: &str) -> ErrorClass {
    PATTERNS.iter().find(|(_, pattern)| pattern.is_match(text)).map_or(ErrorClass::Other, |(class, _)| *class)
}

/// What kind of trouble an HTTP status of a provider tells of.
pub const fn class_of_status(status: u64) -> Option<ErrorClass> {
    match status {
        401 | 403 => Some(ErrorClass::Auth),
        402 => Some(ErrorClass::Billing),
        404 => Some(ErrorClass::ModelUnavailable),
        413 => Some(ErrorClass::ContextOverflow),
        429 => Some(ErrorClass::RateLimited),
        500..=599 => Some(ErrorClass::ServerError),
        _ => None,
    }
}

/// The failure a kind of trouble ends a task with.
pub const fn failure_of(class: ErrorClass) -> FailureCode {
    match class {
        ErrorClass::RateLimited => FailureCode::RateLimited,
        ErrorClass::Auth => FailureCode::AgentSessionExpired,
        ErrorClass::ContextOverflow => FailureCode::ContextOverflow,
        ErrorClass::ModelUnavailable => FailureCode::ModelUnavailable,
        ErrorClass::Protocol => FailureCode::AgentProtocolError,
        ErrorClass::Limit => FailureCode::BudgetExhausted,
        ErrorClass::Notice
        | ErrorClass::Billing
        | ErrorClass::ServerError
        | ErrorClass::Network
        | ErrorClass::Other => FailureCode::AgentFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Section 13: text last, but then it has to be read right.
    #[test]
    fn known_wordings_are_understood() {
        assert_eq!(PATTERNS.len(), WORDS.len());
        for (text, class) in [
            ("API Error: 429 {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}", ErrorClass::RateLimited),
            ("You've hit your usage limit. Try again at 3pm", ErrorClass::RateLimited),
            ("exceeded retry limit, last status: 429 Too Many Requests", ErrorClass::RateLimited),
            ("Invalid API key · Please run /login", ErrorClass::Auth),
            ("unexpected status 401 Unauthorized: ", ErrorClass::Auth),
            ("Not logged in · Please run /login", ErrorClass::Auth),
            ("Prompt is too long", ErrorClass::ContextOverflow),
            ("This model's maximum context length is 8192 tokens", ErrorClass::ContextOverflow),
            ("There's an issue with the selected model (x). It may not exist", ErrorClass::ModelUnavailable),
            ("The model `gpt-9` does not exist or you do not have access to it.", ErrorClass::ModelUnavailable),
            ("Your credit balance is too low", ErrorClass::Billing),
            ("API Error: 529 Overloaded", ErrorClass::ServerError),
            ("stream disconnected before completion", ErrorClass::Network),
            ("Segmentation fault", ErrorClass::Other),
            ("wrote 4290 lines to port 15000", ErrorClass::Other),
        ] {
            assert_eq!(class_of(text), class, "{text}");
        }
    }
}

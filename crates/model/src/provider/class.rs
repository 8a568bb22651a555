//! What an error of a provider means (S82, E28): one classifier for all of them (X14).

use serde::{Deserialize, Serialize};

use crate::{agent::event::ErrorClass, failure::FailureCode};

/// Kinds of errors, as far as they are handled in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProviderTrouble)]
pub enum Class {
    /// The provider failed, or has too much to do.
    ServerError,
    /// It took too long.
    Timeout,
    /// It was not reached, or the connection broke before anything was said.
    Network,
    /// An answer that cannot be read: malformed, cut, too large.
    InvalidResponse,
    /// It says wait.
    RateLimited,
    /// The key is missing, or is not taken.
    Auth,
    /// The account cannot pay.
    Billing,
    /// It does not understand the request.
    BadRequest,
    /// There is no such model or address.
    NotFound,
    /// It will not answer this.
    ContentFiltered,
    /// The model cannot do what is asked.
    Unsupported,
    /// The conversation does not fit into the model.
    ContextLength,
    /// A well-formed answer with nothing in it.
    EmptyReply,
}

impl Class {
    /// Each of them.
    pub const ALL: &[Self] = &[
        Self::ServerError,
        Self::Timeout,
        Self::Network,
        Self::InvalidResponse,
        Self::RateLimited,
        Self::Auth,
        Self::Billing,
        Self::BadRequest,
        Self::NotFound,
        Self::ContentFiltered,
        Self::Unsupported,
        Self::ContextLength,
        Self::EmptyReply,
    ];

    /// Its name in journals and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::InvalidResponse => "invalid_response",
            Self::RateLimited => "rate_limited",
            Self::Auth => "auth",
            Self::Billing => "billing",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::ContentFiltered => "content_filtered",
            Self::Unsupported => "unsupported",
            Self::ContextLength => "context_length",
            Self::EmptyReply => "empty_reply",
        }
    }

    /// Whether the same request may go well later.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::ServerError | Self::Timeout | Self::Network | Self::InvalidResponse | Self::RateLimited)
    }

    /// What a task fails with in the end.
    pub const fn failure(self) -> FailureCode {
        match self {
            Self::ServerError | Self::Timeout | Self::Network | Self::InvalidResponse => {
                FailureCode::ProviderUnavailable
            }
            Self::RateLimited => FailureCode::RateLimited,
            Self::Auth => FailureCode::ProviderAuth,
            Self::Billing => FailureCode::ProviderBilling,
            Self::BadRequest => FailureCode::ProviderBadRequest,
            Self::NotFound => FailureCode::ProviderNotFound,
            Self::ContentFiltered => FailureCode::ProviderContentFiltered,
            Self::Unsupported => FailureCode::ProviderUnsupported,
            Self::ContextLength => FailureCode::ContextOverflow,
            Self::EmptyReply => FailureCode::ProviderEmptyReply,
        }
    }

    /// As an agent's event tells it.
    pub const fn event(self) -> ErrorClass {
        match self {
            Self::ServerError | Self::InvalidResponse => ErrorClass::ServerError,
            Self::Timeout | Self::Network => ErrorClass::Network,
            Self::RateLimited => ErrorClass::RateLimited,
            Self::Auth => ErrorClass::Auth,
            Self::Billing => ErrorClass::Billing,
            Self::NotFound => ErrorClass::ModelUnavailable,
            Self::ContextLength => ErrorClass::ContextOverflow,
            Self::BadRequest | Self::ContentFiltered | Self::Unsupported | Self::EmptyReply => ErrorClass::Other,
        }
    }
}

/// What a provider answered instead of a reply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answered<'a> {
    /// The HTTP status; 0 for an error that came in the middle of a reply.
    pub status: u16,
    /// What its body names as kind of error, the most exact first: code, reason, type, status.
    pub kinds: [&'a str; 3],
    /// Its words.
    pub message: &'a str,
    /// Whether it said when to come again.
    pub says_when: bool,
}

/// Wordings of a conversation that is too long, in small letters. They count whatever the status.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "maximum number of tokens",
    "too many input tokens",
    "request_too_large",
];

/// Wordings of an account that cannot pay, which many providers send with the type of something else.
const UNPAID: &[&str] =
    &["credit balance", "insufficient balance", "insufficient_quota", "billing", "payment required"];

/// Kinds of errors by the names that providers give them, in small letters.
const KINDS: &[(Class, &[&str])] = &[
    (Class::ContextLength, &["context_length_exceeded", "request_too_large", "model_context_window_exceeded"]),
    (
        Class::Billing,
        &[
            "insufficient_quota",
            "billing_error",
            "billing_not_active",
            "billing_hard_limit_reached",
            "payment_required",
        ],
    ),
    (
        Class::RateLimited,
        &["rate_limit_error", "rate_limit_exceeded", "too_many_requests", "resource_exhausted", "tokens", "requests"],
    ),
    (
        Class::Auth,
        &[
            "authentication_error",
            "invalid_api_key",
            "api_key_invalid",
            "permission_error",
            "permission_denied",
            "unauthenticated",
            "account_deactivated",
            "invalid_authentication",
        ],
    ),
    (Class::NotFound, &["not_found_error", "model_not_found", "not_found"]),
    (
        Class::ContentFiltered,
        &["content_filter", "content_policy_violation", "content_filtered", "safety", "prohibited_content"],
    ),
    (Class::Unsupported, &["unsupported_parameter", "unsupported_value", "unsupported_model", "unimplemented"]),
    (Class::Timeout, &["timeout_error", "deadline_exceeded", "gateway_timeout"]),
    (
        Class::ServerError,
        &[
            "overloaded_error",
            "api_error",
            "server_error",
            "internal_error",
            "internal",
            "internal_server_error",
            "unavailable",
            "service_unavailable",
            "engine_overloaded",
            "vector_store_timeout",
        ],
    ),
];

/// What an answer that is no reply means: by wording for what is too long or unpaid, then by the kind that its body
/// names, then by its status. Digits in a message decide nothing.
pub fn classify(answered: &Answered<'_>) -> Class {
    let message = answered.message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let kinds = answered.kinds.map(str::to_lowercase);
    let named = kinds
        .iter()
        .find_map(|kind| KINDS.iter().find(|(_, names)| names.contains(&kind.as_str())).map(|(class, _)| *class));
    if named == Some(Class::ContextLength) || (says(TOO_LONG) && named != Some(Class::RateLimited)) {
        return Class::ContextLength;
    }
    let class = named.unwrap_or_else(|| by_status(answered.status));
    match class {
        // One that says when to come again counts requests and not money (a free quota per minute is worded as billing).
        Class::RateLimited | Class::BadRequest if says(UNPAID) && !answered.says_when => Class::Billing,
        class => class,
    }
}

const fn by_status(status: u16) -> Class {
    match status {
        401 | 403 => Class::Auth,
        402 => Class::Billing,
        404 => Class::NotFound,
        413 => Class::ContextLength,
        429 => Class::RateLimited,
        408 | 425 | 500..=599 => Class::ServerError,
        // In the middle of a reply, and without a name that is known.
        0 => Class::ServerError,
        _ => Class::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, kind: &str, message: &str) -> Class {
        classify(&Answered { status, kinds: [kind, "", ""], message, says_when: false })
    }

    // S82, E28: too long by wording whatever the status, then the body's kind, then the status.
    #[test]
    fn errors_are_classified_in_their_order() {
        use Class as C;
        for (status, kind, message, class) in [
            (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", C::ContextLength),
            (500, "", "This model's maximum context length is 8192 tokens", C::ContextLength),
            (400, "context_length_exceeded", "x", C::ContextLength),
            (413, "", "", C::ContextLength),
            (429, "rate_limit_exceeded", "the context window of requests per minute is used up", C::RateLimited),
            (529, "overloaded_error", "Overloaded", C::ServerError),
            (400, "overloaded_error", "the type wins over the status", C::ServerError),
            (429, "rate_limit_error", "slow down", C::RateLimited),
            (429, "", "", C::RateLimited),
            (429, "insufficient_quota", "You exceeded your current quota", C::Billing),
            (429, "rate_limit_error", "check your plan and billing details", C::Billing),
            (400, "invalid_request_error", "Your credit balance is too low", C::Billing),
            (402, "", "", C::Billing),
            (401, "", "no", C::Auth),
            (403, "permission_error", "", C::Auth),
            (400, "API_KEY_INVALID", "API key not valid", C::Auth),
            (401, "invalid_request_error", "Incorrect API key", C::Auth),
            (404, "not_found_error", "model: x", C::NotFound),
            (400, "model_not_found", "", C::NotFound),
            (400, "content_policy_violation", "", C::ContentFiltered),
            (400, "unsupported_parameter", "", C::Unsupported),
            (400, "invalid_request_error", "tools: 401 of them are too many for 500 dollars", C::BadRequest),
            (422, "", "", C::BadRequest),
            (302, "", "", C::BadRequest),
            (408, "", "", C::ServerError),
            (503, "", "<html>429</html>", C::ServerError),
            (0, "overloaded_error", "", C::ServerError),
            (0, "", "who knows", C::ServerError),
        ] {
            assert_eq!(of(status, kind, message), class, "{status} {kind} {message}");
        }
        // A quota that says when it is refilled is one of requests.
        let quota = Answered {
            status: 429,
            kinds: ["RESOURCE_EXHAUSTED", "", ""],
            message: "You exceeded your current quota, please check your plan and billing details",
            says_when: true,
        };
        assert_eq!(classify(&quota), C::RateLimited);
        // The most exact name wins.
        let exact = Answered { status: 400, kinds: ["model_not_found", "rate_limit_error", ""], ..Answered::default() };
        assert_eq!(classify(&exact), C::NotFound);
    }

    // S82, X22: what each ends a task with, and which are tried again.
    #[test]
    fn each_class_has_an_end() {
        let passing: Vec<&str> =
            Class::ALL.iter().filter(|class| class.is_passing()).map(|class| class.name()).collect();
        assert_eq!(passing, ["server_error", "timeout", "network", "invalid_response", "rate_limited"]);
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            let slug = class.failure().slug();
            let expected = match class {
                Class::RateLimited => "rate_limited".to_owned(),
                Class::ContextLength => "context_overflow".to_owned(),
                class if class.is_passing() => "provider_unavailable".to_owned(),
                class => format!("provider_{}", class.name()),
            };
            assert_eq!(slug, expected);
        }
    }
}

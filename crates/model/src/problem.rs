//! A coded error on its way to a person: what failed, why, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// One wrong value of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it stands, as a JSON pointer such as `/scope/files/3`.
    pub pointer: String,
    /// What is wrong with it; never echoes a foreign path.
    pub message: String,
}

impl FieldError {
    /// A wrong value at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A refusal or failure that a person can meet. Every layer above the domain turns its errors into
/// this one; HTTP and the command line only render it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Which of the listed things went wrong.
    pub code: Code,
    /// One lower-case sentence about this very case.
    pub message: String,
    /// What to do, when more is known than the code's own hint.
    pub hint: Option<String>,
    /// Each wrong value, for [`Code::Invalid`] and its kin.
    pub errors: Vec<FieldError>,
    /// Further facts for programs, such as `active_run`.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem with its message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, errors: Vec::new(), facts: serde_json::Map::new() }
    }

    /// The same 404 for what does not exist and for what the caller may not see (P27).
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, Code::NotFound.title())
    }

    /// A 422 that names each wrong value.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let message = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.message),
            many => format!("{} values are not allowed", many.len()),
        };
        Self { errors, ..Self::new(Code::Invalid, message) }
    }

    /// A 422 about one value.
    pub fn invalid_field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, message)])
    }

    /// Replaces the code's hint by a better one.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// The hint to show: the special one, else the code's.
    pub fn hint(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.code.hint())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Problem {}

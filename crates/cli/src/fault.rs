//! What went wrong, in the words a person reads: `error: failed to ... (PH-1044)` and a hint.

use std::fmt;

use model::{code::Code, problem::Problem};
use serde_json::{Map, Value, json};

use crate::exit::Exit;

/// A failed verb: a problem of the plane, of the way to it, or of this machine.
#[derive(Debug, Clone)]
pub struct Fault(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    /// What the verb was about to do, as `start the run`.
    doing: Option<String>,
    /// `PH-1044`, as text: a newer server may know codes that this binary does not.
    code: String,
    /// One lower-case sentence.
    message: String,
    /// What to do.
    hint: String,
    /// Each wrong value: where it stands and what is wrong.
    errors: Vec<(String, String)>,
    /// The problem document as it came, or as it would have come.
    document: Value,
    exit: Exit,
}

impl Fault {
    /// A fault with its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Problem::new(code, message).into()
    }

    /// A command line, or a value in it, that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Reads an RFC 9457 document. Anything else that came with an error status is told as such.
    pub fn from_document(status: u16, body: &[u8]) -> Self {
        let document: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
        let Some(document) = document else {
            let message = format!("the address answered {status}, and not as a plane does");
            return Self::new(Code::Unreachable, message)
                .exiting(Exit::of_status(status))
                .hinted("is this the address of a Proofhouse plane? a proxy in between may have answered");
        };
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = text("code");
        let known = code.strip_prefix("PH-").and_then(|number| number.parse().ok()).and_then(Code::by_number);
        let message = [text("detail"), text("title"), format!("the plane answered {status}")];
        let errors = document.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let field = |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self(Box::new(Parts {
            doing: None,
            code,
            message: message.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
            hint: text("hint"),
            errors: errors.iter().map(|error| (field(error, "pointer"), field(error, "message"))).collect(),
            exit: known.map_or(Exit::of_status(status), Exit::of_code),
            document,
        }))
    }

    /// Says what the verb was about to do, as `start the run`. The innermost word wins.
    #[must_use]
    pub fn doing(mut self, what: impl Into<String>) -> Self {
        self.0.doing.get_or_insert(what.into());
        self
    }

    /// Replaces the hint.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        if let Some(document) = self.0.document.as_object_mut() {
            document.insert("hint".to_owned(), Value::from(self.0.hint.clone()));
        }
        self
    }

    /// Ends the process with another code than its own.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// Whether it is this code.
    pub fn is(&self, code: Code) -> bool {
        self.0.code == code.to_string()
    }

    /// A fact of the problem document, such as `active_run`.
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.0.document.get(name)
    }

    /// The problem document, for `--json`.
    pub fn document(&self) -> &Value {
        &self.0.document
    }

    /// What to do.
    pub fn hint(&self) -> &str {
        &self.0.hint
    }

    /// What to do, for a person at a terminal; none where the sentence says it all. The plane's own words
    /// for wrong values point into the document that only a program sees.
    pub fn advice(&self) -> Option<&str> {
        let hint = if self.is(Code::Invalid) && self.0.hint == Code::Invalid.hint() {
            "`--help` says what each flag takes"
        } else {
            &self.0.hint
        };
        Some(hint).filter(|hint| !hint.is_empty())
    }

    /// The wrong values, each as one line.
    pub fn errors(&self) -> impl Iterator<Item = String> + '_ {
        self.0.errors.iter().map(|(pointer, message)| match pointer.as_str() {
            "" => message.clone(),
            pointer => format!("{pointer}: {message}"),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.doing {
            Some(_) if self.0.message.starts_with("failed to ") => f.write_str(&self.0.message)?,
            Some(doing) => write!(f, "failed to {doing}: {}", self.0.message)?,
            None => f.write_str(&self.0.message)?,
        }
        if self.0.code.is_empty() { Ok(()) } else { write!(f, " ({})", self.0.code) }
    }
}

impl std::error::Error for Fault {}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let mut document = Map::new();
        document.insert("code".into(), json!(problem.code.to_string()));
        document.insert("slug".into(), json!(problem.code.slug()));
        document.insert("title".into(), json!(problem.code.title()));
        document.insert("status".into(), json!(problem.code.status()));
        document.insert("detail".into(), json!(problem.message));
        document.insert("hint".into(), json!(problem.hint()));
        if !problem.errors.is_empty() {
            document.insert("errors".into(), json!(problem.errors));
        }
        document.extend(problem.facts.clone());
        Self(Box::new(Parts {
            doing: None,
            code: problem.code.to_string(),
            hint: problem.hint().to_owned(),
            errors: problem.errors.iter().map(|error| (error.pointer.clone(), error.message.clone())).collect(),
            exit: Exit::of_code(problem.code),
            message: problem.message,
            document: Value::Object(document),
        }))
    }
}

/// Says what was being done when a fault came up.
pub trait Doing<T> {
    /// See [`Fault::doing`].
    fn doing(self, what: &str) -> Result<T, Fault>;
}

impl<T, E: Into<Fault>> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, Fault> {
        self.map_err(|error| error.into().doing(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_reads_as_one_sentence_with_its_code() {
        let body = br#"{"code":"PH-1008","slug":"run_active","title":"a run on the same subject is active",
            "detail":"run 7 is active","hint":"watch it","status":409,"active_run":"7"}"#;
        let fault = Fault::from_document(409, body).doing("start the run");
        assert_eq!(fault.to_string(), "failed to start the run: run 7 is active (PH-1008)");
        assert_eq!((fault.hint(), fault.exit()), ("watch it", Exit::Refused));
        assert_eq!(fault.fact("active_run"), Some(&json!("7")));
        assert!(fault.is(Code::RunActive));
    }

    // What comes from outside may be anything: a proxy's page, nothing, a code of a later version.
    #[test]
    fn foreign_answers_are_told_as_such() {
        for body in [&b"<html>bad gateway</html>"[..], b"", b"[1]", b"\xff\xfe", b"null"] {
            let fault = Fault::from_document(502, body);
            assert_eq!(fault.exit(), Exit::Unreachable, "{fault}");
        }
        let fault = Fault::from_document(403, br#"{"code":"PH-9999","detail":"not today"}"#);
        assert_eq!((fault.to_string().as_str(), fault.exit()), ("not today (PH-9999)", Exit::Refused));
        let fault = Fault::from_document(500, br#"{"code":7,"errors":{"a":1}}"#);
        assert_eq!((fault.to_string().as_str(), fault.exit()), ("the plane answered 500", Exit::Bug));
    }

    #[test]
    fn the_innermost_word_says_what_failed() {
        let fault = Fault::new(Code::FolderMissing, "it is not there").doing("read the folder").doing("do all of it");
        assert_eq!(fault.to_string(), "failed to read the folder: it is not there (PH-1044)");
        let whole = Fault::new(Code::GitFailed, "failed to run git").doing("look");
        assert_eq!(whole.to_string(), "failed to run git (PH-1045)");
    }
}

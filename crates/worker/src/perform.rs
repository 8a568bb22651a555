//! Who does which kind of task.

use std::{collections::HashMap, sync::Arc};

use futures::future::BoxFuture;
use model::failure::FailureCode;
use serde_json::{Value, json};

use crate::desk::Desk;

/// What came of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was done.
    Complete {
        /// The kind's own result.
        output: Value,
    },
    /// It could not be done.
    Fail {
        /// The cause: one of the declared failures, or a word of the performer's.
        code: String,
        /// What happened.
        message: String,
        /// When trying again makes sense, as RFC 3339.
        retry_at: Option<String>,
    },
    /// It is given back.
    Release {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// A failure with a declared cause.
    pub fn failed(code: FailureCode, message: impl Into<String>) -> Self {
        Self::Fail { code: code.slug().to_owned(), message: message.into(), retry_at: None }
    }

    /// Given back.
    pub fn release(reason: &str) -> Self {
        Self::Release { reason: reason.to_owned() }
    }

    /// The call and the body that tell it.
    pub(crate) fn told(self) -> (&'static str, Value) {
        match self {
            Self::Complete { output } => ("complete", json!({"output": output})),
            Self::Fail { code, message, retry_at } => {
                let message: String = message.chars().take(2_000).collect();
                ("fail", json!({"code": code, "message": message, "retry_at": retry_at}))
            }
            Self::Release { reason } => ("release", json!({"reason": reason})),
        }
    }
}

/// Does one kind of task. It returns soon after the desk's [`stop`](Desk::stop) fires.
pub type Performer = Arc<dyn Fn(Desk) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// The kinds of tasks that a worker can do, each with who does it.
#[derive(Clone, Default)]
pub struct Performers {
    by_kind: HashMap<String, Performer>,
    tidy: Option<Tidy>,
}

/// Puts away what a task, named by its claim, has left outside of its folder when its process died over it.
pub type Tidy = Arc<dyn Fn(Value) -> BoxFuture<'static, ()> + Send + Sync>;

impl Performers {
    /// With one more.
    #[must_use]
    pub fn with<F, R>(mut self, kind: &str, perform: F) -> Self
    where
        F: Fn(Desk) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        self.by_kind.insert(kind.to_owned(), Arc::new(move |desk| Box::pin(perform(desk))));
        self
    }

    /// Whoever does this kind.
    pub fn of(&self, kind: &str) -> Option<Performer> {
        self.by_kind.get(kind).cloned()
    }

    /// With somebody who puts away what is left of tasks.
    #[must_use]
    pub fn tidied_by<F, R>(mut self, tidy: F) -> Self
    where
        F: Fn(Value) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.tidy = Some(Arc::new(move |claim| Box::pin(tidy(claim))));
        self
    }

    /// Puts away what is left of a task.
    pub async fn tidy(&self, claim: Value) {
        if let Some(tidy) = &self.tidy {
            tidy(claim).await;
        }
    }
}

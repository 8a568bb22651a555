//! What is behind a cookie or token, remembered for a few seconds so that a busy worker does not cost
//! a read per call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use model::{
    actor::{Actor, Role},
    digest::Digest,
    id::{ProjectId, RunId, TokenId, WorkerId},
    time::Timestamp,
};

use crate::limits;

/// How the caller was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie: changes must come from our own pages.
    Session,
    /// A bearer token.
    Token(TokenId),
}

/// Someone or something that calls.
#[derive(Debug, Clone)]
pub struct Principal {
    /// In whose name things happen.
    pub actor: Actor,
    /// What it may do at most.
    pub role: Role,
    /// Where: one project, or all.
    pub project: Option<ProjectId>,
    /// The worker it is, if it is one.
    pub worker: Option<WorkerId>,
    /// The run it was given to, if it was.
    pub run: Option<RunId>,
    /// How it was recognised.
    pub via: Via,
    /// When the cookie or token ends.
    pub expires_at: Option<Timestamp>,
    /// Its name in idempotency keys and limits: stable over renewals.
    pub name: String,
}

impl Principal {
    /// Its role in a project; `None` when it must not know that the project exists.
    pub fn role_in(&self, project: ProjectId) -> Option<Role> {
        (self.worker.is_none() && self.project.is_none_or(|own| own == project)).then_some(self.role)
    }

    /// Whether it ends before `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// The principals seen lately, by the digest of their secret. A cache and never the truth: an
/// unknown secret is looked up, a known one is believed for a few seconds.
#[derive(Debug, Default)]
pub struct Principals(Mutex<HashMap<Digest, (Instant, Arc<Principal>)>>);

impl Principals {
    /// The principal behind a secret, if it was looked up lately.
    pub fn get(&self, secret: &Digest) -> Option<Arc<Principal>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, principal) = known.get(secret)?;
        (at.elapsed() < limits::PRINCIPAL_AGE).then(|| principal.clone())
    }

    /// Remembers a principal.
    pub fn put(&self, secret: Digest, principal: Arc<Principal>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::PRINCIPALS {
            known.retain(|_, (at, _)| at.elapsed() < limits::PRINCIPAL_AGE);
            if known.len() >= limits::PRINCIPALS {
                known.clear();
            }
        }
        known.insert(secret, (Instant::now(), principal));
    }

    /// Forgets everything: something was revoked.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

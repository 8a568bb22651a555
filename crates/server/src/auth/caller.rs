//! The caller of a request, and the one place that decides what a caller may do (P66).

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use engine::Once;
use model::{
    actor::{Actor, Role},
    code::Code,
    digest::Digest,
    id::{ProjectId, WorkerId},
    problem::Problem,
};

use store::IdempotencyKey;

use super::{Principal, Via};
use crate::{app::App, extract::OnceKey, problem::Refusal};

/// What a caller wants to do in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See it.
    Read,
    /// Capture a requirement.
    Capture,
    /// File an issue, or say something on one.
    File,
    /// Start a run.
    Start,
    /// Edit what makes nothing weaker; cancel, pause, resume, retry.
    Change,
    /// Answer a question.
    Answer,
    /// Waive, accept, weaken, set, move: what needs an admin who is a person.
    Decide,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Capture, Self::File, Self::Start, Self::Change, Self::Answer, Self::Decide];

    const fn needs(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Capture | Self::File | Self::Start | Self::Change | Self::Answer => Role::Member,
            Self::Decide => Role::Admin,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Read => "read this",
            Self::Capture => "capture requirements",
            Self::File => "file issues and comment on them",
            Self::Start => "start runs",
            Self::Change => "change or control this",
            Self::Answer => "answer questions",
            Self::Decide => "decide this",
        }
    }

    /// Whether the actor's kind allows it at all, whatever its role. A run's token reads, captures,
    /// files and starts; no program decides or answers (P66).
    const fn fits(self, actor: &Actor) -> Result<(), Code> {
        match (self, actor) {
            (_, Actor::Person { .. } | Actor::System) => Ok(()),
            (Self::Answer | Self::Decide, Actor::Token { .. } | Actor::Worker { .. } | Actor::Run { .. }) => {
                Err(Code::PersonRequired)
            }
            (Self::Change, Actor::Run { .. }) => Err(Code::NotEntitled),
            (Self::Read | Self::Capture | Self::File | Self::Start, Actor::Run { .. })
            | (
                Self::Read | Self::Capture | Self::File | Self::Start | Self::Change,
                Actor::Token { .. } | Actor::Worker { .. },
            ) => Ok(()),
        }
    }
}

/// An authenticated caller. Asking for one in a handler's arguments refuses everybody else.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Arc<Principal>,
    secret: Digest,
}

impl Caller {
    pub(crate) const fn new(principal: Arc<Principal>, secret: Digest) -> Self {
        Self { principal, secret }
    }

    /// In whose name things happen.
    pub fn actor(&self) -> &Actor {
        &self.principal.actor
    }

    /// Everything known about it.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The digest of the secret it showed.
    pub(crate) const fn secret(&self) -> &Digest {
        &self.secret
    }

    /// Whether it may do this in the project. What it may not even see answers 404 (P27).
    pub fn may(&self, action: Action, project: ProjectId) -> Result<(), Problem> {
        let Some(role) = self.principal.role_in(project) else { return Err(Problem::not_found()) };
        decide(action, role, self.actor())
    }

    /// Whether it may do this over all projects.
    pub fn may_everywhere(&self, action: Action) -> Result<(), Problem> {
        if self.principal.project.is_some() || self.principal.worker.is_some() {
            return Err(Problem::new(Code::NotEntitled, "this token is for one purpose and does not reach that far"));
        }
        decide(action, self.principal.role, self.actor())
    }

    /// Refuses callers that read nothing but their own protocol.
    pub fn reads_something(&self) -> Result<(), Problem> {
        if self.principal.worker.is_some() {
            return Err(Problem::new(Code::NotEntitled, "a worker's token is for the worker protocol alone"));
        }
        Ok(())
    }

    /// The worker that calls; anybody else is refused.
    pub fn worker(&self) -> Result<WorkerId, Problem> {
        self.principal.worker.ok_or_else(|| {
            Problem::new(Code::NotEntitled, "only a worker may call this").with_hint("use the token of a worker")
        })
    }

    /// The caller's side of an idempotency key (X27).
    pub fn once(&self, route: &'static str, key: OnceKey, body: Digest) -> Option<Once> {
        let key = IdempotencyKey { principal: self.principal.name.clone(), route: route.to_owned(), key: key.0? };
        Some(Once { key, body })
    }
}

fn decide(action: Action, role: Role, actor: &Actor) -> Result<(), Problem> {
    action.fits(actor).map_err(|code| Problem::new(code, format!("a program may not {}", action.words())))?;
    if role < action.needs() {
        let needs = action.needs().name();
        let message = format!("you may not {}: it needs the role {needs}", action.words());
        return Err(Problem::new(Code::NotEntitled, message).with("role", role.name()).with("needs", needs));
    }
    Ok(())
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = app.auth.caller(&app.engine, &parts.headers).await?;
        if caller.principal.via == Via::Session {
            app.auth.hosts.check_origin(&parts.method, &parts.headers)?;
        }
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use model::id::{RunId, TokenId, UserId};
    use uuid::Uuid;

    use super::*;

    /// P66, as a table: rows are callers, columns the actions in `Action::ALL`.
    #[test]
    fn who_may_do_what() {
        let id = Uuid::from_u128(1);
        let person = Actor::Person { id: UserId::from_uuid(id), name: "p".into() };
        let program = Actor::Token { id: TokenId::from_uuid(id), name: "ci".into() };
        let run = Actor::Run { id: RunId::from_uuid(id) };
        let table = [
            (&person, Role::Viewer, "y------"),
            (&person, Role::Member, "yyyyyy-"),
            (&person, Role::Admin, "yyyyyyy"),
            (&program, Role::Viewer, "y----pp"),
            (&program, Role::Member, "yyyyypp"),
            (&program, Role::Admin, "yyyyypp"),
            (&run, Role::Member, "yyyy-pp"),
            (&run, Role::Admin, "yyyy-pp"),
        ];
        for (actor, role, row) in table {
            for (action, expected) in Action::ALL.into_iter().zip(row.chars()) {
                let got = match decide(action, role, actor).map_err(|problem| problem.code) {
                    Ok(()) => 'y',
                    Err(Code::PersonRequired) => 'p',
                    Err(_) => '-',
                };
                assert_eq!(got, expected, "{action:?} by {actor:?} as {role:?}");
            }
        }
    }
}

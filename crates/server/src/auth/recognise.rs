//! From headers to a caller.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::http::{HeaderMap, header};
use engine::Engine;
use model::{actor::Actor, code::Code, digest::Digest, problem::Problem, time::Timestamp};
use store::{Person, Token};

use super::{
    Caller, Principal, Secret, SecretKind, Via, hosts::Hosts, limiter::SignInBrake, principal::Principals,
    session_secret,
};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokenKind)]
pub enum Scope {
    /// A person's own: it acts as that person.
    Person,
    /// A program's, such as a CI job. Never a person (P66).
    Program,
    /// A worker's: the worker protocol and nothing else.
    Worker,
    /// A run's: reads, captures and starts in its project.
    Run,
}

impl Scope {
    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Program => "program",
            Self::Worker => "worker",
            Self::Run => "run",
        }
    }

    /// The kind with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Person, Self::Program, Self::Worker, Self::Run].into_iter().find(|scope| scope.name() == name)
    }
}

/// Everything the server knows about access.
#[derive(Debug)]
pub struct Auth {
    pub(crate) hosts: Hosts,
    pub(super) brake: SignInBrake,
    pairing: SignInBrake,
    pub(super) principals: Principals,
}

impl Auth {
    /// Access for a server at this address, called under these names.
    pub fn new(bound: Option<SocketAddr>, hosts: &[String]) -> Self {
        Self {
            hosts: Hosts::new(bound, hosts),
            brake: SignInBrake::default(),
            pairing: SignInBrake::default(),
            principals: Principals::default(),
        }
    }

    /// Who sends these headers. A bearer token counts before a cookie.
    pub async fn caller(&self, engine: &Engine, headers: &HeaderMap) -> Result<Caller, Problem> {
        let nobody = || Problem::new(Code::NoSession, Code::NoSession.title());
        let secret = match headers.get(header::AUTHORIZATION) {
            Some(value) => bearer(value.to_str().unwrap_or_default()).map(|secret| (SecretKind::Token, secret)),
            None => session_secret(headers).map(|secret| (SecretKind::Session, secret)),
        };
        let (kind, secret) = secret.ok_or_else(nobody)?;
        let digest = secret.digest();
        let principal = self.behind(engine, kind, digest).await?.ok_or_else(nobody)?;
        Ok(Caller::new(principal, digest))
    }

    /// Counts an attempt to pair a worker, good or not; an address that tried too often waits (D50).
    pub(crate) fn attempt_pairing(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Problem> {
        self.pairing.check(address, now)?;
        self.pairing.failed(address, now);
        Ok(())
    }

    /// The caller behind a token that was just made.
    pub(crate) async fn known(&self, engine: &Engine, token: &Secret) -> Result<Caller, Problem> {
        let digest = token.digest();
        let principal = self.behind(engine, SecretKind::Token, digest).await?;
        let principal = principal.ok_or_else(|| Problem::new(Code::NoSession, Code::NoSession.title()))?;
        Ok(Caller::new(principal, digest))
    }

    /// Whether the caller's session or token is still good.
    pub async fn is_still(&self, engine: &Engine, caller: &Caller) -> bool {
        let kind = match caller.principal().via {
            Via::Session => SecretKind::Session,
            Via::Token(_) => SecretKind::Token,
        };
        // A store that does not answer now revokes nothing.
        self.behind(engine, kind, *caller.secret()).await.map_or(true, |principal| principal.is_some())
    }

    async fn behind(
        &self,
        engine: &Engine,
        kind: SecretKind,
        secret: Digest,
    ) -> Result<Option<Arc<Principal>>, Problem> {
        let now = engine.now();
        if let Some(known) = self.principals.get(&secret) {
            return Ok((!known.is_over(now)).then_some(known));
        }
        let found = match kind {
            SecretKind::Token => {
                let token: Option<Token> = engine
                    .store()
                    .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.token_by_secret(&secret).await?) }))
                    .await?;
                token.filter(|token| token.is_live(now)).and_then(|token| of_token(&token))
            }
            SecretKind::Session => {
                let (person, token): (Option<Person>, Option<Token>) = engine
                    .store()
                    .read(move |tx| {
                        Box::pin(async move {
                            let person = tx.session(&secret, now).await?;
                            Ok::<_, Problem>((person, tx.session_token(&secret).await?))
                        })
                    })
                    .await?;
                match (person, token) {
                    (Some(person), None) => Some(of_person(&person)),
                    // It ends with its token, and may no more than that.
                    (Some(_), Some(token)) if token.is_live(now) => {
                        of_token(&token).map(|principal| Principal { via: Via::Session, ..principal })
                    }
                    (Some(_), Some(_)) | (None, _) => None,
                }
            }
            SecretKind::Code => None,
        };
        let Some(principal) = found else { return Ok(None) };
        let principal = Arc::new(principal);
        self.principals.put(secret, principal.clone());
        Ok(Some(principal))
    }

    /// Forgets who is behind which secret: something was revoked.
    pub(crate) fn forget(&self) {
        self.principals.forget();
    }
}

fn bearer(value: &str) -> Option<Secret> {
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Secret::sent(SecretKind::Token, token.trim())
}

fn of_person(person: &Person) -> Principal {
    Principal {
        actor: Actor::Person { id: person.id, name: person.name.clone() },
        role: person.role,
        project: None,
        worker: None,
        run: None,
        via: Via::Session,
        expires_at: None::<Timestamp>,
        name: format!("person:{}", person.id),
    }
}

/// A token whose row does not fit its kind is nobody.
fn of_token(token: &Token) -> Option<Principal> {
    let (actor, name) = match Scope::by_name(&token.scope)? {
        Scope::Person => {
            let (id, name) = token.person.clone()?;
            (Actor::Person { id, name }, format!("person:{id}"))
        }
        Scope::Program => (Actor::Token { id: token.id, name: token.label.clone() }, format!("token:{}", token.id)),
        Scope::Worker => {
            let id = token.worker?;
            (Actor::Worker { id, name: token.label.clone() }, format!("worker:{id}"))
        }
        Scope::Run => (Actor::Run { id: token.run? }, format!("run:{}", token.run?)),
    };
    Some(Principal {
        actor,
        role: token.role,
        project: token.project,
        worker: token.worker,
        run: token.run,
        via: Via::Token(token.id),
        expires_at: token.expires_at,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_in_any_case_of_its_scheme_and_nothing_else_is() {
        let secret = Secret::draw(SecretKind::Token);
        let text = secret.reveal();
        assert_eq!(bearer(&format!("bearer {text}")), Some(secret.clone()));
        assert_eq!(bearer(&format!("BEARER  {text}")), Some(secret.clone()));
        for wrong in [text.to_owned(), format!("Basic {text}"), "Bearer".into(), "Bearer x".into()] {
            assert_eq!(bearer(&wrong), None);
        }
    }
}

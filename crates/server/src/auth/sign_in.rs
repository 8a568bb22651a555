//! Beginning and ending a session: by the code of a link, or by a token of one's own.

use std::{net::IpAddr, sync::atomic::Ordering::Relaxed, time::Instant};

use model::{code::Code, digest::Digest, limits, problem::Problem};
use store::Person;

use super::{Auth, Scope, Secret, SecretKind};
use crate::app::App;

/// A session that was just begun.
#[derive(Debug)]
pub struct NewSession {
    /// Its key, for the cookie.
    pub secret: Secret,
    /// How long it lasts.
    pub max_age_s: u64,
    /// Who signed in.
    pub person: Person,
}

impl Auth {
    /// Uses a link's code up and begins a session. Failures of an address are counted.
    pub async fn redeem(&self, app: &App, code: &str, address: Option<IpAddr>) -> Result<NewSession, Problem> {
        self.brake.check(address, Instant::now())?;
        let code = Secret::sent(SecretKind::Code, code).map(|code| code.digest());
        self.begin(app, address, Proof::Code(code)).await
    }

    /// Begins a session for the person whose token this is.
    pub async fn exchange(&self, app: &App, token: &str, address: Option<IpAddr>) -> Result<NewSession, Problem> {
        self.brake.check(address, Instant::now())?;
        let token = Secret::sent(SecretKind::Token, token).map(|token| token.digest());
        self.begin(app, address, Proof::Token(token)).await
    }

    async fn begin(&self, app: &App, address: Option<IpAddr>, proof: Proof) -> Result<NewSession, Problem> {
        let secret = Secret::draw(SecretKind::Session);
        let (digest, now) = (secret.digest(), app.engine.now());
        let person: Option<Person> = app
            .engine
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut by = None;
                    let person = match proof {
                        Proof::Code(Some(code)) => tx.sign_in_link_use(&code, now).await?,
                        Proof::Token(Some(token)) => match tx.token_by_secret(&token).await? {
                            Some(token) if token.is_live(now) && token.scope == Scope::Person.name() => {
                                by = Some(token.id);
                                match token.person {
                                    Some((id, _)) => tx.person(id).await?,
                                    None => None,
                                }
                            }
                            Some(_) | None => None,
                        },
                        Proof::Code(None) | Proof::Token(None) => None,
                    };
                    if let Some(person) = &person {
                        tx.session_insert(&digest, person.id, now, now.plus(limits::SESSION)).await?;
                        if let Some(token) = by {
                            tx.session_token_insert(&digest, token).await?;
                        }
                    }
                    Ok::<_, Problem>(person)
                })
            })
            .await?;
        let Some(person) = person else {
            self.brake.failed(address, Instant::now());
            app.metrics.figures.sign_in_failures.fetch_add(1, Relaxed);
            return Err(Problem::new(Code::NoSession, "the link or token is wrong, was used, or has ended")
                .with_hint("`proofhouse token link` prints a new link; each works once, for 15 minutes"));
        };
        Ok(NewSession { secret, max_age_s: limits::SESSION.as_secs(), person })
    }

    /// Ends a session.
    pub async fn end(&self, app: &App, session: Digest) -> Result<(), Problem> {
        app.engine
            .store()
            .write(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.session_delete(&session).await.map(drop)?) }))
            .await?;
        self.forget();
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Proof {
    Code(Option<Digest>),
    Token(Option<Digest>),
}

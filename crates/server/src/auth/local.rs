//! Access for whoever owns the data folder: a token that only its owner's files show, and the first
//! sign-in link.

use std::fs;

use engine::{Engine, data::write_private};
use model::{
    actor::{Actor, Role},
    code::Code,
    id::{TokenId, UserId},
    limits,
    problem::Problem,
};
use store::{Person, Token};

use super::{Scope, Secret, SecretKind};

/// How the owner of the data folder gets in.
#[derive(Debug)]
pub struct LocalAccess {
    /// The owner's token; it also lies in the data folder.
    pub token: Secret,
    /// Whether it was made just now: this is the first start of the folder.
    pub is_new: bool,
}

/// Makes sure that the data folder's owner is an admin with a token in the folder.
pub async fn local_access(engine: &Engine) -> Result<LocalAccess, Problem> {
    let path = engine.data().local_token();
    let kept = fs::read_to_string(&path).ok().and_then(|text| Secret::sent(SecretKind::Token, text.trim()));
    if let Some(token) = kept {
        let (digest, now) = (token.digest(), engine.now());
        let known = engine
            .store()
            .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.token_by_secret(&digest).await?) }))
            .await?;
        if known.is_some_and(|known| known.is_live(now)) {
            return Ok(LocalAccess { token, is_new: false });
        }
    }
    let owner = owner(engine).await?;
    let token = Secret::draw(SecretKind::Token);
    let (digest, now) = (token.digest(), engine.now());
    let row = Token {
        id: TokenId::from_uuid(engine.clock().id()),
        label: "this machine".to_owned(),
        scope: Scope::Person.name().to_owned(),
        role: Role::Admin,
        project: None,
        person: Some((owner.id, owner.name)),
        run: None,
        worker: None,
        created_by: Actor::System,
        created_at: now,
        expires_at: None,
        revoked_at: None,
    };
    engine
        .store()
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move { Ok::<_, Problem>(tx.token_insert(&row, &digest).await?) })
        })
        .await?;
    write_private(&path, token.reveal().as_bytes()).map_err(|error| {
        Problem::new(Code::DataFolderUnusable, format!("failed to write the local token: {}", error.kind()))
    })?;
    Ok(LocalAccess { token, is_new: true })
}

/// A new code for a sign-in link of the data folder's owner.
pub async fn sign_in_code(engine: &Engine) -> Result<Secret, Problem> {
    let owner = owner(engine).await?;
    code_for(engine, owner.id).await
}

/// A new code for a sign-in link of this person.
pub(crate) async fn code_for(engine: &Engine, person: UserId) -> Result<Secret, Problem> {
    let code = Secret::draw(SecretKind::Code);
    let (digest, now) = (code.digest(), engine.now());
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                Ok::<_, Problem>(tx.sign_in_link_insert(&digest, person, now, now.plus(limits::SIGN_IN_LINK)).await?)
            })
        })
        .await?;
    Ok(code)
}

/// The first person of the plane: whoever runs it.
async fn owner(engine: &Engine) -> Result<Person, Problem> {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| (1..=100).contains(&name.len())).unwrap_or_else(|| "owner".to_owned());
    let new = Person { id: UserId::from_uuid(engine.clock().id()), name, role: Role::Admin, created_at: engine.now() };
    engine
        .store()
        .write(move |tx| {
            let new = new.clone();
            Box::pin(async move {
                let first = tx.people().await?.into_iter().find(|person| person.role == Role::Admin);
                if let Some(first) = first {
                    return Ok::<_, Problem>(first);
                }
                tx.person_insert(&new).await?;
                Ok(new)
            })
        })
        .await
}

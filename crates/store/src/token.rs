//! People, their sessions and sign-in links, and tokens. Secrets are kept as SHA-256 only.

use model::{
    actor::{Actor, Role},
    digest::Digest,
    id::{ProjectId, RunId, TokenId, UserId, WorkerId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "t.id, t.label, t.scope, t.role, t.project, t.person, p.name, t.run, t.worker, t.created_by, t.created_at,
         t.expires_at, t.revoked_at"
    };
}

statements! {
    PERSON_INSERT = "INSERT INTO person (id, name, role, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    PERSON = "SELECT id, name, role, created_at FROM person WHERE id = $1";
    PERSON_BY_NAME = "SELECT id, name, role, created_at FROM person WHERE name = $1";
    PEOPLE = "SELECT id, name, role, created_at FROM person ORDER BY id";
    INSERT = "INSERT INTO token (id, secret, label, scope, role, project, person, run, worker, created_by, created_at,
            expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    BY_SECRET = concat!("SELECT ", columns!(), " FROM token t LEFT JOIN person p ON p.id = t.person WHERE t.secret = $1");
    BY_ID = concat!("SELECT ", columns!(), " FROM token t LEFT JOIN person p ON p.id = t.person WHERE t.id = $1");
    LIST = concat!("SELECT ", columns!(), " FROM token t LEFT JOIN person p ON p.id = t.person ORDER BY t.id DESC LIMIT $1");
    REVOKE = "UPDATE token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_OF_RUN = "UPDATE token SET revoked_at = $2 WHERE run = $1 AND revoked_at IS NULL";
    SESSION_INSERT = "INSERT INTO session (secret, person, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    SESSION = "SELECT p.id, p.name, p.role, p.created_at FROM session s JOIN person p ON p.id = s.person
        WHERE s.secret = $1 AND s.expires_at > $2";
    SESSION_TOKEN_INSERT = "INSERT INTO session_token (secret, token) VALUES ($1, $2)";
    SESSION_TOKEN = concat!("SELECT ", columns!(), " FROM session_token s JOIN token t ON t.id = s.token
        LEFT JOIN person p ON p.id = t.person WHERE s.secret = $1");
    SESSION_TOKENS_SWEEP = "DELETE FROM session_token WHERE secret NOT IN (SELECT secret FROM session)";
    SESSION_DELETE = "DELETE FROM session WHERE secret = $1";
    SESSIONS_SWEEP = "DELETE FROM session WHERE expires_at <= $1";
    LINK_INSERT = "INSERT INTO sign_in_link (secret, person, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    LINK_USE = "UPDATE sign_in_link SET used_at = $2 WHERE secret = $1 AND used_at IS NULL AND expires_at > $2
        RETURNING person";
    LINKS_SWEEP = "DELETE FROM sign_in_link WHERE expires_at <= $1";
}

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their name, unique.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A bearer token as stored, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What people call it.
    pub label: String,
    /// What kind of caller it is for, such as `person`, `program`, `run`, `worker`.
    pub scope: String,
    /// What it may do.
    pub role: Role,
    /// The one project it is good for; `None` is all.
    pub project: Option<ProjectId>,
    /// The person it acts as, and their name.
    pub person: Option<(UserId, String)>,
    /// The run it was given to.
    pub run: Option<RunId>,
    /// The worker it was given to.
    pub worker: Option<WorkerId>,
    /// Who made it.
    pub created_by: Actor,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether it is good now.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

fn role_by_name(name: &str) -> Option<Role> {
    [Role::Viewer, Role::Member, Role::Admin].into_iter().find(|role| role.name() == name)
}

fn person(mut row: Row) -> Result<Person, StoreError> {
    Ok(Person {
        id: UserId::from_uuid(row.uuid()?),
        name: row.text()?,
        role: row.named(role_by_name)?,
        created_at: row.time()?,
    })
}

fn token(mut row: Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: TokenId::from_uuid(row.uuid()?),
        label: row.text()?,
        scope: row.text()?,
        role: row.named(role_by_name)?,
        project: row.opt_uuid()?.map(ProjectId::from_uuid),
        person: match (row.opt_uuid()?, row.opt_text()?) {
            (Some(id), name) => Some((UserId::from_uuid(id), name.unwrap_or_default())),
            (None, _) => None,
        },
        run: row.opt_uuid()?.map(RunId::from_uuid),
        worker: row.opt_uuid()?.map(WorkerId::from_uuid),
        created_by: row.json()?,
        created_at: row.time()?,
        expires_at: row.opt_time()?,
        revoked_at: row.opt_time()?,
    })
}

impl Tx {
    /// Adds a person; the name must be free.
    pub async fn person_insert(&mut self, person: &Person) -> Result<(), StoreError> {
        let params =
            [person.id.into(), person.name.as_str().into(), person.role.name().into(), person.created_at.into()];
        if self.exec(&PERSON_INSERT, &params).await? == 1 { Ok(()) } else { Err(StoreError::Taken("the name")) }
    }

    /// The person with this id.
    pub async fn person(&mut self, id: UserId) -> Result<Option<Person>, StoreError> {
        self.query_opt(&PERSON, &[id.into()]).await?.map(person).transpose()
    }

    /// The person with this name.
    pub async fn person_by_name(&mut self, name: &str) -> Result<Option<Person>, StoreError> {
        self.query_opt(&PERSON_BY_NAME, &[name.into()]).await?.map(person).transpose()
    }

    /// Everybody, first added first.
    pub async fn people(&mut self) -> Result<Vec<Person>, StoreError> {
        self.query(&PEOPLE, &[]).await?.into_iter().map(person).collect()
    }

    /// Stores a token under the digest of its secret.
    pub async fn token_insert(&mut self, token: &Token, secret: &Digest) -> Result<(), StoreError> {
        let params = [
            token.id.into(),
            secret.into(),
            token.label.as_str().into(),
            token.scope.as_str().into(),
            token.role.name().into(),
            token.project.into(),
            token.person.as_ref().map(|(id, _)| *id).into(),
            token.run.into(),
            token.worker.into(),
            Value::json(&token.created_by),
            token.created_at.into(),
            token.expires_at.into(),
        ];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// The token whose secret has this digest, ended or not: see [`Token::is_live`].
    pub async fn token_by_secret(&mut self, secret: &Digest) -> Result<Option<Token>, StoreError> {
        self.query_opt(&BY_SECRET, &[secret.into()]).await?.map(token).transpose()
    }

    /// The token with this id.
    pub async fn token(&mut self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(token).transpose()
    }

    /// The newest tokens.
    pub async fn tokens(&mut self, limit: u32) -> Result<Vec<Token>, StoreError> {
        self.query(&LIST, &[limit.into()]).await?.into_iter().map(token).collect()
    }

    /// Revokes a token. Whether it was good until now.
    pub async fn token_revoke(&mut self, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.exec(&REVOKE, &[id.into(), now.into()]).await? == 1)
    }

    /// Revokes the tokens that a run was given. How many.
    pub async fn tokens_revoke_of(&mut self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        self.exec(&REVOKE_OF_RUN, &[run.into(), now.into()]).await
    }

    /// Stores a session under the digest of its secret.
    pub async fn session_insert(
        &mut self,
        secret: &Digest,
        person: UserId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let params = [secret.into(), person.into(), now.into(), expires_at.into()];
        self.exec(&SESSION_INSERT, &params).await.map(drop)
    }

    /// Keeps the token that a session was begun with.
    pub async fn session_token_insert(&mut self, secret: &Digest, token: TokenId) -> Result<(), StoreError> {
        self.exec(&SESSION_TOKEN_INSERT, &[secret.into(), token.into()]).await.map(drop)
    }

    /// The token that a session was begun with; none where it was begun by a link.
    pub async fn session_token(&mut self, secret: &Digest) -> Result<Option<Token>, StoreError> {
        self.query_opt(&SESSION_TOKEN, &[secret.into()]).await?.map(token).transpose()
    }

    /// Who is signed in with this session.
    pub async fn session(&mut self, secret: &Digest, now: Timestamp) -> Result<Option<Person>, StoreError> {
        self.query_opt(&SESSION, &[secret.into(), now.into()]).await?.map(person).transpose()
    }

    /// Signs a session out.
    pub async fn session_delete(&mut self, secret: &Digest) -> Result<bool, StoreError> {
        Ok(self.exec(&SESSION_DELETE, &[secret.into()]).await? == 1)
    }

    /// Stores a sign-in link under the digest of its secret.
    pub async fn sign_in_link_insert(
        &mut self,
        secret: &Digest,
        person: UserId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let params = [secret.into(), person.into(), now.into(), expires_at.into()];
        self.exec(&LINK_INSERT, &params).await.map(drop)
    }

    /// Uses a sign-in link up. `None`: it never was, was used, or has ended.
    pub async fn sign_in_link_use(&mut self, secret: &Digest, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let Some(mut row) = self.query_opt(&LINK_USE, &[secret.into(), now.into()]).await? else { return Ok(None) };
        let id = UserId::from_uuid(row.uuid()?);
        self.person(id).await
    }

    /// Drops ended sessions and links.
    pub async fn sessions_sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let sessions = self.exec(&SESSIONS_SWEEP, &[now.into()]).await?;
        self.exec(&SESSION_TOKENS_SWEEP, &[]).await?;
        Ok(sessions + self.exec(&LINKS_SWEEP, &[now.into()]).await?)
    }
}

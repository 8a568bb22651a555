//! Idempotency keys: the row is stored in the transaction of the effect (K1, X27).

use std::time::Duration;

use model::{digest::Digest, limits, time::Timestamp};

use crate::{error::StoreError, sql::statements, tx::Tx, value::Value};

statements! {
    GET = "SELECT digest, status, answer, at FROM idempotency WHERE principal = $1 AND route = $2 AND key = $3";
    FORGET = "DELETE FROM idempotency WHERE principal = $1 AND route = $2 AND key = $3 AND at <= $4";
    TAKE = "INSERT INTO idempotency (principal, route, key, digest, status, answer, at)
        VALUES ($1, $2, $3, $4, NULL, NULL, $5) ON CONFLICT DO NOTHING";
    ANSWER = "UPDATE idempotency SET status = $4, answer = $5 WHERE principal = $1 AND route = $2 AND key = $3";
    SWEEP = "DELETE FROM idempotency WHERE at <= $1";
}

/// Whose key for what: a key is scoped to the caller and the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller.
    pub principal: String,
    /// The method and the path.
    pub route: String,
    /// The header's text.
    pub key: String,
}

/// An answer that was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, verbatim.
    pub body: String,
}

impl Tx {
    /// Takes a key for this transaction's effect. `Some`: the effect happened before, and this was
    /// its answer. The same key for another body is refused. After the effect, call
    /// [`Tx::idempotency_put`]; when the effect fails, the rollback frees the key.
    pub async fn idempotency_get(
        &mut self,
        key: &IdempotencyKey,
        body: &Digest,
        now: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let expired = now.shifted(-micros(limits::IDEMPOTENCY));
        let names: [Value<'_>; 3] = [key.principal.as_str().into(), key.route.as_str().into(), key.key.as_str().into()];
        let [principal, route, name] = names.clone();
        self.exec_later(&FORGET, vec![principal.clone(), route.clone(), name.clone(), expired.into()]).await?;
        if self.exec(&TAKE, &[principal, route, name, body.into(), now.into()]).await? == 1 {
            return Ok(None);
        }
        let mut row = self.query_one(&GET, &names).await?;
        if row.digest()? != *body {
            return Err(StoreError::KeyReused);
        }
        match (row.opt_int()?, row.opt_text()?) {
            (Some(status), body) => {
                Ok(Some(StoredAnswer { status: u16::try_from(status).unwrap_or(200), body: body.unwrap_or_default() }))
            }
            // Taken in this very transaction.
            (None, _) => Ok(None),
        }
    }

    /// Looks whether a key was answered, without taking it.
    pub async fn idempotency_look(
        &mut self,
        key: &IdempotencyKey,
        body: &Digest,
        now: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let names = [key.principal.as_str().into(), key.route.as_str().into(), key.key.as_str().into()];
        let Some(mut row) = self.query_opt(&GET, &names).await? else { return Ok(None) };
        let (digest, status, answer, at) = (row.digest()?, row.opt_int()?, row.opt_text()?, row.time()?);
        if now.since(at) >= limits::IDEMPOTENCY {
            return Ok(None);
        }
        if digest != *body {
            return Err(StoreError::KeyReused);
        }
        let stored =
            |status| StoredAnswer { status: u16::try_from(status).unwrap_or(200), body: answer.unwrap_or_default() };
        Ok(status.map(stored))
    }

    /// Stores the answer of a taken key.
    pub async fn idempotency_put(&mut self, key: &IdempotencyKey, answer: &StoredAnswer) -> Result<(), StoreError> {
        let params = vec![
            key.principal.as_str().into(),
            key.route.as_str().into(),
            key.key.as_str().into(),
            u32::from(answer.status).into(),
            answer.body.as_str().into(),
        ];
        self.exec_later(&ANSWER, params).await
    }

    /// Drops keys past their time.
    pub async fn idempotency_sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.exec(&SWEEP, &[now.shifted(-micros(limits::IDEMPOTENCY)).into()]).await
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

//! Requests that have their effect once, however often they are sent (K1, X27).

use model::{code::Code, digest::Digest, problem::Problem, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use store::{IdempotencyKey, StoredAnswer, Tx};

/// The name of a request that must have its effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Scoped to the caller and the route.
    pub key: IdempotencyKey,
    /// The digest of the request's body: the same key with another body is refused.
    pub body: Digest,
}

impl Once {
    fn read<T: DeserializeOwned>(stored: &StoredAnswer) -> Result<T, Problem> {
        serde_json::from_str(&stored.body)
            .map_err(|error| Problem::new(Code::Internal, format!("a stored answer is damaged: {error}")))
    }
}

/// What a request of this name was answered before, as far as can be seen without having an effect.
///
/// # Errors
/// 422 [`Code::KeyReused`] when it was another request.
pub(crate) async fn seen<T: DeserializeOwned>(
    tx: &mut Tx,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<Option<T>, Problem> {
    let Some(once) = once else { return Ok(None) };
    tx.idempotency_look(&once.key, &once.body, now).await?.as_ref().map(Once::read).transpose()
}

/// What a request of this name was answered before, in the transaction that would have its effect.
///
/// # Errors
/// 422 [`Code::KeyReused`] when it was another request.
pub(crate) async fn answered<T: DeserializeOwned>(
    tx: &mut Tx,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<Option<T>, Problem> {
    let Some(once) = once else { return Ok(None) };
    tx.idempotency_get(&once.key, &once.body, now).await?.as_ref().map(Once::read).transpose()
}

/// Keeps what a request of this name is answered, in the transaction that has its effect.
///
/// # Errors
/// Those of the store.
pub(crate) async fn answer<T: Serialize + Sync>(
    tx: &mut Tx,
    once: Option<&Once>,
    status: u16,
    answer: &T,
) -> Result<(), Problem> {
    let Some(once) = once else { return Ok(()) };
    let body = serde_json::to_string(answer).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok(tx.idempotency_put(&once.key, &StoredAnswer { status, body }).await?)
}

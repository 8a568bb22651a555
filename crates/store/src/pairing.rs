//! Invitations to workers: a code kept as its digest, good once (D50).

use model::{
    digest::Digest,
    id::{PairingId, ProjectId, UserId, WorkerId},
    time::Timestamp,
    worker::Sharing,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
    worker::listed,
};

statements! {
    INSERT = "INSERT INTO pairing (code, id, owner, name, labels, sharing, projects, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Only one of many who try at once finds it unused.
    USE = "UPDATE pairing SET used_by = $2 WHERE code = $1 AND used_by IS NULL AND expires_at > $3
        RETURNING id, owner, name, labels, sharing, projects, created_at, expires_at";
    SWEEP = "DELETE FROM pairing WHERE expires_at <= $1";
}

/// An invitation, without its code.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairing {
    /// Its id.
    pub id: PairingId,
    /// Whose the worker will be.
    pub owner: UserId,
    /// What it will be called, where the invitation says so.
    pub name: Option<String>,
    /// Labels it will have on the plane.
    pub labels: Vec<String>,
    /// Whom it will serve.
    pub sharing: Sharing,
    /// In which projects; none is all.
    pub projects: Option<Vec<ProjectId>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

fn pairing(mut row: Row) -> Result<Pairing, StoreError> {
    Ok(Pairing {
        id: PairingId::from_uuid(row.uuid()?),
        owner: UserId::from_uuid(row.uuid()?),
        name: row.opt_text()?,
        labels: row.json()?,
        sharing: row.named(Sharing::by_name)?,
        projects: row.opt_json()?,
        created_at: row.time()?,
        expires_at: row.time()?,
    })
}

impl Tx {
    /// Stores an invitation under the digest of its code.
    pub async fn pairing_insert(&mut self, code: &Digest, pairing: &Pairing) -> Result<(), StoreError> {
        let params = [
            code.into(),
            pairing.id.into(),
            pairing.owner.into(),
            pairing.name.as_deref().into(),
            Value::json(&pairing.labels),
            pairing.sharing.name().into(),
            listed(pairing.projects.as_ref()),
            pairing.created_at.into(),
            pairing.expires_at.into(),
        ];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// Uses an invitation up. `None`: it never was, was used, or has ended.
    pub async fn pairing_use(
        &mut self,
        code: &Digest,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<Option<Pairing>, StoreError> {
        self.query_opt(&USE, &[code.into(), worker.into(), now.into()]).await?.map(pairing).transpose()
    }

    /// Drops invitations that have ended. How many.
    pub async fn pairings_sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.exec(&SWEEP, &[now.into()]).await
    }
}

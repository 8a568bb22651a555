//! Workers: who claims, and when they were last heard of (X37).

use model::{id::WorkerId, time::Timestamp};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    PUT = "INSERT INTO worker (id, name, body, created_at, seen_at) VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body, seen_at = excluded.seen_at";
    SEEN => sqlite "UPDATE worker SET seen_at = $2 WHERE id IN (SELECT unhex(value) FROM json_each($1)) AND seen_at < $2",
        postgres "UPDATE worker SET seen_at = $2 WHERE id = ANY($1) AND seen_at < $2";
    BY_ID = "SELECT id, name, body, created_at, seen_at FROM worker WHERE id = $1";
    LIST = "SELECT id, name, body, created_at, seen_at FROM worker ORDER BY name, id";
    FORGET = "DELETE FROM worker WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM task_lease l WHERE l.worker = worker.id)";
}

/// A worker as last heard of.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// What it said of itself: labels, slots, version.
    pub body: Json,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

fn worker(mut row: Row) -> Result<Worker, StoreError> {
    Ok(Worker {
        id: WorkerId::from_uuid(row.uuid()?),
        name: row.text()?,
        body: row.json()?,
        created_at: row.time()?,
        seen_at: row.time()?,
    })
}

impl Tx {
    /// Writes down what a worker says of itself.
    pub async fn worker_put(
        &mut self,
        id: WorkerId,
        name: &str,
        body: &Json,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.exec(&PUT, &[id.into(), name.into(), Value::json(body), now.into()]).await.map(drop)
    }

    /// Writes down that these workers were heard of; the caller collects for a while first.
    pub async fn workers_seen(&mut self, ids: &[WorkerId], now: Timestamp) -> Result<u64, StoreError> {
        self.exec(&SEEN, &[Value::uuids(ids.iter().map(|id| id.uuid())), now.into()]).await
    }

    /// The worker with this id.
    pub async fn worker(&mut self, id: WorkerId) -> Result<Option<Worker>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(worker).transpose()
    }

    /// Every worker, by name.
    pub async fn workers(&mut self) -> Result<Vec<Worker>, StoreError> {
        self.query(&LIST, &[]).await?.into_iter().map(worker).collect()
    }

    /// Forgets a worker that holds nothing. Whether it was known.
    pub async fn worker_forget(&mut self, id: WorkerId) -> Result<bool, StoreError> {
        Ok(self.exec(&FORGET, &[id.into()]).await? == 1)
    }
}

//! Workers: who claims, whom they serve, and when they were last heard of (X37).

use std::collections::BTreeSet;

use model::{
    id::{PairingId, ProjectId, UserId, WorkerId},
    time::Timestamp,
    worker::{LLM, Reach, Said, Sharing},
};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "w.id, w.name, w.body, w.created_at, w.seen_at, w.owner, o.name, w.sharing, w.projects, w.labels, w.draining,
         w.revoked_at, w.revision, w.told, w.pairing"
    };
}

statements! {
    PUT = "INSERT INTO worker (id, name, body, created_at, seen_at, told, owner, sharing, projects, labels, pairing)
        VALUES ($1, $2, $3, $4, $5, 'offline', $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING";
    SAYS = "UPDATE worker SET body = $2 WHERE id = $1 AND body <> $2";
    SEEN => sqlite "UPDATE worker SET seen_at = $2 WHERE id IN (SELECT unhex(value) FROM json_each($1)) AND seen_at < $2",
        postgres "UPDATE worker SET seen_at = $2 WHERE id = ANY($1) AND seen_at < $2";
    BY_ID = concat!("SELECT ", columns!(), " FROM worker w LEFT JOIN person o ON o.id = w.owner WHERE w.id = $1");
    LIST = concat!("SELECT ", columns!(), " FROM worker w LEFT JOIN person o ON o.id = w.owner ORDER BY w.name, w.id");
    /// Whose work a worker may take, decided anew for each claim (D51).
    SEAT = "SELECT w.owner, w.sharing, w.projects, w.draining, w.revoked_at, p.role
        FROM worker w LEFT JOIN person p ON p.id = w.owner WHERE w.id = $1";
    SET = "UPDATE worker SET name = $3, sharing = $4, projects = $5, labels = $6, draining = $7, revision = revision + 1
        WHERE id = $1 AND revision = $2 AND revoked_at IS NULL";
    REVOKE = "UPDATE worker SET revoked_at = $2, revision = revision + 1 WHERE id = $1 AND revoked_at IS NULL";
    TOKENS = "UPDATE token SET revoked_at = $2 WHERE worker = $1 AND revoked_at IS NULL";
    TOLD = "UPDATE worker SET told = $3 WHERE id = $1 AND told = $2 AND revoked_at IS NULL";
    FORGET = "DELETE FROM worker WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM task_lease l WHERE l.worker = worker.id)";
}

/// A worker as last heard of.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub said: Said,
    /// When it was paired.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// Whose it is, with their name; none is the plane's own.
    pub owner: Option<(UserId, String)>,
    /// Whom it serves.
    pub sharing: Sharing,
    /// In which projects; none is all.
    pub projects: Option<Vec<ProjectId>>,
    /// Labels that a person gave it on the plane.
    pub labels: Vec<String>,
    /// Whether it claims nothing any more.
    pub draining: bool,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Rises with each change by a person.
    pub revision: u64,
    /// Which of online, late and offline the projects' streams were told last.
    pub told: String,
    /// The invitation by which it came.
    pub pairing: Option<PairingId>,
}

impl Worker {
    /// Whether it may serve a project at all.
    pub fn serves(&self, project: ProjectId) -> bool {
        self.projects.as_ref().is_none_or(|projects| projects.contains(&project))
    }

    /// Everything that a task's labels are matched with. Whatever a machine of somebody's own says or was given, it is
    /// no place for what speaks to models with the plane's keys (X63).
    pub fn offers(&self) -> BTreeSet<String> {
        let mut offered = self.said.offered(&self.name, &self.labels);
        if self.owner.is_some() {
            offered.remove(LLM);
        }
        offered
    }
}

fn worker(mut row: Row) -> Result<Worker, StoreError> {
    let id = WorkerId::from_uuid(row.uuid()?);
    let name = row.text()?;
    // What an older version wrote of its workers is no fault of this one.
    let said = serde_json::from_value(row.json::<Json>()?).unwrap_or_default();
    let (created_at, seen_at) = (row.time()?, row.time()?);
    let owner = row.opt_uuid()?.map(UserId::from_uuid);
    let owner_name = row.opt_text()?;
    Ok(Worker {
        id,
        name,
        said,
        created_at,
        seen_at,
        owner: owner.map(|owner| (owner, owner_name.unwrap_or_default())),
        sharing: row.named(Sharing::by_name)?,
        projects: row.opt_json()?,
        labels: row.json()?,
        draining: row.flag()?,
        revoked_at: row.opt_time()?,
        revision: row.u64()?,
        told: row.text()?,
        pairing: row.opt_uuid()?.map(PairingId::from_uuid),
    })
}

pub(crate) fn listed(projects: Option<&Vec<ProjectId>>) -> Value<'static> {
    projects.map_or(Value::Null, Value::json)
}

impl Tx {
    /// Stores a worker, unless it is known.
    pub async fn worker_put(&mut self, worker: &Worker) -> Result<(), StoreError> {
        let params = [
            worker.id.into(),
            worker.name.as_str().into(),
            Value::json(&worker.said),
            worker.created_at.into(),
            worker.seen_at.into(),
            worker.owner.as_ref().map(|(id, _)| *id).into(),
            worker.sharing.name().into(),
            listed(worker.projects.as_ref()),
            Value::json(&worker.labels),
            worker.pairing.into(),
        ];
        self.exec(&PUT, &params).await.map(drop)
    }

    /// Writes down what a worker says of itself. Whether that is new.
    pub async fn worker_says(&mut self, id: WorkerId, said: &Said) -> Result<bool, StoreError> {
        Ok(self.exec(&SAYS, &[id.into(), Value::json(said)]).await? == 1)
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

    /// Whose work a worker may take now. One without a row is the plane's own (D51).
    pub async fn worker_reach(&mut self, id: WorkerId) -> Result<Reach, StoreError> {
        let Some(mut row) = self.query_opt(&SEAT, &[id.into()]).await? else { return Ok(Reach::Everything) };
        let owner = row.opt_uuid()?.map(UserId::from_uuid);
        let sharing = row.named(Sharing::by_name)?;
        let projects: Option<Vec<ProjectId>> = row.opt_json()?;
        let (draining, revoked, role) = (row.flag()?, row.opt_time()?, row.opt_text()?);
        if draining || revoked.is_some() {
            return Ok(Reach::Nothing);
        }
        // A viewer's worker, or one whose owner is gone, does no work.
        let may_work = owner.is_none() || matches!(role.as_deref(), Some("member" | "admin"));
        Ok(match (may_work, owner, sharing, projects) {
            (false, ..) => Reach::Nothing,
            (true, Some(owner), Sharing::Personal, projects) => Reach::Some { starter: Some(owner), projects },
            (true, _, _, Some(projects)) => Reach::Some { starter: None, projects: Some(projects) },
            (true, _, _, None) => Reach::Everything,
        })
    }

    /// Writes down what a person decided about a worker that still has the revision that was read.
    /// Whether it did.
    pub async fn worker_set(&mut self, worker: &Worker) -> Result<bool, StoreError> {
        let params = [
            worker.id.into(),
            worker.revision.into(),
            worker.name.as_str().into(),
            worker.sharing.name().into(),
            listed(worker.projects.as_ref()),
            Value::json(&worker.labels),
            worker.draining.into(),
        ];
        Ok(self.exec(&SET, &params).await? == 1)
    }

    /// Revokes a worker and its tokens. Whether it was good until now.
    pub async fn worker_revoke(&mut self, id: WorkerId, now: Timestamp) -> Result<bool, StoreError> {
        self.exec(&TOKENS, &[id.into(), now.into()]).await?;
        Ok(self.exec(&REVOKE, &[id.into(), now.into()]).await? == 1)
    }

    /// Writes down what the projects' streams are told of a worker's contact. Whether nobody did before.
    pub async fn worker_told(&mut self, id: WorkerId, from: &str, to: &str) -> Result<bool, StoreError> {
        Ok(self.exec(&TOLD, &[id.into(), from.into(), to.into()]).await? == 1)
    }

    /// Forgets a worker that holds nothing. Whether it was known.
    pub async fn worker_forget(&mut self, id: WorkerId) -> Result<bool, StoreError> {
        Ok(self.exec(&FORGET, &[id.into()]).await? == 1)
    }
}

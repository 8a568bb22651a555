//! Retention: bounded by count and age per project (X38, P53).
//!
//! An ended run loses everything but its own row, which stays as its line in the history. Never an
//! active run, and never one that kept evidence rests on. A blob goes when no run wants it any more.

use std::time::Duration;

use model::{
    id::{ProjectId, RunId},
    journal::StreamId,
    time::Timestamp,
};

use crate::{
    blob::{Blobs, GRACE},
    error::StoreError,
    journal::key,
    sql::statements,
    store::Store,
    tx::Tx,
    value::Value,
};

/// Runs that one call drops.
const RUNS: u32 = 50;
/// Blobs that one step sweeps.
const BLOBS: u32 = 500;

statements! {
    /// Ended runs past the count or the age, oldest first, that no kept evidence rests on: neither the
    /// newest settling evidence of an obligation, nor the newest on one of the given trees.
    CANDIDATES => sqlite "SELECT r.id FROM run r
        WHERE r.project = $1 AND r.dropped = 0 AND r.finished_at IS NOT NULL AND (r.finished_at <= $2 OR r.id <= (
            SELECT id FROM run WHERE project = $1 AND dropped = 0 AND finished_at IS NOT NULL
             ORDER BY id DESC LIMIT 1 OFFSET $3))
        AND NOT EXISTS (SELECT 1 FROM evidence e JOIN settling s
             ON s.project = e.project AND s.requirement = e.requirement AND s.gate = e.gate AND s.seq = e.seq
             WHERE e.run = r.id)
        AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.run = r.id AND e.counts <> 0
             AND e.tree IN (SELECT value FROM json_each($4)) AND NOT EXISTS (
               SELECT 1 FROM evidence n WHERE n.project = e.project AND n.tree = e.tree AND n.requirement = e.requirement
                  AND n.gate = e.gate AND n.counts <> 0 AND n.seq > e.seq))
        ORDER BY r.id LIMIT $5",
        postgres "SELECT r.id FROM run r
        WHERE r.project = $1 AND r.dropped = 0 AND r.finished_at IS NOT NULL AND (r.finished_at <= $2 OR r.id <= (
            SELECT id FROM run WHERE project = $1 AND dropped = 0 AND finished_at IS NOT NULL
             ORDER BY id DESC LIMIT 1 OFFSET $3))
        AND NOT EXISTS (SELECT 1 FROM evidence e JOIN settling s
             ON s.project = e.project AND s.requirement = e.requirement AND s.gate = e.gate AND s.seq = e.seq
             WHERE e.run = r.id)
        AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.run = r.id AND e.counts <> 0
             AND e.tree = ANY($4) AND NOT EXISTS (
               SELECT 1 FROM evidence n WHERE n.project = e.project AND n.tree = e.tree AND n.requirement = e.requirement
                  AND n.gate = e.gate AND n.counts <> 0 AND n.seq > e.seq))
        ORDER BY r.id LIMIT $5";
    MARK = "UPDATE run SET dropped = 1, config = '{}', revision = revision + 1
        WHERE id = $1 AND dropped = 0 AND finished_at IS NOT NULL";
    IS_DROPPED = "SELECT dropped FROM run WHERE id = $1";
    NEEDS = "DELETE FROM task_need WHERE task IN (SELECT id FROM task WHERE run = $1)";
    OUTBOXES = "DELETE FROM outbox_seen WHERE task IN (SELECT id FROM task WHERE run = $1)";
    HELD = "DELETE FROM task_held WHERE task IN (SELECT id FROM task WHERE run = $1)";
    TASKS = "DELETE FROM task WHERE run = $1";
    QUESTIONS = "DELETE FROM question WHERE run = $1";
    EVIDENCE_BODIES = "DELETE FROM evidence_body WHERE id IN (SELECT id FROM evidence WHERE run = $1)";
    EVIDENCE = "DELETE FROM evidence WHERE run = $1";
    COMMANDS = "DELETE FROM command WHERE run = $1";
    ARTIFACTS = "UPDATE artifact SET dropped = 1 WHERE run = $1";
    TOKENS = "DELETE FROM token WHERE run = $1";
    UNUSED = "UPDATE blob SET unused_since = $2 WHERE unused_since IS NULL
        AND digest IN (SELECT digest FROM blob_use WHERE run = $1)
        AND NOT EXISTS (SELECT 1 FROM blob_use o WHERE o.digest = blob.digest AND o.run <> $1)";
    USES = "DELETE FROM blob_use WHERE run = $1";
    ENTRIES = "DELETE FROM entry WHERE stream = $1 AND seq < $2";
    FLOOR = "UPDATE stream SET floor = $2, floor_chain = $3 WHERE number = $1";
    CUT = "SELECT e.seq, e.chain FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.seq < $3 AND e.chain IS NOT NULL ORDER BY e.seq DESC LIMIT 1";
    OLDER = "SELECT coalesce(max(e.seq), 0) FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.at < $3";
    SWEPT = "SELECT digest FROM blob WHERE unused_since IS NOT NULL AND unused_since <= $1 ORDER BY digest LIMIT $2";
    FORGET = "DELETE FROM blob WHERE digest = $1 AND unused_since IS NOT NULL AND unused_since <= $2
        AND NOT EXISTS (SELECT 1 FROM blob_use u WHERE u.digest = blob.digest)";
    WANTED = "SELECT 1 FROM blob WHERE digest = $1 UNION ALL SELECT 1 FROM blob_use WHERE digest = $1";
}

/// What to keep of a project.
#[derive(Debug, Clone)]
pub struct Retention {
    /// The project.
    pub project: ProjectId,
    /// Ended runs that are kept.
    pub keep_runs: u32,
    /// Days that ended runs are kept.
    pub keep_days: u32,
    /// Trees whose newest evidence is kept: the current one and the heads of open pull requests.
    pub trees: Vec<String>,
}

impl Store {
    /// Drops what is past its time; says which runs. At most a bounded number a call: call again
    /// while it drops any.
    pub async fn retain(&self, keep: &Retention, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let keep = keep.clone();
        let found = {
            let keep = keep.clone();
            self.read(move |tx| {
                let keep = keep.clone();
                Box::pin(async move { tx.droppable(&keep, now).await })
            })
            .await?
        };
        let mut dropped = Vec::new();
        for run in found {
            // Each in its own transaction, so that no writer waits for long.
            if self.write(move |tx| Box::pin(async move { tx.run_drop(run, now).await })).await? {
                dropped.push(run);
            }
        }
        Ok(dropped)
    }

    /// Removes blobs that nobody has wanted for the grace time. How many.
    pub async fn sweep_blobs(&self, blobs: &Blobs, now: Timestamp) -> Result<u64, StoreError> {
        let before = now.shifted(-i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX));
        let mut swept = 0;
        loop {
            let due = self.read(move |tx| Box::pin(async move { tx.blobs_unused(before).await })).await?;
            if due.is_empty() {
                break;
            }
            let mut progress = false;
            for digest in due {
                let gone = self
                    .write(move |tx| {
                        Box::pin(async move {
                            Ok::<_, StoreError>(tx.exec(&FORGET, &[(&digest).into(), before.into()]).await? == 1)
                        })
                    })
                    .await?;
                if gone {
                    blobs.remove(&digest)?;
                    (swept, progress) = (swept + 1, true);
                }
            }
            if !progress {
                break;
            }
        }
        Ok(swept)
    }

    /// Removes files that no row knows, older than the grace time: of puts whose transaction never
    /// came. How many.
    pub async fn sweep_strays(&self, blobs: &Blobs) -> Result<u64, StoreError> {
        let folder = blobs.clone();
        let listed = tokio::task::spawn_blocking(move || {
            folder.sweep_unfinished()?;
            folder.list()
        });
        let listed = listed.await.map_err(|error| StoreError::Internal(error.to_string()))??;
        let mut swept = 0;
        for (digest, age) in listed {
            if age <= GRACE {
                continue;
            }
            let wanted = self.read(move |tx| {
                Box::pin(
                    async move { Ok::<_, StoreError>(tx.query_opt(&WANTED, &[(&digest).into()]).await?.is_some()) },
                )
            });
            if !wanted.await? {
                blobs.remove(&digest)?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl Tx {
    async fn droppable(&mut self, keep: &Retention, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let age = Duration::from_secs(u64::from(keep.keep_days) * 86_400);
        let before = now.shifted(-i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let params = [
            keep.project.into(),
            before.into(),
            keep.keep_runs.into(),
            Value::texts(keep.trees.iter().map(String::as_str)),
            RUNS.into(),
        ];
        self.query(&CANDIDATES, &params).await?.into_iter().map(|mut row| row.uuid().map(RunId::from_uuid)).collect()
    }

    /// Drops an ended run down to its line in the history. `false`: it is active, or dropped already.
    pub async fn run_drop(&mut self, run: RunId, now: Timestamp) -> Result<bool, StoreError> {
        self.run_hold(run).await?;
        if self.exec(&MARK, &[run.into()]).await? != 1 {
            return Ok(false);
        }
        let lists = [&NEEDS, &OUTBOXES, &HELD, &TASKS, &QUESTIONS, &EVIDENCE_BODIES, &EVIDENCE];
        for text in lists.into_iter().chain([&COMMANDS, &ARTIFACTS, &TOKENS]) {
            self.exec(text, &[run.into()]).await?;
        }
        self.exec(&UNUSED, &[run.into(), now.into()]).await?;
        self.exec(&USES, &[run.into()]).await?;
        let stream = StreamId::Run(run);
        if let Some(head) = self.stream_head(stream).await? {
            self.cut(head.number, head.seq + 1, head.chain.into()).await?;
        }
        Ok(true)
    }

    /// Whether retention has dropped a run: what hung on it is gone (410), its row is its history line.
    pub async fn run_is_dropped(&mut self, run: RunId) -> Result<bool, StoreError> {
        match self.query_opt(&IS_DROPPED, &[run.into()]).await? {
            Some(mut row) => row.flag(),
            None => Ok(false),
        }
    }

    /// Drops a stream's entries from before a time, at an append's end, so that the rest still
    /// verifies. The new first number.
    pub async fn journal_trim(&mut self, stream: StreamId, before: Timestamp) -> Result<u64, StoreError> {
        let (kind, owner) = key(stream);
        let params = [kind.into(), Value::Uuid(owner), before.into()];
        let last = self.query_one(&OLDER, &params).await?.u64()?;
        let params = [kind.into(), Value::Uuid(owner), (last + 1).into()];
        let cut = self.query_opt(&CUT, &params).await?;
        let (Some(mut cut), Some(head)) = (cut, self.stream_head(stream).await?) else {
            return self.floor(stream).await;
        };
        let (seq, chain) = (cut.u64()?, cut.digest()?);
        self.cut(head.number, seq + 1, chain.into()).await?;
        Ok(seq + 1)
    }

    async fn cut(&mut self, number: i64, floor: u64, chain: Value<'_>) -> Result<(), StoreError> {
        self.exec(&ENTRIES, &[number.into(), floor.into()]).await?;
        self.exec(&FLOOR, &[number.into(), floor.into(), chain]).await.map(drop)
    }

    async fn blobs_unused(&mut self, before: Timestamp) -> Result<Vec<model::digest::Digest>, StoreError> {
        let rows = self.query(&SWEPT, &[before.into(), BLOBS.into()]).await?;
        rows.into_iter().map(|mut row| row.digest()).collect()
    }
}

//! Verification: chains, seals, blobs and pages, and the first thing wrong with each (K3, F11).

use std::collections::HashMap;

use model::{
    digest::Digest,
    id::{EvidenceId, ProjectId, RunId},
    journal::{Entry, StreamId, chain},
    proof::evidence::{BlobState, Damage as EvidenceDamage, Intact},
};
use serde::Serialize;

use crate::{
    blob::Blobs,
    error::StoreError,
    evidence::{EvidenceBody, KeptEvidence},
    journal::{StreamHead, entry, key},
    sql::statements,
    sqlite::wal,
    store::{Backend, Store},
    tx::{Driver, Tx},
    value::Value,
};

/// Entries read at once.
const PAGE: u32 = 1_000;

statements! {
    ENTRIES = "SELECT e.seq, e.at, e.kind, e.level, e.span, e.parent, e.edge, e.data, e.chain
        FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4";
    STREAMS = "SELECT kind, owner, number FROM stream WHERE number > $1 ORDER BY number LIMIT $2";
    STREAMS_OF = "SELECT s.kind, s.owner, s.number FROM stream s LEFT JOIN run r ON r.id = s.owner
        WHERE (s.owner = $1 OR r.project = $1) AND s.number > $2 ORDER BY s.number LIMIT $3";
    BLOBS_ALL = "SELECT DISTINCT digest FROM blob_use WHERE digest > $1 ORDER BY digest LIMIT $2";
    BLOBS_OF = "SELECT DISTINCT u.digest FROM blob_use u JOIN run r ON r.id = u.run
        WHERE r.project = $1 AND u.digest > $2 ORDER BY u.digest LIMIT $3";
}

/// One thing that is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Damage {
    /// A stream's entries do not fit its chain.
    Stream {
        /// The stream.
        stream: String,
        /// The first append that does not fit ends at this number, or the first that is missing.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// Evidence does not match its seal, its journal or its blobs.
    Evidence {
        /// The evidence.
        evidence: String,
        /// The run it was recorded in.
        run: String,
        /// What is wrong.
        what: String,
    },
    /// A blob is missing or has other bytes.
    Blob {
        /// The blob.
        blob: Digest,
        /// What is wrong.
        what: String,
    },
    /// The database's own pages do not hold together.
    Pages {
        /// What the database says.
        what: String,
    },
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Streams.
    pub streams: u64,
    /// Entries.
    pub entries: u64,
    /// Pieces of evidence.
    pub evidence: u64,
    /// Blobs.
    pub blobs: u64,
    /// What is wrong; empty is sound.
    pub damage: Vec<Damage>,
}

/// What one stream's chain says, of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Where the stream stands, as it says itself.
    pub head: StreamHead,
    /// The entries that were read, from the first one that retention has left.
    pub entries: u64,
    /// The first thing that does not fit; behind it nothing can be said.
    pub damage: Option<Damage>,
}

impl Store {
    /// Checks one stream as [`Self::verify_stream`] does, and says where it stands.
    pub async fn check_chain(&self, stream: StreamId) -> Result<Chain, StoreError> {
        let checked = self.read(move |tx| {
            Box::pin(async move {
                let head = tx.head(stream).await?;
                let (entries, damage) = tx.stream_check(stream).await?;
                Ok(Chain { head, entries, damage })
            })
        });
        match checked.await {
            Err(StoreError::DatabaseDamaged(what)) => Ok(Chain {
                head: StreamHead { seq: 0, floor: 1, chain: None, closed: false },
                entries: 0,
                damage: Some(Damage::Stream { stream: stream.to_string(), seq: 0, what }),
            }),
            other => other,
        }
    }

    /// Checks one stream: its numbers, its chain, its end.
    pub async fn verify_stream(&self, stream: StreamId) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        self.check_stream(stream, &mut verified).await?;
        Ok(verified)
    }

    /// Checks everything of a project: streams, evidence, blobs.
    pub async fn verify_project(&self, project: ProjectId, blobs: &Blobs) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        self.check_streams(Some(project), &mut verified).await?;
        self.check_evidence(project, blobs, &mut verified).await?;
        self.check_blobs(Some(project), blobs, &mut verified).await?;
        Ok(verified)
    }

    /// Checks everything there is, the database's pages included.
    pub async fn verify_all(&self, blobs: &Blobs) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        verified.damage.extend(self.check_pages().await?.into_iter().map(|what| Damage::Pages { what }));
        self.check_streams(None, &mut verified).await?;
        let projects = self.read(|tx| Box::pin(async move { tx.projects().await })).await;
        for project in noted(projects, &mut verified)?.unwrap_or_default() {
            self.check_evidence(project.id, blobs, &mut verified).await?;
        }
        self.check_blobs(None, blobs, &mut verified).await?;
        Ok(verified)
    }

    /// What SQLite says about its pages; PostgreSQL checks its own with `pg_amcheck`.
    pub async fn check_pages(&self) -> Result<Vec<String>, StoreError> {
        let Backend::Sqlite(sqlite) = self.backend() else { return Ok(Vec::new()) };
        let said = self.read(|tx| Box::pin(async move { tx.quick_check() })).await;
        let mut said = match said {
            Err(StoreError::DatabaseDamaged(what)) => vec![what],
            other => other?,
        };
        // What is not in the file yet stands in the log, where a changed frame hides what follows it.
        let path = sqlite.path.clone();
        let log = tokio::task::spawn_blocking(move || wal::check(&path));
        match log.await.map_err(|error| StoreError::Internal(error.to_string()))? {
            Ok(damage) => said.extend(damage.map(|damage| damage.to_string())),
            Err(error) => said.push(format!("the write-ahead log cannot be read: {error}")),
        }
        Ok(said)
    }

    async fn check_streams(&self, project: Option<ProjectId>, verified: &mut Verified) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = self.read(move |tx| Box::pin(async move { tx.stream_page(project, after).await })).await;
            let Some(page) = noted(page, verified)? else { return Ok(()) };
            let Some((_, last)) = page.last() else { return Ok(()) };
            after = *last;
            for (stream, _) in page {
                self.check_stream(stream, verified).await?;
            }
        }
    }

    async fn check_stream(&self, stream: StreamId, verified: &mut Verified) -> Result<(), StoreError> {
        verified.streams += 1;
        // One snapshot for the whole stream: appends go on meanwhile.
        let checked = self.read(move |tx| Box::pin(async move { tx.stream_check(stream).await })).await;
        match checked {
            Ok((entries, wrong)) => {
                verified.entries += entries;
                verified.damage.extend(wrong);
            }
            Err(StoreError::DatabaseDamaged(what)) => {
                verified.damage.push(Damage::Stream { stream: stream.to_string(), seq: 0, what });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn check_evidence(
        &self,
        project: ProjectId,
        blobs: &Blobs,
        verified: &mut Verified,
    ) -> Result<(), StoreError> {
        let mut after = 0;
        let mut seals: HashMap<RunId, HashMap<EvidenceId, Digest>> = HashMap::new();
        loop {
            let page =
                self.read(move |tx| Box::pin(async move { tx.evidence_bodies(project, after, 200).await })).await;
            let Some(page) = noted(page, verified)? else { return Ok(()) };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.facts.seq;
            for kept in page {
                verified.evidence += 1;
                let run = kept.facts.run;
                if !seals.contains_key(&run) {
                    let found = self.read(move |tx| Box::pin(async move { tx.journaled_seals(run).await })).await;
                    // Evidence comes in the order of runs, mostly: a few at a time are enough.
                    if seals.len() > 16 {
                        seals.clear();
                    }
                    seals.insert(run, noted(found, verified)?.unwrap_or_default());
                }
                let journaled = seals.get(&run).and_then(|seals| seals.get(&kept.facts.id)).copied();
                let blobs = blobs.clone();
                let (id, run) = (kept.facts.id.to_string(), run.to_string());
                let wrong = tokio::task::spawn_blocking(move || evidence_damage(&kept, journaled, &blobs));
                if let Some(what) = wrong.await.map_err(|error| StoreError::Internal(error.to_string()))? {
                    verified.damage.push(Damage::Evidence { evidence: id, run, what });
                }
            }
        }
    }

    async fn check_blobs(
        &self,
        project: Option<ProjectId>,
        blobs: &Blobs,
        verified: &mut Verified,
    ) -> Result<(), StoreError> {
        let mut after = Vec::new();
        loop {
            let from = after.clone();
            let page = self.read(move |tx| {
                let from = from.clone();
                Box::pin(async move { tx.blob_page(project, &from).await })
            });
            let Some(page) = noted(page.await, verified)? else { return Ok(()) };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.bytes().to_vec();
            verified.blobs += page.len() as u64;
            let folder = blobs.clone();
            let checked = tokio::task::spawn_blocking(move || {
                page.into_iter().map(|digest| (digest, folder.verify(&digest))).collect::<Vec<_>>()
            });
            for (blob, state) in checked.await.map_err(|error| StoreError::Internal(error.to_string()))? {
                let what = match state {
                    BlobState::Sound => continue,
                    BlobState::Missing => "it is missing or cannot be read",
                    BlobState::Altered => "its bytes are not those of its digest",
                };
                verified.damage.push(Damage::Blob { blob, what: what.to_owned() });
            }
        }
    }
}

/// Damage that a read met is a finding, not a failure of the check.
fn noted<T>(result: Result<T, StoreError>, verified: &mut Verified) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::DatabaseDamaged(what)) => {
            verified.damage.push(Damage::Pages { what });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn evidence_damage(kept: &KeptEvidence, journaled: Option<Digest>, blobs: &Blobs) -> Option<String> {
    let evidence = match &kept.body {
        EvidenceBody::Expired => return None,
        EvidenceBody::Damaged => return Some("its text cannot be read, or its row says something else".to_owned()),
        EvidenceBody::Kept(evidence) => evidence,
    };
    match evidence.intact(journaled, |blob| blobs.verify(&blob)) {
        Intact::Sound => None,
        Intact::Damaged(damage) => Some(match damage {
            EvidenceDamage::Row => "it does not match its seal".to_owned(),
            EvidenceDamage::Journal => "the journal holds another seal, or none".to_owned(),
            EvidenceDamage::BlobMissing { blob } => format!("its blob {blob} is missing"),
            EvidenceDamage::BlobAltered { blob } => format!("its blob {blob} has other bytes"),
        }),
    }
}

impl Tx {
    fn quick_check(&mut self) -> Result<Vec<String>, StoreError> {
        let Driver::Sqlite(tx) = &mut self.driver else { return Ok(Vec::new()) };
        let rows = tx.query("PRAGMA quick_check(20)", &[])?;
        let said: Vec<String> = rows.into_iter().map(|mut row| row.text()).collect::<Result<_, _>>()?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    async fn stream_page(
        &mut self,
        project: Option<ProjectId>,
        after: i64,
    ) -> Result<Vec<(StreamId, i64)>, StoreError> {
        let rows = match project {
            Some(project) => self.query(&STREAMS_OF, &[project.into(), after.into(), 200_i64.into()]).await?,
            None => self.query(&STREAMS, &[after.into(), 200_i64.into()]).await?,
        };
        let stream = |mut row: crate::value::Row| {
            let (kind, owner, number) = (row.int()?, row.uuid()?, row.int()?);
            let stream = match kind {
                0 => StreamId::Run(RunId::from_uuid(owner)),
                1 => StreamId::Project(ProjectId::from_uuid(owner)),
                2 => StreamId::Audit(ProjectId::from_uuid(owner)),
                _ => return Err(StoreError::DatabaseDamaged(format!("stream {number} has kind {kind}"))),
            };
            Ok((stream, number))
        };
        rows.into_iter().map(stream).collect()
    }

    async fn blob_page(&mut self, project: Option<ProjectId>, after: &[u8]) -> Result<Vec<Digest>, StoreError> {
        let rows = match project {
            Some(project) => self.query(&BLOBS_OF, &[project.into(), after.into(), 200_i64.into()]).await?,
            None => self.query(&BLOBS_ALL, &[after.into(), 200_i64.into()]).await?,
        };
        rows.into_iter().map(|mut row| row.digest()).collect()
    }

    /// Reads a stream from its floor to its head. How many entries fit, and the first thing that does
    /// not: behind it nothing can be said.
    pub(crate) async fn stream_check(&mut self, stream: StreamId) -> Result<(u64, Option<Damage>), StoreError> {
        let Some(head) = self.stream_head(stream).await? else { return Ok((0, None)) };
        let wrong = |seq: u64, what: &str| Damage::Stream { stream: stream.to_string(), seq, what: what.to_owned() };
        let (kind, owner) = key(stream);
        let mut link = head.floor_chain;
        let mut next = head.floor;
        let mut batch: Vec<String> = Vec::new();
        loop {
            let params = [kind.into(), Value::Uuid(owner), (next - 1).into(), PAGE.into()];
            let rows = self.query(&ENTRIES, &params).await?;
            if rows.is_empty() {
                break;
            }
            for mut row in rows {
                let found: Entry = match entry(stream, &mut row) {
                    Ok(found) => found,
                    Err(error) => return Ok((next - head.floor, Some(wrong(next, &error.to_string())))),
                };
                if found.seq != next {
                    return Ok((next - head.floor, Some(wrong(next, "the entry is missing"))));
                }
                batch.push(found.render());
                next += 1;
                let stored = match row.opt_digest() {
                    Ok(stored) => stored,
                    Err(error) => return Ok((next - head.floor, Some(wrong(found.seq, &error.to_string())))),
                };
                if let Some(stored) = stored {
                    let computed = chain(link.as_ref(), batch.iter().map(String::as_str));
                    if computed != stored {
                        let what = format!("one of the last {} entries was changed", batch.len());
                        return Ok((next - head.floor, Some(wrong(found.seq, &what))));
                    }
                    link = Some(stored);
                    batch.clear();
                }
            }
        }
        let entries = next - head.floor;
        let last = next - 1;
        if last != head.seq {
            return Ok((entries, Some(wrong(next, "entries at the end are missing, or stand there unnumbered"))));
        }
        if !batch.is_empty() || link != head.chain {
            return Ok((entries, Some(wrong(last, "the head of the chain was changed"))));
        }
        Ok((entries, None))
    }
}

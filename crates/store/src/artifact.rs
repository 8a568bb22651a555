//! Artifacts: files and texts of a run by name; and which blobs are kept for whom.

use model::{
    digest::Digest,
    id::{ArtifactId, RunId, TaskId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    INSERT = "INSERT INTO artifact (id, run, task, name, digest, bytes, media_type, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    BY_ID = "SELECT id, run, task, name, digest, bytes, media_type, created_at, dropped FROM artifact WHERE id = $1";
    LIST = "SELECT id, run, task, name, digest, bytes, media_type, created_at, dropped FROM artifact WHERE run = $1
        ORDER BY id";
    SIZE = "SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM artifact WHERE run = $1";
    BYTES = "SELECT CAST(coalesce(sum(b.bytes), 0) AS bigint) FROM blob_use u JOIN blob b ON b.digest = u.digest
        WHERE u.run = $1";
    /// A blob that is stored again while it waits to be swept is wanted again.
    BLOB = "INSERT INTO blob (digest, bytes, created_at, unused_since) VALUES ($1, $2, $3, NULL)
        ON CONFLICT (digest) DO UPDATE SET unused_since = NULL";
    USE = "INSERT INTO blob_use (digest, run) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    WANTED = "UPDATE blob SET unused_since = NULL WHERE digest = $1 AND unused_since IS NOT NULL";
    KNOWN = "SELECT bytes FROM blob WHERE digest = $1";
    USED_BY = "SELECT 1 FROM blob_use WHERE digest = $1 AND run = $2";
}

/// A file or text of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The run.
    pub run: RunId,
    /// The task that made it.
    pub task: Option<TaskId>,
    /// What it is called.
    pub name: String,
    /// Its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub media_type: String,
    /// When it was kept.
    pub created_at: Timestamp,
    /// Retention has dropped its content.
    pub expired: bool,
}

fn artifact(mut row: Row) -> Result<Artifact, StoreError> {
    Ok(Artifact {
        id: ArtifactId::from_uuid(row.uuid()?),
        run: RunId::from_uuid(row.uuid()?),
        task: row.opt_uuid()?.map(TaskId::from_uuid),
        name: row.text()?,
        digest: row.digest()?,
        bytes: row.u64()?,
        media_type: row.text()?,
        created_at: row.time()?,
        expired: row.flag()?,
    })
}

impl Tx {
    /// Keeps an artifact whose blob is durable already.
    pub async fn artifact_insert(&mut self, artifact: &Artifact) -> Result<(), StoreError> {
        self.blob_insert(&artifact.digest, artifact.bytes, artifact.created_at).await?;
        self.blob_use(&artifact.digest, artifact.run).await?;
        let params = [
            artifact.id.into(),
            artifact.run.into(),
            artifact.task.into(),
            artifact.name.as_str().into(),
            (&artifact.digest).into(),
            artifact.bytes.into(),
            artifact.media_type.as_str().into(),
            artifact.created_at.into(),
        ];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// The artifact with this id.
    pub async fn artifact(&mut self, id: ArtifactId) -> Result<Option<Artifact>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(artifact).transpose()
    }

    /// A run's artifacts, oldest first.
    pub async fn artifacts(&mut self, run: RunId) -> Result<Vec<Artifact>, StoreError> {
        self.query(&LIST, &[run.into()]).await?.into_iter().map(artifact).collect()
    }

    /// The bytes of all artifacts of a run.
    pub async fn artifact_bytes(&mut self, run: RunId) -> Result<u64, StoreError> {
        self.query_one(&SIZE, &[run.into()]).await?.u64()
    }

    /// Bytes of all that is kept for a run: artifacts, outputs, results.
    pub async fn run_bytes(&mut self, run: RunId) -> Result<u64, StoreError> {
        self.query_one(&BYTES, &[run.into()]).await?.u64()
    }

    /// Writes down a blob that is durable in the blob folder.
    pub async fn blob_insert(&mut self, digest: &Digest, bytes: u64, now: Timestamp) -> Result<(), StoreError> {
        self.exec(&BLOB, &[digest.into(), bytes.into(), now.into()]).await.map(drop)
    }

    /// Keeps a blob for a run.
    pub async fn blob_use(&mut self, digest: &Digest, run: RunId) -> Result<(), StoreError> {
        if self.exec(&USE, &[digest.into(), run.into()]).await? == 1 {
            self.exec(&WANTED, &[digest.into()]).await?;
        }
        Ok(())
    }

    /// The size of a known blob.
    pub async fn blob(&mut self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        self.query_opt(&KNOWN, &[digest.into()]).await?.map(|mut row| row.u64()).transpose()
    }

    /// Whether a run rests on a blob: who may read the run may read it.
    pub async fn blob_is_of(&mut self, digest: &Digest, run: RunId) -> Result<bool, StoreError> {
        Ok(self.query_opt(&USED_BY, &[digest.into(), Value::from(run)]).await?.is_some())
    }
}

//! Project documents (policy, proof settings, ...): replaced as a whole, every version kept (X34).

use model::{actor::Actor, digest::Digest, id::ProjectId, time::Timestamp};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "name, revision, digest, body, changed_by, changed_at"
    };
}

statements! {
    NEWEST = concat!("SELECT ", columns!(), " FROM document WHERE project = $1 AND name = $2
        ORDER BY revision DESC LIMIT 1");
    AT = concat!("SELECT ", columns!(), " FROM document WHERE project = $1 AND name = $2 AND revision = $3");
    HISTORY = concat!("SELECT ", columns!(), " FROM document WHERE project = $1 AND name = $2
        ORDER BY revision DESC LIMIT $3");
    PUT = "INSERT INTO document (project, name, revision, digest, body, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    SETTING = "SELECT value FROM meta WHERE name = $1";
    SET = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its name, such as `policy`.
    pub name: String,
    /// Rises by one with each version, from 1.
    pub revision: u64,
    /// SHA-256 of the body's text.
    pub digest: Digest,
    /// The body.
    pub body: Json,
    /// Who wrote this version.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

fn document(mut row: Row) -> Result<Document, StoreError> {
    Ok(Document {
        name: row.text()?,
        revision: row.u64()?,
        digest: row.digest()?,
        body: row.json()?,
        by: row.json()?,
        at: row.time()?,
    })
}

impl Tx {
    /// The newest version of a document.
    pub async fn document(&mut self, project: ProjectId, name: &str) -> Result<Option<Document>, StoreError> {
        self.query_opt(&NEWEST, &[project.into(), name.into()]).await?.map(document).transpose()
    }

    /// One version of a document.
    pub async fn document_at(
        &mut self,
        project: ProjectId,
        name: &str,
        revision: u64,
    ) -> Result<Option<Document>, StoreError> {
        let params = [project.into(), name.into(), revision.into()];
        self.query_opt(&AT, &params).await?.map(document).transpose()
    }

    /// The newest versions of a document, newest first.
    pub async fn document_history(
        &mut self,
        project: ProjectId,
        name: &str,
        limit: u32,
    ) -> Result<Vec<Document>, StoreError> {
        let params = [project.into(), name.into(), limit.into()];
        self.query(&HISTORY, &params).await?.into_iter().map(document).collect()
    }

    /// Writes the next version of a document whose revision is the one that was read; 0 when there
    /// was none.
    pub async fn document_put(
        &mut self,
        project: ProjectId,
        name: &str,
        read: u64,
        body: &Json,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Document, StoreError> {
        let found = self.document(project, name).await?.map_or(0, |document| document.revision);
        if found != read {
            return Err(StoreError::RevisionOld { found });
        }
        let text = body.to_string();
        let digest = Digest::of(text.as_bytes());
        let revision = read + 1;
        let params = [
            project.into(),
            name.into(),
            revision.into(),
            (&digest).into(),
            text.as_str().into(),
            Value::json(by),
            now.into(),
        ];
        if self.exec(&PUT, &params).await? != 1 {
            return Err(StoreError::RevisionOld { found: revision });
        }
        Ok(Document { name: name.to_owned(), revision, digest, body: body.clone(), by: by.clone(), at: now })
    }

    /// A setting of the plane itself.
    pub async fn setting(&mut self, name: &str) -> Result<Option<Json>, StoreError> {
        self.query_opt(&SETTING, &[name.into()]).await?.map(|mut row| row.json()).transpose()
    }

    /// Sets a setting of the plane itself.
    pub async fn setting_put(&mut self, name: &str, value: &Json) -> Result<(), StoreError> {
        self.exec(&SET, &[name.into(), Value::json(value)]).await.map(drop)
    }
}

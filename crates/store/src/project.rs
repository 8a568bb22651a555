//! Projects.

use model::{
    id::ProjectId,
    project::{Project, ProjectKey},
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "id, key, name, path, created_at, revision"
    };
}

statements! {
    INSERT = "INSERT INTO project (id, key, name, path, created_at, revision) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING";
    BY_ID = concat!("SELECT ", columns!(), " FROM project WHERE id = $1");
    BY_KEY = concat!("SELECT ", columns!(), " FROM project WHERE key = $1");
    LIST = concat!("SELECT ", columns!(), " FROM project ORDER BY key");
    UPDATE = concat!("UPDATE project SET name = $3, path = $4, revision = revision + 1 WHERE id = $1 AND revision = $2
        RETURNING ", columns!());
    OBSERVED = "SELECT observed FROM project WHERE id = $1";
    STAMP = "SELECT touched, observed FROM project WHERE id = $1";
    OBSERVE = "UPDATE project SET observed = $2 WHERE id = $1";
}

/// How far a project's requirements have come, and what was last seen of its checkout.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectStamp {
    /// Rises whenever a requirement changes, or evidence or a waiver of it does.
    pub touched: u64,
    /// As [`Tx::project_observed`].
    pub observed: Option<serde_json::Value>,
}

fn project(mut row: Row) -> Result<Project, StoreError> {
    Ok(Project {
        id: ProjectId::from_uuid(row.uuid()?),
        key: row.named(|text| text.parse().ok())?,
        name: row.text()?,
        path: row.text()?,
        created_at: row.time()?,
        revision: row.u64()?,
    })
}

impl Tx {
    /// Stores a new project; its key must be free.
    pub async fn project_insert(&mut self, project: &Project) -> Result<(), StoreError> {
        let added = self
            .exec(
                &INSERT,
                &[
                    project.id.into(),
                    project.key.as_str().into(),
                    Value::from(project.name.as_str()),
                    project.path.as_str().into(),
                    project.created_at.into(),
                    project.revision.into(),
                ],
            )
            .await?;
        if added == 1 { Ok(()) } else { Err(StoreError::Taken("the project key")) }
    }

    /// The project with this id.
    pub async fn project(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(project).transpose()
    }

    /// The project with this key.
    pub async fn project_by_key(&mut self, key: &ProjectKey) -> Result<Option<Project>, StoreError> {
        self.query_opt(&BY_KEY, &[key.as_str().into()]).await?.map(project).transpose()
    }

    /// Every project, by key.
    pub async fn projects(&mut self) -> Result<Vec<Project>, StoreError> {
        self.query(&LIST, &[]).await?.into_iter().map(project).collect()
    }

    /// Renames or moves a project that still has the revision that was read.
    pub async fn project_update(
        &mut self,
        id: ProjectId,
        revision: u64,
        name: &str,
        path: &str,
    ) -> Result<Project, StoreError> {
        if let Some(row) = self.query_opt(&UPDATE, &[id.into(), revision.into(), name.into(), path.into()]).await? {
            return project(row);
        }
        match self.project(id).await? {
            Some(now) => Err(StoreError::RevisionOld { found: now.revision }),
            None => Err(StoreError::NotFound("project")),
        }
    }

    /// What was last seen of the project's checkout (P55), as the engine wrote it down.
    pub async fn project_observed(&mut self, id: ProjectId) -> Result<Option<serde_json::Value>, StoreError> {
        match self.query_opt(&OBSERVED, &[id.into()]).await? {
            Some(mut row) => row.opt_json(),
            None => Ok(None),
        }
    }

    /// What tells that requirements of a project may be worth something else than before.
    pub async fn project_stamp(&mut self, id: ProjectId) -> Result<ProjectStamp, StoreError> {
        match self.query_opt(&STAMP, &[id.into()]).await? {
            Some(mut row) => Ok(ProjectStamp { touched: row.u64()?, observed: row.opt_json()? }),
            None => Err(StoreError::NotFound("project")),
        }
    }

    /// Writes down what was seen of the project's checkout. It is no change of the project.
    pub async fn project_observe(&mut self, id: ProjectId, seen: &serde_json::Value) -> Result<(), StoreError> {
        self.exec(&OBSERVE, &[id.into(), Value::json(seen)]).await.map(drop)
    }
}

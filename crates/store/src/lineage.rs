//! Where issues came from: written once, never changed.

use model::{
    id::{IssueId, LineageId, ProjectId},
    issue::Lineage,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    INSERT = "INSERT INTO lineage (id, project, issue, origin, at, body) VALUES ($1, $2, $3, $4, $5, $6)";
    /// In both directions: where it came from, and what came from it.
    OF_ISSUE = "SELECT body FROM lineage WHERE issue = $1 OR origin = $1 ORDER BY id";
    OF_PROJECT => sqlite "SELECT body FROM lineage WHERE project = $1 AND ($2 IS NULL OR origin = $2)
          AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4",
        postgres "SELECT body FROM lineage WHERE project = $1 AND ($2::uuid IS NULL OR origin = $2)
          AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4";
}

impl Tx {
    /// Stores where an issue came from.
    pub async fn lineage_insert(&mut self, project: ProjectId, lineage: &Lineage) -> Result<(), StoreError> {
        let params = [
            lineage.id.into(),
            project.into(),
            lineage.issue.into(),
            lineage.origin_issue.into(),
            lineage.at.into(),
            Value::json(lineage),
        ];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// Where an issue came from, and what came from it, the oldest first.
    pub async fn lineage_of(&mut self, issue: IssueId) -> Result<Vec<Lineage>, StoreError> {
        self.query(&OF_ISSUE, &[issue.into()]).await?.into_iter().map(|mut row: Row| row.json()).collect()
    }

    /// A page of a project's lineage, the oldest first.
    pub async fn lineage(
        &mut self,
        project: ProjectId,
        origin: Option<IssueId>,
        after: Option<LineageId>,
        limit: u32,
    ) -> Result<Vec<Lineage>, StoreError> {
        let params = [project.into(), origin.into(), after.into(), limit.into()];
        self.query(&OF_PROJECT, &params).await?.into_iter().map(|mut row: Row| row.json()).collect()
    }
}

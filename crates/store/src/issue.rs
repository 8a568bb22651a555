//! Issues: numbered per project, related to one another, changed by their revision.

use model::{
    id::{IssueId, ProjectId},
    issue::{Issue, IssueNumber, Priority, Rank},
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    /// One atomic statement takes the number (D1); a rollback gives it back.
    NUMBER = "INSERT INTO issue_counter (project, next) VALUES ($1, 2)
        ON CONFLICT (project) DO UPDATE SET next = issue_counter.next + 1 RETURNING next - 1";
    /// Holds the row that every new issue takes its number from: nobody else changes the tree meanwhile.
    HOLD_TREE = "INSERT INTO issue_counter (project, next) VALUES ($1, 1)
        ON CONFLICT (project) DO UPDATE SET next = issue_counter.next";
    INSERT = "INSERT INTO issue (id, project, number, parent, kind, status, priority, rank, assignee, execution, notice,
            created_at, updated_at, revision, labels, words, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    UPDATE = "UPDATE issue SET parent = $3, kind = $4, status = $5, priority = $6, rank = $7, assignee = $8,
            execution = $9, notice = $10, updated_at = $11, revision = $12, labels = $13, words = $14, body = $15
        WHERE id = $1 AND revision = $2";
    BY_ID = "SELECT body FROM issue WHERE id = $1";
    LOCK => sqlite "SELECT body FROM issue WHERE id = $1", postgres "SELECT body FROM issue WHERE id = $1 FOR UPDATE";
    BY_NUMBER = "SELECT body FROM issue WHERE project = $1 AND number = $2";
    OF_IDS => sqlite "SELECT body FROM issue WHERE id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY number",
        postgres "SELECT body FROM issue WHERE id = ANY($1) ORDER BY number";
    CHILDREN = "SELECT body FROM issue WHERE parent = $1 ORDER BY rank, number";
    DELETE = "DELETE FROM issue WHERE id = $1";
    LAST_RANK = "SELECT rank FROM issue WHERE project = $1 ORDER BY rank DESC LIMIT 1";
    /// The place before a place. The issue that is about to be put there does not count.
    RANK_BEFORE = "SELECT rank FROM issue WHERE project = $1 AND rank < $2 AND id <> $3 ORDER BY rank DESC LIMIT 1";
    UNBLOCK = "DELETE FROM issue_blocker WHERE issue = $1";
    BLOCK => sqlite "INSERT INTO issue_blocker (issue, blocker, project) SELECT $1, unhex(value), $3 FROM json_each($2)",
        postgres "INSERT INTO issue_blocker (issue, blocker, project) SELECT $1, blocker, $3 FROM unnest($2::uuid[]) blocker";
    WAITING = "SELECT issue, blocker FROM issue_blocker WHERE project = $1";
    WAITING_FOR = "SELECT i.body FROM issue_blocker b JOIN issue i ON i.id = b.issue WHERE b.blocker = $1
        ORDER BY i.number";
}

fn issue(mut row: Row) -> Result<Issue, StoreError> {
    row.json()
}

/// Higher matters more.
pub(crate) fn priority_number(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 0,
        Priority::Medium => 1,
        Priority::High => 2,
        Priority::Urgent => 3,
    }
}

/// Labels framed by line breaks, which no label holds, without regard to case.
fn labels(issue: &Issue) -> String {
    let mut framed = String::from("\n");
    for label in &issue.labels {
        framed.push_str(&label.to_lowercase());
        framed.push('\n');
    }
    framed
}

/// What is searched.
fn words(issue: &Issue) -> String {
    format!("#{} {}\n{}", issue.number, issue.title, issue.body).to_lowercase()
}

impl Tx {
    /// Takes the next number of a project for an issue stored in this transaction, and holds the shape of the
    /// project's tree until it ends (D1).
    pub async fn issue_number(&mut self, project: ProjectId) -> Result<IssueNumber, StoreError> {
        let number = self.query_one(&NUMBER, &[project.into()]).await?.u32()?;
        IssueNumber::new(number).ok_or_else(|| StoreError::DatabaseDamaged("an issue would have number 0".to_owned()))
    }

    /// Holds the shape of a project's tree until this transaction ends: parents and blockers are looked at and
    /// changed by one at a time, so that two changes cannot make a ring together (D3).
    pub async fn issue_tree_hold(&mut self, project: ProjectId) -> Result<(), StoreError> {
        self.exec(&HOLD_TREE, &[project.into()]).await.map(drop)
    }

    /// Stores an issue under the number that [`Tx::issue_number`] gave.
    pub async fn issue_insert(&mut self, issue: &Issue) -> Result<(), StoreError> {
        let params = [
            issue.id.into(),
            issue.project.into(),
            issue.number.number().into(),
            issue.parent.into(),
            issue.kind.name().into(),
            issue.status.name().into(),
            priority_number(issue.priority).into(),
            issue.rank.as_str().into(),
            issue.assignee.as_deref().into(),
            issue.execution.to_string().into(),
            issue.notice.map(model::issue::Notice::name).into(),
            issue.created_at.into(),
            issue.updated_at.into(),
            issue.revision.into(),
            labels(issue).into(),
            words(issue).into(),
            Value::json(issue),
        ];
        self.exec(&INSERT, &params).await?;
        self.issue_blockers_put(issue).await
    }

    /// Replaces an issue whose revision is still the one that was read; the new one carries its own, higher
    /// revision.
    pub async fn issue_update(&mut self, issue: &Issue, read: u64) -> Result<(), StoreError> {
        let params = [
            issue.id.into(),
            read.into(),
            issue.parent.into(),
            issue.kind.name().into(),
            issue.status.name().into(),
            priority_number(issue.priority).into(),
            issue.rank.as_str().into(),
            issue.assignee.as_deref().into(),
            issue.execution.to_string().into(),
            issue.notice.map(model::issue::Notice::name).into(),
            issue.updated_at.into(),
            issue.revision.into(),
            labels(issue).into(),
            words(issue).into(),
            Value::json(issue),
        ];
        if self.exec(&UPDATE, &params).await? == 1 {
            self.exec(&UNBLOCK, &[issue.id.into()]).await?;
            return self.issue_blockers_put(issue).await;
        }
        match self.issue(issue.id).await? {
            Some(found) => Err(StoreError::RevisionOld { found: found.revision }),
            None => Err(StoreError::NotFound("issue")),
        }
    }

    async fn issue_blockers_put(&mut self, issue: &Issue) -> Result<(), StoreError> {
        if issue.blocked_by.is_empty() {
            return Ok(());
        }
        let blockers = Value::uuids(issue.blocked_by.iter().map(|blocker| blocker.uuid()));
        self.exec(&BLOCK, &[issue.id.into(), blockers, issue.project.into()]).await.map(drop)
    }

    /// The issue with this id.
    pub async fn issue(&mut self, id: IssueId) -> Result<Option<Issue>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(issue).transpose()
    }

    /// The issue with this id, held against every other writer until this transaction ends. Locks are taken in
    /// the order run, tree, issues, streams (X57).
    pub async fn issue_lock(&mut self, id: IssueId) -> Result<Option<Issue>, StoreError> {
        self.query_opt(&LOCK, &[id.into()]).await?.map(issue).transpose()
    }

    /// The issue with this number in the project.
    pub async fn issue_by_number(
        &mut self,
        project: ProjectId,
        number: IssueNumber,
    ) -> Result<Option<Issue>, StoreError> {
        self.query_opt(&BY_NUMBER, &[project.into(), number.number().into()]).await?.map(issue).transpose()
    }

    /// Those of these issues that exist, by number.
    pub async fn issues_of_ids(&mut self, ids: &[IssueId]) -> Result<Vec<Issue>, StoreError> {
        let ids = Value::uuids(ids.iter().map(|id| id.uuid()));
        self.query(&OF_IDS, &[ids]).await?.into_iter().map(issue).collect()
    }

    /// The children of an issue, in their order.
    pub async fn issue_children(&mut self, parent: IssueId) -> Result<Vec<Issue>, StoreError> {
        self.query(&CHILDREN, &[parent.into()]).await?.into_iter().map(issue).collect()
    }

    /// Deletes an issue that nothing builds on, with what was said on it. The caller has looked, and holds it.
    pub async fn issue_delete(&mut self, id: IssueId) -> Result<(), StoreError> {
        self.comments_delete(id).await?;
        self.exec(&UNBLOCK, &[id.into()]).await?;
        self.exec(&DELETE, &[id.into()]).await.map(drop)
    }

    /// The last place of a project.
    pub async fn issue_last_rank(&mut self, project: ProjectId) -> Result<Option<Rank>, StoreError> {
        let row = self.query_opt(&LAST_RANK, &[project.into()]).await?;
        row.map(|mut row| row.text().map(Rank::from_text)).transpose()
    }

    /// The place that stands before another, `except` apart.
    pub async fn issue_rank_before(
        &mut self,
        project: ProjectId,
        rank: &Rank,
        except: IssueId,
    ) -> Result<Option<Rank>, StoreError> {
        let row = self.query_opt(&RANK_BEFORE, &[project.into(), rank.as_str().into(), except.into()]).await?;
        row.map(|mut row| row.text().map(Rank::from_text)).transpose()
    }

    /// Who waits for whom in a project.
    pub async fn issues_waiting(&mut self, project: ProjectId) -> Result<Vec<(IssueId, IssueId)>, StoreError> {
        let pair = |mut row: Row| Ok((IssueId::from_uuid(row.uuid()?), IssueId::from_uuid(row.uuid()?)));
        self.query(&WAITING, &[project.into()]).await?.into_iter().map(pair).collect()
    }

    /// The issues that wait for this one, by number.
    pub async fn issues_waiting_for(&mut self, blocker: IssueId) -> Result<Vec<Issue>, StoreError> {
        self.query(&WAITING_FOR, &[blocker.into()]).await?.into_iter().map(issue).collect()
    }
}

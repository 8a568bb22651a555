//! Lists, columns and counts of issues.

use model::{
    id::{IssueId, ProjectId},
    issue::{Attention, Issue, IssueKind, IssueNumber, IssueStatus, Priority},
};

use crate::{
    error::StoreError,
    issue::priority_number,
    sql::{Sql, statements},
    tx::Tx,
    value::{Row, Value},
};

/// What an issue asks of a person: [`Attention::of`] in SQL. A test compares the two.
macro_rules! attention {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM run r JOIN question q ON q.run = r.id
                WHERE r.issue = i.id AND q.state = 'open') THEN 'question'
            WHEN i.status IN ('done', 'closed') THEN 'none'
            WHEN i.notice IS NOT NULL THEN i.notice
            WHEN i.kind = 'epic' AND NOT EXISTS (SELECT 1 FROM issue c WHERE c.parent = i.id)
                AND NOT EXISTS (SELECT 1 FROM run r WHERE r.issue = i.id AND r.kind = 'plan'
                    AND r.status IN ('queued', 'running', 'waiting', 'paused', 'completed')) THEN 'plan'
            ELSE 'none' END"
    };
}
macro_rules! filter_sqlite {
    () => {
        concat!(
            "i.project = $1 AND ($2 IS NULL OR i.status IN (SELECT value FROM json_each($2)))
           AND ($3 IS NULL OR i.kind IN (SELECT value FROM json_each($3)))
           AND ($4 IS NULL OR i.priority IN (SELECT value FROM json_each($4)))
           AND ($5 IS NULL OR instr(i.labels, $5) > 0) AND ($6 IS NULL OR i.assignee = $6)
           AND ($7 IS NULL OR i.execution = $7) AND ($8 IS NULL OR i.parent = $8)
           AND ($9 IS NULL OR instr(i.words, $9) > 0)
           AND ($10 IS NULL OR ",
            attention!(),
            " IN (SELECT value FROM json_each($10)))"
        )
    };
}
macro_rules! filter_postgres {
    () => {
        concat!(
            "i.project = $1 AND ($2::text[] IS NULL OR i.status = ANY($2)) AND ($3::text[] IS NULL OR i.kind = ANY($3))
           AND ($4::bigint[] IS NULL OR i.priority = ANY($4))
           AND ($5::text IS NULL OR position($5 in i.labels) > 0) AND ($6::text IS NULL OR i.assignee = $6)
           AND ($7::text IS NULL OR i.execution = $7) AND ($8::uuid IS NULL OR i.parent = $8)
           AND ($9::text IS NULL OR position($9 in i.words) > 0)
           AND ($10::text[] IS NULL OR ",
            attention!(),
            " = ANY($10))"
        )
    };
}
/// A list by a key that rises; of issues with the same key the older stands first. `$11` is the number of the
/// last issue of the page before.
macro_rules! list {
    (sqlite $key:literal, $last:literal) => {
        concat!(
            "SELECT i.body FROM issue i WHERE ",
            filter_sqlite!(),
            " AND ($11 IS NULL OR (",
            $key,
            ", i.number) > (
            SELECT ",
            $last,
            ", l.number FROM issue l WHERE l.project = $1 AND l.number = $11))
        ORDER BY ",
            $key,
            ", i.number LIMIT $12"
        )
    };
    (postgres $key:literal, $last:literal) => {
        concat!(
            "SELECT i.body FROM issue i WHERE ",
            filter_postgres!(),
            " AND ($11::bigint IS NULL OR (",
            $key,
            ", i.number) > (SELECT ",
            $last,
            ", l.number FROM issue l WHERE l.project = $1 AND l.number = $11))
        ORDER BY ",
            $key,
            ", i.number LIMIT $12"
        )
    };
}

statements! {
    BY_RANK => sqlite list!(sqlite "i.rank", "l.rank"), postgres list!(postgres "i.rank", "l.rank");
    OLDEST => sqlite list!(sqlite "i.number", "l.number"), postgres list!(postgres "i.number", "l.number");
    NEWEST => sqlite list!(sqlite "-i.number", "-l.number"), postgres list!(postgres "-i.number", "-l.number");
    BY_PRIORITY => sqlite list!(sqlite "-i.priority", "-l.priority"),
        postgres list!(postgres "-i.priority", "-l.priority");
    LAST_CHANGED => sqlite list!(sqlite "-i.updated_at", "-l.updated_at"),
        postgres list!(postgres "-i.updated_at", "-l.updated_at");
    COUNT => sqlite concat!("SELECT count(*) FROM issue i WHERE ", filter_sqlite!()),
        postgres concat!("SELECT count(*) FROM issue i WHERE ", filter_postgres!());
    BY_STATUS => sqlite concat!("SELECT i.status, count(*) FROM issue i WHERE ", filter_sqlite!(), " GROUP BY i.status"),
        postgres concat!("SELECT i.status, count(*) FROM issue i WHERE ", filter_postgres!(), " GROUP BY i.status");
    /// The start of one column, through its index.
    COLUMN => sqlite concat!("SELECT i.body FROM issue i WHERE ", filter_sqlite!(), " AND i.status = $11
        ORDER BY i.rank, i.number LIMIT $12"),
        postgres concat!("SELECT i.body FROM issue i WHERE ", filter_postgres!(), " AND i.status = $11
        ORDER BY i.rank, i.number LIMIT $12");
    BY_ATTENTION = concat!("SELECT asked.word, count(*) FROM (SELECT ", attention!(), " AS word FROM issue i
        WHERE i.project = $1) asked GROUP BY asked.word");
}

/// Which issues to list; filters join with AND, an empty list means any.
#[derive(Debug, Clone, Default)]
pub struct IssueFilter {
    /// In these columns.
    pub status: Vec<IssueStatus>,
    /// Of these kinds.
    pub kind: Vec<IssueKind>,
    /// Of these priorities.
    pub priority: Vec<Priority>,
    /// With this label, whatever its case.
    pub label: Option<String>,
    /// Whose they are.
    pub assignee: Option<String>,
    /// Who does them, as it is written.
    pub execution: Option<String>,
    /// Parts of this one.
    pub parent: Option<IssueId>,
    /// Whose number, title or text holds this, whatever its case.
    pub words: Option<String>,
    /// That ask this of a person.
    pub attention: Vec<Attention>,
}

/// In which order to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssueOrder {
    /// As the cards of a column.
    #[default]
    Rank,
    /// By rising number.
    Oldest,
    /// By falling number.
    Newest,
    /// The most urgent first.
    Priority,
    /// The last changed first.
    Changed,
}

impl IssueOrder {
    const fn text(self) -> &'static Sql {
        match self {
            Self::Rank => &BY_RANK,
            Self::Oldest => &OLDEST,
            Self::Newest => &NEWEST,
            Self::Priority => &BY_PRIORITY,
            Self::Changed => &LAST_CHANGED,
        }
    }
}

fn filters(project: ProjectId, filter: &IssueFilter) -> Vec<Value<'static>> {
    fn texts(list: impl ExactSizeIterator<Item = &'static str>) -> Value<'static> {
        if list.len() == 0 { Value::Null } else { Value::texts(list) }
    }
    let priority = match filter.priority.as_slice() {
        [] => Value::Null,
        list => Value::ints(list.iter().map(|one| priority_number(*one))),
    };
    vec![
        project.into(),
        texts(filter.status.iter().map(|one| one.name())),
        texts(filter.kind.iter().map(|one| one.name())),
        priority,
        filter.label.as_ref().map(|label| format!("\n{}\n", label.trim().to_lowercase())).into(),
        filter.assignee.clone().into(),
        filter.execution.clone().into(),
        filter.parent.into(),
        filter.words.as_ref().map(|words| words.trim().to_lowercase()).into(),
        texts(filter.attention.iter().map(|one| one.name())),
    ]
}

fn issue(mut row: Row) -> Result<Issue, StoreError> {
    row.json()
}

impl Tx {
    /// A page of issues; `after` is the last one of the page before.
    pub async fn issues(
        &mut self,
        project: ProjectId,
        filter: &IssueFilter,
        order: IssueOrder,
        after: Option<IssueNumber>,
        limit: u32,
    ) -> Result<Vec<Issue>, StoreError> {
        let mut params = filters(project, filter);
        params.push(after.map(IssueNumber::number).into());
        params.push(limit.into());
        self.query(order.text(), &params).await?.into_iter().map(issue).collect()
    }

    /// How many issues a filter finds.
    pub async fn issue_count(&mut self, project: ProjectId, filter: &IssueFilter) -> Result<u64, StoreError> {
        self.query_one(&COUNT, &filters(project, filter)).await?.u64()
    }

    /// The start of a column.
    pub async fn issue_column(
        &mut self,
        project: ProjectId,
        filter: &IssueFilter,
        status: IssueStatus,
        limit: u32,
    ) -> Result<Vec<Issue>, StoreError> {
        let mut params = filters(project, filter);
        params.push(status.name().into());
        params.push(limit.into());
        self.query(&COLUMN, &params).await?.into_iter().map(issue).collect()
    }

    /// How many issues a filter finds in each column that has any.
    pub async fn issue_counts(
        &mut self,
        project: ProjectId,
        filter: &IssueFilter,
    ) -> Result<Vec<(IssueStatus, u64)>, StoreError> {
        let rows = self.query(&BY_STATUS, &filters(project, filter)).await?;
        rows.into_iter().map(|mut row| Ok((row.named(IssueStatus::by_name)?, row.u64()?))).collect()
    }

    /// How many issues of a project ask what of a person (X48).
    pub async fn issue_attention(&mut self, project: ProjectId) -> Result<Vec<(Attention, u64)>, StoreError> {
        let rows = self.query(&BY_ATTENTION, &[project.into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.named(Attention::by_name)?, row.u64()?))).collect()
    }
}

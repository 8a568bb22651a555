//! The board: columns of cards with the number at which they are true, lists, and what asks for a person.

use model::{
    id::ProjectId,
    issue::{Attention, Card, IssueName, IssueNumber, IssueStatus},
    journal::StreamId,
    limits,
    problem::Problem,
};
use store::{IssueFilter, IssueOrder};

use super::{Detailed, detailed};
use crate::Engine;

/// A column of the board.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Which.
    pub status: IssueStatus,
    /// How many issues it has.
    pub count: u64,
    /// The first of them.
    pub cards: Vec<Card>,
    /// Whether there are more.
    pub has_more: bool,
}

/// All columns, and how far the project's stream had come.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// Following the stream from here on misses nothing (S6).
    pub seq: u64,
    /// In the order of an issue's life.
    pub columns: Vec<Column>,
}

/// A page of issues.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The page.
    pub items: Vec<Card>,
    /// Whether there are more.
    pub has_more: bool,
    /// How many the filter finds.
    pub total: u64,
}

impl Engine {
    /// The board of a project: one consistent picture, so that its number and its cards belong together.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn board(
        &self,
        project: ProjectId,
        filter: IssueFilter,
        per_column: Option<u32>,
    ) -> Result<Board, Problem> {
        let per_column = per_column.unwrap_or(limits::COLUMN_CARDS);
        self.store()
            .read(move |tx| {
                let filter = filter.clone();
                Box::pin(async move {
                    let seq = tx.head(StreamId::Project(project)).await?.seq;
                    let counts = tx.issue_counts(project, &filter).await?;
                    let mut columns = Vec::with_capacity(IssueStatus::ALL.len());
                    for status in IssueStatus::ALL.iter().copied() {
                        let asked = filter.status.is_empty() || filter.status.contains(&status);
                        if !asked {
                            continue;
                        }
                        let count = counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
                        let issues = match count {
                            0 => Vec::new(),
                            _ => tx.issue_column(project, &filter, status, per_column).await?,
                        };
                        let cards = tx.issue_cards(&issues).await?;
                        columns.push(Column { status, count, has_more: count > cards.len() as u64, cards });
                    }
                    Ok::<_, Problem>(Board { seq, columns })
                })
            })
            .await
    }

    /// A page of a project's issues; `after` is the last one of the page before.
    ///
    /// # Errors
    /// 422 for a cursor whose issue is no more.
    pub async fn issues(
        &self,
        project: ProjectId,
        filter: IssueFilter,
        order: IssueOrder,
        after: Option<IssueNumber>,
        limit: u32,
    ) -> Result<Listed, Problem> {
        self.store()
            .read(move |tx| {
                let filter = filter.clone();
                Box::pin(async move {
                    if let Some(after) = after
                        && tx.issue_by_number(project, after).await?.is_none()
                    {
                        return Err(Problem::invalid_field("/cursor", "not a cursor of this list").with("in", "query"));
                    }
                    let mut issues = tx.issues(project, &filter, order, after, limit + 1).await?;
                    let has_more = issues.len() > limit as usize;
                    issues.truncate(limit as usize);
                    let items = tx.issue_cards(&issues).await?;
                    Ok(Listed { items, has_more, total: tx.issue_count(project, &filter).await? })
                })
            })
            .await
    }

    /// The issue that this names.
    ///
    /// # Errors
    /// 404.
    pub async fn issue(&self, name: IssueName) -> Result<Detailed, Problem> {
        self.store()
            .read(move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    let found = match name {
                        IssueName::Id(id) => tx.issue(id).await?,
                        IssueName::Numbered(key, number) => match tx.project_by_key(&key).await? {
                            Some(project) => tx.issue_by_number(project.id, number).await?,
                            None => None,
                        },
                    };
                    let issue = found.ok_or_else(Problem::not_found)?;
                    detailed(tx, issue).await
                })
            })
            .await
    }

    /// How many issues of a project ask what of a person (X48).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn issue_attention(&self, project: ProjectId) -> Result<Vec<(Attention, u64)>, Problem> {
        self.store().read(move |tx| Box::pin(async move { Ok(tx.issue_attention(project).await?) })).await
    }
}

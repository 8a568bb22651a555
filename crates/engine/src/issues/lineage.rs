//! Where issues came from, and what came from them.

use model::{
    id::{IssueId, LineageId, ProjectId},
    issue::{Card, Lineage},
    problem::Problem,
};

use crate::Engine;

/// One step of an issue's history, with the issue at its other end.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    /// What was written down.
    pub lineage: Lineage,
    /// The other issue; none when it came from no issue.
    pub issue: Option<Card>,
}

/// An issue's history in both directions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Relatives {
    /// What it came from.
    pub origins: Vec<Relative>,
    /// What came from it.
    pub descendants: Vec<Relative>,
}

impl Engine {
    /// Where an issue came from, and what came from it, one step each.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lineage_of(&self, issue: IssueId) -> Result<Relatives, Problem> {
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let rows = tx.lineage_of(issue).await?;
                    let others: Vec<IssueId> = rows.iter().filter_map(|row| other(row, issue)).collect();
                    let issues = tx.issues_of_ids(&others).await?;
                    let cards = tx.issue_cards(&issues).await?;
                    let mut relatives = Relatives::default();
                    for row in rows {
                        let card = other(&row, issue).and_then(|id| cards.iter().find(|card| card.id == id)).cloned();
                        let side = if row.issue == issue { &mut relatives.origins } else { &mut relatives.descendants };
                        side.push(Relative { lineage: row, issue: card });
                    }
                    Ok::<_, Problem>(relatives)
                })
            })
            .await
    }

    /// A page of a project's lineage, the oldest first; one more than asked for when there are more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lineage(
        &self,
        project: ProjectId,
        origin: Option<IssueId>,
        after: Option<LineageId>,
        limit: u32,
    ) -> Result<Vec<Lineage>, Problem> {
        self.store()
            .read(move |tx| Box::pin(async move { Ok(tx.lineage(project, origin, after, limit + 1).await?) }))
            .await
    }
}

fn other(row: &Lineage, issue: IssueId) -> Option<IssueId> {
    if row.issue == issue { row.origin_issue } else { Some(row.issue) }
}

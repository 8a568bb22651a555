//! Filing: exactly once per idempotency key, under the next number of the project (D1).

use model::{
    actor::Actor,
    code::Code,
    id::{IssueId, LineageId, ProjectId, RunId},
    issue::{Given, IssueNumber, IssueSource, Lineage, LineageKind, NewIssue, Rank, tree},
    journal::{NewEntry, StreamId},
    problem::Problem,
    time::Timestamp,
};
use serde_json::json;
use store::Tx;

use super::{Detailed, detailed, of_project, refused};
use crate::{Engine, Once, once};

impl Engine {
    /// Files an issue, or answers with what the same key filed before. Nothing is started (D33).
    ///
    /// # Errors
    /// 422 naming each wrong value; 409 [`Code::TreeLimit`]; 422 [`Code::KeyReused`]. Then no number is used.
    pub async fn file_issue(
        &self,
        project: ProjectId,
        new: NewIssue,
        by: &Actor,
        once: Option<Once>,
    ) -> Result<Detailed, Problem> {
        let ids = (IssueId::from_uuid(self.clock().id()), LineageId::from_uuid(self.clock().id()));
        let (by, now) = (by.clone(), self.now());
        // Whatever is wrong with its words is said before a number is taken and anybody waits for it.
        new.read(given(ids.0, IssueNumber::new(1), project, Rank::between(None, None), &by, now)?)?;
        self.store()
            .write(move |tx| {
                let (new, by, once) = (new.clone(), by.clone(), once.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered::<IssueId>(tx, once.as_ref(), now).await? {
                        let issue = tx.issue(before).await?.ok_or_else(Problem::not_found)?;
                        return detailed(tx, issue).await;
                    }
                    let filed = file(tx, project, &new, ids, &by, Whence::MANUAL, now).await?;
                    once::answer(tx, once.as_ref(), 201, &filed.issue.id).await?;
                    Ok(filed)
                })
            })
            .await
    }
}

fn given(
    id: IssueId,
    number: Option<IssueNumber>,
    project: ProjectId,
    rank: Rank,
    by: &Actor,
    at: Timestamp,
) -> Result<Given, Problem> {
    let number = number.ok_or_else(|| Problem::new(Code::Internal, "an issue would have number 0"))?;
    Ok(Given { id, number, project, rank, by: by.clone(), at })
}

/// How an issue came from the one that is named as its origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whence {
    pub kind: LineageKind,
    pub run: Option<RunId>,
    pub piece: Option<u32>,
}

impl Whence {
    /// A person said so.
    const MANUAL: Self = Self { kind: LineageKind::Manual, run: None, piece: None };
}

pub(super) async fn file(
    tx: &mut Tx,
    project: ProjectId,
    new: &NewIssue,
    (id, lineage): (IssueId, LineageId),
    by: &Actor,
    whence: Whence,
    now: Timestamp,
) -> Result<Detailed, Problem> {
    // Taking the number holds the project's tree, so that what is looked at below stays as it is.
    let number = tx.issue_number(project).await?;
    let rank = Rank::between(tx.issue_last_rank(project).await?.as_ref(), None);
    let mut issue = new.read(given(id, Some(number), project, rank, by, now)?)?;
    if whence.kind == LineageKind::Followup {
        issue.source = IssueSource::Followup;
    }
    if let Some(parent) = issue.parent {
        super::change::adopt(tx, &issue, parent).await?;
    }
    if !issue.blocked_by.is_empty() {
        super::change::known_blockers(tx, &issue).await?;
        // Nobody waits for an issue that is new, so there is no ring but the one to itself.
        tree::wait(id, &issue.blocked_by, &[]).map_err(|cycle| refused(cycle, "/blocked_by"))?;
    }
    let origin = match new.origin {
        Some(origin) => {
            let found = of_project(tx, project, origin).await;
            Some(found.map_err(|_| Problem::invalid_field("/origin", "there is no such issue in this project"))?)
        }
        None => None,
    };
    tx.issue_insert(&issue).await?;
    let cause = json!({"what": "created", "actor": by});
    tx.issue_tell(id, cause, now).await?;
    if let Some(origin) = origin {
        let row = Lineage {
            id: lineage,
            issue: id,
            kind: whence.kind,
            origin_issue: Some(origin.id),
            run: whence.run,
            piece: whence.piece,
            actor: by.clone(),
            at: now,
        };
        tx.lineage_insert(project, &row).await?;
        let facts = json!({"lineage": row, "number": number, "origin_number": origin.number});
        tx.journal_append(StreamId::Project(project), &[NewEntry::new("lineage.added", facts)], now).await?;
    }
    if let Some(parent) = issue.parent {
        let cause = json!({"what": "relative", "issue": id, "number": number, "status": issue.status});
        tx.issue_tell(parent, cause, now).await?;
    }
    detailed(tx, issue).await
}

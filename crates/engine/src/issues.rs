//! Issues: filed under numbers without holes, changed by their revision, moved by people and by runs.
//!
//! Whatever changes an issue puts its whole card on the project's stream in the same transaction (D7, S7): a
//! rolled back act leaves neither. Locks are taken in the order run, tree, issue, stream.

mod board;
mod change;
mod comments;
mod delete;
mod file;
mod followup;
mod lineage;
mod work;

use model::{
    actor::Actor,
    code::Code,
    id::{IssueId, ProjectId},
    issue::{Card, Changed, Issue, tree::TreeRefused},
    problem::Problem,
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{StoreError, Tx};

pub use self::{
    board::{Board, Column, Listed},
    change::BatchChange,
    lineage::{Relative, Relatives},
    work::{admit, proved, run_ended, run_started, run_stepped},
};

/// An issue with what follows from its relations and its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Detailed {
    /// The issue.
    pub issue: Issue,
    /// Its card.
    pub card: Card,
    /// What it hangs together with.
    pub around: Around,
}

/// The neighbours of an issue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Around {
    /// What it is a part of.
    pub parent: Option<Card>,
    /// Its parts, in their order.
    pub children: Vec<Card>,
    /// What it waits for.
    pub blockers: Vec<Card>,
    /// What waits for it.
    pub blocking: Vec<Card>,
}

/// An issue as it stands in this transaction.
async fn detailed(tx: &mut Tx, issue: Issue) -> Result<Detailed, Problem> {
    let children = tx.issue_children(issue.id).await?;
    let blocking = tx.issues_waiting_for(issue.id).await?;
    let named: Vec<IssueId> = issue.blocked_by.iter().copied().chain(issue.parent).collect();
    let others = tx.issues_of_ids(&named).await?;
    let around = Around {
        children: tx.issue_cards(&children).await?,
        blocking: tx.issue_cards(&blocking).await?,
        ..Around::default()
    };
    let others = tx.issue_cards(&others).await?;
    let card = tx.issue_card(&issue).await?;
    let around = Around {
        parent: others.iter().find(|other| Some(other.id) == issue.parent).cloned(),
        blockers: others.into_iter().filter(|other| issue.blocked_by.contains(&other.id)).collect(),
        ..around
    };
    Ok(Detailed { issue, card, around })
}

/// The issue, if it belongs to the project. Foreign and missing are the same (D9).
///
/// # Errors
/// 404.
pub async fn of_project(tx: &mut Tx, project: ProjectId, issue: IssueId) -> Result<Issue, Problem> {
    let found = tx.issue(issue).await?;
    found.filter(|found| found.project == project).ok_or_else(Problem::not_found)
}

/// The issue, held until the transaction ends.
async fn held(tx: &mut Tx, project: ProjectId, issue: IssueId) -> Result<Issue, Problem> {
    let found = tx.issue_lock(issue).await?;
    found.filter(|found| found.project == project).ok_or_else(Problem::not_found)
}

/// Stores a change of a held issue, if it is one, and tells it. Whether it was one.
async fn save(
    tx: &mut Tx,
    old: &Issue,
    new: &mut Issue,
    what: &str,
    more: Value,
    now: Timestamp,
) -> Result<bool, Problem> {
    let changed = Changed::between(old, new);
    if changed.is_empty() {
        return Ok(false);
    }
    new.revision = old.revision + 1;
    new.updated_at = now;
    tx.issue_update(new, old.revision).await?;
    let mut cause = json!({"what": what, "changes": changed.fields});
    if let (Some(cause), Some(more)) = (cause.as_object_mut(), more.as_object()) {
        cause.extend(more.clone());
    }
    tx.issue_tell(new.id, cause, now).await?;
    if old.status.is_open() != new.status.is_open() {
        unblocked(tx, new, now).await?;
    }
    Ok(true)
}

/// Cards that show whether they wait for this one, and the one that counts it among its children.
async fn unblocked(tx: &mut Tx, issue: &Issue, now: Timestamp) -> Result<(), Problem> {
    let cause = json!({"what": "relative", "issue": issue.id, "number": issue.number, "status": issue.status});
    for waiting in tx.issues_waiting_for(issue.id).await? {
        tx.issue_tell(waiting.id, cause.clone(), now).await?;
    }
    if let Some(parent) = issue.parent {
        tx.issue_tell(parent, cause, now).await?;
    }
    Ok(())
}

fn refused(refused: TreeRefused, pointer: &str) -> Problem {
    let code = match refused {
        TreeRefused::TooDeep | TreeRefused::TooMany => Code::TreeLimit,
        TreeRefused::Cycle => Code::IssueCycle,
    };
    Problem::new(code, refused.to_string()).with("pointer", pointer)
}

fn by(actor: &Actor) -> Value {
    json!({"actor": actor})
}

/// 412 with the issue as it is now (D4).
fn old_revision(found: &Detailed) -> Problem {
    let problem: Problem = StoreError::RevisionOld { found: found.issue.revision }.into();
    let mut current = json!(found.issue);
    if let (Some(current), Value::Object(card)) = (current.as_object_mut(), json!(found.card)) {
        current.extend(card);
        // What is kept for the plane alone.
        current.remove("criteria");
    }
    problem.with("current", current)
}

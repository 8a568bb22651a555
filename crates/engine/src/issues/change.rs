//! Changing issues: one by the revision that was read, or many at once and all or nothing.

use model::{
    actor::Actor,
    code::Code,
    id::{IssueId, ProjectId},
    issue::{Issue, IssueChange, IssueStatus, Rank, StatusRefused, tree},
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    time::Timestamp,
};
use serde_json::json;
use store::Tx;

use super::{Detailed, by, detailed, held, of_project, old_revision, refused, save};
use crate::Engine;

/// A change of many issues (D5).
#[derive(Debug, Clone)]
pub struct BatchChange {
    /// Which.
    pub ids: Vec<IssueId>,
    /// What becomes of each.
    pub changes: IssueChange,
}

impl Engine {
    /// Changes an issue that still has the revision that was read. One that changes nothing is answered and
    /// leaves no trace (D4).
    ///
    /// # Errors
    /// 404; 412 with the issue as it is; 422; 409 [`Code::TreeLimit`], [`Code::IssueCycle`],
    /// [`Code::RunActive`].
    pub async fn change_issue(
        &self,
        project: ProjectId,
        id: IssueId,
        change: IssueChange,
        revision: u64,
        actor: &Actor,
    ) -> Result<Detailed, Problem> {
        asks_something(&change)?;
        let (actor, now) = (actor.clone(), self.now());
        self.store()
            .write(move |tx| {
                let (change, actor) = (change.clone(), actor.clone());
                Box::pin(async move {
                    if change.is_structural() {
                        tx.issue_tree_hold(project).await?;
                    }
                    let old = held(tx, project, id).await?;
                    if old.revision != revision {
                        return Err(old_revision(&detailed(tx, old).await?));
                    }
                    change_held(tx, old, &change, &actor, now).await
                })
            })
            .await
    }

    /// Changes up to a hundred issues, all or none (D5).
    ///
    /// # Errors
    /// 404 when one of them is foreign or missing; what [`Engine::change_issue`] refuses, naming the issue.
    pub async fn change_issues(
        &self,
        project: ProjectId,
        batch: BatchChange,
        actor: &Actor,
    ) -> Result<Vec<Detailed>, Problem> {
        asks_something(&batch.changes)?;
        let mut ids = batch.ids;
        // In the order of their ids: two such changes never wait for one another.
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() || ids.len() > limits::ISSUE_BATCH {
            let message = format!("1 to {} issues are allowed", limits::ISSUE_BATCH);
            return Err(Problem::invalid_field("/ids", message));
        }
        let (change, actor, now) = (batch.changes, actor.clone(), self.now());
        self.store()
            .write(move |tx| {
                let (ids, change, actor) = (ids.clone(), change.clone(), actor.clone());
                Box::pin(async move {
                    if change.is_structural() {
                        tx.issue_tree_hold(project).await?;
                    }
                    let mut olds = Vec::with_capacity(ids.len());
                    for id in ids {
                        olds.push(held(tx, project, id).await?);
                    }
                    let mut all = Vec::with_capacity(olds.len());
                    for old in olds {
                        let number = old.number;
                        // One of them may have moved another, as its ancestor.
                        let old = tx.issue(old.id).await?.ok_or_else(Problem::not_found)?;
                        let changed = change_held(tx, old, &change, &actor, now).await;
                        all.push(changed.map_err(|problem| problem.with("issue", number.number()))?);
                    }
                    Ok(all)
                })
            })
            .await
    }
}

fn asks_something(change: &IssueChange) -> Result<(), Problem> {
    if change.is_empty() { Err(Problem::invalid_field("", "name at least one field to change")) } else { Ok(()) }
}

async fn change_held(
    tx: &mut Tx,
    old: Issue,
    change: &IssueChange,
    actor: &Actor,
    now: Timestamp,
) -> Result<Detailed, Problem> {
    let mut new = change.apply(&old)?;
    if new.parent != old.parent
        && let Some(parent) = new.parent
    {
        adopt(tx, &new, parent).await?;
    }
    if new.blocked_by != old.blocked_by {
        known_blockers(tx, &new).await?;
        let known = tx.issues_waiting(new.project).await?;
        tree::wait(new.id, &new.blocked_by, &known).map_err(|cycle| refused(cycle, "/blocked_by"))?;
    }
    if let Some(to) = change.status {
        move_by_person(tx, &mut new, to).await?;
    }
    if let Some(before) = change.before {
        new.rank = place(tx, &new, before).await?;
    }
    let what = if old.status == new.status { "changed" } else { "moved" };
    if save(tx, &old, &mut new, what, by(actor), now).await? {
        relatives(tx, &old, &new, actor, now).await?;
    }
    let issue = tx.issue(new.id).await?.ok_or_else(Problem::not_found)?;
    detailed(tx, issue).await
}

/// What follows for others, and for those who ask later who decided it.
async fn relatives(tx: &mut Tx, old: &Issue, new: &Issue, actor: &Actor, now: Timestamp) -> Result<(), Problem> {
    if old.execution != new.execution {
        let facts = json!({
            "issue": new.id, "number": new.number, "from": old.execution, "to": new.execution, "actor": actor,
        });
        let entry = NewEntry::new("issue.execution", facts);
        tx.journal_append(StreamId::Audit(new.project), &[entry], now).await?;
    }
    if old.parent != new.parent {
        for parent in [old.parent, new.parent].into_iter().flatten() {
            let cause = json!({"what": "relative", "issue": new.id, "number": new.number, "status": new.status});
            tx.issue_tell(parent, cause, now).await?;
        }
    }
    if !old.status.is_open() && new.status.is_open() {
        reopen_ancestors(tx, new, now).await?;
    }
    Ok(())
}

/// What has an open part is not done (S2). What is closed stays closed: a person said that it is not to be done.
async fn reopen_ancestors(tx: &mut Tx, child: &Issue, now: Timestamp) -> Result<(), Problem> {
    let mut above = child.parent;
    while let Some(parent) = above {
        let Some(old) = tx.issue_lock(parent).await? else { return Ok(()) };
        above = old.parent;
        if old.status == IssueStatus::Done {
            let mut new = Issue { status: IssueStatus::Ready, ..old.clone() };
            let cause = json!({"child": child.id, "child_number": child.number});
            save(tx, &old, &mut new, "child_reopened", cause, now).await?;
        }
    }
    Ok(())
}

async fn move_by_person(tx: &mut Tx, issue: &mut Issue, to: IssueStatus) -> Result<(), Problem> {
    let active = if to.is_open() { None } else { tx.run_working_on(issue.id).await? };
    match issue.status.by_person(to, issue.notice, active.is_some()) {
        Ok(moved) => {
            (issue.status, issue.notice) = (moved.status, moved.notice);
            Ok(())
        }
        Err(refused @ (StatusRefused::RunActive | StatusRefused::NotOpen(_))) => {
            let problem = Problem::new(Code::RunActive, format!("issue {}: {refused}", issue.number));
            Err(match active {
                Some(run) => problem.with("active_run", run.id.to_string()),
                None => problem,
            }
            .with_hint("cancel the run first: `proofhouse run cancel`"))
        }
    }
}

/// The place before another card, or behind the last.
async fn place(tx: &mut Tx, issue: &Issue, before: Option<IssueId>) -> Result<Rank, Problem> {
    let Some(before) = before else {
        let last = tx.issue_last_rank(issue.project).await?;
        // Whoever is the last already stays where it is.
        return Ok(last
            .filter(|last| *last != issue.rank)
            .map_or_else(|| issue.rank.clone(), |last| Rank::between(Some(&last), None)));
    };
    if before == issue.id {
        return Ok(issue.rank.clone());
    }
    let found = of_project(tx, issue.project, before).await;
    let next = found.map_err(|_| Problem::invalid_field("/before", "there is no such issue in this project"))?;
    let low = tx.issue_rank_before(issue.project, &next.rank, issue.id).await?;
    if low.as_ref().is_none_or(|low| *low < issue.rank) && issue.rank < next.rank {
        return Ok(issue.rank.clone());
    }
    Ok(Rank::between(low.as_ref(), Some(&next.rank)))
}

/// Whether the issue may stand below this parent, given the tree as it is. The tree is held.
pub(super) async fn adopt(tx: &mut Tx, issue: &Issue, parent: IssueId) -> Result<(), Problem> {
    let missing = |_| Problem::invalid_field("/parent", "there is no such issue in this project");
    let mut line = Vec::new();
    let mut above = Some(parent);
    while let Some(id) = above {
        // One more than the tree may be deep is enough to know.
        if line.len() > limits::ISSUE_DEPTH as usize + 1 {
            break;
        }
        let found = of_project(tx, issue.project, id).await.map_err(missing)?;
        line.push(id);
        above = found.parent;
    }
    let mut height = 0;
    let mut generation = vec![issue.id];
    while height <= limits::ISSUE_DEPTH {
        let mut next = Vec::new();
        for id in generation {
            next.extend(tx.issue_children(id).await?.into_iter().map(|child| child.id));
        }
        if next.is_empty() {
            break;
        }
        generation = next;
        height += 1;
    }
    let siblings = tx.issue_children(parent).await?.iter().filter(|child| child.id != issue.id).count();
    let family =
        tree::Family { child: issue.id, line: &line, height, siblings: u32::try_from(siblings).unwrap_or(u32::MAX) };
    tree::adopt(&family).map_err(|limit| refused(limit, "/parent"))
}

/// 422 unless everything that it waits for belongs to the project.
pub(super) async fn known_blockers(tx: &mut Tx, issue: &Issue) -> Result<(), Problem> {
    let known = tx.issues_of_ids(&issue.blocked_by).await?;
    let is_known = |id: &IssueId| {
        // To wait for itself is a ring, and is told as one.
        *id == issue.id || known.iter().any(|known| known.id == *id && known.project == issue.project)
    };
    match issue.blocked_by.iter().position(|id| !is_known(id)) {
        Some(place) => {
            let pointer = format!("/blocked_by/{place}");
            Err(Problem::invalid_field(pointer, "there is no such issue in this project"))
        }
        None => Ok(()),
    }
}

//! What runs do to the issues they are about, inside the transaction in which they do it (S2, D7).

use model::{
    actor::Actor,
    code::Code,
    id::IssueId,
    issue::{Issue, StatusRefused, Work, WorkEnd},
    journal::NewEntry,
    problem::Problem,
    run::{Run, RunStatus},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::Tx;

use super::save;

/// Whether work on an issue may start; asked by the admission of a kind that works on issues. A start that is
/// forced past open blockers is journaled with who forced it (D33): the entries are the run's.
///
/// # Errors
/// 409 [`Code::IssueClosed`]; 409 [`Code::IssueBlocked`] naming what it waits for.
pub async fn admit(tx: &mut Tx, issue: &Issue, force: bool, by: &Actor) -> Result<Vec<NewEntry>, Problem> {
    if !issue.status.is_open() {
        return Err(closed(issue));
    }
    let blockers = tx.issues_of_ids(&issue.blocked_by).await?;
    let open: Vec<_> = blockers
        .iter()
        .filter(|blocker| blocker.status.is_open())
        .map(|blocker| json!({"id": blocker.id, "number": blocker.number, "title": blocker.title}))
        .collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    if force {
        let data = json!({"issue": issue.id, "number": issue.number, "blocked_by": open, "actor": by});
        return Ok(vec![NewEntry::new("issue.forced", data)]);
    }
    let message = format!("issue {} waits for {} other(s)", issue.number, open.len());
    Err(Problem::new(Code::IssueBlocked, message).with("blocked_by", Value::Array(open)))
}

fn closed(issue: &Issue) -> Problem {
    let message = format!("issue {} is {}", issue.number, issue.status);
    Problem::new(Code::IssueClosed, message).with("issue_status", issue.status.name())
}

/// A run about an issue was stored: one that works on it moves it.
///
/// # Errors
/// 409 [`Code::IssueClosed`]: somebody closed it meanwhile.
pub async fn run_started(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<(), Problem> {
    let cause = json!({"run": run.id, "run_kind": run.kind, "actor": run.created_by, "to": run.status});
    moved(tx, run, Some(Work::Started), "run.created", cause, now).await
}

/// A run about an issue has another status: while it waits for a person, so does the issue.
///
/// # Errors
/// Those of the store.
pub async fn run_stepped(tx: &mut Tx, run: &Run, from: RunStatus, now: Timestamp) -> Result<(), Problem> {
    let work = match (from, run.status) {
        (_, RunStatus::Waiting) => Some(Work::Asked),
        (RunStatus::Waiting, _) => Some(Work::Answered),
        (
            RunStatus::Queued
            | RunStatus::Running
            | RunStatus::Paused
            | RunStatus::Completed
            | RunStatus::Failed
            | RunStatus::Cancelled,
            _,
        ) => None,
    };
    let cause = json!({"run": run.id, "run_kind": run.kind, "from": from, "to": run.status});
    moved(tx, run, work, "run.status", cause, now).await
}

/// A run about an issue has ended: no issue stays in progress because its run is gone (S2, X6).
///
/// # Errors
/// Those of the store.
pub async fn run_ended(tx: &mut Tx, run: &Run, end: WorkEnd, now: Timestamp) -> Result<(), Problem> {
    let cause = json!({
        "run": run.id, "run_kind": run.kind, "to": run.status, "verdict": run.verdict,
        "failure": run.failure.as_ref().map(|failure| failure.code),
    });
    moved(tx, run, Some(Work::Ended(end)), "run.finished", cause, now).await
}

/// A proof that was started for the issue of this run passed; `closes` is the project's setting (X6).
///
/// # Errors
/// Those of the store.
pub async fn proved(tx: &mut Tx, issue: IssueId, closes: bool, now: Timestamp) -> Result<(), Problem> {
    act(tx, issue, Work::Proved { closes }, "proved", json!({}), now).await.map(drop)
}

async fn moved(
    tx: &mut Tx,
    run: &Run,
    work: Option<Work>,
    what: &str,
    cause: Value,
    now: Timestamp,
) -> Result<(), Problem> {
    let Some(issue) = run.issue else { return Ok(()) };
    let told = match (run.works_on(), work) {
        (Some(issue), Some(work)) => act(tx, issue, work, what, cause.clone(), now).await?,
        _ => false,
    };
    if !told {
        // The issue stays where it is, and its card shows another run or another status of it.
        let mut cause = cause;
        if let Some(cause) = cause.as_object_mut() {
            cause.insert("what".to_owned(), what.into());
        }
        tx.issue_tell(issue, cause, now).await?;
    }
    Ok(())
}

/// Moves an issue as its work says. Whether that changed it, and so was told.
async fn act(
    tx: &mut Tx,
    issue: IssueId,
    work: Work,
    what: &str,
    cause: Value,
    now: Timestamp,
) -> Result<bool, Problem> {
    // A run is refused at its admission when its issue is gone; later it cannot be deleted any more (D6).
    let Some(old) = tx.issue_lock(issue).await? else { return Ok(false) };
    let moved = match old.status.by_work(old.notice, work) {
        Ok(moved) => moved,
        Err(StatusRefused::NotOpen(_) | StatusRefused::RunActive) => return Err(closed(&old)),
    };
    let mut new = Issue { status: moved.status, notice: moved.notice, ..old.clone() };
    save(tx, &old, &mut new, what, cause, now).await
}

//! What the kernel itself does to a run, inside a transaction that holds the run's row.

use model::{
    code::Code,
    failure::{Failure, FailureCode},
    id::RunId,
    journal::{Level, NewEntry, StreamId},
    policy::Policy,
    problem::Problem,
    question::QuestionState,
    run::{Run, RunEvent, RunKind, RunStatus},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{QuestionEnd, RunChange, Tx};

use crate::{
    issues,
    kind::{Event, Kind},
};

/// How a run ends, in its kind's words.
#[derive(Debug, Clone)]
pub struct Ending {
    /// `Completed`, `Failed` or `Cancelled`.
    pub event: RunEvent,
    /// The kind's answer.
    pub verdict: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the last entry also carries, such as counts and a message.
    pub facts: Value,
}

/// Moves a run to its next status and tells its own stream and the project's.
pub async fn step(tx: &mut Tx, run: &mut Run, event: RunEvent, because: &str, now: Timestamp) -> Result<(), Problem> {
    let from = run.status;
    let to = from.on(event).map_err(|refused| wrong_state(run, &refused.to_string()))?;
    save(tx, run, RunChange { status: Some(to), ..RunChange::default() }, now).await?;
    tell(tx, run, "run.status", json!({"from": from, "to": run.status, "because": because}), now).await?;
    issues::run_stepped(tx, run, from, now).await
}

/// Writes a change of the locked run and reads it back.
pub async fn save(tx: &mut Tx, run: &mut Run, change: RunChange, now: Timestamp) -> Result<(), Problem> {
    let change = RunChange { expected: vec![run.status], ..change };
    match tx.run_set(run.id, &change, now).await? {
        Some(changed) => {
            *run = changed;
            Ok(())
        }
        // The row is locked and the machine was asked, so only a change from outside explains this.
        None => Err(wrong_state(run, "its status changed meanwhile")),
    }
}

/// Enters a phase of the run's kind.
pub async fn enter(tx: &mut Tx, run: &mut Run, phase: &str, now: Timestamp) -> Result<(), Problem> {
    if run.phase == phase {
        return Ok(());
    }
    let from = run.phase.clone();
    save(tx, run, RunChange { phase: Some(phase.to_owned()), ..RunChange::default() }, now).await?;
    let entry = NewEntry::new("run.phase", json!({"from": from, "to": phase}));
    tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
    Ok(())
}

/// Tells a fact on the run's own stream and on its project's.
pub async fn tell(tx: &mut Tx, run: &Run, kind: &'static str, data: Value, now: Timestamp) -> Result<(), Problem> {
    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new(kind, data.clone())], now).await?;
    board(tx, run, kind, data, now).await
}

/// Puts a fact about a run on its project's stream. Always the last write of a transaction's journal
/// part: the run's row is locked before the project's stream (X57).
pub async fn board(tx: &mut Tx, run: &Run, kind: &'static str, mut data: Value, now: Timestamp) -> Result<(), Problem> {
    if let Some(data) = data.as_object_mut() {
        data.insert("run".into(), json!(run.id));
        data.insert("run_kind".into(), json!(run.kind));
        data.insert("revision".into(), json!(run.revision));
    }
    tx.journal_append(StreamId::Project(run.project), &[NewEntry::new(kind, data)], now).await?;
    Ok(())
}

/// Ends a run: its open questions are withdrawn, its open tasks cancelled, the kind has its last
/// word, and `run.finished` is the last entry of its stream (X24).
pub async fn close(
    kind: &dyn Kind,
    tx: &mut Tx,
    run: &mut Run,
    mut ending: Ending,
    now: Timestamp,
) -> Result<(), Problem> {
    for question in tx.questions_of(run.id).await? {
        if question.state != QuestionState::Open {
            continue;
        }
        let withdrawn = QuestionEnd::Withdrawn { because: "the run ended".to_owned() };
        tx.question_end(question.id, &withdrawn, now).await?;
        let data = json!({"question": question.id, "subject": question.subject, "because": "the run ended"});
        tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.withdrawn", data)], now).await?;
    }
    tx.question_wait_end(run.id).await?;
    if ending.event == RunEvent::Completed {
        match run.status {
            RunStatus::Queued => step(tx, run, RunEvent::Started, "nothing had to be claimed", now).await?,
            RunStatus::Waiting => step(tx, run, RunEvent::Unparked, "the last question was answered", now).await?,
            RunStatus::Running
            | RunStatus::Paused
            | RunStatus::Completed
            | RunStatus::Failed
            | RunStatus::Cancelled => {}
        }
    } else {
        let last_word = kind.on(tx, run, Event::Closing(ending.failure.as_ref()), now);
        last_word.await?;
        tx.cancel_open_tasks(run.id, now).await?;
        tx.cancel_leased_tasks(run.id, now).await?;
        // The kind may have counted what it has.
        ending.verdict = ending.verdict.or_else(|| run.verdict.clone());
    }
    let to = run.status.on(ending.event).map_err(|refused| wrong_state(run, &refused.to_string()))?;
    // The counters are recounted from the rows at each end, so that a lost count cannot stay (X54).
    let progress = tx.run_recount(run.id, true).await?;
    let change = RunChange {
        status: Some(to),
        verdict: ending.verdict,
        failure: ending.failure,
        cancelling: Some(false),
        ..RunChange::default()
    };
    save(tx, run, change, now).await?;
    run.progress = progress;
    let mut data = json!({
        "status": run.status,
        "verdict": run.verdict,
        "failure": run.failure,
        "progress": run.progress,
    });
    if let (Some(data), Some(facts)) = (data.as_object_mut(), ending.facts.as_object()) {
        data.extend(facts.clone());
    }
    let level = if run.status == RunStatus::Failed { Level::Error } else { Level::Info };
    let last = NewEntry::new("run.finished", data.clone()).at_level(level);
    tx.journal_append(StreamId::Run(run.id), &[last], now).await?;
    board(tx, run, "run.finished", data, now).await?;
    issues::run_ended(tx, run, kind.work_end(run), now).await?;
    proved(tx, run, now).await
}

/// A proof that another run of an issue had started has passed: where the project says so, the issue is done (X6).
async fn proved(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<(), Problem> {
    let (RunStatus::Completed, Some("passed"), Some(issue), Some(_)) =
        (run.status, run.verdict.as_deref(), run.issue, run.parent)
    else {
        return Ok(());
    };
    if run.kind != RunKind::PROOF {
        return Ok(());
    }
    let policy = tx.document(run.project, crate::projects::POLICY).await?;
    let closes = policy.and_then(|document| Policy::read(&document.body).ok());
    let closes = closes.is_some_and(|policy| policy.dispatch.close_on_proof);
    issues::proved(tx, issue, closes, now).await
}

/// The kernel's own rules after any change: a draining run ends when nothing is leased, and a run is
/// `waiting` exactly when a question is open and no task is ready or leased (X11).
pub async fn after_change(kind: &dyn Kind, tx: &mut Tx, run: &mut Run, now: Timestamp) -> Result<(), Problem> {
    if run.status.is_terminal() {
        return Ok(());
    }
    let open = tx.open_tasks(run.id).await?;
    if run.cancelling {
        if !open.leased {
            return close(kind, tx, run, cancelled(), now).await;
        }
        return Ok(());
    }
    let works = open.ready || open.leased;
    match run.status {
        RunStatus::Running if !works && tx.questions_open(run.id).await? > 0 => {
            if !kind.waits_locked() {
                tx.run_unlock(run.id).await?;
                run.exclusive_key = None;
            }
            step(tx, run, RunEvent::Parked, "only open questions are left", now).await
        }
        RunStatus::Waiting if works => step(tx, run, RunEvent::Unparked, "there is work again", now).await,
        _ => Ok(()),
    }
}

/// The ending of a run that a person cancelled.
pub fn cancelled() -> Ending {
    Ending { event: RunEvent::Cancelled, verdict: None, failure: None, facts: json!({"message": "cancelled"}) }
}

/// The ending of a run that could not do its work.
pub fn failed(code: FailureCode, message: impl Into<String>) -> Ending {
    let failure = Failure::new(code, message);
    let facts = json!({"message": failure.message});
    Ending { event: RunEvent::Failed, verdict: None, failure: Some(failure), facts }
}

/// 409: the run's status does not allow this.
pub fn wrong_state(run: &Run, message: &str) -> Problem {
    Problem::new(Code::WrongState, format!("the run is {}: {message}", run.status)).with("status", run.status.name())
}

/// A run's span: the root of its tree.
pub fn span(run: RunId) -> String {
    format!("run:{run}")
}

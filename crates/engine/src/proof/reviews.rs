//! Review gates: what a person is asked, and what their answer is worth (P67).

use std::collections::HashMap;

use model::{
    id::{QuestionId, TaskId},
    journal::{NewEntry, StreamId},
    problem::Problem,
    proof::{
        evidence::ReviewRecord,
        review::{ReviewAnswer, checklist_digest},
        verdict::Reason,
    },
    question::{Question, QuestionKind, QuestionState},
    run::Run,
    task::TaskState,
    time::Timestamp,
};
use serde_json::json;
use store::{QuestionEnd, RunChange, Tx};
use uuid::Uuid;

use super::{
    apply::{apply, open_of},
    kind::read,
    planner::{self, Command, Event, OpenGate},
    record::record,
    state::{Detail, GateInput, gate, task},
};
use crate::runs;

/// Has a person asked about a review gate: the question is opened, or the run waits for the one that is
/// open on the same files (P67). The last question, where its answer holds for these files already: then
/// nobody is asked.
pub async fn ask(tx: &mut Tx, run: &Run, id: TaskId, now: Timestamp) -> Result<Option<Question>, Problem> {
    let Some(row) = tx.task(id).await? else { return Ok(None) };
    let input: GateInput = read(&row.input)?;
    let detail = Detail::of(run)?;
    let schema = json!({"checklist": input.checklist, "tree": detail.tree_start, "commit": detail.commit});
    // An unknown tree is nobody else's.
    let same = |other: &Question| {
        detail.tree_start.is_some()
            && ["checklist", "tree"].iter().all(|field| other.schema.get(field) == schema.get(field))
    };
    tx.task_detail(id, gate::WAITING).await?;
    if let Some(open) = tx.question_open(run.project, &row.subject).await? {
        if same(&open) {
            tx.question_wait(run.id, open.id).await?;
            let data = json!({"question": open.id, "subject": open.subject, "prompt": open.prompt});
            tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.asked", data)], now).await?;
            return Ok(None);
        }
        // Its own run is told in a transaction of its own.
        let because = format!("superseded by run {}, which looks at other files", run.id);
        tx.question_end(open.id, &QuestionEnd::Withdrawn { because }, now).await?;
        tx.question_wait(open.run, open.id).await?;
    } else if let Some(last) = tx.question_answered(run.project, &row.subject).await?
        // Who tries again wants to be asked again.
        && run.retry_of.is_none()
        && same(&last)
        && may_judge(tx, run, &input, &last).await?.is_ok()
    {
        return Ok(Some(last));
    }
    let tree = detail.tree_start.as_ref().map_or("unknown", |tree| tree.short());
    let question = Question {
        id: QuestionId::from_uuid(Uuid::now_v7()),
        project: run.project,
        run: run.id,
        task: Some(id),
        kind: QuestionKind::Review,
        state: QuestionState::Open,
        prompt: format!("Look at {} on tree {tree}", row.subject),
        subject: row.subject,
        schema,
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        expires_at: None,
        created_at: now,
    };
    if !tx.question_insert(&question).await? {
        // Another run was first in this moment. How its question ends, this run is told.
        if let Some(open) = tx.question_open(run.project, &question.subject).await? {
            tx.question_wait(run.id, open.id).await?;
        }
        return Ok(None);
    }
    let data = json!({"question": question.id, "subject": question.subject, "prompt": question.prompt});
    // An inbox that is open shows it at once, also while other gates run (X48).
    runs::tell(tx, run, "question.asked", data, now).await?;
    Ok(None)
}

/// Whether who answered may judge this gate of this run.
async fn may_judge(
    tx: &mut Tx,
    run: &Run,
    input: &GateInput,
    question: &Question,
) -> Result<Result<(), Problem>, Problem> {
    let settings = crate::projects::proof_settings(tx, run.project).await?;
    let creator = tx.requirement(run.project, input.requirement).await?.map(|kept| kept.requirement.created_by);
    let (Some(by), Some(creator)) = (&question.answered_by, &creator) else { return Ok(Ok(())) };
    Ok(model::proof::review::may_judge(by, settings.four_eyes, Some(&run.created_by), creator)
        .map_err(|code| Problem::new(code, code.title())))
}

/// The gate of a run that waits for a person to look at what a question is about.
async fn waiting(tx: &mut Tx, run: &Run, question: &Question) -> Result<Option<OpenGate>, Problem> {
    let row = tx.task_by_subject(run.id, task::GATE, &question.subject).await?;
    let row = row.filter(|row| row.state == TaskState::Blocked && row.detail.as_deref() == Some(gate::WAITING));
    row.map(|row| Ok(OpenGate { task: row.id, input: read(&row.input)? })).transpose()
}

/// A person looked.
pub async fn answered(tx: &mut Tx, run: &mut Run, question: &Question, now: Timestamp) -> Result<(), Problem> {
    let Some(gate) = waiting(tx, run, question).await? else { return Ok(()) };
    if let Err(problem) = may_judge(tx, run, &gate.input, question).await? {
        if question.run == run.id {
            return Err(problem);
        }
        // The answer holds for the run that asked; for this one somebody else has to look.
        return asked_again(tx, run, &gate, now).await;
    }
    let body = question.answer.clone().unwrap_or_default();
    let answer = ReviewAnswer::read(&body, gate.input.checklist.len())?;
    let review = ReviewRecord {
        question: question.id,
        answered_by: question.answered_by.clone(),
        checklist: checklist_digest(&gate.input.checklist),
        comment: answer.text.clone(),
    };
    let message = answer.text.clone().unwrap_or_else(|| "a person looked".to_owned());
    let open = open_of(tx, run).await?;
    let event = Event::Reviewed { gate: &gate, outcome: answer.outcome(), message: &message };
    let mut detail = Detail::of(run)?;
    detail.executed += 1;
    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
    let mut rest = Vec::new();
    for command in planner::on(&event, open) {
        match command {
            Command::Record { gate, judgement } => {
                record(tx, run, gate, &judgement, &HashMap::new(), Some(review.clone()), now).await?;
            }
            other => rest.push(other),
        }
    }
    apply(tx, run, rest, now).await
}

/// Nobody answered in time (X10). Asking again would only ask for ever, so the gate ends.
async fn expired(
    tx: &mut Tx,
    run: &mut Run,
    question: &Question,
    gate: &OpenGate,
    now: Timestamp,
) -> Result<(), Problem> {
    if question.run != run.id {
        let data = json!({"question": question.id, "subject": question.subject, "expires_at": question.expires_at});
        tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.expired", data)], now).await?;
    }
    let open = open_of(tx, run).await?;
    let event = Event::Reviewed { gate, outcome: Reason::ReviewExpired.into(), message: "nobody answered in time" };
    let mut rest = Vec::new();
    for command in planner::on(&event, open) {
        match command {
            Command::Record { gate, judgement } => {
                record(tx, run, gate, &judgement, &HashMap::new(), None, now).await?;
            }
            other => rest.push(other),
        }
    }
    apply(tx, run, rest, now).await
}

/// A question that the run waited for ended unanswered: a newer run looks at other files, or the run
/// that had asked is over.
pub async fn unanswered(tx: &mut Tx, run: &mut Run, question: &Question, now: Timestamp) -> Result<(), Problem> {
    let Some(gate) = waiting(tx, run, question).await? else { return Ok(()) };
    if question.state == QuestionState::Expired {
        return expired(tx, run, question, &gate, now).await;
    }
    let data = json!({"question": question.id, "subject": question.subject, "because": question.because});
    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.withdrawn", data)], now).await?;
    let newer = tx.question_open(run.project, &question.subject).await?.filter(|open| open.run > run.id);
    let Some(newer) = newer else { return asked_again(tx, run, &gate, now).await };
    let open = open_of(tx, run).await?;
    let message = format!("superseded: run {} asks about newer files", newer.run);
    apply(tx, run, planner::on(&Event::Superseded { gate: &gate, message: &message }, open), now).await
}

async fn asked_again(tx: &mut Tx, run: &mut Run, gate: &OpenGate, now: Timestamp) -> Result<(), Problem> {
    apply(tx, run, vec![Command::Ask { gate: gate.task }], now).await
}

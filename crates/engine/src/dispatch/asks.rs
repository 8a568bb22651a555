//! Leave for uses of tools, on the plane's side: the policy speaks first, then a person (S39, S58-S63, S77).
//!
//! A performer only ever tells, behind the fence of its task, what an agent wants; it is told how that stands. So it
//! makes no difference where it works, and nothing about a question lives in a process: whoever has the task asks
//! again and gets the same answer.

use std::time::Duration;

use exec::redact::Redactor;
use model::{
    approval::{ApprovalAnswer, Ruled, Standing, ToolAsk},
    code::Code,
    digest::Digest,
    id::{QuestionId, RunId, TaskId},
    journal::StreamId,
    limits,
    policy::Policy,
    problem::Problem,
    proof::review::may_judge,
    question::{Question, QuestionKind, QuestionState},
    run::Run,
    task::{Fence, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{QuestionEnd, RunChange, TaskChange, Tx};
use tokio::time::Instant;
use uuid::Uuid;

use super::state::Detail;
use crate::{Engine, runs};

impl Engine {
    /// How what an agent wants to do stands: the policy's word, a person's, or an open question, which is asked now
    /// if it was not. With `take` a yes is used up: it was for one use, and this is that use (S61).
    ///
    /// # Errors
    /// 409 [`Code::LeaseLost`] when somebody else has the task.
    pub async fn ask_approval(&self, fence: Fence, ask: ToolAsk, take: bool) -> Result<Standing, Problem> {
        let (now, ask) = (self.now(), std::sync::Arc::new(ask));
        self.store()
            .write(move |tx| {
                let ask = ask.clone();
                Box::pin(async move {
                    let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
                    let mut run = tx.run_lock(task.run).await?.ok_or_else(Problem::not_found)?;
                    let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
                    if !fence.admits(task.state, task.generation) {
                        return Err(Problem::new(Code::LeaseLost, "the task is no longer leased to this worker"));
                    }
                    if run.cancelling || run.status.is_terminal() {
                        return Ok(denied("the run is being ended"));
                    }
                    if let Some(flaw) = ask.flaw() {
                        return Ok(denied(flaw));
                    }
                    stands(tx, &mut run, task.id, &ask, take, now).await
                })
            })
            .await
    }

    /// As [`Engine::ask_approval`]; while nobody has answered it waits for that, but not longer than `most`.
    ///
    /// # Errors
    /// As [`Engine::ask_approval`].
    pub async fn ask_approval_and_wait(
        &self,
        fence: Fence,
        ask: ToolAsk,
        take: bool,
        most: Duration,
    ) -> Result<Standing, Problem> {
        let until = Instant::now() + most;
        loop {
            let standing = self.ask_approval(fence, ask.clone(), take).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !matches!(standing, Standing::Open { .. }) || self.stopping().is_cancelled() {
                return Ok(standing);
            }
            let task = self.store().read(move |tx| Box::pin(async move { tx.task(fence.task).await })).await?;
            let Some(task) = task else { return Ok(standing) };
            let mut told = self.bus().subscribe(StreamId::Run(task.run));
            tokio::select! {
                () = told.changed() => {}
                // What was told before this listened is seen then.
                () = tokio::time::sleep(left.min(Duration::from_secs(1))) => {}
                () = self.stopping().cancelled() => {}
            }
        }
    }
}

fn denied(reason: impl Into<String>) -> Standing {
    Standing::Denied { reason: reason.into() }
}

async fn stands(
    tx: &mut Tx,
    run: &mut Run,
    task: TaskId,
    ask: &ToolAsk,
    take: bool,
    now: Timestamp,
) -> Result<Standing, Problem> {
    let digest = ask.digest(run.id);
    let asked: Vec<Question> =
        tx.questions_of(run.id).await?.into_iter().filter(|question| question.kind == QuestionKind::Approval).collect();
    let same = asked.iter().rev().find(|question| about(question) == Some(digest));
    let mut detail = Detail::of(run)?;
    match same.map(|question| (question, question.state)) {
        Some((question, QuestionState::Open)) => return Ok(Standing::Open { question: question.id }),
        // A no holds for this run: nobody is asked twice for what they refused.
        Some((_, QuestionState::Expired)) => return Ok(denied("nobody answered within a day")),
        Some((question, QuestionState::Answered)) => {
            let answer = ApprovalAnswer::read(&question.answer.clone().unwrap_or_default(), &digest)?;
            let by = question.answered_by.as_ref().map_or("a person", |actor| actor.label());
            if let Some(refusal) = answer.refusal(by) {
                return Ok(denied(refusal));
            }
            if !detail.used_approvals.contains(&question.id) {
                if take {
                    detail.used_approvals.push(question.id);
                    let change = RunChange { detail: Some(detail.json()), ..RunChange::default() };
                    runs::save(tx, run, change, now).await?;
                }
                return Ok(Standing::Allowed);
            }
        }
        Some((_, QuestionState::Withdrawn)) | None => {}
    }
    // An admin's change of the policy holds from the next call on: there is no other lasting leave.
    let policy = match tx.document(run.project, crate::projects::POLICY).await? {
        Some(document) => Policy::read(&document.body).map_err(Problem::invalid)?,
        None => Policy::default(),
    };
    let because = match ask.ruled(&policy) {
        Ruled::Allow => return Ok(Standing::Allowed),
        Ruled::Deny { rule, message } => return Ok(denied(format!("{message} ({rule})"))),
        Ruled::Ask(because) => because,
    };
    if asked.len() >= limits::APPROVALS_PER_RUN {
        return Ok(denied(format!("a run asks for {} approvals at most", limits::APPROVALS_PER_RUN)));
    }
    open(tx, run, task, ask, &because, digest, now).await
}

/// What an approval is about.
fn about(question: &Question) -> Option<Digest> {
    question.schema.get("digest")?.as_str()?.parse().ok()
}

/// Opens the question: row, entry and the board's entry in one transaction (S58). The task stays with its holder,
/// which gives it back when nobody answers soon.
async fn open(
    tx: &mut Tx,
    run: &Run,
    task: TaskId,
    ask: &ToolAsk,
    because: &str,
    digest: Digest,
    now: Timestamp,
) -> Result<Standing, Problem> {
    let redactor = Redactor::of_shapes();
    let id = QuestionId::from_uuid(Uuid::now_v7());
    let mut data = json!({
        "digest": digest, "agent": ask.agent, "tool": ask.tool, "input": ask.input, "argv": ask.argv,
        "folder": ask.folder, "because": because,
    });
    redact(&mut data, &redactor);
    let question = Question {
        id,
        project: run.project,
        run: run.id,
        task: Some(task),
        kind: QuestionKind::Approval,
        state: QuestionState::Open,
        subject: format!("{}/{}", ask.tool, &digest.to_string()[..16]),
        prompt: redactor.redact(&ask.prompt(because)).into_owned(),
        schema: data,
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        expires_at: Some(now.plus(limits::APPROVAL)),
        created_at: now,
    };
    if !tx.question_insert(&question).await? {
        return Ok(denied("another run asks the same at this moment"));
    }
    let data = json!({
        "question": id, "subject": question.subject, "prompt": question.prompt, "expires_at": question.expires_at,
    });
    runs::tell(tx, run, "question.asked", data, now).await?;
    Ok(Standing::Open { question: id })
}

/// Takes secrets out of every text of a document.
fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(clean) = redactor.redact(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|field| redact(field, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A person answered: the answer is looked at before anything changes (S60), then whoever waits may go on (S61).
pub(super) async fn answered(tx: &mut Tx, run: &Run, question: &Question, now: Timestamp) -> Result<(), Problem> {
    let digest = about(question).ok_or_else(|| Problem::new(Code::Internal, "the question names no digest"))?;
    ApprovalAnswer::read(&question.answer.clone().unwrap_or_default(), &digest)?;
    if let Some(by) = &question.answered_by {
        let settings = crate::projects::proof_settings(tx, run.project).await?;
        may_judge(by, settings.four_eyes, None, &run.created_by).map_err(|code| Problem::new(code, code.title()))?;
    }
    go_on(tx, question, now).await
}

/// The task that waited for a question is ready again; one whose agent was kept goes on by itself.
pub(super) async fn go_on(tx: &mut Tx, question: &Question, now: Timestamp) -> Result<(), Problem> {
    let Some(task) = question.task else { return Ok(()) };
    tx.task_transition(task, &[TaskState::Blocked], &TaskChange::new(TaskEvent::Unblocked), now).await?;
    Ok(())
}

/// The agent's task is over: what it still asked matters no more.
pub(super) async fn withdraw(tx: &mut Tx, run: &Run, task: TaskId, now: Timestamp) -> Result<(), Problem> {
    for question in tx.questions_of(run.id).await? {
        if question.state != QuestionState::Open || question.task != Some(task) {
            continue;
        }
        let because = "the agent has ended without it";
        tx.question_end(question.id, &QuestionEnd::Withdrawn { because: because.to_owned() }, now).await?;
        let data = json!({"question": question.id, "subject": question.subject, "because": because});
        runs::tell(tx, run, "question.withdrawn", data, now).await?;
    }
    Ok(())
}

/// Whether a task waits for people.
pub(crate) async fn waits(tx: &mut Tx, run: RunId, task: TaskId) -> Result<bool, Problem> {
    let asked = tx.questions_of(run).await?;
    Ok(asked.iter().any(|question| question.state == QuestionState::Open && question.task == Some(task)))
}

//! A pool is used up: one question to a person, and what becomes of the runs that wait for it (S67, L90).

use model::{
    failure::FailureCode,
    id::QuestionId,
    journal::{NewEntry, StreamId},
    ledger::{BudgetAnswer, Cap, PoolKey, PoolKind},
    money::NanoUsd,
    problem::Problem,
    question::{Question, QuestionKind, QuestionState},
    run::Run,
    task::{TaskEvent, TaskState},
    time::{Day, Timestamp},
};
use serde_json::{Value, json};
use store::{TaskChange, TaskFilter, TopUp, Tx};
use uuid::Uuid;

use super::{Refused, account, budget};
use crate::{
    dispatch::asks,
    kind::{Event, Kind},
    projects, runs,
};

/// What a question about a pool is about: a run's is its own, a day's is shared by all runs of the project.
fn subject(pool: PoolKey) -> String {
    match pool {
        PoolKey::Run(run) => format!("budget/run/{}", run.short()),
        PoolKey::Day(_, day) => format!("budget/day/{day}"),
    }
}

/// Asks for more money, or lets the run wait for the question that is open about the same pool.
pub(crate) async fn ask(tx: &mut Tx, run: &mut Run, refused: &Refused, now: Timestamp) -> Result<(), Problem> {
    let pool = refused.short.pool;
    let about = subject(pool);
    // Another run may ask, or be answered, in this very moment: then it is looked again.
    for _ in 0..3 {
        if let Some(open) = tx.question_open(run.project, &about).await? {
            tx.question_wait(run.id, open.id).await?;
            let data = json!({"question": open.id, "subject": open.subject, "prompt": open.prompt});
            tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.asked", data)], now).await?;
            return Ok(());
        }
        let question = question(tx, run, refused, &about, now).await?;
        if tx.question_insert(&question).await? {
            let data = json!({
                "question": question.id, "subject": question.subject, "prompt": question.prompt,
                "expires_at": question.expires_at,
            });
            return runs::tell(tx, run, "question.asked", data, now).await;
        }
    }
    Err(Problem::new(model::code::Code::Internal, "a question about a budget could not be asked"))
}

async fn question(tx: &mut Tx, run: &Run, refused: &Refused, about: &str, now: Timestamp) -> Result<Question, Problem> {
    let short = &refused.short;
    let day = tx.ledger_pool(PoolKey::Day(run.project, now.day())).await?;
    let day_left = day.left(refused.caps.day);
    let most = budget(tx, run.project).await?.max_top_up;
    let micros = NanoUsd::micros_up;
    let schema = json!({
        "pool": short.pool.kind(), "run": run.id, "phase": run.phase, "day": now.day(),
        "cap_micro_usd": micros(short.cap), "spent_micro_usd": micros(short.stands.settled),
        "reserved_micro_usd": micros(short.stands.reserved), "wanted_micro_usd": micros(short.wanted),
        "day_left_micro_usd": day_left.map(micros), "max_top_up_micro_usd": micros(most),
    });
    let whose = match short.pool {
        PoolKey::Run(_) => "The run has used up its budget".to_owned(),
        PoolKey::Day(_, day) => format!("The project has used up its budget for {day} (UTC)"),
    };
    let left = match day_left {
        Some(left) => format!("the day has {left} left"),
        None => "the day has no cap".to_owned(),
    };
    let prompt = format!(
        "{whose}: {} spent and {} reserved of {}, and {} is needed to go on; {left}. Everything that was made so far is \
         kept. Top it up, or stop the run.",
        short.stands.settled, short.stands.reserved, short.cap, short.wanted
    );
    Ok(Question {
        id: QuestionId::from_uuid(Uuid::now_v7()),
        project: run.project,
        run: run.id,
        task: None,
        kind: QuestionKind::Budget,
        state: QuestionState::Open,
        subject: about.to_owned(),
        prompt,
        schema,
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        // The next day has money of its own: then the question is withdrawn (X11).
        expires_at: match short.pool {
            PoolKey::Run(_) => None,
            PoolKey::Day(_, day) => Some(day.end()),
        },
        created_at: now,
    })
}

/// Tells a run how a question ended that it waited for: what is about money the kernel decides, everything else its
/// kind.
pub(crate) async fn told(
    kind: &dyn Kind,
    tx: &mut Tx,
    run: &mut Run,
    question: &Question,
    now: Timestamp,
) -> Result<(), Problem> {
    match (question.kind, question.state) {
        (QuestionKind::Budget, QuestionState::Answered) => answered(kind, tx, run, question, now).await,
        (QuestionKind::Budget, QuestionState::Open | QuestionState::Expired | QuestionState::Withdrawn) => {
            if question.run != run.id {
                let data = json!({"question": question.id, "subject": question.subject, "because": question.because});
                let entry = NewEntry::new("question.withdrawn", data);
                tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
            }
            go_on(tx, run, question, now).await
        }
        (_, QuestionState::Answered) => kind.on(tx, run, Event::Answered(question), now).await,
        (_, QuestionState::Open | QuestionState::Expired | QuestionState::Withdrawn) => {
            kind.on(tx, run, Event::Unanswered(question), now).await
        }
    }
}

/// The pool and the day that a question is about.
fn pool_of(question: &Question) -> Option<(PoolKind, Day)> {
    let field = |name: &str| question.schema.get(name).cloned().unwrap_or(Value::Null);
    Some((serde_json::from_value(field("pool")).ok()?, serde_json::from_value(field("day")).ok()?))
}

async fn answered(
    kind: &dyn Kind,
    tx: &mut Tx,
    run: &mut Run,
    question: &Question,
    now: Timestamp,
) -> Result<(), Problem> {
    let unreadable = || Problem::new(model::code::Code::Internal, "the question names no pool");
    let (pool, day) = pool_of(question).ok_or_else(unreadable)?;
    let budget = budget(tx, run.project).await?;
    let body = question.answer.clone().unwrap_or_default();
    let asks_here = question.run == run.id;
    // A question of another run was looked at when it was answered; what was left of the day then is gone.
    let day_left = match budget.caps.day {
        Cap::At(_) if asks_here => tx.ledger_pool(PoolKey::Day(run.project, now.day())).await?.left(budget.caps.day),
        Cap::At(_) | Cap::Unlimited => None,
    };
    match BudgetAnswer::read(&body, pool, budget.max_top_up, day_left)? {
        BudgetAnswer::Stop => {
            let by = question.answered_by.as_ref().map_or("a person", |actor| actor.label());
            let ending = runs::failed(FailureCode::BudgetExhausted, format!("{by} stopped it: {}", used_up(pool)));
            runs::close(kind, tx, run, ending, now).await
        }
        BudgetAnswer::TopUp { run: more, day: of_day } => {
            if let (true, Some(by)) = (asks_here, &question.answered_by) {
                // What is added to a day counts on the day that was asked about; to a run's day, on this one.
                let day = if pool == PoolKind::Day { day } else { now.day() };
                let top_up = TopUp {
                    question: question.id,
                    account: account(run, day),
                    run: more,
                    day: of_day,
                    by: by.clone(),
                    at: now,
                };
                if tx.ledger_top_up(&top_up).await? {
                    let facts = json!({
                        "question": question.id, "pool": pool, "run": run.id, "day": day, "actor": by,
                        "micro_usd": more.micros_up(), "day_micro_usd": of_day.micros_up(),
                        "reason": body.get("reason"),
                    });
                    projects::told(tx, run.project, "ledger.topped_up", facts, now).await?;
                }
            }
            go_on(tx, run, question, now).await
        }
    }
}

const fn used_up(pool: PoolKind) -> &'static str {
    match pool {
        PoolKind::Run => "the run's budget is used up",
        PoolKind::Day => "the project's budget of the day is used up",
    }
}

/// What waits for money is offered again. Whether there is enough now shows when it is claimed.
async fn go_on(tx: &mut Tx, run: &Run, question: &Question, now: Timestamp) -> Result<(), Problem> {
    // It waited for a person, not for a worker (X31).
    tx.run_patience(run.id, now.since(question.created_at)).await?;
    let filter = TaskFilter { states: vec![TaskState::Blocked], ..TaskFilter::default() };
    for task in tx.tasks(run.id, &filter, None, model::limits::PAGE_MAX).await? {
        if task.reserve.is_some() && !asks::waits(tx, run.id, task.id).await? {
            tx.task_transition(task.id, &[TaskState::Blocked], &TaskChange::new(TaskEvent::Unblocked), now).await?;
        }
    }
    Ok(())
}

//! Outcomes: what came of a task, recorded once per claim (D59).

use std::collections::HashMap;

use model::{
    id::{RunId, TaskId},
    run::RunKind,
    task::{Fence, Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    claim::MANY,
    error::{LostReason, StoreError},
    lease::{lost, refusal},
    sql::statements,
    task::{Kept, TaskChange, columns, kept},
    tx::Tx,
    value::Value,
};

statements! {
    KINDS => sqlite "SELECT t.id, r.kind FROM task t JOIN run r ON r.id = t.run
            WHERE t.id IN (SELECT unhex(value) FROM json_each($1))",
        postgres "SELECT t.id, r.kind FROM task t JOIN run r ON r.id = t.run WHERE t.id = ANY($1)";
    RUNS_LOCK => sqlite "", postgres "SELECT id FROM run WHERE id IN (SELECT run FROM task WHERE id = ANY($1)) ORDER BY id
        FOR UPDATE";
    TASKS_LOCK => sqlite concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.id IN (SELECT unhex(value) FROM json_each($1))"),
        postgres concat!("SELECT ", columns!(), " FROM task t LEFT JOIN task_lease l ON l.task = t.id
        WHERE t.id = ANY($1) ORDER BY t.id FOR UPDATE OF t");
    END_EACH => sqlite "UPDATE task SET state = $2, detail = coalesce($3, detail), output = $4, finished_at = $5, bad = $6,
        outcome_generation = $7 WHERE id = $1", postgres "";
    UNLEASE => sqlite "DELETE FROM task_lease WHERE task IN (SELECT unhex(value) FROM json_each($1))", postgres "";
    UNREADY => sqlite "DELETE FROM task_ready WHERE task IN (SELECT unhex(value) FROM json_each($1))", postgres "";
    END => sqlite "", postgres "WITH unleased AS (DELETE FROM task_lease WHERE task = ANY($1)),
        unready AS (DELETE FROM task_ready WHERE task = ANY($1))
        UPDATE task t SET state = u.state, detail = coalesce(u.detail, t.detail), output = u.output, finished_at = $2,
            bad = u.bad, outcome_generation = u.generation
        FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
          AS u (id, state, detail, output, bad, generation) WHERE t.id = u.id";
}

/// What a worker says came of its task.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// It could be done.
    pub done: bool,
    /// What came of it.
    pub output: Json,
    /// The kind's own finer state; `None` keeps what is there.
    pub detail: Option<String>,
    /// Counts as failed in the run's progress; an outcome that is not done always does.
    pub bad: bool,
}

/// A recorded outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The task as it ended.
    pub task: Task,
    /// The same claim had recorded the same outcome before; nothing changed now (D59).
    pub repeated: bool,
}

/// What a fence and an outcome mean for a task as it stands.
enum Word {
    /// It is taken.
    Taken(TaskChange),
    /// It was said before.
    Repeated,
}

fn weigh(kept: &Kept, fence: Fence, outcome: &Outcome) -> Result<Word, StoreError> {
    let (state, newest) = (kept.task.state, kept.task.generation);
    if fence.admits(state, newest) {
        let event = if outcome.done { TaskEvent::Finished } else { TaskEvent::Failed };
        return Ok(Word::Taken(TaskChange {
            event,
            output: Some(outcome.output.clone()),
            detail: outcome.detail.clone(),
            bad: outcome.bad,
        }));
    }
    if kept.outcome_generation != Some(fence.generation) {
        return Err(refusal(fence, state, newest));
    }
    let same = (state == TaskState::Done) == outcome.done
        && kept.task.output.as_ref() == Some(&outcome.output)
        && (outcome.detail.is_none() || outcome.detail == kept.task.detail);
    if same { Ok(Word::Repeated) } else { Err(StoreError::OutcomeSet { task: fence.task }) }
}

impl Tx {
    /// Records what came of a task, once per claim. The same again is answered with what is stored
    /// (D59); the word of a late holder counts while nobody has claimed since (X16).
    pub async fn task_finish(
        &mut self,
        fence: Fence,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Finished, StoreError> {
        if !self.is_sqlite() {
            return self.finish_lists(&[(fence, outcome.clone())], now).await?.remove(0);
        }
        let Some(kept) = self.task_lock(fence.task).await? else { return Err(StoreError::NotFound("task")) };
        match weigh(&kept, fence, outcome)? {
            Word::Repeated => Ok(Finished { task: kept.task, repeated: true }),
            Word::Taken(change) => match self.task_change(kept, &change, Some(fence.generation), now).await? {
                Some(task) => Ok(Finished { task, repeated: false }),
                None => Err(lost(fence.task, LostReason::Finished)),
            },
        }
    }

    /// What the runs of these tasks do; tasks that do not exist are left out.
    pub async fn run_kinds_of(&mut self, tasks: &[TaskId]) -> Result<HashMap<TaskId, RunKind>, StoreError> {
        let ids = Value::uuids(tasks.iter().map(|task| task.uuid()));
        let rows = self.query(&KINDS, &[ids]).await?;
        rows.into_iter().map(|mut row| Ok((TaskId::from_uuid(row.uuid()?), RunKind::from_text(row.text()?)))).collect()
    }

    /// As [`Tx::task_finish`] for many tasks; each answer stands for itself. Over PostgreSQL that is
    /// three statements, however many tasks there are.
    pub async fn tasks_finish(
        &mut self,
        outcomes: &[(Fence, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<Result<Finished, StoreError>>, StoreError> {
        if !self.is_sqlite() || outcomes.len() >= MANY {
            return self.finish_lists(outcomes, now).await;
        }
        let mut answers = Vec::with_capacity(outcomes.len());
        for (fence, outcome) in outcomes {
            answers.push(match self.task_finish(*fence, outcome, now).await {
                Err(
                    refused @ (StoreError::NotFound(_) | StoreError::LeaseLost { .. } | StoreError::OutcomeSet { .. }),
                ) => Err(refused),
                other => Ok(other?),
            });
        }
        Ok(answers)
    }

    async fn finish_lists(
        &mut self,
        outcomes: &[(Fence, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<Result<Finished, StoreError>>, StoreError> {
        let ids = Value::uuids(outcomes.iter().map(|(fence, _)| fence.task.uuid()));
        if !self.is_sqlite() {
            for mut row in self.query(&RUNS_LOCK, std::slice::from_ref(&ids)).await? {
                let run = RunId::from_uuid(row.uuid()?);
                self.hold(run);
            }
        }
        let mut found: HashMap<TaskId, Kept> = HashMap::with_capacity(outcomes.len());
        for row in self.query(&TASKS_LOCK, &[ids]).await? {
            let kept = kept(row)?;
            found.insert(kept.task.id, kept);
        }
        let mut answers = Vec::with_capacity(outcomes.len());
        let mut ended: Vec<(TaskId, bool, u32)> = Vec::with_capacity(outcomes.len());
        let mut slotted = Vec::new();
        let mut was_ready = false;
        for (fence, outcome) in outcomes {
            let Some(kept) = found.get_mut(&fence.task) else {
                answers.push(Err(StoreError::NotFound("task")));
                continue;
            };
            let change = match weigh(kept, *fence, outcome) {
                Ok(Word::Taken(change)) => change,
                Ok(Word::Repeated) => {
                    answers.push(Ok(Finished { task: kept.task.clone(), repeated: true }));
                    continue;
                }
                Err(refused) => {
                    answers.push(Err(refused));
                    continue;
                }
            };
            // The row is held, so what the machine says is what happens.
            let Ok(next) = kept.task.state.on(change.event) else {
                answers.push(Err(lost(fence.task, LostReason::Finished)));
                continue;
            };
            let bad = next == TaskState::Failed || change.bad;
            if kept.task.reserve.is_some() && kept.task.state == TaskState::Leased {
                self.ledger_let_go(Fence { task: kept.task.id, generation: kept.task.generation }, now).await?;
            }
            if kept.task.counted {
                self.run_progress(kept.task.run, 0, 1, bad.into());
            }
            if kept.slotted && !slotted.contains(&kept.task.run) {
                slotted.push(kept.task.run);
            }
            was_ready |= kept.task.state == TaskState::Ready;
            kept.task.state = next;
            kept.task.lease = None;
            kept.task.finished_at = Some(now);
            kept.task.detail = change.detail.or(kept.task.detail.take());
            kept.task.output = change.output;
            // The same task again in this list is a repeat.
            kept.outcome_generation = Some(fence.generation);
            ended.push((fence.task, bad, fence.generation));
            answers.push(Ok(Finished { task: kept.task.clone(), repeated: false }));
        }
        if !ended.is_empty() {
            let ended: Vec<_> = ended
                .iter()
                .filter_map(|(task, bad, generation)| Some((&found.get(task)?.task, *bad, *generation)))
                .collect();
            self.end_all(&ended, was_ready, now).await?;
        }
        for run in slotted {
            self.slots_fill(run).await?;
        }
        Ok(answers)
    }

    /// Writes the ends of tasks, each with whether it counts as failed and which claim said so.
    async fn end_all(
        &mut self,
        ended: &[(&Task, bool, u32)],
        was_ready: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ids = Value::uuids(ended.iter().map(|(task, ..)| task.id.uuid()));
        if self.is_sqlite() {
            for (task, bad, generation) in ended {
                let params = [
                    task.id.into(),
                    task.state.name().into(),
                    task.detail.as_deref().into(),
                    task.output.as_ref().map(Value::json).unwrap_or(Value::Null),
                    now.into(),
                    (*bad).into(),
                    (*generation).into(),
                ];
                self.exec(&END_EACH, &params).await?;
            }
            self.exec(&UNLEASE, std::slice::from_ref(&ids)).await?;
            // A late word ends a task that waits again; else there is nothing to take out of the queue.
            return if was_ready { self.exec(&UNREADY, &[ids]).await.map(drop) } else { Ok(()) };
        }
        let outputs = ended.iter().map(|(task, ..)| task.output.as_ref().map(|output| output.to_string().into()));
        let params = vec![
            ids,
            now.into(),
            Value::texts(ended.iter().map(|(task, ..)| task.state.name())),
            Value::Texts(ended.iter().map(|(task, ..)| task.detail.as_deref().map(Into::into)).collect()),
            Value::Texts(outputs.collect()),
            Value::ints(ended.iter().map(|(_, bad, _)| (*bad).into())),
            Value::ints(ended.iter().map(|(.., generation)| (*generation).into())),
        ];
        self.exec_later(&END, params).await
    }
}

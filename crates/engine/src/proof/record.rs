//! Ends gates: with evidence where something was looked at, without where nothing was.

use std::collections::{BTreeSet, HashMap};

use model::{
    id::{EvidenceId, TaskId},
    journal::{Edge, Level, NewEntry, StreamId},
    problem::Problem,
    proof::{
        evidence::{Evidence, ReviewRecord},
        judge::Judgement,
        requirement::RequirementNumber,
        verdict::{Outcome, Reason, Verdict},
    },
    run::Run,
    task::{Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{TaskChange, Tx};
use uuid::Uuid;

use super::{
    command,
    kind::read,
    state::{CommandOutput, Detail, GateInput},
};
use crate::runs;

/// Stores evidence and ends its gate with it (P49). The requirement, when it was bad news that moves
/// the project's standing.
pub async fn record(
    tx: &mut Tx,
    run: &Run,
    id: TaskId,
    judgement: &Judgement,
    ends: &HashMap<TaskId, CommandOutput>,
    review: Option<ReviewRecord>,
    now: Timestamp,
) -> Result<Option<RequirementNumber>, Problem> {
    let Some(row) = tx.task(id).await? else { return Ok(None) };
    let input: GateInput = read(&row.input)?;
    if judgement.outcome.reason() == Some(Reason::Cancelled) {
        drop_gate(tx, run, &row, Reason::Cancelled, &judgement.message, now).await?;
        return Ok(None);
    }
    let detail = Detail::of(run)?;
    let needed: BTreeSet<TaskId> = input.plans.iter().flat_map(|plan| plan.commands.iter().copied()).collect();
    let commands = needed.iter().filter_map(|command| ends.get(command)).map(|end| end.record.sealed()).collect();
    let evidence = Evidence {
        id: EvidenceId::from_uuid(Uuid::now_v7()),
        project: run.project,
        seq: tx.evidence_seq(run.project).await?,
        requirement: input.requirement,
        gate: input.gate.clone(),
        run: run.id,
        commands,
        cases: judgement.cases.clone(),
        outcome: judgement.outcome,
        message: judgement.message.clone(),
        tree: detail.tree_start.clone(),
        commit: detail.commit.clone(),
        dirty: detail.dirty,
        definition: input.definition.unwrap_or_else(|| model::digest::Digest::of(b"")),
        review,
        recorded_at: now,
        seal: model::digest::Digest::of(b""),
    }
    .sealed();
    if !tx.evidence_insert(&evidence, detail.settles).await? {
        return Ok(None);
    }
    let outcome = judgement.outcome;
    let output = json!({
        "verdict": outcome.verdict(), "reason": outcome.reason(), "evidence": evidence.id,
        "message": judgement.message, "rules": judgement.rules,
    });
    finish_gate(tx, &row, outcome, &output, now).await?;
    let data = json!({
        "requirement": input.requirement, "gate": input.gate, "verdict": outcome.verdict(),
        "reason": outcome.reason(), "message": judgement.message, "evidence": evidence.id, "seal": evidence.seal,
    });
    tell_gate(tx, run, &row, outcome, data, now).await?;
    Ok((!outcome.is_passed() && detail.settles).then_some(input.requirement))
}

/// Ends a gate in which nothing was looked at: no evidence (P24).
pub async fn drop_gate(
    tx: &mut Tx,
    run: &Run,
    row: &Task,
    reason: Reason,
    message: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    let outcome = Outcome::because(reason);
    let (requirement, gate) = row.subject.split_once('/').unwrap_or((&row.subject, ""));
    let output = json!({"verdict": outcome.verdict(), "reason": reason, "evidence": null, "message": message});
    finish_gate(tx, row, outcome, &output, now).await?;
    let data = json!({
        "requirement": requirement, "gate": gate, "verdict": outcome.verdict(), "reason": reason,
        "message": message, "evidence": null,
    });
    tell_gate(tx, run, row, outcome, data, now).await
}

async fn finish_gate(tx: &mut Tx, row: &Task, outcome: Outcome, output: &Value, now: Timestamp) -> Result<(), Problem> {
    let verdict = outcome.verdict();
    let change = TaskChange {
        output: Some(output.clone()),
        detail: Some(verdict.as_str().to_owned()),
        bad: verdict == Verdict::Failed,
        ..TaskChange::new(TaskEvent::Finished)
    };
    tx.task_transition(row.id, &[TaskState::Blocked], &change, now).await?;
    Ok(())
}

async fn tell_gate(
    tx: &mut Tx,
    run: &Run,
    row: &Task,
    outcome: Outcome,
    data: Value,
    now: Timestamp,
) -> Result<(), Problem> {
    let failed = outcome.verdict() == Verdict::Failed;
    let entry = NewEntry::new("gate.finished", data)
        .in_span(command::gate_span(run.id, &row.subject), Some(runs::span(run.id)), Some(Edge::Close))
        .at_level(if failed { Level::Error } else { Level::Info });
    tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
    Ok(())
}

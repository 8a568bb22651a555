//! Applies what the planner decided, in the transaction in which the cause became true.

use std::collections::{BTreeSet, HashMap};

use model::{
    failure::{Failure, FailureCode},
    id::TaskId,
    journal::{Edge, NewEntry, StreamId},
    ledger::Ask,
    limits,
    money::NanoUsd,
    problem::Problem,
    proof::{
        judge::CommandEnd,
        requirement::RequirementNumber,
        run::{Manual, ProofRunConfig, RunEnd, run_message, run_verdict},
    },
    run::{Run, RunEvent},
    task::{Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{NewTask, RunChange, TaskChange, Tx};
use uuid::Uuid;

use super::{
    Proof, command,
    ends::{self, not_run},
    gates::counts,
    kind::{gate_list, gate_task, new_task, planned_entries, read},
    planner::{self, Command, Event, Open, OpenGate},
    record::{drop_gate, record},
    reviews::{self, ask},
    state::{
        CommandInput, CommandOutput, Detail, GateInput, Plan, PlannedGate, PlannedTask, RulePlan, SelectOutput,
        Settled, gate, task,
    },
    worth,
};
use crate::{ledger::Refused, runs};

/// The selection is done: rows for the commands, plans for the gates, and what can be said at once.
pub async fn selected(proof: &Proof, tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
    let output = match (ended.state, &ended.output) {
        (TaskState::Done, Some(output)) => read::<SelectOutput>(output)?,
        (_, output) => SelectOutput::Failed { failure: failure_in(output.as_ref()) },
    };
    let plan = match output {
        SelectOutput::Plan(plan) => *plan,
        SelectOutput::Failed { failure } => {
            let ending = runs::failed(failure.code, failure.message);
            return runs::close(proof, tx, run, ending, now).await;
        }
    };
    bind(tx, run, &plan, now).await?;
    let rows = rows_of(tx, run, &plan, now).await?;
    let new_ids = |tasks: &[PlannedTask]| tasks.iter().map(|_| TaskId::from_uuid(Uuid::now_v7())).collect::<Vec<_>>();
    let (first, ids) = (new_ids(&plan.preparations), new_ids(&plan.commands));
    tx.tasks_insert(run.id, run.project, &command_tasks(&plan, &first, &ids), now).await?;
    let (mut unplanned, mut reviews, mut open) = (Vec::new(), Vec::new(), 0u32);
    for planned in &plan.gates {
        let input = gate_input(planned, &ids);
        let Some(id) = rows.get(&input.subject()) else { continue };
        open += 1;
        tx.task_input(*id, &json!(input)).await?;
        let needs: BTreeSet<TaskId> = input.plans.iter().flat_map(|plan| plan.commands.iter().copied()).collect();
        for need in &needs {
            tx.task_need_add(*id, *need).await?;
        }
        let gate = OpenGate { task: *id, input };
        if planned.review {
            reviews.push(gate);
        } else if needs.is_empty() {
            unplanned.push(gate);
        }
    }
    let config: ProofRunConfig = read(&run.config)?;
    let event = Event::Planned {
        unplanned: &unplanned,
        reviews: &reviews,
        skip_reviews: config.manual == Manual::Skip,
        empty: open == 0,
    };
    let commands = planner::on(&event, Open { gates: open, waiting: 0 });
    apply(tx, run, commands, now).await
}

async fn bind(tx: &mut Tx, run: &mut Run, plan: &Plan, now: Timestamp) -> Result<(), Problem> {
    let mut detail = Detail::of(run)?;
    detail.tree_start.clone_from(&plan.bound.tree);
    detail.commit = Some(plan.bound.commit.clone());
    detail.dirty = plan.bound.dirty;
    detail.settles = plan.bound.settles;
    if !plan.diagnostics.is_null() {
        detail.diagnostics = plan.diagnostics.clone();
    }
    detail.empty_reason = plan.empty_reason.clone().map(Value::from);
    if let Some(message) = plan.message.as_ref().filter(|message| !message.is_empty()) {
        detail.message.clone_from(message);
    }
    detail.notes.extend(plan.notes.iter().cloned());
    detail.bound = Some(plan.bound.clone());
    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
    let seen = json!({"tree": plan.bound.tree, "commit": plan.bound.commit, "dirty": plan.bound.dirty});
    let mut entries = vec![NewEntry::new("tree.bound", seen)];
    entries.extend(plan.notes.iter().map(|note| NewEntry::new("note", json!({"text": note}))));
    tx.journal_append(StreamId::Run(run.id), &entries, now).await?;
    Ok(())
}

/// The gate rows by subject: those stored at the start, or new ones.
async fn rows_of(tx: &mut Tx, run: &Run, plan: &Plan, now: Timestamp) -> Result<HashMap<String, TaskId>, Problem> {
    let mut rows: HashMap<String, TaskId> =
        gate_list(tx, run.id).await?.into_iter().map(|task| (task.subject, task.id)).collect();
    if !rows.is_empty() || plan.gates.is_empty() {
        return Ok(rows);
    }
    let tasks: Vec<NewTask> = plan.gates.iter().map(|planned| gate_task(&gate_input(planned, &[]))).collect();
    let titles = plan.gates.iter().map(|planned| (planned.requirement, planned.title.as_str())).collect();
    tx.journal_append(StreamId::Run(run.id), &planned_entries(&plan.taken, &titles), now).await?;
    tx.tasks_insert(run.id, run.project, &tasks, now).await?;
    rows.extend(tasks.into_iter().map(|task| (task.subject, task.id)));
    Ok(rows)
}

fn gate_input(planned: &PlannedGate, ids: &[TaskId]) -> GateInput {
    let plans = planned.plans.iter().map(|plan| match plan {
        Ok(places) => {
            RulePlan { commands: places.iter().filter_map(|place| ids.get(*place).copied()).collect(), unplanned: None }
        }
        Err(unplanned) => RulePlan { commands: Vec::new(), unplanned: Some(unplanned.clone()) },
    });
    GateInput {
        requirement: planned.requirement,
        title: planned.title.clone(),
        gate: planned.gate.clone(),
        rules: planned.rules.clone(),
        plans: plans.collect(),
        definition: planned.definition,
        checklist: planned.checklist.clone(),
    }
}

/// One task per distinct command; each waits for all preparations. An exclusive one waits for all before
/// it, and all after it wait for it.
fn command_tasks(plan: &Plan, first: &[TaskId], ids: &[TaskId]) -> Vec<NewTask> {
    let mut served: Vec<Vec<String>> = vec![Vec::new(); plan.commands.len()];
    for gate in &plan.gates {
        let places: BTreeSet<usize> = gate.plans.iter().flatten().flatten().copied().collect();
        for place in places {
            if let Some(served) = served.get_mut(place) {
                served.push(format!("{}/{}", gate.requirement, gate.gate));
            }
        }
    }
    let preparations = plan.preparations.iter().zip(first);
    let mut tasks: Vec<NewTask> =
        preparations.map(|(planned, id)| command_task(task::PREPARE, *id, planned, Vec::new(), Vec::new())).collect();
    let beside: Vec<TaskId> =
        plan.commands.iter().zip(ids).filter(|(command, _)| !command.exclusive).map(|(_, id)| *id).collect();
    let mut last_alone: Option<TaskId> = None;
    for ((planned, id), gates) in plan.commands.iter().zip(ids).zip(served) {
        let mut needs = first.to_vec();
        match (planned.exclusive, last_alone) {
            (false, _) => {}
            (true, Some(before)) => needs.push(before),
            (true, None) => needs.extend(&beside),
        }
        if planned.exclusive {
            last_alone = Some(*id);
        }
        tasks.push(command_task(task::COMMAND, *id, planned, gates, needs));
    }
    tasks
}

fn command_task(kind: &str, id: TaskId, planned: &PlannedTask, mut gates: Vec<String>, needs: Vec<TaskId>) -> NewTask {
    let gate_count = gates.len();
    gates.truncate(200);
    let input = CommandInput {
        planned: planned.planned.clone(),
        digest: planned.digest,
        gates,
        gate_count,
        repeat: planned.repeat,
        env: planned.env.clone(),
    };
    let cost = planned.cost_micro_usd.and_then(NanoUsd::from_micros).filter(|cost| *cost > NanoUsd::ZERO);
    NewTask {
        ready: needs.is_empty(),
        needs,
        reserve: cost.map(Ask::Exactly),
        ..new_task(id.uuid(), kind, &planned.digest.to_string(), json!(input))
    }
}

/// A command was not started, since no budget has room for it: its gates end `unproven / budget` (P37).
pub async fn over_budget(tx: &mut Tx, run: &mut Run, refused: &Refused, now: Timestamp) -> Result<(), Problem> {
    let task = &refused.task;
    let input: CommandInput = read(&task.input)?;
    let output = not_run(&input, task.attempt, CommandEnd::Budget);
    let change = TaskChange::new(TaskEvent::Finished).output(json!(output));
    match tx.task_transition(task.id, &[TaskState::Blocked], &change, now).await? {
        Some(ended) => command_ended(tx, run, &ended, now).await,
        None => Ok(()),
    }
}

/// A command has an end: judge the gates that waited only for it.
pub async fn command_ended(tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
    let output = output_of(ended)?;
    tx.command_insert(ended.id, run.id, &output.record).await?;
    let started = output.record.started_at.is_some();
    let entry = NewEntry::new("command.finished", command::finished(ended, &output)).in_span(
        command::span(ended.id, ended.attempt),
        Some(runs::span(run.id)),
        Some(Edge::Close),
    );
    tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
    if started {
        let mut detail = Detail::of(run)?;
        detail.executed += 1;
        runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
    }
    let open = open_of(tx, run).await?;
    if output.result.end == CommandEnd::TreeMoved && !run.cancelling {
        let mut rest = Vec::new();
        for gate in gate_list(tx, run.id).await? {
            if gate.state == TaskState::Blocked && gate.detail.as_deref() != Some(gate::WAITING) {
                rest.push(OpenGate { task: gate.id, input: read(&gate.input)? });
            }
        }
        let commands = planner::on(&Event::TreeMoved { rest: &rest }, open);
        return apply(tx, run, commands, now).await;
    }
    let mut released = Vec::new();
    for freed in tx.tasks_unblocked_by(ended.id).await? {
        if freed.kind == task::GATE {
            released.push(OpenGate { task: freed.id, input: read(&freed.input)? });
        } else {
            tx.task_transition(freed.id, &[TaskState::Blocked], &TaskChange::new(TaskEvent::Unblocked), now).await?;
        }
    }
    let mut ends: HashMap<TaskId, CommandOutput> = HashMap::from([(ended.id, output)]);
    for need in released.iter().flat_map(|gate| &gate.input.plans).flat_map(|plan| &plan.commands) {
        if !ends.contains_key(need)
            && let Some(other) = tx.task(*need).await?
        {
            ends.insert(*need, output_of(&other)?);
        }
    }
    let commands = planner::on(&Event::CommandEnded { released: &released, ends: &ends }, open);
    apply_with(tx, run, commands, &ends, now).await
}

/// What a command task left: its own output, or the end that its failure stands for.
pub fn output_of(ended: &Task) -> Result<CommandOutput, Problem> {
    if let (TaskState::Done, Some(output)) = (ended.state, &ended.output) {
        return read(output);
    }
    let input: CommandInput = read(&ended.input)?;
    let end = match (ended.state, failure_in(ended.output.as_ref()).code) {
        (TaskState::Cancelled, _) => CommandEnd::Cancelled,
        (_, FailureCode::WorkerLost) => CommandEnd::WorkerLost,
        (_, FailureCode::DiskFull) => CommandEnd::DiskFull,
        _ => CommandEnd::Internal { code: model::code::Code::Internal.to_string() },
    };
    Ok(ends::not_run(&input, ended.attempt, end))
}

fn failure_in(output: Option<&Value>) -> Failure {
    output
        .and_then(|output| serde_json::from_value(output.clone()).ok())
        .unwrap_or_else(|| Failure::new(FailureCode::Internal, "the work ended without saying how"))
}

pub async fn open_of(tx: &mut Tx, run: &Run) -> Result<Open, Problem> {
    let counts = counts(tx, run).await?;
    Ok(Open { gates: counts.pending + counts.running + counts.waiting, waiting: counts.waiting })
}

pub async fn apply(tx: &mut Tx, run: &mut Run, commands: Vec<Command>, now: Timestamp) -> Result<(), Problem> {
    apply_with(tx, run, commands, &HashMap::new(), now).await
}

async fn apply_with(
    tx: &mut Tx,
    run: &mut Run,
    commands: Vec<Command>,
    ends: &HashMap<TaskId, CommandOutput>,
    now: Timestamp,
) -> Result<(), Problem> {
    let mut told: BTreeSet<RequirementNumber> = BTreeSet::new();
    let mut usable = Vec::new();
    for command in commands {
        match command {
            Command::Record { gate, judgement } => {
                if let Some(requirement) = record(tx, run, gate, &judgement, ends, None, now).await? {
                    told.insert(requirement);
                }
            }
            Command::Drop { gate, reason, message } => {
                if let Some(task) = tx.task(gate).await? {
                    drop_gate(tx, run, &task, reason, &message, now).await?;
                }
            }
            Command::Ask { gate } => usable.extend(ask(tx, run, gate, now).await?),
            Command::Enter(phase) => runs::enter(tx, run, phase, now).await?,
            Command::CancelCommands => cancel_commands(tx, run, now).await?,
            // A draining run is closed by the kernel; nothing of it is claimed any more.
            Command::Settle if run.cancelling => {}
            Command::Settle => {
                runs::enter(tx, run, "settling", now).await?;
                let settle = new_task(Uuid::now_v7(), task::SETTLE, "settle", json!({}));
                tx.tasks_insert(run.id, run.project, &[settle], now).await?;
            }
        }
    }
    for question in usable {
        Box::pin(reviews::answered(tx, run, &question, now)).await?;
    }
    // Bad news counts at once (P57). The project's stream comes last (X57).
    for requirement in told {
        worth::retell(tx, run.project, requirement, "a gate did not pass", now).await?;
    }
    Ok(())
}

async fn cancel_commands(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<(), Problem> {
    let filter = store::TaskFilter { kind: Some(task::COMMAND.to_owned()), ..store::TaskFilter::default() };
    let mut after: Option<(String, String)> = None;
    loop {
        let from = after.as_ref().map(|(kind, subject)| (kind.as_str(), subject.as_str()));
        let page = tx.tasks(run.id, &filter, from, limits::PAGE_MAX).await?;
        for command in &page {
            let open = [TaskState::Blocked, TaskState::Ready];
            tx.task_transition(command.id, &open, &TaskChange::new(TaskEvent::Cancelled), now).await?;
        }
        match page.last() {
            Some(last) if page.len() == limits::PAGE_MAX as usize => {
                after = Some((last.kind.clone(), last.subject.clone()));
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// The run is over: its passes count from now on, unless the files moved (P56, P57).
pub async fn settled(kind: &Proof, tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
    let settled: Settled = match (ended.state, &ended.output) {
        (TaskState::Done, Some(output)) => read(output)?,
        _ => {
            Settled { tree_end: None, moved: vec!["the tree could not be taken again".to_owned()], residue: Vec::new() }
        }
    };
    let moved = !settled.moved.is_empty();
    tx.evidence_close(run.id, moved).await?;
    let counts = counts(tx, run).await?;
    let mut detail = Detail::of(run)?;
    let end = RunEnd { completed: true, moved, executed: detail.executed };
    let verdict = run_verdict(&counts, end);
    if detail.empty_reason.is_none() {
        detail.message = run_message(&counts, end);
    }
    detail.tree_end.clone_from(&settled.tree_end);
    detail.counts = counts;
    let facts = json!({
        "counts": counts, "empty_reason": detail.empty_reason, "message": detail.message,
    });
    let checked = json!({
        "start": detail.tree_start, "end": settled.tree_end, "moved": moved, "files": settled.moved,
        "residue": settled.residue,
    });
    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("tree.checked", checked)], now).await?;
    let settles = detail.settles;
    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
    let requirements = requirements_of(tx, run).await?;
    let ending =
        runs::Ending { event: RunEvent::Completed, verdict: Some(verdict.as_str().to_owned()), failure: None, facts };
    runs::close(kind, tx, run, ending, now).await?;
    if settles {
        for requirement in requirements {
            worth::retell(tx, run.project, requirement, "a run has ended", now).await?;
        }
    }
    Ok(())
}

/// The requirements that a run takes on.
pub async fn requirements_of(tx: &mut Tx, run: &Run) -> Result<BTreeSet<RequirementNumber>, Problem> {
    let rows = gate_list(tx, run.id).await?;
    rows.iter().map(|row| Ok(read::<GateInput>(&row.input)?.requirement)).collect()
}

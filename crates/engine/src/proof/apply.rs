//! Applies what the planner decided, in the transaction in which the cause became true.

use std::collections::{BTreeSet, HashMap};

use model::{
    failure::{Failure, FailureCode},
    id::{EvidenceId, QuestionId, TaskId},
    journal::{Edge, Level, NewEntry, StreamId},
    limits,
    problem::Problem,
    proof::{
        evidence::{Evidence, ReviewRecord},
        judge::{CommandEnd, Judgement},
        requirement::RequirementNumber,
        review::{ReviewAnswer, checklist_digest},
        run::{Manual, ProofRunConfig, RunEnd, run_message, run_verdict},
        selection::SelectedGate,
        verdict::{Outcome, Reason},
    },
    question::{Question, QuestionKind, QuestionState},
    run::{Run, RunEvent},
    task::{Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{NewTask, RunChange, TaskChange, Tx};
use uuid::Uuid;

use super::{
    Proof, command,
    gates::counts,
    kind::{gate_list, new_task, planned_entries, read},
    planner::{self, Command, Event, Open, OpenGate},
    state::{
        CommandInput, CommandOutput, Detail, GateInput, Plan, PlannedGate, RulePlan, SelectOutput, Settled, gate, task,
    },
    worth,
};
use crate::runs;

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
    let ids: Vec<TaskId> = plan.commands.iter().map(|_| TaskId::from_uuid(Uuid::now_v7())).collect();
    tx.tasks_insert(run.id, run.project, &command_tasks(&plan, &ids), now).await?;
    let (mut unplanned, mut reviews, mut open) = (Vec::new(), Vec::new(), 0u32);
    for planned in &plan.gates {
        let subject = format!("{}/{}", planned.requirement, planned.gate);
        let Some(id) = rows.get(&subject) else { continue };
        open += 1;
        let input = gate_input(planned, &ids);
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
    let selected: Vec<SelectedGate> = plan
        .gates
        .iter()
        .map(|gate| SelectedGate { requirement: gate.requirement, gate: gate.gate.clone(), waived: false })
        .collect();
    let tasks: Vec<NewTask> = plan
        .gates
        .iter()
        .map(|planned| NewTask {
            queue: String::new(),
            ready: false,
            detail: Some(gate::PENDING.to_owned()),
            counted: true,
            ..new_task(
                Uuid::now_v7(),
                task::GATE,
                &format!("{}/{}", planned.requirement, planned.gate),
                json!(gate_input(planned, &[])),
            )
        })
        .collect();
    tx.journal_append(StreamId::Run(run.id), &planned_entries(&selected), now).await?;
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
        gate: planned.gate.clone(),
        rules: planned.rules.clone(),
        plans: plans.collect(),
        definition: planned.definition,
        checklist: planned.checklist.clone(),
    }
}

/// One task per distinct command. An exclusive one waits for all before it, and all after it wait for it.
fn command_tasks(plan: &Plan, ids: &[TaskId]) -> Vec<NewTask> {
    let mut served: Vec<Vec<String>> = vec![Vec::new(); plan.commands.len()];
    for gate in &plan.gates {
        let places: BTreeSet<usize> = gate.plans.iter().flatten().flatten().copied().collect();
        for place in places {
            if let Some(served) = served.get_mut(place) {
                served.push(format!("{}/{}", gate.requirement, gate.gate));
            }
        }
    }
    let beside: Vec<TaskId> =
        plan.commands.iter().zip(ids).filter(|(command, _)| !command.exclusive).map(|(_, id)| *id).collect();
    let mut last_alone: Option<TaskId> = None;
    let mut tasks = Vec::with_capacity(ids.len());
    for ((planned, id), mut gates) in plan.commands.iter().zip(ids).zip(served) {
        let needs = match (planned.exclusive, last_alone) {
            (false, _) => Vec::new(),
            (true, Some(before)) => vec![before],
            (true, None) => beside.clone(),
        };
        if planned.exclusive {
            last_alone = Some(*id);
        }
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
        tasks.push(NewTask {
            ready: needs.is_empty(),
            needs,
            ..new_task(id.uuid(), task::COMMAND, &planned.digest.to_string(), json!(input))
        });
    }
    tasks
}

/// A command has an end: judge the gates that waited only for it.
pub async fn command_ended(
    proof: &Proof,
    tx: &mut Tx,
    run: &mut Run,
    ended: &Task,
    now: Timestamp,
) -> Result<(), Problem> {
    let _ = proof;
    let output = output_of(ended)?;
    tx.command_insert(ended.id, run.id, &output.record).await?;
    let started = output.record.started_at.is_some();
    let data = json!({
        "command": ended.id, "digest": output.record.digest, "exit_code": output.record.exit_code,
        "signal": output.record.signal, "duration_ms": output.record.duration_ms, "end": output.result.end,
        "output": output.record.output, "sandbox": output.sandbox, "killed_leftovers": output.killed_leftovers,
    });
    let entry = NewEntry::new("command.finished", data).in_span(
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
fn output_of(ended: &Task) -> Result<CommandOutput, Problem> {
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
    Ok(command::not_run(&input, ended.attempt, end))
}

fn failure_in(output: Option<&Value>) -> Failure {
    output
        .and_then(|output| serde_json::from_value(output.clone()).ok())
        .unwrap_or_else(|| Failure::new(FailureCode::Internal, "the work ended without saying how"))
}

async fn open_of(tx: &mut Tx, run: &Run) -> Result<Open, Problem> {
    let counts = counts(tx, run).await?;
    Ok(Open { gates: counts.pending + counts.running + counts.waiting, waiting: counts.waiting })
}

async fn apply(tx: &mut Tx, run: &mut Run, commands: Vec<Command>, now: Timestamp) -> Result<(), Problem> {
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
            Command::Ask { gate } => ask(tx, run, gate, now).await?,
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

/// Stores evidence and ends its gate with it (P49). The requirement, when it was bad news that moves
/// the project's standing.
async fn record(
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
        bad: verdict == model::proof::verdict::Verdict::Failed,
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
    let failed = outcome.verdict() == model::proof::verdict::Verdict::Failed;
    let entry = NewEntry::new("gate.finished", data)
        .in_span(command::gate_span(run.id, &row.subject), Some(runs::span(run.id)), Some(Edge::Close))
        .at_level(if failed { Level::Error } else { Level::Info });
    tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
    Ok(())
}

/// Opens the question of a review gate, or joins the one that is open on the same files (P67).
async fn ask(tx: &mut Tx, run: &Run, id: TaskId, now: Timestamp) -> Result<(), Problem> {
    let Some(row) = tx.task(id).await? else { return Ok(()) };
    let input: GateInput = read(&row.input)?;
    let detail = Detail::of(run)?;
    if let Some(old) = tx.question_open(run.project, &row.subject).await? {
        let because = store::QuestionEnd::Withdrawn { because: "superseded by a newer run".to_owned() };
        tx.question_end(old.id, &because, now).await?;
    }
    let question = Question {
        id: QuestionId::from_uuid(Uuid::now_v7()),
        project: run.project,
        run: run.id,
        task: Some(id),
        kind: QuestionKind::Review,
        state: QuestionState::Open,
        subject: row.subject.clone(),
        prompt: format!(
            "Look at {} on tree {}",
            row.subject,
            detail.tree_start.as_ref().map_or("unknown", |t| t.short())
        ),
        schema: json!({"checklist": input.checklist, "tree": detail.tree_start, "commit": detail.commit}),
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        expires_at: None,
        created_at: now,
    };
    tx.question_insert(&question).await?;
    tx.task_detail(id, gate::WAITING).await?;
    let data = json!({"question": question.id, "subject": question.subject, "prompt": question.prompt});
    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.asked", data)], now).await?;
    Ok(())
}

/// A person looked.
pub async fn reviewed(tx: &mut Tx, run: &mut Run, question: &Question, now: Timestamp) -> Result<(), Problem> {
    let Some(row) = (match question.task {
        Some(task) => tx.task(task).await?,
        None => None,
    }) else {
        return Ok(());
    };
    let input: GateInput = read(&row.input)?;
    let body = question.answer.clone().unwrap_or_default();
    let answer = ReviewAnswer::read(&body, input.checklist.len())?;
    let by = question.answered_by.clone();
    let settings = crate::projects::proof_settings(tx, run.project).await?;
    let creator = tx.requirement(run.project, input.requirement).await?.map(|kept| kept.requirement.created_by);
    if let (Some(by), Some(creator)) = (&by, &creator) {
        model::proof::review::may_judge(by, settings.four_eyes, Some(&run.created_by), creator)
            .map_err(|code| Problem::new(code, code.title()))?;
    }
    let review = ReviewRecord {
        question: question.id,
        answered_by: by,
        checklist: checklist_digest(&input.checklist),
        comment: answer.text.clone(),
    };
    let message = answer.text.clone().unwrap_or_else(|| "a person looked".to_owned());
    let open = open_of(tx, run).await?;
    let gate = OpenGate { task: row.id, input };
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

async fn requirements_of(tx: &mut Tx, run: &Run) -> Result<BTreeSet<RequirementNumber>, Problem> {
    let rows = gate_list(tx, run.id).await?;
    rows.iter().map(|row| Ok(read::<GateInput>(&row.input)?.requirement)).collect()
}

//! Admission, and which part of the kind an event belongs to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures::future::BoxFuture;
use model::{
    actor::Actor,
    code::Code,
    failure::Failure,
    id::{ProjectId, RunId, TaskId},
    journal::NewEntry,
    limits,
    problem::Problem,
    project::Project,
    proof::{
        gate::{GateName, standard_gate},
        requirement::{Requirement, RequirementNumber},
        run::{Mode, ProofRunConfig, Target},
        scope::Changes,
        selection::{Candidate, SelectedGate, Selection, select},
        settings::ProofSettings,
        standing::{Ground, standing},
        verdict::{Reason, Verdict},
    },
    run::{Run, RunKind, RunStatus},
    task::{Task, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{NewTask, RunChange, Tx};
use uuid::Uuid;

use super::{
    Proof, apply, command,
    gates::counts,
    preparation, record, reviews, select as selecting, settle,
    state::{Detail, GateInput, gate, task},
};
use crate::{
    kind::{Admission, Admitted, Event, Kind},
    ledger::Refused,
    runs,
    work::{Assignment, Outcome},
    worker::QUEUE,
};

impl Kind for Proof {
    fn kind(&self) -> RunKind {
        RunKind::PROOF
    }

    fn admit<'a>(&'a self, tx: &'a mut Tx, ask: &'a Admission<'a>) -> BoxFuture<'a, Result<Admitted, Problem>> {
        Box::pin(admit(tx, ask))
    }

    fn on<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        event: Event<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            match event {
                Event::TaskEnded(ended) => task_ended(self, tx, run, ended, now).await,
                Event::Answered(question) => reviews::answered(tx, run, question, now).await,
                Event::Unanswered(question) => reviews::unanswered(tx, run, question, now).await,
                Event::Resumed => {
                    let mut detail = Detail::of(run)?;
                    detail.resumes += 1;
                    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await
                }
                Event::Closing(failure) => closing(tx, run, failure, now).await,
            }
        })
    }

    fn handle(self: Arc<Self>, assignment: Assignment) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            match assignment.leased.task.kind.as_str() {
                task::SELECT => selecting::handle(self, assignment).await,
                task::PREPARE | task::COMMAND => command::handle(self, assignment).await,
                task::SETTLE => settle::handle(self, assignment).await,
                other => Outcome::failed(Failure::new(
                    model::failure::FailureCode::Internal,
                    format!("a proof run has no tasks of kind {other}"),
                )),
            }
        })
    }

    fn over_budget<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        refused: &'a Refused,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(apply::over_budget(tx, run, refused, now))
    }

    fn covers(&self, active: &Run, config: &Value) -> bool {
        let read = |value: &Value| serde_json::from_value::<ProofRunConfig>(value.clone()).ok();
        match (read(&active.config), read(config)) {
            (Some(active), Some(asked)) => active.covers(&asked),
            _ => false,
        }
    }

    /// When only people are left to answer, no process of the run starts any more: what follows the last
    /// answer looks at the files and writes none.
    fn waits_locked(&self) -> bool {
        false
    }

    fn retry_config(&self, old: &Run, mode: Option<&str>) -> Result<Value, Problem> {
        let only = match mode {
            None | Some("not_passed") => "not_passed",
            Some("all") => "all",
            Some(_) => return Err(Problem::invalid_field("/mode", "must be one of: not_passed, all")),
        };
        let mut config = old.config.clone();
        if let Some(config) = config.as_object_mut() {
            config.insert("only".to_owned(), json!(only));
        }
        Ok(config)
    }
}

async fn admit(tx: &mut Tx, ask: &Admission<'_>) -> Result<Admitted, Problem> {
    let project = ask.project;
    if tx.document(project.id, "policy").await?.is_none() {
        // X18: without a policy nothing is spawned, and nobody is left waiting to find that out.
        let message = "the project has no policy yet, so nothing may be executed";
        return Err(Problem::new(Code::PolicyDenied, message).with("rule", "no_policy"));
    }
    let settings = crate::projects::proof_settings(tx, project.id).await?;
    let kept = tx.requirements_all(project.id).await?;
    let requirements: Vec<Requirement> = kept.into_iter().map(|kept| kept.requirement).collect();
    let mut body = ask.config.clone();
    let only = body.as_object_mut().and_then(|body| body.remove("only"));
    let known = known_gates(tx, project, &requirements).await?;
    let numbers: BTreeSet<RequirementNumber> = requirements.iter().map(|requirement| requirement.id).collect();
    let config = ProofRunConfig::read(&body, |gate| known.contains(gate), |number| numbers.contains(&number))?;
    // X29: a pull request's head is known to a forge, and no forge is connected in this version.
    if matches!(config.target, Target::Pr(_) | Target::Checkpoint { .. }) {
        let message = "this version proves the worktree or a ref; pull requests and checkpoints come later";
        return Err(Problem::invalid_field("/target", message));
    }
    let exclusive_key = exclusive_key(tx, ask, &config, &settings).await?;
    let again = match (ask.retry_of, only.as_ref().and_then(Value::as_str)) {
        (Some(old), Some(only)) => Some(not_yet(tx, old, only == "all").await?),
        _ => None,
    };
    let now_selected = config.mode == Mode::Full || again.is_some();
    let mut detail = Detail { retry_of: ask.retry_of.map(|run| run.id), ..Detail::default() };
    let mut tasks = vec![new_task(Uuid::now_v7(), task::SELECT, "select", json!({}))];
    let mut entries = Vec::new();
    if now_selected {
        let full = ProofRunConfig { mode: Mode::Full, ..config.clone() };
        let mut selection = selected_now(tx, project.id, &full, &requirements, &settings, ask.now).await?;
        if let Some(again) = &again {
            selection.gates.retain(|gate| again.contains(&(gate.requirement, gate.gate.clone())));
        }
        tasks.extend(inputs(&selection.gates, &requirements).iter().map(gate_task));
        let titles = requirements.iter().map(|own| (own.id, own.title.as_str())).collect();
        entries.extend(planned_entries(&selection.gates, &titles));
        detail.take_selection(&selection);
    }
    Ok(Admitted {
        config: serde_json::to_value(&config).unwrap_or_default(),
        detail: detail.json(),
        phase: "selecting",
        exclusive_key,
        queue_timeout: limits::PROOF_QUEUE,
        run_timeout: Some(limits::PROOF_RUN),
        slots: config.slots.or(settings.slots),
        tasks,
        entries,
    })
}

/// The selection of a run that takes everything: it needs neither the files nor the evidence (P18).
async fn selected_now(
    tx: &mut Tx,
    project: ProjectId,
    config: &ProofRunConfig,
    requirements: &[Requirement],
    settings: &ProofSettings,
    now: Timestamp,
) -> Result<Selection, Problem> {
    let waivers = tx.waivers_current(project).await?;
    let accepted = Default::default();
    let ground = Ground { tree: None, today: now.day(), settings, accepted: &accepted };
    let waivers: HashMap<RequirementNumber, _> = waivers.iter().map(|waiver| (waiver.requirement, waiver)).collect();
    let standings: Vec<_> = requirements
        .iter()
        .map(|requirement| standing(requirement, [], waivers.get(&requirement.id).copied(), &ground))
        .collect();
    let candidates =
        requirements.iter().zip(&standings).map(|(requirement, standing)| Candidate { requirement, standing });
    let maps = Default::default();
    Ok(select(config, candidates, |gate| is_enabled(settings, gate), &Changes::unknown(&maps)))
}

/// The requirement and gate pairs of an ended run that a retry takes on again.
async fn not_yet(tx: &mut Tx, old: &Run, all: bool) -> Result<BTreeSet<(RequirementNumber, GateName)>, Problem> {
    let mut pairs = BTreeSet::new();
    for gate in gate_list(tx, old.id).await? {
        if all || gate.detail.as_deref() != Some("passed") {
            let input: GateInput = read(&gate.input)?;
            pairs.insert((input.requirement, input.gate));
        }
    }
    if pairs.is_empty() {
        return Err(runs::wrong_state(old, "every gate of it passed, so there is nothing to retry"));
    }
    Ok(pairs)
}

async fn exclusive_key(
    tx: &mut Tx,
    ask: &Admission<'_>,
    config: &ProofRunConfig,
    settings: &ProofSettings,
) -> Result<Option<String>, Problem> {
    // X7: a run that another run started works in a worktree of its own and blocks nobody.
    if matches!(ask.actor, Actor::Run { .. }) {
        return Ok(None);
    }
    if config.target == Target::Worktree || settings.max_active <= 1 {
        return Ok(Some("proof:checkout".to_owned()));
    }
    let mut active = tx.active_runs_of(ask.project.id, &RunKind::PROOF).await?;
    active.retain(|run| run.status != RunStatus::Waiting); // P20
    match active.first() {
        Some(first) if active.len() >= settings.max_active as usize => {
            let message = format!("{} proof runs are active, and that is the project's limit", active.len());
            Err(Problem::new(Code::RunActive, message).with("active_run", json!(first.id)))
        }
        Some(_) | None => Ok(None),
    }
}

/// The gates that a request may name: the catalogue, what requirements name, and what the repository
/// declared when it was last looked at.
pub async fn known_gates(
    tx: &mut Tx,
    project: &Project,
    requirements: &[Requirement],
) -> Result<BTreeSet<GateName>, Problem> {
    let mut known: BTreeSet<GateName> =
        model::proof::gate::CATALOGUE.iter().filter_map(|gate| gate.name.parse().ok()).collect();
    known.extend(requirements.iter().flat_map(|own| own.obligations.iter().map(|own| own.gate.clone())));
    if let Some(observed) = tx.project_observed(project.id).await? {
        let names = observed["gates"].as_array().cloned().unwrap_or_default();
        known.extend(names.iter().filter_map(|name| name.as_str()?.parse().ok()));
    }
    Ok(known)
}

/// Whether a run that names no gates runs this one, as far as the plane's settings say.
pub fn is_enabled(settings: &ProofSettings, gate: &GateName) -> bool {
    match &settings.enabled_gates {
        Some(enabled) => enabled.contains(gate),
        None => standard_gate(gate).is_none_or(|standard| !standard.offered),
    }
}

/// The task of a gate; blocked, never leased, judged by the planner.
pub fn gate_task(input: &GateInput) -> NewTask {
    NewTask {
        queue: String::new(),
        ready: false,
        detail: Some(gate::PENDING.to_owned()),
        counted: true,
        ..new_task(Uuid::now_v7(), task::GATE, &input.subject(), json!(input))
    }
}

/// What a selection took on.
pub fn inputs<'a>(gates: &[SelectedGate], requirements: impl IntoIterator<Item = &'a Requirement>) -> Vec<GateInput> {
    let by: HashMap<RequirementNumber, &Requirement> = requirements.into_iter().map(|own| (own.id, own)).collect();
    gates.iter().filter_map(|gate| GateInput::of(by.get(&gate.requirement)?, &gate.gate)).collect()
}

/// Every gate row of a run, by subject.
pub async fn gate_list(tx: &mut Tx, run: RunId) -> Result<Vec<Task>, Problem> {
    let filter = store::TaskFilter { kind: Some(task::GATE.to_owned()), ..store::TaskFilter::default() };
    let mut rows: Vec<Task> = Vec::new();
    loop {
        let after = rows.last().map(|last| (last.kind.clone(), last.subject.clone()));
        let from = after.as_ref().map(|(kind, subject)| (kind.as_str(), subject.as_str()));
        let page = tx.tasks(run, &filter, from, limits::PAGE_MAX).await?;
        let full = page.len() == limits::PAGE_MAX as usize;
        rows.extend(page);
        if !full {
            return Ok(rows);
        }
    }
}

/// `run.planned` entries, at most 200 gates each. They name each requirement as it was called then, so
/// that whoever reads the journal needs nothing else to show it.
pub fn planned_entries(gates: &[SelectedGate], titles: &HashMap<RequirementNumber, &str>) -> Vec<NewEntry> {
    let gate = |gate: &SelectedGate| {
        let title = titles.get(&gate.requirement);
        json!({"requirement": gate.requirement, "gate": gate.gate, "waived": gate.waived, "title": title})
    };
    let parts = gates.chunks(200).enumerate();
    parts
        .map(|(part, gates)| {
            let gates: Vec<Value> = gates.iter().map(gate).collect();
            NewEntry::new("run.planned", json!({"part": part + 1, "gates": gates}))
        })
        .collect()
}

/// A task of the plane's own queue, ready at once.
pub fn new_task(id: Uuid, kind: &str, subject: &str, input: Value) -> NewTask {
    NewTask {
        id: TaskId::from_uuid(id),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        queue: QUEUE.to_owned(),
        labels: Vec::new(),
        priority: 0,
        ready: true,
        detail: None,
        max_attempts: limits::COMMAND_ATTEMPTS,
        not_before: None,
        input,
        counted: false,
        reserve: None,
        needs: Vec::new(),
    }
}

async fn task_ended(proof: &Proof, tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
    match ended.kind.as_str() {
        task::SELECT => apply::selected(proof, tx, run, ended, now).await,
        task::PREPARE => preparation::ended(tx, run, ended, now).await,
        task::COMMAND => apply::command_ended(tx, run, ended, now).await,
        task::SETTLE => apply::settled(proof, tx, run, ended, now).await,
        _ => Ok(()),
    }
}

/// The run ends without having judged everything. What was judged stays and counts; the rest ends
/// `unproven` and writes no evidence (P24). Whether its passes count is found out afterwards ([`late`]).
async fn closing(tx: &mut Tx, run: &mut Run, failure: Option<&Failure>, now: Timestamp) -> Result<(), Problem> {
    let (reason, message) = match failure {
        None => (Reason::Cancelled, "the run was cancelled".to_owned()),
        Some(failure) => (Reason::NeverRan, failure.message.clone()),
    };
    for gate in gate_list(tx, run.id).await? {
        if gate.state == TaskState::Blocked {
            record::drop_gate(tx, run, &gate, reason, &message, now).await?;
        }
    }
    let counts = counts(tx, run).await?;
    let mut detail = Detail::of(run)?;
    detail.message.clone_from(&message);
    detail.counts = counts;
    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
    let verdict = if counts.failed > 0 { Verdict::Failed } else { Verdict::Unproven };
    run.verdict = Some(verdict.as_str().to_owned());
    Ok(())
}

/// Reads a document that this crate wrote.
pub fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_json::from_value(value.clone())
        .map_err(|error| Problem::new(Code::Internal, format!("a stored document could not be read: {error}")))
}

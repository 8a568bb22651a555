//! Admission, what follows from an end, and which task is done by whom.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use model::{
    agent::Capability,
    code::Code,
    dispatch::{DispatchConfig, Report, config::TIMEOUT_S},
    failure::{Failure, FailureCode},
    id::{ArtifactId, TaskId},
    journal::{Level, NewEntry, StreamId},
    ledger::Cap,
    limits,
    money::NanoUsd,
    policy::Policy,
    problem::Problem,
    run::{Run, RunEvent, RunKind, RunStatus},
    task::{Task, TaskState},
    time::Timestamp,
    worker::{LLM, label_of_capability},
};
use serde_json::{Value, json};
use store::{Artifact, NewTask, RunChange, Tx};
use uuid::Uuid;

use super::{
    Clones, Dispatch, QUEUE, admit, apply, asks, comments, label_of,
    perform::{Place, perform},
    planner::{self, Command, State},
    port::Inside,
    prepare, prove,
    state::{AgentOutput, AgentTask, Applied, ApplyTask, Detail, Prepared, Proving, failure_in, read, task},
    survey::{Survey, survey},
    waiting::Waiting,
};
use crate::{
    Engine,
    kind::{Admission, Admitted, Event, Kind},
    proof::target,
    runs::{self, Ending},
    submit::Submit,
    work::{Assignment, Outcome},
    worker,
};

impl Kind for Dispatch {
    fn kind(&self) -> RunKind {
        RunKind::DISPATCH
    }

    fn survey<'a>(&'a self, engine: &'a Engine, ask: &'a Submit) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let config = DispatchConfig::read(&ask.config)?;
            let project = engine.project(&ask.project.to_string()).await?;
            let (offered, fences) = (self.offered(), self.fences(engine.data().root()).await);
            Ok(json!(Survey { offered, fences, ..survey(&project, config.base.as_deref()).await? }))
        })
    }

    fn admit<'a>(&'a self, tx: &'a mut Tx, ask: &'a Admission<'a>) -> BoxFuture<'a, Result<Admitted, Problem>> {
        Box::pin(admit::admit(tx, ask))
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
                Event::TaskEnded(ended) => self.ended(tx, run, ended, now).await,
                Event::Answered(question) => asks::answered(tx, run, question, now).await,
                Event::Unanswered(question) => asks::go_on(tx, question, now).await,
                // What it holds while it is paused it holds afterwards.
                Event::Resumed => Ok(()),
                Event::Closing(failure) => {
                    let mut detail = Detail::of(run)?;
                    detail.message = failure.map_or("cancelled".to_owned(), |failure| failure.message.clone());
                    store_detail(tx, run, &detail, now).await
                }
            }
        })
    }

    fn handle(self: Arc<Self>, assignment: Assignment) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            match assignment.leased.task.kind.as_str() {
                task::PREPARE => prepare::handle(assignment).await,
                task::AGENT => self.drive(assignment).await,
                task::APPLY => apply::handle(assignment).await,
                task::PROVE => prove::handle(assignment).await,
                other => Outcome::failed(Failure::new(
                    FailureCode::Internal,
                    format!("a dispatch run has no tasks of kind {other}"),
                )),
            }
        })
    }

    fn cap(&self, run: &Run) -> Option<Cap> {
        let config: DispatchConfig = read(&run.config).ok()?;
        config.max_cost_micro_usd.and_then(NanoUsd::from_micros).map(Cap::At)
    }

    fn again(&self, ended: &Task, failure: &Failure, now: Timestamp) -> Option<Timestamp> {
        (ended.kind == task::AGENT).then(|| planner::again(failure, ended.attempt, now)).flatten()
    }

    fn retry_config(&self, old: &Run, mode: Option<&str>) -> Result<Value, Problem> {
        let reuse = match mode {
            None | Some("fresh") => false,
            Some("reuse_result") => true,
            Some(_) => return Err(Problem::invalid_field("/mode", "must be one of: fresh, reuse_result")),
        };
        // D37: what did all that was asked for is not tried again.
        let again = match old.status {
            RunStatus::Failed | RunStatus::Cancelled => true,
            RunStatus::Completed => matches!(old.verdict.as_deref(), Some("partial" | "unapplied")),
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Paused => false,
        };
        if !again {
            return Err(runs::wrong_state(old, "it did what was asked for, so there is nothing to retry"));
        }
        if reuse && Detail::of(old)?.result.is_none() {
            return Err(runs::wrong_state(old, "it has no stored result that could be applied again"));
        }
        let mut config = old.config.clone();
        if let Some(config) = config.as_object_mut() {
            config.insert("reuse_result".to_owned(), json!(reuse));
        }
        Ok(config)
    }

    /// What is named takes the place of what was; `null` leaves it to role and project again.
    fn change_config(&self, config: &mut Value, changes: &Value) -> Result<(), Problem> {
        let changes = changes.as_object().ok_or_else(|| Problem::invalid_field("/config", "must be an object"))?;
        if changes.contains_key("reuse_result") {
            return Err(Problem::invalid_field("/config/reuse_result", "is said by the mode"));
        }
        let config = config.as_object_mut().ok_or_else(|| Problem::new(Code::Internal, "a config is no object"))?;
        for (name, value) in changes {
            if value.is_null() {
                config.remove(name);
            } else {
                config.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }
}

/// A task of the plane's own queue, ready at once.
pub(super) fn plane_task(kind: &str, input: Value) -> NewTask {
    NewTask {
        id: TaskId::from_uuid(Uuid::now_v7()),
        kind: kind.to_owned(),
        subject: kind.to_owned(),
        queue: worker::QUEUE.to_owned(),
        labels: Vec::new(),
        priority: 0,
        ready: true,
        detail: None,
        max_attempts: limits::ATTEMPTS,
        not_before: None,
        input,
        counted: true,
        reserve: None,
        needs: Vec::new(),
    }
}

pub(super) fn apply_task(result: model::digest::Digest, detail: &Detail) -> NewTask {
    plane_task(task::APPLY, json!(ApplyTask { result, write_paths: detail.role.write_paths.clone() }))
}

async fn store_detail(tx: &mut Tx, run: &mut Run, detail: &Detail, now: Timestamp) -> Result<(), Problem> {
    runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await
}

impl Dispatch {
    /// A task has an outcome: what it made becomes part of the run, then the planner says what follows.
    async fn ended(&self, tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
        let config: DispatchConfig = read(&run.config)?;
        let mut detail = Detail::of(run)?;
        let state = State { cancelling: run.cancelling, apply: config.apply, prove: config.prove };
        if ended.kind == task::AGENT {
            asks::withdraw(tx, run, ended.id, now).await?;
        }
        let output = ended.output.as_ref().filter(|_| ended.state == TaskState::Done);
        let failure = failure_in(ended.output.as_ref());
        let commands = match (ended.kind.as_str(), output) {
            (task::PREPARE, Some(output)) => {
                let prepared: Prepared = read(output)?;
                self.prepared(tx, run, &mut detail, ended, &prepared, now).await?;
                planner::on(&planner::Event::Prepared(Ok(())), state, None)
            }
            (task::AGENT, Some(output)) => {
                // A worker of another version, or one that is none: refused, and the lease stays as it is (D14).
                let output: AgentOutput = serde_json::from_value(output.clone())
                    .map_err(|error| Problem::invalid_field("/output", format!("is no result of an agent: {error}")))?;
                // Whoever hands in a result has put it among the artifacts of this run before (D58).
                if !tx.blob_is_of(&output.result, run.id).await? {
                    return Err(Problem::invalid_field("/output/result", "is no artifact of this run"));
                }
                detail.result = Some(output.result);
                detail.agent = Some(output.agent);
                planner::on(&planner::Event::AgentEnded(Ok(())), state, None)
            }
            (task::APPLY, Some(output)) => {
                let applied: Applied = read(output)?;
                detail.report = Some(applied.report);
                let report = detail.report.clone().unwrap_or_default();
                planner::on(&planner::Event::Applied(Ok(&report)), state, Some(&report))
            }
            (task::PROVE, Some(output)) => {
                detail.proof_run = Some(read::<Proving>(output)?.run);
                planner::on(&planner::Event::ProofStarted(Ok(())), state, detail.report.as_ref())
            }
            (task::PREPARE, None) => planner::on(&planner::Event::Prepared(Err(&failure)), state, None),
            (task::AGENT, None) => planner::on(&planner::Event::AgentEnded(Err(&failure)), state, None),
            (task::APPLY, None) => planner::on(&planner::Event::Applied(Err(&failure)), state, None),
            (task::PROVE, None) => {
                planner::on(&planner::Event::ProofStarted(Err(&failure)), state, detail.report.as_ref())
            }
            (_, _) => Vec::new(),
        };
        store_detail(tx, run, &detail, now).await?;
        for command in commands {
            self.apply(tx, run, &config, &detail, command, now).await?;
        }
        Ok(())
    }

    async fn prepared(
        &self,
        tx: &mut Tx,
        run: &Run,
        detail: &mut Detail,
        ended: &Task,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let context = &prepared.context;
        let mut entries = vec![
            NewEntry::new(
                "context.built",
                json!({"digest": context.digest, "bytes": context.bytes, "counts": context.counts, "dropped": context.dropped}),
            ),
            NewEntry::new("prompt.rendered", json!({"digest": prepared.prompt, "bytes": prepared.prompt_bytes})),
        ];
        for text in context.warnings.iter().chain(&prepared.warnings) {
            entries.push(NewEntry::new("warning", json!({"code": "context", "text": text})).at_level(Level::Warning));
        }
        for kept in &prepared.kept {
            let id = ArtifactId::from_uuid(Uuid::now_v7());
            tx.artifact_insert(&Artifact {
                id,
                run: run.id,
                task: Some(ended.id),
                name: kept.name.clone(),
                digest: kept.digest,
                bytes: kept.bytes,
                media_type: kept.media_type.clone(),
                created_at: now,
                expired: false,
            })
            .await?;
            let data = json!({
                "artifact": id, "name": kept.name, "digest": kept.digest, "bytes": kept.bytes,
                "media_type": kept.media_type,
            });
            entries.push(NewEntry::new("artifact.added", data));
        }
        entries.extend(comments::delivered(tx, run.id, &prepared.told).await?);
        tx.journal_append(StreamId::Run(run.id), &entries, now).await?;
        detail.context = Some(prepared.context.clone());
        detail.prompt = Some(prepared.prompt);
        Ok(())
    }

    async fn apply(
        &self,
        tx: &mut Tx,
        run: &mut Run,
        config: &DispatchConfig,
        detail: &Detail,
        command: Command,
        now: Timestamp,
    ) -> Result<(), Problem> {
        match command {
            Command::Enter(phase) => runs::enter(tx, run, phase, now).await,
            Command::OfferAgent => {
                let offered = NewTask {
                    reserve: config.agent.as_deref().and_then(|agent| self.reserve(agent)),
                    ..agent_task(tx, run, config, detail).await?
                };
                tx.tasks_insert(run.id, run.project, &[offered], now).await?;
                Ok(())
            }
            Command::Apply => {
                let result = detail.result.ok_or_else(|| Problem::new(Code::Internal, "there is no result"))?;
                tx.tasks_insert(run.id, run.project, &[apply_task(result, detail)], now).await?;
                Ok(())
            }
            Command::Prove => {
                tx.tasks_insert(run.id, run.project, &[plane_task(task::PROVE, json!({}))], now).await?;
                Ok(())
            }
            Command::Warn(text) => {
                let entry =
                    NewEntry::new("warning", json!({"code": "dispatch", "text": text})).at_level(Level::Warning);
                tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
                Ok(())
            }
            Command::Finish(verdict) => {
                let report = detail.report.clone().unwrap_or_default();
                let mut detail = detail.clone();
                detail.message = message(&report);
                store_detail(tx, run, &detail, now).await?;
                let ending = Ending {
                    event: RunEvent::Completed,
                    verdict: Some(verdict.name().to_owned()),
                    failure: None,
                    facts: json!({
                        "message": detail.message, "changed": report.files_changed, "refused": report.files_refused,
                        "branch": report.branch, "commit": report.commit, "proof_run": detail.proof_run,
                    }),
                };
                runs::close(self, tx, run, ending, now).await
            }
            Command::Fail(failure) => {
                let facts = json!({"message": failure.message});
                let ending = Ending { event: RunEvent::Failed, verdict: None, failure: Some(failure), facts };
                runs::close(self, tx, run, ending, now).await
            }
        }
    }

    /// Drives an agent in this process: the embedded worker.
    async fn drive(&self, assignment: Assignment) -> Outcome {
        let task = &assignment.leased.task;
        let input: AgentTask = match read(&task.input) {
            Ok(input) => input,
            Err(problem) => {
                let failure = Failure::new(FailureCode::Internal, problem.message);
                return Outcome::failed(failure);
            }
        };
        let engine = &assignment.engine;
        let of_attempt = |attempt| target::run_folder(engine, task.run).join(format!("{}-{attempt}", task.id));
        // What an earlier attempt left that waits for people is gone on with.
        let waits = (1..=task.attempt).rev().map(of_attempt).find(|folder| Waiting::is_in(folder));
        let folder = waits.unwrap_or_else(|| {
            let folder = of_attempt(task.attempt);
            // A left-over of an attempt with the same number can only be this one's, cut short.
            let _ = std::fs::remove_dir_all(&folder);
            folder
        });
        let place = Place {
            agents: self.agents.clone(),
            worktrees: engine.data().runs(),
            folder: folder.clone(),
            // The plane has its repositories where they are registered.
            clones: Clones::default(),
            environment: exec::environment::inherited(),
            hidden: vec![engine.data().root().to_owned(), engine.data().blobs().join("blobs")],
        };
        let port = Inside::new(engine.clone(), assignment.fence(), task.run);
        let (id, attempt, stop) = (task.id, task.attempt, assignment.stop.clone());
        let is_builtin =
            self.agents.iter().any(|agent| agent.name.as_str() == input.agent && agent.kind == agents::Kind::Builtin);
        let outcome = perform(id, attempt, input, place, &port, stop).await;
        if !(matches!(outcome, Outcome::Released { .. }) && Waiting::is_in(&folder)) {
            let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        }
        if is_builtin { later(outcome, task.generation, engine.now()) } else { outcome }
    }
}

/// How often a task is given back because its provider wants to be left alone, and for how long at most (S82).
const LATER: (u32, Duration) = (3, Duration::from_secs(6 * 3_600));

/// A provider that can be asked again in a while makes the task wait and not fail. `claims` is how often it was handed
/// out.
fn later(outcome: Outcome, claims: u32, now: Timestamp) -> Outcome {
    match &outcome {
        Outcome::Failed { failure, spent } if failure.code == FailureCode::RateLimited => match failure.retry_at {
            Some(at) if claims <= LATER.0 && at <= now.plus(LATER.1) => {
                Outcome::Released { reason: failure.message.clone(), not_before: Some(at), spent: *spent }
            }
            _ => outcome,
        },
        _ => outcome,
    }
}

async fn agent_task(tx: &mut Tx, run: &Run, config: &DispatchConfig, detail: &Detail) -> Result<NewTask, Problem> {
    let project = tx.project(run.project).await?.ok_or_else(Problem::not_found)?;
    let policy = match tx.document(run.project, crate::projects::POLICY).await? {
        Some(document) => Policy::read(&document.body).map_err(Problem::invalid)?,
        None => Policy::default(),
    };
    let missing = || Problem::new(Code::Internal, "the run has not been prepared");
    let agent = config.agent.clone().ok_or_else(missing)?;
    let mut labels = vec![label_of(&agent)];
    if detail.role.tools.is_some() {
        // Workers whose agent of this name cannot be held to them are never given it, whatever they are (S72).
        labels.push(label_of_capability(&agent, Capability::Palette));
    }
    labels.extend(config.worker.iter().map(|worker| format!("worker:{worker}")));
    if agent == "builtin" {
        labels.push(LLM.to_owned());
    }
    labels.extend(config.labels.iter().cloned());
    let input = AgentTask {
        run: run.id,
        project: project.key.to_string(),
        repository: project.path,
        url: detail.url.clone(),
        base: detail.base.clone(),
        role: detail.role.id.clone(),
        output: detail.role.output,
        intent: detail.role.intent,
        tools: detail.role.tools.clone(),
        agent,
        model: config.model.clone(),
        prompt: detail.prompt.ok_or_else(missing)?,
        context: detail.context.as_ref().ok_or_else(missing)?.digest,
        timeout_s: config.timeout_s.unwrap_or(TIMEOUT_S),
        output_cap: config.output_cap_bytes,
        max_files: policy.max_changed_files,
        max_file_bytes: policy.max_file_bytes,
        max_change_bytes: policy.max_change_bytes,
        require_sandbox: policy.require_sandbox,
        asks: !policy.tools.is_empty(),
        approval_wait_s: policy.dispatch.approval_wait_s,
    };
    Ok(NewTask { queue: QUEUE.to_owned(), labels, ..plane_task(task::AGENT, json!(input)) })
}

/// The outcome in a sentence.
fn message(report: &Report) -> String {
    let files = |count: u32| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    let mut text = match (report.files_changed, report.files_refused) {
        (0, 0) => return "nothing had to change".to_owned(),
        (changed, 0) => format!("{} changed", files(changed)),
        (changed, refused) => format!("{} changed, {refused} refused", files(changed)),
    };
    if let Some(branch) = &report.branch {
        text.push_str(&format!(" on {branch}"));
    }
    text
}

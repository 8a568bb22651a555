//! Making a project's dependencies ready before its gates (P35): at most once per run and folder, only
//! where something is missing. What goes wrong here is a note; only gates have verdicts.

use std::{collections::BTreeSet, path::Path};

use exec::prepare::{Ecosystem, preparer};
use model::{
    journal::{Edge, Level, NewEntry, StreamId},
    limits,
    problem::Problem,
    proof::{
        gate::ParserSpec,
        judge::{CommandEnd, Exits},
        results::{FindingLevel, ParserKind},
    },
    run::Run,
    task::{Task, TaskEvent, TaskState},
    time::Timestamp,
};
use serde_json::json;
use store::{RunChange, TaskChange, Tx};

use super::{
    apply::output_of,
    command,
    kind::read,
    runners::PlannedCommand,
    state::{CommandInput, CommandOutput, Detail, PlannedTask},
};
use crate::runs;

/// The name that preparations have in place of a runner's.
pub const RUNNER: &str = "prepare";

/// What makes ready what the commands need: what the project declares, else what its lock files ask for.
pub fn wanted(root: &Path, declared: Option<&[String]>, commands: &[PlannedTask]) -> Vec<PlannedCommand> {
    if commands.is_empty() {
        return Vec::new();
    }
    if let Some(argv) = declared {
        return vec![preparation(argv.to_vec(), String::new())];
    }
    let mut found = BTreeSet::new();
    for command in commands {
        let planned = &command.planned;
        let project = exec::manifests::project_at(root, &planned.cwd, &planned.argv);
        if let Some(preparer) = ecosystem(planned, &project).and_then(preparer) {
            found.extend(preparer.make_ready(&project));
        }
    }
    found.into_iter().map(|ready| preparation(ready.argv, ready.folder)).collect()
}

/// Whose dependencies a command needs: its program's, else its runner's (`node` and a virtual
/// environment's `python` bring none of their own).
fn ecosystem(planned: &PlannedCommand, project: &exec::prepare::Project) -> Option<Ecosystem> {
    let of_program = exec::prepare::prepare(&planned.argv, project).map(|prepared| prepared.ecosystem);
    match (of_program, planned.runner.as_str()) {
        (Ok(ecosystem), _) if ecosystem != Ecosystem::Other => Some(ecosystem),
        (_, "node") => Some(Ecosystem::Npm),
        (_, "python") => Some(Ecosystem::Python),
        _ => None,
    }
}

fn preparation(argv: Vec<String>, cwd: String) -> PlannedCommand {
    PlannedCommand {
        runner: RUNNER.to_owned(),
        argv,
        cwd,
        env: Default::default(),
        parser: ParserSpec { kind: ParserKind::Exit, path: None, fail_on: FindingLevel::default() },
        exits: Exits::default(),
        timeout_s: u32::try_from(limits::PREPARATION.as_secs()).unwrap_or(u32::MAX),
        tests: Vec::new(),
    }
}

/// A preparation has an end: what it was is told, and the commands that waited for it may start.
pub async fn ended(tx: &mut Tx, run: &mut Run, ended: &Task, now: Timestamp) -> Result<(), Problem> {
    let output = output_of(ended)?;
    let input: CommandInput = read(&ended.input)?;
    tx.command_insert(ended.id, run.id, &output.record).await?;
    let finished = NewEntry::new("prepare.finished", command::finished(ended, &output)).in_span(
        command::span(ended.id, ended.attempt),
        Some(runs::span(run.id)),
        Some(Edge::Close),
    );
    let mut entries = vec![finished];
    if let Some(note) = failure(&input, &output) {
        let mut detail = Detail::of(run)?;
        detail.notes.push(note.clone());
        runs::save(tx, run, RunChange { detail: Some(detail.json()), ..RunChange::default() }, now).await?;
        entries.push(NewEntry::new("note", json!({"text": note})).at_level(Level::Warning));
    }
    tx.journal_append(StreamId::Run(run.id), &entries, now).await?;
    for freed in tx.tasks_unblocked_by(ended.id).await? {
        tx.task_transition(freed.id, &[TaskState::Blocked], &TaskChange::new(TaskEvent::Unblocked), now).await?;
    }
    Ok(())
}

/// What to say of a preparation that did not do its work.
fn failure(input: &CommandInput, output: &CommandOutput) -> Option<String> {
    let how = match &output.result.end {
        CommandEnd::Exited { code: 0 } => return None,
        CommandEnd::Exited { code } => format!("ended with exit code {code}"),
        CommandEnd::Killed { by, .. } => format!("was ended by {by}"),
        CommandEnd::TimedOut { limit_s } => format!("took longer than {limit_s} s"),
        CommandEnd::Cancelled => "was cancelled".to_owned(),
        CommandEnd::WorkerLost => "was lost with its worker".to_owned(),
        CommandEnd::ToolMissing { program, hint } => format!("could not start: there is no `{program}` ({hint})"),
        CommandEnd::SandboxRefused { rule } => format!("is not allowed: {rule}"),
        CommandEnd::Refused { message, .. } => format!("was refused: {message}"),
        CommandEnd::Environment { message } => format!("could not start: {message}"),
        CommandEnd::TreeMoved => "did not start: the files have changed".to_owned(),
        CommandEnd::Budget => "was refused by the budget".to_owned(),
        CommandEnd::DiskFull => "found the disk full".to_owned(),
        CommandEnd::Internal { code } => format!("failed with {code}"),
    };
    let offline = output.sandbox.as_ref().is_some_and(|report| report.network == exec::sandbox::Network::Off);
    let why = if offline { "; the policy keeps the network off" } else { "" };
    let argv = input.planned.argv.join(" ");
    Some(format!("preparation failed, so gates may lack what they need: `{argv}` {how}{why}"))
}

//! Runs one process for the gates that need it. Knows nothing of verdicts: it says how the process
//! ended, what it printed and what its results say.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use exec::{
    environment::{self, Environment, EnvironmentPlan, Told},
    redact::Redactor,
    run::{CapturePlan, Live, Outcome as Ended, Place},
    sandbox::{FileRules, Network, SandboxPlan},
};
use model::{
    code::Code,
    failure::{Failure, FailureCode},
    id::{RunId, TaskId},
    journal::{Edge, NewEntry},
    ledger::Spent,
    limits,
    problem::Problem,
    proof::{
        evidence::{ArtifactRecord, OutputRecord, ResultsRecord},
        judge::{CommandEnd, CommandResult, ResultsRead},
        results::{ParserKind, ResultsProblem},
    },
    run::Run,
    task::{Task, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Proof, cost,
    ends::{blank, end_of, not_run},
    places::Places,
    results,
    state::{Bound, CommandInput, CommandOutput, gate},
    target,
};
use crate::{
    Engine, runs,
    work::{Assignment, Outcome},
};

/// Does a command task.
pub async fn handle(proof: Arc<Proof>, assignment: Assignment) -> Outcome {
    match attempt(&proof, &assignment).await {
        Ok(Some((output, spent))) => match serde_json::to_value(output) {
            // A gate that declares no cost spends nothing, whatever it writes (P37).
            Ok(output) => {
                let has_cost = assignment.leased.task.reserve.is_some();
                Outcome::done(output).spending(has_cost.then_some(spent))
            }
            Err(error) => internal(&error.to_string()),
        },
        Ok(None) => Outcome::released("the plane is stopping"),
        Err(problem) if problem.code == Code::LeaseLost => Outcome::released(problem.message),
        Err(problem) => internal(&problem.to_string()),
    }
}

fn internal(message: &str) -> Outcome {
    Outcome::failed(Failure::new(FailureCode::Internal, message))
}

/// What is known before the process starts.
struct Job<'a> {
    engine: &'a Engine,
    assignment: &'a Assignment,
    run: &'a Run,
    input: &'a CommandInput,
    bound: &'a Bound,
    places: Places,
}

/// What came of an attempt, and what it cost.
type Attempted = (CommandOutput, Spent);

/// One attempt; `None` when the plane stops and the task goes back.
async fn attempt(proof: &Arc<Proof>, assignment: &Assignment) -> Result<Option<Attempted>, Problem> {
    let engine = &assignment.engine;
    let task = &assignment.leased.task;
    let input: CommandInput = serde_json::from_value(task.input.clone()).map_err(|error| stored(&error))?;
    let (run, started_before) = begin(assignment, &input).await?;
    let bound: Bound = serde_json::from_value(run.detail["bound"].clone()).map_err(|error| stored(&error))?;
    if started_before && !input.repeat {
        return Ok(Some((not_run(&input, task.attempt, CommandEnd::WorkerLost), Spent::Nothing)));
    }
    if let Some(end) = target::verify(proof, engine, &run, &bound, task.attempt > 1).await? {
        return Ok(Some((not_run(&input, task.attempt, end), Spent::Nothing)));
    }
    let places = Places::make(engine, run.project, run.id, task.id, task.attempt, &bound)
        .map_err(|error| Problem::new(Code::DiskFull, format!("failed to make the folders of a command: {error}")))?;
    let job = Job { engine, assignment, run: &run, input: &input, bound: &bound, places };
    job.run_it(proof).await
}

/// Tells the journal that the command starts, and moves its gates on. Whether it had started before.
async fn begin(assignment: &Assignment, input: &CommandInput) -> Result<(Run, bool), Problem> {
    let engine = &assignment.engine;
    let (fence, now) = (assignment.fence(), engine.now());
    let (task, run) = (assignment.leased.task.id, assignment.leased.task.run);
    let attempt = assignment.leased.task.attempt;
    let started = NewEntry::new(
        "command.started",
        json!({
            "command": task, "digest": input.digest, "argv": input.planned.argv, "cwd": input.planned.cwd,
            "runner": input.planned.runner, "gates": input.gates, "gate_count": input.gate_count, "attempt": attempt,
        }),
    )
    .in_span(span(task, attempt), Some(runs::span(run)), Some(Edge::Open));
    engine
        .store()
        .write(move |tx| {
            let started = started.clone();
            Box::pin(async move {
                tx.journal_append_fenced(fence, &[started], now).await?;
                let before =
                    tx.task(task).await?.and_then(|task| task.detail).is_some_and(|detail| detail == "started");
                tx.task_detail(task, "started").await?;
                let mut entries = Vec::new();
                for waiting in tx.tasks_needing(task).await? {
                    if waiting.state == TaskState::Blocked && waiting.detail.as_deref() == Some(gate::PENDING) {
                        tx.task_detail(waiting.id, gate::RUNNING).await?;
                        let (requirement, name) = waiting.subject.split_once('/').unwrap_or((&waiting.subject, ""));
                        entries.push(
                            NewEntry::new("gate.started", json!({"requirement": requirement, "gate": name})).in_span(
                                gate_span(run, &waiting.subject),
                                Some(runs::span(run)),
                                Some(Edge::Open),
                            ),
                        );
                    }
                }
                if !entries.is_empty() {
                    tx.journal_append(model::journal::StreamId::Run(run), &entries, now).await?;
                }
                let run = tx.run(run).await?.ok_or_else(Problem::not_found)?;
                Ok::<_, Problem>((run, before))
            })
        })
        .await
}

/// What the journal says of a command's end.
pub fn finished(ended: &Task, output: &CommandOutput) -> Value {
    json!({
        "command": ended.id, "digest": output.record.digest, "exit_code": output.record.exit_code,
        "signal": output.record.signal, "duration_ms": output.record.duration_ms, "end": output.result.end,
        "output": output.record.output, "sandbox": output.sandbox, "killed_leftovers": output.killed_leftovers,
    })
}

/// A command's span, one per attempt.
pub fn span(command: TaskId, attempt: u32) -> String {
    format!("command:{command}/{attempt}")
}

/// A gate's span.
pub fn gate_span(run: RunId, subject: &str) -> String {
    format!("gate:{}/{subject}", run.short())
}

impl Job<'_> {
    async fn run_it(&self, proof: &Arc<Proof>) -> Result<Option<Attempted>, Problem> {
        let attempt = self.assignment.leased.task.attempt;
        let end = |end| Ok(Some((not_run(self.input, attempt, end), Spent::Nothing)));
        let policy = match target::policy(self.engine, self.run.project).await? {
            Some(policy) => policy,
            None => return end(CommandEnd::SandboxRefused { rule: "no policy is loaded".to_owned() }),
        };
        let declared = self.expand(&self.input.planned.argv);
        let folder = Path::new(&self.bound.folder).join(&self.input.planned.cwd);
        let root = Path::new(&self.bound.folder);
        let project = exec::manifests::project_at(root, &self.input.planned.cwd, &declared);
        let prepared = match exec::prepare::prepare(&declared, &project) {
            Ok(prepared) => prepared,
            Err(refused) => {
                let code = serde_json::to_value(refused.code).ok();
                let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or("refused").to_owned();
                return end(CommandEnd::Refused { code, message: refused.text });
            }
        };
        if prepared.lock_missing {
            let how = match prepared.ecosystem {
                exec::prepare::Ecosystem::Cargo => ": `cargo generate-lockfile` makes it",
                exec::prepare::Ecosystem::Python => ": `uv lock` makes it",
                _ => "",
            };
            return end(CommandEnd::Environment {
                message: format!("lock_missing: the project has no lock file{how}"),
            });
        }
        if let Some(rule) = target::refused(&policy, &prepared.prepared, root, &self.input.planned.cwd) {
            return end(CommandEnd::SandboxRefused { rule });
        }
        let mut environment = self.environment(&policy.env_allow);
        if let Some(preparer) = exec::prepare::preparer(prepared.ecosystem) {
            preparer.env(&self.places.cache, &prepared.project_dir).apply(&mut environment);
        }
        for (name, value) in &self.input.planned.env {
            environment.set(name, self.expanded(value));
        }
        let git_dirs = proof.git_dirs(self.engine, self.run.id, self.bound).await?;
        let version = proof.version_of(&self.input.planned, &environment, &folder).await;
        let network = if policy.network == model::policy::Network::Off { Network::Off } else { Network::Open };
        let (tail, live) = mpsc::channel(64);
        let command = exec::run::Command {
            argv: prepared.prepared.clone(),
            env: environment.variables().clone(),
            timeout: Duration::from_secs(self.input.planned.timeout_s.into()).min(limits::GATE_TIMEOUT_MAX),
            sandbox: SandboxPlan { files: self.rules(&git_dirs), network, required: policy.require_sandbox },
            capture: CapturePlan::file(self.places.output.clone()),
            redactor: Redactor::of_process(),
            live: Some(Live::Lossy(tail)),
            cancel: self.assignment.stop.clone(),
            ..exec::run::Command::new(Vec::<String>::new(), folder)
        };
        let before = self.results_before();
        let (ended, ()) = tokio::join!(exec::run::run(command), self.tell(live));
        // What follows waits for the disk, not for the processor.
        self.assignment.slot.free();
        if ended.outcome == Ended::Cancelled && self.engine.stopping().is_cancelled() {
            return Ok(None);
        }
        let output = self.keep(ended, before, version, &environment).await?;
        let spent = match output.record.started_at {
            Some(_) => cost::told_in(&self.places.out),
            None => Spent::Nothing,
        };
        self.places.clear();
        Ok(Some((output, spent)))
    }

    /// Passes pieces of the output on to the journal: at most one entry a second, of at most 4 KiB (10 §5).
    async fn tell(&self, mut live: mpsc::Receiver<String>) {
        let task = &self.assignment.leased.task;
        let mut pending = String::new();
        let mut next = tokio::time::Instant::now() + Duration::from_millis(300);
        loop {
            let piece = if pending.is_empty() {
                live.recv().await
            } else {
                match tokio::time::timeout_at(next, live.recv()).await {
                    Ok(piece) => piece,
                    Err(_) => {
                        next = tokio::time::Instant::now() + Duration::from_secs(1);
                        let data = json!({"command": task.id, "text": std::mem::take(&mut pending)});
                        let entry = NewEntry::new("command.output", data).in_span(
                            span(task.id, task.attempt),
                            Some(runs::span(task.run)),
                            None,
                        );
                        // Live output is a courtesy; the whole of it is in the blob.
                        let _ = self.engine.append(self.assignment.fence(), vec![entry]).await;
                        continue;
                    }
                }
            };
            let Some(piece) = piece else { return };
            pending.push_str(&piece);
            if pending.len() > limits::OUTPUT_ENTRY {
                let cut = pending.len() - limits::OUTPUT_ENTRY;
                let cut = (cut..pending.len()).find(|at| pending.is_char_boundary(*at)).unwrap_or(0);
                pending.drain(..cut);
            }
        }
    }

    fn expand(&self, argv: &[String]) -> Vec<String> {
        argv.iter().map(|arg| self.expanded(arg)).collect()
    }

    fn expanded(&self, text: &str) -> String {
        text.replace("{repo}", &self.bound.folder).replace("{out}", &self.places.out.to_string_lossy())
    }

    fn environment(&self, allowed: &[String]) -> Environment {
        // A name is handed over when the gate asks for it and the policy allows it.
        let extra: Vec<String> = self.input.env.iter().filter(|name| allowed.contains(name)).cloned().collect();
        let parent = environment::inherited();
        environment::child_environment(&EnvironmentPlan {
            parent: &parent,
            extra: &extra,
            home: &self.places.home,
            tmp: &self.places.tmp,
            worktree: Some(Path::new(&self.bound.folder)),
            is_gate: true,
            told: &[(Told::Run, self.run.id.to_string())],
        })
    }

    fn rules(&self, git_dirs: &[PathBuf]) -> Option<FileRules> {
        let places = &self.places;
        let folders = exec::sandbox::RunFolders {
            home: places.home.clone(),
            tmp: places.tmp.clone(),
            scratch: places.cache.clone(),
            out: places.out.clone(),
        };
        let mut hidden = vec![self.engine.data().root().to_owned(), self.engine.data().blobs().join("blobs")];
        if let Some(home) = environment::inherited().get("HOME") {
            hidden.extend(exec::sandbox::credential_stores(Path::new(home)));
        }
        SandboxPlan::in_worktree(Path::new(&self.bound.folder), git_dirs, &folders, hidden).files
    }

    /// Where the results are expected, and when a file that already lies there was last written.
    fn results_before(&self) -> Option<(PathBuf, Option<SystemTime>)> {
        let path = self.expanded(self.input.planned.parser.path.as_deref()?);
        let path = Path::new(&self.bound.folder).join(&self.input.planned.cwd).join(path);
        let written = fs::symlink_metadata(&path).and_then(|meta| meta.modified()).ok();
        Some((path, written))
    }

    /// Makes what the command left durable, reads its results, and says how it ended.
    async fn keep(
        &self,
        ended: exec::run::CommandEnd,
        before: Option<(PathBuf, Option<SystemTime>)>,
        version: Option<String>,
        environment: &Environment,
    ) -> Result<CommandOutput, Problem> {
        let planned = &self.input.planned;
        let blobs = self.engine.blobs();
        let file = match &ended.output.place {
            Place::File(path) => Some(path.clone()),
            Place::Memory(_) => None,
        };
        let started = !matches!(ended.outcome, Ended::NotStarted { .. });
        let mut output = None;
        let mut text = Vec::new();
        if let (true, Some(path)) = (started, file) {
            text = read_capped(&path, limits::OUTPUT_HEAD + limits::OUTPUT_TAIL + 4_096).unwrap_or_default();
            let kept = blobs.put_file(path.clone()).await?;
            let truncated = ended.output.truncated;
            output = Some(OutputRecord { blob: kept.digest, bytes: ended.output.written, truncated });
        }
        let mut read = ResultsRead::None;
        let mut results_blob = None;
        if started {
            let options = results::Options { fail_on: planned.parser.fail_on, output_cut: ended.output.truncated };
            match (planned.parser.kind, before) {
                (ParserKind::Exit, _) => {}
                (kind, None) => read = parsed(results::parse(kind, &text, &options)),
                (kind, Some((path, written))) => {
                    match results_bytes(&path, written, planned.parser.path.as_deref().unwrap_or_default()) {
                        Ok(bytes) => {
                            results_blob = Some(blobs.put_bytes(bytes.clone()).await?.digest);
                            read = parsed(results::parse(kind, &bytes, &options));
                        }
                        Err(problem) => read = ResultsRead::Unreadable { problem },
                    }
                }
            }
            if let ResultsRead::Read { results } = &mut read {
                let names: Vec<&str> = planned.tests.iter().map(String::as_str).collect();
                results.trim(&names, CASES_STORED);
            }
        }
        let artifacts = if started { self.artifacts().await? } else { Vec::new() };
        let attempt = self.assignment.leased.task.attempt;
        let mut record = blank(self.input, attempt);
        record.runner_version = version;
        record.env_digest = environment.digest();
        record.started_at = started.then(|| at(ended.started));
        record.duration_ms = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
        record.output = output;
        record.artifacts = artifacts;
        if let ResultsRead::Read { results } = &read {
            let cases = results.cases.clone();
            record.results = Some(ResultsRecord { parser: planned.parser.kind, blob: results_blob, cases });
        }
        match &ended.outcome {
            Ended::Exited { code } => record.exit_code = Some(*code),
            Ended::Signaled { signal } => record.signal = Some(*signal),
            Ended::TimedOut { .. }
            | Ended::LimitReached { .. }
            | Ended::Cancelled
            | Ended::OutputCap { .. }
            | Ended::NotStarted { .. } => {}
        }
        let end = if ended.output.error.is_some() { CommandEnd::DiskFull } else { end_of(&ended.outcome, planned) };
        let result = CommandResult {
            runner: planned.runner.clone(),
            end,
            parser: planned.parser.kind,
            results: read,
            exits: planned.exits.clone(),
        };
        Ok(CommandOutput { result, record, sandbox: Some(ended.sandbox), killed_leftovers: ended.killed_leftovers })
    }

    /// Files under `{out}/artifacts`, bounded in number and size; links are not followed.
    async fn artifacts(&self) -> Result<Vec<ArtifactRecord>, Problem> {
        let root = self.places.out.join("artifacts");
        let run = self.assignment.leased.task.run;
        let kept =
            self.engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.run_bytes(run).await?) }));
        let room = limits::ARTIFACTS_PER_RUN.saturating_sub(kept.await?).min(limits::ARTIFACT);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            let Ok(listing) = fs::read_dir(&folder) else { continue };
            for entry in listing.flatten() {
                let (Ok(kind), Ok(meta)) = (entry.file_type(), entry.metadata()) else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && bytes + meta.len() <= room {
                    bytes += meta.len();
                    found.push((entry.path(), meta.len()));
                }
                if found.len() >= limits::ARTIFACTS_PER_COMMAND {
                    folders.clear();
                    break;
                }
            }
        }
        found.sort();
        let mut records = Vec::with_capacity(found.len());
        for (path, bytes) in found {
            let blob = self.engine.blobs().put_file(path.clone()).await?.digest;
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            records.push(ArtifactRecord { path: name, blob, bytes });
        }
        Ok(records)
    }
}

/// Cases stored with a command whose tests were not named; the whole file is in its blob.
const CASES_STORED: usize = 2_000;

fn parsed(read: Result<model::proof::results::ParsedResults, ResultsProblem>) -> ResultsRead {
    match read {
        Ok(results) => ResultsRead::Read { results },
        Err(problem) => ResultsRead::Unreadable { problem },
    }
}

/// The results file, when this command wrote it (P45, X60).
fn results_bytes(path: &Path, before: Option<SystemTime>, declared: &str) -> Result<Vec<u8>, ResultsProblem> {
    let missing = || ResultsProblem::Missing { path: declared.to_owned() };
    let meta = fs::symlink_metadata(path).map_err(|_| missing())?;
    if !meta.is_file() {
        return Err(missing());
    }
    if before.is_some() && meta.modified().ok() == before {
        return Err(ResultsProblem::Older { path: declared.to_owned() });
    }
    if meta.len() > limits::RESULTS_FILE {
        return Err(ResultsProblem::TooLarge { bytes: meta.len(), limit: limits::RESULTS_FILE });
    }
    read_capped(path, limits::RESULTS_FILE + 1).map_err(|_| missing())
}

fn read_capped(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, most), &mut bytes)?;
    Ok(bytes)
}

fn at(moment: SystemTime) -> Timestamp {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn stored(error: &serde_json::Error) -> Problem {
    Problem::new(Code::Internal, format!("a stored task could not be read: {error}"))
}

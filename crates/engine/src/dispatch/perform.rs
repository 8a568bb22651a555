//! Drives an agent for one task, wherever that is: in the plane's own process or on a worker.
//!
//! It works in a copy of the repository of its own, below a folder of the attempt, and hands in a result. It writes
//! into no repository; what becomes of the result is the plane's business ([`super::apply`]).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use agents::{Agent, Ask, Boxed, Driven, Kind, Limits, Mode, Protocol, Reply, Session, Sink, SinkClosed};
use exec::{
    git::{Checkout, Worktree, WorktreeRoot},
    redact::Redactor,
    sandbox::{RunFolders, SandboxPlan, credential_stores},
};
use model::{
    agent::{
        Capability,
        event::{AgentEvent, ToolStatus},
        fold::AgentOutcome,
    },
    change::Entry,
    dispatch::Answer,
    failure::{Failure, FailureCode},
    id::TaskId,
    journal::{Edge, Level, NewEntry},
    ledger::Spent,
    limits,
    role::{Output, may_write},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    archive,
    clones::Clones,
    port::{Handed, Port, PortError},
    state::{AgentOfRun, AgentOutput, AgentTask},
    ticker::ticking,
    waiting::{self, Answering, Questions, Waiting},
};
use crate::{
    runs,
    work::{Outcome, WAITS_FOR_ANSWER},
};

/// What this machine gives a performer.
#[derive(Debug, Clone)]
pub struct Place {
    /// The agents of this machine.
    pub agents: Vec<Agent>,
    /// Where worktrees are made.
    pub worktrees: PathBuf,
    /// The folder of this attempt, for everything else; removed by the caller.
    pub folder: PathBuf,
    /// Where this machine has the repositories of projects.
    pub clones: Clones,
    /// The environment from which the agent is given what is allowed.
    pub environment: BTreeMap<String, String>,
    /// Folders that no agent may read: the plane's data, the worker's state.
    pub hidden: Vec<PathBuf>,
}

/// What stands in the way.
enum Stop {
    /// The task is not ours any more, or is to be given back: nothing is recorded of it.
    Release(&'static str),
    /// It has failed.
    Fail(Failure),
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Lost => Self::Release("lost"),
            PortError::Unreachable(message) => Self::Fail(Failure::new(FailureCode::Internal, message)),
        }
    }
}

fn fail(code: FailureCode, message: impl Into<String>) -> Stop {
    Stop::Fail(Failure::new(code, message))
}

/// Does a task of kind `dispatch.agent`: prepares a working copy, drives the agent, reads its answer, hands it in.
pub async fn perform(
    id: TaskId,
    attempt: u32,
    task: AgentTask,
    place: Place,
    port: &dyn Port,
    stop: CancellationToken,
) -> Outcome {
    let worktrees = WorktreeRoot::new(&place.worktrees);
    let waiting = waiting_in(&place, &task, worktrees.as_ref().ok());
    let key = waiting
        .as_ref()
        .and_then(|waiting| waiting.copy.clone())
        .unwrap_or_else(|| format!("{}{attempt}", archive::COPY));
    let spent = Mutex::new(Spent::Nothing);
    let result = match &worktrees {
        Ok(root) => {
            let spent = &spent;
            Performance { id, attempt, task: &task, place: &place, port, stop, root, key: &key, spent }
                .go(waiting)
                .await
        }
        Err(error) => Err(fail(FailureCode::Internal, error.to_string())),
    };
    // Of a session that waits for people everything stays where it is.
    let waits = matches!(result, Err(Stop::Release(_))) && Waiting::is_in(&place.folder);
    if !waits
        && let Ok(root) = worktrees
        && let Ok(folder) = root.folder_of(&task.run.to_string())
    {
        // Stopped or failed: what it did so far is worth something to a person.
        let is_unfinished = matches!(result, Err(Stop::Fail(_) | Stop::Release("stopped")));
        if is_unfinished && task.output == Output::Worktree {
            archive::keep(&task, &place.clones, &root, &key, port).await;
        }
        // The copy goes with the attempt; what cannot be removed now goes with the run's folder.
        let copy = folder.join(&key);
        let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(copy)).await;
        place.clones.let_go(&task, &root).await;
    }
    let ended = match result {
        Ok(output) => Outcome::done(serde_json::to_value(output).unwrap_or_default()),
        Err(Stop::Release(reason)) => Outcome::released(reason),
        Err(Stop::Fail(failure)) => Outcome::failed(failure),
    };
    ended.spending(Some(spent.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// The session that waits in the place's folder, where it can be gone on with. What else lies there goes.
fn waiting_in(place: &Place, task: &AgentTask, root: Option<&WorktreeRoot>) -> Option<Waiting> {
    if !Waiting::is_in(&place.folder) {
        return None;
    }
    let resumable = |waiting: &Waiting| {
        let agent = place.agents.iter().find(|agent| agent.name.as_str() == task.agent);
        let stands = waiting
            .copy
            .as_ref()
            .is_none_or(|key| root.is_some_and(|root| root.open(&task.run.to_string(), key).is_ok()));
        waiting.agent == task.agent
            && agent.is_some_and(|agent| agent.capabilities().contains(&Capability::Resume))
            && stands
    };
    let waiting = Waiting::read(&place.folder).filter(resumable);
    if waiting.is_none() {
        let _ = fs::remove_dir_all(&place.folder);
    }
    waiting
}

struct Performance<'a> {
    id: TaskId,
    attempt: u32,
    task: &'a AgentTask,
    place: &'a Place,
    port: &'a dyn Port,
    stop: CancellationToken,
    root: &'a WorktreeRoot,
    key: &'a str,
    /// What it has cost so far: nothing, provably, until the agent is started (L85).
    spent: &'a Mutex<Spent>,
}

impl Performance<'_> {
    async fn go(&self, waiting: Option<Waiting>) -> Result<AgentOutput, Stop> {
        let task = self.task;
        let resumed = match &waiting {
            None => None,
            Some(waiting) => match waiting::told(waiting, self.port).await? {
                Some(told) => Some((waiting, told)),
                None => return Err(Stop::Release(WAITS_FOR_ANSWER)),
            },
        };
        let agent = self.place.agents.iter().find(|agent| agent.name.as_str() == task.agent).ok_or_else(|| {
            fail(FailureCode::AgentNotFound, format!("this worker has no agent called {}", task.agent))
        })?;
        self.port.phase("running").await?;
        let copy = match &resumed {
            Some((waiting, _)) => {
                let open = waiting.copy.as_ref().map(|key| self.root.open(&task.run.to_string(), key));
                open.transpose().map_err(|error| fail(FailureCode::Internal, error.to_string()))?
            }
            None => self.copy().await?,
        };
        let prompt = String::from_utf8_lossy(&self.port.fetch(task.prompt).await?).into_owned();
        let context = self.port.fetch(task.context).await?;
        let own = &self.place.folder;
        let prepared = (|| {
            let folders = RunFolders::make(own)?;
            let empty = own.join("empty");
            fs::create_dir_all(&empty)?;
            let file = own.join("context-pack.json");
            fs::write(&file, context)?;
            Ok::<_, std::io::Error>((folders, empty, file))
        })();
        let (folders, empty, context_file) =
            prepared.map_err(|error| fail(FailureCode::DiskFull, format!("failed to prepare the attempt: {error}")))?;
        let cwd = copy.as_ref().map_or(empty, |copy| copy.path.clone());
        let mut session = self.session(agent, &cwd, copy.as_ref(), &folders, prompt, context_file);
        if let Some((waiting, told)) = resumed {
            session.resume = Some(waiting.session.clone());
            session.prompt = told;
        }
        let raw = session.raw.clone();
        let errors = session.errors();
        // What a session printed that died while it waited is not written over.
        self.keep_output(&raw, &errors).await?;
        let span = format!("agent:{}/{}", self.id, self.attempt);
        let opened = json!({"task": self.id, "phase": "running", "step": format!("{} begins", task.agent)});
        let first =
            NewEntry::new("task.step", opened).in_span(span.clone(), Some(runs::span(task.run)), Some(Edge::Open));
        self.port.entries(vec![first]).await?;
        let answering = Answering {
            port: self.port,
            folder: own,
            patience: Duration::from_secs(task.approval_wait_s.into()),
            park: self.stop.child_token(),
            note: Mutex::default(),
        };
        let (questions, asked) = Answering::questions(&task.agent);
        let mut sink = ToPort {
            port: self.port,
            span: span.clone(),
            pending: Vec::new(),
            told: tokio::time::Instant::now(),
            questions,
            answering: &answering,
            agent,
            copy: copy.is_some().then_some(self.key),
        };
        self.costs(Spent::UNKNOWN);
        let work = agents::drive(session, &mut sink, answering.park.clone());
        let driven = tokio::select! {
            driven = ticking(self.port, self.id, "running", work) => driven,
            never = answering.answer(asked) => match never {},
        };
        self.costs(Spent::Cost(driven.end.cost));
        let _ = sink.flush().await;
        let is_parked = answering.park.is_cancelled() && !self.stop.is_cancelled();
        let closed = json!({"task": self.id, "phase": "running", "step": format!("{} has ended", task.agent)});
        let last = NewEntry::new("task.step", closed).in_span(span, Some(runs::span(task.run)), Some(Edge::Close));
        self.port.entries(vec![last]).await?;
        // Before anything is made of it, what it said is kept (D40), also of one that failed.
        self.keep_output(&raw, &errors).await?;
        if is_parked && driven.end.outcome == AgentOutcome::Cancelled {
            return Err(Stop::Release(WAITS_FOR_ANSWER));
        }
        self.hand_in(driven, copy.as_ref()).await
    }

    fn costs(&self, spent: Spent) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = spent;
    }

    async fn keep_output(&self, raw: &Path, errors: &Path) -> Result<(), Stop> {
        for (name, path) in [("agent-output.txt", raw), ("agent-errors.txt", errors)] {
            if fs::metadata(path).is_ok_and(|data| data.len() > 0) {
                self.port.artifact(name, "text/plain; charset=utf-8", Handed::File(path.to_owned())).await?;
            }
        }
        Ok(())
    }

    /// The agent's own copy of the repository. Without one, an agent whose files are the result has nothing to do
    /// (D48); any other works from its prompt alone.
    async fn copy(&self) -> Result<Option<Worktree>, Stop> {
        let needed = self.task.output == Output::Worktree;
        let made = async {
            // A clone may take long, and who waits for it is told to stop as everybody.
            let repository = tokio::select! {
                found = self.place.clones.find(self.task) => found,
                () = self.stop.cancelled() => Err("stopped".to_owned()),
            };
            let unavailable = |why: String| Failure::new(FailureCode::RepoUnavailable, why);
            let repository = repository.map_err(unavailable)?;
            let base = self.task.base.clone();
            let base = base.ok_or_else(|| unavailable("the run knows no commit to start from".to_owned()))?;
            let checkout = Checkout { commit: base, branch: None };
            let made = self.root.create(&repository, &self.task.run.to_string(), self.key, &checkout).await;
            made.map_err(|error| error.failure())
        };
        match made.await {
            Ok(copy) => Ok(Some(copy)),
            Err(_) if self.stop.is_cancelled() => Err(Stop::Release("stopped")),
            Err(failure) if needed => Err(Stop::Fail(failure)),
            Err(failure) => {
                let text = format!("the agent works without the repository: {}", failure.message);
                self.warn("no_repository", &text).await?;
                Ok(None)
            }
        }
    }

    fn session(
        &self,
        agent: &Agent,
        cwd: &Path,
        copy: Option<&Worktree>,
        folders: &RunFolders,
        prompt: String,
        context_file: PathBuf,
    ) -> Session {
        let task = self.task;
        let mut hidden = self.place.hidden.clone();
        if let Some(home) = self.place.environment.get("HOME") {
            hidden.extend(credential_stores(Path::new(home)));
        }
        let git_dirs: Vec<PathBuf> = copy.map(|copy| copy.git_dir.clone()).into_iter().collect();
        let mut sandbox = SandboxPlan::in_worktree(cwd, &git_dirs, folders, hidden);
        sandbox.required = task.require_sandbox;
        if let Some(files) = &mut sandbox.files {
            // Its own git directory is its to use; the person's repository is not in the list, so it is only read.
            files.writable.extend(git_dirs);
            files.readable.push(context_file.clone());
        }
        let mode = if may_write(task.output, task.intent) { Mode::Write } else { Mode::ReadOnly };
        Session {
            model: task.model.clone(),
            context_file: Some(context_file),
            run: Some(task.run),
            role: Some(task.role.to_string()),
            mode,
            tools: task.tools.clone(),
            asks: task.asks,
            limits: Limits {
                wall: Duration::from_secs(task.timeout_s.into()),
                quiet: Duration::from_secs(task.timeout_s.into()).min(limits::AGENT_QUIET),
                output: task.output_cap.unwrap_or(match (agent.kind, agent.protocol) {
                    // Where its whole output is the answer (X36).
                    (Kind::Command, Protocol::Plain) => limits::AGENT_ANSWER as u64,
                    _ => limits::AGENT_OUTPUT,
                }),
                turns: None,
            },
            sandbox,
            environment: self.place.environment.clone(),
            home: folders.home.clone(),
            tmp: folders.tmp.clone(),
            env: [("GIT_AUTHOR", "Agent"), ("GIT_COMMITTER", "Agent")]
                .into_iter()
                .flat_map(|(who, name)| {
                    [(format!("{who}_NAME"), name.to_owned()), (format!("{who}_EMAIL"), "agent@localhost".to_owned())]
                })
                .collect(),
            ..Session::new(agent.clone(), cwd, &self.place.folder, prompt)
        }
    }

    async fn warn(&self, code: &str, text: &str) -> Result<(), Stop> {
        let entry = NewEntry::new("warning", json!({"code": code, "text": text})).at_level(Level::Warning);
        Ok(self.port.entries(vec![entry]).await?)
    }

    /// Reads what the agent left and hands it in.
    async fn hand_in(&self, driven: Driven, copy: Option<&Worktree>) -> Result<AgentOutput, Stop> {
        let task = self.task;
        let facts = driven.end.session.clone();
        let agent = AgentOfRun {
            name: task.agent.clone(),
            version: driven.version.map(|version| version.to_string()),
            model: facts.as_ref().and_then(|facts| facts.model.clone()).or_else(|| task.model.clone()),
            session: facts.as_ref().and_then(|facts| facts.session.clone()),
            sandbox: serde_json::to_value(&driven.sandbox).unwrap_or_default(),
            usage: Some(driven.end.usage),
            cost: Some(driven.end.cost),
            took_ms: u64::try_from(driven.took.as_millis()).unwrap_or(u64::MAX),
            simulated: self.place.agents.iter().any(|agent| agent.name.as_str() == task.agent && agent.is_simulated()),
        };
        let answer = match driven.end.outcome {
            AgentOutcome::Completed { answer } => answer,
            AgentOutcome::Cancelled => return Err(Stop::Release("stopped")),
            AgentOutcome::Failed(failure) => {
                // What it used is known although it failed (L29).
                let used = json!({"agent": agent, "because": failure.message});
                self.port.entries(vec![NewEntry::new("note", used)]).await?;
                return Err(Stop::Fail(failure));
            }
        };
        self.port.phase("parsing").await?;
        let answer = Redactor::of_shapes().redact(&answer).into_owned();
        self.port
            .artifact("answer.md", "text/markdown; charset=utf-8", Handed::Bytes(answer.clone().into_bytes()))
            .await?;
        let result = self.read(&answer, copy).await?;
        let bytes = serde_json::to_vec(&result).map_err(|error| fail(FailureCode::Internal, error.to_string()))?;
        let digest = self.port.artifact("agent-result.json", "application/json", Handed::Bytes(bytes)).await?;
        let entries = result.entries.len();
        let parsed = json!({"entries": entries, "result": digest, "agent": agent});
        self.port.entries(vec![NewEntry::new("result.parsed", parsed)]).await?;
        Ok(AgentOutput { result: digest, entries, agent })
    }

    async fn read(&self, answer: &str, copy: Option<&Worktree>) -> Result<Answer, Stop> {
        let task = self.task;
        let summary = (!answer.trim().is_empty()).then(|| answer.trim().to_owned());
        match task.output {
            Output::Files => {
                Answer::read(answer).map_err(|invalid| fail(FailureCode::InvalidResult, invalid.to_string()))
            }
            Output::Worktree => Ok(Answer { entries: self.difference(copy).await?, summary, ..Answer::default() }),
            Output::None => {
                let files = self.difference(copy).await?;
                if !files.is_empty() {
                    let text = format!("the agent changed {} files, which this role does not hand in", files.len());
                    self.warn("files_ignored", &text).await?;
                }
                Ok(Answer { summary, ..Answer::default() })
            }
        }
    }

    async fn difference(&self, copy: Option<&Worktree>) -> Result<Vec<Entry>, Stop> {
        let (Some(copy), Some(base)) = (copy, &self.task.base) else { return Ok(Vec::new()) };
        if !copy.is_whole() {
            return Err(fail(FailureCode::WorktreeLost, "the agent's working copy is gone"));
        }
        let most = usize::try_from(self.task.max_files).unwrap_or(usize::MAX).saturating_mul(2).max(1);
        let (max, all) = (self.task.max_file_bytes, self.task.max_change_bytes.saturating_mul(2));
        let found = copy.difference(base, max, all, most).await;
        found.map_err(|error| fail(FailureCode::Internal, format!("the agent's files could not be read: {error}")))
    }
}

/// How long events may wait for others, so that a chatty agent does not make a transaction of each word.
const GATHER: Duration = Duration::from_millis(200);
/// How many may wait.
const GATHERED: usize = 64;

/// Puts an agent's events into the journal.
struct ToPort<'a> {
    port: &'a dyn Port,
    span: String,
    pending: Vec<NewEntry>,
    told: tokio::time::Instant,
    questions: Questions,
    answering: &'a Answering<'a>,
    agent: &'a Agent,
    copy: Option<&'a str>,
}

impl ToPort<'_> {
    async fn flush(&mut self) -> Result<(), SinkClosed> {
        self.told = tokio::time::Instant::now();
        let entries = std::mem::take(&mut self.pending);
        if entries.is_empty() {
            return Ok(());
        }
        // Whoever cannot be told any more is not worked for (S88).
        self.port.entries(entries).await.map_err(|_| SinkClosed)
    }
}

impl Sink for ToPort<'_> {
    fn event(&mut self, seen: agents::Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        Box::pin(async move {
            self.pending.push(seen.event.entry(&self.span, seen.raw.as_ref()));
            let waits = match &seen.event {
                AgentEvent::Session(facts) if self.agent.capabilities().contains(&Capability::Resume) => {
                    if let Some(session) = &facts.session {
                        self.answering.is_called(self.agent.name.as_str(), session, self.copy);
                    }
                    false
                }
                // Nothing follows it soon.
                AgentEvent::Tool(tool) => tool.status == ToolStatus::AwaitingApproval,
                _ => false,
            };
            let is_due = waits || self.pending.len() >= GATHERED || self.told.elapsed() >= GATHER;
            if is_due { self.flush().await } else { Ok(()) }
        })
    }

    fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        self.questions.put(ask)
    }
}

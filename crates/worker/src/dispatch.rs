//! Tasks of agents on this machine: the plane's own performer, with the plane reached through a [`Desk`].
//!
//! What is told goes into the outbox first. A phase is entered when the plane has taken it, so whoever has lost the
//! task does nothing more (D56). The plane judges and applies what is handed in here; this machine changes no
//! repository.

use std::{collections::BTreeMap, path::PathBuf};

use agents::Agent;
use engine::{
    dispatch::{AgentTask, Clones, Place, Port, PortError, perform, port::Handed},
    work::Outcome as Ended,
};
use exec::git::WorktreeRoot;
use futures::future::BoxFuture;
use model::{
    approval::{Standing, ToolAsk},
    digest::Digest,
    failure::FailureCode,
    journal,
};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, DeskError, NewEntry},
    perform::Outcome,
    state::State,
};

/// The kind of tasks that this does.
pub const KIND: &str = engine::dispatch::state::task::AGENT;
/// Where they are found.
pub const QUEUE: &str = engine::dispatch::QUEUE;

/// What this machine has for agents.
#[derive(Debug, Clone)]
pub struct Machine {
    agents: Vec<Agent>,
    clones: Clones,
    environment: BTreeMap<String, String>,
    /// The worker's own folder, which no agent may look into.
    hidden: PathBuf,
}

impl Machine {
    /// With these agents, and the repositories that the worker's folder knows.
    ///
    /// # Errors
    /// 500 for a folder that cannot be read.
    pub fn new(state: &State, agents: Vec<Agent>) -> Result<Self, model::problem::Problem> {
        Ok(Self {
            agents,
            clones: Clones::of_worker(state.repos()?, state.root().join("clones")),
            environment: exec::environment::inherited(),
            hidden: state.root().to_owned(),
        })
    }

    /// Does a task.
    pub async fn work(self, desk: Desk) -> Outcome {
        let task: AgentTask = match serde_json::from_value(desk.input().clone()) {
            Ok(task) => task,
            Err(error) => {
                let message = format!("this worker does not understand the task; is it of another version? {error}");
                return Outcome::failed(FailureCode::Internal, message);
            }
        };
        let attempt = desk.claim()["attempt"].as_u64().and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1);
        let folder = desk.folder();
        let place = Place {
            agents: self.agents,
            worktrees: folder.join("trees"),
            folder: folder.join("own"),
            clones: self.clones,
            environment: self.environment,
            hidden: vec![self.hidden],
        };
        let stop = desk.stop().clone();
        let ended = perform(desk.fence().task, attempt, task, place, &Far(desk.clone()), stop).await;
        desk.costs(ended.spent());
        match ended {
            Ended::Done { output, .. } => Outcome::Complete { output },
            Ended::Failed { failure, .. } => Outcome::Fail {
                code: failure.code.slug().to_owned(),
                message: failure.message,
                retry_at: failure.retry_at.map(|at| at.to_string()),
            },
            Ended::Released { .. } if desk.is_cancelled() => Outcome::release("cancelled"),
            Ended::Released { .. } => Outcome::release("shutdown"),
        }
    }

    /// Lets go of what a task left in repositories that an earlier process of this worker died over (D63).
    pub async fn tidy(&self, claim: &Value) {
        if claim["kind"] != KIND {
            return;
        }
        if let (Ok(task), Ok(root)) =
            (serde_json::from_value(claim["input"].clone()), WorktreeRoot::new(&self.hidden.join("tasks")))
        {
            self.clones.let_go(&task, &root).await;
        }
    }
}

/// The plane, over a desk.
struct Far(Desk);

fn refused(error: DeskError) -> PortError {
    match error {
        DeskError::Lost => PortError::Lost,
        DeskError::Unreachable => {
            PortError::Unreachable("the worker could not write to its disk, or not fetch from the plane".to_owned())
        }
    }
}

fn told(entry: journal::NewEntry) -> NewEntry {
    NewEntry {
        kind: entry.kind.into_owned(),
        level: entry.level.name(),
        span: entry.span,
        parent: entry.parent,
        edge: entry.edge.map(journal::Edge::name),
        data: entry.data,
    }
}

impl Port for Far {
    fn entries(&self, entries: Vec<journal::NewEntry>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let entries: Vec<_> = entries.into_iter().map(told).collect();
            self.0.entries(&entries).await.map_err(refused)
        })
    }

    fn artifact(&self, name: &str, media_type: &str, content: Handed) -> BoxFuture<'_, Result<Digest, PortError>> {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        Box::pin(async move {
            let kept = match content {
                Handed::Bytes(bytes) => self.0.artifact(&name, &media_type, bytes).await,
                Handed::File(path) => self.0.artifact_file(&name, &media_type, &path).await,
            };
            kept.map_err(refused)
        })
    }

    fn fetch(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
        Box::pin(async move {
            let path = self.0.fetch(&digest).await.map_err(refused)?;
            tokio::fs::read(path).await.map_err(|_| refused(DeskError::Unreachable))
        })
    }

    // An agent that waits is kept, with its slot: the folder of an attempt goes with its lease here. When its worker
    // dies over it, the next attempt asks the same and finds the question, or its answer.
    fn ask(&self, ask: ToolAsk, take: bool) -> BoxFuture<'_, Result<Standing, PortError>> {
        Box::pin(async move {
            let answer = self.0.ask("questions", &json!({"ask": ask, "take": take})).await.map_err(refused)?;
            serde_json::from_value(answer)
                .map_err(|error| PortError::Unreachable(format!("the plane's answer is not understood: {error}")))
        })
    }

    fn phase(&self, phase: &'static str) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move { self.0.phase(phase).await.map_err(refused) })
    }
}

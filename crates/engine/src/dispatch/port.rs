//! What a performer needs of the plane: over the store for the embedded worker, over HTTP for a remote one.

use std::{path::PathBuf, time::Duration};

use futures::future::BoxFuture;
use model::{
    approval::{Standing, ToolAsk},
    code::Code,
    digest::Digest,
    id::{ArtifactId, RunId},
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    task::Fence,
};
use serde_json::json;
use store::Artifact;

use crate::{Engine, runs};

/// Why the plane was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortError {
    /// The task is no longer this worker's: it stops, and nothing more of it counts (D55).
    Lost,
    /// It could not be told, or fetched; why.
    Unreachable(String),
}

/// Bytes that a performer hands over.
#[derive(Debug)]
pub enum Handed {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, which may be moved away.
    File(PathBuf),
}

/// The plane, as a performer sees it. All of it stands behind the fence of the task.
pub trait Port: Send + Sync {
    /// Appends entries to the run's journal, in order (D57).
    fn entries(&self, entries: Vec<NewEntry>) -> BoxFuture<'_, Result<(), PortError>>;

    /// Keeps an artifact with the run (D58).
    fn artifact(&self, name: &str, media_type: &str, content: Handed) -> BoxFuture<'_, Result<Digest, PortError>>;

    /// What an artifact of the run holds (D53).
    fn fetch(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, PortError>>;

    /// Enters a phase; answered when the plane has taken it (D56, D67).
    fn phase(&self, phase: &'static str) -> BoxFuture<'_, Result<(), PortError>>;

    /// Asks for leave to use a tool, or how that stands by now; with `take` a yes is used up (S61).
    fn ask(&self, ask: ToolAsk, take: bool) -> BoxFuture<'_, Result<Standing, PortError>>;

    /// Waits until something may have happened that answers what was asked, or for so long.
    fn news(&self, most: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(most))
    }

    /// Whether the folder of an attempt is found again by whoever claims the task next, so that a session can be
    /// ended and gone on with.
    fn keeps_folders(&self) -> bool {
        false
    }
}

/// The port of a worker inside the plane's own process.
pub struct Inside {
    engine: Engine,
    fence: Fence,
    run: RunId,
}

impl Inside {
    /// For a task that is leased.
    pub fn new(engine: Engine, fence: Fence, run: RunId) -> Self {
        Self { engine, fence, run }
    }
}

fn refused(problem: Problem) -> PortError {
    match problem.code {
        Code::LeaseLost | Code::NotFound => PortError::Lost,
        _ => PortError::Unreachable(problem.message),
    }
}

impl Port for Inside {
    fn entries(&self, entries: Vec<NewEntry>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            for part in entries.chunks(limits::ENTRIES_PER_APPEND) {
                self.engine.append(self.fence, part.to_vec()).await.map_err(refused)?;
            }
            Ok(())
        })
    }

    fn artifact(&self, name: &str, media_type: &str, content: Handed) -> BoxFuture<'_, Result<Digest, PortError>> {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        Box::pin(async move {
            let blobs = self.engine.blobs();
            let blob = match content {
                Handed::Bytes(bytes) => blobs.put_bytes(bytes).await,
                Handed::File(path) => blobs.put_file(path).await,
            };
            let blob = blob.map_err(|error| refused(error.into()))?;
            let (engine, fence, now) = (self.engine.clone(), self.fence, self.engine.now());
            let id = ArtifactId::from_uuid(engine.clock().id());
            let (digest, bytes) = (blob.digest, blob.bytes);
            engine
                .store()
                .write(move |tx| {
                    let (name, media_type) = (name.clone(), media_type.clone());
                    Box::pin(async move {
                        let task = tx.task(fence.task).await?.ok_or_else(Problem::not_found)?;
                        if !fence.admits(task.state, task.generation) {
                            return Err(Problem::new(Code::LeaseLost, "the task is no longer leased to this worker"));
                        }
                        let known = tx.artifacts(task.run).await?;
                        if known.iter().any(|known| known.name == name && known.digest == digest) {
                            return Ok(());
                        }
                        if tx.artifact_bytes(task.run).await? + bytes > limits::ARTIFACTS_PER_RUN {
                            let message = format!("a run keeps {} MiB at most", limits::ARTIFACTS_PER_RUN >> 20);
                            return Err(Problem::new(Code::TooLarge, message));
                        }
                        let artifact = Artifact {
                            id,
                            run: task.run,
                            task: Some(task.id),
                            name,
                            digest,
                            bytes,
                            media_type,
                            created_at: now,
                            expired: false,
                        };
                        tx.artifact_insert(&artifact).await?;
                        let data = json!({
                            "artifact": id, "name": artifact.name, "digest": digest, "bytes": bytes,
                            "media_type": artifact.media_type,
                        });
                        tx.journal_append(StreamId::Run(task.run), &[NewEntry::new("artifact.added", data)], now)
                            .await?;
                        Ok::<_, Problem>(())
                    })
                })
                .await
                .map_err(refused)?;
            Ok(digest)
        })
    }

    fn fetch(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
        Box::pin(async move {
            let blobs = self.engine.blobs().clone();
            let size = blobs.size(&digest).map_err(|error| refused(error.into()))?;
            let length = usize::try_from(size).unwrap_or(usize::MAX);
            blobs.range(digest, 0, length).await.map_err(|error| refused(error.into()))
        })
    }

    fn ask(&self, ask: ToolAsk, take: bool) -> BoxFuture<'_, Result<Standing, PortError>> {
        Box::pin(async move { self.engine.ask_approval(self.fence, ask, take).await.map_err(refused) })
    }

    fn news(&self, most: Duration) -> BoxFuture<'_, ()> {
        // Whatever the run's journal tells; what is missed while nobody listens is seen when the time is over.
        let mut told = self.engine.bus().subscribe(StreamId::Run(self.run));
        Box::pin(async move { drop(tokio::time::timeout(most, told.changed()).await) })
    }

    fn keeps_folders(&self) -> bool {
        true
    }

    fn phase(&self, phase: &'static str) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let (fence, run, now) = (self.fence, self.run, self.engine.now());
            let entry = NewEntry::new("task.phase", json!({"task": fence.task, "phase": phase}));
            self.engine.append(fence, vec![entry]).await.map_err(refused)?;
            // The run shows the phase of its task. A run that is being cancelled keeps the one it has.
            self.engine
                .store()
                .write(move |tx| {
                    Box::pin(async move {
                        let Some(mut run) = tx.run_lock(run).await? else { return Ok(()) };
                        if run.status.is_terminal() || run.cancelling {
                            return Ok(());
                        }
                        runs::enter(tx, &mut run, phase, now).await
                    })
                })
                .await
                .map_err(refused)
        })
    }
}

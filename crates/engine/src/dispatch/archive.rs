//! What an attempt that handed nothing in left in its working copy: kept in the clone before the copy goes (S70).
//!
//! The performer does it at the end of such an attempt, and the sweep for copies that a killed process left.

use std::path::Path;

use exec::git::{Archived, Repository, WorktreeRoot};
use model::{
    id::RunId,
    journal::{NewEntry, StreamId},
    problem::Problem,
    run::{Run, RunKind, RunStatus},
};
use serde_json::{Value, json};

use super::{clones::Clones, port::Port, state::AgentTask};
use crate::Engine;

/// How the copies of agents are called, before the number of the attempt.
pub(super) const COPY: &str = "agent-";

/// Keeps a copy of this attempt. Nothing of it fails the task: the copy would have gone anyhow.
pub(super) async fn keep(task: &AgentTask, clones: &Clones, root: &WorktreeRoot, key: &str, port: &dyn Port) {
    let run = task.run.to_string();
    let Ok(copy) = root.open(&run, key) else { return };
    let kept = match clones.find(task).await {
        Ok(repository) => repository.archive(&copy, &run).await.map_err(|error| error.to_string()),
        Err(why) => Err(why),
    };
    match kept {
        Ok(Some(kept)) => drop(port.entries(vec![NewEntry::new("worktree.archived", told(task.run, &kept))]).await),
        Ok(None) => {}
        Err(why) => tracing::warn!(%run, %why, "what an attempt left could not be kept"),
    }
}

/// Keeps the copies that a process that was killed left of a run that came to nothing. Its stream has ended, so the
/// project's tells it (X24).
pub(crate) async fn keep_strays(engine: &Engine, root: &WorktreeRoot, run: &Run) -> Result<(), Problem> {
    if run.kind != RunKind::DISPATCH || !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
        return Ok(());
    }
    let name = run.id.to_string();
    let keys = root.keys(&name).into_iter().filter(|key| key.starts_with(COPY));
    let copies: Vec<_> = keys.filter_map(|key| root.open(&name, &key).ok()).collect();
    if copies.is_empty() {
        return Ok(());
    }
    let project = engine.project(&run.project.to_string()).await?;
    // A clone that is not there borrows nobody its objects any more, so there is nothing that could be kept.
    let Ok(repository) = Repository::open(Path::new(&project.path)).await else { return Ok(()) };
    for copy in copies {
        let Some(kept) = repository.archive(&copy, &name).await? else { continue };
        let (entry, now) = (NewEntry::new("worktree.archived", told(run.id, &kept)), engine.now());
        let stream = StreamId::Project(run.project);
        engine
            .store()
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    tx.journal_append(stream, &[entry], now).await?;
                    Ok::<_, Problem>(())
                })
            })
            .await?;
    }
    Ok(())
}

fn told(run: RunId, kept: &Archived) -> Value {
    json!({"run": run, "reference": kept.reference, "commit": kept.commit})
}

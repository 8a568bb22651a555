//! Folders, worktrees and pinned commits of runs that are over: what a killed server or a command that
//! could not be cleaned up behind left in the data folder, and refs in the clones.

use std::{collections::BTreeSet, fs, path::Path, time::SystemTime};

use exec::git::Repository;
use model::{id::RunId, limits, problem::Problem, project::Project, run::Run};

use crate::{Engine, dispatch::archive, proof::target};

/// Removes them. How many.
pub(super) async fn clean(engine: &Engine) -> Result<u64, Problem> {
    let mut gone = 0;
    for run in old_folders(&engine.data().runs()) {
        let found = found(engine, run).await?;
        if found.as_ref().is_some_and(|run| !run.status.is_terminal()) {
            continue;
        }
        if let (Some(run), Ok(root)) = (&found, target::worktrees(engine))
            && let Err(problem) = archive::keep_strays(engine, &root, run).await
        {
            // Not removed before it is kept: the next look tries again.
            tracing::warn!(run = %run.id, %problem, "what a run left could not be kept");
            continue;
        }
        let engine = engine.clone();
        let removed = tokio::task::spawn_blocking(move || {
            let name = run.to_string();
            // A worktree's folder carries a mark and may need its modes changed; any other is just a folder.
            target::worktrees(&engine).is_ok_and(|root| root.remove(&name).is_ok())
                || fs::remove_dir_all(engine.data().runs().join(name)).is_ok()
        });
        gone += u64::from(removed.await.unwrap_or(false));
    }
    let projects: Vec<Project> =
        engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.projects().await?) })).await?;
    let mut failed = Ok(());
    for project in projects {
        // A checkout that is not there now has nothing to clean; the next time it may be.
        let Ok(repository) = Repository::open(Path::new(&project.path)).await else { continue };
        match unpin(engine, &repository).await {
            Ok(some) => gone += some,
            Err(problem) => {
                tracing::error!(project = %project.key, %problem, "failed to let go of commits of ended runs");
                failed = Err(problem);
            }
        }
    }
    failed.map(|()| gone)
}

/// The runs that have a folder here which nobody touched for a while: a run is stored before its
/// folder is made, but what it does at its end comes after its end.
fn old_folders(runs: &Path) -> BTreeSet<RunId> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let old = entries.filter(|entry| {
        let touched = entry.metadata().and_then(|data| data.modified()).ok();
        touched.and_then(|at| SystemTime::now().duration_since(at).ok()).is_some_and(|age| age > limits::FOLDER_GRACE)
    });
    old.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A run; none that is not of this plane's store.
async fn found(engine: &Engine, run: RunId) -> Result<Option<Run>, Problem> {
    engine.store().read(move |tx| Box::pin(async move { Ok(tx.run(run).await?) })).await
}

/// Lets go of the commits of runs that are over: exactly those looked at, as a run may begin and pin its
/// commit meanwhile. A pin of a run that this store does not know belongs to another plane over the same
/// clone and stays.
async fn unpin(engine: &Engine, repository: &Repository) -> Result<u64, Problem> {
    let root = target::worktrees(engine)?;
    let mut gone = 0;
    for name in root.pinned(repository).await? {
        let Ok(run) = name.parse::<RunId>() else { continue };
        if found(engine, run).await?.is_some_and(|run| run.status.is_terminal()) {
            root.unpin(repository, &name).await?;
            gone += 1;
        }
    }
    Ok(gone)
}

//! Takes the tree again when every gate has ended, and removes what the run had to itself.

use std::{path::Path, sync::Arc};

use exec::git::Repository;
use model::{problem::Problem, run::Run};

use super::{
    Proof,
    kind::read,
    state::{Bound, Settled},
    target,
};
use crate::{
    Engine,
    work::{Assignment, Outcome},
};

/// Does a settle task.
pub async fn handle(proof: Arc<Proof>, assignment: Assignment) -> Outcome {
    let settled = match settle(&proof, &assignment).await {
        Ok(settled) => settled,
        // What cannot be looked at cannot be said to be unmoved.
        Err(problem) => Settled { tree_end: None, moved: vec![problem.message], residue: Vec::new() },
    };
    Outcome::done(serde_json::to_value(settled).unwrap_or_default())
}

async fn settle(proof: &Proof, assignment: &Assignment) -> Result<Settled, Problem> {
    let engine = &assignment.engine;
    let run = engine.run(assignment.leased.task.run).await?;
    let bound: Bound = read(&run.detail["bound"])?;
    let settled = look(proof, engine, &run, &bound).await?;
    clear(engine, &run, &bound).await;
    Ok(settled)
}

/// What became of the files since the start.
///
/// # Errors
/// What git says.
pub async fn look(proof: &Proof, engine: &Engine, run: &Run, bound: &Bound) -> Result<Settled, Problem> {
    let Some(start) = &bound.tree else {
        return Ok(Settled { tree_end: None, moved: Vec::new(), residue: Vec::new() });
    };
    let (observer, seen) = target::look(proof, engine, run, bound).await?;
    let moves = observer.compare(start, &seen).await?;
    let mut moved: Vec<String> = moves.moved.iter().map(|change| change.path.clone()).collect();
    moved.extend(moves.unknown);
    moved.truncate(100);
    let mut residue = moves.residue;
    residue.truncate(100);
    Ok(Settled { tree_end: seen.tree.ok(), moved, residue })
}

/// The run's own folder goes with the run. What cannot be removed now goes at the next start.
pub async fn clear(engine: &Engine, run: &Run, bound: &Bound) {
    let name = run.id.to_string();
    let Ok(root) = target::worktrees(engine) else { return };
    if bound.own_worktree
        && let Ok(project) = engine.project(&run.project.to_string()).await
        && let Ok(repository) = Repository::open(Path::new(&project.path)).await
    {
        let _ = root.unpin(&repository, &name).await;
    }
    if root.remove(&name).is_err() {
        let _ = std::fs::remove_dir_all(target::run_folder(engine, run.id));
    }
}

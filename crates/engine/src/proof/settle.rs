//! Takes the tree again when every gate has ended, and removes what the run had to itself.

use std::{path::Path, sync::Arc};

use exec::git::Repository;
use model::problem::Problem;

use super::{
    Proof,
    kind::read,
    state::{Bound, Settled},
    target,
};
use crate::work::{Assignment, Outcome};

/// Does a settle task.
pub async fn handle(proof: Arc<Proof>, assignment: Assignment) -> Outcome {
    let settled = match look(&proof, &assignment).await {
        Ok(settled) => settled,
        // What cannot be looked at cannot be said to be unmoved.
        Err(problem) => Settled { tree_end: None, moved: vec![problem.message], residue: Vec::new() },
    };
    Outcome::Done { output: serde_json::to_value(settled).unwrap_or_default() }
}

async fn look(proof: &Proof, assignment: &Assignment) -> Result<Settled, Problem> {
    let engine = &assignment.engine;
    let run = engine.run(assignment.leased.task.run).await?;
    let bound: Bound = read(&run.detail["bound"])?;
    let settled = match &bound.tree {
        None => Settled { tree_end: None, moved: Vec::new(), residue: Vec::new() },
        Some(start) => {
            let (observer, seen) = target::look(proof, engine, &run, &bound).await?;
            let moves = observer.compare(start, &seen).await?;
            let mut moved: Vec<String> = moves.moved.iter().map(|change| change.path.clone()).collect();
            moved.extend(moves.unknown);
            moved.truncate(100);
            let mut residue = moves.residue;
            residue.truncate(100);
            Settled { tree_end: seen.tree.ok(), moved, residue }
        }
    };
    clear(assignment, &bound, &run.project.to_string()).await;
    Ok(settled)
}

/// The run's own folder goes with the run. What cannot be removed now goes at the next start.
async fn clear(assignment: &Assignment, bound: &Bound, project: &str) {
    let (engine, run) = (&assignment.engine, assignment.leased.task.run.to_string());
    let Ok(root) = target::worktrees(engine) else { return };
    if bound.own_worktree
        && let Ok(project) = engine.project(project).await
        && let Ok(repository) = Repository::open(Path::new(&project.path)).await
    {
        let _ = root.unpin(&repository, &run).await;
    }
    if root.remove(&run).is_err() {
        let _ = std::fs::remove_dir_all(target::run_folder(engine, assignment.leased.task.run));
    }
}

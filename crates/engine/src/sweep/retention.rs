//! Retention: ended runs past their project's count or age (P53, X38).

use model::{problem::Problem, project::Project};
use store::Retention;

use crate::{Engine, projects, proof::evidence::observed_tree};

/// Drops what is past its time, of every project. How many runs.
pub(super) async fn drop_old(engine: &Engine) -> Result<u64, Problem> {
    let projects: Vec<Project> =
        engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.projects().await?) })).await?;
    let (mut dropped, mut failed) = (0, Ok(()));
    for project in projects {
        match of_project(engine, &project).await {
            Ok(some) => dropped += some,
            Err(problem) => {
                tracing::error!(project = %project.key, %problem, "failed to drop old runs");
                failed = Err(problem);
            }
        }
    }
    failed.map(|()| dropped)
}

async fn of_project(engine: &Engine, project: &Project) -> Result<u64, Problem> {
    let id = project.id;
    let keep: Retention = engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let settings = projects::proof_settings(tx, id).await?;
                let tree = observed_tree(tx, id).await?;
                Ok::<_, Problem>(Retention {
                    project: id,
                    keep_runs: settings.keep_runs,
                    keep_days: settings.keep_days,
                    trees: tree.iter().map(ToString::to_string).collect(),
                })
            })
        })
        .await?;
    let mut dropped = 0;
    loop {
        let some = engine.store().retain(&keep, engine.now()).await?.len() as u64;
        if some == 0 {
            return Ok(dropped);
        }
        dropped += some;
    }
}

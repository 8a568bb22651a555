//! The newest evidence of every obligation, held against its bytes every ten minutes (P51). What is not
//! what was sealed is told once on the board, with the run's name (P52, X24).

use model::{problem::Problem, project::Project};

use crate::{Engine, proof};

/// Looks at all projects. How many pieces are damaged.
pub(super) async fn look(engine: &Engine) -> Result<u64, Problem> {
    if !engine.has_all_blobs().await? {
        tracing::warn!(
            "evidence is not looked at here: another replica keeps its blobs in another folder; share one with --blobs"
        );
        return Ok(0);
    }
    let projects: Vec<Project> =
        engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.projects().await?) })).await?;
    let (mut damaged, mut failed) = (0, Ok(()));
    for project in projects {
        match proof::integrity::integrity(engine, &project, None).await {
            Ok(examined) => damaged += examined.iter().filter(|one| one.damage().is_some()).count() as u64,
            Err(problem) => {
                tracing::error!(project = %project.key, %problem, "failed to look at evidence");
                failed = Err(problem);
            }
        }
    }
    failed.map(|()| damaged)
}

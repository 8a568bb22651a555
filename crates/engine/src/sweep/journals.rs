//! A project's own stream: its entries go when their days are over. What they told stands in rows, the
//! audit log is kept, and a reader who asks for what has gone is sent a snapshot.

use std::time::Duration;

use model::{id::ProjectId, journal::StreamId, problem::Problem, project::Project};

use super::lead;
use crate::{Engine, projects};

/// Trims the streams of all projects. How many entries went.
pub(super) async fn trim(engine: &Engine, epoch: u64) -> Result<u64, Problem> {
    let projects: Vec<Project> =
        engine.store().read(|tx| Box::pin(async move { Ok::<_, Problem>(tx.projects().await?) })).await?;
    let (mut gone, mut failed) = (0, Ok(()));
    for project in projects {
        match of_project(engine, project.id, epoch).await {
            Ok(some) => gone += some,
            Err(problem) => {
                tracing::error!(project = %project.key, %problem, "failed to trim a project's stream");
                failed = Err(problem);
            }
        }
    }
    failed.map(|()| gone)
}

async fn of_project(engine: &Engine, id: ProjectId, epoch: u64) -> Result<u64, Problem> {
    let (now, stream) = (engine.now(), StreamId::Project(id));
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                lead::check(tx, epoch).await?;
                let keep = projects::proof_settings(tx, id).await?.keep_days;
                let age = Duration::from_secs(u64::from(keep) * 86_400);
                let before = now.shifted(-i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
                let floor = tx.floor(stream).await?;
                Ok::<_, Problem>(tx.journal_trim(stream, before).await?.saturating_sub(floor))
            })
        })
        .await
}

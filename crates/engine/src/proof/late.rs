//! Runs that were cut short. What had passed counts where the files are still those of the start (P24,
//! P57); nobody could look while the run was being ended, so the sweep does a moment later.

use model::{id::RunId, problem::Problem};

use super::{settle, state::Detail, worth};
use crate::Engine;

/// Closes the evidence of runs that ended without settling. What cannot be looked at has moved.
///
/// # Errors
/// What the store says.
pub async fn close_due(engine: &Engine) -> Result<(), Problem> {
    let due = engine.store().read(|tx| Box::pin(async move { tx.runs_unclosed().await })).await?;
    for run in due {
        close(engine, run).await?;
    }
    Ok(())
}

async fn close(engine: &Engine, id: RunId) -> Result<(), Problem> {
    let run = engine.run(id).await?;
    let detail = Detail::of(&run)?;
    let moved = match &detail.bound {
        None => true,
        Some(bound) => {
            let looked = settle::look(engine.proof(), engine, &run, bound).await;
            settle::clear(engine, &run, bound).await;
            looked.map_or(true, |settled| !settled.moved.is_empty())
        }
    };
    let now = engine.now();
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                if tx.evidence_close(id, moved).await? == 0 || moved || !detail.settles {
                    return Ok(());
                }
                let Some(run) = tx.run(id).await? else { return Ok(()) };
                for requirement in super::apply::requirements_of(tx, &run).await? {
                    worth::retell(tx, run.project, requirement, "a run was cut short over unmoved files", now).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await
}

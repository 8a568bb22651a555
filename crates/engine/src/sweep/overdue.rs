//! Runs whose time is up: nobody claimed their work, they took too long, or their cancel drained.

use model::{
    failure::FailureCode,
    problem::Problem,
    run::{Run, RunStatus},
    time::Timestamp,
};
use store::{Due, Tx};

use crate::{Engine, runs};

/// Whether nobody has claimed a run's work: it has not begun, or it was prepared for a worker that did not come (D12).
async fn is_unclaimed(tx: &mut Tx, run: &Run) -> Result<bool, Problem> {
    Ok(match run.status {
        RunStatus::Queued => true,
        RunStatus::Running => !tx.open_tasks(run.id).await?.leased,
        RunStatus::Waiting | RunStatus::Paused | RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => {
            false
        }
    })
}

impl Engine {
    /// Ends what is overdue.
    pub(super) async fn end_overdue(&self, now: Timestamp) -> Result<(), Problem> {
        let overdue =
            self.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.runs_due(now).await?) })).await?;
        for (late, due) in overdue {
            let engine = self.clone();
            self.store()
                .write(move |tx| {
                    let engine = engine.clone();
                    Box::pin(async move {
                        let Some(mut run) = tx.run_lock(late).await? else { return Ok(()) };
                        if run.status.is_terminal() {
                            return Ok(());
                        }
                        let kind = engine.kinds().named(&run.kind)?;
                        let ending = match due {
                            Due::Cancel => runs::cancelled(),
                            Due::Queue if is_unclaimed(tx, &run).await? => {
                                let labels = tx.labels_wanted(run.id).await?.concat();
                                let wanted = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
                                runs::failed(
                                    FailureCode::NoWorker,
                                    format!("no worker claimed its work; labels asked for: {wanted}"),
                                )
                            }
                            Due::Queue => return Ok(()),
                            Due::Run => runs::failed(FailureCode::Deadline, "the whole run took longer than its limit"),
                        };
                        runs::close(&*kind, tx, &mut run, ending, now).await
                    })
                })
                .await?;
            self.stop_held(late);
        }
        Ok(())
    }
}

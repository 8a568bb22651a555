//! The sweep: everything that happens because time passed. It is also all there is to recovery: the
//! code that serves an expired lease in a quiet hour is the code that runs after a crash.

use std::time::Duration;

use model::{failure::FailureCode, limits, problem::Problem, run::RunStatus, time::Timestamp};
use store::{Due, Reaped};

use crate::{Engine, proof, runs, work};

/// A wall clock that moved this much more or less than the monotonic one was set, not slow.
const STEP: i64 = 2_000_000;

/// Compares wall and monotonic time between two looks.
pub(crate) struct StepWatch {
    wall: Timestamp,
    elapsed: Duration,
}

impl StepWatch {
    pub(crate) fn start(engine: &Engine) -> Self {
        Self { wall: engine.now(), elapsed: engine.clock().elapsed() }
    }

    /// By how many microseconds the wall clock was set since the last look; 0 for none.
    fn look(&mut self, wall: Timestamp, elapsed: Duration) -> i64 {
        let passed = i64::try_from(elapsed.saturating_sub(self.elapsed).as_micros()).unwrap_or(i64::MAX);
        let step = (wall.micros() - self.wall.micros()).saturating_sub(passed);
        (self.wall, self.elapsed) = (wall, elapsed);
        if step.abs() > STEP { step } else { 0 }
    }
}

impl Engine {
    /// One look at everything that is due. Called every second by the leader; harmless when repeated.
    pub(crate) async fn sweep(&self, watch: &mut StepWatch) -> Result<(), Problem> {
        let now = self.now();
        let step = watch.look(now, self.clock().elapsed());
        if step != 0 {
            tracing::warn!(seconds = step / 1_000_000, "the wall clock was set; leases and deadlines move with it");
            self.store().shift_expiries(step).await?;
        }
        // A plane that was down gives every worker a lease period to come back (D56, X62).
        if self.clock().elapsed() >= limits::LEASE {
            self.reap(now).await?;
        }
        self.end_overdue(now).await?;
        proof::waivers::expire_due(self).await.map(drop)
    }

    /// Puts tasks with an expired lease back, and fails those whose attempts are used up.
    pub async fn reap(&self, now: Timestamp) -> Result<(), Problem> {
        let mut ready = false;
        for reaped in self.store().reap(now).await? {
            match reaped {
                Reaped::Requeued(_) => ready = true,
                Reaped::AttemptsUsedUp(task) => work::lost(self, &task, false).await?,
                Reaped::Cancelling(task) => work::lost(self, &task, true).await?,
            }
        }
        if ready {
            self.wake();
        }
        Ok(())
    }

    async fn end_overdue(&self, now: Timestamp) -> Result<(), Problem> {
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
                            Due::Queue if run.status == RunStatus::Queued => {
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

#[cfg(test)]
mod tests {
    use super::*;

    // F12, X62
    #[test]
    fn only_a_set_clock_is_a_step() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut watch = StepWatch { wall: at(1_000), elapsed: Duration::from_secs(10) };
        assert_eq!(watch.look(at(1_001), Duration::from_secs(11)), 0);
        assert_eq!(watch.look(at(1_001 + 3_601), Duration::from_secs(12)), 3_600_000_000);
        assert_eq!(watch.look(at(1_001 + 3_602), Duration::from_secs(13)), 0, "told once");
        assert_eq!(watch.look(at(1_004), Duration::from_secs(14)), -3_600_000_000);
        assert_eq!(watch.look(at(1_064), Duration::from_secs(74)), 0, "a suspended sweep is no step");
    }
}

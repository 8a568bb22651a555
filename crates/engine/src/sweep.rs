//! The sweep: everything that happens because time passed. It is also all there is to recovery: the
//! code that serves an expired lease in a quiet hour is the code that runs after a crash.
//!
//! Two loops. The quick one looks every second at leases, deadlines, waivers and questions. The
//! [`upkeep`] does the rest at intervals of minutes, one job after the other, so that none of it
//! delays a lease. Over PostgreSQL a leader does what is to happen once ([`lead`]); leases and
//! deadlines are looked at by every replica, as their changes are conditional and the first wins.

mod blobs;
mod folders;
mod idempotency;
mod integrity;
mod journals;
pub(crate) mod lead;
mod leases;
mod outboxes;
mod overdue;
mod questions;
mod retention;
mod sessions;
mod step;
mod strays;
pub mod upkeep;

use model::{code::Code, limits, problem::Problem};

use self::step::StepWatch;
use crate::{Engine, proof};

/// The quick loop.
pub(crate) async fn serve(engine: Engine) {
    let mut watch = StepWatch::start(&engine);
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::SWEEP) => {}
            () = engine.stopping().cancelled() => break,
        }
        told("sweep", engine.sweep(&mut watch).await);
    }
    engine.inner.lead.leave(&engine).await;
}

/// Logs what went wrong. A store out of reach for a moment is no fault of a job.
fn told(job: &'static str, done: Result<(), Problem>) {
    match done {
        Ok(()) => {}
        Err(problem) if problem.code == Code::StoreUnavailable => tracing::warn!(job, %problem, "will try again"),
        Err(problem) => tracing::error!(job, %problem, "failed; will try again"),
    }
}

impl Engine {
    /// One look at everything that is due; harmless when repeated. What fails stops nothing else.
    async fn sweep(&self, watch: &mut StepWatch) -> Result<(), Problem> {
        let now = self.now();
        let step = watch.look(now, self.clock().elapsed());
        told("lead", self.inner.lead.keep(self).await);
        let lead = self.inner.lead.epoch(self);
        if step != 0 && lead.is_some() {
            tracing::warn!(seconds = step / 1_000_000, "the wall clock was set; leases and deadlines move with it");
            // Before anything is ended that only seems late.
            self.store().shift_expiries(step).await?;
        }
        // A plane that was down gives every worker a lease period to come back (D56, X62).
        if self.clock().elapsed() >= limits::LEASE {
            told("leases", self.reap(now).await);
        }
        told("deadlines", self.end_overdue(now).await);
        self.tell_waiters().await;
        if let Some(epoch) = lead {
            told("waivers", proof::waivers::expire_due(self).await.map(drop));
            told("questions", questions::expire_due(self, epoch, now).await);
            // Last: it looks at checkouts, which takes longer than the rest.
            told("cut short", proof::late::close_due(self).await);
        }
        Ok(())
    }
}

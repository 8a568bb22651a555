//! What keeps the plane small and checked: jobs at intervals of minutes, one after the other.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use model::{limits, problem::Problem};

use super::{blobs, folders, idempotency, integrity, journals, outboxes, retention, sessions, strays};
use crate::Engine;

/// Who does a job where several replicas share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The leader, once for all.
    Leader,
    /// Every replica, on its own data folder.
    Each,
}

/// A job. It answers how much it did; its argument is the leader's epoch.
pub(super) struct Job {
    name: &'static str,
    every: Duration,
    by: By,
    work: for<'e> fn(&'e Engine, u64) -> BoxFuture<'e, Result<u64, Problem>>,
}

const COUNT: usize = 9;

const JOBS: [Job; COUNT] = [
    Job { name: "folders", every: limits::FOLDERS_EVERY, by: By::Each, work: |e, _| Box::pin(folders::clean(e)) },
    Job {
        name: "retention",
        every: limits::RETENTION_EVERY,
        by: By::Leader,
        work: |e, _| Box::pin(retention::drop_old(e)),
    },
    Job {
        name: "journals",
        every: limits::JOURNALS_EVERY,
        by: By::Leader,
        work: |e, at| Box::pin(journals::trim(e, at)),
    },
    Job { name: "blobs", every: limits::BLOBS_EVERY, by: By::Leader, work: |e, _| Box::pin(blobs::sweep(e)) },
    Job { name: "strays", every: limits::BLOBS_EVERY, by: By::Each, work: |e, _| Box::pin(strays::sweep(e)) },
    Job {
        name: "idempotency",
        every: limits::KEYS_EVERY,
        by: By::Leader,
        work: |e, at| Box::pin(idempotency::sweep(e, at)),
    },
    Job { name: "sessions", every: limits::KEYS_EVERY, by: By::Leader, work: |e, at| Box::pin(sessions::sweep(e, at)) },
    Job { name: "outboxes", every: limits::KEYS_EVERY, by: By::Leader, work: |e, at| Box::pin(outboxes::sweep(e, at)) },
    Job {
        name: "integrity",
        every: limits::INTEGRITY_EVERY,
        by: By::Leader,
        work: |e, _| Box::pin(integrity::look(e)),
    },
];

#[derive(Debug, Default)]
struct Counts {
    runs: AtomicU64,
    failures: AtomicU64,
    done: AtomicU64,
}

/// What the jobs did in this process.
#[derive(Debug)]
pub struct Upkeep([Counts; COUNT]);

/// What one job did in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// The job.
    pub job: &'static str,
    /// How often it was done.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// How much it dropped, mended or found.
    pub done: u64,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counts::default()))
    }
}

impl Upkeep {
    /// The figures of every job.
    pub fn figures(&self) -> impl Iterator<Item = Figures> {
        JOBS.iter().zip(&self.0).map(|(job, counts)| Figures {
            job: job.name,
            runs: counts.runs.load(Relaxed),
            failures: counts.failures.load(Relaxed),
            done: counts.done.load(Relaxed),
        })
    }
}

/// The slow loop. A job that fails, or panics, is done again at its next time and holds up no other.
pub(crate) async fn serve(engine: Engine) {
    let mut due = [Duration::ZERO; JOBS.len()];
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::SWEEP) => {}
            () = engine.stopping().cancelled() => return,
        }
        for (at, job) in JOBS.iter().enumerate() {
            let elapsed = engine.clock().elapsed();
            let lead = engine.inner.lead.epoch(&engine);
            if elapsed < due[at] || (job.by == By::Leader && lead.is_none()) {
                continue;
            }
            due[at] = elapsed + job.every;
            tokio::select! {
                () = run(&engine, job, lead.unwrap_or(0), &engine.inner.upkeep.0[at]) => {}
                // Whatever it was at is left to the next start.
                () = engine.stopping().cancelled() => return,
            }
        }
    }
}

async fn run(engine: &Engine, job: &Job, epoch: u64, counts: &Counts) {
    let done = AssertUnwindSafe((job.work)(engine, epoch)).catch_unwind().await;
    let name = job.name;
    match done {
        Ok(Ok(done)) => {
            counts.done.fetch_add(done, Relaxed);
            if done > 0 {
                tracing::info!(job = name, done, "upkeep");
            }
        }
        Ok(Err(problem)) => {
            counts.failures.fetch_add(1, Relaxed);
            super::told(name, Err(problem));
        }
        Err(_) => {
            counts.failures.fetch_add(1, Relaxed);
            tracing::error!(job = name, "panicked; will try again");
        }
    }
    // Last, so that whoever sees it counted sees also what came of it.
    counts.runs.fetch_add(1, Relaxed);
}

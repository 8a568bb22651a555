//! Who leads: the one replica over a PostgreSQL that does what is to happen once (F7).
//!
//! The lead is a row with an epoch that rises each time it changes hands. A leader that slept past its
//! time finds a newer epoch when it writes, and its write is undone. A SQLite store has one process,
//! which the data folder's lock proves, so it needs no row.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{id::WorkerId, limits, problem::Problem};
use store::{StoreError, Tx};

use crate::Engine;

/// The row's name.
const NAME: &str = "sweep";

/// This process's part in it.
pub(crate) struct Lead {
    holder: WorkerId,
    held: Mutex<Held>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    epoch: Option<u64>,
    /// Until when it is believed, and when it was last asked for, in this process's own time.
    until: Duration,
    asked: Option<Duration>,
}

impl Lead {
    pub(crate) fn new(holder: WorkerId) -> Self {
        Self { holder, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch under which this process leads now, if it does.
    pub(crate) fn epoch(&self, engine: &Engine) -> Option<u64> {
        if has_one_process(engine) {
            return Some(0);
        }
        let held = *self.held();
        held.epoch.filter(|_| engine.clock().elapsed() < held.until)
    }

    /// Takes the lead when it is free, and keeps it.
    pub(super) async fn keep(&self, engine: &Engine) -> Result<(), Problem> {
        let asked = engine.clock().elapsed();
        let due = self.held().asked.is_none_or(|last| asked >= last + limits::LEADER_RENEW);
        if has_one_process(engine) || !due {
            return Ok(());
        }
        let (holder, now) = (self.holder, engine.now());
        let taken = engine
            .store()
            .write(move |tx| {
                Box::pin(async move { Ok::<_, Problem>(tx.leader_take(NAME, holder, now, limits::LEADER).await?) })
            })
            .await;
        let mut held = self.held();
        let epoch = taken?;
        if held.epoch != epoch {
            match epoch {
                Some(epoch) => tracing::info!(epoch, "this replica leads now"),
                None => tracing::info!("another replica leads now"),
            }
        }
        // Counted from before the question was sent: the row's own time began later.
        *held = Held { epoch, until: asked + limits::LEADER, asked: Some(asked) };
        Ok(())
    }

    /// Hands the lead on at an ordered stop.
    pub(super) async fn leave(&self, engine: &Engine) {
        if self.held().epoch.take().is_none() {
            return;
        }
        let holder = self.holder;
        let left = engine.store().write(move |tx| Box::pin(async move { tx.leader_leave(NAME, holder).await }));
        if let Err(error) = left.await as Result<(), StoreError> {
            tracing::warn!(%error, "failed to hand the lead on; it moves when its time is over");
        }
    }
}

fn has_one_process(engine: &Engine) -> bool {
    engine.store().kind() == "sqlite"
}

/// Undoes the transaction of a leader that was replaced.
pub(super) async fn check(tx: &mut Tx, epoch: u64) -> Result<(), StoreError> {
    if epoch == 0 { Ok(()) } else { tx.leader_check(NAME, epoch).await }
}

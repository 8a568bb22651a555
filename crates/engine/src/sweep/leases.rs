//! Expired leases: the task goes back, or fails when its attempts are used up.

use model::{problem::Problem, time::Timestamp};
use store::Reaped;

use crate::{Engine, work};

impl Engine {
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
}

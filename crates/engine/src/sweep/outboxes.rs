//! What tasks that have ended sent out of their workers' outboxes.

use model::problem::Problem;

use super::lead;
use crate::Engine;

/// Drops them. How many.
pub(super) async fn sweep(engine: &Engine, epoch: u64) -> Result<u64, Problem> {
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                lead::check(tx, epoch).await?;
                Ok::<_, Problem>(tx.outbox_sweep().await?)
            })
        })
        .await
}

//! Sessions and sign-in links that have ended.

use model::problem::Problem;

use super::lead;
use crate::Engine;

/// Drops them. How many.
pub(super) async fn sweep(engine: &Engine, epoch: u64) -> Result<u64, Problem> {
    let now = engine.now();
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                lead::check(tx, epoch).await?;
                Ok::<_, Problem>(tx.sessions_sweep(now).await?)
            })
        })
        .await
}

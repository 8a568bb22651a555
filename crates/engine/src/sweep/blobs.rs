//! Blobs that nobody has wanted for the grace time.

use model::problem::Problem;

use crate::Engine;

/// Removes them. How many.
pub(super) async fn sweep(engine: &Engine) -> Result<u64, Problem> {
    Ok(engine.store().sweep_blobs(engine.blobs(), engine.now()).await?)
}

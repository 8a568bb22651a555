//! Files in the blob folder that no row knows: of writers that were killed before their transaction.

use model::problem::Problem;

use crate::Engine;

/// Removes those older than the grace time. How many.
pub(super) async fn sweep(engine: &Engine) -> Result<u64, Problem> {
    Ok(engine.store().sweep_strays(engine.blobs()).await?)
}

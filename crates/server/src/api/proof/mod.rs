//! Proof: requirements, gates, evidence, the merge gate.

mod evidence;
mod run_parts;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(run_parts::routes()).merge(evidence::routes())
}

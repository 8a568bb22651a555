//! Proof: requirements, waivers, gates, evidence, the merge gate.

mod check;
mod command_output;
mod evidence;
mod export;
mod gates;
mod requirement_view;
mod requirements;
mod run_parts;
mod status;
mod waivers;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(requirements::routes())
        .merge(waivers::routes())
        .merge(run_parts::routes())
        .merge(command_output::routes())
        .merge(evidence::routes())
        .merge(check::routes())
        .merge(status::routes())
        .merge(gates::routes())
        .merge(export::routes())
}

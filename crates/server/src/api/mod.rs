//! The resources, one file each: shape, permission, one call, answer.

mod access;
mod artifacts;
mod control;
mod docs;
mod events;
mod health;
mod listing;
mod pages;
mod projects;
mod proof;
mod questions;
mod ranges;
mod run_parts;
mod run_view;
mod runs;
mod settings;
mod tokens;
mod visible;
mod worker;

pub use self::{
    listing::Listing,
    projects::ProjectView,
    run_view::{RunView, TaskView},
};

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// What stands outside of the versioned API.
pub(crate) fn outside() -> OpenApiRouter<App> {
    health::routes().merge(docs::routes()).merge(pages::routes())
}

/// The API, below `/api/v1`.
pub(crate) fn v1() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(projects::routes())
        .merge(settings::routes())
        .merge(runs::routes())
        .merge(run_parts::routes())
        .merge(control::routes())
        .merge(questions::routes())
        .merge(events::routes())
        .merge(artifacts::routes())
        .merge(access::routes())
        .merge(tokens::routes())
        .merge(worker::routes())
        .merge(proof::routes())
}

//! The resources, one file each: shape, permission, one call, answer.

mod access;
mod artifacts;
mod backups;
mod blobs;
mod change_comments;
mod control;
mod dispatch;
mod docs;
mod entries;
mod events;
mod health;
mod issues;
mod ledger;
mod listing;
mod pages;
mod pairings;
mod projects;
mod proof;
mod providers;
mod questions;
mod ranges;
mod roles;
mod run_view;
mod runs;
mod settings;
mod tasks;
mod tokens;
mod verify;
mod visible;
mod worker;
mod workers;

pub use self::{
    blobs::Checked,
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
        .merge(ledger::routes())
        .merge(runs::routes())
        .merge(tasks::routes())
        .merge(entries::routes())
        .merge(control::routes())
        .merge(dispatch::routes())
        .merge(change_comments::routes())
        .merge(roles::routes())
        .merge(providers::routes())
        .merge(questions::routes())
        .merge(issues::routes())
        .merge(events::routes())
        .merge(artifacts::routes())
        .merge(access::routes())
        .merge(tokens::routes())
        .merge(backups::routes())
        .merge(verify::routes())
        .merge(worker::routes())
        .merge(workers::routes())
        .merge(pairings::routes())
        .merge(proof::routes())
}

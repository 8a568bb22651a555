//! The board: issues, what is said on them, where they came from, and what asks for a person.

mod attention;
mod batch;
mod board;
mod comments;
mod filter;
mod issue;
mod issue_runs;
mod lineage;
mod list;
mod view;

pub(super) use view::IssueView;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(list::routes())
        .merge(batch::routes())
        .merge(issue::routes())
        .merge(comments::routes())
        .merge(issue_runs::routes())
        .merge(lineage::routes())
        .merge(attention::routes())
        .merge(board::routes())
}

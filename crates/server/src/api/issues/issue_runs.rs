//! What runs have to do with an issue.

use axum::extract::State;
use model::{id::RunId, issue::IssueName, problem::Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        listing::{self, Listing, PageQuery},
        run_view::RunView,
        visible,
    },
    app::App,
    auth::Caller,
    extract::{Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The runs about an issue, newest first: those that work on it, and those that prove it.
#[utoipa::path(get, path = "/issues/{issue}/runs", tag = "issues",
    params(("issue" = String, Path, description = "id, or KEY#NUMBER with the # as %23"), PageQuery),
    responses((status = 200, body = Listing<RunView>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(issue): Path<IssueName>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<RunView>>, Refusal> {
    let issue = visible::issue(&app, &caller, issue).await?.issue.id;
    let limit = listing::limit(query.limit)?;
    let before: Option<RunId> = listing::cursor(query.cursor.as_deref())?;
    let rows = app
        .engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.runs_of_issue(issue, before, limit + 1).await?) }))
        .await?;
    Ok(axum::Json(Listing::cut(rows, limit, |run| run.id.to_string(), RunView::from)))
}

//! Providers of models, as the plane's machine has them: which there are, whether each has its key, what they cost.

use axum::extract::State;
use model::provider::{Overview, ProviderCheck};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Action, Caller},
    extract::Path,
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(check))
}

/// The providers that the builtin agent can ask, and what models cost. Where a key comes from is said, the key never.
#[utoipa::path(get, path = "/providers", tag = "workers", responses((status = 200, body = Overview), Refusals))]
async fn list(State(app): State<App>, caller: Caller) -> Result<axum::Json<Overview>, Refusal> {
    caller.may_everywhere(Action::Read)?;
    Ok(axum::Json(app.engine.providers()?))
}

/// Asks a provider for its list of models: its address and its key are tried. It costs nothing and takes up to 15 s.
#[utoipa::path(post, path = "/providers/{name}/check", tag = "workers", params(("name" = String, Path)),
    responses((status = 200, body = ProviderCheck), Refusals))]
async fn check(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<ProviderCheck>, Refusal> {
    caller.may_everywhere(Action::Change)?;
    Ok(axum::Json(app.engine.check_provider(&name).await?))
}

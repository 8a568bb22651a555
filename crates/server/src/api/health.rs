//! Whether the server lives, whether it is ready, and its figures.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Action, Caller},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// What a probe is told.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`, or there is a problem document instead.
    pub status: HealthStatus,
    /// The version of the program.
    pub version: &'static str,
}

/// How the server is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It answers.
    Ok,
}

const HEALTHY: Health = Health { status: HealthStatus::Ok, version: env!("CARGO_PKG_VERSION") };

/// The process lives. Asks nobody.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()), responses((status = 200, body = Health), Refusals))]
async fn healthz() -> axum::Json<Health> {
    axum::Json(HEALTHY)
}

/// The store answers and its migrations are done.
#[utoipa::path(get, path = "/readyz", tag = "server", security(()), responses((status = 200, body = Health), Refusals))]
async fn readyz(State(app): State<App>) -> Result<axum::Json<Health>, Refusal> {
    app.engine.store().ping().await.map_err(model::problem::Problem::from)?;
    Ok(axum::Json(HEALTHY))
}

/// Every figure, in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain"), Refusals))]
async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, Refusal> {
    caller.may_everywhere(Action::Read)?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let mut page = app.metrics.render();
    crate::metrics::upkeep::render(&app.engine, &mut page);
    Ok(([(header::CONTENT_TYPE, kind)], page).into_response())
}

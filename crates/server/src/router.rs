//! All routes, put together once. Every route is registered together with its documentation, so that
//! the OpenAPI document cannot leave one out.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use engine::Engine;
use model::{code::Code, problem::Problem};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    api,
    app::{App, Inner, WholeStore},
    auth::Auth,
    config::ServerConfig,
    metrics::Metrics,
    middleware::{self, RequestIds},
    openapi,
    problem::Refusal,
    stream::StreamPlaces,
};

/// What a router is built from.
pub struct Plane {
    /// The running engine.
    pub engine: Engine,
    /// Settings of the HTTP side.
    pub config: ServerConfig,
}

/// The whole HTTP side of a plane. Serve it with [`crate::serve`], or call it in process.
pub fn build(plane: Plane) -> Router {
    let (router, mut document) = routes().split_for_parts();
    openapi::name_operations(&mut document);
    let metrics = Arc::new(Metrics::of(document.paths.paths.keys().cloned()));
    let app = App::new(Inner {
        auth: Auth::new(plane.config.bound, &plane.config.allowed_hosts),
        places: StreamPlaces::new(plane.config.streams_per_caller, metrics.clone()),
        metrics,
        request_ids: RequestIds::new(),
        checked: api::Checked::default(),
        whole_store: WholeStore::default(),
        openapi: openapi::render(&document),
        engine: plane.engine,
        config: plane.config,
    });
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(refused_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), middleware::gate))
        .with_state(app)
}

/// The OpenAPI document of this version.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = routes().into_openapi();
    openapi::name_operations(&mut document);
    document
}

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base()).merge(api::outside()).nest("/api/v1", api::v1())
}

/// A place in the page, or nothing that there is.
async fn unknown_route(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let unknown = || Problem::new(Code::RouteUnknown, Code::RouteUnknown.title()).into();
    app.config.page.at(&method, uri.path(), &headers).ok_or_else(unknown)
}

async fn refused_method() -> Refusal {
    Problem::new(Code::MethodRefused, Code::MethodRefused.title()).into()
}

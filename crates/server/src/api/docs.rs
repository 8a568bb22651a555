//! The OpenAPI document, an explorer for it, and the page of each error code. Everything comes from
//! the binary; nothing is asked of another host.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use model::{code::Code, problem::Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    extract::Path,
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(explorer))
        .routes(routes!(asset))
        .routes(routes!(error_page))
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "server", security(()),
    responses((status = 200, body = Object, content_type = "application/json"), Refusals))]
async fn openapi(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], app.openapi.clone()).into_response()
}

/// A page to read this document and to try its operations.
#[utoipa::path(get, path = "/api/docs", tag = "server", security(()),
    responses((status = 200, body = String, content_type = "text/html"), Refusals))]
async fn explorer() -> Html<&'static str> {
    Html(include_str!("../assets/explorer.html"))
}

/// A script or style of the server's own pages.
#[utoipa::path(get, path = "/api/docs/assets/{name}", tag = "server", security(()),
    params(("name" = String, Path)), responses((status = 200, body = String, content_type = "text/plain"), Refusals))]
async fn asset(Path(name): Path<String>) -> Result<Response, Refusal> {
    let (kind, text) = match name.as_str() {
        "explorer.js" => ("text/javascript; charset=utf-8", include_str!("../assets/explorer.js")),
        "style.css" => ("text/css; charset=utf-8", include_str!("../assets/style.css")),
        _ => return Err(Problem::not_found().into()),
    };
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response())
}

/// What an error code means and what to do about it.
#[utoipa::path(get, path = "/api/docs/errors/{code}", tag = "server", security(()),
    params(("code" = String, Path)), responses((status = 200, body = String, content_type = "text/html"), Refusals))]
async fn error_page(Path(code): Path<String>) -> Result<Html<String>, Refusal> {
    let number = code.strip_prefix("PH-").and_then(|number| number.parse().ok());
    let code = number.and_then(Code::by_number).ok_or_else(Problem::not_found)?;
    let title = super::pages::escape(code.title());
    let hint = super::pages::escape(code.hint());
    let body = format!(
        "<h1>{code}: {title}</h1><p><strong>What to do:</strong> {hint}</p>\
         <dl><dt>Name for programs</dt><dd><code>{}</code></dd><dt>HTTP status</dt><dd>{}</dd></dl>\
         <p><a href=\"/api/docs\">All operations</a></p>",
        code.slug(),
        code.status()
    );
    Ok(Html(super::pages::page(&code.to_string(), &body)))
}

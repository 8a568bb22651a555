//! Where the web page begins, the plain page that stands in its place in a build without it, and the
//! end of a sign-in link.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use model::problem::Problem;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Caller, session_cookie},
    extract::Query,
    page::wants_a_document,
    problem::{Refusal, Refusals},
    serve::Peer,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(home)).routes(routes!(sign_in))
}

/// A page of ours around `body`, which must be safe HTML.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · Proofhouse</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"stylesheet\" href=\"/api/docs/assets/style.css\"></head><body><main>{body}</main></body></html>",
        escape(title)
    )
}

/// Text as HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

const HELP: &str = "<h2>From the command line</h2><pre><code>\
proofhouse init                 register the repository you are in\n\
proofhouse proof capture        write a fault down as a requirement\n\
proofhouse proof run            run the gates and watch\n\
proofhouse proof check          ask whether all is proven\n\
proofhouse run list             what runs and ran\n\
proofhouse token link           a new sign-in link for this page</code></pre>";

/// The web page; in a build without it, who is signed in and where things are.
#[utoipa::path(get, path = "/", tag = "server", security(()),
    responses((status = 200, body = String, content_type = "text/html"), Refusals))]
async fn home(State(app): State<App>, request: Request) -> Response {
    if let Some(page) = app.config.page.document(request.headers()) {
        return page;
    }
    let (who, status) = match app.auth.caller(&app.engine, request.headers()).await {
        Ok(caller) => (signed_in(&caller), StatusCode::OK),
        Err(_) => (
            "<p>Nobody is signed in. Run <code>proofhouse token link</code> on this machine and open the link it \
             prints.</p>"
                .to_owned(),
            StatusCode::OK,
        ),
    };
    let body = format!(
        "<h1>Proofhouse</h1>{who}<ul><li><a href=\"/api/docs\">API explorer</a></li>\
         <li><a href=\"/api/openapi.json\">OpenAPI document</a></li></ul>\
         <h2>This build has no web page</h2>\
         <p>It was made by <code>cargo build</code> alone. To build the page into it, in the repository, with \
         Node.js at hand:</p>\
         <pre><code>make build</code></pre>\
         <p>Everything else is here: use the command line or the API.</p>{HELP}"
    );
    let mut response = (status, Html(page("Home", &body))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn signed_in(caller: &Caller) -> String {
    let principal = caller.principal();
    format!(
        "<p>Signed in as <strong>{}</strong> ({}).</p>",
        escape(principal.actor.label()),
        escape(principal.role.name())
    )
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// The code of the link.
    code: Option<String>,
    /// Why the link that led here did not work: for the page to say it.
    #[serde(rename = "refused")]
    #[param(rename = "refused")]
    _refused: Option<String>,
    /// Where in the page to go on.
    #[serde(rename = "next")]
    #[param(rename = "next")]
    _next: Option<String>,
}

/// The end of a sign-in link: begins a session in this browser. A link works once, for 15 minutes.
/// Without a code, the page's own place for signing in.
#[utoipa::path(get, path = "/sign-in", tag = "access", security(()), params(SignIn),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 303, description = "a browser is shown in the page why the link did not work"), Refusals))]
async fn sign_in(
    State(app): State<App>,
    Query(link): Query<SignIn>,
    peer: Option<axum::Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let web = app.config.page;
    let Some(code) = link.code else {
        let message = "the link has no code, or this build has no page to sign in at";
        return web.document(&headers).ok_or_else(|| Problem::invalid_field("/code", message).into());
    };
    let address = peer.map(|axum::Extension(Peer(address))| address.ip());
    let session = match app.auth.redeem(&app, &code, address).await {
        Ok(session) => session,
        Err(problem) if web.is_there() && wants_a_document(&headers) => {
            let place = format!("/sign-in?refused={}", problem.code);
            return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response());
        }
        Err(problem) => return Err(problem.into()),
    };
    let cookie = session_cookie(&session.secret, session.max_age_s, app.config.secure_cookies);
    let body = "<h1>Signed in</h1><p>This browser now has a session. <a href=\"/\">Go on</a></p>";
    // Not a redirect: a strict cookie is not sent along one that began on another site.
    let mut response = Html(page("Signed in", body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::REFRESH, HeaderValue::from_static("0; url=/"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    // W42
    #[test]
    fn text_never_becomes_markup() {
        assert_eq!(escape("<b onload='x'>&\""), "&lt;b onload=&#39;x&#39;&gt;&amp;&quot;");
        assert!(page("</title><script>", "").contains("<title>&lt;/title&gt;&lt;script&gt; · Proofhouse</title>"));
    }
}

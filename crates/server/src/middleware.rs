//! The one layer around every route: correlation id, host check, time limit, panics, problem bodies,
//! security headers, figures and the log line. One layer, because each one costs on every request.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt as _;
use model::{code::Code, problem::Problem};

use crate::{
    app::App,
    limits::{self, Pace},
    problem::{self, REQUEST_ID, Refusal},
    serve::Peer,
};

/// A page of ours loads nothing from elsewhere and can be framed by nobody.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
);
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Wraps every route.
pub async fn gate(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(request.headers(), &app);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let template = route.as_ref().map(MatchedPath::as_str);
    let method = request.method().clone();

    let mut response = match admit(&app, &request, route.as_ref()) {
        Ok(()) => answer(&app, request, next, template, &id).await,
        Err(problem) => Refusal::from(problem).into_response(),
    };

    if let Some(Refusal(problem)) = response.extensions_mut().remove::<Refusal>() {
        if response.status().is_server_error() {
            tracing::error!(%problem, request_id = ?id, "refused for a fault of the server");
        }
        problem::render(&problem, &id, &mut response);
    }
    let status = response.status().as_u16();
    let took = start.elapsed();
    app.metrics.request(template, status, took);
    if status >= 500 {
        tracing::warn!(%method, route = template, status, ?took, request_id = ?id, "answered with a fault");
    } else {
        tracing::debug!(%method, route = template, status, ?took, request_id = ?id, "answered");
    }
    secure(response.headers_mut(), id);
    response
}

/// What is refused before a route sees it.
fn admit(app: &App, request: &Request, route: Option<&MatchedPath>) -> Result<(), Problem> {
    let remote = request.extensions().get::<Peer>().is_some();
    app.auth.hosts.check(request.uri(), request.headers(), remote)?;
    let limit = limits::body_limit(route);
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(limits::too_large(limit));
    }
    Ok(())
}

async fn answer(app: &App, request: Request, next: Next, route: Option<&str>, id: &HeaderValue) -> Response {
    let pace = route.map_or(Pace::Prompt, limits::pace);
    // A change that was begun is carried through when its caller hangs up: the effect is stored
    // either way, and so are its wake-ups and its answer under the idempotency key (F5). Workers'
    // calls are fenced and repeated, so they need no task of their own.
    let detached = !request.method().is_safe() && !route.is_some_and(|route| route.contains("/worker/"));
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let handled = async {
        if detached {
            tokio::spawn(handled).await.unwrap_or_else(|end| Err(Box::new(end) as Box<dyn Any + Send>))
        } else {
            handled.await
        }
    };
    let ended = match pace {
        Pace::Long => Ok(handled.await),
        Pace::Prompt => tokio::time::timeout(app.config.request, handled).await,
    };
    match ended {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            app.metrics.figures.panics.fetch_add(1, Relaxed);
            tracing::error!(request_id = ?id, route, panic = words(&*panic), "a request ended in a panic");
            Refusal::from(Problem::new(Code::Internal, "failed to answer the request")).into_response()
        }
        Err(_) => {
            app.metrics.figures.time_outs.fetch_add(1, Relaxed);
            let limit: Duration = app.config.request;
            Refusal::from(Problem::new(Code::TimedOut, format!("the request took longer than {} s", limit.as_secs())))
                .into_response()
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

fn secure(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(REQUEST_ID, id);
    // What one caller may see is not kept for the next, unless an answer says otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CSP);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
}

/// The caller's correlation id when it is short and plain, else one of ours.
fn request_id(headers: &HeaderMap, app: &App) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match headers.get(REQUEST_ID) {
        Some(given) if (1..=64).contains(&given.len()) && given.as_bytes().iter().all(plain) => given.clone(),
        _ => app.request_ids.next(),
    }
}

/// Correlation ids: a number that differs by process, counting up.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// Starts at a random number.
    pub fn new() -> Self {
        Self(AtomicU64::new(rand::random()))
    }

    fn next(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = self.0.fetch_add(1, Relaxed);
        let mut text = [b'0'; 16];
        for (at, digit) in text.iter_mut().enumerate() {
            let nibble = (number >> (60 - 4 * at)) & 0xf;
            *digit = DIGITS[usize::try_from(nibble).unwrap_or(0)];
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

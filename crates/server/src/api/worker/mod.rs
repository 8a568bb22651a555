//! The protocol of workers (20-plan-dispatch D52-D59): claim, renew, append, end. The embedded worker
//! makes the same calls on the engine. Unknown fields are ignored on both sides (D61).

mod artifacts;
mod asks;
mod entries;
mod lease;
mod outcomes;

use std::sync::atomic::Ordering::Relaxed;

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use model::{code::Code, problem::Problem};
use utoipa_axum::router::OpenApiRouter;

use crate::{app::App, problem::Refusal};

const LEASE_GENERATION: HeaderName = HeaderName::from_static("lease-generation");

pub(super) fn routes() -> OpenApiRouter<App> {
    lease::routes().merge(entries::routes()).merge(outcomes::routes()).merge(artifacts::routes()).merge(asks::routes())
}

/// The `Lease-Generation` of a call about one task; missing is 422 (D55).
struct Generation(u32);

impl<S: Send + Sync> FromRequestParts<S> for Generation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let value = parts.headers.get(LEASE_GENERATION).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.trim().parse().ok()).map(Self).ok_or_else(|| {
            Problem::invalid_field("/Lease-Generation", "the number of the claim is required")
                .with("in", "header")
                .into()
        })
    }
}

/// Counts refusals behind an old fence.
fn counted<T>(app: &App, result: Result<T, Problem>) -> Result<T, Problem> {
    if result.as_ref().is_err_and(|problem| problem.code == Code::LeaseLost) {
        app.metrics.figures.leases_lost.fetch_add(1, Relaxed);
    }
    result
}

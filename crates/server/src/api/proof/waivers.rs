//! Waivers: granted and taken back by an admin who is a person.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engine::proof::waivers;
use model::{
    id::WaiverId,
    proof::{gate::GateName, requirement::RequirementNumber, waiver::Waiver},
    time::Day,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        listing::{Listing, PageQuery},
        visible,
    },
    app::App,
    auth::{Action, Caller},
    extract::{Keyed, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, grant)).routes(routes!(revoke))
}

/// An exception to grant. Read by the domain, which names each wrong value.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document alone")]
struct GrantWaiver {
    /// Why, 1 to 2,000 characters.
    reason: String,
    /// The last UTC day on which it holds; absent is until it is revoked.
    expires: Option<Day>,
    /// The gates it leaves out; absent is all.
    gates: Option<Vec<GateName>>,
    /// What was thought of.
    checklist: Option<Vec<String>>,
}

/// The end of a waiver.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document alone")]
struct RevokeWaiver {
    /// Why, 1 to 2,000 characters.
    reason: String,
}

/// A requirement's waivers, newest first: what was granted, by whom, and how it ended.
#[utoipa::path(get, path = "/projects/{p}/proof/requirements/{req}/waivers", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007"),
        PageQuery),
    responses((status = 200, body = Listing<Waiver>), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path((project, requirement)): Path<(ProjectName, RequirementNumber)>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Listing<Waiver>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let all = waivers::history(&app.engine, &project, requirement).await?;
    Ok(axum::Json(Listing::of_all(all, &query, |waiver| waiver.id.to_string(), |waiver| waiver)?))
}

/// Except a requirement from the merge gate. It takes the place of the waiver in force.
#[utoipa::path(post, path = "/projects/{p}/proof/requirements/{req}/waivers", tag = "proof", request_body = GrantWaiver,
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Waiver), Refusals))]
async fn grant(
    State(app): State<App>,
    caller: Caller,
    Path((project, requirement)): Path<(ProjectName, RequirementNumber)>,
    ask: Keyed<Value>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let once = caller.once("POST /projects/{p}/proof/requirements/{req}/waivers", ask.key, ask.digest);
    let waiver = waivers::grant(&app.engine, &project, requirement, &ask.body, caller.actor(), once).await?;
    Ok((StatusCode::CREATED, axum::Json(waiver)).into_response())
}

/// Take a waiver back.
#[utoipa::path(post, path = "/projects/{p}/proof/requirements/{req}/waivers/{waiver}/revoke", tag = "proof",
    request_body = RevokeWaiver,
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007"),
        ("waiver" = WaiverId, Path)),
    responses((status = 200, body = Waiver), Refusals))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path((project, requirement, waiver)): Path<(ProjectName, RequirementNumber, WaiverId)>,
    ask: Keyed<Value>,
) -> Result<axum::Json<Waiver>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Decide).await?;
    let waiver = waivers::revoke(&app.engine, &project, requirement, waiver, &ask.body, caller.actor()).await?;
    Ok(axum::Json(waiver))
}

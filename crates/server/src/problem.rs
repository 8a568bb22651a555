//! Problems as HTTP answers: RFC 9457 documents with a code, a hint and the address of the code's
//! page. Nothing but the problem's own words reaches the caller: sources stay in the log (P74).

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    code::Code,
    problem::{FieldError, Problem},
};
use serde_json::{Map, Value};

/// The header that carries the correlation id, in requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where the page of a code stands on this server.
pub fn page_of(code: Code) -> String {
    format!("/api/docs/errors/{code}")
}

/// What a handler returns instead of an answer. It travels to the outermost layer as a value and is
/// rendered there, where the correlation id is known.
#[derive(Debug, Clone)]
pub struct Refusal(pub Arc<Problem>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Arc::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.extensions_mut().insert(self);
        response
    }
}

/// Fills in the body and headers of an answer that carries a problem.
pub fn render(problem: &Problem, request_id: &HeaderValue, response: &mut Response) {
    let status = response.status().as_u16();
    let document = document(problem, status, request_id.to_str().unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if problem.code == Code::NoSession {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"proofhouse\""));
    }
    if let Some(seconds) = problem.facts.get("retry_after_s").and_then(Value::as_u64) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == Code::TooLarge {
        // What is left of the body is not read, so nothing can follow on this connection.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    *response.body_mut() = Body::from(document.to_string());
}

/// What the caller reads. Where the words come from inside (a driver, a file system, a bug), they
/// stay in the log, and the caller gets the code's own (P74).
fn detail(problem: &Problem) -> &str {
    match problem.code {
        Code::Internal | Code::StoreUnavailable | Code::DatabaseDamaged | Code::DataFolderUnusable => {
            problem.code.title()
        }
        _ => &problem.message,
    }
}

fn document(problem: &Problem, status: u16, request_id: &str) -> Value {
    let mut fields = Map::new();
    for (name, value) in &problem.facts {
        fields.insert(name.clone(), value.clone());
    }
    // The members of the RFC and ours win over facts of the same name.
    fields.insert("type".into(), page_of(problem.code).into());
    fields.insert("title".into(), problem.code.title().into());
    fields.insert("status".into(), status.into());
    fields.insert("detail".into(), detail(problem).into());
    fields.insert("code".into(), problem.code.to_string().into());
    fields.insert("slug".into(), problem.code.slug().into());
    fields.insert("hint".into(), problem.hint().into());
    if !problem.errors.is_empty() {
        fields.insert("errors".into(), serde_json::to_value(&problem.errors).unwrap_or_default());
    }
    if status >= 500 {
        // Only here: a 404 of what is foreign and of what is missing are the same bytes (P27).
        fields.insert("request_id".into(), request_id.into());
    }
    Value::Object(fields)
}

/// The shape of every refusal, for the OpenAPI document.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// The address of the code's page.
    pub r#type: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status again.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What went wrong in this very case.
    pub detail: String,
    /// The code.
    pub code: ProblemCode,
    /// The code's name for programs.
    pub slug: ProblemSlug,
    /// What to do about it.
    pub hint: String,
    /// Each wrong value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The correlation id, for faults of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// `PH-` and a number of the declared list.
#[derive(serde::Serialize)]
pub struct ProblemCode(String);

/// A name of the declared list.
#[derive(serde::Serialize)]
pub struct ProblemSlug(String);

fn closed(values: Vec<String>, description: &str) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(values))
        .description(Some(description))
        .into()
}

impl utoipa::PartialSchema for ProblemCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        closed(Code::ALL.iter().map(ToString::to_string).collect(), "a code of the declared list")
    }
}

impl utoipa::ToSchema for ProblemCode {}

impl utoipa::PartialSchema for ProblemSlug {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        closed(Code::ALL.iter().map(|code| code.slug().to_owned()).collect(), "the code's name for programs")
    }
}

impl utoipa::ToSchema for ProblemSlug {}

/// Every refusal of an operation, for `#[utoipa::path(responses(Refusals))]`.
pub struct Refusals;

impl utoipa::IntoResponses for Refusals {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        let response = utoipa::openapi::ResponseBuilder::new()
            .description("a problem document: what failed, why, and what to do")
            .content(
                "application/problem+json",
                utoipa::openapi::ContentBuilder::new()
                    .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
                    .build(),
            )
            .build();
        [("default".to_owned(), response.into())].into()
    }
}

/// A fault that has no words for the caller: logged in full, answered as a bug (P74).
pub fn internal(what: &str, source: &dyn std::fmt::Debug) -> Refusal {
    tracing::error!(?source, "failed to {what}");
    Problem::new(Code::Internal, format!("failed to {what}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_the_members_of_the_rfc_and_keeps_facts() {
        let problem = Problem::new(Code::RunActive, "a run is active").with("active_run", "x").with("status", "lies");
        let value = document(&problem, 409, "id");
        assert_eq!(value["type"], "/api/docs/errors/PH-1008");
        assert_eq!(value["status"], 409, "a fact never shadows a member");
        assert_eq!(value["active_run"], "x");
        assert_eq!(value["code"], "PH-1008");
        assert!(value.get("request_id").is_none() && value.get("errors").is_none());
    }

    // P74
    #[test]
    fn a_fault_carries_the_correlation_id_and_no_inner_text() {
        let refusal = internal("read the thing", &"password=hunter2 at /secret/path");
        let text = document(&refusal.0, 500, "req-1").to_string();
        assert!(text.contains("req-1") && !text.contains("hunter2") && !text.contains("/secret"));
        let store = Problem::new(Code::StoreUnavailable, "failed to open /home/me/proofhouse.db");
        assert!(!document(&store, 503, "req-1").to_string().contains("/home"));
    }
}

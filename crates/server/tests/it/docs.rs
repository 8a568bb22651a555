//! The OpenAPI document and what is served around it.

use axum::http::Method;
use serde_json::Value;

use crate::plane::TestPlane;

fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let mut list = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<Method>() {
                list.push((path.clone(), method, operation.clone()));
            }
        }
    }
    list
}

/// The document names every route: there is no other way to register one, which the sources show,
/// and each documented operation is answered by its route.
#[tokio::test]
async fn every_route_stands_in_the_document() {
    let plane = TestPlane::start().await;
    let document = plane.ask(Method::GET, "/api/openapi.json").send().await.expect(200).json();
    let operations = operations(&document);
    assert!(operations.len() > 30, "{}", operations.len());
    for (path, method, operation) in &operations {
        let concrete = path.replace("{p}", "one").replace("{code}", "PH-1003").replace("{name}", "style.css");
        let concrete = regex_free_ids(&concrete);
        if concrete.ends_with("/events") && *method == Method::GET {
            continue;
        }
        let answer = plane.ask(method.clone(), &concrete).send().await;
        let code = serde_json::from_slice::<Value>(&answer.bytes).unwrap_or_default()["code"].clone();
        assert!(code != "PH-1022" && code != "PH-1023", "{method} {path} is documented and not routed");
        let open =
            operation["security"].as_array().is_some_and(|list| list.iter().any(|one| one == &serde_json::json!({})));
        if !open {
            let refused = answer.status == 401 || answer.code() == "PH-1021";
            assert!(refused, "{method} {path} answers {} to nobody", answer.status);
        }
    }
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api")).unwrap();
    for file in sources.chain(std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap()) {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for way in [".route(", ".route_service(", ".nest_service("] {
                assert!(!text.contains(way), "{} registers a route without its documentation", path.display());
            }
        }
    }
}

/// Puts an id where a path wants one.
fn regex_free_ids(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('{') {
        let end = rest[at..].find('}').unwrap() + at;
        out.push_str(&rest[..at]);
        out.push_str("00000000-0000-7000-8000-000000000000");
        rest = &rest[end + 1..];
    }
    out + rest
}

/// P73: `status`, `verdict`, `state`, `reason`, `code` are closed enums wherever they appear, except
/// where `reason` is a person's own words.
#[tokio::test]
async fn every_state_is_a_closed_enum() {
    let plane = TestPlane::start().await;
    let document = plane.ask(Method::GET, "/api/openapi.json").send().await.expect(200).json();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut seen = 0;
    for (name, schema) in schemas {
        let Some(properties) = schema["properties"].as_object() else { continue };
        for (property, given) in properties {
            if !["status", "verdict", "state", "reason", "severity", "level", "role", "trigger", "mode"]
                .contains(&property.as_str())
            {
                continue;
            }
            let words_of_a_person = property == "reason" && WORDS.contains(&name.as_str());
            let http_status = name == "Problem" && property == "status";
            // The catalogue of what agents are told is open: projects add to it (D29).
            let agents_role = property == "role" && OF_A_CATALOGUE.contains(&name.as_str());
            if words_of_a_person || http_status || agents_role {
                continue;
            }
            seen += 1;
            assert!(is_closed(schemas, given), "{name}.{property} is open: {given}");
        }
    }
    assert!(seen > 8, "{seen}");
}

/// Schemas whose `role` is one of the catalogue.
const OF_A_CATALOGUE: &[&str] = &["DispatchRun", "RunContext", "RoleSuggestion", "RoleAlternative"];

/// Schemas whose `reason` is in words: of a person, of a worker, of advice.
const WORDS: &[&str] = &[
    "Release",
    "Waiver",
    "WaiverUse",
    "GrantWaiver",
    "RevokeWaiver",
    "ChangeRequirement",
    "AcceptDefinitions",
    "AcceptedDefinition",
    "RoleAlternative",
];

fn is_closed(schemas: &serde_json::Map<String, Value>, schema: &Value) -> bool {
    if schema["enum"].is_array() || schema["type"] == "null" {
        return true;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return schemas.get(name).is_some_and(|schema| is_closed(schemas, schema));
    }
    for way in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[way].as_array() {
            return options.iter().all(|option| is_closed(schemas, option));
        }
    }
    schema["type"] == "array" && is_closed(schemas, &schema["items"])
}

/// References in the document lead somewhere.
#[tokio::test]
async fn no_reference_is_dangling() {
    let plane = TestPlane::start().await;
    let document = plane.ask(Method::GET, "/api/openapi.json").send().await.json();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

/// W11, P27 of pages: everything of the explorer comes from this server, under a strict policy.
#[tokio::test]
async fn the_explorer_asks_no_other_host() {
    let plane = TestPlane::start().await;
    for path in
        ["/", "/api/docs", "/api/docs/assets/explorer.js", "/api/docs/assets/style.css", "/api/docs/errors/PH-1008"]
    {
        let answer = plane.ask(Method::GET, path).send().await.expect(200);
        let text = answer.text();
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        assert!(!text.contains("<script>") && !text.contains(" onclick"), "{path} has inline script");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    }
    plane.ask(Method::GET, "/api/docs/errors/PH-9999").send().await.refused(404, "PH-1003");
    plane.ask(Method::GET, "/api/docs/assets/..%2fsecret").send().await.refused(404, "PH-1003");
}

#[tokio::test]
async fn health_readiness_and_figures() {
    let plane = TestPlane::start().await;
    assert_eq!(plane.ask(Method::GET, "/healthz").send().await.expect(200).json()["status"], "ok");
    plane.ask(Method::GET, "/readyz").send().await.expect(200);
    plane.ask(Method::GET, "/metrics").send().await.refused(401, "PH-1004");
    let page = plane.get("/metrics").send().await.expect(200).text();
    assert!(page.contains("proofhouse_http_requests_total{route=\"/healthz\",class=\"2xx\"} 1"), "{page}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let plane = TestPlane::start().await;
    plane.get("/api/v1/nothing").send().await.refused(404, "PH-1022");
    let answer = plane.ask(Method::DELETE, "/healthz").send().await.refused(405, "PH-1023");
    assert!(answer.headers["allow"].to_str().unwrap().contains("GET"));
    let given = plane.get("/api/v1/nothing").header("x-request-id", "my-id.1").send().await;
    assert_eq!(given.headers["x-request-id"], "my-id.1");
    let replaced = plane.get("/api/v1/nothing").header("x-request-id", "<script>").send().await;
    assert_eq!(replaced.headers["x-request-id"].len(), 16);
}

//! `GET /verify`: what is stored is what was stored.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{artifacts, plane::TestPlane};

const PATH: &str = "/api/v1/verify";

async fn verified(plane: &TestPlane, query: &str) -> Value {
    plane.get(&format!("{PATH}{query}")).send().await.expect(200).json()
}

/// K3: all, a project, a run.
#[tokio::test]
async fn everything_a_project_or_a_run_is_checked() {
    let plane = TestPlane::start().await;
    let run = plane.probe(2).await;
    let all = verified(&plane, "").await;
    assert_eq!(all["damage"], json!([]));
    assert!(all["streams"].as_u64() >= Some(2) && all["entries"].as_u64() > Some(1), "{all}");
    let one = verified(&plane, &format!("?run={run}")).await;
    assert_eq!((&one["streams"], &one["damage"]), (&json!(1), &json!([])));
    for name in [plane.project.key.to_string(), plane.project.id.to_string()] {
        assert_eq!(verified(&plane, &format!("?project={name}")).await["damage"], json!([]));
    }
}

/// F11: a blob whose bytes were changed on the disk is found and named, and nothing else is.
#[tokio::test]
async fn a_flipped_byte_in_a_blob_is_named() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let digest = artifacts::keep(&plane, &run, "a.txt", "text/plain", b"as it was").await.digest.to_string();
    let file = plane.engine.data().root().join("blobs").join(&digest[..2]).join(&digest[2..]);
    assert_eq!(std::fs::read(&file).unwrap(), b"as it was");
    assert_eq!(verified(&plane, "").await["damage"], json!([]));
    std::fs::write(&file, "as it Was").unwrap();
    for query in ["", "?project=one"] {
        let found = verified(&plane, query).await;
        assert_eq!(found["damage"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!((&found["damage"][0]["kind"], &found["damage"][0]["blob"]), (&json!("blob"), &json!(digest)));
    }
    assert_eq!(verified(&plane, &format!("?run={run}")).await["damage"], json!([]), "a run's journal holds");
}

#[tokio::test]
async fn who_may_not_or_asks_wrongly_is_refused() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    plane.ask(Method::GET, PATH).send().await.refused(401, "PH-1004");
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    let foreign = plane.foreigner().await;
    for query in [String::new(), "?project=one".to_owned(), format!("?run={run}")] {
        let ask = |token: &str| plane.ask(Method::GET, &format!("{PATH}{query}")).token(token);
        ask(&member).send().await.refused(403, "PH-1005");
        let code = if query.is_empty() { (403, "PH-1005") } else { (404, "PH-1003") };
        ask(&foreign).send().await.refused(code.0, code.1);
    }
    let none = "00000000-0000-7000-8000-000000000000";
    plane.get(&format!("{PATH}?run={none}")).send().await.refused(404, "PH-1003");
    plane.get(&format!("{PATH}?project=nothing")).send().await.refused(404, "PH-1003");
    for query in ["?run=x".to_owned(), "?deep=1".to_owned(), format!("?run={run}&project=one")] {
        plane.get(&format!("{PATH}{query}")).send().await.refused(422, "PH-1002");
    }
}

/// W29, K3: the chain of who did what is checked when it is asked for, for those who decide.
#[tokio::test]
async fn the_chain_of_the_audit_is_checked() {
    let plane = TestPlane::start().await;
    let path = "/api/v1/projects/one/audit/chain";
    let chain = async || plane.get(path).send().await.expect(200).json();
    let before = chain().await;
    assert_eq!((&before["intact"], &before["damage"]), (&json!(true), &Value::Null), "{before}");
    let change = plane.ask(Method::PATCH, "/api/v1/projects/one").token(&plane.admin).header("if-match", "1");
    change.json(&json!({"name": "renamed"})).send().await.expect(200);
    let after = chain().await;
    let head = |chain: &Value| chain["head"].as_u64().unwrap();
    assert_eq!((head(&after), &after["intact"]), (head(&before) + 1, &json!(true)));
    assert_eq!((&after["entries"], &after["floor"]), (&after["head"], &json!(1)), "all of it was read");
    assert_eq!(after["digest"].as_str().unwrap().len(), 64);
    assert_ne!(after["digest"], before["digest"]);
    assert!(after["checked_at"].is_string());

    plane.ask(Method::GET, path).send().await.refused(401, "PH-1004");
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    plane.ask(Method::GET, path).token(&member).send().await.refused(403, "PH-1005");
    let foreign = plane.foreigner().await;
    plane.ask(Method::GET, path).token(&foreign).send().await.refused(404, "PH-1003");
}

//! One change of many issues.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    issues::{cards_told, filed, read},
    plane::TestPlane,
};

const BATCH: &str = "/api/v1/projects/one/issues/batch";

async fn three(plane: &TestPlane) -> Vec<Value> {
    let mut made = Vec::new();
    for title in ["a", "b", "c"] {
        made.push(filed(plane, json!({"title": title})).await);
    }
    made
}

fn ids(issues: &[Value]) -> Vec<&Value> {
    issues.iter().map(|issue| &issue["id"]).collect()
}

#[tokio::test]
async fn many_are_changed_at_once_and_each_is_told() {
    // D5
    let plane = TestPlane::start().await;
    let made = three(&plane).await;
    let body = json!({"ids": ids(&made), "changes": {"status": "ready", "labels": ["x"], "assignee": "ann"}});
    let answer = plane.post(BATCH, &body).send().await.expect(200).json();
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(3));
    assert!(answer["items"].as_array().unwrap().iter().all(|card| card["status"] == "ready" && card["revision"] == 2));
    let told = cards_told(&plane).await;
    assert_eq!(told.iter().filter(|line| line.starts_with("moved")).count(), 3);
    // Again: nothing changes, nothing is told.
    let again = plane.post(BATCH, &body).send().await.expect(200).json();
    assert_eq!(again["items"][0]["revision"], 2);
    assert_eq!(cards_told(&plane).await, told);
}

#[tokio::test]
async fn one_that_cannot_be_changed_leaves_all_as_they_were() {
    // D5, D3
    let plane = TestPlane::start().await;
    let made = three(&plane).await;
    let mut with_nobody: Vec<_> = ids(&made).into_iter().cloned().collect();
    with_nobody.push(json!("01890000-0000-7000-8000-000000000001"));
    let change = json!({"status": "done"});
    plane.post(BATCH, &json!({"ids": with_nobody, "changes": change})).send().await.refused(404, "PH-1003");
    let foreign = plane.foreigner().await;
    let theirs = plane.post("/api/v1/projects/other/issues", &json!({"title": "t"})).send().await.expect(201).json();
    let mixed = json!({"ids": [made[0]["id"], theirs["id"]], "changes": change});
    plane.post(BATCH, &mixed).send().await.refused(404, "PH-1003");
    let below_itself = json!({"ids": ids(&made), "changes": {"parent": made[1]["id"]}});
    let refused = plane.post(BATCH, &below_itself).send().await.refused(409, "PH-2008");
    assert_eq!(refused.json()["issue"], 2);
    for issue in &made {
        assert_eq!(read(&plane, issue).await["revision"], 1);
    }
    for (body, pointer) in [
        (json!({"ids": [], "changes": change}), "/ids"),
        (json!({"ids": vec![made[0]["id"].clone(); 1], "changes": {}}), ""),
        (json!({"ids": ids(&made), "changes": {"title": "same for all"}}), "/changes/title"),
        (json!({"ids": ["x"], "changes": change}), "/ids/0"),
    ] {
        let refused = plane.post(BATCH, &body).send().await.refused(422, "PH-1002");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let many: Vec<_> = (0..101u128).map(|one| uuid::Uuid::from_u128(one).to_string()).collect();
    plane.post(BATCH, &json!({"ids": many, "changes": change})).send().await.refused(422, "PH-1002");
    let ask = |token: &str| {
        plane.ask(Method::POST, BATCH).token(token).json(&json!({"ids": ids(&made), "changes": change})).send()
    };
    ask(&foreign).await.refused(404, "PH-1003");
    ask(&plane.token(json!({"kind": "person", "role": "viewer"})).await).await.refused(403, "PH-1005");
}

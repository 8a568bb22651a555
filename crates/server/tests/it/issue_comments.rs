//! What is said on an issue.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    issues::{at, filed, read},
    plane::TestPlane,
    waivers::told,
};

#[tokio::test]
async fn a_conversation_is_kept_in_its_order_and_told() {
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let path = format!("{}/comments", at(&issue));
    let program = plane.token(json!({"kind": "program", "role": "member", "label": "bot"})).await;
    let first = plane.post(&path, &json!({"body": " Which **browser**?\n"})).send().await.expect(201).json();
    assert_eq!((&first["body"], &first["actor"]["type"]), (&json!("Which **browser**?"), &json!("person")));
    let ask = plane.ask(Method::POST, &path).token(&program).json(&json!({"body": "all <script>of them</script>"}));
    ask.send().await.expect(201);
    let page = plane.get(&format!("{path}?limit=1")).send().await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = plane.get(&format!("{path}?cursor={cursor}")).send().await.expect(200).json();
    assert_eq!((&page["items"][0], rest["items"].as_array().map(Vec::len)), (&first, Some(1)));
    assert_eq!((&rest["items"][0]["actor"]["name"], &rest["next_cursor"]), (&json!("bot"), &Value::Null));
    let told = told(&plane, "project", &["issue.commented"]).await;
    assert_eq!((told.len(), &told[0]["comment"], &told[0]["number"]), (2, &first["id"], &json!(1)));
    let now = read(&plane, &issue).await;
    assert_eq!((&now["comments"], &now["revision"]), (&json!(2), &json!(1)), "saying something changes no issue");
}

#[tokio::test]
async fn a_repeated_comment_is_said_once_and_a_bad_one_not_at_all() {
    // K1, D2, D9
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let path = format!("{}/comments", at(&issue));
    let ask = |body: Value| plane.post(&path, &body).header("idempotency-key", "k").send();
    let first = ask(json!({"body": "once"})).await.expect(201).json();
    assert_eq!(ask(json!({"body": "once"})).await.expect(201).json(), first);
    ask(json!({"body": "twice"})).await.refused(422, "PH-1007");
    for wrong in
        [json!({}), json!({"body": " \n"}), json!({"body": "a\u{0}"}), json!({"body": "x".repeat((64 << 10) + 1)})]
    {
        plane.post(&path, &wrong).send().await.refused(422, "PH-1002");
    }
    let viewer = plane.token(json!({"kind": "person", "role": "viewer"})).await;
    let by = |token: &str| plane.ask(Method::POST, &path).token(token).json(&json!({"body": "x"})).send();
    by(&viewer).await.refused(403, "PH-1005");
    plane.ask(Method::GET, &path).token(&viewer).send().await.expect(200);
    assert_eq!(read(&plane, &issue).await["comments"], 1);
    plane.get(&format!("{path}?cursor=x")).send().await.refused(422, "PH-1002");
}

//! Waivers over HTTP: who may, what they need, how they end.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    plane::TestPlane,
    requirements::{BASE, captured},
};

async fn two_gates(plane: &TestPlane) -> String {
    let body = json!({"title": "t", "description": "d", "gates": ["unit", "e2e"]});
    format!("{BASE}/{}/waivers", captured(plane, body).await["id"].as_str().unwrap())
}

/// What a stream of the project tells of these kinds.
pub async fn told(plane: &TestPlane, stream: &str, kinds: &'static [&'static str]) -> Vec<Value> {
    let stream = format!("{stream}:{}", plane.project.id).parse().unwrap();
    let read = plane.engine.store().read(move |tx| Box::pin(async move { tx.entries_of(stream, kinds, 0, 100).await }));
    let entries: Result<_, store::StoreError> = read.await;
    entries.unwrap().iter().map(|entry| serde_json::from_str(&entry.data).unwrap()).collect()
}

#[tokio::test]
async fn a_waiver_is_granted_replaced_and_revoked_with_reasons() {
    // P64, P65
    let plane = TestPlane::start().await;
    let path = two_gates(&plane).await;
    let requirement = path.trim_end_matches("/waivers").to_owned();
    let part = json!({"reason": "known", "gates": ["e2e"], "expires": "2999-12-31", "checklist": ["asked Ann"]});
    let first = plane.post(&path, &part).send().await.expect(201).json();
    assert_eq!((&first["approved_by"]["type"], &first["expires"]), (&json!("person"), &json!("2999-12-31")));
    let read = plane.get(&requirement).send().await.expect(200).json();
    assert_eq!((&read["status"], &read["waiver"]["id"]), (&json!("open"), &first["id"]), "unit must still pass");
    assert_eq!((&read["obligations"][0]["waived"], &read["obligations"][1]["waived"]), (&json!(false), &json!(true)));

    let second = plane.post(&path, &json!({"reason": "all of it"})).send().await.expect(201).json();
    let read = plane.get(&requirement).send().await.expect(200).json();
    assert_eq!((&read["status"], &read["waiver"]["reason"]), (&json!("waived"), &json!("all of it")));
    let list = plane.get(BASE).send().await.expect(200).json();
    assert_eq!(list["by_status"], json!({"open": 0, "satisfied": 0, "waived": 1}));
    let history = plane.get(&path).send().await.expect(200).json();
    assert_eq!(
        (&history["items"][0]["id"], &history["items"][1]["ended"]["kind"]),
        (&second["id"], &json!("replaced"))
    );

    let revoke = |id: &Value, body: Value| plane.post(&format!("{path}/{}/revoke", id.as_str().unwrap()), &body).send();
    revoke(&second["id"], json!({})).await.refused(422, "PH-1110");
    revoke(&second["id"], json!({"reason": "x", "by": "me"})).await.refused(422, "PH-1002");
    let ended = revoke(&second["id"], json!({"reason": "mended"})).await.expect(200).json();
    assert_eq!((&ended["ended"]["kind"], &ended["ended"]["why"]), (&json!("revoked"), &json!("mended")));
    revoke(&second["id"], json!({"reason": "again"})).await.refused(409, "PH-1123");
    revoke(&first["id"], json!({"reason": "again"})).await.refused(409, "PH-1123");
    revoke(&json!("00000000-0000-7000-8000-000000000000"), json!({"reason": "x"})).await.refused(404, "PH-1003");
    assert_eq!(plane.get(&requirement).send().await.expect(200).json()["status"], "open");

    let board = told(&plane, "project", &["requirement.settled"]).await;
    let steps: Vec<_> = board.iter().map(|told| format!("{}>{}", told["from"], told["to"])).collect();
    assert_eq!(steps, ["\"open\">\"waived\"", "\"waived\">\"open\""], "each change is told once (P62)");
    assert_eq!(told(&plane, "audit", &["waiver.granted"]).await.len(), 2);
    assert_eq!(told(&plane, "audit", &["waiver.revoked"]).await.len(), 2);
    assert_eq!(told(&plane, "project", &["waiver.granted", "waiver.revoked"]).await.len(), 4);
}

#[tokio::test]
async fn a_bad_waiver_says_what_is_wrong() {
    // P64: the table of section 9.
    let plane = TestPlane::start().await;
    let path = two_gates(&plane).await;
    for (body, code) in [
        (json!({}), "PH-1110"),
        (json!({"reason": "  "}), "PH-1110"),
        (json!({"reason": "x", "expires": "2027-02-29"}), "PH-1108"),
        (json!({"reason": "x", "expires": "2999-01-01T00:00:00Z"}), "PH-1108"),
        (json!({"reason": "x", "expires": "2001-01-01"}), "PH-1109"),
        (json!({"reason": "x", "gates": ["demo"]}), "PH-1002"),
        (json!({"reason": "x", "approved_by": "boss"}), "PH-1002"),
    ] {
        plane.post(&path, &body).send().await.refused(422, code);
    }
    let today = plane.engine.now().day().to_string();
    plane.post(&path, &json!({"reason": "x", "expires": today})).send().await.expect(201);
    assert_eq!(plane.get(&path).send().await.expect(200).json()["total"], 1);
    plane.post(&format!("{BASE}/REQ-0099/waivers"), &json!({"reason": "x"})).send().await.refused(404, "PH-1003");
}

#[tokio::test]
async fn only_an_admin_who_is_a_person_waives() {
    // P66, P27
    let plane = TestPlane::start().await;
    let path = two_gates(&plane).await;
    let ask = |token: &str| plane.ask(Method::POST, &path).token(token).json(&json!({"reason": "x"})).send();
    ask(&plane.token(json!({"kind": "person", "role": "member"})).await).await.refused(403, "PH-1005");
    ask(&plane.token(json!({"kind": "program", "role": "admin"})).await).await.refused(403, "PH-1111");
    ask(&plane.foreigner().await).await.refused(404, "PH-1003");
    assert_eq!(plane.get(&path).send().await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn four_eyes_want_a_second_person() {
    // P66
    let plane = TestPlane::start().await;
    let path = two_gates(&plane).await;
    let settings = plane.ask(Method::PUT, "/api/v1/projects/one/settings/proof").token(&plane.admin);
    settings.header("if-match", "0").json(&json!({"four_eyes": true})).send().await.expect(200);
    plane.post(&path, &json!({"reason": "x"})).send().await.refused(403, "PH-1124");
    // What a program captured, its admin may waive.
    let program = plane.token(json!({"kind": "program", "role": "member"})).await;
    let body = json!({"title": "t", "description": "d", "gates": ["unit"]});
    let made = plane.ask(Method::POST, BASE).token(&program).json(&body).send().await.expect(201).json();
    let other = format!("{BASE}/{}/waivers", made["id"].as_str().unwrap());
    plane.post(&other, &json!({"reason": "x"})).send().await.expect(201);
}

#[tokio::test]
async fn a_repeated_grant_is_one_waiver() {
    // P21, K1
    let plane = TestPlane::start().await;
    let path = two_gates(&plane).await;
    let ask = |body: Value| plane.post(&path, &body).header("idempotency-key", "k").send();
    let first = ask(json!({"reason": "x"})).await.expect(201).json();
    assert_eq!(ask(json!({"reason": "x"})).await.expect(201).json()["id"], first["id"]);
    ask(json!({"reason": "y"})).await.refused(422, "PH-1007");
    assert_eq!(plane.get(&path).send().await.expect(200).json()["total"], 1);
}

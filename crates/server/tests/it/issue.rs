//! Reading, changing and deleting an issue.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    issues::{at, cards_told, changed, filed, read},
    plane::{Answer, TestPlane},
    waivers::told,
};

async fn patch(plane: &TestPlane, issue: &Value, revision: &str, body: Value) -> Answer {
    plane.ask(Method::PATCH, &at(issue)).token(&plane.admin).header("if-match", revision).json(&body).send().await
}

async fn delete(plane: &TestPlane, issue: &Value, revision: &str) -> Answer {
    plane.ask(Method::DELETE, &at(issue)).token(&plane.admin).header("if-match", revision).send().await
}

#[tokio::test]
async fn a_change_builds_on_the_revision_that_was_read() {
    // D4
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t", "body": "b"})).await;
    let no_match = plane.ask(Method::PATCH, &at(&issue)).token(&plane.admin).json(&json!({"title": "u"}));
    no_match.send().await.refused(422, "PH-1002");
    let new = patch(&plane, &issue, "1", json!({"title": "u", "assignee": "ann"})).await.expect(200).json();
    assert_eq!((&new["title"], &new["assignee"], &new["revision"]), (&json!("u"), &json!("ann"), &json!(2)));
    let old = patch(&plane, &issue, "1", json!({"title": "v"})).await.refused(412, "PH-1006").json();
    assert_eq!(
        (&old["current"]["title"], &old["current"]["body"], &old["revision"]),
        (&json!("u"), &json!("b"), &json!(2))
    );
    // What changes nothing is answered, told to nobody, and keeps the revision.
    let same = patch(&plane, &issue, "2", json!({"title": " u ", "labels": []})).await.expect(200).json();
    assert_eq!(same["revision"], 2);
    patch(&plane, &issue, "2", json!({})).await.refused(422, "PH-1002");
    patch(&plane, &issue, "2", json!({"number": 9})).await.refused(422, "PH-1002");
    let none = patch(&plane, &issue, "2", json!({"assignee": null})).await.expect(200).json();
    assert_eq!((&none["assignee"], &none["revision"]), (&Value::Null, &json!(3)));
    assert_eq!(cards_told(&plane).await, ["created: #1 triage", "changed: #1 triage", "changed: #1 triage"]);
    let told = told(&plane, "project", &["issue.card"]).await;
    assert_eq!(told[1]["cause"]["changes"]["title"], json!({"from": "t", "to": "u"}), "D8");
    assert_eq!(told[1]["cause"]["actor"]["type"], "person");
}

#[tokio::test]
async fn a_person_moves_an_issue_anywhere_and_reopening_a_part_reopens_the_whole() {
    // D7, S2
    let plane = TestPlane::start().await;
    let whole = filed(&plane, json!({"title": "whole"})).await;
    let part = filed(&plane, json!({"title": "part", "parent": whole["id"]})).await;
    let leaf = filed(&plane, json!({"title": "leaf", "parent": part["id"]})).await;
    for issue in [&leaf, &part, &whole] {
        assert_eq!(changed(&plane, issue, json!({"status": "done"})).await["status"], "done");
    }
    assert_eq!(read(&plane, &whole).await["children"], json!({"total": 1, "done": 1}));
    changed(&plane, &leaf, json!({"status": "in_progress"})).await;
    assert_eq!(
        (&read(&plane, &part).await["status"], &read(&plane, &whole).await["status"]),
        (&json!("ready"), &json!("ready"))
    );
    let told = cards_told(&plane).await;
    assert!(
        told.contains(&"child_reopened: #1 ready".to_owned()) && told.contains(&"child_reopened: #2 ready".to_owned()),
        "{told:?}"
    );
    // What a person closed stays closed.
    changed(&plane, &leaf, json!({"status": "closed"})).await;
    changed(&plane, &part, json!({"status": "closed"})).await;
    changed(&plane, &leaf, json!({"status": "triage"})).await;
    assert_eq!(read(&plane, &part).await["status"], "closed");
}

#[tokio::test]
async fn nothing_stands_below_or_waits_for_itself() {
    // D3
    let plane = TestPlane::start().await;
    let a = filed(&plane, json!({"title": "a"})).await;
    let b = filed(&plane, json!({"title": "b", "parent": a["id"], "blocked_by": [a["id"]]})).await;
    let c = filed(&plane, json!({"title": "c", "parent": b["id"], "blocked_by": [b["id"]]})).await;
    let d = filed(&plane, json!({"title": "d"})).await;
    patch(&plane, &a, "1", json!({"parent": c["id"]})).await.refused(409, "PH-2008");
    patch(&plane, &a, "1", json!({"parent": a["id"]})).await.refused(409, "PH-2008");
    patch(&plane, &a, "1", json!({"blocked_by": [c["id"]]})).await.refused(409, "PH-2008");
    patch(&plane, &a, "1", json!({"blocked_by": [a["id"]]})).await.refused(409, "PH-2008");
    let deep = patch(&plane, &a, "1", json!({"parent": d["id"], "title": "moved"})).await.refused(409, "PH-2007");
    assert_eq!(deep.json()["pointer"], "/parent");
    assert_eq!(read(&plane, &a).await["title"], "a", "a refused change changes nothing");
    changed(&plane, &b, json!({"parent": d["id"]})).await;
    assert_eq!(read(&plane, &c).await["depth"], 2);
    changed(&plane, &b, json!({"parent": null, "blocked_by": []})).await;
    let a = changed(&plane, &a, json!({"blocked_by": [c["id"]]})).await;
    assert_eq!((&a["blocked"], &a["waits_for"][0]["title"]), (&json!(true), &json!("c")));
    changed(&plane, &c, json!({"status": "closed"})).await;
    assert_eq!(read(&plane, &a).await["blocked"], false);
    assert!(cards_told(&plane).await.contains(&"relative: #1 triage".to_owned()), "whoever waited for it is told");
    let nobody = "01890000-0000-7000-8000-000000000001";
    patch(&plane, &d, "1", json!({"parent": nobody})).await.refused(422, "PH-1002");
}

#[tokio::test]
async fn a_card_is_put_before_another() {
    let plane = TestPlane::start().await;
    let mut made = Vec::new();
    for title in ["a", "b", "c"] {
        made.push(filed(&plane, json!({"title": title})).await);
    }
    let order = || async {
        let list = plane.get("/api/v1/projects/one/issues").send().await.expect(200).json();
        list["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect::<String>()
    };
    changed(&plane, &made[2], json!({"before": made[0]["id"]})).await;
    assert_eq!(order().await, "cab");
    changed(&plane, &made[2], json!({"before": made[1]["id"]})).await;
    assert_eq!(order().await, "acb");
    let kept = changed(&plane, &made[2], json!({"before": made[1]["id"]})).await;
    assert_eq!(kept["revision"], 3, "it stands there already");
    changed(&plane, &made[0], json!({"before": null, "status": "ready"})).await;
    assert_eq!(order().await, "cba");
    assert_eq!(changed(&plane, &made[0], json!({"before": null})).await["revision"], 2);
    patch(&plane, &made[1], "1", json!({"before": "01890000-0000-7000-8000-000000000001"}))
        .await
        .refused(422, "PH-1002");
}

#[tokio::test]
async fn who_does_it_is_audited() {
    // D7
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    changed(&plane, &issue, json!({"execution": "role:reviewer"})).await;
    changed(&plane, &issue, json!({"title": "u"})).await;
    let told = told(&plane, "audit", &["issue.execution"]).await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["from"], &told[0]["to"]), (&json!("manual"), &json!("role:reviewer")));
}

#[tokio::test]
async fn only_what_nothing_builds_on_is_deleted() {
    // D6
    let plane = TestPlane::start().await;
    let whole = filed(&plane, json!({"title": "whole"})).await;
    let part = filed(&plane, json!({"title": "part", "parent": whole["id"]})).await;
    let heir =
        filed(&plane, json!({"title": "heir", "origin": part["id"], "blocked_by": [part["id"], whole["id"]]})).await;
    for (issue, because) in [(&whole, "children"), (&part, "lineage"), (&heir, "lineage")] {
        let refused = delete(&plane, issue, "1").await.refused(409, "PH-2006").json();
        assert_eq!(refused["because"], json!([because]));
    }
    let run = json!({"kind": "probe", "issue": whole["id"], "config": {"tasks": 0}});
    plane.post(&plane.runs(), &run).send().await.expect(202);
    let free = filed(&plane, json!({"title": "free"})).await;
    let waits = filed(&plane, json!({"title": "waits", "blocked_by": [free["id"]], "parent": free["id"]})).await;
    changed(&plane, &waits, json!({"parent": null})).await;
    plane.post(&format!("{}/comments", at(&free)), &json!({"body": "hm"})).send().await.expect(201);
    delete(&plane, &free, "9").await.refused(412, "PH-1006");
    assert_eq!(delete(&plane, &free, "1").await.expect(204).bytes.len(), 0);
    plane.get(&at(&free)).send().await.refused(404, "PH-1003");
    let waits = read(&plane, &waits).await;
    assert_eq!((&waits["blocked_by"], &waits["revision"]), (&json!([]), &json!(3)));
    assert_eq!(told(&plane, "audit", &["issue.deleted"]).await.len(), 1);
    assert_eq!(told(&plane, "project", &["issue.deleted"]).await[0]["number"], 4);
    assert_eq!(filed(&plane, json!({"title": "next"})).await["number"], 6, "a number is never given again");
}

#[tokio::test]
async fn what_is_foreign_is_missing() {
    // D9, S5
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let foreigner = plane.foreigner().await;
    let theirs =
        plane.post("/api/v1/projects/other/issues", &json!({"title": "same number"})).send().await.expect(201).json();
    assert_eq!((&theirs["number"], &issue["number"]), (&json!(1), &json!(1)), "equal numbers never meet");
    let ask = |method: Method, path: String| {
        let body = json!({"body": "x"});
        plane.ask(method, &path).token(&foreigner).header("if-match", "1").json(&body).send()
    };
    let missing = plane.get("/api/v1/issues/01890000-0000-7000-8000-000000000001").send().await.refused(404, "PH-1003");
    for (method, path) in [
        (Method::GET, at(&issue)),
        (Method::GET, "/api/v1/issues/one%231".to_owned()),
        (Method::PATCH, at(&issue)),
        (Method::DELETE, at(&issue)),
        (Method::GET, format!("{}/comments", at(&issue))),
        (Method::POST, format!("{}/comments", at(&issue))),
        (Method::GET, format!("{}/runs", at(&issue))),
        (Method::GET, format!("{}/lineage", at(&issue))),
        (Method::GET, "/api/v1/projects/one/board".to_owned()),
        (Method::GET, "/api/v1/projects/one/lineage".to_owned()),
        (Method::GET, "/api/v1/projects/one/attention".to_owned()),
    ] {
        assert_eq!(ask(method, path.clone()).await.refused(404, "PH-1003").bytes, missing.bytes, "{path}");
    }
    for malformed in ["1", "one%230", "%231", "nope%231"] {
        plane.get(&format!("/api/v1/issues/{malformed}")).send().await.refused(404, "PH-1003");
    }
    let other = json!({"parent": theirs["id"]});
    patch(&plane, &issue, "1", other).await.refused(422, "PH-1002");
    let viewer = plane.token(json!({"kind": "person", "role": "viewer"})).await;
    let ask = plane.ask(Method::PATCH, &at(&issue)).token(&viewer).header("if-match", "1").json(&json!({"title": "u"}));
    ask.send().await.refused(403, "PH-1005");
    let ask = plane.ask(Method::DELETE, &at(&issue)).token(&viewer).header("if-match", "1");
    ask.send().await.refused(403, "PH-1005");
}

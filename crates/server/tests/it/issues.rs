//! Filing and listing issues.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{plane::TestPlane, waivers::told};

pub const BASE: &str = "/api/v1/projects/one/issues";

/// An issue filed by the owner; answers its document.
pub async fn filed(plane: &TestPlane, body: Value) -> Value {
    plane.post(BASE, &body).send().await.expect(201).json()
}

/// Where an issue is.
pub fn at(issue: &Value) -> String {
    format!("/api/v1/issues/{}", issue["id"].as_str().unwrap())
}

/// An issue as it is now.
pub async fn read(plane: &TestPlane, issue: &Value) -> Value {
    plane.get(&at(issue)).send().await.expect(200).json()
}

/// A change by the owner, with the revision that the issue has now.
pub async fn changed(plane: &TestPlane, issue: &Value, body: Value) -> Value {
    let revision = read(plane, issue).await["revision"].to_string();
    let ask = plane.ask(Method::PATCH, &at(issue)).token(&plane.admin).header("if-match", &revision).json(&body);
    ask.send().await.expect(200).json()
}

/// What the project's stream told of cards, as `what: #number status`.
pub async fn cards_told(plane: &TestPlane) -> Vec<String> {
    let told = told(plane, "project", &["issue.card"]).await;
    let line = |data: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{}: #{} {}", text(&data["cause"]["what"]), data["card"]["number"], text(&data["card"]["status"]))
    };
    told.iter().map(line).collect()
}

#[tokio::test]
async fn an_issue_is_filed_with_its_texts_and_told_as_a_card() {
    // D1, D2, X25
    let plane = TestPlane::start().await;
    let parent = filed(&plane, json!({"title": "Whole", "kind": "epic"})).await;
    let body = json!({
        "title": "  Login fails ", "body": "# Seen\n\nwith a blank password", "kind": "bug", "audience": "everybody",
        "acceptance": [{"text": "it says why"}], "labels": ["UI", "ui ", ""], "priority": "high", "assignee": "ann",
        "parent": parent["id"], "blocked_by": [parent["id"]], "execution": "role:implementer", "origin": parent["id"],
    });
    let answer = plane.post(BASE, &body).send().await.expect(201);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let made = answer.json();
    assert_eq!((&made["number"], &made["title"], &made["depth"]), (&json!(2), &json!("Login fails"), &json!(1)));
    assert_eq!((&made["labels"], &made["blocked"]), (&json!(["UI"]), &json!(true)));
    assert_eq!(made["acceptance"], json!([{"id": "A1", "text": "it says why"}]));
    assert_eq!(
        (&made["status"], &made["source"], &made["execution"]),
        (&json!("triage"), &json!("person"), &json!("role:implementer"))
    );
    assert_eq!((&made["part_of"]["number"], &made["waits_for"][0]["number"]), (&json!(1), &json!(1)));
    assert_eq!((&made["gates"], &made["run"], &made["attention"]), (&json!("none"), &Value::Null, &json!("none")));
    assert_eq!(plane.get(&location).send().await.expect(200).json(), made);
    // By its name, too.
    assert_eq!(plane.get("/api/v1/issues/one%232").send().await.expect(200).json()["id"], made["id"]);
    let told = told(&plane, "project", &["issue.card", "lineage.added"]).await;
    assert_eq!(told.len(), 4, "both, where it came from, and the parent that counts it: {told:?}");
    assert_eq!(told[0]["card"]["attention"], "plan");
    assert_eq!(told[1]["card"]["number"], 2);
    assert_eq!(told[1]["cause"]["actor"]["type"], "person");
    assert!(told[1]["card"].get("body").is_none(), "a card carries no long texts");
    let runs = plane.get(&plane.runs()).send().await.expect(200).json();
    assert_eq!(runs["items"], json!([]), "filing with a role starts nothing (D33)");
}

#[tokio::test]
async fn a_repeated_filing_is_one_issue() {
    // K1, X27, D1
    let plane = TestPlane::start().await;
    let ask = |key: &str, body: Value| plane.post(BASE, &body).header("idempotency-key", key).send();
    let first = ask("k", json!({"title": "Once"})).await.expect(201).json();
    assert_eq!(ask("k", json!({"title": "Once"})).await.expect(201).json(), first);
    ask("k", json!({"title": "Other"})).await.refused(422, "PH-1007");
    ask("m", json!({"title": " "})).await.refused(422, "PH-1002");
    assert_eq!(ask("m", json!({"title": "Second"})).await.expect(201).json()["number"], 2, "a refusal takes nothing");
    assert_eq!(cards_told(&plane).await, ["created: #1 triage", "created: #2 triage"]);
}

#[tokio::test]
async fn a_bad_issue_names_every_wrong_value_and_takes_no_number() {
    // D1, D2, D3
    let plane = TestPlane::start().await;
    let nobody = "01890000-0000-7000-8000-000000000001";
    for (body, code, pointer) in [
        (json!({}), "PH-1002", "/title"),
        (json!({"title": "a\u{1b}b"}), "PH-1002", "/title"),
        (json!({"title": "t", "body": "a\u{0}"}), "PH-1002", "/body"),
        (json!({"title": "t", "number": 7}), "PH-1002", "/number"),
        (json!({"title": "t", "kind": "task"}), "PH-1002", "/kind"),
        (json!({"title": "t", "priority": "huge"}), "PH-1002", "/priority"),
        (json!({"title": "t", "status": "done"}), "PH-1002", "/status"),
        (json!({"title": "t", "parent": nobody}), "PH-1002", "/parent"),
        (json!({"title": "t", "blocked_by": [nobody]}), "PH-1002", "/blocked_by/0"),
        (json!({"title": "t", "origin": nobody}), "PH-1002", "/origin"),
        (json!({"title": "t", "execution": "reviewer"}), "PH-2022", "/execution"),
        (json!({"title": "t", "labels": ["a\nb"]}), "PH-1002", "/labels/0"),
    ] {
        let refused = plane.post(BASE, &body).send().await.refused(422, code);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    plane.ask(Method::POST, BASE).token(&plane.admin).raw("{").send().await.refused(400, "PH-1001");
    let large = json!({"title": "t", "body": "x".repeat(2 << 20)});
    plane.post(BASE, &large).send().await.refused(413, "PH-1015");
    assert_eq!(filed(&plane, json!({"title": "t"})).await["number"], 1);
}

#[tokio::test]
async fn a_tree_has_its_limits() {
    // D3
    let plane = TestPlane::start().await;
    let root = filed(&plane, json!({"title": "root"})).await;
    let middle = filed(&plane, json!({"title": "middle", "parent": root["id"]})).await;
    let leaf = filed(&plane, json!({"title": "leaf", "parent": middle["id"]})).await;
    plane.post(BASE, &json!({"title": "deeper", "parent": leaf["id"]})).send().await.refused(409, "PH-2007");
    for _ in 1..32 {
        filed(&plane, json!({"title": "child", "parent": root["id"]})).await;
    }
    plane.post(BASE, &json!({"title": "one more", "parent": root["id"]})).send().await.refused(409, "PH-2007");
    assert_eq!(read(&plane, &root).await["children"], json!({"total": 32, "done": 0}));
}

#[tokio::test]
async fn who_may_file_and_who_sees() {
    // D9
    let plane = TestPlane::start().await;
    let ask = |token: &str| plane.ask(Method::POST, BASE).token(token).json(&json!({"title": "t"})).send();
    let viewer = plane.token(json!({"kind": "person", "role": "viewer"})).await;
    ask(&viewer).await.refused(403, "PH-1005");
    let program = plane.token(json!({"kind": "program", "role": "member", "label": "bot"})).await;
    let made = ask(&program).await.expect(201).json();
    assert_eq!((&made["source"], &made["created_by"]["name"]), (&json!("token"), &json!("bot")));
    let foreigner = plane.foreigner().await;
    let theirs = ask(&foreigner).await.refused(404, "PH-1003");
    let get = |token: &str, path: &str| plane.ask(Method::GET, path).token(token).send();
    assert_eq!(get(&foreigner, BASE).await.refused(404, "PH-1003").bytes, theirs.bytes);
    get(&viewer, BASE).await.expect(200);
    plane.ask(Method::GET, BASE).send().await.refused(401, "PH-1004");
}

#[tokio::test]
async fn a_list_is_filtered_sorted_counted_and_paged() {
    let plane = TestPlane::start().await;
    let first = filed(&plane, json!({"title": "Login", "kind": "bug", "labels": ["UI"], "priority": "low"})).await;
    filed(&plane, json!({"title": "Export", "body": "of logins", "priority": "urgent", "assignee": "ann"})).await;
    filed(&plane, json!({"title": "Part", "parent": first["id"], "execution": "role:reviewer", "status": "ready"}))
        .await;
    filed(&plane, json!({"title": "Plan me", "kind": "epic"})).await;
    let numbers = |list: &Value| -> String {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["number"].to_string()).collect::<Vec<_>>().join(" ")
    };
    let parent = format!("parent={}", first["id"].as_str().unwrap());
    for (query, expected) in [
        ("", "1 2 3 4"),
        ("status=ready", "3"),
        ("status=ready,triage&kind=bug,epic", "1 4"),
        ("priority=urgent", "2"),
        ("label=ui", "1"),
        ("assignee=ann", "2"),
        ("execution=role:reviewer", "3"),
        ("attention=plan", "4"),
        ("q=LOGIN", "1 2"),
        ("q=%233", "3"),
        ("sort=-number", "4 3 2 1"),
        ("sort=priority", "2 3 4 1"),
        (parent.as_str(), "3"),
    ] {
        let list = plane.get(&format!("{BASE}?{query}")).send().await.expect(200).json();
        assert_eq!(numbers(&list), expected, "{query}");
        assert_eq!(list["total"], list["items"].as_array().unwrap().len(), "{query}");
    }
    for sort in ["rank", "number", "-number", "priority", "-updated_at"] {
        let page = plane.get(&format!("{BASE}?sort={sort}&limit=3")).send().await.expect(200).json();
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = plane.get(&format!("{BASE}?sort={sort}&limit=3&cursor={cursor}")).send().await.expect(200).json();
        let mut all: Vec<_> = numbers(&page).split(' ').map(str::to_owned).collect();
        all.extend(numbers(&rest).split(' ').map(str::to_owned));
        all.sort_unstable();
        assert_eq!((all.join(" ").as_str(), &rest["next_cursor"]), ("1 2 3 4", &Value::Null), "{sort}");
    }
    for wrong in [
        "status=open",
        "kind=x",
        "sort=size",
        "limit=0",
        "cursor=99",
        "cursor=x",
        "q=",
        "x=1",
        "execution=me",
        "parent=1",
    ] {
        plane.get(&format!("{BASE}?{wrong}")).send().await.refused(422, "PH-1002");
    }
}

#[tokio::test]
async fn numbers_have_no_holes_whoever_files_at_once() {
    // D1
    let plane = TestPlane::start().await;
    let filing = (0..16).map(|_| plane.post(BASE, &json!({"title": "t"})).send());
    let mut numbers: Vec<_> = futures::future::join_all(filing)
        .await
        .into_iter()
        .map(|one| one.expect(201).json()["number"].as_u64())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).map(Some).collect::<Vec<_>>());
}

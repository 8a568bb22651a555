//! Requirements over HTTP: capture, list, read, change, stubs.

use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{issues::filed, plane::TestPlane, projects::repository, waivers::told};

pub const BASE: &str = "/api/v1/projects/one/proof/requirements";

/// A requirement captured by the owner; answers its document.
pub async fn captured(plane: &TestPlane, body: Value) -> Value {
    plane.post(BASE, &body).send().await.expect(201).json()
}

fn glitch(title: &str) -> Value {
    json!({"title": title, "description": "what was seen", "gates": ["unit"]})
}

/// A registered checkout of a Rust package; answers where its requirements are.
async fn checkout(plane: &TestPlane) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let config = "[proof.gates.contract]\nargv = [\"./ci/contract\"]\n[proof.gates.sec]\nenabled = false\n";
    repository(
        folder.path(),
        &[("Cargo.toml", manifest), ("src/lib.rs", ""), ("src/auth/mod.rs", ""), ("proofhouse.toml", config)],
    );
    let made = plane.post("/api/v1/projects", &json!({"path": folder.path(), "key": "rusty"})).send().await;
    made.expect(201);
    (folder, "/api/v1/projects/rusty/proof/requirements".to_owned())
}

#[tokio::test]
async fn a_capture_answers_with_its_rules_stubs_and_places() {
    // P3, P4, P6, P7, P9
    let plane = TestPlane::start().await;
    let (folder, base) = checkout(&plane).await;
    let body = json!({
        "title": "Login fails", "description": "with a blank password",
        "gates": ["unit", "contract", "manual", "sec", "unit"],
        "where": "src/auth\nPOST /login\n/login?x=1\n#auth\nLoginForm",
    });
    let dry = plane.post(&format!("{base}?dry_run=true"), &body).send().await.expect(200).json();
    assert_eq!(
        (&dry["dry_run"], &dry["id"], &dry["stubs"][0]["state"]),
        (&json!(true), &json!("REQ-0001"), &json!("planned"))
    );
    assert_eq!(plane.get(&base).send().await.expect(200).json()["total"], 0);

    let answer = plane.post(&base, &body).send().await.expect(201);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let made = answer.json();
    assert_eq!(
        (&made["id"], &made["gates_from"], &made["status"]),
        (&json!("REQ-0001"), &json!("explicit"), &json!("open"))
    );
    assert_eq!(made["disabled_gates"], json!(["sec"]));
    assert_eq!(made["scope"]["files"], json!(["src/auth"]));
    assert_eq!(made["scope"]["apis"], json!(["POST /login"]));
    assert_eq!(made["scope"]["tags"], json!(["auth"]));
    let rule = |gate: &str| {
        let all = made["obligations"].as_array().unwrap();
        all.iter().find(|obligation| obligation["gate"] == gate).unwrap()["rules"][0].clone()
    };
    assert_eq!(rule("unit")["test"], "req_0001_unit_login_fails");
    assert_eq!(rule("unit")["runner"], "rust");
    assert_eq!(rule("contract")["how"], "suite", "a command that is judged by its exit code has no single tests");
    assert_eq!(rule("manual")["how"], "review");
    let paths: Vec<_> = made["stubs"].as_array().unwrap().iter().map(|stub| stub["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"tests/req_0001_unit.rs") && paths.contains(&"proof/REQ-0001/manual.md"), "{paths:?}");
    assert!(made["stubs"].as_array().unwrap().iter().all(|stub| stub["state"] == "written"), "{made}");
    assert!(folder.path().join("tests/req_0001_unit.rs").is_file());

    let read = plane.get(&location).send().await.expect(200).json();
    assert_eq!((&read["title"], read.get("stubs")), (&made["title"], None));
    assert_eq!(
        (&read["obligations"][0]["verdict"], &read["obligations"][0]["reason"]),
        (&json!("unproven"), &json!("never_ran"))
    );
    let seen = plane.get(&format!("{location}?stubs=true")).send().await.expect(200).json();
    assert!(seen["stubs"].as_array().unwrap().iter().all(|stub| stub["state"] == "exists"), "{seen}");
    std::fs::remove_file(folder.path().join("tests/req_0001_unit.rs")).unwrap();
    let again = plane.post(&format!("{location}/stubs"), &json!({})).send().await.expect(200).json();
    let states: Vec<_> =
        again["stubs"].as_array().unwrap().iter().map(|stub| stub["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "written").count(), 1, "{again}");
}

#[tokio::test]
async fn a_checkout_out_of_reach_loses_no_capture() {
    // P9
    let plane = TestPlane::start().await;
    let made = captured(&plane, glitch("No checkout")).await;
    assert_eq!(made["obligations"][0]["rules"][0]["test"], "req_0001_unit_no_checkout");
    let ask = plane.post(&format!("{BASE}/REQ-0001/stubs"), &json!({}));
    ask.send().await.refused(409, "PH-1115");
}

#[tokio::test]
async fn a_broken_configuration_is_named_and_not_guessed_around() {
    // P61
    let plane = TestPlane::start().await;
    let (folder, base) = checkout(&plane).await;
    std::fs::write(folder.path().join("proofhouse.toml"), "[proof]\nnope = 1\n").unwrap();
    let refused = plane.post(&base, &glitch("x")).send().await.refused(422, "PH-1113");
    assert!(refused.text().contains("proofhouse.toml:2:1"), "{}", refused.text());
}

#[tokio::test]
async fn a_repeated_capture_is_one_capture() {
    // P21
    let plane = TestPlane::start().await;
    let (_folder, base) = checkout(&plane).await;
    let ask = |key: &str, body: Value| plane.post(&base, &body).header("idempotency-key", key).send();
    let first = ask("k", glitch("Once")).await.expect(201);
    let again = ask("k", glitch("Once")).await.expect(201);
    assert_eq!(first.json(), again.json(), "the first answer, with stubs `written`, is given again");
    ask("k", glitch("Other")).await.refused(422, "PH-1007");
    let other = ask("l", glitch("once!")).await.expect(201).json();
    assert_eq!((&other["id"], &other["similar"][0]["id"]), (&json!("REQ-0002"), &json!("REQ-0001")), "P11");
    // A refused capture uses neither its key nor a number (P1).
    ask("m", json!({"title": ""})).await.refused(422, "PH-1002");
    assert_eq!(ask("m", glitch("Third")).await.expect(201).json()["id"], "REQ-0003");
}

#[tokio::test]
async fn a_bad_capture_names_every_wrong_value_and_stores_nothing() {
    // P2, P11
    let plane = TestPlane::start().await;
    for (body, code, pointer) in [
        (json!({"description": "d"}), "PH-1002", "/title"),
        (json!({"title": "a\nb", "description": "d"}), "PH-1002", "/title"),
        (json!({"title": "t", "description": "d", "created_by": "me"}), "PH-1002", "/created_by"),
        (json!({"title": "t", "description": "d", "severity": "huge"}), "PH-1002", "/severity"),
        (json!({"title": "t", "description": "d", "gates": []}), "PH-1002", "/gates"),
        (json!({"title": "t", "description": "d", "gates": ["nope"]}), "PH-1107", "/gates/0"),
        (json!({"title": "t", "description": "d", "related": ["REQ-0009"]}), "PH-1002", "/related/0"),
        (json!({"title": "t", "description": "d", "source_url": "javascript:x"}), "PH-1002", "/source_url"),
        (json!({"title": "t", "description": "d", "where": "../../etc/passwd"}), "PH-1002", "/where"),
    ] {
        let refused = plane.post(BASE, &body).send().await.refused(422, code);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
        assert!(!refused.text().contains("etc/passwd"), "P74: {}", refused.text());
    }
    assert_eq!(plane.get(BASE).send().await.expect(200).json()["total"], 0);
    plane.post(BASE, &json!([])).send().await.refused(422, "PH-1002");
    plane.get(&format!("{BASE}?dry_run=true")).send().await.refused(422, "PH-1002");
}

#[tokio::test]
async fn who_captured_it_comes_from_the_token() {
    // P2, P27, P66
    let plane = TestPlane::start().await;
    let program = plane.token(json!({"kind": "program", "role": "member", "label": "bot"})).await;
    let ask = |token: &str| plane.ask(Method::POST, BASE).token(token).json(&glitch("t")).send();
    let made = ask(&program).await.expect(201).json();
    assert_eq!((&made["created_by"]["type"], &made["created_by"]["name"]), (&json!("token"), &json!("bot")));
    assert_eq!(made["source"], "agent");
    let viewer = plane.token(json!({"kind": "person", "role": "viewer"})).await;
    ask(&viewer).await.refused(403, "PH-1005");
    let foreigner = plane.foreigner().await;
    let foreign = ask(&foreigner).await.refused(404, "PH-1003");
    let get = |token: &str, path: &str| plane.ask(Method::GET, path).token(token).send();
    let theirs = get(&foreigner, &format!("{BASE}/REQ-0001")).await.refused(404, "PH-1003");
    let missing = get(&plane.admin, &format!("{BASE}/REQ-0099")).await.refused(404, "PH-1003");
    let malformed = get(&plane.admin, &format!("{BASE}/REQ-1")).await.refused(404, "PH-1003");
    assert_eq!(theirs.bytes, missing.bytes);
    assert_eq!((foreign.bytes, missing.bytes.clone()), (missing.bytes, malformed.bytes));
    plane.ask(Method::GET, BASE).send().await.refused(401, "PH-1004");
}

#[tokio::test]
async fn a_list_is_filtered_sorted_counted_and_paged() {
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "Login"})).await["id"].as_str().unwrap().to_owned();
    for (title, severity, kind, issue) in [
        ("Beta fails", "low", "logic", "One#1"),
        ("alpha breaks", "critical", "logic", issue.as_str()),
        ("Gamma", "high", "security", "a note"),
    ] {
        let body = json!({
            "title": title, "description": "seen twice", "severity": severity, "kind": kind, "issue": issue,
        });
        captured(&plane, body).await;
    }
    let ids = |document: &Value| -> Vec<String> {
        let items = document["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().trim_start_matches("REQ-000").to_owned()).collect()
    };
    for (query, expected, total) in [
        ("", "1 2 3", 3),
        ("sort=-id", "3 2 1", 3),
        ("sort=severity", "2 3 1", 3),
        ("sort=title", "2 1 3", 3),
        ("severity=critical,low", "1 2", 2),
        ("kind=logic&severity=low", "1", 1),
        ("gate=sec", "3", 1),
        ("gate=unit&verdict=unproven", "1 2", 2),
        ("verdict=passed", "", 0),
        ("status=satisfied", "", 0),
        ("status=open&stale=false&flaky=false", "1 2 3", 3),
        ("q=ALPHA", "2", 1),
        ("q=twice", "1 2 3", 3),
        ("q=req-0003", "3", 1),
        ("source=user_report", "1 2 3", 3),
        // P83: however a requirement names its issue.
        ("issue=1", "1 2", 2),
        (format!("issue={issue}").as_str(), "1 2", 2),
        ("issue=1&severity=low", "1", 1),
        ("issue=7", "", 0),
    ] {
        let document = plane.get(&format!("{BASE}?{query}")).send().await.expect(200).json();
        assert_eq!(ids(&document).join(" "), expected, "{query}");
        assert_eq!(document["total"], total, "{query}");
        assert_eq!(document["by_status"], json!({"open": 3, "satisfied": 0, "waived": 0}), "over the whole project");
    }
    for sort in ["id", "-id", "severity", "title", "status"] {
        let first = plane.get(&format!("{BASE}?sort={sort}&limit=2")).send().await.expect(200).json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = plane.get(&format!("{BASE}?sort={sort}&limit=2&cursor={cursor}")).send().await.expect(200).json();
        assert_eq!((ids(&first).len(), ids(&rest).len(), &rest["next_cursor"]), (2, 1, &Value::Null), "{sort}");
    }
    for wrong in [
        "status=done",
        "severity=x",
        "gate=No",
        "verdict=ok",
        "sort=size",
        "limit=0",
        "cursor=x",
        "q=",
        "stale=1",
        "issue=a%20note",
        "x=1",
    ] {
        plane.get(&format!("{BASE}?{wrong}")).send().await.refused(422, "PH-1002");
    }
}

#[tokio::test]
async fn a_change_needs_the_revision_and_a_weakening_an_admin_with_a_reason() {
    // P12, P66
    let plane = TestPlane::start().await;
    captured(&plane, json!({"title": "t", "description": "d", "gates": ["unit", "e2e"]})).await;
    let path = format!("{BASE}/REQ-0001");
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    let program = plane.token(json!({"kind": "program", "role": "admin"})).await;
    let patch = |token: &str, revision: &str, body: Value| {
        plane.ask(Method::PATCH, &path).token(token).header("if-match", revision).json(&body).send()
    };
    let no_match = plane.ask(Method::PATCH, &path).token(&member).json(&json!({"title": "T"}));
    no_match.send().await.refused(422, "PH-1002");
    patch(&member, "7", json!({"title": "T"})).await.refused(412, "PH-1006");
    let changed = patch(&member, "1", json!({"title": "T", "severity": "high"})).await.expect(200).json();
    assert_eq!(
        (&changed["title"], &changed["severity"], &changed["revision"]),
        (&json!("T"), &json!("high"), &json!(2))
    );
    assert_eq!(patch(&member, "2", json!({"title": "T"})).await.expect(200).json()["revision"], 2, "nothing changed");
    patch(&member, "2", json!({"created_by": "me"})).await.refused(422, "PH-1002");

    let fewer = json!({"gates": ["unit"], "reason": "no longer a path"});
    patch(&member, "2", fewer.clone()).await.refused(403, "PH-1005");
    patch(&program, "2", fewer.clone()).await.refused(403, "PH-1111");
    patch(&program, "2", json!({"gates": ["unit"]})).await.refused(403, "PH-1111");
    patch(&plane.admin, "2", json!({"gates": ["unit"]})).await.refused(422, "PH-1110");
    patch(&plane.admin, "2", json!({"gates": []})).await.refused(422, "PH-1120");
    let weaker = patch(&plane.admin, "2", fewer).await.expect(200).json();
    assert_eq!((&weaker["revision"], weaker["obligations"].as_array().map(Vec::len)), (&json!(3), Some(1)));
    let stronger = patch(&member, "3", json!({"gates": ["unit", "demo"]})).await.expect(200).json();
    assert_eq!((&stronger["status"], stronger["obligations"].as_array().map(Vec::len)), (&json!("open"), Some(2)));

    let told = told(&plane, "audit", &["requirement.changed"]).await;
    assert_eq!(told.len(), 1, "only what weakens is audited");
    let data = &told[0];
    assert_eq!((&data["reason"], &data["weakens"][0]["gate"]), (&json!("no longer a path"), &json!("e2e")));
    assert_eq!(data["actor"]["type"], "person");
}

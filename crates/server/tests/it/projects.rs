//! Registering repositories, moving them, and their documents.

use std::{path::Path, process::Command};

use axum::http::Method;
use serde_json::{Value, json};

use crate::plane::TestPlane;

/// A real repository with these files committed.
pub fn repository(root: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(root).unwrap();
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"];
        let done = Command::new("git").arg("-C").arg(root).args(who).args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
}

#[tokio::test]
async fn a_repository_is_registered_once_and_has_a_key_of_its_own() {
    let plane = TestPlane::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a/My App"), folder.path().join("b/My App"));
    repository(&first, &[("src/x", "1")]);
    repository(&second, &[]);

    let made = plane.post("/api/v1/projects", &json!({"path": first.join("src")})).send().await.expect(201);
    let project = made.json();
    assert_eq!((&project["key"], &project["name"]), (&json!("my-app"), &json!("My App")));
    assert_eq!(project["path"], first.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(made.headers["location"], format!("/api/v1/projects/{}", project["id"].as_str().unwrap()));
    let again = plane.post("/api/v1/projects", &json!({"path": first})).send().await.expect(200).json();
    assert_eq!(again["id"], project["id"]);
    let other = plane.post("/api/v1/projects", &json!({"path": second})).send().await.expect(201).json();
    assert_eq!(other["key"], "my-app-2");
    plane.get("/api/v1/projects/my-app-2").send().await.expect(200);

    // Every member that joins reads that it happened, and who did it.
    let entries = plane.engine.store().read({
        // X47
        let stream = format!("audit:{}", project["id"].as_str().unwrap()).parse().unwrap();
        move |tx| Box::pin(async move { tx.entries_of(stream, &["project.registered"], 0, 10).await })
    });
    let entries = entries.await.unwrap();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].data.contains("\"actor\":{\"type\":\"person\""), "{}", entries[0].data);
}

#[tokio::test]
async fn a_folder_that_is_no_repository_says_what_it_is() {
    let plane = TestPlane::start().await;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    let register = |path: Value| plane.post("/api/v1/projects", &json!({"path": path})).send();
    register(json!(folder.path().join("gone"))).await.refused(422, "PH-1044");
    register(json!(plain)).await.refused(422, "PH-1040");
    for wrong in [json!("relative"), json!(""), json!("/a\u{0}b"), json!(format!("/{}", "a".repeat(5_000)))] {
        let refused = register(wrong).await.refused(422, "PH-1002");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/path");
    }
    repository(&plain, &[]);
    for (body, pointer) in [
        (json!({"path": plain, "key": "No Key"}), "/key"),
        (json!({"path": plain, "key": "one"}), "/key"),
        (json!({"path": plain, "name": "a\nb"}), "/name"),
        (json!({"path": plain, "owner": "me"}), "/owner"),
    ] {
        let refused = plane.post("/api/v1/projects", &body).send().await.refused(422, "PH-1002");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    let program = plane.token(json!({"kind": "program", "role": "admin"})).await;
    let ask =
        |token: &str| plane.ask(Method::POST, "/api/v1/projects").token(token).json(&json!({"path": plain})).send();
    ask(&member).await.refused(403, "PH-1005");
    ask(&program).await.refused(403, "PH-1111");
}

#[tokio::test]
async fn a_project_is_renamed_and_moved_by_its_revision() {
    let plane = TestPlane::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    repository(&first, &[]);
    let project = plane.post("/api/v1/projects", &json!({"path": first})).send().await.expect(201).json();
    let path = format!("/api/v1/projects/{}", project["key"].as_str().unwrap());
    let patch = |revision: Option<&str>, body: Value| {
        let ask = plane.ask(Method::PATCH, &path).token(&plane.admin).json(&body);
        match revision {
            Some(revision) => ask.header("if-match", revision).send(),
            None => ask.send(),
        }
    };
    patch(None, json!({"name": "N"})).await.refused(422, "PH-1002");
    patch(Some("9"), json!({"name": "N"})).await.refused(412, "PH-1006");
    let renamed = patch(Some("1"), json!({"name": "New name"})).await.expect(200).json();
    assert_eq!((&renamed["name"], &renamed["revision"]), (&json!("New name"), &json!(2)));
    patch(Some("2"), json!({"path": second})).await.refused(422, "PH-1044");
    std::fs::rename(&first, &second).unwrap();
    let moved = patch(Some("2"), json!({"path": second})).await.expect(200).json();
    assert_eq!(moved["path"], second.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(moved["key"], project["key"]);

    let foreigner = plane.foreigner().await;
    let ask = plane.ask(Method::PATCH, &path).token(&foreigner).header("if-match", "3").json(&json!({"name": "x"}));
    ask.send().await.refused(404, "PH-1003");
}

#[tokio::test]
async fn documents_are_read_before_they_are_stored_and_every_version_has_a_number() {
    let plane = TestPlane::start().await;
    // X34
    let at = |name: &str| format!("/api/v1/projects/one/settings/{name}");
    let put = |name: &str, revision: &str, body: Value| {
        plane.ask(Method::PUT, &at(name)).token(&plane.admin).header("if-match", revision).json(&body).send()
    };
    let empty = plane.get(&at("policy")).send().await.expect(200).json();
    assert_eq!((&empty["revision"], &empty["body"]), (&json!(0), &json!({})));
    let settings = plane.get(&at("proof")).send().await.expect(200).json();
    assert_eq!((&settings["revision"], &settings["body"]["staleness"]), (&json!(0), &json!("strict")));
    plane.get(&at("other")).send().await.refused(404, "PH-1003");

    put("proof", "0", json!({"staleness": "lax", "x": 1})).await.refused(422, "PH-1002");
    put("proof", "0", json!({"enabled_gates": ["nope"]})).await.refused(422, "PH-1002");
    let saved = put("proof", "0", json!({"enabled_gates": ["sec", "unit", "sec"], "enforcement": "warn"})).await;
    let saved = saved.expect(200).json();
    assert_eq!(saved["body"]["enabled_gates"], json!(["sec", "unit"]));
    assert_eq!((&saved["revision"], saved["warnings"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    put("proof", "0", json!({})).await.refused(412, "PH-1006");
    put("proof", "1", json!({"enabled_gates": []})).await.expect(200);

    put("policy", "0", json!({"nonsense": true})).await.refused(422, "PH-1002");
    let starter = serde_json::to_value(model::policy::Policy::starter(&["rust"], &[])).unwrap();
    let saved = put("policy", "0", starter.clone()).await.expect(200).json();
    assert_eq!(saved["body"], starter);
    assert_eq!(plane.get(&at("policy")).send().await.expect(200).json()["revision"], 1);

    // P66: no program sets anything, whatever its role.
    let program = plane.token(json!({"kind": "program", "role": "admin"})).await;
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    for (token, code) in [(&program, "PH-1111"), (&member, "PH-1005")] {
        let ask = plane.ask(Method::PUT, &at("proof")).token(token).header("if-match", "2").json(&json!({}));
        ask.send().await.refused(403, code);
    }
}

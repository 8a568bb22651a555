//! `POST /backups`: who may, where to, once.

use axum::http::Method;
use serde_json::json;
use server::ServerConfig;

use crate::plane::TestPlane;

const PATH: &str = "/api/v1/backups";

/// A session of the owner: an admin and a person, but not the token in the data folder.
async fn session(plane: &TestPlane) -> String {
    let answer =
        plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"token": plane.admin})).send().await.expect(201);
    answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// F20: a backup is a data folder that verifies; a second one never overwrites it.
#[tokio::test]
async fn a_backup_is_made_once() {
    let plane = TestPlane::start().await;
    plane.probe(3).await;
    let answer = plane.post(PATH, &json!({"folder": "monday"})).header("idempotency-key", "a").send().await.expect(201);
    let made = answer.json();
    let folder = plane.engine.data().root().join("backups/monday");
    assert_eq!(made["folder"], folder.to_str().unwrap());
    let (manifest, verified) = store::backup_check(&folder).await.unwrap();
    assert_eq!((manifest.schema, verified.damage.len()), (made["schema"].as_i64().unwrap(), 0));
    assert!(verified.entries > 0);
    let again = plane.post(PATH, &json!({"folder": "monday"})).header("idempotency-key", "a").send().await.expect(201);
    assert_eq!(again.json(), made, "the lost answer is found again (K1)");
    plane.post(PATH, &json!({"folder": "monday"})).send().await.refused(422, "PH-1038");
    plane.post(PATH, &json!({"folder": "other"})).header("idempotency-key", "a").send().await.refused(422, "PH-1007");
}

/// Only the owner of the data folder names a place anywhere; nobody one in the data folder itself.
#[tokio::test]
async fn a_path_leads_nowhere_else() {
    let outside = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let config = ServerConfig { backups: Some(root.path().to_owned()), ..ServerConfig::default() };
    let plane = TestPlane::with(config).await;
    let cookie = session(&plane).await;
    let by_session = |folder: &str| {
        plane
            .ask(Method::POST, PATH)
            .json(&json!({"folder": folder}))
            .header("cookie", &cookie)
            .header("host", "localhost")
            .header("origin", "http://localhost")
    };
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
    let elsewhere = outside.path().join("a");
    let data = plane.engine.data().root().to_owned();
    for folder in [elsewhere.to_str().unwrap(), "link/a", data.join("blobs/a").to_str().unwrap(), "."] {
        by_session(folder).send().await.refused(403, "PH-1005");
    }
    for folder in ["", "a/../../b", "..", "a\nb", &"x".repeat(2_000)] {
        by_session(folder).send().await.refused(422, "PH-1002");
        plane.post(PATH, &json!({"folder": folder})).send().await.refused(422, "PH-1002");
    }
    for folder in [data.clone(), data.join("blobs/a"), data.join("backups"), root.path().to_owned()] {
        plane.post(PATH, &json!({"folder": folder})).send().await.refused(422, "PH-1002");
    }
    assert!(!elsewhere.exists() && std::fs::read_dir(outside.path()).unwrap().next().is_none());

    by_session("deep/er").send().await.expect(201);
    by_session(root.path().join("abs").to_str().unwrap()).send().await.expect(201);
    plane.post(PATH, &json!({"folder": elsewhere})).send().await.expect(201);
    std::fs::write(root.path().join("file"), "mine").unwrap();
    by_session("file").send().await.refused(422, "PH-1038");
    std::fs::create_dir(root.path().join("full")).unwrap();
    std::fs::write(root.path().join("full/mine"), "").unwrap();
    by_session("full").send().await.refused(422, "PH-1038");
}

/// P66: only an admin who is a person; nobody without credentials.
#[tokio::test]
async fn only_an_admin_who_is_a_person_backs_up() {
    let plane = TestPlane::start().await;
    let body = json!({"folder": "a"});
    plane.ask(Method::POST, PATH).json(&body).send().await.refused(401, "PH-1004");
    for (token, code) in [
        (plane.token(json!({"kind": "person", "role": "member"})).await, "PH-1005"),
        (plane.token(json!({"kind": "program", "role": "admin"})).await, "PH-1111"),
        (plane.worker().await, "PH-1005"),
        (plane.foreigner().await, "PH-1005"),
    ] {
        plane.ask(Method::POST, PATH).token(&token).json(&body).send().await.refused(403, code);
    }
    plane.post(PATH, &json!({"folder": "a", "overwrite": true})).send().await.refused(422, "PH-1002");
    plane.post(PATH, &json!({})).send().await.refused(422, "PH-1002");
    assert!(!plane.engine.data().root().join("backups").exists());
}

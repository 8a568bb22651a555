//! Providers of models over the API.

use std::{fs, os::unix::fs::PermissionsExt as _};

use axum::http::Method;
use serde_json::json;
use testkit::models::Models;

use crate::plane::TestPlane;

fn declare(plane: &TestPlane, text: &str) {
    let path = plane.engine.data().root().join("providers.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// S85, S100: where keys come from and whether they are there, prices with their day, a check that costs nothing;
/// never a key, and nothing for tokens of one purpose.
#[tokio::test]
async fn providers_are_shown_and_checked_without_their_keys() {
    let plane = TestPlane::start().await;
    let models = Models::start([]);
    let key = plane.engine.data().root().join("key");
    fs::write(&key, "planted-key-value\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    declare(
        &plane,
        &format!(
            "[providers.mine]\nkind = \"anthropic\"\nbase_url = \"{}/v1\"\nkey_file = \"{}\"\n\
             [providers.off]\nkind = \"openai\"\nenabled = false\n[[prices]]\nmodel = \"mine/\"\ninput = \"1\"\noutput = \"2\"\n",
            models.url(),
            key.display()
        ),
    );
    let get = || plane.ask(Method::GET, "/api/v1/providers");
    let check = |name: &str| plane.ask(Method::POST, &format!("/api/v1/providers/{name}/check"));
    let answer = get().token(&plane.admin).send().await.expect(200);
    assert!(!answer.text().contains("planted"));
    let shown = answer.json();
    assert_eq!((&shown["items"][0]["name"], &shown["items"][0]["key_present"]), (&json!("mine"), &json!(true)));
    assert_eq!((&shown["prices"][0]["output"], &shown["prices"][0]["set"]), (&json!("2.000000000"), &json!(true)));
    assert!(shown["prices"].as_array().unwrap().len() > 20 && shown["prices"][1]["of"] == shown["prices_of"]);

    let checked = check("mine").token(&plane.admin).send().await.expect(200);
    assert!(checked.json()["state"] == "ready" && !checked.text().contains("planted"), "{}", checked.text());
    assert_eq!(check("off").token(&plane.admin).send().await.expect(200).json()["state"], "disabled");
    check("nobody").token(&plane.admin).send().await.refused(404, "PH-1003");
    assert!(models.requests().is_empty(), "a check costs no tokens");

    let worker = plane.worker().await;
    get().token(&worker).send().await.refused(403, "PH-1005");
    check("mine").token(&worker).send().await.refused(403, "PH-1005");
    declare(&plane, "[providers.mine]\nkind = \"magic\"\n");
    let wrong = get().token(&plane.admin).send().await.refused(422, "PH-1002").json();
    assert!(wrong["detail"].as_str().unwrap().contains("providers.toml"), "{wrong}");
}

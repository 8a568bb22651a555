//! Sessions, links, tokens, and who may call.

use axum::http::Method;
use serde_json::json;
use server::auth::sign_in_code;

use crate::plane::TestPlane;

fn cookie(answer: &crate::plane::Answer) -> String {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    assert!(set.contains("HttpOnly; SameSite=Strict; Path=/"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let plane = TestPlane::start().await;
    let code = sign_in_code(&plane.engine).await.unwrap();
    let path = format!("/sign-in?code={}", code.reveal());
    let answer = plane.ask(Method::GET, &path).send().await.expect(200);
    let cookie = cookie(&answer);
    let me = plane.ask(Method::GET, "/api/v1/me").header("cookie", &cookie).send().await.expect(200).json();
    assert_eq!((&me["actor"]["type"], &me["role"]), (&json!("person"), &json!("admin")));
    plane.ask(Method::GET, &path).send().await.refused(401, "PH-1004");
    let home = plane.ask(Method::GET, "/").header("cookie", &cookie).send().await.expect(200).text();
    assert!(home.contains("Signed in as"));
}

#[tokio::test]
async fn a_session_begins_by_code_or_token_and_ends() {
    let plane = TestPlane::start().await;
    let link = plane.post("/api/v1/sign-in-links", &json!({})).send().await.expect(201).json();
    let code = link["path"].as_str().unwrap().split('=').nth(1).unwrap().to_owned();
    plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"code": code})).send().await.expect(201);
    let answer =
        plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"token": plane.admin})).send().await.expect(201);
    let cookie = cookie(&answer);
    for wrong in [json!({}), json!({"code": "a", "token": "b"})] {
        plane.ask(Method::POST, "/api/v1/sessions").json(&wrong).send().await.refused(422, "PH-1002");
    }

    let end = |origin: Option<&str>| {
        let ask =
            plane.ask(Method::DELETE, "/api/v1/sessions/current").header("cookie", &cookie).header("host", "localhost");
        match origin {
            Some(origin) => ask.header("origin", origin),
            None => ask,
        }
    };
    end(None).send().await.refused(403, "PH-1021");
    end(Some("http://evil.example")).send().await.refused(403, "PH-1021");
    end(Some("http://localhost")).send().await.expect(204);
    plane.ask(Method::GET, "/api/v1/me").header("cookie", &cookie).send().await.refused(401, "PH-1004");
}

/// A session that was begun with a token may no more than the token, and ends with it.
#[tokio::test]
async fn a_session_ends_with_the_token_that_began_it() {
    let plane = TestPlane::start().await;
    let ask = json!({"label": "for a while", "kind": "person", "role": "viewer"});
    let token = plane.post("/api/v1/tokens", &ask).send().await.expect(201).json();
    let began = plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"token": token["secret"]}));
    let cookie = cookie(&began.send().await.expect(201));
    let me = || plane.ask(Method::GET, "/api/v1/me").header("cookie", &cookie);
    assert_eq!(me().send().await.expect(200).json()["role"], "viewer");
    let start = plane.ask(Method::POST, &plane.runs()).json(&json!({"kind": "probe"})).header("cookie", &cookie);
    start.header("host", "localhost").header("origin", "http://localhost").send().await.refused(403, "PH-1005");
    let revoke = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    plane.ask(Method::DELETE, &revoke).token(&plane.admin).send().await.expect(200);
    me().send().await.refused(401, "PH-1004");
}

/// A browser's cookie changes nothing from a page of another site; a token has no such page.
#[tokio::test]
async fn a_change_with_a_cookie_needs_our_own_origin() {
    let plane = TestPlane::start().await;
    let answer =
        plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"token": plane.admin})).send().await.expect(201);
    let cookie = cookie(&answer);
    let start = |origin: &str| {
        plane
            .ask(Method::POST, &plane.runs())
            .json(&json!({"kind": "probe"}))
            .header("cookie", &cookie)
            .header("host", "127.0.0.1:4180")
            .header("origin", origin)
    };
    start("http://127.0.0.1:4181").send().await.refused(403, "PH-1021");
    start("null").send().await.refused(403, "PH-1021");
    start("http://127.0.0.1:4180").send().await.expect(202);
    plane
        .ask(Method::GET, &plane.runs())
        .header("cookie", &cookie)
        .header("origin", "http://evil.example")
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_foreign_host_is_not_served() {
    let plane = TestPlane::start().await;
    plane.ask(Method::GET, "/healthz").header("host", "rebound.example").send().await.refused(421, "PH-1020");
    plane.ask(Method::GET, "/healthz").header("host", "localhost:1").send().await.expect(200);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let plane = TestPlane::start().await;
    let guess = || plane.ask(Method::POST, "/api/v1/sessions").json(&json!({"code": "phc_0"}));
    for _ in 0..10 {
        guess().send().await.refused(401, "PH-1004");
    }
    let refused = guess().send().await.refused(429, "PH-1016");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() <= 61);
}

#[tokio::test]
async fn a_token_is_shown_once_listed_without_its_secret_and_revoked_at_once() {
    let plane = TestPlane::start().await;
    let made = plane
        .post("/api/v1/tokens", &json!({"label": "ci", "kind": "program", "role": "viewer"}))
        .send()
        .await
        .expect(201)
        .json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let list = plane.get("/api/v1/tokens").send().await.expect(200).text();
    assert!(list.contains(id) && !list.contains(secret) && !list.contains("secret"), "{list}");
    plane.ask(Method::GET, "/api/v1/me").token(secret).send().await.expect(200);
    for _ in 0..2 {
        let revoked =
            plane.ask(Method::DELETE, &format!("/api/v1/tokens/{id}")).token(&plane.admin).send().await.expect(200);
        assert!(revoked.json()["revoked_at"].is_string());
    }
    plane.ask(Method::GET, "/api/v1/me").token(secret).send().await.refused(401, "PH-1004");
}

/// X27: the repeated request makes no second token, and does not show the secret again.
#[tokio::test]
async fn a_repeated_request_for_a_token_makes_one() {
    let plane = TestPlane::start().await;
    let body = json!({"label": "ci", "kind": "program"});
    let make = |body: &serde_json::Value| plane.post("/api/v1/tokens", body).header("idempotency-key", "k1");
    let first = make(&body).send().await.expect(201).json();
    let again = make(&body).send().await.expect(201).json();
    assert_eq!(first["id"], again["id"]);
    assert!(first["secret"].is_string() && again.get("secret").is_none());
    make(&json!({"label": "other", "kind": "program"})).send().await.refused(422, "PH-1007");
}

/// P66: no program is a person, and nobody makes more of a token than they are.
#[tokio::test]
async fn programs_make_no_tokens_and_roles_do_not_grow() {
    let plane = TestPlane::start().await;
    let program = plane.token(json!({"kind": "program", "role": "admin"})).await;
    let body = json!({"label": "x", "kind": "program"});
    plane.ask(Method::POST, "/api/v1/tokens").token(&program).json(&body).send().await.refused(403, "PH-1111");
    plane.ask(Method::POST, "/api/v1/sign-in-links").token(&program).send().await.refused(403, "PH-1111");
    let viewer = plane.token(json!({"kind": "person", "role": "viewer"})).await;
    let more = json!({"label": "x", "kind": "person", "role": "admin"});
    plane.ask(Method::POST, "/api/v1/tokens").token(&viewer).json(&more).send().await.refused(403, "PH-1005");
    let worker = json!({"label": "x", "kind": "worker"});
    plane.ask(Method::POST, "/api/v1/tokens").token(&viewer).json(&worker).send().await.refused(403, "PH-1005");
    plane
        .ask(Method::POST, &plane.runs())
        .token(&viewer)
        .json(&json!({"kind": "probe"}))
        .send()
        .await
        .refused(403, "PH-1005");
}

/// A worker's token speaks the worker protocol and nothing else.
#[tokio::test]
async fn a_worker_reads_nothing_else() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    plane.ask(Method::GET, &format!("/api/v1/runs/{run}")).token(&worker).send().await.refused(404, "PH-1003");
    plane.ask(Method::GET, "/api/v1/projects").token(&worker).send().await.refused(403, "PH-1005");
    plane.ask(Method::GET, "/metrics").token(&worker).send().await.refused(403, "PH-1005");
    plane
        .post("/api/v1/worker/claim", &json!({"claim_id": "c", "queues": ["probe"]}))
        .send()
        .await
        .refused(403, "PH-1005");
}

#[tokio::test]
async fn bad_tokens_are_422_with_a_pointer() {
    let plane = TestPlane::start().await;
    for (body, pointer) in [
        (json!({"label": "", "kind": "program"}), "/label"),
        (json!({"label": "a\nb", "kind": "program"}), "/label"),
        (json!({"label": "a", "kind": "king"}), "/kind"),
        (json!({"label": "a", "kind": "program", "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"label": "a", "kind": "run"}), "/run"),
        (json!({"label": "a", "kind": "program", "admin": true}), "/admin"),
        (json!({"kind": "program"}), "/label"),
    ] {
        let refused = plane.post("/api/v1/tokens", &body).send().await.refused(422, "PH-1002");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let gone = json!({"label": "a", "kind": "program", "project": "00000000-0000-7000-8000-000000000000"});
    plane.post("/api/v1/tokens", &gone).send().await.refused(404, "PH-1003");
}

//! Pairing, and workers as people see them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::plane::{Answer, TestPlane};

async fn pair(plane: &TestPlane, body: Value) -> Answer {
    plane.ask(Method::POST, "/api/v1/workers/pair").json(&body).send().await
}

async fn invite(plane: &TestPlane, body: Value) -> String {
    let made = plane.post("/api/v1/workers/pairings", &body).send().await.expect(201).json();
    made["code"].as_str().unwrap().to_owned()
}

fn arrival(code: &str) -> Value {
    json!({
        "code": code, "name": "den", "platform": "linux x86_64", "version": "0.1.0", "protocol": 1, "labels": ["gpu"], "slots": 2,
        "agents": [{"id": "claude", "version": "2.1", "healthy": true}, {"id": "codex", "healthy": false}],
    })
}

/// D50: a code works once, in any case and with or without dashes; its worker has a token for its protocol alone.
#[tokio::test]
async fn a_code_makes_one_worker() {
    let plane = TestPlane::start().await;
    let code = invite(&plane, json!({"labels": ["fast"]})).await;
    assert!(code.len() == 14 && code.matches('-').count() == 2, "{code}");
    let typed = code.to_lowercase().replace('-', " ");
    let paired = pair(&plane, arrival(&typed)).await.expect(201).json();
    let token = paired["token"].as_str().unwrap();
    assert_eq!(paired["worker"]["state"], "online");
    let offers = paired["worker"]["offers"].clone();
    assert_eq!(offers, json!(["agent:claude", "fast", "gpu", "os:linux", "worker:den"]));
    let claim = plane.ask(Method::POST, "/api/v1/worker/claim").token(token);
    claim.json(&json!({"claim_id": "c", "queues": ["probe"]})).send().await.expect(200);
    plane.ask(Method::GET, "/api/v1/workers").token(token).send().await.refused(403, "PH-1005");
    // Used, unknown and malformed codes are one answer.
    let mut bodies = Vec::new();
    for code in [code.as_str(), "0000-0000-0000", "nonsense", ""] {
        bodies.push(pair(&plane, arrival(code)).await.refused(400, "PH-2030").text());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

/// X27, K1: the same request again is the same invitation. Its code was shown once and is not kept (D50), so the repeat
/// comes without it, and a key is for one request.
#[tokio::test]
async fn an_invitation_is_made_once_per_key() {
    let plane = TestPlane::start().await;
    let ask = |key: &str, body: Value| {
        let ask = plane.ask(Method::POST, "/api/v1/workers/pairings").token(&plane.admin);
        ask.header("idempotency-key", key).json(&body).send()
    };
    let first = ask("one", json!({"labels": ["fast"]})).await.expect(201).json();
    let again = ask("one", json!({"labels": ["fast"]})).await.expect(201).json();
    assert_eq!((&again["id"], &again["expires_at"]), (&first["id"], &first["expires_at"]));
    assert!(first["code"].is_string() && again.get("code").is_none(), "{again}");
    ask("one", json!({"labels": ["slow"]})).await.refused(422, "PH-1007");
    let other = ask("two", json!({"labels": ["fast"]})).await.expect(201).json();
    assert_ne!(other["id"], first["id"]);
    // The code of the first answer is the one that is good.
    pair(&plane, arrival(first["code"].as_str().unwrap())).await.expect(201);
}

/// D50: however many try at once, one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_gets_the_code() {
    let plane = TestPlane::start().await;
    let code = invite(&plane, json!({})).await;
    let tries = (0..8).map(|_| pair(&plane, arrival(&code)));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 7);
}

/// D50, K7: an address that tries too often waits.
#[tokio::test]
async fn guessing_is_slowed_down() {
    let plane = TestPlane::start().await;
    for _ in 0..10 {
        pair(&plane, arrival("0000-0000-0000")).await.refused(400, "PH-2030");
    }
    let code = invite(&plane, json!({})).await;
    let refused = pair(&plane, arrival(&code)).await.refused(429, "PH-1016");
    assert!(refused.headers.contains_key("retry-after"));
}

/// D61: other protocols are refused with the range, at the door and at work; unknown fields are ignored.
#[tokio::test]
async fn another_protocol_is_refused_with_the_range() {
    let plane = TestPlane::start().await;
    let code = invite(&plane, json!({})).await;
    for protocol in [0, 2, 99] {
        let mut body = arrival(&code);
        body["protocol"] = json!(protocol);
        let refused = pair(&plane, body).await.refused(426, "PH-2033").json();
        assert_eq!((&refused["oldest"], &refused["newest"]), (&json!(1), &json!(1)));
    }
    // The code is still good.
    let mut body = arrival(&code);
    body["from_the_future"] = json!({"x": 1});
    let token = pair(&plane, body).await.expect(201).json()["token"].as_str().unwrap().to_owned();
    let claim = json!({"claim_id": "c", "queues": ["probe"], "protocol": 99, "slots": 1});
    plane.ask(Method::POST, "/api/v1/worker/claim").token(&token).json(&claim).send().await.refused(426, "PH-2033");
}

/// D51, D52: a personal worker takes its owner's tasks and no other's, a shared one those of its projects.
#[tokio::test]
async fn a_personal_worker_takes_its_owners_tasks() {
    let plane = TestPlane::start().await;
    let mine = pair(&plane, arrival(&invite(&plane, json!({})).await)).await.expect(201).json();
    let mine = mine["token"].as_str().unwrap().to_owned();
    let shared = pair(&plane, arrival(&invite(&plane, json!({"sharing": "project"})).await)).await.expect(201).json();
    let shared = shared["token"].as_str().unwrap().to_owned();
    // A run that a program started is nobody's own.
    let program = plane.token(json!({"kind": "program", "role": "member"})).await;
    let ask = plane.ask(Method::POST, &plane.runs()).token(&program);
    ask.json(&json!({"kind": "probe", "config": {}})).send().await.expect(202);
    assert!(plane.claim(&mine, 1).await.is_empty());
    assert_eq!(plane.claim(&shared, 1).await.len(), 1);
    plane.probe(1).await;
    assert_eq!(plane.claim(&mine, 1).await.len(), 1);
}

/// D52: tasks are matched with what the worker says and what the plane adds.
#[tokio::test]
async fn what_a_worker_says_is_kept_and_shown() {
    let plane = TestPlane::start().await;
    let paired = pair(&plane, arrival(&invite(&plane, json!({"name": "attic"})).await)).await.expect(201).json();
    let (token, id) = (paired["token"].as_str().unwrap(), paired["worker"]["id"].as_str().unwrap());
    let claim = json!({
        "claim_id": "c", "queues": ["probe"], "protocol": 1, "slots": 3, "labels": ["gpu", "agent:claude"], "repos": ["one"],
        "agents": [{"id": "claude", "healthy": false, "detail": "signed out"}], "outbox": {"items": 2, "bytes": 10},
        "last_error": "the network is down", "platform": "linux aarch64", "version": "0.2.0",
    });
    let answer =
        plane.ask(Method::POST, "/api/v1/worker/claim").token(token).json(&claim).send().await.expect(200).json();
    assert_eq!(
        (&answer["drain"], &answer["config"]["lease_s"], &answer["requests"]),
        (&json!(false), &json!(30), &json!([]))
    );
    let shown = plane.get(&format!("/api/v1/workers/{id}")).send().await.expect(200).json();
    assert_eq!(shown["offers"], json!(["gpu", "os:linux", "repo:one", "worker:attic"]), "no agent that is not healthy");
    assert_eq!((&shown["slots"], &shown["outbox"]["items"]), (&json!(3), &json!(2)));
    assert_eq!(
        (&shown["agents"][0]["detail"], &shown["last_error"]),
        (&json!("signed out"), &json!("the network is down"))
    );
}

/// D4, D9, D60: who may change a worker, and what changes do.
#[tokio::test]
async fn workers_are_changed_drained_and_revoked() {
    let plane = TestPlane::start().await;
    let paired = pair(&plane, arrival(&invite(&plane, json!({})).await)).await.expect(201).json();
    let (token, id) =
        (paired["token"].as_str().unwrap().to_owned(), paired["worker"]["id"].as_str().unwrap().to_owned());
    let path = format!("/api/v1/workers/{id}");
    let patch = |body: Value, revision: &str| {
        plane.ask(Method::PATCH, &path).token(&plane.admin).header("if-match", revision).json(&body).send()
    };
    let changed = patch(json!({"name": "attic", "projects": [plane.project.id]}), "1").await.expect(200).json();
    assert_eq!((&changed["name"], &changed["revision"]), (&json!("attic"), &json!(2)));
    assert_eq!(patch(json!({"name": "attic"}), "2").await.expect(200).json()["revision"], 2, "nothing changed");
    patch(json!({"name": "x"}), "1").await.refused(412, "PH-1006");
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"name": "a\nb"}), "/name"),
        (json!({"labels": ["repo:one"]}), "/labels/0"),
        (json!({"projects": ["00000000-0000-7000-8000-000000000000"]}), "/projects/0"),
        (json!({"colour": "red"}), "/colour"),
    ] {
        let refused = patch(body.clone(), "2").await.refused(422, "PH-1002").json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let viewer = plane.token(json!({"kind": "program", "role": "viewer"})).await;
    let foreign = plane.foreigner().await;
    for verb in ["drain", "revoke"] {
        let ask = |token: &str| plane.ask(Method::POST, &format!("{path}/{verb}")).token(token).send();
        // A personal worker is not even known to others.
        ask(&viewer).await.refused(404, "PH-1003");
        ask(&foreign).await.refused(404, "PH-1003");
    }
    // With a task in hand: draining lets it finish, revoking gives it back at once.
    plane.probe(1).await;
    let lease = plane.claim(&token, 1).await.remove(0);
    assert_eq!(plane.post(&format!("{path}/drain"), &json!({})).send().await.expect(200).json()["state"], "draining");
    plane.probe(1).await;
    assert!(plane.claim(&token, 1).await.is_empty());
    for _ in 0..2 {
        let revoked = plane.post(&format!("{path}/revoke"), &json!({})).send().await.expect(200).json();
        assert_eq!(revoked["state"], "revoked");
    }
    let beat = plane.ask(Method::POST, "/api/v1/worker/heartbeat").token(&token).json(&json!({"held": []}));
    beat.send().await.refused(401, "PH-1004");
    let heir = plane.worker().await;
    let claimed = plane.claim(&heir, 2).await;
    assert!(claimed.iter().any(|task| task["task"] == lease["task"] && task["generation"] == 2), "{claimed:?}");
    patch(json!({"name": "y"}), "4").await.refused(409, "PH-1009");
}

/// D55: a worker is not told of tasks it never held, whatever it guesses.
#[tokio::test]
async fn a_task_that_was_never_held_does_not_exist() {
    let plane = TestPlane::start().await;
    let (holder, stranger) = (plane.worker().await, plane.worker().await);
    plane.probe(1).await;
    let lease = plane.claim(&holder, 1).await.remove(0);
    let task = lease["task"].as_str().unwrap();
    let call = |who: &str, verb: &str, body: Value, generation: &str| {
        let path = format!("/api/v1/worker/tasks/{task}/{verb}");
        plane.ask(Method::POST, &path).token(who).header("lease-generation", generation).json(&body).send()
    };
    let note = json!({"entries": [{"kind": "note"}]});
    let calls = [("entries", note.clone()), ("complete", json!({"output": {}})), ("release", json!({"reason": "x"}))];
    for (verb, body) in calls {
        call(&stranger, verb, body, "1").await.refused(404, "PH-1003");
    }
    call(&holder, "release", json!({"reason": "drain"}), "1").await.expect(200);
    plane.claim(&stranger, 1).await.remove(0);
    // Who held it before is told that it is lost; who holds it now never made the first claim.
    call(&holder, "entries", note.clone(), "1").await.refused(409, "PH-1017");
    call(&stranger, "entries", note.clone(), "1").await.refused(404, "PH-1003");
    call(&holder, "entries", note, "2").await.refused(404, "PH-1003");
}

/// D57, D67, D68: entries out of an outbox are taken once; phases are told to the project, and shown.
#[tokio::test]
async fn entries_are_taken_once_and_phases_are_told() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    let lease = plane.claim(&worker, 1).await.remove(0);
    let path = format!("/api/v1/worker/tasks/{}/entries", lease["task"].as_str().unwrap());
    let send = |entries: Value| {
        let ask = plane.ask(Method::POST, &path).token(&worker).header("lease-generation", "1");
        ask.json(&json!({"entries": entries})).send()
    };
    let batch = json!([
        {"client_id": "a", "at": "1999-01-01T00:00:00Z", "kind": "task.phase", "data": {"task": lease["task"], "phase": "preparing"}},
        {"client_id": "b", "kind": "task.phase", "data": {"task": lease["task"], "phase": "running"}},
        {"client_id": "c", "kind": "task.step", "data": {"task": lease["task"], "phase": "running", "step": "thinking"}},
    ]);
    let first = send(batch.clone()).await.expect(200).json();
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(3), &json!(0)));
    let again = send(batch).await.expect(200).json();
    assert_eq!(
        (&again["accepted"], &again["duplicates"], &again["last_seq"]),
        (&json!(0), &json!(3), &first["last_seq"])
    );
    for wrong in [json!([{"client_id": "d", "kind": "note"}, {"kind": "note"}]), json!([{"kind": "task.phase"}])] {
        let refused = send(wrong).await.refused(422, "PH-1002").json();
        assert!(refused["index"].is_u64(), "{refused}");
    }
    let board = plane.get("/api/v1/projects/one/entries?limit=500").send().await.expect(200).json();
    let told: Vec<_> =
        board["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "worker.activity").collect();
    assert_eq!(told.iter().map(|entry| &entry["data"]["phase"]).collect::<Vec<_>>(), ["preparing", "running"]);
    let entries = plane.get(&format!("/api/v1/runs/{run}/entries?limit=500")).send().await.expect(200).json();
    let phase = entries["items"].as_array().unwrap().iter().find(|entry| entry["kind"] == "task.phase").unwrap();
    assert_eq!(phase["data"]["worker_at"], "1999-01-01T00:00:00Z");
    assert!(!phase["at"].as_str().unwrap().starts_with("1999"), "the plane's clock counts");
    let list = plane.get("/api/v1/projects/one/workers?active=true").send().await.expect(200).json();
    let activity = &list["items"][0]["activity"][0];
    assert_eq!(
        (&activity["phase"], &activity["step"], &activity["quiet"]),
        (&json!("running"), &json!("thinking"), &json!(false))
    );
}

/// D53, D58: files up with their digest, down by it; never what is another run's.
#[tokio::test]
async fn files_go_up_with_their_digest_and_down_by_it() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    plane.probe(2).await;
    let leases = plane.claim(&worker, 2).await;
    let other_run = plane.probe(1).await;
    let other = plane.claim(&worker, 1).await.remove(0);
    assert_eq!(other["run"], json!(other_run));
    let base = |lease: &Value| format!("/api/v1/worker/tasks/{}/artifacts", lease["task"].as_str().unwrap());
    let bytes = "x".repeat(200_000);
    let digest = model::digest::Digest::of(bytes.as_bytes()).to_string();
    let send = |body: String, digest: String| {
        let path = format!("{}?name=out%2Flog.txt&sha256={digest}", base(&leases[0]));
        let ask = plane.ask(Method::POST, &path).token(&worker).header("lease-generation", "1");
        ask.header("content-type", "text/plain").raw(body).send()
    };
    let wrong = send("other".into(), digest.clone()).await.refused(422, "PH-2037").json();
    assert_eq!(wrong["declared"], json!(digest));
    let fetch = |lease: &Value, digest: &str| {
        let path = format!("{}/{digest}", base(lease));
        plane.ask(Method::GET, &path).token(&worker).header("lease-generation", "1").send()
    };
    fetch(&leases[0], &digest).await.refused(404, "PH-1003");
    let kept = send(bytes.clone(), digest.clone()).await.expect(201).json();
    assert_eq!((&kept["name"], &kept["bytes"]), (&json!("out/log.txt"), &json!(200_000)));
    assert_eq!(send(bytes.clone(), digest.clone()).await.json()["id"], kept["id"], "no second one");
    assert_eq!(fetch(&leases[1], &digest).await.expect(200).text(), bytes, "of the same run");
    fetch(&other, &digest).await.refused(404, "PH-1003");
    let large = send("x".repeat((32 << 20) + 1), digest.clone()).await;
    assert_eq!(large.status, 413);
}

/// D54, D36: a heartbeat returns at once when there is news, and waits while there is none.
#[tokio::test]
async fn a_heartbeat_waits_for_news() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    let lease = plane.claim(&worker, 1).await.remove(0);
    let beat = |wait_s: u32| {
        let held = json!({"held": [{"task": lease["task"], "generation": 1, "phase": "running"}], "wait_s": wait_s});
        plane.ask(Method::POST, "/api/v1/worker/heartbeat").token(&worker).json(&held).send()
    };
    let begin = std::time::Instant::now();
    assert_eq!(beat(1).await.expect(200).json()["renewed"].as_array().unwrap().len(), 1);
    assert!(begin.elapsed().as_millis() >= 900, "{:?}", begin.elapsed());
    let begin = std::time::Instant::now();
    let (news, _) = tokio::join!(beat(10), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        plane.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).send().await
    });
    assert_eq!(news.expect(200).json()["cancelled"][0], lease["task"]);
    assert!(begin.elapsed().as_millis() < 1_200, "{:?}", begin.elapsed());
    beat(11).await.refused(422, "PH-1002");
}

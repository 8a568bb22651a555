//! The worker protocol: claim, renew, append, end.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use crate::plane::{Ask, TestPlane};

fn post(plane: &TestPlane, worker: &str, path: &str, body: &Value) -> Ask {
    plane.ask(Method::POST, &format!("/api/v1/worker/{path}")).token(worker).json(body)
}

/// D52: what a claim holds, and the same claim again.
#[tokio::test]
async fn a_claim_gives_tasks_and_the_same_claim_gives_the_same() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(3).await;
    let body = json!({"claim_id": "c1", "max": 2, "queues": ["probe"], "unknown": "ignored (D61)"});
    let first = post(&plane, &worker, "claim", &body).send().await.expect(200).json();
    let tasks = first["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2);
    assert_eq!((&tasks[0]["run"], &tasks[0]["generation"], &tasks[0]["attempt"]), (&json!(run), &json!(1), &json!(1)));
    assert!(tasks[0]["expires_at"].is_string() && first["server_time"].is_string());
    let again = post(&plane, &worker, "claim", &body).send().await.expect(200).json();
    let ids = |answer: &Value| {
        let mut ids: Vec<_> = answer["tasks"].as_array().unwrap().iter().map(|task| task["task"].to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&first), ids(&again));
    let list = plane.get(&format!("/api/v1/runs/{run}/tasks?state=leased")).send().await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(list["items"][0]["lease"]["worker"].is_string());
}

/// D52: a waiting claim is woken by a task, and comes back empty after its wait.
#[tokio::test]
async fn a_claim_waits_for_work() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let wait = |claim: &str, wait_s: u32| {
        let body = json!({"claim_id": claim, "queues": ["probe"], "wait_s": wait_s});
        post(&plane, &worker, "claim", &body).send()
    };
    let begin = Instant::now();
    assert_eq!(wait("c1", 1).await.expect(200).json()["tasks"], json!([]));
    assert!((900..1_900).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    let begin = Instant::now();
    let (claimed, _) = tokio::join!(wait("c2", 20), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        plane.probe(1).await
    });
    assert_eq!(claimed.expect(200).json()["tasks"].as_array().unwrap().len(), 1);
    assert!(begin.elapsed() < Duration::from_millis(900), "it was not woken: {:?}", begin.elapsed());
    for (body, pointer) in [
        (json!({"claim_id": "c", "queues": ["probe"], "wait_s": 31}), "/wait_s"),
        (json!({"claim_id": "c", "queues": ["probe"], "max": 65}), "/max"),
        (json!({"claim_id": "", "queues": ["probe"]}), "/claim_id"),
        (json!({"claim_id": "c", "queues": []}), "/queues"),
        (json!({"claim_id": "c", "queues": ["a\u{0}b"]}), "/queues"),
    ] {
        let refused = post(&plane, &worker, "claim", &body).send().await.refused(422, "PH-1002");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
}

/// D54, D55, K2: renewing says what is held, lost and cancelled; an old fence changes nothing.
#[tokio::test]
async fn leases_are_renewed_lost_and_cancelled() {
    let plane = TestPlane::start().await;
    let (worker, other) = (plane.worker().await, plane.worker().await);
    let run = plane.probe(1).await;
    let lease = plane.claim(&worker, 1).await.remove(0);
    let fence = json!({"task": lease["task"], "generation": 1});
    let beat = |who: &str, held: Value| post(&plane, who, "heartbeat", &json!({"held": [held]})).send();
    let renewed = beat(&worker, fence.clone()).await.expect(200).json();
    assert_eq!(renewed["renewed"][0]["task"], lease["task"]);
    let foreign = beat(&other, fence.clone()).await.expect(200).json();
    assert_eq!(foreign["renewed"], json!([]), "a list never renews another worker's lease");
    let old = beat(&worker, json!({"task": lease["task"], "generation": 7})).await.expect(200).json();
    assert_eq!(old["lost"].as_array().unwrap().len(), 1);
    plane.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).send().await.expect(202);
    let cancelled = beat(&worker, fence).await.expect(200).json();
    assert_eq!(cancelled["cancelled"][0], lease["task"]);

    let path = format!("tasks/{}/entries", lease["task"].as_str().unwrap());
    let entries = json!({"entries": [{"kind": "probe.entry"}]});
    post(&plane, &worker, &path, &entries).send().await.refused(422, "PH-1002");
    post(&plane, &worker, &path, &entries).header("lease-generation", "7").send().await.refused(404, "PH-1003");
}

/// K2: what another now holds cannot be touched by who held it before.
#[tokio::test]
async fn an_old_fence_changes_nothing() {
    let plane = TestPlane::start().await;
    let (worker, heir) = (plane.worker().await, plane.worker().await);
    plane.probe(1).await;
    let lease = plane.claim(&worker, 1).await.remove(0);
    let task = lease["task"].as_str().unwrap();
    let path = |verb: &str| format!("tasks/{task}/{verb}");
    let old =
        |verb: &str, body: Value| post(&plane, &worker, &path(verb), &body).header("lease-generation", "1").send();
    old("release", json!({"reason": "drain"})).await.expect(200);
    assert_eq!(plane.claim(&heir, 1).await[0]["generation"], 2);
    for (verb, body) in [
        ("entries", json!({"entries": [{"kind": "note"}]})),
        ("complete", json!({"output": {}})),
        ("fail", json!({"code": "internal", "message": "m"})),
        ("release", json!({"reason": "drain"})),
    ] {
        let lost = old(verb, body).await.refused(409, "PH-1017");
        assert_eq!(lost.json()["reason"], "reclaimed", "{verb}");
    }
    let complete = post(&plane, &heir, &path("complete"), &json!({"output": {}})).header("lease-generation", "2");
    complete.send().await.expect(200);
}

/// D57: all of a batch or none of it, in order, and never the plane's own word.
#[tokio::test]
async fn entries_are_appended_in_order_or_not_at_all() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    let lease = plane.claim(&worker, 1).await.remove(0);
    let path = format!("tasks/{}/entries", lease["task"].as_str().unwrap());
    let append = |entries: Value| {
        post(&plane, &worker, &path, &json!({"entries": entries})).header("lease-generation", "1").send()
    };
    let head = || async {
        let page = plane.get(&format!("/api/v1/runs/{run}/entries?limit=1")).send().await.expect(200).json();
        page["head"].as_u64().unwrap()
    };
    let before = head().await;
    let taken =
        append(json!([{"kind": "note", "data": {"n": 1}}, {"kind": "agent.text", "data": {"n": 2}, "span": "s"}]));
    let taken = taken.await.expect(200).json();
    assert_eq!((&taken["accepted"], &taken["last_seq"]), (&json!(2), &json!(before + 2)));
    for wrong in [
        json!([]),
        json!([{"kind": "note"}, {"kind": "run.finished"}]),
        json!([{"kind": "note", "data": []}]),
        json!([{"kind": "note", "span": "a\u{7}"}]),
    ] {
        append(wrong).await.refused(422, "PH-1002");
    }
    assert_eq!(head().await, before + 2, "a refused batch leaves nothing");
    let large = append(json!([{"kind": "note", "data": {"text": "x".repeat(100 << 10)}}])).await.expect(200);
    let seq = large.json()["last_seq"].as_u64().unwrap();
    let page = plane.get(&format!("/api/v1/runs/{run}/entries?since={}", seq - 1)).send().await.expect(200).json();
    assert_eq!(page["items"][0]["data"]["truncated"], true);
}

/// D59: an outcome is taken once; the same again is fine, another is not. One at a time or many.
#[tokio::test]
async fn outcomes_are_taken_once() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(4).await;
    let leases = plane.claim(&worker, 4).await;
    let path = |at: usize, verb: &str| format!("tasks/{}/{verb}", leases[at]["task"].as_str().unwrap());
    let end = |path: String, body: Value| post(&plane, &worker, &path, &body).header("lease-generation", "1").send();
    for _ in 0..2 {
        end(path(0, "complete"), json!({"output": {"a": 1}})).await.expect(200);
    }
    let other = end(path(0, "complete"), json!({"output": {"a": 2}})).await.expect(409);
    assert_eq!(other.json()["reason"], "outcome_set");
    end(path(1, "fail"), json!({"code": "disk_full", "message": "no space"})).await.expect(200);
    end(path(2, "release"), json!({"reason": "shutdown"})).await.expect(200);
    let released = plane.claim(&worker, 1).await.remove(0);
    assert_eq!((&released["task"], &released["generation"]), (&leases[2]["task"], &json!(2)));

    let batch = json!({"outcomes": [
        {"task": leases[2]["task"], "generation": 1, "output": {}},
        {"task": leases[2]["task"], "generation": 2, "output": {}},
        {"task": leases[3]["task"], "generation": 1, "failure": {"code": "made_up", "message": "m"}},
        {"task": "00000000-0000-7000-8000-000000000000", "generation": 1, "output": {}},
    ]});
    let answer = post(&plane, &worker, "tasks/complete", &batch).send().await.expect(200).json();
    let accepted: Vec<_> = answer["results"].as_array().unwrap().iter().map(|one| one["accepted"].clone()).collect();
    assert_eq!(accepted, [false, true, true, false], "{answer}");
    assert_eq!(answer["results"][0]["refused"]["code"], "PH-1017");
    let view = plane.get(&format!("/api/v1/runs/{run}")).send().await.expect(200).json();
    assert_eq!((&view["status"], &view["progress"]["done"]), (&json!("completed"), &json!(4)), "{view}");
    post(&plane, &worker, "tasks/complete", &json!({"outcomes": []})).send().await.refused(422, "PH-1002");
}

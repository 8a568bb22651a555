//! Starting, listing, reading and steering runs.

use axum::http::Method;
use serde_json::{Value, json};

use crate::plane::TestPlane;

#[tokio::test]
async fn a_run_is_started_and_read() {
    let plane = TestPlane::start().await;
    let answer = plane.post(&plane.runs(), &json!({"kind": "probe", "config": {"tasks": 3}})).send().await.expect(202);
    let started = answer.json();
    let run = started["run"].as_str().unwrap();
    assert_eq!(answer.headers["location"], format!("/api/v1/runs/{run}"));
    assert_eq!(started["events"], format!("/api/v1/runs/{run}/events"));
    assert_eq!(started["status"], "queued");
    let view = plane.get(&format!("/api/v1/runs/{run}")).send().await.expect(200).json();
    assert_eq!(view["progress"], json!({"total": 3, "done": 0, "failed": 0}));
    assert_eq!((&view["trigger"], &view["created_by"]["type"]), (&json!("person"), &json!("person")));
    assert_eq!(view["verdict"], Value::Null);
    let by_id = format!("/api/v1/projects/{}/runs", plane.project.id);
    let list = plane.get(&by_id).send().await.expect(200).json();
    assert_eq!(list["items"][0]["id"], run);
    assert_eq!(list["next_cursor"], Value::Null);
}

/// K1, F5: the answer was lost, the same key gives the same body and no second run.
#[tokio::test]
async fn the_same_key_starts_one_run_and_answers_the_same() {
    let plane = TestPlane::start().await;
    let body = json!({"kind": "probe", "config": {"tasks": 1}});
    let start = |body: &Value| plane.post(&plane.runs(), body).header("idempotency-key", "key-1");
    let first = start(&body).send().await.expect(202);
    // Meanwhile the run goes on.
    let worker = plane.worker().await;
    assert_eq!(plane.claim(&worker, 1).await.len(), 1);
    let again = start(&body).send().await.expect(202);
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(first.headers["location"], again.headers["location"]);
    start(&json!({"kind": "probe", "config": {"tasks": 2}})).send().await.refused(422, "PH-1007");
    let elsewhere = crate::plane::add_project(&plane.engine, "two").await;
    let path = format!("/api/v1/projects/{}/runs", elsewhere.key);
    plane.post(&path, &body).header("idempotency-key", "key-1").send().await.refused(422, "PH-1007");
    let runs = plane.get(&plane.runs()).send().await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

/// K1: a refusal is not stored, so the key is good for the mended request.
#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let plane = TestPlane::start().await;
    let start = |body: Value| plane.post(&plane.runs(), &body).header("idempotency-key", "key-2");
    start(json!({"kind": "nothing"})).send().await.refused(422, "PH-1002");
    start(json!({"kind": "probe"})).send().await.expect(202);
}

/// K1 under a race: many at once with one key are one run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_with_one_key_are_one_run() {
    let plane = TestPlane::start().await;
    let body = json!({"kind": "probe"});
    let asks = (0..32).map(|_| plane.post(&plane.runs(), &body).header("idempotency-key", "race").send());
    let answers = futures::future::join_all(asks).await;
    let first = answers[0].bytes.clone();
    for answer in answers {
        assert_eq!(answer.expect(202).bytes, first);
    }
    let runs = plane.get(&plane.runs()).send().await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_active_run_is_refused_or_joined() {
    let plane = TestPlane::start().await;
    let body = json!({"kind": "probe", "config": {"exclusive": "subject"}});
    let first = plane.post(&plane.runs(), &body).send().await.expect(202).json();
    let refused = plane.post(&plane.runs(), &body).send().await.refused(409, "PH-1008");
    assert_eq!(refused.json()["active_run"], first["run"]);
    let joined = plane.post(&format!("{}?join=true", plane.runs()), &body).send().await.expect(200).json();
    assert_eq!((&joined["run"], &joined["joined"], &joined["covers"]), (&first["run"], &json!(true), &json!(true)));
}

#[tokio::test]
async fn wrong_requests_say_where() {
    let plane = TestPlane::start().await;
    let post = |body: &str| plane.ask(Method::POST, &plane.runs()).token(&plane.admin).raw(body.to_owned());
    post("{").send().await.refused(400, "PH-1001");
    post("kind=probe").header("content-type", "application/x-www-form-urlencoded").send().await.refused(400, "PH-1001");
    post("[]").send().await.refused(422, "PH-1002");
    let refused = post(r#"{"kind": "probe", "colour": 1}"#).send().await.refused(422, "PH-1002");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/colour");
    post("{\"kind\": \"probe\", \"config\": {\"exclusive\": \"\u{0}\"}}").send().await.expect(400);
    for query in ["?limit=0", "?limit=501", "?limit=x", "?cursor=x", "?status=gone", "?active=maybe", "?colour=1"] {
        let refused = plane.get(&format!("{}{query}", plane.runs())).send().await.refused(422, "PH-1002");
        let pointer = refused.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(query.starts_with(&pointer.replace('/', "?")), "{query}: {pointer}");
    }
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let plane = TestPlane::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(plane.probe(1).await);
    }
    ids.reverse();
    plane.post(&format!("/api/v1/runs/{}/cancel", ids[0]), &json!({})).send().await.expect(200);
    let mut seen = Vec::new();
    let mut path = format!("{}?limit=2", plane.runs());
    loop {
        let page = plane.get(&path).send().await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("{}?limit=2&cursor={next}", plane.runs());
    }
    assert_eq!(seen, ids);
    let count = |query: &str| {
        let ask = plane.get(&format!("{}?{query}", plane.runs()));
        async { ask.send().await.expect(200).json()["items"].as_array().unwrap().len() }
    };
    assert_eq!(count("active=true").await, 4);
    assert_eq!(count("active=false").await, 1);
    assert_eq!(count("status=cancelled,queued").await, 5);
    assert_eq!(count("status=cancelled&active=true").await, 0);
    assert_eq!(count("kind=proof").await, 0);
}

/// W20: what a person sees of all projects is one list; a token of one project sees that project's.
#[tokio::test]
async fn runs_are_listed_over_all_projects() {
    let plane = TestPlane::start().await;
    let here = plane.probe(1).await;
    let foreigner = plane.foreigner().await;
    let start = json!({"kind": "probe", "config": {"tasks": 1}});
    let ask = plane.post("/api/v1/projects/other/runs", &start).send().await.expect(202).json();
    let there = ask["run"].as_str().unwrap().to_owned();
    let ids = async |token: &str, query: &str| {
        let answer = plane.ask(Method::GET, &format!("/api/v1/runs{query}")).token(token).send().await.expect(200);
        let list = answer.json();
        list["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = vec![there.clone(), here.clone()];
    assert_eq!(ids(&plane.admin, "").await, both);
    assert_eq!(ids(&plane.admin, "?active=true").await, both);
    assert_eq!(ids(&plane.admin, "?active=true&limit=1").await, both[..1]);
    assert_eq!(ids(&plane.admin, &format!("?active=true&cursor={there}")).await, both[1..]);
    assert_eq!(ids(&foreigner, "?active=true").await, both[..1]);
    // A verdict is one of those that ended with it, whatever is asked with it.
    let worker = plane.worker().await;
    for lease in plane.claim(&worker, 2).await {
        let path = format!("/api/v1/worker/tasks/{}/complete", lease["task"].as_str().unwrap());
        let done = plane.ask(Method::POST, &path).token(&worker).header("lease-generation", "1");
        done.json(&json!({"output": {}})).send().await.expect(200);
    }
    let list = plane.get("/api/v1/runs?active=false").send().await.expect(200).json();
    let verdict = list["items"][0]["verdict"].as_str().map(str::to_owned);
    for known in ["passed", "failed", "unproven"] {
        let expected = if verdict.as_deref() == Some(known) { both.clone() } else { Vec::new() };
        assert_eq!(ids(&plane.admin, &format!("?verdict={known}&active=false")).await, expected, "{known}");
        let here: Vec<_> = expected.iter().filter(|id| **id == here).cloned().collect();
        let list = plane.get(&format!("{}?verdict={known}&kind=probe", plane.runs())).send().await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), here.len(), "{known}");
    }
    plane.get("/api/v1/runs?verdict=good").send().await.refused(422, "PH-1002");
    plane.ask(Method::GET, "/api/v1/runs").token(&worker).send().await.refused(403, "PH-1005");
}

/// P27: what is foreign answers as what is missing, to the byte, on every route of a run.
#[tokio::test]
async fn a_foreign_run_looks_like_a_missing_one() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let foreigner = plane.foreigner().await;
    let missing = "00000000-0000-7000-8000-000000000000";
    for (method, path) in [
        (Method::GET, "/api/v1/runs/{}"),
        (Method::GET, "/api/v1/runs/{}/tasks"),
        (Method::GET, "/api/v1/runs/{}/entries"),
        (Method::GET, "/api/v1/runs/{}/events"),
        (Method::GET, "/api/v1/runs/{}/journal.jsonl"),
        (Method::POST, "/api/v1/runs/{}/cancel"),
        (Method::POST, "/api/v1/runs/{}/pause"),
        (Method::POST, "/api/v1/runs/{}/resume"),
        (Method::POST, "/api/v1/runs/{}/retry"),
    ] {
        let ask = |id: &str| plane.ask(method.clone(), &path.replace("{}", id)).token(&foreigner).send();
        let foreign = ask(&run).await.refused(404, "PH-1003");
        let missing = ask(missing).await.refused(404, "PH-1003");
        assert_eq!(foreign.bytes, missing.bytes, "{method} {path}");
        let malformed = ask("not-an-id").await.refused(404, "PH-1003");
        assert_eq!(foreign.bytes, malformed.bytes, "{method} {path}");
        let names = |answer: &crate::plane::Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&foreign), names(&missing), "{method} {path}");
    }
    let project = |name: &str| plane.ask(Method::GET, &format!("/api/v1/projects/{name}")).token(&foreigner).send();
    let foreign = project("one").await.refused(404, "PH-1003");
    assert_eq!(foreign.bytes, project("never").await.refused(404, "PH-1003").bytes);
    assert_eq!(foreign.bytes, project("NOT%20A%00KEY").await.refused(404, "PH-1003").bytes);
    let list = plane.ask(Method::GET, "/api/v1/projects").token(&foreigner).send().await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().iter().map(|p| p["key"].clone()).collect::<Vec<_>>(), ["other"]);
}

/// X13: cancel drains, repeats and refuses another end.
#[tokio::test]
async fn cancel_drains_and_may_be_repeated() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(2).await;
    let leases = plane.claim(&worker, 1).await;
    let cancel = format!("/api/v1/runs/{run}/cancel");
    let draining = plane.post(&cancel, &json!({})).send().await.expect(202).json();
    assert_eq!((&draining["cancelling"], &draining["status"]), (&json!(true), &json!("running")));
    plane.post(&cancel, &json!({})).send().await.expect(202);
    let task = leases[0]["task"].as_str().unwrap();
    plane
        .ask(Method::POST, &format!("/api/v1/worker/tasks/{task}/complete"))
        .token(&worker)
        .header("lease-generation", "1")
        .json(&json!({"output": {}}))
        .send()
        .await
        .expect(200);
    let ended = plane.post(&cancel, &json!({})).send().await.expect(200).json();
    assert_eq!(ended["status"], "cancelled");
    plane.post(&format!("/api/v1/runs/{run}/pause"), &json!({})).send().await.refused(409, "PH-1009");
}

/// P21, X12
#[tokio::test]
async fn pause_resume_and_retry() {
    let plane = TestPlane::start().await;
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    assert_eq!(plane.post(&path("pause"), &json!({})).send().await.expect(200).json()["status"], "paused");
    assert!(plane.claim(&worker, 1).await.is_empty(), "a paused run gives out nothing");
    plane.post(&path("retry"), &json!({})).send().await.refused(409, "PH-1009");
    assert_eq!(plane.post(&path("resume"), &json!({})).send().await.expect(200).json()["status"], "running");
    assert_eq!(plane.claim(&worker, 1).await.len(), 1);
    plane.post(&path("cancel"), &json!({})).send().await.expect(202);
    plane.post(&path("retry"), &json!({"mode": "backwards"})).send().await.refused(422, "PH-1002");
}

/// P2, P66: a run's token starts runs in its project, in the run's name, and controls none.
#[tokio::test]
async fn a_run_starts_runs_and_controls_none() {
    let plane = TestPlane::start().await;
    let parent = plane.probe(1).await;
    let body = json!({"kind": "run", "run": parent, "project": plane.project.id, "role": "member"});
    let token = plane.token(body).await;
    let start = plane.ask(Method::POST, &plane.runs()).token(&token).json(&json!({"kind": "probe"}));
    let child = start.send().await.expect(202).json()["run"].as_str().unwrap().to_owned();
    let view = plane.ask(Method::GET, &format!("/api/v1/runs/{child}")).token(&token).send().await.expect(200).json();
    assert_eq!((&view["trigger"], &view["parent"]), (&json!("run"), &json!(parent)));
    assert_eq!(view["created_by"], json!({"type": "run", "id": parent}));
    for verb in ["cancel", "pause", "resume", "retry"] {
        let ask = plane.ask(Method::POST, &format!("/api/v1/runs/{child}/{verb}")).token(&token).json(&json!({}));
        ask.send().await.refused(403, "PH-1005");
    }
    // Who acts is never in a body.
    let forged = json!({"kind": "probe", "created_by": {"type": "person"}, "trigger": "person"});
    plane.ask(Method::POST, &plane.runs()).token(&token).json(&forged).send().await.refused(422, "PH-1002");
    let program = plane.token(json!({"kind": "program"})).await;
    let start = plane.ask(Method::POST, &plane.runs()).token(&program).json(&json!({"kind": "probe"}));
    let run = start.send().await.expect(202).json()["run"].as_str().unwrap().to_owned();
    let view = plane.get(&format!("/api/v1/runs/{run}")).send().await.expect(200).json();
    assert_eq!((&view["trigger"], &view["created_by"]["type"]), (&json!("token"), &json!("token")));
}

/// X12, K1: a retry is a new run that names the old one; the same key makes one.
#[tokio::test]
async fn a_retry_is_a_new_run_once() {
    let plane = TestPlane::start().await;
    let old = plane.probe(1).await;
    plane.post(&format!("/api/v1/runs/{old}/cancel"), &json!({})).send().await.expect(200);
    let retry =
        || plane.post(&format!("/api/v1/runs/{old}/retry"), &json!({"mode": "all"})).header("idempotency-key", "r");
    let first = retry().send().await.expect(202);
    assert_eq!(first.bytes, retry().send().await.expect(202).bytes);
    let new = first.json()["run"].as_str().unwrap().to_owned();
    let view = plane.get(&format!("/api/v1/runs/{new}")).send().await.expect(200).json();
    assert_eq!(view["retry_of"], old);
    let before = plane.get(&format!("/api/v1/runs/{old}")).send().await.expect(200).json();
    assert_eq!(before["status"], "cancelled");
}

//! The board, what asks for a person, and what runs do to the issues they work on.

use axum::http::Method;
use engine::work::Outcome;
use model::id::WorkerId;
use serde_json::{Value, json};
use store::ClaimRequest;

use crate::{
    issues::{BASE, at, cards_told, changed, filed, read},
    plane::TestPlane,
    waivers::told,
};

const BOARD: &str = "/api/v1/projects/one/board";

/// Starts a run that works on the issue, as a run kind that does says: by its key (X7).
async fn work(plane: &TestPlane, issue: &Value, tasks: u32) -> crate::plane::Answer {
    let key = format!("work:{}", issue["id"].as_str().unwrap());
    let body = json!({"kind": "probe", "issue": issue["id"], "config": {"tasks": tasks, "exclusive": key}});
    plane.post(&plane.runs(), &body).send().await
}

/// Claims a task of a probe run and ends it.
async fn finish(plane: &TestPlane, outcome: Outcome) {
    let leased = claim(plane).await;
    let fence = model::task::Fence { task: leased.task.id, generation: leased.task.generation };
    plane.engine.finish_one(fence, outcome).await.unwrap();
}

async fn claim(plane: &TestPlane) -> store::Leased {
    let request = ClaimRequest {
        worker: WorkerId::from_uuid(uuid::Uuid::now_v7()),
        claim_id: uuid::Uuid::now_v7().to_string(),
        queues: vec![testkit::probe::QUEUE.to_owned()],
        labels: Vec::new(),
        max: 1,
        now: plane.engine.now(),
        lease: model::limits::LEASE,
    };
    plane.engine.claim(request, std::time::Duration::ZERO).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_board_has_columns_counts_and_the_number_to_follow_from() {
    // S6, S7
    let plane = TestPlane::start().await;
    for number in 0..5 {
        filed(&plane, json!({"title": format!("t{number}"), "labels": [if number % 2 == 0 { "even" } else { "odd" }]}))
            .await;
    }
    let done = filed(&plane, json!({"title": "done"})).await;
    changed(&plane, &done, json!({"status": "done"})).await;
    let board = plane.get(&format!("{BOARD}?per_column=2")).send().await.expect(200).json();
    let columns: Vec<_> = board["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| format!("{} {}", column["status"].as_str().unwrap(), column["count"]))
        .collect();
    assert_eq!(columns, ["triage 5", "ready 0", "in_progress 0", "waiting 0", "done 1", "closed 0"]);
    let triage = &board["columns"][0];
    assert_eq!((triage["cards"].as_array().map(Vec::len), &triage["cards"][0]["title"]), (Some(2), &json!("t0")));
    // The column goes on where the board left off.
    let cursor = triage["next_cursor"].as_str().unwrap();
    let rest = plane.get(&format!("{BASE}?status=triage&cursor={cursor}")).send().await.expect(200).json();
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["items"][0]["title"]), (Some(3), &json!("t2")));
    assert_eq!(board["columns"][4]["next_cursor"], Value::Null);
    // From its number on, what happens next is the first entry and nothing is told twice.
    filed(&plane, json!({"title": "after"})).await;
    let entries =
        plane.get(&format!("/api/v1/projects/one/entries?since={}", board["seq"])).send().await.expect(200).json();
    let items = entries["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["data"]["card"]["title"]), (1, &json!("after")));

    let even = plane.get(&format!("{BOARD}?label=even")).send().await.expect(200).json();
    assert_eq!((&even["columns"][0]["count"], &even["columns"][4]["count"]), (&json!(3), &json!(0)));
    for wrong in ["per_column=0", "per_column=501", "q=", "kind=x", "status=done", "label="] {
        plane.get(&format!("{BOARD}?{wrong}")).send().await.refused(422, "PH-1002");
    }
}

#[tokio::test]
async fn work_moves_its_issue_from_the_start_to_the_review() {
    // X6, S2, S8, D7
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t", "status": "ready"})).await;
    let run = work(&plane, &issue, 2).await.expect(202).json()["run"].clone();
    let now = read(&plane, &issue).await;
    assert_eq!(
        (&now["status"], &now["run"]["id"], &now["run"]["status"]),
        (&json!("in_progress"), &run, &json!("queued"))
    );
    let view = plane.get(&format!("/api/v1/runs/{}", run.as_str().unwrap())).send().await.expect(200).json();
    assert_eq!(view["issue"], issue["id"]);
    finish(&plane, Outcome::done(json!({}))).await;
    let now = read(&plane, &issue).await;
    assert_eq!((&now["run"]["status"], &now["run"]["progress"]["done"]), (&json!("running"), &json!(1)));
    finish(&plane, Outcome::done(json!({}))).await;
    let now = read(&plane, &issue).await;
    assert_eq!(
        (&now["status"], &now["attention"], &now["run"]["verdict"]),
        (&json!("waiting"), &json!("review"), &json!("passed"))
    );
    assert_eq!(
        cards_told(&plane).await,
        ["created: #1 ready", "run.created: #1 in_progress", "run.status: #1 in_progress", "run.finished: #1 waiting"]
    );
    let last = told(&plane, "project", &["issue.card"]).await.pop().unwrap();
    assert_eq!(
        (&last["cause"]["verdict"], &last["cause"]["changes"]["status"]["to"]),
        (&json!("passed"), &json!("waiting")),
        "D8"
    );
    let attention = plane.get("/api/v1/projects/one/attention").send().await.expect(200).json();
    assert_eq!(attention, json!({"questions": 0, "to_review": 1, "to_plan": 0, "failed": 0}));
    // A person who moves it has looked at it (X48).
    let moved = changed(&plane, &issue, json!({"status": "ready"})).await;
    assert_eq!(moved["attention"], "none");
    let runs = plane.get(&format!("{}/runs", at(&issue))).send().await.expect(200).json();
    assert_eq!((runs["items"].as_array().map(Vec::len), &runs["items"][0]["id"]), (Some(1), &run));
    plane.get(&format!("{}/runs?limit=0", at(&issue))).send().await.refused(422, "PH-1002");
}

#[tokio::test]
async fn whatever_ends_a_run_takes_its_issue_out_of_progress() {
    // S2, S3, X6
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let run = work(&plane, &issue, 1).await.expect(202).json()["run"].as_str().unwrap().to_owned();
    let refused = work(&plane, &issue, 1).await.refused(409, "PH-1008");
    assert_eq!(refused.json()["active_run"], run.as_str(), "one run works on an issue at a time (D33)");
    // Not closed under an active run, which is named; nothing else is in the way of a person.
    for status in ["done", "closed"] {
        let ask = plane.ask(Method::PATCH, &at(&issue)).token(&plane.admin).header("if-match", "2");
        let refused = ask.json(&json!({"status": status})).send().await.refused(409, "PH-1008");
        assert_eq!(refused.json()["active_run"], run.as_str());
    }
    changed(&plane, &issue, json!({"status": "triage"})).await;
    plane.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).send().await.expect(200);
    let now = read(&plane, &issue).await;
    assert_eq!((&now["status"], &now["attention"]), (&json!("ready"), &json!("none")), "cancelled is not failed");

    let run = work(&plane, &issue, 1).await.expect(202).json()["run"].as_str().unwrap().to_owned();
    claim(&plane).await;
    let id = run.parse().unwrap();
    let store = plane.engine.store().clone();
    let now_at = plane.engine.now();
    store
        .write(move |tx| {
            Box::pin(async move {
                let mut run = tx.run_lock(id).await?.unwrap();
                let ending = engine::runs::failed(model::failure::FailureCode::Deadline, "too slow");
                engine::runs::close(&testkit::probe::Probe, tx, &mut run, ending, now_at).await
            })
        })
        .await
        .unwrap();
    let now = read(&plane, &issue).await;
    assert_eq!(
        (&now["status"], &now["attention"], &now["run"]["failure"]),
        (&json!("ready"), &json!("failed"), &json!("deadline"))
    );
    changed(&plane, &issue, json!({"status": "done"})).await;
    let closed = work(&plane, &issue, 1).await.refused(409, "PH-2002");
    assert_eq!(closed.json()["issue_status"], "done", "S4");
    let runs = plane.get(&plane.runs()).send().await.expect(200).json();
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(2), "a refused start leaves no run");
    assert_eq!(read(&plane, &issue).await["attention"], "none");
    let nobody = json!({"kind": "probe", "issue": "01890000-0000-7000-8000-000000000001"});
    plane.post(&plane.runs(), &nobody).send().await.refused(404, "PH-1003");
}

#[tokio::test]
async fn an_issue_waits_while_its_run_waits_for_a_person() {
    // D8, X11
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let run = work(&plane, &issue, 1).await.expect(202).json()["run"].as_str().unwrap().to_owned();
    claim(&plane).await;
    let step = |event: model::run::RunEvent| {
        let (store, now, id) = (plane.engine.store().clone(), plane.engine.now(), run.parse().unwrap());
        async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        let mut run = tx.run_lock(id).await?.unwrap();
                        engine::runs::step(tx, &mut run, event, "a test", now).await
                    })
                })
                .await
                .unwrap();
        }
    };
    step(model::run::RunEvent::Parked).await;
    assert_eq!(read(&plane, &issue).await["status"], "waiting");
    step(model::run::RunEvent::Unparked).await;
    assert_eq!(read(&plane, &issue).await["status"], "in_progress");
}

#[tokio::test]
async fn a_run_about_an_issue_that_does_not_work_on_it_leaves_it_where_it_is() {
    let plane = TestPlane::start().await;
    let issue = filed(&plane, json!({"title": "t"})).await;
    let body = json!({"kind": "probe", "issue": issue["id"], "config": {"tasks": 1}});
    plane.post(&plane.runs(), &body).send().await.expect(202);
    finish(&plane, Outcome::done(json!({}))).await;
    let now = read(&plane, &issue).await;
    assert_eq!((&now["status"], &now["revision"]), (&json!("triage"), &json!(1)));
    assert_eq!(
        cards_told(&plane).await,
        ["created: #1 triage", "run.created: #1 triage", "run.status: #1 triage", "run.finished: #1 triage"]
    );
}

#[tokio::test]
async fn work_on_a_blocked_issue_names_what_it_waits_for() {
    // D33, S4: asked by the admission of a kind that works on issues.
    let plane = TestPlane::start().await;
    let blocker = filed(&plane, json!({"title": "first"})).await;
    let issue = filed(&plane, json!({"title": "then", "blocked_by": [blocker["id"]]})).await;
    let admit = |force: bool| {
        let (store, id) = (plane.engine.store().clone(), issue["id"].as_str().unwrap().parse().unwrap());
        async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        let issue = tx.issue(id).await?.unwrap();
                        engine::issues::admit(tx, &issue, force, &model::actor::Actor::System).await
                    })
                })
                .await
        }
    };
    let refused = admit(false).await.unwrap_err();
    assert_eq!((refused.code.to_string().as_str(), &refused.facts["blocked_by"][0]["number"]), ("PH-2003", &json!(1)));
    let forced = admit(true).await.unwrap();
    assert_eq!((forced[0].kind.as_ref(), &forced[0].data["actor"]["type"]), ("issue.forced", &json!("system")));
    changed(&plane, &blocker, json!({"status": "done"})).await;
    assert!(admit(false).await.unwrap().is_empty());
    changed(&plane, &issue, json!({"status": "closed"})).await;
    assert_eq!(admit(true).await.unwrap_err().code.to_string(), "PH-2002");
}

//! The ledger of a run and of a project's day, its recount, the budget, and who may raise it.

use axum::http::Method;
use model::{
    agent::usage::{Cost, CostState},
    id::{QuestionId, ReserveId, RunId},
    ledger::{Account, Ask, Cap, Caps, Spent},
    money::NanoUsd,
    question::{Question, QuestionKind, QuestionState},
    task::Fence,
};
use serde_json::{Value, json};
use store::{Reserve, StoreError};
use uuid::Uuid;

use crate::plane::TestPlane;

/// Reserves a dollar for the first task of a run, as claimed once, and books what it spent.
async fn spend(plane: &TestPlane, run: &str, cost: Option<(CostState, u64)>) {
    let run: RunId = run.parse().unwrap();
    let now = plane.engine.now();
    let account = Account { run, project: plane.project.id, day: now.day() };
    let cap = Cap::At(NanoUsd::from_micros(10_000_000).unwrap());
    let done = plane.engine.store().write(move |tx| {
        Box::pin(async move {
            let task = tx.tasks(run, &Default::default(), None, 1).await?.remove(0);
            let fence = Fence { task: task.id, generation: 1 };
            let want = Reserve {
                id: ReserveId::from_uuid(Uuid::now_v7()),
                account,
                attempt: Some(fence),
                ask: Ask::UpTo(NanoUsd::from_micros(1_000_000).unwrap()),
                caps: Caps { run: cap, day: cap },
                because: "=a \"test\", and more".to_owned(),
            };
            tx.ledger_reserve(&want, now).await?.unwrap();
            if let Some((state, micros)) = cost {
                let spent = Spent::Cost(Cost { state, known: NanoUsd::from_micros(micros).unwrap() });
                tx.ledger_spent(fence, spent, ReserveId::from_uuid(Uuid::now_v7()), now).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    done.await.unwrap();
}

/// A run whose task a worker holds.
async fn at_work(plane: &TestPlane) -> String {
    let worker = plane.worker().await;
    let run = plane.probe(1).await;
    assert_eq!(plane.claim(&worker, 1).await.len(), 1);
    run
}

// X1, X2, L87, L89
#[tokio::test]
async fn a_run_and_a_day_show_their_lines_and_what_they_come_to() {
    let plane = TestPlane::start().await;
    let (first, second) = (at_work(&plane).await, at_work(&plane).await);
    spend(&plane, &first, Some((CostState::Reported, 20_000))).await;
    spend(&plane, &second, Some((CostState::Unknown, 0))).await;
    let ledger = plane.get(&format!("/api/v1/runs/{first}/ledger")).send().await.expect(200).json();
    let kinds: Vec<&str> =
        ledger["lines"].as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reserve", "settle"]);
    let settled = &ledger["lines"][1];
    assert_eq!((&settled["micro_usd"], &settled["cost_state"]), (&json!(20_000), &json!("reported")));
    assert_eq!(
        ledger["totals"],
        json!({"spent_micro_usd": 20_000, "held_micro_usd": 0, "reserved_micro_usd": 0, "state": "known"})
    );
    let pool = &ledger["pools"][0];
    assert_eq!(
        (&pool["pool"], &pool["cap_micro_usd"], &pool["left_micro_usd"]),
        (&json!("run"), &json!(5_000_000), &json!(4_980_000))
    );
    let view = plane.get(&format!("/api/v1/runs/{first}")).send().await.expect(200).json();
    assert_eq!(view["cost"], ledger["totals"]);
    let day = plane.get("/api/v1/projects/one/ledger").send().await.expect(200).json();
    assert_eq!(day["lines"].as_array().unwrap().len(), 4);
    assert_eq!((&day["totals"]["state"], &day["totals"]["spent_micro_usd"]), (&json!("partial"), &json!(1_020_000)));
    assert_eq!(day["pools"][0]["left_micro_usd"], 8_980_000);
    // A page that shows the sums alone asks for them alone.
    let sums = plane.get("/api/v1/projects/one/ledger?lines=false").send().await.expect(200).json();
    assert_eq!((&sums["totals"], &sums["pools"], &sums["lines"]), (&day["totals"], &day["pools"], &json!([])));
    let of_run = plane.get(&format!("/api/v1/projects/one/ledger?run={second}")).send().await.expect(200).json();
    assert_eq!(of_run["totals"]["state"], "unknown");
    let other = plane.get("/api/v1/projects/one/ledger?day=2020-01-01").send().await.expect(200).json();
    assert_eq!(other["lines"], json!([]));
    let file = plane.get("/api/v1/projects/one/ledger?format=csv").send().await.expect(200);
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    let text = file.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("number,at,day,run,task,kind,usd") && lines.len() == 5, "{text}");
    assert!(lines[1].ends_with(",reserve,1.00,,false,\"'=a \"\"test\"\", and more\""), "{text}");
    assert!(lines[2].contains(",settle,0.02,reported,false,"), "{text}");
    let sound = plane.get("/api/v1/projects/one/ledger/verify").send().await.expect(200).json();
    assert_eq!(sound, json!({"lines": 4, "flaws": []}));
    let none = plane.probe(1).await;
    let view = plane.get(&format!("/api/v1/runs/{none}")).send().await.expect(200).json();
    assert!(view.get("cost").is_none(), "a run without lines says nothing");
}

// D34, D59: what a failed task cost is booked wherever the worker says it: in the failure, as `fail` takes it, or beside
// it; where both speak, beside it.
#[tokio::test]
async fn what_a_failure_of_many_cost_is_booked() {
    let cost = |micros: u64| {
        let known = NanoUsd::from_micros(micros).unwrap();
        json!(Spent::Cost(Cost { state: CostState::Reported, known }))
    };
    for (inside, beside, booked) in [(Some(300), None, 300), (None, Some(400), 400), (Some(300), Some(400), 400)] {
        let plane = TestPlane::start().await;
        let worker = plane.worker().await;
        let run = plane.probe(1).await;
        let lease = plane.claim(&worker, 1).await.remove(0);
        spend(&plane, &run, None).await;
        let mut failure = json!({"code": "agent_failed", "message": "no"});
        if let Some(micros) = inside {
            failure["spent"] = cost(micros);
        }
        let mut outcome = json!({"task": lease["task"], "generation": 1, "failure": failure});
        if let Some(micros) = beside {
            outcome["spent"] = cost(micros);
        }
        let ask = plane.ask(Method::POST, "/api/v1/worker/tasks/complete").token(&worker);
        let answer = ask.json(&json!({"outcomes": [outcome]})).send().await.expect(200).json();
        assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
        let ledger = plane.get(&format!("/api/v1/runs/{run}/ledger")).send().await.expect(200).json();
        let totals = &ledger["totals"];
        let counted = (&totals["spent_micro_usd"], &totals["reserved_micro_usd"]);
        assert_eq!(counted, (&json!(booked), &json!(0)), "{inside:?} {beside:?} {totals}");
    }
}

#[tokio::test]
async fn who_may_not_or_asks_wrongly_is_refused() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let (foreign, member) = (plane.foreigner().await, plane.token(json!({"kind": "person", "role": "member"})).await);
    for path in ["/api/v1/projects/one/ledger".to_owned(), format!("/api/v1/runs/{run}/ledger")] {
        plane.ask(Method::GET, &path).send().await.refused(401, "PH-1004");
        plane.ask(Method::GET, &path).token(&foreign).send().await.refused(404, "PH-1003");
        plane.ask(Method::GET, &path).token(&member).send().await.expect(200);
    }
    let verify = "/api/v1/projects/one/ledger/verify";
    plane.ask(Method::GET, verify).token(&member).send().await.refused(403, "PH-1005");
    for query in [
        format!("?run={run}&day=2026-11-21"),
        "?day=tomorrow".into(),
        "?format=xml".into(),
        "?deep=1".into(),
        "?lines=false&format=csv".into(),
    ] {
        plane.get(&format!("/api/v1/projects/one/ledger{query}")).send().await.refused(422, "PH-1002");
    }
    let none = "00000000-0000-7000-8000-000000000000";
    plane.get(&format!("/api/v1/projects/one/ledger?run={none}")).send().await.refused(404, "PH-1003");
}

// X28, X34, L79
#[tokio::test]
async fn a_budget_is_a_document_with_a_history() {
    let plane = TestPlane::start().await;
    let path = "/api/v1/projects/one/settings/budget";
    let first = plane.get(path).send().await.expect(200).json();
    assert_eq!((&first["revision"], &first["body"]), (&json!(0), &json!({})));
    let inherits = json!({"run_micro_usd": 5_000_000, "day_micro_usd": 10_000_000, "max_top_up_micro_usd": 20_000_000});
    assert_eq!(first["inherits"], inherits);
    let put = |revision: &str, body: Value| {
        plane.ask(Method::PUT, path).token(&plane.admin).header("if-match", revision).json(&body)
    };
    for wrong in [json!({"run_micro_usd": -1}), json!({"day_micro_usd": "unlimited"}), json!({"usd": 5})] {
        let refused = put("0", wrong).send().await.refused(422, "PH-4018");
        assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 1);
    }
    let body = json!({"run_micro_usd": 0, "day_micro_usd": "none"});
    let saved = put("0", body.clone()).send().await.expect(200).json();
    assert_eq!((&saved["revision"], &saved["body"]), (&json!(1), &body));
    put("0", json!({})).send().await.refused(412, "PH-1006");
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    let ask = plane.ask(Method::PUT, path).token(&member).header("if-match", "1").json(&json!({}));
    ask.send().await.refused(403, "PH-1005");
    let run = plane.probe(1).await;
    let ledger = plane.get(&format!("/api/v1/runs/{run}/ledger")).send().await.expect(200).json();
    assert_eq!((&ledger["pools"][0]["cap_micro_usd"], &ledger["pools"][1]["cap_micro_usd"]), (&json!(0), &Value::Null));
}

// L90, X10: admins raise caps, and those whom the policy names; others get 403 and the question stays open.
#[tokio::test]
async fn who_may_answer_about_money() {
    let plane = TestPlane::start().await;
    let run = at_work(&plane).await;
    let now = plane.engine.now();
    let question = Question {
        id: QuestionId::from_uuid(Uuid::now_v7()),
        project: plane.project.id,
        run: run.parse().unwrap(),
        task: None,
        kind: QuestionKind::Budget,
        state: QuestionState::Open,
        subject: "budget/run/x".into(),
        prompt: "More?".into(),
        schema: json!({"pool": "run", "day": now.day()}),
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        expires_at: None,
        created_at: now,
    };
    let id = question.id;
    let asked = plane.engine.store().write(move |tx| {
        let question = question.clone();
        Box::pin(async move { tx.question_insert(&question).await })
    });
    assert!(Result::<_, StoreError>::unwrap(asked.await));
    let path = format!("/api/v1/questions/{id}/answer");
    let member = plane.token(json!({"kind": "person", "role": "member"})).await;
    let body = json!({"decision": "top_up", "micro_usd": 1_000_000});
    plane.ask(Method::POST, &path).token(&member).json(&body).send().await.refused(403, "PH-1005");
    let open = plane.get(&format!("/api/v1/questions/{id}")).send().await.expect(200).json();
    assert_eq!(open["state"], "open");
    let admin = |body: &Value| plane.ask(Method::POST, &path).token(&plane.admin).json(body);
    admin(&json!({"decision": "top_up", "micro_usd": 0})).send().await.refused(422, "PH-1002");
    admin(&body).send().await.expect(200);
    admin(&body).send().await.refused(409, "PH-1012");
    let ledger = plane.get(&format!("/api/v1/runs/{run}/ledger")).send().await.expect(200).json();
    let pool = &ledger["pools"][0];
    assert_eq!((&pool["cap_micro_usd"], &pool["topped_up_micro_usd"]), (&json!(6_000_000), &json!(1_000_000)));
    assert_eq!(ledger["lines"], json!([]), "a top-up is no spending");
    let audit = plane.get("/api/v1/projects/one/audit/entries").send().await.expect(200).json();
    assert!(audit.to_string().contains("ledger.topped_up"), "{audit}");
}

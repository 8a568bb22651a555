//! Questions over HTTP: who may answer, and that one answer counts.

use engine::Engine;
use futures::future::join_all;
use model::{
    id::{ProjectId, QuestionId, RunId},
    question::{Question, QuestionKind, QuestionState},
};
use serde_json::{Value, json};
use store::StoreError;

use crate::plane::TestPlane;

/// A question that a run waits for.
async fn asked(engine: &Engine, project: ProjectId, run: RunId) -> QuestionId {
    let question = Question {
        id: QuestionId::from_uuid(engine.clock().id()),
        project,
        run,
        task: None,
        kind: QuestionKind::Question,
        state: QuestionState::Open,
        subject: "which".to_owned(),
        prompt: "Which?".to_owned(),
        schema: json!({}),
        answer: None,
        answered_by: None,
        ended_at: None,
        because: None,
        expires_at: None,
        created_at: engine.now(),
    };
    let id = question.id;
    let written = engine.store().write(move |tx| {
        let question = question.clone();
        Box::pin(async move { tx.question_insert(&question).await })
    });
    assert!(Result::<_, StoreError>::unwrap(written.await));
    id
}

async fn open(plane: &TestPlane) -> String {
    let run = plane.probe(1).await.parse().unwrap();
    let id = asked(&plane.engine, plane.project.id, run).await;
    format!("/api/v1/questions/{id}/answer")
}

// S59: of many answers at once one counts; the others hear whose, what and when.
#[tokio::test]
async fn one_of_many_answers_counts() {
    let plane = TestPlane::start().await;
    let path = open(&plane).await;
    let all = (0..8).map(|n| plane.post(&path, &json!({"text": n.to_string()})).send());
    let all = join_all(all).await;
    let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    let won = won[0].json();
    for other in lost {
        let problem = other.refused(409, "PH-1012").json();
        assert_eq!(problem["answer"], won["answer"]);
        assert_eq!((&problem["answered_by"], &problem["answered_at"]), (&won["answered_by"], &won["ended_at"]));
        assert!(won["ended_at"].is_string());
    }
}

// S59, K1: an answer whose answer was lost is sent again, and gets it; under that key nothing else is said.
#[tokio::test]
async fn the_same_answer_again_gets_its_first_answer() {
    let plane = TestPlane::start().await;
    let path = open(&plane).await;
    let send =
        |path: &str, words: &str| plane.post(path, &json!({"text": words})).header("idempotency-key", "first").send();
    let first = send(&path, "this").await.expect(200).json();
    assert_eq!(send(&path, "this").await.expect(200).json(), first);
    send(&path, "that").await.refused(422, "PH-1007");
    let other = open(&plane).await;
    send(&other, "this").await.refused(422, "PH-1007");
    plane
        .post(&path, &json!({"text": "this"}))
        .header("idempotency-key", "second")
        .send()
        .await
        .refused(409, "PH-1012");
}

// S62: only people answer, and those who may only look do not.
#[tokio::test]
async fn only_people_answer() {
    let plane = TestPlane::start().await;
    let path = open(&plane).await;
    let body = json!({"text": "this"});
    // A worker sees nothing of a project.
    let refusals: [(Value, u16, &str); 3] = [
        (json!({"kind": "program", "role": "admin"}), 403, "PH-1111"),
        (json!({"kind": "person", "role": "viewer"}), 403, "PH-1005"),
        (json!({"kind": "worker"}), 404, "PH-1003"),
    ];
    for (token, status, code) in refusals {
        let token = plane.token(token).await;
        let asked = plane.ask(axum::http::Method::POST, &path).token(&token).json(&body).send().await;
        asked.refused(status, code);
    }
    let foreigner = plane.foreigner().await;
    plane.ask(axum::http::Method::POST, &path).token(&foreigner).json(&body).send().await.refused(404, "PH-1003");
    plane.post(&path, &body).send().await.expect(200);
}

//! What happens when the server itself is at fault.

use std::sync::Arc;

use engine::{
    kind::{Admission, Admitted, Event, Kind},
    work::{Assignment, Outcome},
};
use futures::future::BoxFuture;
use model::{
    problem::Problem,
    run::{Run, RunKind},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::Tx;

use crate::plane::TestPlane;

/// A run kind with a bug in each place that a request reaches.
struct Bug;

impl Kind for Bug {
    fn kind(&self) -> RunKind {
        RunKind::named("bug")
    }

    fn admit<'a>(&'a self, _: &'a mut Tx, _: &'a Admission<'a>) -> BoxFuture<'a, Result<Admitted, Problem>> {
        Box::pin(async { panic!("secret words at /home/somebody/secret.rs") })
    }

    fn on<'a>(
        &'a self,
        _: &'a mut Tx,
        _: &'a mut Run,
        _: Event<'a>,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async { Ok(()) })
    }

    fn handle(self: Arc<Self>, _: Assignment) -> BoxFuture<'static, Outcome> {
        Box::pin(async { Outcome::done(Value::Null) })
    }

    fn retry_config(&self, _: &Run, _: Option<&str>) -> Result<Value, Problem> {
        Ok(Value::Null)
    }
}

/// P74: a bug answers with a correlation id and not one of its own words, and the server goes on.
#[tokio::test]
async fn a_panic_is_a_problem_with_a_correlation_id() {
    let plane = TestPlane::with_kinds(vec![Arc::new(Bug)]).await;
    for _ in 0..2 {
        let ask = plane.post(&plane.runs(), &json!({"kind": "bug"})).header("x-request-id", "asked-for");
        let answer = ask.send().await.refused(500, "PH-1019");
        let text = answer.text();
        assert!(!text.contains("secret") && !text.contains("/home") && !text.contains("panic"), "{text}");
        assert_eq!(answer.json()["request_id"], "asked-for");
        assert_eq!(answer.headers["x-request-id"], "asked-for");
    }
    plane.probe(1).await;
}

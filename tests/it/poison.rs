//! Tasks that take their worker with them.

use std::time::Duration;

use engine::Submit;
use model::{
    actor::Actor,
    id::RunId,
    journal::StreamId,
    limits,
    run::{RunKind, RunStatus},
    task::{Fence, TaskState},
};
use serde_json::json;
use testkit::TestPlane;

async fn submit(plane: &TestPlane, project: model::id::ProjectId) -> RunId {
    let ask = Submit {
        project,
        kind: RunKind::named("probe"),
        config: json!({}),
        actor: Actor::System,
        join: false,
        once: None,
        retry_of: None,
        issue: None,
    };
    plane.engine.submit(ask).await.unwrap().run.id
}

/// F17: a task that kills its worker at each attempt fails with `worker_lost` once its attempts are
/// used up; the other tasks are handed out and finished meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_task_fails_alone() {
    let plane = TestPlane::start().await;
    let project = plane.project("poison", plane.folder()).await;
    let poison = submit(&plane, project).await;
    for attempt in 1..=limits::ATTEMPTS {
        let good = submit(&plane, project).await;
        let leased = plane.claim(2, Duration::from_secs(10)).await;
        assert_eq!(leased.len(), 2, "attempt {attempt}");
        for leased in leased {
            if leased.task.run == poison {
                assert_eq!(leased.task.attempt, attempt);
                continue;
            }
            let fence = Fence { task: leased.task.id, generation: leased.task.generation };
            plane.engine.finish_one(fence, engine::work::Outcome::done(json!({}))).await.unwrap();
            assert_eq!(leased.task.run, good);
        }
        let good = plane.engine.run(good).await.unwrap();
        assert_eq!((good.status, good.verdict.as_deref()), (RunStatus::Completed, Some("passed")));
        // The worker is gone; its lease runs out, and the sweep hears of it within a second.
        plane.clock.advance(limits::LEASE + Duration::from_secs(1));
        let held = move |state: TaskState| state == TaskState::Leased;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let tasks =
                plane.engine.store().read(move |tx| Box::pin(async move { tx.leased_tasks(poison).await })).await;
            if !tasks.unwrap().iter().any(|task| held(task.state)) {
                break;
            }
        }
    }
    let mut run = plane.engine.run(poison).await.unwrap();
    for _ in 0..100 {
        if run.status.is_terminal() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        run = plane.engine.run(poison).await.unwrap();
    }
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("failed")));
    let entries = plane
        .engine
        .store()
        .read(move |tx| Box::pin(async move { tx.entries(StreamId::Run(poison), 0, 1_000).await }))
        .await
        .unwrap();
    let count = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((count("task.requeued"), count("task.failed"), count("run.finished")), (2, 1, 1));
    assert!(entries.iter().any(|entry| entry.data.contains("worker_lost")));
    plane.stop().await;
}

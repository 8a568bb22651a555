//! Issues on both databases while several want something of them at once.

use std::time::Duration;

use engine::{Submit, issues::Detailed, work::Outcome};
use model::{
    actor::Actor,
    code::Code,
    id::{IssueId, ProjectId},
    issue::{IssueChange, IssueStatus, NewIssue, work_key},
    journal::StreamId,
    problem::Problem,
    run::RunKind,
    task::Fence,
};
use serde_json::{Value, json};
use testkit::{
    database,
    plane::{TestPlane, Wanted},
};

const ROUNDS: usize = 12;

async fn planes(name: &str) -> Vec<TestPlane> {
    let mut planes = vec![TestPlane::start().await];
    match database::postgres_server() {
        Some(server) => planes.push(TestPlane::with(Wanted { postgres: Some(server), ..Wanted::default() }).await),
        None => println!("skipped: {name}: no PostgreSQL"),
    }
    planes
}

async fn file(plane: &TestPlane, project: ProjectId) -> Detailed {
    let new: NewIssue = serde_json::from_value(json!({"title": "t"})).unwrap();
    plane.engine.file_issue(project, new, &Actor::System, None).await.unwrap()
}

async fn change(plane: &TestPlane, issue: &Detailed, body: Value) -> Result<Detailed, Problem> {
    let change: IssueChange = serde_json::from_value(body).unwrap();
    let (project, id, revision) = (issue.issue.project, issue.issue.id, issue.issue.revision);
    plane.engine.change_issue(project, id, change, revision, &Actor::System).await
}

async fn work(plane: &TestPlane, project: ProjectId, issue: IssueId) -> Result<engine::Submitted, Problem> {
    let ask = Submit {
        project,
        kind: RunKind::named("probe"),
        config: json!({"exclusive": work_key(issue)}),
        actor: Actor::System,
        join: false,
        once: None,
        retry_of: None,
        issue: Some(issue),
    };
    plane.engine.submit(ask).await
}

async fn status(plane: &TestPlane, issue: &Detailed) -> IssueStatus {
    plane.engine.issue(model::issue::IssueName::Id(issue.issue.id)).await.unwrap().issue.status
}

/// S3, S4, D33: whoever is first wins, and never is an issue closed under the run that works on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_and_a_start_at_once_end_in_one_of_them() {
    for plane in planes("a_close_and_a_start_at_once_end_in_one_of_them").await {
        let project = plane.project("p", plane.folder()).await;
        for _ in 0..ROUNDS {
            let issue = file(&plane, project).await;
            let (closed, first, second) = tokio::join!(
                change(&plane, &issue, json!({"status": "closed"})),
                work(&plane, project, issue.issue.id),
                work(&plane, project, issue.issue.id),
            );
            let started: Vec<_> = [&first, &second].into_iter().filter_map(|one| one.as_ref().ok()).collect();
            assert!(started.len() <= 1, "one run works on an issue at a time");
            match (closed, started.first()) {
                (Ok(_), None) => assert_eq!(status(&plane, &issue).await, IssueStatus::Closed),
                (Err(refused), Some(_)) => {
                    assert!(matches!(refused.code, Code::RunActive | Code::RevisionOld), "{refused}");
                    assert_eq!(status(&plane, &issue).await, IssueStatus::InProgress);
                }
                (closed, started) => panic!("closed: {}, started: {}", closed.is_ok(), started.is_some()),
            }
            for refused in [first, second].into_iter().filter_map(Result::err) {
                assert!(matches!(refused.code, Code::RunActive | Code::IssueClosed), "{refused}");
            }
        }
        plane.stop().await;
    }
}

/// D3: two changes that are fine one by one make no ring together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_at_once_make_no_ring() {
    for plane in planes("two_changes_at_once_make_no_ring").await {
        let project = plane.project("p", plane.folder()).await;
        for _ in 0..ROUNDS {
            let (a, b) = (file(&plane, project).await, file(&plane, project).await);
            for field in ["parent", "blocked_by"] {
                let to = |id: IssueId| if field == "parent" { json!({field: id}) } else { json!({field: [id]}) };
                let read = |one: &Detailed| plane.engine.issue(model::issue::IssueName::Id(one.issue.id));
                let (a, b) = (read(&a).await.unwrap(), read(&b).await.unwrap());
                let (one, other) = tokio::join!(change(&plane, &a, to(b.issue.id)), change(&plane, &b, to(a.issue.id)));
                let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
                assert_eq!(refused.len(), 1, "{field}: {refused:?}");
                assert_eq!(refused[0].code, Code::IssueCycle);
            }
        }
        plane.stop().await;
    }
}

/// D7, S2, K3: what a run does to its issue is told with it, in order and without a hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_moves_its_issue_and_tells_it() {
    for plane in planes("a_run_moves_its_issue_and_tells_it").await {
        let project = plane.project("p", plane.folder()).await;
        let issue = file(&plane, project).await;
        work(&plane, project, issue.issue.id).await.unwrap();
        let leased = plane.claim(1, Duration::from_secs(10)).await.remove(0);
        let fence = Fence { task: leased.task.id, generation: leased.task.generation };
        plane.engine.finish_one(fence, Outcome::done(json!({}))).await.unwrap();
        assert_eq!(status(&plane, &issue).await, IssueStatus::Waiting);
        let stream = StreamId::Project(project);
        let entries = plane.engine.store().read(move |tx| Box::pin(async move { tx.entries(stream, 0, 1_000).await }));
        let entries = Result::<_, store::StoreError>::unwrap(entries.await);
        assert!(entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "numbers without a hole");
        let cards = entries.iter().filter(|entry| entry.kind == "issue.card").map(|entry| {
            let data: Value = serde_json::from_str(&entry.data).unwrap();
            format!("{} {}", data["cause"]["what"].as_str().unwrap(), data["card"]["status"].as_str().unwrap())
        });
        let told: Vec<_> = cards.collect();
        assert_eq!(
            told,
            ["created triage", "run.created in_progress", "run.status in_progress", "run.finished waiting"]
        );
        plane.stop().await;
    }
}

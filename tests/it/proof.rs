//! Proof runs on real repositories with real processes: what they execute, what they say, and what is
//! left when they are cancelled, refused or moved under.

use std::{path::Path, time::Duration};

use engine::{
    Engine, Submit, Submitted,
    projects::{NewProject, POLICY},
};
use model::{
    actor::Actor,
    code::Code,
    id::UserId,
    problem::Problem,
    project::Project,
    run::{Run, RunKind, RunStatus},
};
use serde_json::{Value, json};
use testkit::{Repo, TestPlane, plane::Wanted};

fn somebody() -> Actor {
    Actor::Person { id: UserId::from_uuid(uuid::Uuid::from_u128(1)), name: "ada".to_owned() }
}

/// A plane that works, and a repository with these gates and one suite requirement for each.
async fn proving(gates: &[(&str, &[&str])], scripts: &[(&str, &str)]) -> (TestPlane, Repo, Project) {
    let plane = TestPlane::with(Wanted { real_time: true, worker: Some(2), ..Wanted::default() }).await;
    let repo = Repo::new();
    repo.file("README.md", "x\n").gates(gates);
    for (path, body) in scripts {
        repo.script(path, body);
    }
    repo.commit();
    let new = NewProject { path: repo.path().display().to_string(), key: None, name: None };
    let project = plane.engine.register_project(new, &somebody()).await.unwrap().project;
    let programs: Vec<Value> = gates
        .iter()
        .map(|(_, argv)| json!({"program": argv[0].trim_start_matches("./"), "decision": "allow", "inline": true}))
        .collect();
    let policy = json!({"commands": programs});
    plane.engine.set_document(project.id, POLICY, policy, 0, &somebody()).await.unwrap();
    for (gate, _) in gates {
        capture(&plane.engine, &project, gate).await;
    }
    (plane, repo, project)
}

async fn capture(engine: &Engine, project: &Project, gate: &str) {
    let body = json!({
        "title": format!("{gate} holds"), "description": "It does.", "gates": [gate],
        "rules": [{"gate": gate, "how": "suite"}],
    });
    engine::proof::requirements::capture(engine, project, &body, &somebody(), None).await.unwrap();
}

async fn start(engine: &Engine, project: &Project, config: Value) -> Result<Submitted, Problem> {
    let ask = Submit {
        project: project.id,
        kind: RunKind::PROOF,
        config,
        actor: somebody(),
        join: false,
        once: None,
        retry_of: None,
        issue: None,
    };
    engine.submit(ask).await
}

async fn ended(engine: &Engine, run: &Run) -> Run {
    for _ in 0..600 {
        let now = engine.run(run.id).await.unwrap();
        if now.status.is_terminal() {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run did not end: {:?}", engine.run(run.id).await);
}

/// Every gate's verdict and reason, by gate.
async fn verdicts(engine: &Engine, run: &Run) -> Vec<(String, String)> {
    let id = run.id;
    let entries = engine
        .store()
        .read(move |tx| Box::pin(async move { tx.entries(model::journal::StreamId::Run(id), 0, 1_000).await }))
        .await
        .map_err(|error: store::StoreError| error)
        .unwrap();
    let mut found: Vec<(String, String)> = entries
        .iter()
        .filter(|entry| entry.kind == "gate.finished")
        .map(|entry| {
            let data: Value = serde_json::from_str(&entry.data).unwrap();
            let reason = data["reason"].as_str().unwrap_or("passed").to_owned();
            (data["gate"].as_str().unwrap().to_owned(), reason)
        })
        .collect();
    found.sort();
    found
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(gate, reason)| ((*gate).to_owned(), (*reason).to_owned())).collect()
}

// P22, P43, P44: the verdict is the worst truth, and a tool that cannot be started is not a failure.
#[tokio::test(flavor = "multi_thread")]
async fn every_gate_says_what_it_saw() {
    let (plane, _repo, project) = proving(
        &[("good", &["sh", "-c", "exit 0"]), ("bad", &["sh", "-c", "echo no; exit 3"]), ("gone", &["no-such-tool"])],
        &[],
    )
    .await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    // P18: the whole list is there at once.
    assert_eq!(run.progress.total, 3);
    let run = ended(&plane.engine, &run).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("failed")));
    let expected = [("bad", "exit_code"), ("gone", "runner_missing"), ("good", "passed")];
    assert_eq!(verdicts(&plane.engine, &run).await, pairs(&expected));
    plane.stop().await;
}

// P30: however many obligations need a command, a run executes it once. P25: a retry is a new run.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_once_for_all_who_need_it() {
    let (plane, repo, project) =
        proving(&[("good", &["sh", "-c", "echo x >> side.log"])], &[(".gitignore", "side.log\n")]).await;
    capture(&plane.engine, &project, "good").await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    let run = ended(&plane.engine, &run).await;
    assert_eq!(run.verdict.as_deref(), Some("passed"), "{:?}", run.detail);
    assert_eq!(run.progress.total, 2);
    assert_eq!(lines(&repo.at("side.log")), 1);
    let nothing = plane.engine.retry(run.id, None, None, None, somebody()).await.unwrap_err();
    assert_eq!(nothing.code, Code::WrongState);
    let again = plane.engine.retry(run.id, Some("all"), None, None, somebody()).await.unwrap().run;
    assert_eq!(again.retry_of, Some(run.id));
    ended(&plane.engine, &again).await;
    assert_eq!(lines(&repo.at("side.log")), 2, "another run executes it again");
    plane.stop().await;
}

// P56, X59: a changed file moves the tree and the passes count nowhere; a new untracked one is residue.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_moved_proves_nothing() {
    let (plane, _repo, project) = proving(&[("moves", &["sh", "-c", "echo y >> README.md"])], &[]).await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    let run = ended(&plane.engine, &run).await;
    assert_eq!(run.verdict.as_deref(), Some("unproven"));
    assert_eq!(verdicts(&plane.engine, &run).await, pairs(&[("moves", "passed")]));
    plane.stop().await;

    let (plane, _repo, project) = proving(&[("litters", &["sh", "-c", "echo y > new.txt"])], &[]).await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    assert_eq!(ended(&plane.engine, &run).await.verdict.as_deref(), Some("passed"));
    plane.stop().await;
}

// P19, P24: one active run per checkout; a cancel stops what runs and keeps what ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_rest_without_evidence() {
    let (plane, _repo, project) = proving(&[("slow", &["sleep", "300"])], &[]).await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    let refused = start(&plane.engine, &project, json!({})).await.unwrap_err();
    assert_eq!(refused.code, Code::RunActive);
    assert_eq!(refused.facts["active_run"], json!(run.id));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    plane.engine.cancel(run.id, &somebody()).await.unwrap();
    let run = ended(&plane.engine, &run).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Cancelled, Some("unproven")));
    assert_eq!(verdicts(&plane.engine, &run).await, pairs(&[("slow", "cancelled")]));
    assert_eq!(plane.engine.cancel(run.id, &somebody()).await.unwrap().status, RunStatus::Cancelled);
    plane.stop().await;
}

// X18, P31: without a policy nothing starts; what the policy does not list is refused, with the rule.
#[tokio::test(flavor = "multi_thread")]
async fn no_policy_allows_nothing() {
    let plane = TestPlane::with(Wanted { real_time: true, worker: Some(1), ..Wanted::default() }).await;
    let repo = Repo::new();
    repo.gates(&[("good", &["sh", "-c", "exit 0"])]).commit();
    let new = NewProject { path: repo.path().display().to_string(), key: None, name: None };
    let project = plane.engine.register_project(new, &somebody()).await.unwrap().project;
    capture(&plane.engine, &project, "good").await;
    assert_eq!(start(&plane.engine, &project, json!({})).await.unwrap_err().code, Code::PolicyDenied);
    let policy = json!({"commands": [{"program": "true", "decision": "allow"}]});
    plane.engine.set_document(project.id, POLICY, policy, 0, &somebody()).await.unwrap();
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    let run = ended(&plane.engine, &run).await;
    assert_eq!(verdicts(&plane.engine, &run).await, pairs(&[("good", "sandbox_refused")]));
    assert_eq!(run.verdict.as_deref(), Some("unproven"));
    plane.stop().await;
}

// P16, P17: an empty run is stored, completed, never passed, and says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_run_is_never_passed() {
    let (plane, _repo, project) = proving(&[], &[]).await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    let run = ended(&plane.engine, &run).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("unproven")));
    assert_eq!(run.detail["empty_reason"], "no_requirements");
    plane.stop().await;
}

// P55, P59: a ref is proved in a worktree of the plane's own, which is gone afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_ref_is_proved_beside_the_checkout() {
    let (plane, repo, project) = proving(&[("good", &["sh", "-c", "grep -q x README.md"])], &[]).await;
    repo.git(&["branch", "other"]);
    repo.file("README.md", "changed\n");
    let run = start(&plane.engine, &project, json!({"target": {"ref": "other"}})).await.unwrap().run;
    let run = ended(&plane.engine, &run).await;
    assert_eq!(run.verdict.as_deref(), Some("passed"), "{:?}", run.detail);
    assert_eq!(run.detail["settles"], false);
    assert!(!plane.folder().join("runs").join(run.id.to_string()).exists());
    let missing = start(&plane.engine, &project, json!({"target": {"ref": "nowhere"}})).await.unwrap().run;
    let missing = ended(&plane.engine, &missing).await;
    assert_eq!(missing.failure.unwrap().code, model::failure::FailureCode::RefNotFound);
    plane.stop().await;
}

// K7: what a run keeps is bounded: an artifact that goes beyond it is left out, a smaller one is kept.
#[tokio::test(flavor = "multi_thread")]
async fn artifacts_beyond_what_a_run_may_keep_are_left_out() {
    let write = "mkdir -p $1/artifacts; touch began; while [ ! -e go ]; do sleep 0.02; done; \
                 echo 123 > $1/artifacts/small; head -c 4000 /dev/zero > $1/artifacts/large";
    let (plane, repo, project) =
        proving(&[("good", &["sh", "-c", write, "sh", "{out}"])], &[(".gitignore", "began\ngo\n")]).await;
    let run = start(&plane.engine, &project, json!({})).await.unwrap().run;
    for _ in 0..400 {
        if repo.at("began").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // As if it had kept nearly all that it may.
    let (id, now) = (run.id, plane.engine.now());
    let filled = plane.engine.store().write(move |tx| {
        Box::pin(async move {
            let digest = model::digest::Digest::of(b"much");
            tx.blob_insert(&digest, model::limits::ARTIFACTS_PER_RUN - 1_000, now).await?;
            tx.blob_use(&digest, id).await
        })
    });
    Result::<_, store::StoreError>::unwrap(filled.await);
    repo.file("go", "");
    let run = ended(&plane.engine, &run).await;
    assert_eq!(run.verdict.as_deref(), Some("passed"), "{:?}", run.detail);
    let of = project.id;
    let records = plane.engine.store().read(move |tx| {
        Box::pin(async move {
            let evidence = tx.evidence_of_run(id).await?.remove(0);
            let kept = tx.evidence(of, evidence.id).await?.unwrap();
            let store::EvidenceBody::Kept(evidence) = kept.body else { panic!("it is kept") };
            tx.command_by_digest(id, &evidence.commands[0].digest).await
        })
    });
    let record = Result::<_, store::StoreError>::unwrap(records.await).unwrap();
    let kept: Vec<&str> = record.artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
    assert_eq!(kept, ["small"]);
    plane.stop().await;
}

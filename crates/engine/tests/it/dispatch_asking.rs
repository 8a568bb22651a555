//! What a dispatch asks of workers, and what people say on what it made.

use model::{code::Code, dispatch::NewChangeComment, failure::FailureCode, id::RunId, run::RunStatus, waiting::Reason};
use proofhouse_engine::Submitted;
use serde_json::{Value, json};

use crate::house::{House, git, owner};

fn on(path: &str, line: u32, body: &str) -> NewChangeComment {
    serde_json::from_value(json!({"path": path, "side": "after", "line": line, "quoted": "x", "body": body})).unwrap()
}

// D12: a start never fails because nobody is there who could do it: it waits, and says for what.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_what_it_waits_for_and_gives_up_in_time() {
    let house = House::with(&[("worker", "true")]).await;
    let issue = house.issue("Waits").await;
    let config = json!({"role": "by-worktree", "agent": "worker", "labels": ["gpu"], "queue_timeout_s": 3});
    let run = house.start(issue, config).await.unwrap().run.id;
    let waiting = house.until(run, |run| run.phase == "waiting_for_worker").await;
    let told = house.engine.waiting_for(&waiting).await.unwrap().unwrap();
    assert_eq!((told.queue.as_str(), told.reason), ("agent", Reason::NoneHas));
    assert_eq!(told.labels, ["agent:worker", "gpu"]);
    assert_eq!((told.eligible_workers.len(), told.message.as_str()), (0, "no worker of this project has gpu"));
    let (ended, _) = house.ended(run).await;
    assert_eq!((ended.status, ended.failure.unwrap().code), (RunStatus::Failed, FailureCode::NoWorker));
    assert_eq!(house.engine.waiting_for(&house.engine.run(run).await.unwrap()).await.unwrap(), None);
}

// D12: a worker that was named must be one that can do it; whether it is there is no matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_named_worker_is_known_and_has_the_agent() {
    let house = House::with(&[("worker", "echo more >> a.txt")]).await;
    let issue = house.issue("Named").await;
    let ask = |worker: &str, agent: &str| json!({"role": "by-worktree", "agent": agent, "worker": worker});
    let refused = |asked: Result<Submitted, model::problem::Problem>| asked.unwrap_err().code;
    assert_eq!(refused(house.start(issue, ask("nobody", "worker")).await), Code::NotFound);
    assert_eq!(refused(house.start(issue, ask("plane", "other")).await), Code::WorkerNotEligible);
    let run = house.start(issue, ask("plane", "worker")).await.unwrap().run.id;
    assert_eq!(house.ended(run).await.0.verdict.as_deref(), Some("applied"));
}

const WRITES: &str = "cat > prompt.tmp; cp prompt.tmp told.txt; rm prompt.tmp; echo more >> a.txt";

// S92: comments are kept, sent together and once, and the agent goes on from its own work knowing them.
#[tokio::test(flavor = "multi_thread")]
async fn comments_on_a_change_are_told_to_the_next_run_once() {
    let house = House::with(&[("worker", WRITES)]).await;
    let engine = &house.engine;
    let (run, detail) = house.done("Commented", json!({"role": "by-worktree", "agent": "worker"})).await;
    let commit = detail.report.unwrap().commit.unwrap();
    let nothing = engine.send_change_comments(&run, None, owner()).await.unwrap_err();
    assert_eq!(nothing.code, Code::WrongState);
    let first = engine.comment_change(&run, on("a.txt", 2, "Call it MORE."), &owner(), None).await.unwrap();
    let taken = engine.comment_change(&run, on("a.txt", 1, "Never mind"), &owner(), None).await.unwrap();
    engine.uncomment_change(&run, taken.id).await.unwrap();
    assert_eq!(engine.uncomment_change(&run, taken.id).await.unwrap_err().code, Code::NotFound);

    let again = engine.send_change_comments(&run, None, owner()).await.unwrap().run.id;
    let (next, detail) = house.ended(again).await;
    assert_eq!((next.retry_of, next.verdict.as_deref()), (Some(run.id), Some("applied")));
    let report = detail.report.unwrap();
    assert_eq!(report.base.as_ref(), Some(&commit), "it goes on from what was made");
    let told = git(&house.repo(), &["show", &format!("{}:told.txt", report.branch.unwrap())]);
    assert!(told.contains("- a.txt, line 2:") && told.contains("Call it MORE."), "{told}");
    assert!(!told.contains("Never mind"), "{told}");
    assert_eq!(git(&house.repo(), &["show", &format!("{}:a.txt", report.commit.unwrap())]), "a\nmore\nmore");

    let kept = engine.change_comments(run.issue.unwrap(), None, 10).await.unwrap();
    assert_eq!(kept.iter().map(|one| (one.id, one.sent)).collect::<Vec<_>>(), [(first.id, Some(again))]);
    for refused in [
        engine.send_change_comments(&run, None, owner()).await.err(),
        engine.uncomment_change(&run, first.id).await.err(),
    ] {
        assert_eq!(refused.unwrap().code, Code::WrongState);
    }
    assert!(config_of(&house, again).await["comments"].is_array());
}

// S92: sent while a run is at work on the issue they wait, are told by the next prompt and by no other, and cannot
// be taken back any more; the run that is at work is answered, and its agent is not told.
#[tokio::test(flavor = "multi_thread")]
async fn comments_sent_while_a_run_is_at_work_are_told_by_the_next_prompt_once() {
    let house = House::with(&[("worker", WRITES)]).await;
    let engine = &house.engine;
    let ask = json!({"role": "by-worktree", "agent": "worker"});
    let (first, _) = house.done("Commented", ask.clone()).await;
    let issue = first.issue.unwrap();
    // Its prompt is made, and nobody takes it.
    let busy = json!({"role": "by-worktree", "agent": "worker", "labels": ["gpu"]});
    let busy = house.start(issue, busy).await.unwrap().run.id;
    house.until(busy, |run| run.phase == "waiting_for_worker").await;
    let said = engine.comment_change(&first, on("a.txt", 2, "Call it MORE."), &owner(), None).await.unwrap();
    let sent = engine.send_change_comments(&first, None, owner()).await.unwrap();
    assert_eq!((sent.run.id, sent.joined), (busy, true));
    for refused in [
        engine.send_change_comments(&first, None, owner()).await.err(),
        engine.uncomment_change(&first, said.id).await.err(),
    ] {
        assert_eq!(refused.unwrap().code, Code::WrongState);
    }
    let kept = async || engine.change_comments(issue, None, 10).await.unwrap().remove(0);
    assert!(kept().await.queued.is_some() && kept().await.sent.is_none());
    engine.cancel(busy, &owner()).await.unwrap();
    house.ended(busy).await;
    assert_eq!(kept().await.sent, None, "its agent was not told");

    let mut prompts = Vec::new();
    for _ in 0..2 {
        let run = house.start(issue, ask.clone()).await.unwrap().run.id;
        let (_, detail) = house.ended(run).await;
        let told = format!("{}:told.txt", detail.report.unwrap().branch.unwrap());
        prompts.push((run, git(&house.repo(), &["show", &told])));
    }
    assert!(prompts[0].1.contains("Call it MORE."), "{}", prompts[0].1);
    assert!(!prompts[1].1.contains("Call it MORE."), "{}", prompts[1].1);
    assert_eq!(kept().await.sent, Some(prompts[0].0));
    let states = async |run| {
        let told = house.journal(run).await.into_iter().filter(|entry| entry.0 == "person.message");
        told.map(|entry| entry.1["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((states(busy).await, states(prompts[0].0).await), (vec!["queued".into()], vec!["delivered".into()]));
    assert!(states(prompts[1].0).await.is_empty());
}

async fn config_of(house: &House, run: RunId) -> Value {
    house.engine.run(run).await.unwrap().config
}

// D37: what a retry shall do otherwise is said with it; the old run stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_may_be_otherwise_than_the_run_it_tries_again() {
    let house = House::with(&[("worker", "exit 3"), ("other", "echo more >> a.txt")]).await;
    let (failed, _) = house.done("Other agent", json!({"role": "by-worktree", "agent": "worker"})).await;
    assert_eq!(failed.status, RunStatus::Failed);
    let changes = json!({"agent": "other", "instructions": "Try it so."});
    let again = house.engine.retry(failed.id, None, Some(&changes), None, owner()).await.unwrap().run.id;
    let (next, _) = house.ended(again).await;
    assert_eq!((next.verdict.as_deref(), next.retry_of), (Some("applied"), Some(failed.id)));
    assert_eq!((&next.config["agent"], &failed.config["agent"]), (&json!("other"), &json!("worker")));
    for wrong in [json!([]), json!({"reuse_result": true}), json!({"agnet": "other"})] {
        let refused = house.engine.retry(failed.id, None, Some(&wrong), None, owner()).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{wrong}");
    }
}

const LEAVES: &str = r#"cat > /dev/null; echo '{"files": [], "followups": ["Write the docs", {"title": "Sort", "description": "by date"}]}'"#;

// D49: what an agent left is filed once for each piece, below the issue or beside it, and says where it came from.
#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_are_filed_once_each() {
    let house = House::with(&[("worker", LEAVES)]).await;
    let engine = &house.engine;
    let (run, _) = house.done("Leaves work", json!({"role": "by-files", "agent": "worker"})).await;
    let origin = run.issue.unwrap();
    assert_eq!(engine.file_followup(&run, 3, false, &owner()).await.unwrap_err().code, Code::NotFound);
    assert_eq!(engine.file_followup(&run, 0, false, &owner()).await.unwrap_err().code, Code::NotFound);
    let by = owner();
    let (one, two) = tokio::join!(engine.file_followup(&run, 1, false, &by), engine.file_followup(&run, 1, false, &by));
    let ((one, first), (two, second)) = (one.unwrap(), two.unwrap());
    assert_eq!((one.issue.id, first != second), (two.issue.id, true), "asked twice at once, it is filed once");
    assert_eq!((one.issue.parent, one.issue.title.as_str()), (Some(origin), "Write the docs"));
    let (beside, _) = engine.file_followup(&run, 2, true, &owner()).await.unwrap();
    assert_eq!((beside.issue.parent, beside.issue.body.as_str()), (None, "by date"));
    let lineage = engine.lineage_of(origin).await.unwrap().descendants;
    let told: Vec<_> = lineage.iter().map(|step| (step.lineage.kind, step.lineage.run, step.lineage.piece)).collect();
    let kind = model::issue::LineageKind::Followup;
    assert_eq!(told, [(kind, Some(run.id), Some(1)), (kind, Some(run.id), Some(2))]);
    assert_eq!(one.issue.source, model::issue::IssueSource::Followup);
}

// S72: a role that names tools is refused with an agent that cannot be held to them, with the agents that can; nothing
// of it is stored. Asked for by name or chosen by the project, it is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_tools_needs_an_agent_that_can_be_held_to_them() {
    let house = House::with(&[("worker", "echo more >> a.txt")]).await;
    let role = "---\nid: held\ntitle: T\nversion: 1.0.0\ncategory: role\nuse_case: tests\ntimeout_s: 60\noutput: worktree\n\
                intent: implement\ntools:\n  - read\n  - edit\n---\n{{issue.title}}\n";
    std::fs::write(house.repo().join(".proofhouse/roles/held.md"), role).unwrap();
    git(&house.repo(), &["add", "-A"]);
    git(&house.repo(), &["commit", "-q", "-m", "a role with tools"]);
    let issue = house.issue("Held").await;
    for config in [json!({"role": "held", "agent": "worker"}), json!({"role": "held"})] {
        let refused = house.start(issue, config).await.unwrap_err();
        assert_eq!((refused.code, &refused.facts["agent"]), (Code::AgentIncapable, &json!("worker")), "{refused:?}");
    }
    // Nobody has this one, so nobody knows; its task is for a worker whose agent can.
    let config = json!({"role": "held", "agent": "other", "queue_timeout_s": 3});
    let run = house.start(issue, config).await.unwrap().run.id;
    let waiting = house.until(run, |run| run.phase == "waiting_for_worker").await;
    let told = house.engine.waiting_for(&waiting).await.unwrap().unwrap();
    assert_eq!(told.labels, ["agent:other", "agent:other:palette"]);
    house.engine.cancel(run, &owner()).await.unwrap();
    house.ended(run).await;
    // Without them any agent will do.
    let run = house.start(issue, json!({"role": "by-worktree", "agent": "worker"})).await.unwrap().run.id;
    assert_eq!(house.ended(run).await.0.verdict.as_deref(), Some("applied"));
}

//! Dispatch runs by the builtin agent, against the fake model: from an issue to a branch.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use model::{
    agent::usage::CostState,
    ledger::{SLICE, SumState},
    money::NanoUsd,
    run::RunStatus,
    task::TaskState,
};
use proofhouse_engine::projects::POLICY;
use serde_json::{Value, json};
use store::LedgerFilter;

use super::{
    house::{House, git, owner},
    models::{Answer, Models},
};

/// Says where models are asked: there, or nowhere. What is known by name is off, whatever keys this machine has.
async fn house(models: Option<&Models>, agents: &[&str]) -> House {
    let house = House::with(&[]).await;
    let mut text = String::new();
    for name in ["anthropic", "openai", "google", "xai", "deepseek", "mistral"] {
        text.push_str(&format!("[providers.{name}]\nenabled = false\n"));
    }
    if let Some(models) = models {
        text.push_str(&format!(
            "[providers.mine]\nkind = \"openai_compatible\"\nbase_url = \"{}/v1\"\ndefault_model = \"fake-1\"\n\
             timeout_s = 2\nretry = {{ base_ms = 5 }}\n[[prices]]\nmodel = \"mine/\"\ninput = \"1\"\noutput = \"10\"\n",
            models.url()
        ));
    }
    let path = house.folder.path().join("data/providers.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let policy = json!({"allowed_paths": {"*": ["."]}, "agents": agents, "dispatch": {"apply": ["worktree"]}});
    house.engine.set_document(house.project.id, POLICY, policy, 1, &owner()).await.unwrap();
    house
}

fn chosen(journal: &[(String, Value)]) -> (String, String) {
    let data = &journal.iter().find(|entry| entry.0 == "role.resolved").unwrap().1;
    (data["agent"].as_str().unwrap().to_owned(), data["agent_because"].as_str().unwrap().to_owned())
}

// X63: what speaks to models is for servers: its task asks for `llm`, which no machine of somebody's own offers whatever
// it says. D11, S73, S66: with a model that can be asked the builtin agent is taken where the project's own is not there; what it
// wrote is a commit, and what it used and cost stands with the run.
#[tokio::test]
async fn the_builtin_agent_does_an_issue() {
    let models = Models::start([
        Answer::call("read", json!({"path": "a.txt"})),
        Answer::Several(vec![
            Answer::call("edit", json!({"path": "a.txt", "find": "a\n", "replace": "a better a\n"})),
            Answer::call("write", json!({"path": "new.txt", "contents": "new\n"})),
        ]),
        Answer::say("It is better now."),
    ]);
    let house = house(Some(&models), &["absent", "builtin", "scripted"]).await;
    let (run, detail) = house.done("Make a better", json!({"role": "by-worktree"})).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("applied")), "{run:#?}");
    let shown = git(&house.repo(), &["show", &format!("{}:a.txt", detail.branch)]);
    assert_eq!(shown, "a better a");
    assert_eq!(git(&house.repo(), &["show", &format!("{}:new.txt", detail.branch)]), "new");
    let agent = detail.agent.unwrap();
    assert_eq!((agent.name.as_str(), agent.model.as_deref(), agent.simulated), ("builtin", Some("mine/fake-1"), false));
    assert_eq!(agent.usage.unwrap().input, Some(300));
    assert_eq!(agent.cost.unwrap().known.micros_up(), 300 + 600);
    let journal = house.journal(run.id).await;
    assert_eq!(chosen(&journal).0, "builtin");
    for kind in ["agent.session", "agent.tool", "agent.file", "agent.usage", "agent.message", "agent.end"] {
        assert!(journal.iter().any(|entry| entry.0 == kind), "{kind}");
    }
    let id = run.id;
    let task = house
        .engine
        .store()
        .read(move |tx| Box::pin(async move { tx.task_by_subject(id, "dispatch.agent", "dispatch.agent").await }))
        .await
        .unwrap()
        .unwrap();
    assert!(task.labels.iter().any(|label| label == "llm"), "{:?}", task.labels);
    let embedded = house.engine.workers().await.unwrap().remove(0);
    assert!(embedded.owner.is_none() && embedded.offers().contains("llm"));
    let mut remote = embedded.clone();
    remote.owner = Some((model::id::UserId::from_uuid(uuid::Uuid::from_u128(1)), "Ada".to_owned()));
    assert!(remote.said.labels.iter().any(|label| label == "llm") && !remote.offers().contains("llm"));
    remote.labels.push("llm".to_owned());
    assert!(!remote.offers().contains("llm") && remote.offers().contains("worker:plane"));
    assert!(models.requests()[0].body.to_string().contains("Make a better"));
}

// S73: without a model it is the scripted one, which says that it is a simulation.
#[tokio::test]
async fn without_a_model_a_script_plays() {
    let house = house(None, &["absent", "builtin", "scripted"]).await;
    let (run, detail) = house.done("Anything", json!({"role": "by-worktree"})).await;
    let journal = house.journal(run.id).await;
    let (agent, because) = chosen(&journal);
    assert!(agent == "scripted" && because.contains("simulated"), "{agent}: {because}");
    assert!(detail.agent.unwrap().simulated);
}

// F15: a limit with a wait, failures in a row, a cut stream, an answer of no sense and a hang: each is asked again, the
// run ends once, and the budget is counted once.
#[tokio::test]
async fn a_model_server_in_trouble_is_paid_once() {
    let models = Models::start([
        Answer::Status { status: 429, message: "slow".to_owned(), retry_after: Some(1) },
        Answer::status(500, "boom"),
        Answer::Cut,
        Answer::call("read", json!({"path": "a.txt"})),
        Answer::Garbage,
        Answer::Hang(Duration::from_secs(30)),
        Answer::status(503, "busy"),
        Answer::call("write", json!({"path": "new.txt", "contents": "new\n"})),
        Answer::say("Done."),
    ]);
    let house = house(Some(&models), &["builtin"]).await;
    let (run, detail) = house.done("Bear it", json!({"role": "by-worktree"})).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("applied")), "{run:#?}");
    assert_eq!(models.requests().len(), 9);
    let journal = house.journal(run.id).await;
    let told = |kind: &str| journal.iter().filter(|entry| entry.0 == kind).count();
    let once = ["agent.end", "ledger.reserved", "ledger.settled", "run.finished"].map(|kind| (kind, told(kind)));
    assert!(once.iter().all(|(_, times)| *times == 1), "{once:?}");
    // What a cut or silent reply cost nobody knows: counted as what was reserved, and said to be unknown (S66).
    let ledger = house.engine.ledger(LedgerFilter::Run(run.id)).await.unwrap();
    assert_eq!(
        (ledger.totals.settled, ledger.totals.reserved, ledger.totals.state()),
        (SLICE, NanoUsd::ZERO, SumState::Unknown)
    );
    let cost = detail.agent.unwrap().cost.unwrap();
    assert_eq!((cost.state, cost.known.micros_up()), (CostState::Unknown, 300 + 600));
    assert_eq!(house.engine.ledger_verify(house.project.id).await.unwrap().flaws, []);
}

// S82: a provider that wants to be left alone for a while makes the task wait: it is given back and fails nothing.
#[tokio::test]
async fn a_long_wait_gives_the_task_back() {
    let limited = || Answer::Status { status: 429, message: "later".to_owned(), retry_after: Some(600) };
    let models = Models::start([limited(), limited()]);
    let house = house(Some(&models), &["builtin"]).await;
    let issue = house.issue("Wait").await;
    let run = house.start(issue, json!({"role": "by-worktree"})).await.unwrap().run.id;
    let start = std::time::Instant::now();
    let task = loop {
        let task = house
            .engine
            .store()
            .read(move |tx| Box::pin(async move { tx.task_by_subject(run, "dispatch.agent", "dispatch.agent").await }))
            .await
            .unwrap();
        if let Some(task) = task.filter(|task| task.not_before.is_some()) {
            break task;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "the task was not given back");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((task.state, models.requests().len()), (TaskState::Ready, 1));
    let wait = task.not_before.unwrap().since(house.engine.now()).as_secs();
    assert!((500..=600).contains(&wait), "{wait}");
    assert!(!house.engine.run(run).await.unwrap().status.is_terminal());
    house.engine.cancel(run, &owner()).await.unwrap();
    house.ended(run).await;
}

//! What an agent may only do with leave: the policy's word, a person's, and what becomes of the run meanwhile.

use std::time::{Duration, Instant};

use model::{
    actor::Actor,
    code::Code,
    id::{RunId, UserId},
    issue::IssueStatus,
    problem::Problem,
    question::{Question, QuestionState},
    run::RunStatus,
};
use proofhouse_engine::{
    Clock,
    projects::{POLICY, PROOF},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, owner};

/// Reads the first line, says that it is ready under a session, and has `ask`, which prints a request and reads the
/// answer into `$a`.
fn agent(ready: &str, body: &str) -> String {
    format!(
        r#"read start
n=0
ask() {{
    n=$((n + 1))
    printf '{{"type":"approval_request","id":"%s","tool":"%s","input":{{"path":"%s"}}}}\n' "$n" "$1" "$2"
    read a
}}
echo '{{"type":"ready","name":"mine","version":"1"{ready}}}'
{body}
echo '{{"type":"message","text":"I did it","final":true}}'
echo '{{"type":"end","outcome":"completed"}}'"#
    )
}

const SESSION: &str = r#","session":"s-1""#;

async fn house(script: &str, tools: Value, wait_s: u32) -> House {
    house_at(Clock::system(), script, tools, wait_s).await
}

async fn house_at(clock: Clock, script: &str, tools: Value, wait_s: u32) -> House {
    let house = House::at(clock, &[("worker,protocol=1", script)]).await;
    let policy = json!({
        "allowed_paths": {"*": ["."]}, "agents": ["worker"], "tools": tools, "dispatch": {"approval_wait_s": wait_s},
    });
    house.engine.set_document(house.project.id, POLICY, policy, 1, &owner()).await.unwrap();
    house
}

fn all_ask() -> Value {
    json!([{"tool": "*", "decision": "ask"}])
}

async fn started(house: &House) -> RunId {
    let issue = house.issue("Do it").await;
    house.start(issue, json!({"role": "by-worktree", "agent": "worker"})).await.unwrap().run.id
}

async fn questions(house: &House, run: RunId) -> Vec<Question> {
    let of =
        house.engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.questions_of(run).await?) }));
    of.await.unwrap()
}

/// The open question, once there is one.
async fn open(house: &House, run: RunId) -> Question {
    let from = Instant::now();
    loop {
        let all = questions(house, run).await;
        if let Some(open) = all.into_iter().find(|question| question.state == QuestionState::Open) {
            return open;
        }
        assert!(from.elapsed() < Duration::from_secs(60), "nothing is asked: {:#?}", house.engine.run(run).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn answer(house: &House, question: &Question, decision: &str) -> Result<Question, Problem> {
    let mut body = json!({"decision": decision});
    if decision == "approve" {
        body["digest"] = question.schema["digest"].clone();
    }
    house.engine.answer(question.id, body, &owner(), None).await
}

/// A file of the run's branch.
fn made(house: &House, run: &model::run::Run, path: &str) -> Option<String> {
    let detail = proofhouse_engine::dispatch::Detail::of(run).unwrap();
    let branch = detail.report?.branch?;
    let out = std::process::Command::new("git")
        .arg("-C")
        .arg(house.repo())
        .args(["show", &format!("{branch}:{path}")])
        .output()
        .unwrap();
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

// S39, S58, S60, S61, S77: asked once, answered once, for one use; a no is told and holds.
#[tokio::test]
async fn an_approval_is_for_one_use() {
    let script = agent(
        SESSION,
        r#"ask write x; echo "$a" >> replies
ask write x; echo "$a" >> replies
ask rm y; echo "$a" >> replies
ask rm y; echo "$a" >> replies"#,
    );
    let house = house(&script, all_ask(), 300).await;
    let run = started(&house).await;
    let first = open(&house, run).await;
    assert_eq!((first.kind.name(), first.schema["tool"].as_str()), ("approval", Some("write")));
    assert!(first.prompt.contains("\"path\": \"x\"") && first.expires_at.is_some(), "{}", first.prompt);
    // Nothing that does not fit wakes anything.
    for wrong in [
        json!({"decision": "approve"}),
        json!({"decision": "approve", "digest": "0".repeat(64)}),
        json!({"decision": "accept"}),
        json!("yes"),
        json!({}),
    ] {
        let refused = house.engine.answer(first.id, wrong.clone(), &owner(), None).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{wrong}");
    }
    assert_eq!(house.engine.run(run).await.unwrap().status, RunStatus::Running);
    answer(&house, &first, "approve").await.unwrap();
    assert_eq!(answer(&house, &first, "deny").await.unwrap_err().code, Code::QuestionClosed);
    // The same again is asked again.
    let second = open(&house, run).await;
    assert_eq!(second.schema["digest"], first.schema["digest"]);
    answer(&house, &second, "approve").await.unwrap();
    let third = open(&house, run).await;
    assert_eq!(third.schema["tool"], "rm");
    let no = json!({"decision": "deny", "text": "leave y alone"});
    house.engine.answer(third.id, no, &owner(), None).await.unwrap();
    let (run, _) = house.ended(run).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"), "{run:#?}");
    assert_eq!(questions(&house, run.id).await.len(), 3, "nobody is asked twice for what they refused");
    let replies = made(&house, &run, "replies").unwrap();
    let lines: Vec<Value> = replies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let allowed: Vec<bool> = lines.iter().map(|line| line["allow"].as_bool().unwrap()).collect();
    assert_eq!(allowed, [true, true, false, false]);
    assert!(lines[3]["reason"].as_str().unwrap().contains("Ada said no: leave y alone"), "{replies}");
    let kinds: Vec<String> = house.journal(run.id).await.into_iter().map(|entry| entry.0).collect();
    let count = |kind: &str| kinds.iter().filter(|told| *told == kind).count();
    assert_eq!((count("question.asked"), count("question.answered")), (3, 3));
}

// S62: where a second person is wanted, whoever started the run does not give its agent leave.
#[tokio::test]
async fn the_starter_gives_no_leave_where_four_eyes_are_wanted() {
    let house = house(&agent(SESSION, r#"ask write x; echo "$a" >> replies"#), all_ask(), 300).await;
    let settings = json!({"four_eyes": true});
    house.engine.set_document(house.project.id, PROOF, settings, 0, &owner()).await.unwrap();
    let run = started(&house).await;
    let asked = open(&house, run).await;
    assert_eq!(answer(&house, &asked, "approve").await.unwrap_err().code, Code::FourEyes);
    let other = Actor::Person { id: UserId::from_uuid(Uuid::from_u128(2)), name: "Grace".to_owned() };
    let yes = json!({"decision": "approve", "digest": asked.schema["digest"]});
    house.engine.answer(asked.id, yes, &other, None).await.unwrap();
    let (run, _) = house.ended(run).await;
    assert!(made(&house, &run, "replies").unwrap().contains("\"allow\":true"));
}

// S38, S77: what the policy allows or denies outright nobody is asked about.
#[tokio::test]
async fn the_policy_is_asked_before_people() {
    let script = agent(
        "",
        r#"ask read x; echo "$a" >> replies; ask write x; echo "$a" >> replies; ask fly x; echo "$a" >> replies"#,
    );
    let tools = json!([{"tool": "read", "decision": "allow"}, {"tool": "write", "decision": "deny"}]);
    let house = house(&script, tools, 300).await;
    let run = started(&house).await;
    let (run, _) = house.ended(run).await;
    let replies = made(&house, &run, "replies").unwrap();
    let lines: Vec<&str> = replies.lines().collect();
    assert!(lines[0].contains("true"), "{replies}");
    assert!(lines[1].contains("tool_denied") && lines[2].contains("tool_not_listed"), "{replies}");
    assert!(questions(&house, run.id).await.is_empty());
    let denied = house
        .journal(run.id)
        .await
        .into_iter()
        .filter(|(kind, data)| kind == "agent.tool" && data["status"] == "denied");
    assert_eq!(denied.count(), 2);
}

// S58, S26, X11: nobody answers soon, so the process is ended and nothing is held; the answer goes on with the session,
// in the same folder, without another attempt.
#[tokio::test]
async fn a_session_that_waits_long_is_ended_and_gone_on_with() {
    let script = agent(
        SESSION,
        r#"echo "$start" >> starts
ask write x; echo "$a" >> replies"#,
    );
    let house = house(&script, all_ask(), 1).await;
    let run = started(&house).await;
    let question = open(&house, run).await;
    let waiting = house.until(run, |run| run.status == RunStatus::Waiting).await;
    assert_eq!(house.issue_now(waiting.issue.unwrap()).await.0, IssueStatus::Waiting);
    let open_tasks =
        house.engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.open_tasks(run).await?) }));
    let tasks = open_tasks.await.unwrap();
    assert!(tasks.blocked && !tasks.ready && !tasks.leased, "{tasks:?}");
    answer(&house, &question, "approve").await.unwrap();
    let (run, _) = house.ended(run).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"), "{run:#?}");
    let starts = made(&house, &run, "starts").unwrap();
    let lines: Vec<Value> = starts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{starts}");
    assert_eq!((&lines[0]["resume"], &lines[1]["resume"]), (&Value::Null, &json!("s-1")));
    assert!(lines[1]["prompt"].as_str().unwrap().contains("You have leave to use write"), "{starts}");
    assert_eq!(lines[0]["cwd"], lines[1]["cwd"]);
    assert!(made(&house, &run, "replies").unwrap().contains("\"allow\":true"));
    assert_eq!(questions(&house, run.id).await.len(), 1, "the call that asked has used the answer");
    assert_eq!(house.issue_now(run.issue.unwrap()).await.0, IssueStatus::Waiting, "for a look at its result");
}

// S58: an agent that cannot be gone on with is kept, and the run says that it holds a slot.
#[tokio::test]
async fn a_session_without_a_name_is_kept() {
    let script = agent("", r#"echo once >> starts; ask write x; echo "$a" >> replies"#);
    let house = house(&script, all_ask(), 1).await;
    let run = started(&house).await;
    let question = open(&house, run).await;
    let from = Instant::now();
    while !warned(&house, run).await {
        assert!(from.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(house.engine.run(run).await.unwrap().status, RunStatus::Running);
    answer(&house, &question, "approve").await.unwrap();
    let (run, _) = house.ended(run).await;
    assert_eq!(made(&house, &run, "starts").unwrap(), "once\n");
}

async fn warned(house: &House, run: RunId) -> bool {
    told(house, run, "slot_held").await
}

async fn told(house: &House, run: RunId, code: &str) -> bool {
    let read = house.engine.store().read(move |tx| {
        Box::pin(async move { Ok::<_, Problem>(tx.entries(model::journal::StreamId::Run(run), 0, 1_000).await?) })
    });
    read.await.unwrap().iter().any(|entry| entry.kind == "warning" && entry.data.contains(code))
}

// S3, S63, X10: a cancel withdraws what is asked, and a late answer is 410.
#[tokio::test]
async fn a_cancel_withdraws_the_question() {
    for wait_s in [1, 300] {
        let house = house(&agent(SESSION, "ask write x"), all_ask(), wait_s).await;
        let run = started(&house).await;
        let question = open(&house, run).await;
        if wait_s == 1 {
            house.until(run, |run| run.status == RunStatus::Waiting).await;
        }
        house.engine.cancel(run, &owner()).await.unwrap();
        let (run, _) = house.ended(run).await;
        assert_eq!(run.status, RunStatus::Cancelled);
        assert_eq!(questions(&house, run.id).await[0].state, QuestionState::Withdrawn);
        assert_eq!(answer(&house, &question, "approve").await.unwrap_err().code, Code::Gone);
    }
}

// S61: what an agent asked and then did without matters no more when it has ended.
#[tokio::test]
async fn an_agent_that_goes_on_alone_takes_its_question_with_it() {
    let body = r#"echo '{"type":"approval_request","id":"1","tool":"x","input":{}}'; sleep 1; echo made > made"#;
    let house = house(&agent(SESSION, body), all_ask(), 300).await;
    let run = started(&house).await;
    let question = open(&house, run).await;
    let (run, _) = house.ended(run).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"));
    assert_eq!(questions(&house, run.id).await[0].state, QuestionState::Withdrawn);
    assert_eq!(answer(&house, &question, "approve").await.unwrap_err().code, Code::Gone);
}

// S63: unanswered for a day it is a no, which the agent is told; a late answer is 410.
#[tokio::test]
async fn a_question_that_nobody_answers_is_a_no() {
    let clock = Clock::fixed("2027-01-01T00:00:00Z".parse().unwrap());
    let script = agent(SESSION, r#"ask write x; echo "$a" >> replies"#);
    let house = house_at(clock.clone(), &script, all_ask(), 1).await;
    let run = started(&house).await;
    let question = open(&house, run).await;
    house.until(run, |run| run.status == RunStatus::Waiting).await;
    clock.advance(Duration::from_secs(24 * 3_600 + 1));
    let (run, _) = house.ended(run).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"), "{run:#?}");
    assert!(made(&house, &run, "replies").unwrap().contains("nobody answered within a day"));
    let asked = questions(&house, run.id).await;
    assert_eq!((asked.len(), asked[0].state), (1, QuestionState::Expired));
    assert_eq!(answer(&house, &question, "approve").await.unwrap_err().code, Code::Gone);
}

// Section 13, R, X15: a provider that said wait is waited for, and the next attempt does the work; what failed by
// itself is not tried again.
#[tokio::test]
async fn what_waits_for_a_provider_is_tried_again() {
    let clock = Clock::fixed("2027-01-01T00:00:00Z".parse().unwrap());
    let script = r#"read start
echo '{"type":"ready","name":"mine"}'
if [ ! -f "$FLAG" ]; then
    echo '{"type":"error","class":"rate_limited","message":"slow down"}'
    echo '{"type":"end","outcome":"failed"}'; exit 1
fi
echo made > made
echo '{"type":"message","text":"I did it","final":true}'
echo '{"type":"end","outcome":"completed"}'"#;
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("flag");
    let script = script.replace("$FLAG", flag.to_str().unwrap());
    let house = house_at(clock.clone(), &script, json!([]), 300).await;
    let run = started(&house).await;
    let from = Instant::now();
    while !told(&house, run, "rate_limited").await {
        assert!(from.elapsed() < Duration::from_secs(60), "{:#?}", house.engine.run(run).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.engine.run(run).await.unwrap().status, RunStatus::Running);
    std::fs::write(&flag, "").unwrap();
    clock.advance(Duration::from_secs(61));
    let (run, _) = house.ended(run).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"), "{run:#?}");
    assert_eq!(made(&house, &run, "made").as_deref(), Some("made\n"));
}

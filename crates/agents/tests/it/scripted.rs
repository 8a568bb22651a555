//! The agent inside the binary (S80, X51).

use std::{fs, time::Duration};

use model::{
    agent::{
        event::{AgentEvent, ToolStatus},
        fold::AgentOutcome,
        usage::CostState,
    },
    failure::FailureCode,
};
use proofhouse_agents::{Agent, Kind, Mode, Session};
use serde_json::{Value, json};

use super::house::{House, answer, driven, events, failure, kinds};

fn playing(house: &House, replies: Value) -> Session {
    let path = house.at("script.json");
    fs::write(&path, json!({"format": 1, "replies": replies}).to_string()).unwrap();
    let agent: Agent = format!("scripted:{}", path.display()).parse().unwrap();
    house.session(agent, "the prompt")
}

// S73, S80: without a script the shipped one edits one file, and says that it is a simulation.
#[tokio::test]
async fn the_shipped_script_edits_one_file() {
    let house = House::new();
    let (driven, sink) = driven(house.session(Agent::of(Kind::Scripted), "anything")).await;
    let files: Vec<_> = fs::read_dir(house.at("tree/docs")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let result: Value = serde_json::from_str(answer(&driven)).unwrap();
    assert_eq!(result["files"][0]["contents"], house.read("tree/docs/rehearsal.md"));
    assert!(driven.end.session.as_ref().unwrap().simulated);
    assert_eq!((driven.end.cost.state, driven.end.cost.known.nanos()), (CostState::Computed, 0));
    assert_eq!(kinds(&sink), ["agent.session", "agent.tool", "agent.tool", "agent.file", "agent.message", "agent.end"]);
}

// S80: deterministic to the byte, and every event stands in the raw output.
#[tokio::test]
async fn a_script_plays_the_same_each_time() {
    let mut raws = Vec::new();
    for _ in 0..2 {
        let house = House::new();
        let (driven, sink) = driven(house.session(Agent::of(Kind::Scripted), "same")).await;
        let raw = house.read("own/agent.raw");
        for seen in &sink.seen {
            let range = seen.raw.clone().unwrap();
            let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert_eq!(serde_json::from_str::<AgentEvent>(&raw[place]).unwrap(), seen.event);
        }
        assert_eq!(driven.raw.unwrap().1, raw.len() as u64);
        raws.push(raw);
    }
    assert_eq!(raws[0], raws[1]);
}

// S80: replies in order and per role; what the request has to hold; results of tools are in the next request.
#[tokio::test]
async fn replies_are_taken_in_order_and_per_role() {
    let house = House::new();
    fs::write(house.at("tree/a.txt"), "one two").unwrap();
    let mut session = playing(
        &house,
        json!([
            {"role": "critic", "do": [{"say": "never"}]},
            {"role": "writer", "contains": ["the prompt"], "usage": {"input": 3, "output": 4}, "do": [
                {"reason": "hm"},
                {"call": "read", "input": {"path": "a.txt"}},
                {"call": "edit", "input": {"path": "a.txt", "find": "two", "replace": "2"}},
                {"call": "dance", "input": {}},
                {"call": "write", "input": {"path": "../escaped", "contents": "x"}},
                {"call": "write", "input": {"path": "b/c.txt", "contents": "new"}}]},
            {"role": "writer", "contains": ["one two", "no tool", "edited a.txt"], "usage": {"input": 5}, "do": [
                {"wait_ms": 5}, {"raw": "{half a line"}, {"say": "finished"}]}
        ]),
    );
    session.role = Some("writer".to_owned());
    let (driven, sink) = driven(session).await;
    assert_eq!(answer(&driven), "finished");
    assert_eq!((house.read("tree/a.txt"), house.read("tree/b/c.txt")), ("one 2".to_owned(), "new".to_owned()));
    assert!(!house.at("escaped").exists());
    assert_eq!((driven.end.usage.input, driven.end.usage.output), (Some(8), Some(4)));
    assert_eq!(driven.end.lines.undecodable, 1);
    let failed = events(&sink)
        .filter(|event| matches!(event, AgentEvent::Tool(tool) if tool.status == ToolStatus::Failed))
        .count();
    assert_eq!(failed, 2);
}

// S80: a script that does not fit fails the session, naming the place.
#[tokio::test]
async fn a_script_that_does_not_fit_says_where() {
    for (replies, words) in [
        (json!([]), "no reply left for turn 1"),
        (json!([{"do": [{"call": "read", "input": {"path": "x"}}]}]), "no reply left for turn 2"),
        (json!([{"contains": ["something else"], "do": [{"say": "x"}]}]), "reply 0 wants \"something else\""),
    ] {
        let house = House::new();
        let (driven, _) = driven(playing(&house, replies)).await;
        let (code, message) = failure(&driven);
        assert!(code == FailureCode::AgentFailed && message.contains("script_mismatch"), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let house = House::new();
    let agent: Agent = "scripted:/nowhere.json".parse().unwrap();
    assert!(failure(&driven(house.session(agent, "")).await.0).1.contains("/nowhere.json"));
}

// S80: a provider's failures can be played.
#[tokio::test]
async fn failures_are_played() {
    for (fail, code) in [
        ("rate_limited", FailureCode::RateLimited),
        ("context_overflow", FailureCode::ContextOverflow),
        ("auth", FailureCode::AgentSessionExpired),
        ("server_error", FailureCode::AgentFailed),
    ] {
        let house = House::new();
        let replies = json!([{"usage": {"input": 9}, "do": [{"fail": fail, "retry_after_s": 60}, {"say": "never"}]}]);
        let (driven, _) = driven(playing(&house, replies)).await;
        assert_eq!(failure(&driven).0, code);
        assert_eq!(driven.end.usage.input, Some(9));
        let AgentOutcome::Failed(failure) = &driven.end.outcome else { unreachable!() };
        assert_eq!(failure.retry_at.is_some(), code == FailureCode::RateLimited);
    }
}

// Limits and modes hold for the script as for any agent.
#[tokio::test]
async fn limits_hold_for_a_script() {
    let house = House::new();
    let mut session = playing(&house, json!([{"do": [{"wait_ms": 60_000}]}]));
    session.limits.wall = Duration::from_millis(200);
    assert_eq!(failure(&driven(session).await.0).0, FailureCode::AgentTimeout);
    let mut session = house.session(Agent::of(Kind::Scripted), "x");
    session.mode = Mode::ReadOnly;
    let (driven, _) = driven(session).await;
    assert!(!house.at("tree/docs").exists() && !answer(&driven).is_empty());
}

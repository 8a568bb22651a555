//! The Agent Client Protocol: the real opencode at its end, and programs that do what they like.

use std::{collections::BTreeMap, fs, time::Duration};

use model::{
    agent::{event::AgentEvent, fold::AgentOutcome},
    failure::FailureCode,
};
use proofhouse_agents::{Agent, Ask, Kind, Reply, Session, drive};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    approvals::Answers,
    house::{House, answer, driven, events, failure},
    models::{Answer, Models},
    programs::{repository, session},
};

/// opencode as one of the many programs that speak it.
fn opencode(house: &House, models: &Models, permission: serde_json::Value) -> Session {
    let mut of = session(house, Kind::Opencode, models);
    let program = of.agent.program[0].clone();
    of.agent = Agent { program: vec![program, "acp".to_owned()], ..Agent::of(Kind::Acp) };
    of.version = None;
    let config = house.at("person/.config/opencode/opencode.json");
    let mut settings: serde_json::Value = serde_json::from_str(&fs::read_to_string(config).unwrap()).unwrap();
    settings["model"] = json!("fake/loop-1");
    settings["autoupdate"] = json!(false);
    settings["permission"] = permission;
    of.env.insert("OPENCODE_CONFIG_CONTENT".to_owned(), settings.to_string());
    of.asks = true;
    of
}

// S77: the real program, from its hello to the end of its turn, with leave asked and given once.
#[tokio::test]
async fn opencode_asks_over_acp() {
    let house = House::new();
    repository(&house);
    let shell = |path: &str| {
        Answer::call("bash", json!({"command": format!("printf hello > {path}"), "description": "make a file"}))
    };
    let models = Models::start([shell("yes.txt"), shell("no.txt"), Answer::say("it is made")]);
    let session = opencode(&house, &models, json!({"bash": "ask"}));
    let mut sink = Answers::new([Reply::Allow, Reply::Deny("not that one".to_owned())]);
    let driven = drive(session, &mut sink, CancellationToken::new()).await;
    let raw = house.read("own/agent.raw");
    house.keep("opencode-asks");
    let about = format!("{:?}\n{raw}\n{}", driven.end, house.read("own/agent.raw.errors"));
    assert_eq!(fs::read_to_string(house.at("tree/yes.txt")).unwrap_or_default(), "hello", "{about}");
    assert!(!house.at("tree/no.txt").exists(), "{about}");
    let commands: Vec<String> = sink
        .asked
        .iter()
        .map(|ask| match ask {
            Ask::Approval { tool, argv: Some(argv), .. } => format!("{tool}: {}", argv.last().unwrap()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(commands, ["execute: printf hello > yes.txt", "execute: printf hello > no.txt"], "{about}");
    assert!(matches!(driven.end.outcome, AgentOutcome::Completed { .. }), "{about}");
    assert!(driven.end.session.clone().unwrap().session.is_some(), "{about}");
}

fn agent(house: &House, body: &str) -> Session {
    let program = house.script(body).display().to_string();
    house.session(Agent { program: vec![program], ..Agent::of(Kind::Acp) }, "do it")
}

const HELLO: &str = r#"read a; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'
read b; echo '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
read c"#;

// S78, S103: hostile programs come to a clear end.
#[tokio::test]
async fn programs_that_do_not_keep_to_it_fail() {
    let cases = BTreeMap::from([
        ("exit 0", FailureCode::AgentProtocolError),
        ("read a; exit 3", FailureCode::AgentFailed),
        (
            r#"read a; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":7}}'; read b"#,
            FailureCode::AgentProtocolError,
        ),
        (
            r#"read a; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Authentication required"}}'; read b"#,
            FailureCode::AgentSessionExpired,
        ),
        (r#"read a; printf '{"jsonrpc":"2.0","id":1,"resu'"#, FailureCode::AgentProtocolError),
    ]);
    for (body, code) in cases {
        let house = House::new();
        let (driven, _) = driven(agent(&house, body)).await;
        let (found, message) = failure(&driven);
        assert_eq!(found, code, "{body}: {message}");
    }
}

// D35, S78: one that is done and does not go is ended, and what it did stands; one that hangs is too late.
#[tokio::test]
async fn one_that_does_not_go_is_ended() {
    let house = House::new();
    let body = format!(
        "{HELLO}\necho '{}'\necho '{}'\nsleep 60",
        r#"{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"made"}}}}"#,
        r#"{"jsonrpc":"2.0","id":4,"result":{"stopReason":"end_turn"}}"#
    );
    let (ended, sink) = driven(agent(&house, &body)).await;
    assert_eq!(answer(&ended), "made");
    assert!(events(&sink).any(|event| matches!(event, AgentEvent::End { .. })));
    let house = House::new();
    let mut session = agent(&house, &format!("{HELLO}\nsleep 60"));
    session.limits.wall = Duration::from_secs(2);
    let (late, _) = driven(session).await;
    assert_eq!(failure(&late).0, FailureCode::AgentTimeout);
}

// A prompt of megabytes reaches a program that talks before it reads.
#[tokio::test]
async fn a_large_prompt_gets_through() {
    let house = House::new();
    let body = r#"read a; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'
read b; echo '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
head -c 2000000 /dev/zero | tr '\0' x; echo
read -r c; printf '%s' "$c" | wc -c > size
echo '{"jsonrpc":"2.0","id":4,"result":{"stopReason":"end_turn"}}'"#;
    let mut session = agent(&house, body);
    session.prompt = "é".repeat(500_000);
    let (ended, _) = driven(session).await;
    assert!(matches!(ended.end.outcome, AgentOutcome::Completed { .. }), "{:?}", ended.end.outcome);
    assert!(house.read("tree/size").trim().parse::<usize>().unwrap() > 1_000_000);
}

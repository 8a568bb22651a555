use std::path::Path;

use super::*;
use crate::{Agent, Kind};

fn lines(change: impl FnOnce(&mut Session)) -> Lines {
    let agent = Agent { program: vec!["x".to_owned()], ..Agent::of(Kind::Acp) };
    let mut session = Session::new(agent, "/tree", Path::new("/own"), "do it");
    change(&mut session);
    Lines::new(&session)
}

/// What is written and told for each line.
fn heard(lines: &mut Lines, message: Value) -> (Told, Understood) {
    let mut told = Told::default();
    let understood = lines.object(&message, &mut told);
    (told, understood)
}

fn written(told: &Told) -> Vec<Value> {
    told.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn begun(lines: &mut Lines) {
    let opened = heard(lines, json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1}}));
    assert_eq!(written(&opened.0)[0]["method"], "session/new");
    let ready = heard(lines, json!({"jsonrpc": "2.0", "id": 2, "result": {"sessionId": "s"}}));
    let prompt = &written(&ready.0)[0];
    assert_eq!(
        (&prompt["method"], &prompt["params"]["prompt"][0]["text"]),
        (&json!("session/prompt"), &json!("do it"))
    );
}

fn update(update: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}})
}

// S77: hello, session, prompt, and the last words are the answer.
#[test]
fn a_turn_is_read() {
    let mut lines = lines(|_| {});
    begun(&mut lines);
    let say =
        |text: &str| update(json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}));
    let mut events = Vec::new();
    for message in [
        say("let "),
        say("me"),
        update(json!({"sessionUpdate": "tool_call", "toolCallId": "t", "title": "Edit a.txt", "kind": "edit",
            "status": "pending", "locations": [{"path": "/tree/a.txt"}], "rawInput": {}})),
        update(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t", "status": "completed",
            "content": [{"type": "content", "content": {"type": "text", "text": "ok"}}]})),
        say("done"),
        json!({"jsonrpc": "2.0", "id": 4, "result": {"stopReason": "end_turn", "usage": {"inputTokens": 5, "outputTokens": 6}}}),
    ] {
        events.extend(heard(&mut lines, message).0.events);
    }
    let kinds: Vec<_> = events.iter().map(AgentEvent::kind).collect();
    assert_eq!(
        kinds,
        ["agent.message", "agent.tool", "agent.tool", "agent.file", "agent.message", "agent.usage", "agent.end"]
    );
    assert_eq!(events[3], AgentEvent::File { path: "a.txt".to_owned(), change: FileChange::Modified });
    assert_eq!(events[4], AgentEvent::Message { text: "done".to_owned(), is_final: true });
    assert_eq!(events[6], AgentEvent::end(EndOutcome::Completed));
}

// S39, S77: leave is asked with the command, and an answer is never an "always".
#[test]
fn leave_is_for_once() {
    let mut lines = lines(|_| {});
    begun(&mut lines);
    let options = json!([
        {"optionId": "a", "name": "Always", "kind": "allow_always"},
        {"optionId": "o", "name": "Once", "kind": "allow_once"},
        {"optionId": "n", "name": "No", "kind": "reject_once"},
    ]);
    let call = json!({"toolCallId": "t", "title": "make", "kind": "execute", "rawInput": {"command": "make test"}});
    let ask = json!({"jsonrpc": "2.0", "id": "q", "method": "session/request_permission",
        "params": {"sessionId": "s", "toolCall": call, "options": options}});
    let told = heard(&mut lines, ask).0;
    let Ask::Approval { tool, argv, .. } = &told.asks[0] else { panic!() };
    assert_eq!((tool.as_str(), argv.as_deref()), ("execute", Some(&["make".to_owned(), "test".to_owned()][..])));
    let reply = |reply: &Reply| serde_json::from_str::<Value>(&lines.reply(&told.asks[0], reply).unwrap()).unwrap();
    assert_eq!(reply(&Reply::Allow)["result"]["outcome"], json!({"outcome": "selected", "optionId": "o"}));
    assert_eq!(reply(&Reply::Deny("x".to_owned()))["result"]["outcome"]["optionId"], "n");
    assert_eq!(reply(&Reply::Allow)["id"], "q");
    let always = json!({"jsonrpc": "2.0", "id": 9, "method": "session/request_permission", "params": {
        "toolCall": {"toolCallId": "u"}, "options": [{"optionId": "a", "name": "Always", "kind": "allow_always"}]}});
    let told = heard(&mut lines, always).0;
    let answer: Value = serde_json::from_str(&lines.reply(&told.asks[0], &Reply::Allow).unwrap()).unwrap();
    assert_eq!(answer["result"]["outcome"], json!({"outcome": "cancelled"}));
}

// What is not offered is refused, so that nobody waits; what is unknown is counted and no end.
#[test]
fn what_is_not_offered_is_refused() {
    let mut lines = lines(|_| {});
    begun(&mut lines);
    let read = json!({"jsonrpc": "2.0", "id": 7, "method": "fs/read_text_file", "params": {"path": "/etc/passwd"}});
    let (told, understood) = heard(&mut lines, read);
    assert_eq!((written(&told)[0]["error"]["code"].as_i64(), understood), (Some(-32_601), Understood::No));
    for strange in [
        json!({}),
        json!({"jsonrpc": "2.0", "id": 99, "result": {}}),
        json!({"jsonrpc": "2.0", "method": "session/unheard_of"}),
        update(json!({"sessionUpdate": "invention"})),
    ] {
        let (told, understood) = heard(&mut lines, strange);
        assert_eq!((told, understood), (Told::default(), Understood::No));
    }
}

// S26, S75: an old session is loaded where it can be, and what it tells again is no news; another protocol is refused.
#[test]
fn sessions_are_loaded_and_protocols_compared() {
    let mut again = lines(|session| session.resume = Some("old".to_owned()));
    let opened = json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1, "agentCapabilities": {"loadSession": true}}});
    let told = heard(&mut again, opened).0;
    assert_eq!(
        (&written(&told)[0]["method"], &written(&told)[0]["params"]["sessionId"]),
        (&json!("session/load"), &json!("old"))
    );
    let history =
        update(json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "before"}}));
    assert_eq!(heard(&mut again, history).0, Told::default());
    let ready = heard(&mut again, json!({"jsonrpc": "2.0", "id": 2, "result": {}})).0;
    assert_eq!(written(&ready)[0]["params"]["sessionId"], "old");
    let mut other = lines(|_| {});
    let told = heard(&mut other, json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 9}})).0;
    assert!(matches!(&told.events[0], AgentEvent::Error { class: ErrorClass::Protocol, .. }), "{told:?}");
    let mut chosen = lines(|session| session.model = Some("p/m".to_owned()));
    heard(&mut chosen, json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1}}));
    let told = heard(&mut chosen, json!({"jsonrpc": "2.0", "id": 2, "result": {"sessionId": "s"}})).0;
    assert_eq!(written(&told)[0]["method"], "session/set_model");
    let error = json!({"code": -32602, "message": "Invalid params"});
    let told = heard(&mut chosen, json!({"jsonrpc": "2.0", "id": 3, "error": error})).0;
    assert!(matches!(&told.events[0], AgentEvent::Error { class: ErrorClass::ModelUnavailable, .. }), "{told:?}");
}

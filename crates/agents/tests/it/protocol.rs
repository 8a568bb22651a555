//! Protocol 1 with real programs (S79).

use std::time::{Duration, Instant};

use model::{
    agent::{event::AgentEvent, fold::AgentOutcome},
    failure::FailureCode,
};
use proofhouse_agents::{Ask, Boxed, Collected, Reply, Seen, Sink, SinkClosed, drive};
use tokio_util::sync::CancellationToken;

use super::house::{House, answer, driven, events, failure, kinds};

const READY: &str = r#"IFS= read -r start; echo '{"type":"ready","name":"mine","version":"1"}'"#;

// S79: start goes in, events come out, with their place in the raw output (S74).
#[tokio::test]
async fn a_program_that_speaks_the_protocol() {
    let house = House::new();
    let body = format!(
        r#"{READY}
printf '%s\n' "$start" > start.json
echo '{{"type":"tool","id":"t1","name":"write","status":"done","input":{{"path":"x"}}}}'
echo '{{"type":"file","path":"x","change":"added"}}'
echo '{{"type":"usage","message":"1","input":10,"output":2,"cost_nano_usd":5000}}'
echo 'no json at all'
echo '{{"type":"message","text":"all done","final":true}}'
echo '{{"type":"end","outcome":"completed"}}'
cat > /dev/null"#
    );
    let (driven, sink) = driven(house.session(house.command(",protocol=1", &body), "say \"hi\"\n")).await;
    assert_eq!(answer(&driven), "all done");
    let start: serde_json::Value = serde_json::from_str(&house.read("tree/start.json")).unwrap();
    assert_eq!(
        (&start["type"], &start["protocol"], &start["prompt"]),
        (&"start".into(), &1.into(), &"say \"hi\"\n".into())
    );
    assert_eq!(
        kinds(&sink),
        ["agent.session", "agent.session", "agent.tool", "agent.file", "agent.usage", "agent.message", "agent.end"]
    );
    assert_eq!((driven.end.usage.input, driven.end.cost.known.nanos()), (Some(10), 5000));
    assert_eq!((driven.end.lines.known, driven.end.lines.undecodable), (6, 1));
    let raw = house.read("own/agent.raw");
    let message = sink.seen.iter().find(|seen| matches!(seen.event, AgentEvent::Message { .. })).unwrap();
    let range = message.raw.clone().unwrap();
    let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
    assert!(raw[place].starts_with(r#"{"type":"message","text":"all done""#));
}

/// Says yes to one tool.
#[derive(Default)]
struct Asked(Collected, Vec<Ask>);

impl Sink for Asked {
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        self.0.event(seen)
    }
    fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        let reply = match &ask {
            Ask::Approval { tool, .. } if tool == "ls" => Reply::Allow,
            Ask::Approval { .. } => Reply::Deny("not that".to_owned()),
            Ask::Question { .. } => Reply::Answer("blue".to_owned()),
        };
        self.1.push(ask);
        Box::pin(std::future::ready(reply))
    }
}

fn asking() -> String {
    format!(
        r#"{READY}
echo '{{"type":"approval_request","id":"1","tool":"ls","input":{{}}}}'; read a
echo '{{"type":"approval_request","id":"2","tool":"rm","input":{{}}}}'; read b
echo '{{"type":"question","id":"3","text":"which colour?"}}'; read c
printf '%s\n%s\n%s\n' "$a" "$b" "$c" > replies
echo '{{"type":"end","outcome":"completed"}}'"#
    )
}

// S77: its requests are answered on its own channel.
#[tokio::test]
async fn what_it_asks_is_answered() {
    let house = House::new();
    let mut sink = Asked::default();
    let session = house.session(house.command(",protocol=1", &asking()), "");
    let driven = drive(session, &mut sink, CancellationToken::new()).await;
    assert_eq!(answer(&driven), "");
    assert_eq!(sink.1.len(), 3);
    let replies = house.read("tree/replies");
    let expected = [
        r#"{"type":"approval","id":"1","allow":true}"#,
        r#"{"type":"approval","id":"2","allow":false,"reason":"not that"}"#,
        r#"{"type":"answer","id":"3","text":"blue"}"#,
    ];
    assert_eq!(replies.lines().collect::<Vec<_>>(), expected);
}

// S77: where nobody can be asked, the answer is no.
#[tokio::test]
async fn nobody_to_ask_is_no() {
    let house = House::new();
    let (driven, _) = driven(house.session(house.command(",protocol=1", &asking()), "")).await;
    assert_eq!(answer(&driven), "");
    assert!(house.read("tree/replies").lines().next().unwrap().contains("\"allow\":false"));
}

// S79: a stop is asked for first; a program that ends in good order tells what it still has to tell.
#[tokio::test]
async fn a_stop_is_asked_for_in_good_order() {
    let house = House::new();
    let body = format!(
        r#"{READY}; read cancel; echo "$cancel" > cancel.json
echo '{{"type":"usage","message":"1","input":7}}'; echo '{{"type":"end","outcome":"interrupted"}}'"#
    );
    let stop = CancellationToken::new();
    let mut sink = Collected::default();
    let session = house.session(house.command(",protocol=1", &body), "");
    let clock = Instant::now();
    let driving = drive(session, &mut sink, stop.clone());
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    };
    let (driven, ()) = tokio::join!(driving, stopping);
    assert_eq!(house.read("tree/cancel.json"), "{\"type\":\"cancel\"}\n");
    assert!(clock.elapsed() < Duration::from_secs(6), "{:?}", clock.elapsed());
    assert_eq!((driven.end.outcome, driven.end.usage.input), (AgentOutcome::Cancelled, Some(7)));
}

// S74, S78, L25, L26: what cannot be read is counted, and an end that nobody told is no success.
#[tokio::test]
async fn broken_lines_are_counted_and_an_end_is_needed() {
    for (rest, code, counts) in [
        ("", FailureCode::AgentFailed, (1, 0, 0, 0)),
        (r#"printf '{"type":"mess'"#, FailureCode::AgentFailed, (1, 0, 1, 0)),
        (
            r#"printf '{"type":"message","text":"\377\000"}\n'; echo '{"type":"new"}'"#,
            FailureCode::AgentFailed,
            (2, 1, 0, 0),
        ),
        // A line of five megabytes is cut and not read; the next one is.
        (
            r#"head -c 5000000 /dev/zero | tr '\0' x; echo; echo '{"type":"message","text":"after"}'"#,
            FailureCode::AgentFailed,
            (2, 0, 0, 1),
        ),
    ] {
        let house = House::new();
        let body = format!("{READY}\n{rest}");
        let (driven, sink) = driven(house.session(house.command(",protocol=1", &body), "")).await;
        let (found, message) = failure(&driven);
        let lines = driven.end.lines;
        assert_eq!(found, code, "{rest}: {message}");
        assert_eq!((lines.known, lines.unknown, lines.undecodable, lines.cut), counts, "{rest}");
        assert!(events(&sink).all(|event| !format!("{event:?}").contains('\0')));
    }
    let house = House::new();
    let (driven, _) = driven(house.session(house.command(",protocol=1", "true"), "")).await;
    assert_eq!(failure(&driven).0, FailureCode::AgentProtocolError);
}

// One line of a megabyte is a line like any other, and prompts may be as large.
#[tokio::test]
async fn a_line_of_a_megabyte_is_read() {
    let house = House::new();
    let body = format!(
        r#"{READY}
printf '{{"type":"message","text":"'; head -c 1048576 /dev/zero | tr '\0' y; echo '"}}'
echo '{{"type":"end","outcome":"completed"}}'"#
    );
    let prompt = "é".repeat(1 << 20);
    let (driven, _) = driven(house.session(house.command(",protocol=1", &body), &prompt)).await;
    assert_eq!(answer(&driven).len(), 1 << 20);
}

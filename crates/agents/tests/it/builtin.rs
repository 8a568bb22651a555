//! The builtin agent against the fake model: its loop, its tools and its ends.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::{Duration, Instant},
};

use model::{
    agent::{
        event::{AgentEvent, ErrorClass, ToolStatus, ToolUse},
        fold::AgentOutcome,
        usage::CostState,
    },
    failure::FailureCode,
};
use proofhouse_agents::{
    Agent, Ask, Boxed, Collected, Driven, Kind, Mode, Reply, Seen, Session, Sink, SinkClosed, drive, is_here, probe,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    house::{House, answer, events, failure, kinds},
    models::{Answer, Models},
};

const KINDS: &[&str] = &["anthropic", "openai", "openai_compatible", "google"];

/// A session over the fake model, as this kind of provider.
fn session(house: &House, models: &Models, kind: &str, more: &str) -> Session {
    let text = format!(
        "default = \"mine/fake-1\"\n[providers.mine]\nkind = \"{kind}\"\nbase_url = \"{}/v1\"\nkey_env = \"THE_KEY\"\n\
         retry = {{ base_ms = 5, cap_ms = 20 }}\n{more}\n[[prices]]\nmodel = \"mine/\"\ninput = \"1\"\noutput = \"10\"\n",
        models.url()
    );
    let path = house.at("providers.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let agent = Agent { providers: Some(house.at("")), ..Agent::of(Kind::Builtin) };
    let mut session = house.fenced(agent, "make it better");
    session.environment.insert("THE_KEY".to_owned(), "planted-key-value".to_owned());
    session
}

/// Says yes to everything, so that tests do not depend on what fence this machine has.
#[derive(Default)]
struct Yes(Collected, Vec<Ask>);

impl Sink for Yes {
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        self.0.event(seen)
    }
    fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        self.1.push(ask);
        Box::pin(std::future::ready(Reply::Allow))
    }
}

async fn driven(session: Session) -> (Driven, Collected) {
    let mut sink = Yes::default();
    let driven = drive(session, &mut sink, CancellationToken::new()).await;
    (driven, sink.0)
}

fn tools(sink: &Collected) -> Vec<&ToolUse> {
    let all = events(sink).filter_map(|event| if let AgentEvent::Tool(tool) = event { Some(tool) } else { None });
    all.filter(|tool| tool.status.is_terminal()).collect()
}

fn output(sink: &Collected, at: usize) -> &str {
    tools(sink)[at].output.as_deref().unwrap()
}

// S36, S66, S74: a session over each wire: tools in order, results by id, usage and cost, each event in the raw output.
#[tokio::test]
async fn a_session_over_each_wire() {
    for kind in KINDS {
        let house = House::new();
        fs::write(house.at("tree/a.txt"), "one two\n").unwrap();
        let models = Models::start([
            Answer::Several(vec![
                Answer::say("I look first."),
                Answer::call("read", json!({"path": "a.txt"})),
                Answer::call("edit", json!({"path": "a.txt", "find": "two", "replace": "2"})),
                Answer::call("write", json!({"path": "b/new.txt", "contents": "new\n"})),
            ]),
            Answer::call("run", json!({"argv": ["sh", "-c", "cat a.txt; echo oops >&2; exit 3"]})),
            Answer::say("All done."),
        ]);
        let (driven, sink) = driven(session(&house, &models, kind, "")).await;
        assert_eq!(answer(&driven), "All done.", "{kind}");
        assert_eq!(
            (house.read("tree/a.txt"), house.read("tree/b/new.txt")),
            ("one 2\n".to_owned(), "new\n".to_owned())
        );
        let used: Vec<_> = tools(&sink).iter().map(|tool| (tool.name.as_str(), tool.status)).collect();
        let done = ToolStatus::Done;
        assert_eq!(used, [("read", done), ("edit", done), ("write", done), ("run", ToolStatus::Failed)]);
        assert_eq!(output(&sink, 3), "exit code 3\n--- stdout\none 2\n\n--- stderr\noops\n");
        let files = kinds(&sink).into_iter().filter(|kind| *kind == "agent.file").count();
        assert_eq!(files, 2);
        // Three requests of 100 tokens in and 20 out, at 1 and 10 dollars a million.
        assert_eq!((driven.end.usage.input, driven.end.usage.output), (Some(300), Some(60)));
        assert_eq!((driven.end.cost.state, driven.end.cost.known.micros_up()), (CostState::Computed, 300 + 600));
        assert_eq!(driven.end.turns, Some(3));
        assert_eq!(driven.end.session.as_ref().unwrap().model.as_deref(), Some("mine/fake-1"));
        let asked = models.requests();
        assert_eq!(asked.len(), 3);
        let second = asked[1].body.to_string();
        assert!(second.contains("one two") && second.contains("edited a.txt"), "{second}");
        let raw = house.read("own/agent.raw");
        assert_eq!(driven.raw.unwrap().1, raw.len() as u64);
        for seen in &sink.seen {
            let range = seen.raw.clone().unwrap();
            let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert_eq!(serde_json::from_str::<AgentEvent>(&raw[place]).unwrap(), seen.event);
        }
        // S85: the key is in no output, though what was received is kept.
        assert!(raw.contains("\"received\"") && !raw.contains("planted-key-value"));
    }
}

// S37, S41: what is not in the palette does not exist; no path leads out, no program gets a key.
#[tokio::test]
async fn tools_stay_inside() {
    let house = House::new();
    fs::write(house.at("person/secret"), "planted-secret\n").unwrap();
    symlink(house.at("person"), house.at("tree/out")).unwrap();
    let env = "env; cat $1/secret; echo x > $1/written; echo x > inside";
    let models = Models::start([
        Answer::Several(vec![
            Answer::call("read", json!({"path": "out/secret"})),
            Answer::call("read", json!({"path": "/etc/passwd"})),
            Answer::call("write", json!({"path": "../escaped", "contents": "x"})),
            Answer::call("write", json!({"path": ".git/hooks/x", "contents": "x"})),
            Answer::call("Bash", json!({"command": "ls"})),
            Answer::call("run", json!({"argv": []})),
            Answer::call("run", json!({"argv": ["/nowhere/at/all"]})),
            Answer::call("run", json!({"argv": ["sh", "-c", env, "sh", house.at("person").display().to_string()]})),
        ]),
        Answer::say("done"),
    ]);
    let (driven, sink) = driven(session(&house, &models, "anthropic", "")).await;
    assert_eq!(answer(&driven), "done");
    for (at, words) in [
        "leads out",
        "from the top",
        "no plain path",
        "git's own",
        "there is no tool \"Bash\"",
        "no program",
        "not started",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(tools(&sink)[at].status, ToolStatus::Failed);
        assert!(output(&sink, at).contains(words), "{}", output(&sink, at));
    }
    let printed = output(&sink, 7);
    assert!(!printed.contains("planted-key-value") && !printed.contains("THE_KEY"), "{printed}");
    assert!(!house.at("escaped").exists() && house.at("tree/inside").exists());
    if driven.sandbox.files == exec::sandbox::Files::Enforced {
        assert!(!house.at("person/written").exists() && !printed.contains("planted-secret"), "{printed}");
    }
}

// S37: a session that only looks is offered nothing that changes anything, and gets nothing.
#[tokio::test]
async fn a_session_that_looks_changes_nothing() {
    let house = House::new();
    fs::write(house.at("tree/a.txt"), "needle\n").unwrap();
    let models = Models::start([
        Answer::Several(vec![
            Answer::call("write", json!({"path": "b.txt", "contents": "x"})),
            Answer::call("run", json!({"argv": ["touch", "b.txt"]})),
            Answer::call("grep", json!({"pattern": "need.e"})),
            Answer::call("find", json!({"glob": "*.txt"})),
        ]),
        Answer::say("looked"),
    ]);
    let mut session = session(&house, &models, "openai", "");
    session.mode = Mode::ReadOnly;
    let (driven, sink) = driven(session).await;
    assert_eq!(answer(&driven), "looked");
    assert!(!house.at("tree/b.txt").exists());
    let states: Vec<_> = tools(&sink).iter().map(|tool| tool.status).collect();
    assert_eq!(states, [ToolStatus::Failed, ToolStatus::Failed, ToolStatus::Done, ToolStatus::Done]);
    assert_eq!((output(&sink, 2), output(&sink, 3)), ("a.txt:1: needle", "a.txt"));
    let asked = models.requests();
    let offered = asked[0].body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
    let offered: Vec<&str> = offered.collect();
    assert_eq!(offered, ["read", "find", "grep", "diff"]);
}

// S38, S76: where no fence holds a program, somebody has to say yes; nobody there is no.
#[tokio::test]
async fn without_a_fence_a_program_needs_a_yes() {
    let house = House::new();
    let answers = || [Answer::call("run", json!({"argv": ["touch", "made"]})), Answer::say("done")];
    let models = Models::start(answers());
    let mut unfenced = session(&house, &models, "openai", "");
    unfenced.sandbox = exec::sandbox::SandboxPlan::none();
    let mut nobody = Collected::default();
    let driven = drive(unfenced.clone(), &mut nobody, CancellationToken::new()).await;
    assert_eq!((answer(&driven), tools(&nobody)[0].status), ("done", ToolStatus::Denied));
    assert!(!house.at("tree/made").exists());
    let models = Models::start(answers());
    let again = session(&house, &models, "openai", "");
    let mut yes = Yes::default();
    drive(Session { sandbox: exec::sandbox::SandboxPlan::none(), ..again }, &mut yes, CancellationToken::new()).await;
    assert!(house.at("tree/made").exists());
    assert!(matches!(&yes.1[0], Ask::Approval { tool, argv: Some(argv), .. } if tool == "run" && argv[0] == "touch"));
}

// S42: both outputs are cut in the middle, a program past its time is ended with all it started.
#[tokio::test]
async fn output_and_time_are_bounded() {
    let house = House::new();
    let flood = "head -c 200000 /dev/zero | tr '\\0' x; printf 'é\\377\\000end'";
    let models = Models::start([
        Answer::Several(vec![
            Answer::call("run", json!({"argv": ["sh", "-c", flood]})),
            Answer::call("run", json!({"argv": ["sh", "-c", "sleep 60 & sleep 60"], "timeout_s": 1})),
        ]),
        Answer::say("done"),
    ]);
    let clock = Instant::now();
    let (driven, sink) = driven(session(&house, &models, "google", "")).await;
    assert_eq!(answer(&driven), "done");
    let flooded = output(&sink, 0);
    assert!(
        flooded.len() < 40_000 && flooded.contains("bytes are left out here") && flooded.ends_with("end"),
        "{}",
        &flooded[flooded.len() - 100..]
    );
    assert!(output(&sink, 1).contains("after 1 s"), "{}", output(&sink, 1));
    assert!(clock.elapsed() < Duration::from_secs(30));
    // The whole of it stands in the raw output.
    assert!(house.read("own/agent.raw").len() > 200_000);
}

// S40: the same call with the same result is told once, and stops the session the second time; differing ones do not.
#[tokio::test]
async fn going_in_circles_stops() {
    let house = House::new();
    fs::write(house.at("tree/a.txt"), "x").unwrap();
    let same = || Answer::call("read", json!({"path": "a.txt"}));
    let models = Models::start((0..10).map(|_| same()));
    let (driven, sink) = driven(session(&house, &models, "openai_compatible", "")).await;
    let (code, message) = failure(&driven);
    assert!(code == FailureCode::AgentFailed && message.contains("stuck"), "{message}");
    assert_eq!(models.requests().len(), 6);
    assert!(models.requests()[3].body.to_string().contains("exactly this several times"));
    assert!(events(&sink).any(|event| matches!(event, AgentEvent::Error { class: ErrorClass::Notice, .. })));

    let count = "echo x >> count; cat count";
    let differing = (0..8).map(|_| Answer::call("run", json!({"argv": ["sh", "-c", count]})));
    let models = Models::start(differing.chain([Answer::say("done")]));
    let (driven, _) = self::driven(session(&house, &models, "anthropic", "")).await;
    assert_eq!(answer(&driven), "done");
}

// S40: turns are counted.
#[tokio::test]
async fn turns_have_an_end() {
    let house = House::new();
    let models = Models::start((0..60).map(|number| Answer::call("find", json!({"glob": format!("{number}")}))));
    let mut few = session(&house, &models, "anthropic", "");
    few.limits.turns = Some(4);
    let (driven, _) = driven(few).await;
    assert_eq!(failure(&driven).0, FailureCode::BudgetExhausted);
    assert_eq!((models.requests().len(), driven.end.turns), (4, Some(4)));
}

// S82, X22: each end has its code; what was used before it is told.
#[tokio::test]
async fn failures_have_their_codes() {
    let read = || Answer::call("find", json!({}));
    let status = |status: u16| Answer::status(status, "no");
    for (answers, code, known) in [
        (vec![read(), status(401)], FailureCode::ProviderAuth, true),
        (vec![read(), status(402)], FailureCode::ProviderBilling, true),
        (vec![read(), status(404)], FailureCode::ProviderNotFound, true),
        (vec![read(), status(400)], FailureCode::ProviderBadRequest, true),
        (vec![read(), Answer::status(400, "prompt is too long")], FailureCode::ContextOverflow, true),
        (vec![read(), status(500), status(500), status(500), status(500)], FailureCode::ProviderUnavailable, false),
        (vec![read(), Answer::Cut, Answer::Cut, Answer::Cut, Answer::Cut], FailureCode::ProviderUnavailable, false),
        (vec![Answer::say(" ")], FailureCode::ProviderEmptyReply, true),
        (vec![read(), Answer::say(""), Answer::say("")], FailureCode::ProviderEmptyReply, true),
    ] {
        let house = House::new();
        let models = Models::start(answers);
        let (driven, sink) = driven(session(&house, &models, "anthropic", "")).await;
        let (found, message) = failure(&driven);
        assert_eq!(found, code, "{message}");
        assert!(driven.end.usage.input.unwrap() >= 100);
        // A request that may have been charged makes the cost unknown (S66).
        assert_eq!(driven.end.cost.state == CostState::Computed, known, "{code:?}");
        let retries = events(&sink).filter(|event| matches!(event, AgentEvent::Error { class: ErrorClass::Notice, message, .. } if message.starts_with("retry after")));
        assert_eq!(retries.count(), if known { 0 } else { 3 });
    }
}

// S82: a long wait is told with its time, so that the task can be given back.
#[tokio::test]
async fn a_long_wait_is_told() {
    let house = House::new();
    let limited = Answer::Status { status: 429, message: "later".to_owned(), retry_after: Some(600) };
    let models = Models::start([limited]);
    let (driven, _) = driven(session(&house, &models, "openai", "")).await;
    let AgentOutcome::Failed(failure) = &driven.end.outcome else { panic!("{driven:?}") };
    assert_eq!(failure.code, FailureCode::RateLimited);
    assert!(failure.retry_at.is_some() && models.requests().len() == 1);
}

// S33, S83: a cancel ends a request, a wait and a program at once; a time limit does the same.
#[tokio::test]
async fn a_stop_ends_it_at_once() {
    let sleeping = || Answer::call("run", json!({"argv": ["sh", "-c", "touch begun; sleep 60"]}));
    let house = House::new();
    let models = Models::start([sleeping()]);
    let (stop, mut sink, clock) = (CancellationToken::new(), Yes::default(), Instant::now());
    let driving = drive(session(&house, &models, "openai", ""), &mut sink, stop.clone());
    let stopping = async {
        while !house.at("tree/begun").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        Instant::now()
    };
    let (driven, stopped) = tokio::join!(driving, stopping);
    assert_eq!(driven.end.outcome, AgentOutcome::Cancelled);
    assert!(stopped.elapsed() < Duration::from_secs(15), "{:?}", clock.elapsed());
    // Its call has a result, which says so (S36), and what was used is known.
    assert!(output(&sink.0, 0).contains("stopped"));
    assert_eq!(driven.end.usage.input, Some(100));

    let models = Models::start([Answer::Hang(Duration::from_secs(20))]);
    let mut short = session(&house, &models, "openai", "");
    short.limits.wall = Duration::from_millis(300);
    let clock = Instant::now();
    let (driven, _) = self::driven(short).await;
    assert_eq!(failure(&driven).0, FailureCode::AgentTimeout);
    assert!(clock.elapsed() < Duration::from_secs(15));
}

// S43: older results make room, and the conversation goes on.
#[tokio::test]
async fn a_long_conversation_makes_room() {
    let house = House::new();
    for number in 0..8 {
        fs::write(house.at(&format!("tree/{number}.txt")), format!("{number}").repeat(8_000)).unwrap();
    }
    let reads = (0..8).map(|number| Answer::call("read", json!({"path": format!("{number}.txt")})));
    let models = Models::start(reads.chain([Answer::say("read them all")]));
    let (driven, sink) = driven(session(&house, &models, "anthropic", "context = 10000")).await;
    assert_eq!(answer(&driven), "read them all");
    let last = models.requests().last().unwrap().body.to_string();
    assert!(last.contains("left out to make room") && last.contains(&"7".repeat(8_000)), "{}", last.len());
    assert!(events(&sink).any(|event| matches!(event, AgentEvent::Error { class: ErrorClass::Notice, message, .. } if message.contains("compacted"))));
    // A prompt that never fits is told as that, and nobody is asked.
    let models = Models::start([]);
    let mut long = session(&house, &models, "anthropic", "context = 10000");
    long.prompt = "x".repeat(100_000);
    let (driven, _) = self::driven(long).await;
    assert_eq!((failure(&driven).0, models.requests().len()), (FailureCode::ContextOverflow, 0));
}

// S81, S36: calls that cannot be read are told; a reply that promises calls and holds none gets one more turn.
#[tokio::test]
async fn malformed_replies_are_told() {
    let chunk = |delta: Value, finish: &str| {
        let chunk = json!({"choices": [{"delta": delta, "finish_reason": finish}]});
        Answer::Raw(format!("data: {chunk}\n\ndata: [DONE]\n\n").into_bytes())
    };
    let broken = json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "read", "arguments": "{oops"}}]});
    let house = House::new();
    let models = Models::start([chunk(broken, "tool_calls"), chunk(json!({}), "tool_calls"), Answer::say("fine")]);
    let (driven, sink) = driven(session(&house, &models, "openai_compatible", "")).await;
    assert_eq!(answer(&driven), "fine");
    assert!(output(&sink, 0).contains("no JSON"));
    let models = Models::start([chunk(json!({}), "tool_calls"), chunk(json!({}), "tool_calls")]);
    let (driven, _) = self::driven(session(&house, &models, "openai_compatible", "")).await;
    assert_eq!(failure(&driven).0, FailureCode::ProviderUnavailable);
    // One that was cut at its longest goes on.
    let models = Models::start([chunk(json!({"content": "half"}), "length"), Answer::say("whole")]);
    let (driven, _) = self::driven(session(&house, &models, "openai_compatible", "")).await;
    assert_eq!(answer(&driven), "whole");
}

// S73, S85: whether a model can be asked is known without asking one; a session without one says what is missing.
#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    let house = House::new();
    let models = Models::start([]);
    let ready = session(&house, &models, "anthropic", "");
    assert!(is_here(&ready.agent, &ready.environment));
    let found = probe(&ready.agent, &ready.environment, &house.at("own")).await;
    assert!(found.readiness.is_usable() && found.words.contains("mine/fake-1"), "{found:?}");
    let mut without = ready.clone();
    without.environment.remove("THE_KEY");
    assert!(!is_here(&without.agent, &without.environment));
    let (driven, _) = driven(without).await;
    let (code, message) = failure(&driven);
    assert!(code == FailureCode::ProviderAuth && message.contains("THE_KEY"), "{message}");
    for (model, words) in [("nobody/x", "no provider nobody"), ("x", "provider/name")] {
        let mut other = ready.clone();
        other.model = Some(model.to_owned());
        let (driven, _) = self::driven(other).await;
        assert!(failure(&driven).1.contains(words), "{}", failure(&driven).1);
    }
    assert!(models.requests().is_empty());
}

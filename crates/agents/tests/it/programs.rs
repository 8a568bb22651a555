//! The real programs, from npm, in the versions the adapters are tested with (`scripts/agents.sh`), in real
//! git repositories, talking to a fake model on loopback.

use std::{fs, path::PathBuf, process::Command, sync::LazyLock, time::Duration};

use model::{
    agent::{event::AgentEvent, fold::AgentOutcome, usage::CostState},
    failure::FailureCode,
};
use proofhouse_agents::{Agent, Checks, Driven, Kind, Mode, Session};
use serde_json::{Value, json};

use super::{
    house::{House, answer, driven, events, failure},
    models::{Answer, Models, Wire, sign_in},
};

/// Where the programs lie; installed at the first call on a machine.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/agents.sh");
    let ran = Command::new(script).output().unwrap();
    assert!(ran.status.success(), "the agents cannot be installed: {}", String::from_utf8_lossy(&ran.stderr));
    PathBuf::from(String::from_utf8(ran.stdout).unwrap().trim())
});

/// A repository with one commit, as an agent finds it.
pub fn repository(house: &House) {
    fs::write(house.at("tree/README.md"), "# A repository\n").unwrap();
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "-m", "first"],
    ] {
        assert!(Command::new("git").args(arguments).current_dir(house.at("tree")).status().unwrap().success());
    }
}

pub fn session(house: &House, kind: Kind, models: &Models) -> Session {
    sign_in(&house.at("person"), |_| models.url());
    let program = PROGRAMS.join(Agent::of(kind).argv()[0].as_str());
    let agent = Agent { program: vec![program.display().to_string()], ..Agent::of(kind) };
    let mut session = house.fenced(agent, "make a file");
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"] {
        session.environment.insert(name.to_owned(), "sk-key-of-the-person-0123456789".to_owned());
    }
    session.environment.insert("ANTHROPIC_BASE_URL".to_owned(), models.url());
    session.env.insert("CLAUDE_CODE_MAX_RETRIES".to_owned(), "0".to_owned());
    session.model = match kind {
        Kind::Claude => Some("claude-sonnet-4-5".to_owned()),
        Kind::Pi | Kind::Opencode => Some("fake/loop-1".to_owned()),
        _ => None,
    };
    session.limits.wall = Duration::from_secs(120);
    // Asking for it takes seconds; who makes a file asks.
    session.version = kind.adapter().and_then(|adapter| adapter.tested()).map(|tested| tested.from);
    session
}

/// A use of the tool by which each of them makes a file.
fn writes(house: &House, kind: Kind, path: &str, text: &str) -> Answer {
    let absolute = house.at("tree").join(path);
    match kind {
        Kind::Claude => Answer::call("Write", json!({"file_path": absolute, "content": text})),
        Kind::Codex => Answer::call("exec_command", json!({"cmd": format!("printf '%s' '{text}' > {path}")})),
        Kind::Opencode => Answer::call("write", json!({"filePath": absolute, "content": text})),
        _ => Answer::call("write", json!({"path": path, "content": text})),
    }
}

async fn makes_a_file(kind: Kind) -> (House, Driven, Vec<AgentEvent>) {
    let house = House::new();
    repository(&house);
    let models = Models::start([writes(&house, kind, "made.txt", "hello"), Answer::say("it is made")]);
    let mut session = session(&house, kind, &models);
    session.version = None;
    let (driven, sink) = driven(session).await;
    let said = fs::read_to_string(house.at("own/agent.raw")).unwrap_or_default();
    let errors = fs::read_to_string(house.at("own/agent.raw.errors")).unwrap_or_default();
    let about = format!("{:?}\n{said}\n{errors}", driven.end);
    assert!(matches!(driven.end.outcome, AgentOutcome::Completed { .. }), "{about}");
    assert_eq!(answer(&driven), "it is made", "{about}");
    assert_eq!(fs::read_to_string(house.at("tree/made.txt")).unwrap_or_default(), "hello", "{about}");
    // Two requests of 100 and 20 tokens.
    assert_eq!((driven.end.usage.input, driven.end.usage.output), (Some(200), Some(40)), "{about}");
    assert!(driven.end.turns.is_some_and(|turns| turns > 0), "{about}");
    let facts = driven.end.session.clone().unwrap();
    assert!(facts.session.is_some() && facts.version.is_some() && facts.adapter.is_some(), "{facts:?}");
    // L22: never in argv, whatever it is.
    assert!(facts.argv.iter().all(|word| !word.contains("make a file")), "{facts:?}");
    assert!(!said.contains("sk-key-of-the-person") && !said.contains("key-of-the-person-1"), "{about}");
    // The prompt came to the model, over the wire this agent speaks, with the person's key.
    let asked = &models.requests()[0];
    assert!(asked.body.to_string().contains("make a file"));
    let wire = match kind {
        Kind::Claude => Wire::Messages,
        Kind::Codex => Wire::Responses,
        _ => Wire::Chat,
    };
    assert_eq!(asked.wire, wire);
    assert!(asked.headers.iter().any(|(_, value)| value.contains("key-of-the-person")), "{:?}", asked.headers);
    let events = events(&sink).cloned().collect();
    (house, driven, events)
}

fn has_tool(events: &[AgentEvent]) -> bool {
    events.iter().any(|event| matches!(event, AgentEvent::Tool(tool) if tool.status.is_terminal()))
}

fn has_file(events: &[AgentEvent]) -> bool {
    events.iter().any(|event| matches!(event, AgentEvent::File { path, .. } if path == "made.txt"))
}

// S75, L29
#[tokio::test]
async fn claude_makes_a_file() {
    let (_house, driven, events) = makes_a_file(Kind::Claude).await;
    assert!(has_tool(&events) && has_file(&events), "{events:?}");
    assert_eq!(driven.end.cost.state, CostState::Reported);
}

// S75, L29
#[tokio::test]
async fn codex_makes_a_file() {
    let (_house, driven, events) = makes_a_file(Kind::Codex).await;
    assert!(has_tool(&events), "{events:?}");
    assert_eq!(driven.end.cost.state, CostState::Unknown);
}

// S75, L29
#[tokio::test]
async fn opencode_makes_a_file() {
    let (_house, driven, events) = makes_a_file(Kind::Opencode).await;
    assert!(has_tool(&events) && has_file(&events), "{events:?}");
    assert_eq!(driven.end.cost.state, CostState::Unknown);
}

// S75, L29
#[tokio::test]
async fn pi_makes_a_file() {
    let (_house, driven, events) = makes_a_file(Kind::Pi).await;
    assert!(has_tool(&events) && has_file(&events), "{events:?}");
    assert_eq!((driven.end.cost.state, driven.end.cost.known.nanos()), (CostState::Reported, 280_000));
}

/// The folder of a session on the fake model with these answers, and how it went.
async fn played(kind: Kind, answers: Vec<Answer>, change: impl FnOnce(&mut Session)) -> (House, Driven) {
    let house = House::new();
    repository(&house);
    let models = Models::start(answers);
    let mut session = session(&house, kind, &models);
    change(&mut session);
    let (driven, _) = driven(session).await;
    if let Some(folder) = std::env::var_os("PROOFHOUSE_KEEP_TRANSCRIPTS").filter(|folder| !folder.is_empty()) {
        // For new golden transcripts.
        let name = format!("{}-{}.jsonl", kind.name(), house.at("").display().to_string().replace(['/', '.'], ""));
        let raw = house.read("own/agent.raw").replace(&house.at("tree").display().to_string(), "WORKTREE");
        fs::write(PathBuf::from(folder).join(name), raw).unwrap();
    }
    (house, driven)
}

fn no_change(_: &mut Session) {}

// Section 13, L29: what the provider says comes through each of them to the right failure, at whatever exit code.
#[tokio::test]
async fn a_provider_that_says_wait_is_understood() {
    for kind in [Kind::Claude, Kind::Codex, Kind::Pi] {
        let message = "rate limit exceeded, try again later".to_owned();
        let answers = vec![Answer::Status { status: 429, message, retry_after: Some(1) }; 4];
        let (house, driven) = played(kind, answers, no_change).await;
        let (code, message) = failure(&driven);
        assert_eq!(code, FailureCode::RateLimited, "{kind:?}: {message}\n{}", house.read("own/agent.raw"));
    }
}

// Section 13: a key that is not taken.
#[tokio::test]
async fn a_key_that_is_not_taken_is_understood() {
    for kind in [Kind::Claude, Kind::Codex, Kind::Opencode, Kind::Pi] {
        let answers = vec![Answer::status(401, "invalid x-api-key"); 4];
        let (house, driven) = played(kind, answers, no_change).await;
        let (code, message) = failure(&driven);
        assert_eq!(code, FailureCode::AgentSessionExpired, "{kind:?}: {message}\n{}", house.read("own/agent.raw"));
    }
}

// L29: a stream that is cut, and one that is no stream, are failures and never an answer.
#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer() {
    for (kind, broken) in
        [(Kind::Claude, Answer::Cut), (Kind::Codex, Answer::Garbage), (Kind::Pi, Answer::status(500, "internal error"))]
    {
        let (house, driven) = played(kind, vec![broken; 12], no_change).await;
        let (code, message) = failure(&driven);
        assert_eq!(code, FailureCode::AgentFailed, "{kind:?}: {message}\n{}", house.read("own/agent.raw"));
    }
}

// D35: a model that never answers does not hold the session beyond its time.
#[tokio::test]
async fn a_model_that_hangs_ends_with_the_time() {
    let hang = vec![Answer::Hang(Duration::from_secs(60))];
    let (_house, driven) = played(Kind::Codex, hang, |session| session.limits.wall = Duration::from_secs(4)).await;
    assert_eq!(failure(&driven).0, FailureCode::AgentTimeout);
}

// S76, L29: in a session that only looks, no tool of any of them changes a file.
#[tokio::test]
async fn a_session_that_only_looks_changes_nothing() {
    for kind in [Kind::Codex, Kind::Pi] {
        let house = House::new();
        repository(&house);
        let models = Models::start([writes(&house, kind, "made.txt", "hello"), Answer::say("I could not")]);
        let mut session = session(&house, kind, &models);
        session.mode = Mode::ReadOnly;
        let (driven, _) = driven(session).await;
        assert_eq!(answer(&driven), "I could not");
        assert!(!house.at("tree/made.txt").exists(), "{kind:?}");
    }
}

// S76: claude's own checks stay on, so a command is denied; behind a fence that is required they may go.
#[tokio::test]
async fn claude_asks_before_it_runs_a_command() {
    let shell = || {
        let command = "python3 -c \"open('made.txt', 'w').write('hello')\"";
        let input: Value = json!({"command": command, "description": "make a file"});
        vec![Answer::call("Bash", input), Answer::say("that is all")]
    };
    let (own, driven) = played(Kind::Claude, shell(), no_change).await;
    assert_eq!(answer(&driven), "that is all");
    assert!(!own.at("tree/made.txt").exists());
    let off = |session: &mut Session| session.checks = Checks::SandboxOnly;
    let (fenced, driven) = played(Kind::Claude, shell(), off).await;
    assert_eq!(answer(&driven), "that is all");
    assert_eq!(fenced.read("tree/made.txt"), "hello", "{}", fenced.read("own/agent.raw"));
}

// Resume: a second session in the same home goes on with the first one's id.
#[tokio::test]
async fn sessions_are_resumed() {
    for kind in [Kind::Claude, Kind::Codex] {
        let house = House::new();
        repository(&house);
        let models = Models::start([Answer::say("the first"), Answer::say("the second")]);
        let first = driven(session(&house, kind, &models)).await.0;
        let mut again = session(&house, kind, &models);
        again.resume = first.end.session.clone().unwrap().session;
        again.prompt = "and now?".to_owned();
        let second = driven(again).await.0;
        assert_eq!((answer(&first), answer(&second)), ("the first", "the second"), "{kind:?}");
        let asked = models.requests().pop().unwrap().body.to_string();
        assert!(asked.contains("make a file") && asked.contains("the first"), "{kind:?}: {asked}");
    }
}

// S75: a version beyond the tested ones is refused by name, a pinned one that is not there too.
#[tokio::test]
async fn versions_are_looked_at_before_a_session() {
    let house = House::new();
    let models = Models::start([]);
    let script = house.script("echo 'codex-cli 9.9.9'");
    let mut session = session(&house, Kind::Codex, &models);
    session.agent.program = vec![script.display().to_string()];
    session.version = None;
    let untested = driven(session.clone()).await.0;
    assert!(failure(&untested).1.contains("9.9.9 is untested"), "{:?}", untested.end.outcome);
    session.agent.pin = proofhouse_agents::Version::in_text("1.2.3");
    let pinned = driven(session.clone()).await.0;
    assert!(failure(&pinned).1.contains("npm install -g @openai/codex"), "{:?}", pinned.end.outcome);
    // Taken all the same, it says nothing that counts as an end.
    (session.agent.pin, session.agent.allow_untested) = (None, true);
    assert_eq!(failure(&driven(session).await.0).0, FailureCode::AgentProtocolError);
}

// S76, L23: behind the fence an agent reads its own login and renews it there, and sees nobody else's; what it
// prints of it is redacted (X50).
#[tokio::test]
async fn an_agent_has_its_own_login_and_no_other() {
    let house = House::new();
    let models = Models::start([]);
    let script = house.script(
        "cat $HOME/.codex/auth.json; cat $HOME/.codex/auth.json > mine; echo renewed > $HOME/.codex/auth.json\n\
         cat $PERSON/.pi/agent/auth.json > other; cat $PERSON/.codex/history.jsonl > past; true",
    );
    let mut session = session(&house, Kind::Codex, &models);
    for path in [".codex/auth.json", ".pi/agent/auth.json", ".codex/history.jsonl"] {
        let text = format!("{{\"access_token\":\"token-in-{}\"}}", path.replace('/', "-"));
        fs::create_dir_all(house.at("person").join(path).parent().unwrap()).unwrap();
        fs::write(house.at("person").join(path), text).unwrap();
    }
    session.agent.program = vec![script.display().to_string()];
    session.env.insert("PERSON".to_owned(), house.at("person").display().to_string());
    let driven = driven(session).await.0;
    if driven.sandbox.files == exec::sandbox::Files::Enforced {
        assert!(house.read("tree/mine").contains("token-in-.codex-auth.json"));
        assert_eq!((house.read("tree/other"), house.read("tree/past")), (String::new(), String::new()));
        assert_eq!(house.read("person/.codex/auth.json"), "renewed\n");
    }
    let raw = house.read("own/agent.raw");
    assert!(raw.contains("[redacted:") && !raw.contains("token-in-"), "{raw}");
}

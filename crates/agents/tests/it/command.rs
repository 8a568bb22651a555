//! Any program as an agent: the plain form (D62), the fence around it, and every way it can go wrong.

use std::{
    fs,
    time::{Duration, Instant},
};

use exec::sandbox::{Files, Network};
use model::{agent::fold::AgentOutcome, failure::FailureCode};
use proofhouse_agents::{Agent, Boxed, Checks, Collected, Kind, Mode, Seen, Sink, SinkClosed, drive};
use tokio_util::sync::CancellationToken;

use super::house::{House, answer, driven, failure, kinds};

// D62: prompt on standard input, the folder is the worktree, the variables of X32, the whole output is the answer.
#[tokio::test]
async fn a_plain_program_answers_its_prompt() {
    let house = House::new();
    let agent = house.command("", "pwd; cat; echo; echo $PROOFHOUSE_MODE; cat $PROOFHOUSE_PROMPT_FILE; echo > made");
    let mut session = house.session(agent, "do it");
    session.context_file = Some(house.at("context.json"));
    let (driven, sink) = driven(session).await;
    let tree = house.at("tree").canonicalize().unwrap();
    assert_eq!(answer(&driven), format!("{}\ndo it\nwrite\ndo it", tree.display()));
    assert!(house.at("tree/made").exists());
    assert_eq!(kinds(&sink), ["agent.session", "agent.message", "agent.end"]);
    // S74: what it printed is kept.
    assert_eq!(house.read("own/agent.raw"), format!("{}\n", answer(&driven)).trim_end());
    // X19: the network of an agent is open, and that is said.
    assert_eq!(driven.sandbox.network, Network::Open);
}

// S76, X32: it sees what is named, and nothing else.
#[tokio::test]
async fn a_program_gets_a_home_and_an_environment_of_its_own() {
    let house = House::new();
    let (driven, _) = driven(house.session(house.command(",env=MY_TOKEN", "env; echo $HOME"), "")).await;
    let said = answer(&driven);
    assert!(!said.contains("UNNAMED") && said.contains(&house.at("own/home").display().to_string()), "{said}");
    // X50: what was handed over is redacted in all it prints.
    assert!(said.contains("MY_TOKEN=[redacted:MY_TOKEN]") && !said.contains("token-of-the-person"), "{said}");
    assert!(!house.read("own/agent.raw").contains("token-of-the-person"));
}

// S76: the fence. Skipped by no one: where the kernel has no Landlock the report has to say so.
#[tokio::test]
async fn a_fenced_program_writes_where_it_may() {
    let house = House::new();
    fs::write(house.at("person/key"), "private").unwrap();
    fs::write(house.at("outside"), "before").unwrap();
    let body = format!(
        "cat {person}/key; echo hacked > {outside}; echo ok > inside; echo ok > $HOME/mine; echo done",
        person = house.at("person").display(),
        outside = house.at("outside").display()
    );
    let (driven, _) = driven(house.fenced(house.command("", &body), "")).await;
    if driven.sandbox.files == Files::Enforced {
        assert_eq!(answer(&driven), "done");
        assert_eq!(house.read("outside"), "before");
    } else {
        assert!(!driven.sandbox.missing.is_empty(), "{:?}", driven.sandbox);
    }
    assert_eq!((house.read("tree/inside"), house.read("own/home/mine")), ("ok\n".to_owned(), "ok\n".to_owned()));
}

// A session that only looks cannot change the worktree, whatever the agent believes.
#[tokio::test]
async fn a_read_only_session_changes_nothing() {
    let house = House::new();
    fs::write(house.at("tree/file"), "before").unwrap();
    let mut session = house.fenced(house.command("", "cat file; echo hacked > file; echo $PROOFHOUSE_MODE"), "");
    session.mode = Mode::ReadOnly;
    let (driven, _) = driven(session).await;
    if driven.sandbox.files == Files::Enforced {
        assert_eq!((answer(&driven), house.read("tree/file")), ("beforeread_only", "before".to_owned()));
    }
}

// S76: no adapter turns an agent's own checks off without a sandbox that holds.
#[tokio::test]
async fn checks_are_turned_off_only_inside_a_sandbox() {
    let house = House::new();
    let mut session = house.session(house.command("", "echo > made"), "");
    session.checks = Checks::SandboxOnly;
    let (driven, _) = driven(session).await;
    assert_eq!(failure(&driven).0, FailureCode::PolicyDenied);
    assert!(!house.at("tree/made").exists());
}

// Section 13, L25: each way to go wrong has its code, and the end of its errors is quoted.
#[tokio::test]
async fn each_way_to_fail_has_its_code() {
    for (body, code, words) in [
        ("echo half; echo 'boom: no' >&2; exit 3", FailureCode::AgentFailed, "boom: no"),
        ("kill -9 $$", FailureCode::AgentFailed, "signal 9"),
        ("echo 'Error: 429 Too Many Requests' >&2; exit 1", FailureCode::RateLimited, "429"),
        ("echo '{\"is_error\":true,\"result\":\"not today\"}'", FailureCode::AgentFailed, "not today"),
        ("echo 'Invalid API key' >&2; exit 1", FailureCode::AgentSessionExpired, "Invalid API key"),
    ] {
        let house = House::new();
        let (driven, _) = driven(house.session(house.command("", body), "")).await;
        let (found, message) = failure(&driven);
        assert_eq!(found, code, "{body}: {message}");
        assert!(message.contains(words), "{body}: {message}");
    }
}

// Section 13: a program that is not there, and one that cannot be executed.
#[tokio::test]
async fn a_missing_program_is_named() {
    let house = House::new();
    fs::write(house.at("plain"), "text").unwrap();
    for program in ["/nowhere/agent".to_owned(), house.at("plain").display().to_string(), "no-such-agent-9".to_owned()]
    {
        let agent: Agent = format!("mine=command:{program}").parse().unwrap();
        let (driven, sink) = driven(house.session(agent, "")).await;
        let (code, message) = failure(&driven);
        assert_eq!(code, FailureCode::AgentNotFound, "{message}");
        assert!(message.contains(&program) && sink.seen.is_empty(), "{message}");
    }
}

// D35: wall clock; nothing it started outlives it.
#[tokio::test]
async fn a_program_that_hangs_is_ended_with_all_it_started() {
    let house = House::new();
    let mut session = house.session(house.command("", "echo begun; (setsid sleep 987 &) ; sleep 987"), "");
    session.limits.wall = Duration::from_secs(1);
    let clock = Instant::now();
    let (driven, _) = driven(session).await;
    assert_eq!(failure(&driven).0, FailureCode::AgentTimeout);
    assert!(clock.elapsed() < Duration::from_secs(6), "{:?}", clock.elapsed());
    // What it said before is told.
    assert_eq!(house.read("own/agent.raw"), "begun\n");
}

// S78: silence ends it long before its time is up; output keeps it alive.
#[tokio::test]
async fn a_silent_program_is_ended() {
    let house = House::new();
    let mut session = house.session(house.command("", "for i in 1 2 3 4; do echo $i; sleep 0.3; done; sleep 60"), "");
    session.limits.quiet = Duration::from_millis(900);
    let clock = Instant::now();
    let (driven, _) = driven(session).await;
    let (code, message) = failure(&driven);
    assert!(code == FailureCode::AgentTimeout && message.contains("said nothing"), "{message}");
    assert!(clock.elapsed() < Duration::from_secs(10));
    assert_eq!(house.read("own/agent.raw"), "1\n2\n3\n4\n");
}

// D35: beyond the cap it is read and dropped, the head is kept, the child never blocks.
#[tokio::test]
async fn a_flood_is_cut_and_told() {
    let house = House::new();
    let body = "head -c 8000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo; echo end > ended";
    let mut session = house.session(house.command("", body), "");
    session.limits.output = 1 << 20;
    let (driven, _) = driven(session).await;
    assert_eq!(failure(&driven).0, FailureCode::OutputTooLarge);
    assert!(house.at("tree/ended").exists() && driven.is_truncated);
    assert!(house.read("own/agent.raw").starts_with("xxxx"));
}

// S78: any bytes at all are text in the end.
#[tokio::test]
async fn odd_bytes_are_made_harmless() {
    let house = House::new();
    let agent = house.command("", r"printf 'a\377b\000c\033[31mred\033[0m\nlast'");
    let (driven, _) = driven(house.session(agent, "")).await;
    assert_eq!(answer(&driven), "a\u{fffd}b\u{2400}cred\nlast");
}

// L22: prompts of megabytes, and programs that do not read them.
#[tokio::test]
async fn large_prompts_go_through_and_may_be_ignored() {
    let house = House::new();
    let prompt = "ä".repeat(1 << 20);
    let (counted, _) = driven(house.session(house.command("", "wc -c"), &prompt)).await;
    assert_eq!(answer(&counted).trim(), (2 << 20).to_string());
    let (ignored, _) = driven(house.session(house.command("", "echo no"), &prompt)).await;
    assert_eq!(answer(&ignored), "no");
}

// X13: a stop ends it soon; it is cancelled, not failed.
#[tokio::test]
async fn a_stop_ends_it() {
    let house = House::new();
    let stop = CancellationToken::new();
    let mut sink = Collected::default();
    let session = house.session(house.command("", "trap '' TERM; sleep 60"), "");
    let clock = Instant::now();
    let driving = drive(session, &mut sink, stop.clone());
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    };
    let (driven, ()) = tokio::join!(driving, stopping);
    assert_eq!(driven.end.outcome, AgentOutcome::Cancelled);
    assert!(clock.elapsed() < Duration::from_secs(6), "{:?}", clock.elapsed());
}

/// Takes nothing.
struct Full;

impl Sink for Full {
    fn event(&mut self, _: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        Box::pin(std::future::ready(Err(SinkClosed)))
    }
}

// S88: what cannot be recorded does not go on.
#[tokio::test]
async fn a_session_that_cannot_be_recorded_is_stopped() {
    let house = House::new();
    let clock = Instant::now();
    let session = house.session(house.command("", "sleep 60"), "");
    let driven = drive(session, &mut Full, CancellationToken::new()).await;
    assert_eq!(driven.end.outcome, AgentOutcome::Cancelled);
    assert!(clock.elapsed() < Duration::from_secs(6));
}

#[test]
fn each_kind_says_what_it_can_do() {
    for kind in Kind::ALL {
        let agent = Agent::of(*kind);
        assert_eq!(Kind::by_name(kind.name()), Some(*kind));
        assert_eq!(agent.is_simulated(), *kind == Kind::Scripted);
        assert!(agent.capabilities().len() < 8);
    }
}

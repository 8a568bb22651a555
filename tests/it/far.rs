//! Dispatch runs whose agent works on another machine: the product's own worker, over its protocol.

use std::{
    fs,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    far::Far,
    process::{alive, tag},
    proving::{KEY, Proving},
    server::Server,
    work::text,
};
use serde_json::{Value, json};
use testkit::{
    Database, assert_gapless, database,
    journal::{assert_ended_once, of_kind},
};

/// A plane with a project whose policy allows these agents.
pub fn plane(agents: &[&str]) -> Proving {
    plane_with(agents, &[])
}

fn plane_with(agents: &[&str], arguments: &[&str]) -> Proving {
    let arguments: Vec<&str> = ["--slots", "2"].iter().chain(arguments).copied().collect();
    let proving = Proving::at(&[], &arguments, &[]);
    proving.policy(&json!({"allowed_paths": {"*": ["."]}, "agents": agents}));
    proving
}

pub fn url(server: &Server) -> String {
    format!("http://{}", server.address())
}

pub fn dispatch(proving: &Proving, title: &str, config: &Value) -> String {
    let owner = proving.client();
    let body = json!({"title": title, "body": "Please.", "status": "ready"});
    let filed = owner.post(&format!("/projects/{KEY}/issues"), &body).expect(201);
    let body = json!({"kind": "dispatch", "issue": filed["id"], "config": config});
    text(&owner.post(&format!("/projects/{KEY}/runs"), &body).expect(202), "run")
}

/// The run's journal, which has no hole and one end.
#[track_caller]
pub fn sound(proving: &Proving, run: &str) -> Vec<Value> {
    let journal = proving.server.journal(&format!("runs/{run}"));
    assert_gapless(&journal);
    assert_ended_once(&journal);
    journal
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let from = Instant::now();
    while !holds() {
        assert!(from.elapsed() < within, "not {what} after {:?}", from.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    from.elapsed()
}

/// Waits until an agent has made its mark: a process with this word in its arguments.
#[track_caller]
fn at_work(tag: &str) {
    until("at work", Duration::from_secs(40), || !alive(tag).is_empty());
}

/// D18, D46, D48, D53, D56, D57, D58, D62, D67: an issue is worked on by an agent of a paired worker, which gets pack
/// and prompt by their digests, works in a copy of a repository that the worker knows, with no more of the person's
/// environment than it may have; its files become one commit that the plane makes.
#[test]
fn a_paired_worker_does_the_agents_part_of_a_dispatch() {
    does_the_agents_part(&plane(&["mine"]));
}

/// The same on PostgreSQL.
#[test]
fn a_paired_worker_does_the_agents_part_on_postgres() {
    let Some(server) = database::postgres_server() else {
        println!("skipped: a dispatch on PostgreSQL needs one, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let database = Database::postgres(&server);
    does_the_agents_part(&plane_with(&["mine"], &["--store", &database.address()]));
}

fn does_the_agents_part(proving: &Proving) {
    let owner = proving.client();
    let mut far = Far::paired(&owner, &url(&proving.server), "den");
    far.set("SECRET_OF_THE_PERSON", "abc-secret-of-the-person");
    // The worker's own clone, where its owner said it is.
    let clone = far.root().join("clone");
    let from = proving.repo.path().display().to_string();
    proving.repo.git(&["clone", "-q", &from, &clone.display().to_string()]);
    let mapped = far.run(&["map", KEY, &clone.display().to_string()]);
    assert!(mapped.status.success(), "{mapped:?}");
    let mine = far.script(
        "mine",
        "cat > prompt.txt; cp \"$PROOFHOUSE_CONTEXT\" pack.json; env > env.txt; echo more >> README.md\n\
         git rev-parse HEAD > head.txt; pwd > where.txt; cat ../../../../../worker.json > token.txt 2>/dev/null\n\
         cat $(find / -maxdepth 4 -name worker.json 2>/dev/null) >> token.txt 2>/dev/null; echo I made it.",
    );
    far.start(&[mine], &[]);
    far.offers(&owner, &["mine"]);
    let run = dispatch(proving, "Make it", &json!({"role": "implementer"}));
    let view = proving.ended(&run);
    assert_eq!((&view["status"], &view["verdict"]), (&json!("completed"), &json!("applied")), "{view} {}", far.log());
    let report = &view["dispatch"]["report"];
    let branch = text(report, "branch");
    let made = |path: &str| proving.repo.git(&["show", &format!("{branch}:{path}")]);
    assert!(made("prompt.txt").contains("Make it") && made("pack.json").contains("Make it"));
    assert_eq!(made("head.txt").trim(), proving.repo.git(&["rev-parse", "main"]).trim());
    let tasks = far.state().join("tasks").canonicalize().unwrap();
    assert!(made("where.txt").starts_with(&tasks.display().to_string()), "{}", made("where.txt"));
    let environment = made("env.txt");
    assert!(!environment.contains("SECRET_OF_THE_PERSON"), "{environment}");
    let home = environment.lines().find(|line| line.starts_with("HOME=")).unwrap();
    assert!(home.contains("/tasks/"), "a home of its own: {home}");
    assert_eq!(made("token.txt"), "", "it does not see who the worker is");
    assert_eq!(proving.repo.git(&["rev-list", "--count", &format!("main..{branch}")]).trim(), "1");
    assert_eq!(proving.repo.git(&["status", "--porcelain"]).trim(), "");

    let journal = sound(proving, &run);
    let phases: Vec<_> = of_kind(&journal, "task.phase").iter().map(|entry| text(&entry["data"], "phase")).collect();
    assert_eq!(phases, ["running", "parsing", "applying", "submitting"]);
    let phases: Vec<_> = of_kind(&journal, "run.phase").iter().map(|entry| text(&entry["data"], "to")).collect();
    assert_eq!(phases, ["waiting_for_worker", "running", "parsing", "applying", "submitting"]);
    for kind in ["agent.session", "agent.end", "result.parsed", "file.applied", "files.summary"] {
        assert!(!of_kind(&journal, kind).is_empty(), "no {kind}");
    }
    let kept: Vec<_> = of_kind(&journal, "artifact.added").iter().map(|entry| text(&entry["data"], "name")).collect();
    for name in ["context-pack.json", "agent-output.txt", "answer.md", "agent-result.json", "report.json"] {
        assert_eq!(kept.iter().filter(|kept| *kept == name).count(), 1, "{kept:?}");
    }
    let activity = proving.server.journal(&format!("projects/{KEY}"));
    let activity: Vec<_> = of_kind(&activity, "worker.activity").iter().map(|entry| entry["data"].clone()).collect();
    assert_eq!(activity.iter().map(|told| text(told, "phase")).collect::<Vec<_>>(), ["running", "parsing"]);
    assert!(activity.iter().all(|told| told["name"] == "den"), "{activity:?}");
    // Nothing of it stays: no task, no process, no pin in the person's clone.
    until("put away", Duration::from_secs(10), || far.in_hand() == 0);
    assert_eq!(far.children(), Vec::<u32>::new());
    let pins = std::process::Command::new("git").args(["for-each-ref", "refs/proofhouse"]).current_dir(&clone).output();
    assert_eq!(String::from_utf8_lossy(&pins.unwrap().stdout), "");
    far.stop();
}

/// D48, section 13: what a worker cannot do is said by name, and nothing is left waiting: no clone, an agent that is
/// gone, one that fails, one that prints half a line and bytes that are no text.
#[test]
fn what_goes_wrong_on_a_worker_is_named() {
    let proving = plane(&["mine", "other", "odd"]);
    let owner = proving.client();
    let mut far = Far::paired(&owner, &url(&proving.server), "den");
    let agents = [
        far.script("mine", "cat > /dev/null; echo oops >&2; exit 3"),
        far.script("other", "true"),
        far.script(
            "odd",
            "cat > /dev/null; head -c 3000000 /dev/zero | tr '\\0' x; printf '\\377\\376 half'; echo x > made.txt",
        ),
    ];
    far.start(&agents, &[]);
    far.offers(&owner, &["mine", "other", "odd"]);
    let code = |config: Value| {
        let run = dispatch(&proving, "Try", &config);
        let view = proving.ended(&run);
        sound(&proving, &run);
        (text(&view, "status"), view["failure"]["code"].as_str().unwrap_or_default().to_owned(), view)
    };
    let (status, failure, view) = code(json!({"role": "implementer", "agent": "mine"}));
    assert_eq!((status.as_str(), failure.as_str()), ("failed", "agent_failed"), "{view}");
    fs::remove_file(far.root().join("other")).unwrap();
    let (status, failure, view) = code(json!({"role": "implementer", "agent": "other"}));
    assert_eq!((status.as_str(), failure.as_str()), ("failed", "agent_not_found"), "{view}");
    let (status, _, view) = code(json!({"role": "implementer", "agent": "odd"}));
    assert_eq!((status.as_str(), &view["verdict"]), ("completed", &json!("applied")), "{view} {}", far.log());
    far.stop();
    assert_eq!((far.in_hand(), far.children()), (0, vec![]));
}

/// D35, D36, D54: a cancel reaches the agent of a remote worker within two seconds, also on a worker that has had
/// another task in hand for a while; the other goes on.
#[test]
fn a_cancel_reaches_a_remote_agent_within_two_seconds() {
    let (long, other) = (tag(), tag());
    let proving = plane(&["mine", "other"]);
    let owner = proving.client();
    let mut far = Far::paired(&owner, &url(&proving.server), "den");
    let agents = [
        far.script("mine", &format!("trap '' TERM; sh -c 'trap \"\" TERM; sleep 60; true' {long}")),
        far.script("other", &format!("cat > /dev/null; sh -c 'while [ ! -f /tmp/{other} ]; do sleep 0.1; done' {other}; echo x > made.txt; echo done")),
    ];
    far.start(&agents, &["--slots", "2"]);
    far.offers(&owner, &["mine", "other"]);
    let stays = dispatch(&proving, "Stays", &json!({"role": "implementer", "agent": "other"}));
    at_work(&other);
    // The worker waits at the plane for news of the first task when it gets the second.
    std::thread::sleep(Duration::from_millis(1_500));
    let goes = dispatch(&proving, "Goes", &json!({"role": "implementer", "agent": "mine"}));
    at_work(&long);
    let from = Instant::now();
    let answer = owner.post(&format!("/runs/{goes}/cancel"), &json!({}));
    assert_eq!(answer.status, 202);
    until("gone", Duration::from_secs(10), || alive(&long).is_empty());
    // TERM is ignored, so that one second of it is the grace before KILL.
    assert!(from.elapsed() < Duration::from_millis(2_500), "{:?}", from.elapsed());
    let view = proving.ended(&goes);
    assert_eq!((&view["status"], &view["verdict"]), (&json!("cancelled"), &Value::Null), "{view}");
    assert_eq!(proving.repo.git(&["branch", "--list", "proofhouse/2-*"]), "", "nothing of it was applied");
    sound(&proving, &goes);
    assert!(!alive(&other).is_empty(), "the other goes on");
    fs::write(format!("/tmp/{other}"), "").unwrap();
    let view = proving.ended(&stays);
    fs::remove_file(format!("/tmp/{other}")).unwrap();
    assert_eq!(view["verdict"], "applied", "{view} {}", far.log());
    sound(&proving, &stays);
    far.stop();
}

/// F2, D59, D63: a worker that is killed over its agent leaves no process, and the task begins anew when it is back.
#[test]
fn a_killed_worker_begins_its_dispatch_anew() {
    let tag = tag();
    let proving = plane(&["mine"]);
    let owner = proving.client();
    let mut far = Far::paired(&owner, &url(&proving.server), "den");
    let hold = far.root().join("hold");
    fs::write(&hold, "").unwrap();
    let script = format!(
        "cat > /dev/null; echo line >> made.txt; sh -c 'while [ -f {} ]; do sleep 0.1; done' {tag}; echo ok",
        hold.display()
    );
    let agents = [far.script("mine", &script)];
    far.start(&agents, &[]);
    let run = dispatch(&proving, "Make it", &json!({"role": "implementer"}));
    at_work(&tag);
    far.process().kill();
    until("without its agent", Duration::from_secs(5), || alive(&tag).is_empty());
    assert_eq!(far.in_hand(), 1, "the claim is on the disk");
    fs::remove_file(&hold).unwrap();
    far.start(&agents, &[]);
    let view = proving.ended(&run);
    assert_eq!(view["verdict"], "applied", "{view} {}", far.log());
    let branch = text(&view["dispatch"]["report"], "branch");
    assert_eq!(proving.repo.git(&["show", &format!("{branch}:made.txt")]).trim(), "line", "an attempt began anew");
    let requeued = of_kind(&sound(&proving, &run), "task.requeued").len();
    assert_eq!(requeued, 1);
    far.stop();
    assert_eq!((far.in_hand(), far.children()), (0, vec![]));
}

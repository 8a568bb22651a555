//! A run that waits for a person, and SIGKILL of its server meanwhile (S58, S61, S63).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    far::Far,
    process::{alive, tag},
    programs,
    proving::{KEY, Proving},
    work::text,
};
use serde_json::{Value, json};
use testkit::{
    assert_gapless,
    journal::{assert_ended_once, of_kind},
    models::{Answer, Models},
};

/// A plane whose one agent is declared by this line.
fn plane(line: &str, environment: &[(&str, &str)]) -> Proving {
    let mut proving = Proving::at(&[], &["--slots", "2"], environment);
    let agents = proving.server.root().join("agents");
    fs::write(&agents, format!("{line}\n")).unwrap();
    fs::set_permissions(&agents, fs::Permissions::from_mode(0o600)).unwrap();
    let agent = line.split('=').next().unwrap();
    let tools = json!([{"tool": "*", "decision": "ask"}]);
    proving.policy(&json!({"allowed_paths": {"*": ["."]}, "agents": [agent], "tools": tools}));
    proving.server.kill();
    proving.server.start();
    proving
}

fn dispatched(proving: &Proving) -> String {
    let body = json!({"title": "Make it", "body": "Please.", "status": "ready"});
    let issue = text(&proving.client().post(&format!("/projects/{KEY}/issues"), &body).expect(201), "id");
    let body = json!({"kind": "dispatch", "issue": issue, "config": {"role": "implementer"}});
    text(&proving.client().post(&format!("/projects/{KEY}/runs"), &body).expect(202), "run")
}

/// The open question of a run, once there is one.
fn asked(proving: &Proving, run: &str) -> Value {
    let from = Instant::now();
    loop {
        let open = proving.list("/questions?state=open");
        if let Some(question) = open.into_iter().find(|question| question["run"] == *run) {
            return question;
        }
        let view = proving.run(run);
        assert!(from.elapsed() < Duration::from_secs(90), "nothing is asked: {view:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Answers as a person does on the command line.
fn answer(proving: &Proving, question: &Value, how: &[&str]) {
    let id = text(question, "id");
    let arguments: Vec<&str> = ["answer", &id].into_iter().chain(how.iter().copied()).collect();
    let ran = programs::run(proving.server.root(), proving.repo.path(), &arguments);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn applied(proving: &Proving, run: &str) -> String {
    let view = proving.ended(run);
    assert_eq!((text(&view, "status").as_str(), &view["verdict"]), ("completed", &json!("applied")), "{view:#}");
    let journal = proving.server.journal(&format!("runs/{run}"));
    assert_gapless(&journal);
    assert_ended_once(&journal);
    assert_eq!(of_kind(&journal, "question.asked").len(), 1, "asked once, whatever died");
    text(&view["dispatch"]["report"], "branch")
}

/// S58, S61, S63, K6: killed while it is asked, and again right after the answer: the question stands before its run is
/// touched, the run waits without a process, and the answer is used once.
#[test]
fn a_question_outlives_its_server() {
    let tag = tag();
    let script = format!(
        r#"#!/bin/sh
[ "$1" = --version ] && {{ echo 1.0; exit 0; }}
read start; echo "$start" >> starts
case "$start" in *resume*) sleep 1;; esac
echo '{{"type":"ready","name":"mine","session":"s-1"}}'
sh -c 'sleep 300; true' {tag} &
echo '{{"type":"approval_request","id":"1","tool":"deploy","input":{{"to":"here"}}}}'; read a
echo "$a" >> replies
echo '{{"type":"message","text":"I did it","final":true}}'; echo '{{"type":"end","outcome":"completed"}}'"#
    );
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("mine");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut proving = plane(&format!("mine=command,protocol=1:{}", program.display()), &[]);
    let run = dispatched(&proving);
    let question = asked(&proving, &run);
    assert_eq!(
        (text(&question, "kind"), text(&question["schema"], "tool")),
        ("approval".to_owned(), "deploy".to_owned())
    );
    proving.server.kill();
    proving.server.start();
    assert_eq!(asked(&proving, &run)["id"], question["id"], "it stands at once");
    proving.until(&run, "waiting", |run| run["status"] == "waiting");
    assert_eq!(alive(&tag), Vec::<u32>::new(), "no process waits");
    answer(&proving, &question, &["--approve"]);
    proving.server.kill();
    proving.server.start();
    let branch = applied(&proving, &run);
    let starts = proving.repo.git(&["show", &format!("{branch}:starts")]);
    assert!(starts.lines().last().unwrap().contains("\"resume\":\"s-1\""), "{starts}");
    assert!(proving.repo.git(&["show", &format!("{branch}:replies")]).contains("\"allow\":true"));
    assert_eq!(alive(&tag), Vec::<u32>::new());
    // A run of before cannot be answered twice.
    let again =
        proving.client().post(&format!("/questions/{}/answer", text(&question, "id")), &json!({"decision": "deny"}));
    assert_eq!(again.status, 409);
}

/// S58, S61, S77, D59: an agent on another machine waits for its leave there; its worker is killed over it, and what the
/// next attempt asks is the question that stands. It is answered once and used once.
#[test]
fn a_question_from_another_machine_outlives_its_worker() {
    let tag = tag();
    let proving = crate::far::plane(&["mine"]);
    let tools = json!([{"tool": "*", "decision": "ask"}]);
    proving.policy(&json!({"allowed_paths": {"*": ["."]}, "agents": ["mine"], "tools": tools}));
    let owner = proving.client();
    let mut far = Far::paired(&owner, &crate::far::url(&proving.server), "den");
    let asks = |id: u8, tool: &str| {
        format!(
            "echo '{{\"type\":\"approval_request\",\"id\":\"{id}\",\"tool\":\"{tool}\",\"input\":{{\"to\":\"here\"}}}}'; \
             read a; echo \"$a\" >> replies"
        )
    };
    let script = [
        "read start; echo '{\"type\":\"ready\",\"name\":\"mine\"}'".to_owned(),
        format!("sh -c 'sleep 300; true' {tag} &"),
        asks(1, "deploy"),
        asks(2, "publish"),
        "echo '{\"type\":\"message\",\"text\":\"I did it\",\"final\":true}'; echo '{\"type\":\"end\",\"outcome\":\"completed\"}'"
            .to_owned(),
    ];
    let agent = far.script("mine", &script.join("\n")).replace("mine=", "mine=command,protocol=1:");
    far.start(std::slice::from_ref(&agent), &[]);
    let run = dispatched(&proving);
    let deploy = asked(&proving, &run);
    assert_eq!(text(&deploy["schema"], "tool"), "deploy");
    far.process().kill();
    crate::far::until("without its agent", Duration::from_secs(5), || alive(&tag).is_empty());
    assert_eq!(asked(&proving, &run)["id"], deploy["id"], "it stands");
    far.start(&[agent], &[]);
    crate::far::until("at work again", Duration::from_secs(40), || !alive(&tag).is_empty());
    answer(&proving, &deploy, &["--approve"]);
    crate::far::until("asked for the next", Duration::from_secs(20), || {
        text(&asked(&proving, &run)["schema"], "tool") == "publish"
    });
    answer(&proving, &asked(&proving, &run), &["--deny", "--text", "not on a friday"]);
    let view = proving.ended(&run);
    assert_eq!(view["verdict"], "applied", "{view:#} {}", far.log());
    let branch = text(&view["dispatch"]["report"], "branch");
    let replies = proving.repo.git(&["show", &format!("{branch}:replies")]);
    let replies: Vec<Value> = replies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(replies.iter().map(|reply| &reply["allow"]).collect::<Vec<_>>(), [true, false]);
    assert!(replies[1]["reason"].as_str().unwrap().contains("not on a friday"), "{replies:?}");
    let journal = crate::far::sound(&proving, &run);
    assert_eq!(of_kind(&journal, "question.asked").len(), 2, "each asked once, whatever died");
    far.stop();
    assert_eq!((far.in_hand(), far.children(), alive(&tag)), (0, vec![], vec![]));
}

/// The real claude, installed by the script that every test of it uses.
fn claude() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/agents.sh");
    let ran = Command::new(script).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    PathBuf::from(String::from_utf8(ran.stdout).unwrap().trim()).join("claude")
}

/// S39, S58, S61, S77: the real claude wants to run a command, its server is killed while a person is asked; the answer
/// decides whether the command ever runs.
#[test]
fn the_real_claude_waits_for_its_answer_over_a_kill() {
    let claude = claude();
    for (how, expected) in [(&["--approve"][..], true), (&["--deny", "--text", "not on my machine"][..], false)] {
        let command = "python3 -c \"open('made.txt', 'w').write('hello')\"";
        let call = || Answer::call("Bash", json!({"command": command, "description": "make a file"}));
        let other = || Answer::call("Write", json!({"file_path": "other.txt", "content": "x"}));
        // After a no the model does without; it writes another file, for which it needs no leave.
        let rest = if expected { vec![call(), Answer::say("made")] } else { vec![other(), Answer::say("without it")] };
        let models = Models::start([call()].into_iter().chain(rest));
        let url = models.url();
        let home = tempfile::tempdir().unwrap();
        let environment = [
            ("ANTHROPIC_BASE_URL", url.as_str()),
            ("ANTHROPIC_API_KEY", "sk-ant-key-of-a-person-0123456789"),
            ("ANTHROPIC_MODEL", "claude-sonnet-4-5"),
            ("HOME", home.path().to_str().unwrap()),
        ];
        let mut proving = plane(&format!("claude=claude:{}", claude.display()), &environment);
        let run = dispatched(&proving);
        let question = asked(&proving, &run);
        assert_eq!(question["schema"]["input"]["command"], command);
        proving.server.kill();
        proving.server.start();
        proving.until(&run, "waiting", |run| run["status"] == "waiting");
        answer(&proving, &question, how);
        let view = proving.ended(&run);
        let files = view["dispatch"]["report"]["files"].to_string();
        assert_eq!(files.contains("made.txt"), expected, "{view:#}");
        let told = models.requests().pop().unwrap().body.to_string();
        let words = if expected { "You have leave to use Bash" } else { "not on my machine" };
        assert!(told.contains(words), "{told}");
        assert!(told.contains("Make it"), "the same conversation: {told}");
        let journal = proving.server.journal(&format!("runs/{run}"));
        assert_gapless(&journal);
        assert_eq!(of_kind(&journal, "question.asked").len(), 1);
        assert!(!journal.iter().any(|entry| entry.to_string().contains("sk-ant-key-of-a-person")));
    }
}

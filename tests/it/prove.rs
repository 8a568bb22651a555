//! Proof runs on the product itself: a server process, a real repository, real commands.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use model::{failure::FailureCode, run::RunStatus};
use proofhouse_tests::{
    process::{alive, tag},
    programs::Program,
    proving::{Gate, KEY, Proving, is_terminal},
    server::Server,
    work::text,
};
use serde_json::{Value, json};
use testkit::{Database, assert_gapless, database, journal::of_kind};

fn runs() -> String {
    format!("/projects/{KEY}/runs")
}

/// P18: 202 before any git, file or process work. The checkout is not even there; a GET right after
/// the answer has the whole list, in pages; and what is wrong with the files fails the run, not the POST.
#[test]
fn a_run_is_answered_before_any_work() {
    let gate = Gate::script("unit", "");
    let proving = Proving::new(std::slice::from_ref(&gate));
    for _ in 0..119 {
        proving.capture(&gate);
    }
    let away = proving.folder().join("away");
    fs::rename(proving.repo.path(), &away).unwrap();
    let answer = proving.ask(&json!({}));
    let run = text(&answer.expect(202), "run");
    assert_eq!(answer.header("location"), Some(format!("/api/v1/runs/{run}").as_str()));
    let gates = proving.gates(&run);
    assert_eq!(gates.len(), 120, "the whole list is there at once");
    let failed = proving.ended(&run);
    assert_eq!((&failed["status"], &failed["verdict"]), (&json!("failed"), &json!("unproven")));
    assert_eq!(failed["failure"]["code"], "checkout_missing", "{failed}");
    fs::rename(&away, proving.repo.path()).unwrap();

    // A ref is checked for its form only; one that does not exist fails the run.
    let malformed = proving.ask(&json!({"target": {"ref": "-x"}}));
    assert_eq!(malformed.problem(422), "PH-1114");
    let run = proving.start(&json!({"target": {"ref": "no/such/branch"}}));
    assert_eq!(proving.gates(&run).len(), 120);
    let failed = proving.ended(&run);
    assert_eq!(failed["failure"]["code"], "ref_not_found", "{failed}");
    assert_eq!(proving.starts("unit"), 0);

    // P30 on the side: 120 obligations, one command.
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "passed");
    assert_eq!(proving.starts("unit"), 1);
    assert_eq!(proving.list(&format!("/runs/{run}/evidence?limit=100")).len(), 120);
}

/// P19: of many that ask at the same instant one starts a run and all others are told which; who joins
/// is told whether that run covers what they asked.
#[test]
fn one_run_is_active_whoever_asks() {
    let proving =
        Proving::new(&[Gate::script("slow", "while [ ! -f log/go ]; do sleep 0.05; done"), Gate::script("other", "")]);
    let owner = proving.client();
    let body = |config: Value| json!({"kind": "proof", "config": config});
    let ask = |path: &str, config: Value| owner.again().post(path, &body(config));
    let replies: Vec<_> = thread::scope(|scope| {
        let askers: Vec<_> = (0..24).map(|_| scope.spawn(|| ask(&runs(), json!({"gates": ["slow"]})))).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    let (started, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 202);
    assert_eq!(started.len(), 1, "{replies:?}");
    let run = text(&started[0].json(), "run");
    for refused in refused {
        assert_eq!(refused.problem(409), "PH-1008");
        assert_eq!(refused.json()["active_run"], run.as_str());
    }
    let join = format!("{}?join=true", runs());
    let joined = thread::scope(|scope| {
        let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&join, json!({"gates": ["slow"]})))).collect();
        askers.into_iter().map(|asker| asker.join().unwrap().expect(200)).collect::<Vec<_>>()
    });
    for joined in joined {
        let told = (joined["run"].as_str(), &joined["joined"], &joined["covers"]);
        assert_eq!(told, (Some(run.as_str()), &json!(true), &json!(true)));
    }
    assert_eq!(ask(&join, json!({"gates": ["other"]})).expect(200)["covers"], false);
    assert_eq!(ask(&join, json!({})).expect(200)["covers"], false);
    fs::write(proving.repo.at("log/go"), "").unwrap();
    assert_eq!(proving.ended(&run)["verdict"], "passed");
    assert_eq!((proving.starts("slow"), proving.starts("other")), (1, 0));
    assert_eq!(proving.list(&runs()).len(), 1, "nobody else started anything");
    assert_eq!(ask(&join, json!({"gates": ["other"]})).status, 202, "an ended run is not joined");
}

/// P21: the same key and body get the first answer, byte for byte, over a killed server; nothing happens
/// twice. The key with another body is refused. For runs and for captures.
#[test]
fn a_repeated_request_is_one_request_over_a_restart() {
    let mut proving = Proving::new(&[Gate::script("unit", "")]);
    let requirements = format!("/projects/{KEY}/proof/requirements");
    let run = json!({"kind": "proof", "config": {}});
    let capture = json!({"title": "Once", "description": "Only.", "gates": ["unit"]});
    let (runs, other_run) = (runs(), json!({"kind": "proof", "config": {"mode": "not_clear"}}));
    let other_capture = json!({"title": "Twice", "description": "Only.", "gates": ["unit"]});
    let asks = [(&runs, &run, &other_run, 202), (&requirements, &capture, &other_capture, 201)];
    let first: Vec<_> = asks.iter().map(|(path, body, ..)| proving.client().post_once(path, "the-key", body)).collect();
    proving.ended(&text(&first[0].json(), "run"));
    for life in 0..2 {
        for ((path, body, other, status), first) in asks.iter().zip(&first) {
            assert_eq!(first.status, *status, "{}", first.text());
            let again = proving.client().post_once(path, "the-key", body);
            assert_eq!((again.status, again.text()), (first.status, first.text()), "life {life}, {path}");
            assert_eq!(again.header("location"), first.header("location"));
            assert_eq!(proving.client().post_once(path, "the-key", other).problem(422), "PH-1007");
        }
        proving.server.kill();
        proving.server.start();
    }
    assert_eq!(proving.list(&runs).len(), 1);
    assert_eq!(proving.list(&requirements).len(), 2, "the first one was captured by the ground itself");
    assert_eq!(proving.starts("unit"), 1);
}

/// P22: evidence of a gate that has ended is read while others run; list, snapshot, journal and evidence
/// agree whenever one looks, and nothing goes back.
#[test]
fn evidence_is_readable_before_the_run_ends() {
    let gates: Vec<Gate> = (1..=5)
        .map(|n| match n {
            5 => Gate::script("last", "while [ ! -f log/go ]; do sleep 0.02; done"),
            3 => Gate::script("third", "sleep 0.1; echo no; exit 3"),
            n => Gate::script(["first", "second", "", "fourth"][n - 1], "sleep 0.1; echo it holds"),
        })
        .collect();
    let proving = Proving::at(&gates, &["--slots", "2"], &[]);
    let run = proving.start(&json!({}));
    let mut seen: BTreeMap<String, u8> = BTreeMap::new();
    let from = Instant::now();
    loop {
        let journal = proving.server.journal(&format!("runs/{run}"));
        let gates: BTreeMap<String, Value> =
            proving.gates(&run).into_iter().map(|gate| (text(&gate, "gate"), gate)).collect();
        let snapshot = proving.run(&run);
        assert_gapless(&journal);
        for ended in of_kind(&journal, "gate.finished") {
            let (data, gate) = (&ended["data"], &gates[&text(&ended["data"], "gate")]);
            assert_eq!((&gate["verdict"], &gate["evidence"]), (&data["verdict"], &data["evidence"]));
            let evidence = proving.evidence(&run, &text(data, "gate"));
            assert_eq!((&evidence["seal"], &evidence["intact"]), (&data["seal"], &json!(true)));
        }
        let ended = gates.values().filter(|gate| !gate["verdict"].is_null()).count() as u64;
        let counts = &snapshot["proof"]["counts"];
        let count = |name: &str| counts[name].as_u64().unwrap();
        assert!(count("passed") + count("failed") + count("unproven") >= ended, "{counts} after {gates:?}");
        let open = count("pending") + count("running") + count("waiting");
        assert_eq!(open + count("passed") + count("failed") + count("unproven"), count("total"), "{counts}");
        for (name, gate) in &gates {
            let rank = match gate["state"].as_str().unwrap() {
                "pending" => 0,
                "running" => 1,
                _ => 2,
            };
            assert!(seen.insert(name.clone(), rank).is_none_or(|before| before <= rank), "{name} went back");
        }
        if ended == 4 && gates["last"]["state"] == "running" && !proving.repo.at("log/go").exists() {
            assert_eq!(snapshot["verdict"], json!(null));
            let (good, bad) = (proving.evidence(&run, "first"), proving.evidence(&run, "third"));
            assert_eq!((&good["verdict"], &bad["reason"]), (&json!("passed"), &json!("exit_code")));
            assert_eq!((proving.output(&good), proving.output(&bad)), ("it holds\n".into(), "no\n".into()));
            fs::write(proving.repo.at("log/go"), "").unwrap();
        }
        if is_terminal(&text(&snapshot, "status")) {
            assert_eq!(snapshot["verdict"], "failed");
            return;
        }
        assert!(from.elapsed() < Duration::from_secs(60), "{gates:?}");
    }
}

/// P24: TERM to all of it, a second later KILL, nothing left; what had not ended has no evidence, what had
/// keeps it and counts; nothing new starts. A second cancel is fine, that of another ended run is not.
#[test]
fn a_cancel_ends_what_runs_and_keeps_what_ended() {
    let tag = tag();
    let stubborn = format!(
        "trap 'echo term >> log/stubborn' TERM\n./child double-fork ignore-term / sleep 300 / {tag}\n\
         ./child ignore-term , sleep 300 , {tag} &\nwhile :; do sleep 0.05; done"
    );
    let gates = [Gate::script("quick", ""), Gate::script("stubborn", &stubborn), Gate::script("later", "")];
    let proving = Proving::at(&gates, &["--slots", "1"], &[]);
    let run = proving.start(&json!({}));
    proving.gate_is(&run, "quick", "passed");
    let from = Instant::now();
    while alive(&tag).len() < 2 {
        assert!(from.elapsed() < Duration::from_secs(20), "{:?}", proving.reasons(&run));
    }
    let asked = Instant::now();
    let cancel = format!("/runs/{run}/cancel");
    assert_eq!(proving.client().post(&cancel, &json!({})).expect(202)["cancelling"], true);
    proving.logged("stubborn", "term");
    assert!(asked.elapsed() < Duration::from_millis(900), "TERM comes at once");
    assert!(!alive(&tag).is_empty(), "and KILL not with it");
    let ended = proving.ended(&run);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(alive(&tag), [0u32; 0]);
    assert_eq!((&ended["status"], &ended["verdict"]), (&json!("cancelled"), &json!("unproven")));
    let reasons = proving.reasons(&run);
    let said = |gate: &str| reasons[gate].as_str();
    assert_eq!((said("quick"), said("stubborn"), said("later")), ("passed", "cancelled", "cancelled"));
    let evidence = proving.list(&format!("/runs/{run}/evidence"));
    assert_eq!((evidence.len(), &evidence[0]["gate"]), (1, &json!("quick")));
    assert_eq!(proving.evidence(&run, "quick")["intact"], true);
    assert_eq!(ended["proof"]["counts"]["passed"], 1);
    assert_eq!(proving.starts("later"), 0);
    assert_eq!(proving.client().post(&cancel, &json!({})).expect(200)["status"], "cancelled");
    let done = proving.start(&json!({"gates": ["quick"]}));
    proving.ended(&done);
    assert_eq!(proving.client().post(&format!("/runs/{done}/cancel"), &json!({})).problem(409), "PH-1009");
}

/// P37, L85, L88: a gate that declares a cost is paid for before its process starts, and settled by what it says; without
/// room it is not started, and the rest goes on.
#[test]
fn a_gate_that_costs_is_paid_for_before_it_starts() {
    let gates = [
        Gate::command("told", &["./gates/tell", "{out}"]).with("cost_micro_usd = 100000"),
        Gate::script("silent", "").with("cost_micro_usd = 200000"),
        Gate::script("dear", "").with("cost_micro_usd = 9000000"),
        Gate::script("plain", ""),
    ];
    let proving = Proving::at(&gates, &["--slots", "2"], &[]);
    proving.repo.script("gates/tell", "echo '{\"micro_usd\": 30000}' > \"$1/cost.json\"");
    proving.repo.commit();
    let run = proving.start(&json!({}));
    let ended = proving.ended(&run);
    let reasons = proving.reasons(&run);
    let said = |gate: &str| reasons[gate].as_str();
    assert_eq!((said("told"), said("silent"), said("dear"), said("plain")), ("passed", "passed", "budget", "passed"));
    assert_eq!((&ended["status"], &ended["verdict"]), (&json!("completed"), &json!("unproven")));
    assert_eq!(proving.starts("dear"), 0);
    let ledger = proving.client().get(&format!("/runs/{run}/ledger")).expect(200);
    let lines = ledger["lines"].as_array().unwrap();
    let mut amounts: Vec<_> =
        lines.iter().map(|line| (text(line, "kind"), line["micro_usd"].as_u64().unwrap())).collect();
    amounts.sort();
    let expected = [("reserve", 100_000), ("reserve", 200_000), ("settle", 30_000), ("settle", 200_000)];
    assert_eq!(amounts, expected.map(|(kind, amount)| (kind.to_owned(), amount)), "{ledger}");
    assert_eq!((&ended["cost"]["state"], &ended["cost"]["held_micro_usd"]), (&json!("partial"), &json!(200_000)));
    let counted = proving.client().get(&format!("/projects/{KEY}/ledger/verify")).expect(200);
    assert_eq!(counted["flaws"], json!([]));
}

/// P26: the tree is compared before another process starts after a pause; when it moved, the rest ends so.
#[test]
fn files_that_change_during_a_pause_end_the_rest() {
    let gates = [
        Gate::script("first", "while [ ! -f log/go ]; do sleep 0.02; done"),
        Gate::script("second", ""),
        Gate::script("third", ""),
    ];
    let proving = Proving::at(&gates, &["--slots", "1"], &[]);
    let run = proving.start(&json!({}));
    proving.logged("first", "started");
    proving.client().post(&format!("/runs/{run}/pause"), &json!({})).expect(200);
    fs::write(proving.repo.at("log/go"), "").unwrap();
    // What runs finishes and counts.
    proving.gate_is(&run, "first", "passed");
    proving.repo.file("README.md", "other words\n");
    proving.client().post(&format!("/runs/{run}/resume"), &json!({})).expect(200);
    let ended = proving.ended(&run);
    assert_eq!(ended["verdict"], "unproven");
    let reasons = proving.reasons(&run);
    assert_eq!((reasons["second"].as_str(), reasons["third"].as_str()), ("tree_moved", "tree_moved"));
    assert_eq!((proving.starts("second"), proving.starts("third")), (0, 0));
    // P56: the pass of the run counts nowhere.
    assert_eq!(proving.evidence(&run, "first")["moved"], true);
}

/// P28: another process over the same store answers for a run that it has nothing to do with, while
/// its gates run, and what it is told reaches the process that works.
#[test]
fn any_process_over_the_store_answers_for_a_run() {
    let Some(postgres) = database::postgres_server() else {
        println!("skipped: P28 needs PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let database = Database::postgres(&postgres);
    let address = database.address();
    let gates = [Gate::script("quick", ""), Gate::script("slow", "sleep 300")];
    let proving = Proving::at(&gates, &["--store", &address], &[]);
    let other = Server::fresh(Program::Proofhouse, &["--store", &address, "--no-worker"]);
    let there = other.client();
    let run = text(&there.post(&runs(), &json!({"kind": "proof", "config": {}})).expect(202), "run");
    proving.logged("slow", "started");
    proving.gate_is(&run, "quick", "passed");
    for path in [format!("/runs/{run}"), format!("/runs/{run}/gates"), format!("/runs/{run}/tasks"), runs()] {
        // The one that works may move on between the two answers; then both are asked again.
        let agree = (0..20).any(|_| there.get(&path).expect(200) == proving.client().get(&path).expect(200));
        assert!(agree, "{path}: {}", there.get(&path).text());
    }
    assert_eq!(other.journal(&format!("runs/{run}")), proving.server.journal(&format!("runs/{run}")));
    // The bytes of evidence lie in the data folder of the server that made it; its rows are everywhere.
    let lists = [&there, &proving.client()].map(|client| client.get(&format!("/runs/{run}/evidence")).expect(200));
    assert_eq!(lists[0], lists[1]);
    let mut stream = there.stream(&format!("/runs/{run}/events"), None).unwrap();
    there.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    stream.until("end").unwrap();
    assert_eq!(proving.run(&run)["status"], "cancelled");
    assert_eq!(there.get(&format!("/runs/{run}")).expect(200), proving.run(&run));
}

/// P29, X31: a run whose work nobody claims for ten minutes fails, and says what was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn work_that_nobody_claims_fails_the_run() {
    let plane = testkit::TestPlane::start().await;
    let project = plane.project("lonely", plane.folder()).await;
    let somebody = model::actor::Actor::System;
    let policy = json!({"commands": [{"program": "true", "decision": "allow"}]});
    plane.engine.set_document(project, engine::projects::POLICY, policy, 0, &somebody).await.unwrap();
    testkit::proven::requirement(&plane.engine, project, &["unit"], &[]).await;
    let ask = engine::submit::Submit {
        project,
        kind: model::run::RunKind::PROOF,
        config: json!({}),
        actor: somebody.clone(),
        join: false,
        once: None,
        retry_of: None,
        issue: None,
    };
    let run = plane.engine.submit(ask.clone()).await.unwrap().run.id;
    plane.clock.advance(Duration::from_secs(595));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(plane.engine.run(run).await.unwrap().status, RunStatus::Queued);
    plane.clock.advance(Duration::from_secs(6));
    let from = Instant::now();
    let ended = loop {
        let now = plane.engine.run(run).await.unwrap();
        if now.status.is_terminal() {
            break now;
        }
        assert!(from.elapsed() < Duration::from_secs(20), "{now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let failure = ended.failure.unwrap();
    assert_eq!((ended.status, failure.code), (RunStatus::Failed, FailureCode::NoWorker));
    assert!(failure.message.contains("labels asked for"), "{}", failure.message);
    assert_eq!(ended.verdict.as_deref(), Some("unproven"));
    // Nothing is in the way of the next.
    plane.engine.submit(ask).await.unwrap();
    plane.stop().await;
}

/// P32: what is on the allow-list and nothing else; HOME and TMPDIR belong to the run and go with it; the
/// digest covers what was handed over and not the run's own folders.
#[test]
fn a_gate_sees_its_own_environment_and_no_other() {
    let secrets = [
        ("PROOFHOUSE_TOKEN", "pht_plane-token-value"),
        ("GITHUB_TOKEN", "ghp_forge-token-value"),
        ("ANTHROPIC_API_KEY", "sk-model-key-value"),
        ("AWS_SECRET_ACCESS_KEY", "cloud-key-value"),
        ("LD_PRELOAD", "/nowhere/evil.so"),
        ("DATABASE_URL", "postgres://shop"),
        ("NOT_ALLOWED", "never-handed-over"),
    ];
    let gates = [
        Gate::child("plain", "environment"),
        Gate::child("named", "environment").with(r#"env = ["DATABASE_URL", "NOT_ALLOWED", "PROOFHOUSE_TOKEN"]"#),
        Gate::script("again", "touch \"$HOME/x\" \"$TMPDIR/y\"; ls -A \"$HOME\" \"$TMPDIR\" | wc -l"),
    ];
    let proving = Proving::at(&gates, &[], &secrets);
    proving.policy(&json!({
        "allowed_paths": {"*": ["."]}, "env_allow": ["DATABASE_URL"],
        "commands": [{"program": "./child", "decision": "allow"}, {"program": "./gates/again", "decision": "allow"}],
    }));
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "passed", "{:?}", proving.reasons(&run));
    let (plain, named) = (proving.evidence(&run, "plain"), proving.evidence(&run, "named"));
    let names = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    };
    let shown = proving.output(&plain);
    for (name, value) in secrets {
        assert!(
            !shown.contains(value) && !names(&shown).contains(&name.to_owned()),
            "{name} reached the gate: {shown}"
        );
    }
    assert!(shown.contains("CI=1\n"), "{shown}");
    let home = shown.lines().find_map(|line| line.strip_prefix("HOME=")).unwrap();
    let tmp = shown.lines().find_map(|line| line.strip_prefix("TMPDIR=")).unwrap();
    for private in [home, tmp] {
        assert!(private.starts_with(&*proving.server.root().to_string_lossy()), "{private}");
        assert!(!fs::exists(private).unwrap(), "{private} is gone with the run");
    }
    // What gate and policy both name is handed over; the plane's own keys cannot even be named.
    let own = json!({"env_allow": ["PROOFHOUSE_TOKEN"]});
    let path = format!("/projects/{KEY}/settings/policy");
    let refused = proving.client().call("PUT", &path, &[("if-match", "2")], Some(&own)).unwrap();
    assert_eq!(refused.json()["errors"][0]["pointer"], "/env_allow/0", "{}", refused.text());
    let mut more = names(&proving.output(&named));
    more.retain(|name| !names(&shown).contains(name));
    assert_eq!(more, ["DATABASE_URL"]);
    let digest = |evidence: &Value| text(&evidence["commands"][0], "env_digest");
    assert_ne!(digest(&plain), digest(&named));
    let again = proving.start(&json!({"gates": ["plain"]}));
    proving.ended(&again);
    assert_eq!(digest(&proving.evidence(&again, "plain")), digest(&plain), "the same over runs");
}

/// P20: a run that waits for people only holds nothing: another starts and ends beside it, and the server
/// may die meanwhile. The answer is evidence all the same.
#[test]
fn a_run_that_waits_for_people_is_in_nobodys_way() {
    let gates = [
        Gate::script("unit", ""),
        Gate::command("manual", &[]).with("how = \"review\"").with("checklist = [\"it looks right\"]"),
    ];
    let mut proving = Proving::new(&gates);
    let run = proving.start(&json!({}));
    proving.until(&run, "waiting", |run| run["status"] == "waiting");
    let tasks = proving.list(&format!("/runs/{run}/tasks"));
    assert!(tasks.iter().all(|task| task["lease"].is_null()), "{tasks:?}");
    let beside = proving.start(&json!({"gates": ["unit"]}));
    assert_eq!(proving.ended(&beside)["verdict"], "passed");
    proving.server.kill();
    proving.server.start();
    assert_eq!(proving.run(&run)["status"], "waiting");
    let open = proving.list(&format!("/projects/{KEY}/questions?state=open"));
    assert_eq!((open.len(), &open[0]["run"]), (1, &json!(run)));
    let answer = json!({"decision": "accept", "items": [0]});
    let path = format!("/questions/{}/answer", text(&open[0], "id"));
    proving.client().post(&path, &answer).expect(200);
    let ended = proving.ended(&run);
    assert_eq!(ended["verdict"], "passed", "{ended}");
    let evidence = proving.evidence(&run, "manual");
    assert_eq!(evidence["answered_by"]["type"], "person", "{evidence}");
    assert_eq!(evidence["question"], open[0]["id"]);
}

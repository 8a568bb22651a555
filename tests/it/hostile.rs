//! Gates that misbehave on purpose, on the product itself: nothing of them is left, nothing outside their
//! worktree is touched, and what was refused or capped is on the record. F13, F14, P33.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::symlink,
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    process::{alive, tag},
    proving::{Gate, KEY, Proving},
    work::text,
};
use serde_json::{Value, json};

/// What the journal says of the sandbox of a run's only command.
fn sandbox(proving: &Proving, run: &str) -> Value {
    proving.finished(run)[0]["sandbox"].clone()
}

/// Whether this kernel can confine files and the network; where it cannot, the record must say so.
fn is_confined(proving: &Proving, run: &str) -> bool {
    let sandbox = sandbox(proving, run);
    let confined = sandbox["files"] == "enforced" && sandbox["network"] == "off";
    if !confined {
        assert!(!sandbox["missing"].as_array().unwrap().is_empty(), "K8: {sandbox}");
        println!("skipped: F14 needs a kernel that confines: {sandbox}");
    }
    confined
}

/// F13, P33: a gate that forks, double-forks, ignores TERM, stops itself and holds its output open is gone
/// two seconds after its limit, and its verdict is `timeout`, with the limit in words.
#[test]
fn nothing_of_a_gate_outlives_its_limit() {
    let tag = tag();
    let steps = format!(
        "ignore-term , fork ignore-term / sleep 300 / {tag} , setsid-fork ignore-term / sleep 300 / {tag} , \
         double-fork ignore-term / sleep 300 / {tag} , double-fork stop-self / {tag} , hold-output 300 , \
         print ready , sleep 300"
    );
    let proving = Proving::new(&[Gate::child("unit", &steps).with("timeout_s = 2")]);
    let run = proving.start(&json!({}));
    let from = Instant::now();
    while alive(&tag).len() < 4 {
        assert!(from.elapsed() < Duration::from_secs(20), "{:?}", proving.reasons(&run));
        thread::sleep(Duration::from_millis(2));
    }
    // It was started before it was seen, so its limit and two seconds from here are more than enough.
    let limit = Instant::now() + Duration::from_secs(4);
    while !alive(&tag).is_empty() {
        assert!(Instant::now() < limit, "left after the limit and two seconds: {:?}", alive(&tag));
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(proving.ended(&run)["verdict"], "failed");
    assert_eq!(proving.reasons(&run)["unit"], "timeout");
    let evidence = proving.evidence(&run, "unit");
    assert!(text(&evidence, "message").contains("limit of 2 s"), "{evidence}");
    assert_eq!(proving.output(&evidence), "ready\n");
    let finished = &proving.finished(&run)[0];
    assert_eq!(finished["end"], json!({"kind": "timed_out", "limit_s": 2}));
    assert!(finished["killed_leftovers"].as_u64().unwrap() >= 4, "{finished}");
}

/// F13: a gate that ends well takes with it what it left running, and that is on the record.
#[test]
fn nothing_outlives_a_gate_that_passed() {
    let tag = tag();
    let steps = format!(
        "fork ignore-term / sleep 300 / {tag} , double-fork ignore-term / sleep 300 / {tag} , hold-output 300 , sleep 0.3"
    );
    let proving = Proving::new(&[Gate::child("unit", &steps)]);
    let run = proving.start(&json!({}));
    let asked = Instant::now();
    assert_eq!(proving.ended(&run)["verdict"], "passed");
    assert!(asked.elapsed() < Duration::from_secs(20), "nobody waits for held output");
    assert_eq!(alive(&tag), [0u32; 0]);
    assert!(proving.finished(&run)[0]["killed_leftovers"].as_u64().unwrap() >= 2);
}

/// F14: writes outside the worktree by every way there is: absolute, `..`, links of both kinds, renames,
/// the repository's hooks and settings, the plane's own data. None of them happens.
#[test]
fn nothing_outside_the_worktree_is_touched() {
    let steps = "write @/notes evil , write @/new evil , remove @/notes , rename README.md @/stolen , \
                 rename @/notes notes , link @/notes linked , write linked evil , write pointed evil , \
                 write folder/new evil , write UP/notes evil , mkdir @/made , write .git/hooks/post-commit evil , \
                 write .git/config evil , rename .git .git2 , link child .git/hooks/pre-commit , \
                 print-file @/data/local.token , print-file @/data/proofhouse.db , list @/data , \
                 write @/data/proofhouse.db evil , write /etc/ph-evil evil , kill-parent";
    let proving = Proving::new(&[Gate::script("unit", "exit 0")]);
    let outside = proving.folder().to_owned();
    fs::write(outside.join("notes"), "mine").unwrap();
    symlink(outside.join("notes"), proving.repo.at("pointed")).unwrap();
    symlink(&outside, proving.repo.at("folder")).unwrap();
    // From the repository up to the root and down again.
    let up = "../".repeat(proving.repo.path().canonicalize().unwrap().components().count() - 1);
    let steps = steps.replace("UP/", &format!("{up}@/")).replace("//", "/").replace('@', &outside.to_string_lossy());
    let gate = Gate::child("unit", &steps);
    proving.declare(std::slice::from_ref(&gate));
    let hooks = || {
        let names = fs::read_dir(proving.repo.at(".git/hooks")).map(|list| list.count());
        (names.unwrap_or_default(), fs::read(proving.repo.at(".git/config")).unwrap())
    };
    let before = hooks();
    let run = proving.start(&json!({}));
    let ended = proving.ended(&run);
    if !is_confined(&proving, &run) {
        return;
    }
    let evidence = proving.evidence(&run, "unit");
    let output = proving.output(&evidence);
    // `write linked` makes a file of the worktree's own, as the link was refused; so does nothing else.
    let attempts = steps.split(" , ").count();
    let refused = output.lines().filter(|line| line.starts_with("refused: ")).count();
    assert_eq!((refused, output.lines().count()), (attempts - 1, attempts), "{output}");
    assert!(output.contains("wrote linked"), "{output}");
    assert_eq!(fs::read_to_string(outside.join("notes")).unwrap(), "mine");
    let mut left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data", "data.log", "notes"]);
    assert_eq!(hooks(), before);
    assert!(!fs::exists("/etc/ph-evil").unwrap());
    assert!(!output.contains("pht_"), "the plane's token: {output}");
    // The server did not notice, and what was proved stands.
    assert_eq!(ended["status"], "completed");
    assert_eq!(evidence["intact"], true);
    assert_eq!(proving.client().get("/me").status, 200);
}

/// F14: what the machine's environment holds of secrets is not handed over, and one that is printed
/// nevertheless is not stored.
#[test]
fn secrets_are_neither_given_nor_kept() {
    let secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    let steps = format!("env GITHUB_TOKEN , print my {secret} yours");
    let proving = Proving::at(&[Gate::child("unit", &steps)], &[], &[("GITHUB_TOKEN", secret)]);
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "passed");
    let evidence = proving.evidence(&run, "unit");
    let output = proving.output(&evidence);
    assert!(output.starts_with("GITHUB_TOKEN is not set\nmy "), "{output}");
    assert!(output.ends_with(" yours\n") && !output.contains(secret), "S86: {output}");
    let blob = text(&evidence["commands"][0]["output"], "blob");
    let path = format!("/projects/{KEY}/proof/evidence/{}/artifacts/{blob}", text(&evidence, "id"));
    assert!(!proving.client().get(&path).text().contains(secret));
    let journal = proving.server.journal(&format!("runs/{run}"));
    let live: String =
        journal.iter().filter(|entry| entry["kind"] == "command.output").map(ToString::to_string).collect();
    assert!(!live.contains(secret), "{live}");
}

/// F14: no network unless the policy gives it; its own loopback is always there.
#[test]
fn the_network_is_closed_unless_the_policy_opens_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || for _ in listener.incoming() {});
    let steps = format!("connect {address} , send-udp {address} , loopback");
    let proving = Proving::new(&[Gate::child("unit", &steps)]);
    let run = proving.start(&json!({}));
    proving.ended(&run);
    if is_confined(&proving, &run) {
        let output = proving.output(&proving.evidence(&run, "unit"));
        assert!(!output.contains("\nconnected") && output.contains("refused: connect"), "{output}");
        assert!(output.ends_with("loopback works\n"), "{output}");
    }
    proving.policy(&json!({"network": "on", "commands": [{"program": "./child", "decision": "allow"}]}));
    let run = proving.start(&json!({}));
    proving.ended(&run);
    let output = proving.output(&proving.evidence(&run, "unit"));
    assert_eq!(output, "connected\nsent\nloopback works\n");
    assert_eq!(sandbox(&proving, &run)["network"], "open", "K8");
}

/// F14, P33, P34: a flood of output is cut and ended at its cap, soon and in bounded space, and named.
#[test]
fn a_flood_of_output_is_capped() {
    let proving =
        Proving::new(&[Gate::child("unit", "flood 2147483648"), Gate::child("other", "flood 3000000 binary")]);
    let asked = Instant::now();
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "failed");
    assert!(asked.elapsed() < Duration::from_secs(40), "{:?}", asked.elapsed());
    let evidence = proving.evidence(&run, "unit");
    assert_eq!(evidence["reason"], "killed");
    assert!(text(&evidence, "message").contains("output over 256 MiB"), "{evidence}");
    let output = &evidence["commands"][0]["output"];
    assert_eq!(output["truncated"], true);
    assert!(output["bytes"].as_u64().unwrap() > 256 << 20, "what was written: {output}");
    let blobs: u64 = folder_size(&proving.server.root().join("blobs"));
    assert!(blobs < 24 << 20, "kept of both: {blobs}");
    // What is not text is kept as text, and the run beside it is not disturbed.
    let other = proving.evidence(&run, "other");
    assert_eq!(other["verdict"], "passed");
    assert!(!proving.output(&other).contains(['\u{0}', '\u{1b}']), "P34: control bytes are neutralised");
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let Ok(list) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    list.flatten().map(size).sum()
}

/// F14, P33: a fork bomb is ended at the limit of processes, and so named; the machine and the server go on.
#[test]
fn a_fork_bomb_is_ended_at_its_limit() {
    let proving = Proving::new(&[Gate::child("unit", "forkbomb").with("timeout_s = 60")]);
    let run = proving.start(&json!({}));
    let from = Instant::now();
    let mut slowest = Duration::ZERO;
    while proving.run(&run)["finished_at"].is_null() {
        let asked = Instant::now();
        assert_eq!(proving.client().get("//healthz").status, 200);
        slowest = slowest.max(asked.elapsed());
        assert!(from.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(20));
    }
    assert!(slowest < Duration::from_secs(5), "P28: the server answered only after {slowest:?}");
    let evidence = proving.evidence(&run, "unit");
    assert_eq!(evidence["reason"], "killed", "{evidence}");
    assert!(text(&evidence, "message").contains("the processes limit"), "{evidence}");
    let child = proving.repo.at("child");
    assert_eq!(alive(&child.to_string_lossy()), [0u32; 0]);
}

/// P33: a kill by a signal is told as one, with its number; an exit code that looks like one is not.
#[test]
fn a_signal_is_named() {
    let gates =
        [Gate::child("crashes", "kill-self 6"), Gate::child("exits", "exit 134"), Gate::child("killed", "kill-self 9")];
    let proving = Proving::new(&gates);
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "failed");
    let said = |gate: &str| {
        let evidence = proving.evidence(&run, gate);
        (text(&evidence, "reason"), evidence["commands"][0]["signal"].as_i64(), text(&evidence, "message"))
    };
    let (reason, signal, message) = said("crashes");
    assert_eq!((reason.as_str(), signal), ("killed", Some(6)));
    assert!(message.contains("signal 6"), "{message}");
    assert_eq!((said("exits").0.as_str(), said("exits").1), ("exit_code", None));
    assert_eq!((said("killed").0.as_str(), said("killed").1), ("killed", Some(9)));
}

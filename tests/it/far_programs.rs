//! The whole of it, with the real programs: a server, two workers on machines of their own, four agents from npm that
//! talk to a fake model, and the death of each of these in mid-turn.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use proofhouse_tests::{
    far::Far,
    proving::{KEY, Proving},
    proxy::Proxy,
    work::text,
};
use serde_json::{Value, json};
use testkit::{
    journal::of_kind,
    models::{Answer, Models, Request, sign_in},
};

use crate::far::{dispatch, plane, sound, until};

/// The programs, and the tool by which each makes a file.
const AGENTS: [&str; 4] = ["claude", "codex", "opencode", "pi"];

/// Where the programs lie; installed at the first call on a machine.
fn programs() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/agents.sh");
    let ran = Command::new(script).output().unwrap();
    assert!(ran.status.success(), "the agents cannot be installed: {}", String::from_utf8_lossy(&ran.stderr));
    PathBuf::from(String::from_utf8(ran.stdout).unwrap().trim())
}

/// What a model says to its agent: make the file first, then that it is done. While the gate is shut it says nothing.
fn said(agent: &str, request: &Request, gate: &AtomicBool) -> Answer {
    let from = Instant::now();
    while !gate.load(SeqCst) && from.elapsed() < Duration::from_secs(200) {
        std::thread::sleep(Duration::from_millis(20));
    }
    if request.results() > 0 {
        return Answer::say(format!("{agent} has made it"));
    }
    let (path, text) = (format!("made-by-{agent}.txt"), format!("hello from {agent}\n"));
    // Some of their tools take whole paths, and they tell the model where they are.
    let whole = request.path("/tmp/far-", "/tree").map_or(path.clone(), |folder| format!("{folder}/{path}"));
    match agent {
        "claude" => Answer::call("Write", json!({"file_path": whole, "content": text})),
        "codex" => Answer::call("exec_command", json!({"cmd": format!("echo 'hello from {agent}' > {path}")})),
        "opencode" => Answer::call("write", json!({"filePath": whole, "content": text})),
        _ => Answer::call("write", json!({"path": path, "content": text})),
    }
}

struct Stage {
    proving: Proving,
    models: Vec<Models>,
}

impl Stage {
    fn asked(&self, agent: &str) -> usize {
        let at = AGENTS.iter().position(|known| *known == agent).unwrap();
        self.models[at].requests().len()
    }

    fn start(&self, agent: &str) -> String {
        let model = match agent {
            "claude" => Some("claude-sonnet-4-5"),
            "pi" | "opencode" => Some("fake/loop-1"),
            _ => None,
        };
        let config = json!({"role": "implementer", "agent": agent, "model": model, "timeout_s": 600});
        dispatch(&self.proving, &format!("Make it with {agent}"), &config)
    }

    fn view(&self, run: &str) -> Value {
        self.proving.run(run)
    }

    #[track_caller]
    fn ended(&self, run: &str, within: Duration, logs: impl Fn() -> String) -> Value {
        let from = Instant::now();
        loop {
            let view = self.view(run);
            if !view["finished_at"].is_null() {
                return view;
            }
            assert!(from.elapsed() < within, "not ended after {:?}: {view}\n{}", from.elapsed(), logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The end to end: D45, D54, D55, D56, D59, D63, X15, F1, F2, F3. A claude, a codex, an opencode and a pi each
/// change a file of a real repository; claude is killed in mid-turn; the server is killed and comes back elsewhere; a
/// worker sleeps past its lease and wakes. Every run ends once, with its difference, its journal has no hole, and no
/// process is left.
#[test]
fn four_agents_on_two_workers_outlive_everybodys_death() {
    let bin = programs();
    let gate = Arc::new(AtomicBool::new(false));
    let models = AGENTS.map(|agent| {
        let gate = gate.clone();
        Models::deciding(move |_, request| said(agent, request, &gate))
    });
    let mut stage = Stage { proving: plane(&AGENTS), models: models.into() };
    let owner = stage.proving.client();
    let proxy = Proxy::to(stage.proving.server.address());
    let agents = AGENTS.map(|agent| format!("{agent}={}", bin.join(agent).display()));
    let mut workers = ["east", "west"].map(|name| {
        let mut far = Far::paired(&owner, &proxy.url(), name);
        sign_in(&far.home(), |agent| stage.models[AGENTS.iter().position(|known| *known == agent).unwrap()].url());
        far.set("ANTHROPIC_BASE_URL", &stage.models[0].url());
        for key in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"] {
            far.set(key, "sk-key-of-the-person-0123456789");
        }
        far.start(&agents, &["--slots", "2"]);
        far
    });
    for far in &workers {
        far.offers(&owner, &AGENTS);
    }
    let runs = AGENTS.map(|agent| (agent, stage.start(agent)));
    let run_of = |agent: &str| runs.iter().find(|(of, _)| *of == agent).unwrap().1.clone();
    for agent in AGENTS {
        until(&format!("{agent} asks its model"), Duration::from_secs(120), || stage.asked(agent) > 0);
    }

    // One agent dies in mid-turn. Nobody tries it again but a person (X15).
    let claude: Vec<u32> = workers.iter().flat_map(Far::children).filter(|pid| is_claude(*pid)).collect();
    assert!(!claude.is_empty(), "no claude among the processes of the workers");
    for pid in &claude {
        // SAFETY: a signal to a process that this test's worker started; that one is its parent and has not waited.
        unsafe { libc::kill(i32::try_from(*pid).unwrap(), libc::SIGKILL) };
    }
    let killed = run_of("claude");
    let view = stage.ended(&killed, Duration::from_secs(30), String::new);
    assert_eq!((&view["status"], &view["failure"]["code"]), (&json!("failed"), &json!("agent_failed")), "{view}");
    let again = text(&owner.post(&format!("/runs/{killed}/retry"), &json!({})).expect(202), "run");
    let before = stage.asked("claude");
    until("claude asks again", Duration::from_secs(60), || stage.asked("claude") > before);

    // The server dies and comes back elsewhere; the sessions go on meanwhile.
    stage.proving.server.kill();
    stage.proving.server.start();
    proxy.lead_to(stage.proving.server.address());
    let owner = stage.proving.client();

    // A worker falls asleep over what it holds, pi's among it; then the models answer.
    let pi = run_of("pi");
    let holds_pi = |far: &Far| {
        let activity = far.shown(&owner)["activity"].as_array().cloned().unwrap_or_default();
        activity.iter().any(|task| task["run"] == *pi)
    };
    let asleep = workers.iter().position(holds_pi).unwrap_or_else(|| {
        let shown = workers.each_ref().map(|far| far.shown(&owner));
        panic!("nobody holds pi's run: {shown:?} {}", stage.view(&pi))
    });
    workers[asleep].process().signal(libc::SIGSTOP);
    gate.store(true, SeqCst);
    let logs =
        |workers: &[Far; 2]| workers.iter().map(|far| format!("{}: {}\n", far.name, far.log())).collect::<String>();
    let all: Vec<(&str, String)> =
        runs.iter().filter(|(agent, _)| *agent != "claude").cloned().chain([("claude", again.clone())]).collect();
    let mut views = Vec::new();
    for (agent, run) in &all {
        views.push((*agent, stage.ended(run, Duration::from_secs(150), || logs(&workers))));
    }
    workers[asleep].process().signal(libc::SIGCONT);
    for (agent, view) in views {
        assert_eq!(
            (&view["status"], &view["verdict"]),
            (&json!("completed"), &json!("applied")),
            "{agent}: {view}\n{}",
            logs(&workers)
        );
        let branch = text(&view["dispatch"]["report"], "branch");
        let git = |words: &[&str]| stage.proving.repo.git(words).trim().to_owned();
        assert_eq!(git(&["show", &format!("{branch}:made-by-{agent}.txt")]), format!("hello from {agent}"));
        assert_eq!(git(&["rev-list", "--count", &format!("main..{branch}")]), "1", "{agent}");
        let run = text(&view, "id");
        let diff = owner.get(&format!("/runs/{run}/diff")).expect(200);
        assert!(diff["text"].as_str().unwrap_or_default().contains(&format!("+hello from {agent}")), "{diff}");
    }
    for (agent, run) in all.iter().map(|(agent, run)| (*agent, run)).chain([("the killed claude", &killed)]) {
        let journal = sound(&stage.proving, run);
        let lost = of_kind(&journal, "task.requeued").len();
        assert!(agent != "pi" || lost == 1, "pi's task went to the other worker: {lost}");
        assert!(lost <= 1, "{agent}: {lost}");
    }
    // Whoever slept learns that it came too late; nothing is left of anybody.
    for far in &mut workers {
        until("idle", Duration::from_secs(40), || far.in_hand() == 0);
        assert_eq!(far.children(), Vec::<u32>::new(), "{}", far.name);
        far.stop();
    }
    assert_eq!(stage.proving.repo.git(&["status", "--porcelain"]).trim(), "");
    assert_eq!(stage.proving.repo.git(&["branch", "--list", "proofhouse/*"]).lines().count(), 4);
    assert!(owner.get(&format!("/projects/{KEY}/issues")).expect(200)["items"].is_array());
    assert!(stage.proving.server.stop().success());
}

/// Whether a process is claude itself: its warden has the words of the worker, which names all agents.
fn is_claude(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    words.split('\0').take(2).any(|word| word == "claude" || word.ends_with("/claude"))
}

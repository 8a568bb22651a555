//! Workers on other machines as processes: paired, killed, stopped, cut off, revoked.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    process::Process,
    proxy::{Proxy, Weather},
    server::Server,
    work,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    http::Client,
    journal::{assert_ended_once, of_kind},
};

/// A worker's folder, and the process that may run on it.
struct Remote {
    folder: TempDir,
    process: Option<Process>,
    lines: Option<mpsc::Receiver<String>>,
}

fn invite(owner: &Client, ask: &Value) -> String {
    work::text(&owner.post("/workers/pairings", ask).expect(201), "code")
}

impl Remote {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("worker-").tempdir().unwrap();
        Self { folder, process: None, lines: None }
    }

    /// A worker of the plane that reaches it at an address.
    fn paired(owner: &Client, url: &str, name: &str) -> Self {
        let remote = Self::new();
        let code = invite(owner, &json!({"name": name}));
        assert_eq!(remote.end_of(&["pair", url, &code]).code(), Some(0));
        remote
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let log = std::fs::File::options().append(true).create(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker-with-probe"));
        command.arg(self.state()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command
    }

    fn end_of(&self, arguments: &[&str]) -> ExitStatus {
        self.command(arguments).status().unwrap()
    }

    fn start(&mut self, flags: &[&str]) {
        self.start_with(flags, &[]);
    }

    fn start_with(&mut self, flags: &[&str], environment: &[(&str, &str)]) {
        let arguments: Vec<_> = ["run"].iter().chain(flags).copied().collect();
        let mut child = self.command(&arguments).envs(environment.iter().copied()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (send, receive) = mpsc::channel();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        self.process = Some(child.into());
        self.lines = Some(receive);
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// The next thing it says, within a time.
    fn says(&self, within: Duration) -> Option<String> {
        self.lines.as_ref().unwrap().recv_timeout(within).ok()
    }

    #[track_caller]
    fn works(&self) -> String {
        let line = self.says(Duration::from_secs(50)).unwrap_or_else(|| panic!("it does not work: {}", self.log()));
        line.strip_prefix("working ").unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn tasks_left(&self) -> usize {
        std::fs::read_dir(self.state().join("tasks")).map_or(0, Iterator::count)
    }
}

/// Waits until a run has ended.
#[track_caller]
fn ended(owner: &Client, run: &str, within: Duration) -> Value {
    let from = Instant::now();
    loop {
        let view = owner.get(&format!("/runs/{run}")).expect(200);
        if !view["finished_at"].is_null() {
            return view;
        }
        assert!(from.elapsed() < within, "the run has not ended: {view}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The journal has no holes, the run ended once, and what each claim told stands there once.
#[track_caller]
fn assert_sound(server: &Server, run: &str) -> Vec<Value> {
    let journal = server.journal(&format!("runs/{run}"));
    testkit::assert_gapless(&journal);
    assert_ended_once(&journal);
    journal
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn state_of(owner: &Client, name: &str) -> Value {
    let list = owner.get("/workers").expect(200);
    let found = list["items"].as_array().unwrap().iter().find(|worker| worker["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// D50, D52, D57, D58, D66, D68: from a code to a task that is done: entries once each, an artifact, phases on
/// the project's stream, and the worker in the list with what it does.
#[test]
fn a_paired_worker_does_a_task() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 1500}));
    let task = remote.works();
    let shown = loop {
        let shown = state_of(&owner, "den");
        if shown["activity"][0]["phase"] == "running" {
            break shown;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((&shown["state"], &shown["activity"][0]["task"]), (&json!("online"), &json!(task)));
    assert!(shown["offers"].as_array().unwrap().contains(&json!("worker:den")), "{shown}");
    ended(&owner, &run, Duration::from_secs(20));
    let journal = assert_sound(&server, &run);
    let numbers: Vec<_> = of_kind(&journal, "probe.entry").iter().map(|entry| entry["data"]["n"].clone()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| json!(n)).collect::<Vec<_>>(), "in order, each once");
    let phases: Vec<_> = of_kind(&journal, "task.phase").iter().map(|entry| entry["data"]["phase"].clone()).collect();
    assert_eq!(phases, ["preparing", "running", "submitting"]);
    // D67: one a half second, not one for each of the twenty entries or so.
    let steps = of_kind(&journal, "task.step").len();
    assert!((1..=5).contains(&steps), "{steps} steps");
    let artifacts = owner.get(&format!("/runs/{run}/artifacts")).expect(200);
    assert_eq!(artifacts["items"][0]["name"], "made.txt");
    let board = server.journal("projects/probe");
    assert_eq!(of_kind(&board, "worker.activity").len(), 3);
    assert_eq!(of_kind(&board, "worker.paired").len(), 1);
    assert_eq!(of_kind(&board, "worker.online").iter().filter(|entry| entry["data"]["name"] == "den").count(), 1);
    remote.process().signal(libc::SIGTERM);
    let end = remote.process().ends_within(Duration::from_secs(10)).unwrap();
    assert_eq!((end.code(), remote.tasks_left()), (Some(0), 0));
}

/// D50, D61, D64: what a door does not open to, and the exit codes.
#[test]
fn codes_that_are_not_good_and_folders_that_are_held() {
    let server = Server::with_probe();
    let owner = server.client();
    let (address, code) = (url(server.address()), invite(&owner, &json!({})));
    let remote = Remote::new();
    assert_eq!(remote.end_of(&["run"]).code(), Some(2), "never paired");
    assert_eq!(remote.end_of(&["pair", &address, "0000-0000-0000"]).code(), Some(2), "a wrong code");
    assert_eq!(remote.end_of(&["pair", "http://127.0.0.1:9", &code]).code(), Some(4), "nobody listens");
    assert_eq!(remote.end_of(&["pair", &address, &code.to_lowercase()]).code(), Some(0));
    assert_eq!(Remote::new().end_of(&["pair", &address, &code]).code(), Some(2), "a used code");
    assert!(remote.log().contains("PH-2030"), "{}", remote.log());
    let mut remote = remote;
    remote.start(&[]);
    while state_of(&owner, &hostname())["state"] != "online" || !remote.state().join("worker.json").exists() {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(remote.end_of(&["run"]).code(), Some(4), "one process at a time");
}

fn hostname() -> String {
    worker::say::host()
}

/// F2, D55, D59, D63: the task of a worker that was killed goes to another, or back to itself when it is
/// started again: then at once, and at the cost of an attempt.
#[test]
fn a_killed_worker_gives_back_what_it_held_when_it_comes_again() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 2_000}));
    let task = remote.works();
    thread::sleep(Duration::from_millis(400));
    remote.process().kill();
    assert_eq!(remote.tasks_left(), 1, "the claim is on the disk");
    let from = Instant::now();
    remote.start(&[]);
    assert_eq!(remote.works(), task);
    assert!(from.elapsed() < Duration::from_secs(10), "it waited for its lease: {:?}", from.elapsed());
    ended(&owner, &run, Duration::from_secs(20));
    let journal = assert_sound(&server, &run);
    let requeued = of_kind(&journal, "task.requeued");
    assert_eq!((requeued.len(), &requeued[0]["data"]["reason"]), (1, &json!("worker_restarted")));
    let output = &owner.get(&format!("/runs/{run}/tasks")).expect(200)["items"][0]["output"];
    assert_eq!(output["attempt"], 2, "{output}");
}

/// F17, D59: a task that kills its worker each time fails after its attempts.
#[test]
fn a_task_that_kills_its_worker_fails_after_its_attempts() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 60_000}));
    for _ in 0..3 {
        remote.start(&[]);
        remote.works();
        remote.process().kill();
    }
    // Delivers what is left; nothing is there to be claimed any more.
    assert_eq!(remote.end_of(&["run", "--once"]).code(), Some(0));
    let view = ended(&owner, &run, Duration::from_secs(10));
    assert_eq!(view["progress"]["failed"], 1, "{view}");
    assert_sound(&server, &run);
}

/// F3, F23, D55: leases that run out, side by side, as each of them lasts one.
#[test]
fn workers_that_come_back_too_late() {
    thread::scope(|scope| {
        scope.spawn(a_stopped_worker_comes_back_too_late);
        scope.spawn(a_worker_that_is_cut_off_past_its_lease_loses_the_task);
    });
}

/// F3: a worker process that slept past its lease stops, tells nothing more and takes the next task.
fn a_stopped_worker_comes_back_too_late() {
    let server = Server::with_probe();
    let owner = server.client();
    let address = url(server.address());
    let (mut sleeper, mut heir) =
        (Remote::paired(&owner, &address, "sleeper"), Remote::paired(&owner, &address, "heir"));
    sleeper.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 4_000}));
    let task = sleeper.works();
    sleeper.process().signal(libc::SIGSTOP);
    heir.start(&[]);
    assert_eq!(heir.works(), task, "{}", heir.log());
    sleeper.process().signal(libc::SIGCONT);
    let from = Instant::now();
    while !sleeper.log().contains("the task is another's now") {
        assert!(from.elapsed() < Duration::from_secs(15), "it does not know: {}", sleeper.log());
        thread::sleep(Duration::from_millis(50));
    }
    ended(&owner, &run, Duration::from_secs(20));
    let journal = assert_sound(&server, &run);
    assert_eq!(of_kind(&journal, "task.requeued").len(), 1);
    let output = &owner.get(&format!("/runs/{run}/tasks")).expect(200)["items"][0]["output"];
    assert_eq!(output["attempt"], 2);
    let again = work::submit(&owner, "probe", json!({"tasks": 2}));
    ended(&owner, &again, Duration::from_secs(20));
    assert_eq!(sleeper.tasks_left(), 0, "it dropped what it had of the lost task");
}

/// F23: cut off past its lease, with another worker there.
fn a_worker_that_is_cut_off_past_its_lease_loses_the_task() {
    let server = Server::with_probe();
    let owner = server.client();
    let proxy = Proxy::to(server.address());
    let (mut far, mut near) =
        (Remote::paired(&owner, &proxy.url(), "far"), Remote::paired(&owner, &url(server.address()), "near"));
    far.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 2_000}));
    let task = far.works();
    proxy.set(Weather::Cut);
    near.start(&[]);
    assert_eq!(near.works(), task);
    proxy.set(Weather::Clear);
    ended(&owner, &run, Duration::from_secs(20));
    assert_sound(&server, &run);
    let from = Instant::now();
    while far.tasks_left() > 0 {
        assert!(from.elapsed() < Duration::from_secs(20), "it keeps what is worth nothing: {}", far.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// F23, F5, D57, D63: answers that do not arrive, connections that end and connections that hang: everything
/// is told once, in order, and the run ends.
#[test]
fn a_bad_network_loses_and_doubles_nothing() {
    let server = Server::with_probe();
    let owner = server.client();
    let proxy = Proxy::to(server.address());
    let mut remote = Remote::paired(&owner, &proxy.url(), "far");
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 6_000}));
    remote.works();
    for weather in
        [Weather::Deaf, Weather::Cut, Weather::Clear, Weather::Frozen, Weather::Cut, Weather::Deaf, Weather::Cut]
    {
        proxy.set(weather);
        thread::sleep(Duration::from_millis(700));
    }
    proxy.set(Weather::Clear);
    ended(&owner, &run, Duration::from_secs(60));
    let journal = assert_sound(&server, &run);
    let numbers: Vec<_> = of_kind(&journal, "probe.entry").iter().map(|entry| entry["data"]["n"].clone()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| json!(n)).collect::<Vec<_>>(), "in order, each once");
    assert_eq!(of_kind(&journal, "artifact.added").len(), 1);
    assert_eq!(of_kind(&journal, "task.requeued").len(), 0, "it was never late for its lease");
}

/// D56, D63, X62: the plane is killed and comes back, elsewhere and later; the worker goes on and tells all of it.
#[test]
fn a_plane_that_dies_and_comes_back_gets_everything() {
    let mut server = Server::with_probe();
    let owner = server.client();
    let proxy = Proxy::to(server.address());
    let mut remote = Remote::paired(&owner, &proxy.url(), "far");
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 2_000}));
    let task = remote.works();
    thread::sleep(Duration::from_millis(300));
    server.kill();
    // The work goes on, and what it tells waits on the worker's disk, also when that dies.
    thread::sleep(Duration::from_millis(2_500));
    server.start();
    proxy.lead_to(server.address());
    let owner = server.client();
    ended(&owner, &run, Duration::from_secs(40));
    let journal = assert_sound(&server, &run);
    assert_eq!(of_kind(&journal, "task.requeued").len(), 0, "nobody else had it: {task}");
    let numbers: Vec<_> = of_kind(&journal, "probe.entry").iter().map(|entry| entry["data"]["n"].clone()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| json!(n)).collect::<Vec<_>>(), "in order, each once");
}

/// D36, D54: a cancelled run's worker hears of it at once and stops its work.
#[test]
fn a_cancelled_task_stops_within_two_seconds() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 60_000}));
    let task = remote.works();
    thread::sleep(Duration::from_millis(600));
    let from = Instant::now();
    owner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    assert_eq!(remote.says(Duration::from_secs(5)), Some(format!("stopped {task}")));
    assert!(from.elapsed() < Duration::from_secs(2), "{:?}", from.elapsed());
    let view = ended(&owner, &run, Duration::from_secs(5));
    assert_eq!(view["status"], "cancelled");
    assert_sound(&server, &run);
}

/// D65: a plane that stops answers the polls that wait at it at once, with nothing.
#[test]
fn a_plane_that_stops_answers_polls_at_once() {
    let mut server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    thread::scope(|scope| {
        let polling = scope.spawn(|| (work::claim(&worker, 1, 30), Instant::now()));
        let from = Instant::now();
        let is_here = |worker: &Value| worker["state"] == "online" && worker["name"] != "plane";
        while !owner.get("/workers").expect(200)["items"].as_array().unwrap().iter().any(is_here) {
            assert!(from.elapsed() < Duration::from_secs(20), "nobody polls");
            thread::sleep(Duration::from_millis(20));
        }
        let from = Instant::now();
        assert!(server.stop().success());
        let (leases, at) = polling.join().unwrap();
        let waited = at.saturating_duration_since(from);
        assert!(leases.is_empty() && waited < Duration::from_secs(3), "{leases:?} {waited:?}");
    });
}

/// D60: a revoked worker stops and ends with 5; what it held goes to another at once.
#[test]
fn a_revoked_worker_ends_and_its_task_goes_to_another_at_once() {
    let server = Server::with_probe();
    let owner = server.client();
    let address = url(server.address());
    let (mut remote, mut heir) = (Remote::paired(&owner, &address, "den"), Remote::paired(&owner, &address, "heir"));
    remote.start(&[]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 3_000}));
    let task = remote.works();
    let id = work::text(&state_of(&owner, "den"), "id");
    heir.start(&[]);
    for _ in 0..2 {
        let revoked = owner.post(&format!("/workers/{id}/revoke"), &json!({})).expect(200);
        assert_eq!(revoked["state"], "revoked");
    }
    let from = Instant::now();
    assert_eq!(heir.works(), task);
    assert!(from.elapsed() < Duration::from_secs(5), "{:?}", from.elapsed());
    let end = remote.process().ends_within(Duration::from_secs(20)).unwrap_or_else(|| panic!("{}", remote.log()));
    assert_eq!(end.code(), Some(5));
    ended(&owner, &run, Duration::from_secs(20));
    assert_sound(&server, &run);
    assert_eq!(remote.end_of(&["run"]).code(), Some(5), "it stays so");
}

/// D60: a draining worker finishes what it holds and claims nothing, until that ends.
#[test]
fn a_draining_worker_finishes_and_claims_nothing() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start(&[]);
    let first = work::submit(&owner, "probe", json!({"sleep_ms": 1_500}));
    remote.works();
    let id = work::text(&state_of(&owner, "den"), "id");
    let drained = owner.post(&format!("/workers/{id}/drain"), &json!({})).expect(200);
    assert_eq!(drained["state"], "draining");
    let second = work::submit(&owner, "probe", json!({}));
    ended(&owner, &first, Duration::from_secs(20));
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(owner.get(&format!("/runs/{second}")).expect(200)["status"], "queued");
    let revision = drained["revision"].to_string();
    let undrain = json!({"draining": false});
    owner.call("PATCH", &format!("/workers/{id}"), &[("if-match", &revision)], Some(&undrain)).unwrap().expect(200);
    ended(&owner, &second, Duration::from_secs(20));
    assert_sound(&server, &second);
}

/// D63: TERM without grace gives the task back untouched, for another to take at once.
#[test]
fn a_worker_that_is_told_to_stop_gives_back_what_it_holds() {
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start(&["--no-grace"]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 30_000}));
    remote.works();
    remote.process().signal(libc::SIGTERM);
    let end = remote.process().ends_within(Duration::from_secs(10)).unwrap_or_else(|| panic!("{}", remote.log()));
    assert_eq!((end.code(), remote.tasks_left()), (Some(0), 0));
    let task = &owner.get(&format!("/runs/{run}/tasks")).expect(200)["items"][0];
    assert_eq!((&task["state"], &task["attempt"]), (&json!("ready"), &json!(0)), "{task}");
}

/// D57, section 22: a worker's clock is never believed.
#[test]
fn a_clock_that_is_off_by_an_hour_changes_nothing() {
    let library = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1"];
    let Some(library) = library.into_iter().find(|path| std::path::Path::new(path).exists()) else {
        // The protocol carries no time of a worker that anything is decided by; the unit test of entries shows it.
        println!("skipped: a_clock_that_is_off_by_an_hour: libfaketime is not installed");
        return;
    };
    let server = Server::with_probe();
    let owner = server.client();
    let mut remote = Remote::paired(&owner, &url(server.address()), "den");
    remote.start_with(&[], &[("LD_PRELOAD", library), ("FAKETIME", "-1h")]);
    let run = work::submit(&owner, "probe", json!({"sleep_ms": 500}));
    ended(&owner, &run, Duration::from_secs(20));
    assert_sound(&server, &run);
}

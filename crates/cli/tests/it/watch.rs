//! Following a run over a stream that breaks: the bytes of a journal, cut wherever.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::house::{House, Ran, ended};

const RUN: &str = "019aa3c1-0000-7000-8000-0123456789ab";

fn journal() -> Vec<Value> {
    let gate = |gate: &str, verdict: &str, reason: Value| {
        (
            "gate.finished",
            json!({"requirement": "REQ-0001", "gate": gate, "verdict": verdict, "reason": reason, "duration_ms": 1200}),
        )
    };
    let entries = [
        ("run.created", json!({"kind": "proof"})),
        ("run.planned", json!({"gates": [], "total": 3})),
        ("run.status", json!({"from": "queued", "to": "running"})),
        ("command.started", json!({"command": "c", "argv": ["cargo", "test"], "gates": []})),
        ("command.output", json!({"command": "c", "text": "\u{1b}]0;owned\u{7}line"})),
        gate("unit", "passed", Value::Null),
        ("note", json!({"message": "no lock file \u{1b}[2J"})),
        gate("e2e", "failed", json!("test_failed")),
        gate("sec", "unproven", json!("runner_missing")),
        ("run.finished", json!({"status": "completed", "verdict": "failed"})),
    ];
    let numbered = entries.into_iter().zip(1..).map(|((kind, data), seq)| {
        json!({"stream": format!("run:{RUN}"), "seq": seq, "at": "2026-11-21T10:00:00.000000Z", "kind": kind, "level": "info", "data": data})
    });
    numbered.collect()
}

fn view(verdict: &str) -> Value {
    json!({
        "id": RUN, "kind": "proof", "status": "completed", "verdict": verdict, "created_at": "2026-11-21T10:00:00Z",
        "finished_at": "2026-11-21T10:00:12Z", "config": {}, "failure": null,
        "proof": {"counts": {"total": 3, "passed": 1, "failed": 1, "unproven": 1}, "message": "1 of 3 gates failed"},
    })
}

/// A plane made of bytes.
#[derive(Clone)]
struct Plane {
    /// The first stream ends after so many bytes, each further one after three times as many.
    cut: usize,
    /// Whether a stream that has ended stays open, as one of a run that goes on.
    stays_open: bool,
    verdict: &'static str,
    streams: Arc<AtomicUsize>,
    cancels: Arc<AtomicUsize>,
}

impl Plane {
    fn new(verdict: &'static str) -> Self {
        Self { cut: usize::MAX, stays_open: false, verdict, streams: Arc::default(), cancels: Arc::default() }
    }

    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plane = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let plane = plane.clone();
                thread::spawn(move || plane.answer(stream.unwrap()));
            }
        });
        url
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let path = first.split(' ').nth(1).unwrap();
        if let Some((_, since)) = path.split_once("/events?since=") {
            return self.stream(&mut stream, since.parse().unwrap());
        }
        if path.ends_with("/cancel") {
            self.cancels.fetch_add(1, SeqCst);
        }
        let mut body = view(self.verdict);
        if self.cancels.load(SeqCst) > 0 {
            body["status"] = json!("cancelled");
        }
        let body = body.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
    }

    fn stream(&self, stream: &mut TcpStream, since: u64) {
        let cut = self.cut.saturating_mul(3usize.saturating_pow(self.streams.fetch_add(1, SeqCst) as u32));
        let mut body = String::from("retry: 1000\n\n");
        for entry in journal().iter().filter(|entry| entry["seq"].as_u64().unwrap() > since) {
            body.push_str(&format!("id: {}\nevent: entry\ndata: {entry}\n\n", entry["seq"]));
        }
        body.push_str("id: 10\nevent: end\ndata: {}\n\n");
        let sent = &body.as_bytes()[..cut.min(body.len())];
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = write!(stream, "{head}{:x}\r\n", sent.len());
        let _ = stream.write_all(sent);
        let _ = stream.write_all(if sent.len() == body.len() { b"\r\n0\r\n\r\n" } else { b"\r\n" });
        if self.stays_open {
            thread::sleep(Duration::from_secs(60));
        }
    }
}

fn watch(house: &House, url: &str, args: &[&str]) -> Ran {
    let mut command = house.proofhouse(["proof", "watch", RUN]);
    command.args(args).env("PROOFHOUSE_SERVER", url).env("PROOFHOUSE_TOKEN", "t");
    ended(command)
}

// P75: without a terminal one line for each ended gate, then the verdict.
#[test]
fn each_gate_that_ends_is_a_line_and_the_verdict_is_the_exit_code() {
    let house = House::new();
    for (verdict, code) in [("failed", 1), ("unproven", 3), ("passed", 0)] {
        let url = Plane::new(verdict).serve();
        let ran = watch(&house, &url, &[]);
        assert_eq!(ran.code, code, "X30: {ran}");
        let lines: Vec<_> = ran.out.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "  ✓ passed   REQ-0001  unit          1.2 s",
                "  · no lock file",
                "  ✗ failed   REQ-0001  e2e           1.2 s  test_failed",
                "  ○ unproven REQ-0001  sec           1.2 s  runner_missing",
            ],
            "{ran}"
        );
        assert!(ran.out.contains("1 passed · 1 failed · 1 unproven") && ran.out.contains("in 12 s"), "{ran}");
        assert!(!ran.out.contains('\u{1b}'), "P10: no control sequence of a gate reaches the terminal");
    }
}

// P75, P79: the stream breaks at every kind of place; no gate is missing and none comes twice.
#[test]
fn a_stream_that_breaks_off_is_read_on_by_number() {
    let house = House::new();
    for cut in [100, 500, 1_111] {
        let plane = Plane { cut, ..Plane::new("failed") };
        let ran = watch(&house, &plane.serve(), &[]);
        assert_eq!(ran.code, 1, "cut at {cut}: {ran}");
        for gate in ["unit", "e2e ", "sec "] {
            assert_eq!(ran.out.matches(&format!("REQ-0001  {gate}")).count(), 1, "cut at {cut}: {ran}");
        }
        assert!(plane.streams.load(SeqCst) > 1 && ran.err.contains("trying again"), "cut at {cut}: {ran}");
    }
}

#[test]
fn with_json_only_the_run_is_printed() {
    let house = House::new();
    let url = Plane::new("failed").serve();
    let ran = watch(&house, &url, &["--json"]);
    assert_eq!((ran.code, ran.json()), (1, view("failed")));
}

/// Watches a run that goes on, and interrupts as often as asked.
fn interrupted(plane: &Plane, times: usize) -> Ran {
    let house = House::new();
    let mut command = house.proofhouse(["proof", "watch", RUN]);
    command.env("PROOFHOUSE_SERVER", plane.serve()).env("PROOFHOUSE_TOKEN", "t");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its first gate is on the screen, so it listens to signals by now.
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    for _ in 0..times {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        thread::sleep(Duration::from_millis(300));
    }
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    Ran { code: child.wait().unwrap().code().unwrap_or(-1), out: rest, err }
}

// P75: Ctrl-C once detaches after saying how to cancel; twice cancels.
#[test]
fn ctrl_c_once_detaches_and_twice_cancels() {
    let goes_on = || Plane { cut: 1_600, stays_open: true, ..Plane::new("unproven") };
    let plane = goes_on();
    let once = interrupted(&plane, 1);
    once.refused(3, "goes on without this command");
    once.refused(3, "proofhouse run cancel 456789ab");
    assert_eq!(plane.cancels.load(SeqCst), 0);

    let plane = goes_on();
    let twice = interrupted(&plane, 2);
    twice.refused(3, "cancelling run 456789ab");
    assert_eq!(plane.cancels.load(SeqCst), 1);
    assert!(twice.out.contains("CANCELLED"), "{twice}");
}

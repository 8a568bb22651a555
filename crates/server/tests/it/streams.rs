//! Live streams over real journals: in order, without a hole or a duplicate, whatever is cut.

use std::time::{Duration, Instant};

use axum::{body::Body, http::Method};
use http_body_util::BodyExt as _;
use model::journal::StreamId;
use rand::Rng as _;
use serde_json::{Value, json};
use server::ServerConfig;
use store::StoreError;

use crate::plane::TestPlane;

/// A server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub data: String,
}

/// Cuts complete events out of received bytes, as a browser does: what is not ended is not there.
pub fn events(bytes: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(bytes);
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end + 2]);
    let mut list = Vec::new();
    for block in whole.split("\n\n") {
        let mut event = Event { id: String::new(), kind: String::new(), data: String::new() };
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", data)) => event.data.push_str(data),
                _ => {}
            }
        }
        if !event.kind.is_empty() {
            list.push(event);
        }
    }
    list
}

/// Reads until `done` says so, or the stream ends, or a minute has passed.
async fn read_until(body: &mut Body, mut done: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while let Ok(Some(frame)) = tokio::time::timeout_at(deadline, body.frame()).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
        if done(&bytes) {
            break;
        }
    }
    bytes
}

/// A run with one leased task, to append to.
pub struct Live {
    pub run: String,
    pub task: String,
    pub worker: String,
}

impl Live {
    pub async fn start(plane: &TestPlane) -> Self {
        let worker = plane.worker().await;
        let run = plane.probe(1).await;
        let task = plane.claim(&worker, 1).await[0]["task"].as_str().unwrap().to_owned();
        Self { run, task, worker }
    }

    pub fn events(&self) -> String {
        format!("/api/v1/runs/{}/events", self.run)
    }

    /// Appends so many entries; answers the last number.
    pub async fn append(&self, plane: &TestPlane, count: usize) -> u64 {
        let entries: Vec<_> = (0..count).map(|n| json!({"kind": "probe.entry", "data": {"n": n}})).collect();
        let path = format!("/api/v1/worker/tasks/{}/entries", self.task);
        let ask = plane.ask(Method::POST, &path).token(&self.worker).header("lease-generation", "1");
        ask.json(&json!({"entries": entries})).send().await.expect(200).json()["last_seq"].as_u64().unwrap()
    }

    pub async fn finish(&self, plane: &TestPlane) {
        let path = format!("/api/v1/worker/tasks/{}/complete", self.task);
        let ask = plane.ask(Method::POST, &path).token(&self.worker).header("lease-generation", "1");
        ask.json(&json!({"output": {}})).send().await.expect(200);
    }
}

/// The numbers of the entries, in the order they came.
fn numbers(list: &[Event]) -> Vec<u64> {
    list.iter().filter(|event| event.kind == "entry").map(|event| event.id.parse().unwrap()).collect()
}

/// K3, K4, S89: replayed and live entries are the same bytes, and the stream ends after `run.finished`.
#[tokio::test]
async fn a_stream_replays_follows_and_ends() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    live.append(&plane, 5).await;
    let response = plane.get(&live.events()).open().await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let mut body = response.into_body();
    let first = read_until(&mut body, |bytes| events(bytes).len() >= 5).await;
    live.append(&plane, 5).await;
    live.finish(&plane).await;
    let rest = read_until(&mut body, |_| false).await;
    let all = events(&[first, rest].concat());
    let last = all.last().unwrap();
    assert_eq!(last.kind, "end");
    let seen = numbers(&all);
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    assert!(all[all.len() - 2].data.contains("run.finished"));

    let page = plane.get(&format!("/api/v1/runs/{}/entries?limit=1000", live.run)).send().await.expect(200);
    let text = page.text();
    for event in all.iter().filter(|event| event.kind == "entry") {
        assert!(text.contains(&event.data), "live bytes are the stored bytes: {}", event.data);
    }
    assert_eq!(page.json()["items"].as_array().unwrap().len(), seen.len());

    // After the end: from the last number only `end` is left, from 0 everything is.
    for (since, count) in [(seen.len(), 0), (0, seen.len())] {
        let body = plane.get(&format!("{}?since={since}", live.events())).send().await.expect(200);
        let again = events(&body.bytes);
        assert_eq!((numbers(&again).len(), again.last().unwrap().kind.as_str()), (count, "end"));
    }
}

/// F6: cut at random bytes and resumed by the last id, while entries arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_random_bytes_misses_and_repeats_nothing() {
    let plane = std::sync::Arc::new(TestPlane::start().await);
    let live = std::sync::Arc::new(Live::start(&plane).await);
    let writer = tokio::spawn({
        let (plane, live) = (plane.clone(), live.clone());
        async move {
            for _ in 0..120 {
                let (count, pause) = {
                    let mut rng = rand::rng();
                    (rng.random_range(1..12), rng.random_range(0..4))
                };
                live.append(&plane, count).await;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            live.finish(&plane).await;
        }
    });
    let mut seen: Vec<u64> = Vec::new();
    let mut connections = 0;
    let ended = loop {
        connections += 1;
        let last = seen.last().copied().unwrap_or(0);
        let mut body = plane.get(&live.events()).header("last-event-id", &last.to_string()).open().await.into_body();
        let cut = rand::rng().random_range(1..6_000);
        let mut bytes = read_until(&mut body, |bytes| bytes.len() >= cut).await;
        drop(body);
        bytes.truncate(cut);
        let list = events(&bytes);
        seen.extend(numbers(&list));
        if list.iter().any(|event| event.kind == "end") {
            break true;
        }
        assert!(connections < 20_000);
    };
    writer.await.unwrap();
    assert!(ended && connections > 3, "{connections}");
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>(), "no hole, no duplicate, in order");
}

/// F6: a subscription that races an append gets it, from the journal or from the tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_racing_an_append_misses_nothing() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    for _ in 0..100 {
        let before = live.append(&plane, 1).await;
        let path = format!("{}?since={before}", live.events());
        let (last, mut body) =
            tokio::join!(live.append(&plane, 3), async { plane.get(&path).open().await.into_body() });
        let begin = Instant::now();
        let bytes = read_until(&mut body, |bytes| numbers(&events(bytes)).last() == Some(&last)).await;
        assert_eq!(numbers(&events(&bytes)), [before + 1, before + 2, before + 3]);
        assert!(begin.elapsed() < Duration::from_millis(900), "it waited for the poll: {:?}", begin.elapsed());
    }
}

/// X57, X61: the board tells facts only; several streams over one connection; each event names its stream and number.
#[tokio::test]
async fn several_streams_share_a_connection() {
    let plane = TestPlane::start().await;
    let (one, two) = (Live::start(&plane).await, Live::start(&plane).await);
    one.append(&plane, 3).await;
    let board = format!("project:{}", plane.project.id);
    let path = format!("/api/v1/events?streams=run:{}@2,run:{},{board}", one.run, two.run);
    let mut body = plane.get(&path).open().await.into_body();
    two.append(&plane, 2).await;
    one.finish(&plane).await;
    two.finish(&plane).await;
    let done = |bytes: &[u8]| {
        let list = events(bytes);
        let ends = list.iter().filter(|event| event.kind == "end").count();
        // Both runs told the board that they finished.
        ends == 2
            && list.iter().filter(|event| event.id.starts_with(&board) && event.data.contains("run.finished")).count()
                == 2
    };
    let bytes = read_until(&mut body, done).await;
    let list = events(&bytes);
    // W1: the project goes on after the end of a run, also where that is the newest thing it tells.
    assert!(!list.iter().any(|event| event.kind == "end" && event.id.starts_with(&board)), "{list:?}");
    for (stream, from) in [(format!("run:{}", one.run), 3), (format!("run:{}", two.run), 1), (board, 1)] {
        let of_stream: Vec<u64> = list
            .iter()
            .filter(|event| event.kind == "entry")
            .filter_map(|event| event.id.strip_prefix(&format!("{stream}@"))?.parse().ok())
            .collect();
        assert!(!of_stream.is_empty());
        assert_eq!(of_stream, (from..from + of_stream.len() as u64).collect::<Vec<_>>(), "{stream}");
        let entry = list.iter().find(|event| event.id.starts_with(&stream)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&entry.data).unwrap()["stream"], stream);
    }
    for wrong in ["", "run:x@1", "board:1"] {
        plane.get(&format!("/api/v1/events?streams={wrong}")).send().await.refused(422, "PH-1002");
    }
}

/// X61, P27: a stream that is not there, or that is foreign, is answered by name; the others go on.
#[tokio::test]
async fn a_missing_stream_does_not_refuse_the_others() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    let missing = "00000000-0000-7000-8000-000000000000";
    let path = format!("/api/v1/events?streams=run:{missing}@7,run:{},project:{missing}", live.run);
    let mut body = plane.get(&path).open().await.into_body();
    let last = live.append(&plane, 2).await;
    let done = |bytes: &[u8]| events(bytes).iter().any(|event| event.id == format!("run:{}@{last}", live.run));
    let list = events(&read_until(&mut body, done).await);
    let gone: Vec<_> = list.iter().filter(|event| event.kind == "gone").map(|event| event.id.clone()).collect();
    assert_eq!(gone, [format!("run:{missing}@0"), format!("project:{missing}@0")]);
    let said: Value = serde_json::from_str(&list[0].data).unwrap();
    assert_eq!(said, json!({"stream": format!("run:{missing}"), "code": "PH-1003"}));

    // A foreign one is answered as a missing one; when nothing is left, the answer ends.
    let foreigner = plane.foreigner().await;
    let ask = async |run: &str| {
        let path = format!("/api/v1/events?streams=run:{run}@3");
        plane.ask(Method::GET, &path).token(&foreigner).send().await.expect(200).text().replace(run, "RUN")
    };
    let foreign = ask(&live.run).await;
    assert!(foreign.contains("event: gone"), "{foreign}");
    assert_eq!(foreign, ask(missing).await);
}

/// K7, S90: a caller has 32 streams by default, and a place comes back when its stream is dropped.
#[tokio::test]
async fn a_caller_has_so_many_streams() {
    let plane = TestPlane::with(ServerConfig { streams_per_caller: 3, ..ServerConfig::default() }).await;
    let live = Live::start(&plane).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(plane.get(&live.events()).open().await);
    }
    let refused = plane.get(&live.events()).send().await.refused(429, "PH-1016");
    assert_eq!(refused.json()["limit"], 3);
    assert!(refused.headers.contains_key("retry-after"));
    let other = plane.token(json!({"kind": "program", "role": "viewer"})).await;
    open.push(plane.ask(Method::GET, &live.events()).token(&other).open().await);
    assert_eq!(open[3].status(), 200, "another caller has places of its own");
    drop(open.remove(0));
    assert_eq!(plane.get(&live.events()).open().await.status(), 200);
    let figures = plane.get("/metrics").send().await.text();
    assert!(figures.contains("proofhouse_streams_refused_total 1"), "{figures}");
}

/// A silent stream shows that it lives, and a revoked token stops reading at the next sign of life.
#[tokio::test]
async fn a_silent_stream_beats_and_a_revoked_reader_is_cut() {
    let beat = Duration::from_millis(50);
    let plane = TestPlane::with(ServerConfig { stream_heartbeat: beat, ..ServerConfig::default() }).await;
    let live = Live::start(&plane).await;
    let made = plane.post("/api/v1/tokens", &json!({"label": "r", "kind": "program"})).send().await.expect(201).json();
    let mut body =
        plane.ask(Method::GET, &live.events()).token(made["secret"].as_str().unwrap()).open().await.into_body();
    let beats = |bytes: &[u8]| bytes.windows(3).filter(|part| part == b":\n\n").count();
    read_until(&mut body, |bytes| beats(bytes) >= 3).await;
    let revoke = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    plane.ask(Method::DELETE, &revoke).token(&plane.admin).send().await.expect(200);
    let rest = tokio::time::timeout(Duration::from_secs(5), read_until(&mut body, |_| false)).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("retry: 1000"));
    plane.ask(Method::GET, &live.events()).token(made["secret"].as_str().unwrap()).send().await.refused(401, "PH-1004");
}

/// K4, S89: a number that the journal never gave is not waited for in silence.
#[tokio::test]
async fn a_cursor_from_another_life_is_answered_with_a_snapshot() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    let mut body = plane.get(&format!("{}?since=999999", live.events())).open().await.into_body();
    let bytes = read_until(&mut body, |bytes| !numbers(&events(bytes)).is_empty()).await;
    let list = events(&bytes);
    assert_eq!(list[0].kind, "resync");
    let data: Value = serde_json::from_str(&list[0].data).unwrap();
    assert_eq!(data["snapshot"]["id"], live.run);
    assert_eq!(data["floor"], 1);
    assert_eq!(numbers(&list)[0], 1, "it goes on at the oldest kept number");
    for wrong in ["-1", "x", "1.5"] {
        plane.get(&live.events()).header("last-event-id", wrong).send().await.refused(422, "PH-1002");
        plane.get(&format!("{}?since={wrong}", live.events())).send().await.refused(422, "PH-1002");
    }
}

/// F6, D70: one reader that takes a byte now and then among many slows nobody, and holds nothing up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_nobody() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let plane = std::sync::Arc::new(
        TestPlane::with(ServerConfig { streams_per_caller: 1_000, ..ServerConfig::default() }).await,
    );
    let live = Live::start(&plane).await;
    let served = plane.serve().await;
    let connect = || async {
        let mut socket = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
            live.events(),
            plane.admin
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    };
    // The slow ones read one byte and then nothing for a while.
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut socket = connect().await;
        socket.read_exact(&mut [0; 1]).await.unwrap();
        slow.push(socket);
    }
    let mut fast = Vec::new();
    for _ in 0..100 {
        let mut socket = connect().await;
        fast.push(tokio::spawn(async move {
            let mut bytes = Vec::new();
            let mut buffer = [0; 64 << 10];
            while !bytes.windows(11).any(|part| part == b"event: end\n") {
                let count = socket.read(&mut buffer).await.unwrap();
                assert!(count > 0, "{}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&buffer[..count]);
                if bytes.len() > 64 << 20 {
                    panic!("too much");
                }
                // Keep the tail only: the end is what is looked for.
                let keep = bytes.len().saturating_sub(1_024);
                bytes.drain(..keep);
            }
        }));
    }
    let begin = Instant::now();
    let mut last = 0;
    for _ in 0..20 {
        last = live.append(&plane, 1_000).await;
    }
    live.finish(&plane).await;
    for reader in fast {
        tokio::time::timeout(Duration::from_secs(60), reader).await.unwrap().unwrap();
    }
    println!("100 readers took {last} entries each in {:?} beside 20 that did not read", begin.elapsed());
    // A slow reader goes on where it is, from the journal, and misses nothing.
    let mut socket = slow.pop().unwrap();
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    while !bytes.windows(11).any(|part| part == b"event: end\n") {
        let count = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0);
        bytes.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8(dechunked(&bytes)).unwrap();
    let seen = numbers(&events(text.as_bytes()));
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    assert!(seen.len() as u64 > last);
}

/// The body of a chunked answer.
pub fn dechunked(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    // One byte of the head was read before.
    let mut rest = &bytes[start..];
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|part| part == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let from = end + 2;
        if size == 0 || rest.len() < from + size {
            break;
        }
        out.extend_from_slice(&rest[from..from + size]);
        rest = &rest[from + size + 2..];
    }
    out
}

/// K4: where retention has cut, a reader gets the snapshot and goes on at the oldest kept number.
#[tokio::test]
async fn what_retention_cut_is_answered_with_a_snapshot() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    let old = live.append(&plane, 5).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (stream, before) = (StreamId::Run(live.run.parse().unwrap()), plane.engine.now());
    let last = live.append(&plane, 5).await;
    let trim = plane.engine.store().write(move |tx| Box::pin(async move { tx.journal_trim(stream, before).await }));
    let floor: Result<u64, StoreError> = trim.await;
    assert_eq!(floor, Ok(old + 1));

    for (query, first) in
        [("?since=1".to_owned(), "resync"), (String::new(), "resync"), (format!("?since={old}"), "entry")]
    {
        let mut body = plane.get(&format!("{}{query}", live.events())).open().await.into_body();
        let bytes = read_until(&mut body, |bytes| numbers(&events(bytes)).last() == Some(&last)).await;
        let list = events(&bytes);
        assert_eq!(list[0].kind, first, "{query}");
        assert_eq!(numbers(&list), (old + 1..=last).collect::<Vec<_>>(), "{query}");
        if first == "resync" {
            let data: Value = serde_json::from_str(&list[0].data).unwrap();
            assert_eq!((&data["floor"], &data["snapshot"]["status"]), (&json!(old + 1), &json!("running")));
        }
    }
    let path = format!("/api/v1/runs/{}/entries", live.run);
    let refused = plane.get(&format!("{path}?since=1")).send().await.refused(410, "PH-1013");
    assert_eq!(refused.json()["floor"], old + 1);
    let left = plane.get(&path).send().await.expect(200).json();
    assert_eq!(left["items"][0]["seq"], old + 1);
}

/// K4, X38: a dropped run's stream is a snapshot and an end.
#[tokio::test]
async fn a_dropped_run_still_ends() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    live.finish(&plane).await;
    let (run, now) = (live.run.parse().unwrap(), plane.engine.now());
    let dropped = plane.engine.store().write(move |tx| Box::pin(async move { tx.run_drop(run, now).await })).await;
    assert_eq!(dropped, Ok::<_, StoreError>(true));
    let body = plane.get(&live.events()).send().await.expect(200);
    let kinds: Vec<_> = events(&body.bytes).into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["resync", "end"]);
}

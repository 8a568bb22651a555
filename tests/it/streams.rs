//! Readers on real sockets: cut, resumed, slow, many.

use std::{
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use proofhouse_tests::{server::Server, work};
use rand::Rng as _;
use serde_json::json;
use testkit::sse::Event;

/// F6, K4: a stream that is cut at random bytes and resumed by the last number while entries
/// arrive shows every entry once, in order, and each byte for byte as the journal has it.
#[test]
fn a_stream_cut_at_random_bytes_misses_and_repeats_nothing() {
    let server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    let run = work::submit(&owner, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let path = format!("/runs/{run}/events");
    let mut seen: Vec<Event> = Vec::new();
    let mut cuts = 0;
    thread::scope(|scope| {
        let appender = worker.again();
        scope.spawn(move || {
            for n in 0..300 {
                let numbers: Vec<u64> = (n * 10..n * 10 + 1 + n % 7).collect();
                lease.append(&appender, &numbers).unwrap().expect(200);
            }
            lease.complete(&appender, &json!({})).unwrap().expect(200);
        });
        loop {
            let after = seen.last().map(|event| event.id.clone());
            let events = cut_after(&owner, &path, after.as_deref(), rand::rng().random_range(1..20_000));
            cuts += 1;
            let ended = events.iter().any(|event| event.event == "end");
            seen.extend(events.into_iter().filter(|event| event.event == "entry"));
            if ended {
                return;
            }
        }
    });
    let journal = server.journal(&format!("runs/{run}"));
    assert_eq!(seen.iter().map(Event::seq).collect::<Vec<_>>(), (1..=journal.len() as u64).collect::<Vec<_>>());
    for (event, entry) in seen.iter().zip(&journal) {
        assert_eq!(event.json(), *entry);
    }
    assert!(cuts > 10, "only {cuts} cuts");
}

/// Opens a stream, reads so many bytes of it, and leaves. The events that were whole by then.
fn cut_after(owner: &testkit::http::Client, path: &str, after: Option<&str>, bytes: usize) -> Vec<Event> {
    let mut connection = owner.connect().unwrap();
    let mut headers = vec![("accept", "text/event-stream")];
    headers.extend(after.map(|id| ("last-event-id", id)));
    std::io::Write::write_all(connection.get_mut(), &owner.request("GET", path, &headers, None)).unwrap();
    connection.get_ref().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut raw = vec![0; bytes];
    let mut length = 0;
    while length < bytes {
        match connection.read(&mut raw[length..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => length += more,
        }
        if raw[..length].ends_with(b"0\r\n\r\n") {
            break;
        }
    }
    testkit::sse::whole_events(&raw[..length])
}

/// F6, K7, D70, S90: readers that take a byte a second slow nobody, and what the server keeps for them is bounded.
#[test]
fn slow_readers_slow_nobody() {
    let mut server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    let run = work::submit(&owner, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let path = format!("/runs/{run}/events");
    let request = owner.request("GET", &path, &[("accept", "text/event-stream")], None);
    let slow: Vec<_> = (0..30)
        .map(|_| {
            let mut connection = owner.connect().unwrap();
            std::io::Write::write_all(connection.get_mut(), &request).unwrap();
            connection
        })
        .collect();
    let mut quick = owner.stream(&path, None).unwrap();
    let before = resident(server.process().pid());
    let from = Instant::now();
    let text = "x".repeat(2_000);
    let body = json!({"entries": vec![json!({"kind": "probe.entry", "data": {"text": text}}); 50]});
    let call = format!("/worker/tasks/{}/entries", lease.task);
    let mut head = 0;
    for _ in 0..100 {
        let reply = worker.call("POST", &call, &[("lease-generation", "1")], Some(&body)).unwrap();
        head = reply.expect(200)["last_seq"].as_u64().unwrap();
    }
    let mut last = 0;
    while last < head {
        let event = quick.next().unwrap().unwrap();
        assert_eq!(event.seq(), last + 1);
        last += 1;
    }
    let took = from.elapsed();
    let grown = resident(server.process().pid()).saturating_sub(before);
    // Ten megabytes were written; thirty readers that were buffered for would be three hundred.
    assert!(grown < 100 << 20, "the server grew by {} MB for readers that do not read", grown >> 20);
    assert!(took < Duration::from_secs(30), "{took:?}");
    drop(slow);
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.map_or(0, |kib: u64| kib << 10)
}

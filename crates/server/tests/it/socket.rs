//! HTTP as hostile clients speak it, over real sockets.

use std::time::{Duration, Instant};

use serde_json::json;
use server::{ServeLimits, ServerConfig};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    plane::{Served, TestPlane},
    streams::Live,
};

/// Sends bytes and reads everything until the server closes.
async fn talk(served: &Served, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    read_all(&mut socket).await
}

async fn read_all(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await.unwrap();
    drop(read);
    String::from_utf8_lossy(&answer).into_owned()
}

/// K7, F: a body that says it is 100 MB is refused before it is read.
#[tokio::test]
async fn a_huge_announced_body_is_refused_at_once() {
    let plane = TestPlane::start().await;
    let served = plane.serve().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n",
        plane.runs(),
        plane.admin
    );
    let answer = talk(&served, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("PH-1015"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}

/// K7: a chunked body without a length is cut off at the limit, and its sender still reads why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_chunked_body_is_cut_off_early() {
    let plane = TestPlane::start().await;
    let served = plane.serve().await;
    let before = resident();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        plane.runs(),
        plane.admin
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let (mut reader, mut writer) = socket.into_split();
    let writing = tokio::spawn(async move {
        let mut sent = 0usize;
        // 100 MB, as far as the server lets us.
        while sent < 100 << 20 && writer.write_all(&chunk).await.is_ok() {
            sent += 0x10000;
        }
        sent
    });
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), reader.read_to_end(&mut answer)).await.unwrap();
    let sent = writing.await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("PH-1015"), "{answer}");
    assert!(sent < 50 << 20, "{sent} bytes were taken");
    assert!(resident().saturating_sub(before) < 40 << 20, "the body was kept");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// K7: headers that never end do not hold a connection for ever.
#[tokio::test]
async fn slow_headers_end_the_connection() {
    let plane = TestPlane::start().await;
    let served =
        plane.serve_with(ServeLimits { header_read: Duration::from_millis(300), ..ServeLimits::default() }).await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let begin = Instant::now();
    let drip = async {
        for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
            if socket.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        read_all(&mut socket).await
    };
    let answer = timeout(Duration::from_secs(10), drip).await.unwrap();
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// A body that never comes ends with the request's time.
#[tokio::test]
async fn a_body_that_never_comes_is_timed_out() {
    let plane = TestPlane::with(ServerConfig { request: Duration::from_millis(300), ..ServerConfig::default() }).await;
    let served = plane.serve().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{{",
        plane.runs(),
        plane.admin
    );
    let answer = talk(&served, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("PH-1039"), "{answer}");
}

#[tokio::test]
async fn ambiguous_and_foreign_requests_are_refused() {
    let plane = TestPlane::start().await;
    let served = plane.serve().await;
    let ask = |head: &str| {
        let bytes = format!("{head}\r\nconnection: close\r\n\r\n");
        let served = &served;
        async move { talk(served, bytes.as_bytes()).await }
    };
    let good = ask("GET /healthz HTTP/1.1\r\nhost: localhost").await;
    assert!(good.starts_with("HTTP/1.1 200 "), "{good}");
    let two = ask("POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3").await;
    assert!(two.starts_with("HTTP/1.1 400 "), "{two}");
    for (host, status) in
        [("host: evil.example", "421"), ("host: localhost\r\nhost: localhost", "421"), ("x: y", "421")]
    {
        let answer = ask(&format!("GET /healthz HTTP/1.1\r\n{host}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
    let absolute = ask("GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost").await;
    assert!(absolute.starts_with("HTTP/1.1 421 "), "{absolute}");
    let many = "x-a: b\r\n".repeat(200);
    let answer = ask(&format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}", many.trim_end())).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: {}", "a".repeat(200 << 10));
    let answer = ask(&long).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer:.100}");
    for garbage in ["\0\0\0\0", "GET / HTTP/9.9", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let answer = ask(garbage).await;
        assert!(!answer.contains("200 OK"), "{garbage}: {answer}");
    }
    let still = ask("GET /healthz HTTP/1.1\r\nhost: localhost").await;
    assert!(still.starts_with("HTTP/1.1 200 "), "{still}");
}

/// Several requests on one connection, one after the other.
#[tokio::test]
async fn a_connection_is_kept_alive() {
    let plane = TestPlane::start().await;
    let served = plane.serve().await;
    let one = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = talk(&served, format!("{one}{one}{last}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
}

/// F5, K1: the client hangs up between the commit and the answer; the run is there, once, and the
/// repeated request is answered like the first would have been.
#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let plane = TestPlane::start().await;
    let served = plane.serve().await;
    let body = json!({"kind": "probe", "config": {"tasks": 2}}).to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\nidempotency-key: lost\r\ncontent-length: {}\r\n\r\n{body}",
        plane.runs(),
        plane.admin,
        body.len()
    );
    for pause in [0, 1, 3, 10] {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drop(socket);
    }
    let answers = futures::future::join_all((0..3).map(|_| talk_once(&served, head.as_bytes()))).await;
    let bodies: Vec<_> = answers.iter().map(|answer| answer.split("\r\n\r\n").nth(1).unwrap().to_owned()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let runs = plane.get(&plane.runs()).send().await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

async fn talk_once(served: &Served, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 64 << 10];
    let count = timeout(Duration::from_secs(10), socket.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// F21: accepted calls are answered, streams are told to come back, new connections are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_was_accepted() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    let mut served = plane.serve().await;
    let mut reader = TcpStream::connect(served.address).await.unwrap();
    let stream =
        format!("GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n", live.events(), plane.admin);
    reader.write_all(stream.as_bytes()).await.unwrap();
    // A long poll that is answered only when a task appears.
    let worker = plane.worker().await;
    let body = json!({"claim_id": "c", "queues": ["probe"], "wait_s": 3}).to_string();
    let mut poll = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /api/v1/worker/claim HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {worker}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    poll.write_all(head.as_bytes()).await.unwrap();
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;

    served.begin_stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(served.address).await.is_err(), "new connections are refused");
    let told = read_all(&mut reader).await;
    assert!(told.contains("retry: 1000\n: come back"), "{told}");
    let polled = read_all(&mut poll).await;
    assert!(polled.starts_with("HTTP/1.1 200 "), "the accepted call was answered: {polled}");
    assert!(read_all(&mut idle).await.starts_with("HTTP/1.1 200 "));
    assert!(served.stop().await < Duration::from_secs(10));
}

/// K7: beyond the limit of connections, the next one waits its turn and costs nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded() {
    let plane = TestPlane::start().await;
    let served = plane.serve_with(ServeLimits { connections: 2, ..ServeLimits::default() }).await;
    let one = TcpStream::connect(served.address).await.unwrap();
    let _two = TcpStream::connect(served.address).await.unwrap();
    let mut three = TcpStream::connect(served.address).await.unwrap();
    three.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    assert!(timeout(Duration::from_millis(300), three.read(&mut byte)).await.is_err(), "it has to wait");
    drop(one);
    timeout(Duration::from_secs(5), three.read_exact(&mut byte)).await.unwrap().unwrap();
}

//! How soon an open page is told what two hundred workers do (page 20, section 20): from the moment a worker begins to
//! tell that its task has entered a phase until the page's one stream has the entry. What the page makes of it then
//! takes a frame.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use crate::{
    api::{self, Ground},
    bench::{Bench, Scene},
    http::Connection,
    plane::{Order, Plane},
    report::{Line, Target},
    samples::Samples,
};

const WORKERS: u32 = 200;
/// Phase changes of each worker.
const CHANGES: u32 = 5;
/// Each worker changes its phase about so often; they begin one after the other.
const PACE: Duration = Duration::from_secs(1);

pub const BENCH: Bench = Bench { id: "page20-activity", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    for (store, postgres) in scene.stores() {
        let mut samples = measure(postgres).await?;
        let count = samples.len();
        scene.report.line(
            Line::new(
                "page20",
                format!("a phase change of one of {WORKERS} workers in an open page's stream, {store}"),
            )
            .figure("p50", samples.percentile(50.0), "ms", Target::None)
            .figure("p95", samples.percentile(95.0), "ms", Target::AtMost(1_000.0))
            .figure("max", samples.percentile(100.0), "ms", Target::None)
            .note(format!("{count} changes")),
        );
    }
    Ok(())
}

async fn measure(postgres: Option<String>) -> anyhow::Result<Samples> {
    let plane = Plane::start(&Order { postgres, ..Order::default() })?;
    let ground = Ground::on(&plane).await?;
    let mut owner = plane.connect().await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        api::submit(&mut owner, &ground.project, 1).await?;
        let mut worker = Connection::open(plane.address, &ground.worker).await?;
        let lease = api::claim(&mut worker, 1, 5).await?.pop();
        workers.push((worker, lease.ok_or_else(|| anyhow::anyhow!("no task to tell of"))?));
    }
    let told: Rc<RefCell<HashMap<String, Instant>>> = Rc::default();
    let telling = try_join_all(workers.into_iter().zip(0..WORKERS).map(|((mut worker, lease), number)| {
        let told = told.clone();
        async move {
            let (path, fence) = api::append_call(&lease);
            tokio::time::sleep(PACE * number / WORKERS).await;
            for change in 0..CHANGES {
                let phase = format!("w{number}-{change}.");
                let entry = json!({
                    "client_id": Uuid::now_v7(), "kind": "task.phase", "data": {"task": lease.task, "phase": phase},
                });
                let body = json!({"entries": [entry]}).to_string();
                told.borrow_mut().insert(phase, Instant::now());
                let answer = worker.post(&path, &fence, body.as_bytes()).await?;
                anyhow::ensure!(answer.status == 200, "a phase answered {}", String::from_utf8_lossy(answer.body));
                tokio::time::sleep(PACE).await;
            }
            anyhow::Ok(())
        }
    }));
    let reading = read(&plane, &ground.project, &told);
    let (samples, _) = futures::future::try_join(reading, telling).await?;
    Ok(samples)
}

/// Reads the page's stream until every phase was seen in it.
async fn read(plane: &Plane, project: &str, told: &RefCell<HashMap<String, Instant>>) -> anyhow::Result<Samples> {
    let path = format!("/api/v1/events?streams=project:{project}@0");
    let (mut stream, mut bytes) = plane.connect().await?.stream(&path).await?;
    let (mut chunks, mut samples) = (Chunks::default(), Samples::default());
    let wanted = (WORKERS * CHANGES) as usize;
    loop {
        chunks.feed(&bytes);
        let now = Instant::now();
        while let Some(line) = chunks.line() {
            let Some(phase) = line.split("\"phase\":\"").nth(1).and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            // Entries of the tasks' starts have phases of their own.
            if let Some(from) = told.borrow_mut().remove(phase) {
                samples.add(now.saturating_duration_since(from));
            }
        }
        if samples.len() == wanted {
            return Ok(samples);
        }
        bytes.clear();
        bytes.reserve(64 << 10);
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the stream ended before every phase was seen");
    }
}

/// Takes the framing of a chunked body off, and cuts the rest into lines.
#[derive(Debug, Default)]
struct Chunks {
    raw: Vec<u8>,
    text: Vec<u8>,
}

impl Chunks {
    fn feed(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = &self.raw[at..];
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { break };
            let size = std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let Some(data) =
                size.and_then(|size| rest.get(end + 2..end + 2 + size).filter(|_| rest.len() >= end + size + 4))
            else {
                break;
            };
            self.text.extend_from_slice(data);
            at += end + data.len() + 4;
        }
        self.raw.drain(..at);
    }

    fn line(&mut self) -> Option<String> {
        let end = self.text.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.text.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_the_body_is_cut() {
        let body = b"4\r\nab\nc\r\n6\r\nd\nef\ng\r\n";
        for cut in 1..body.len() {
            let (mut chunks, mut lines) = (Chunks::default(), Vec::new());
            for piece in body.chunks(cut) {
                chunks.feed(piece);
                lines.extend(std::iter::from_fn(|| chunks.line()));
            }
            assert_eq!(lines, ["ab\n", "cd\n", "ef\n"], "cut every {cut} bytes");
        }
    }
}

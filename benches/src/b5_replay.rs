//! B5: a reader that reconnects gets ten thousand entries again.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;

use crate::{
    api::{self, Ground},
    bench::{Bench, Scene},
    http::Connection,
    plane::Plane,
    report::{Line, Target},
    samples::Samples,
    sse::Scanner,
};

const ENTRIES: u64 = 10_000;
const TIMES: usize = 20;

pub const BENCH: Bench = Bench { id: "B5", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let plane = Plane::empty()?;
    let ground = Ground::on(&plane).await?;
    api::submit(&mut plane.connect().await?, &ground.project, 1).await?;
    let mut worker = Connection::open(plane.address, &ground.worker).await?;
    let lease = api::claim(&mut worker, 1, 5).await?.pop().ok_or_else(|| anyhow::anyhow!("no task to append to"))?;
    let (path, fence) = api::append_call(&lease);
    let mut head = 0;
    while head < ENTRIES {
        let answer = worker.post(&path, &fence, &api::entries(500)).await?.json()?;
        head = answer["last_seq"].as_u64().unwrap_or(ENTRIES);
    }
    let mut samples = Samples::default();
    for _ in 0..TIMES {
        samples
            .add(replay(&plane, &format!("/api/v1/runs/{}/events?since={}", lease.run, head - ENTRIES), head).await?);
    }
    scene.report.line(
        Line::new("B5", "replay of 10,000 entries to a reader that reconnects, sqlite")
            .figure("p50", samples.percentile(50.0), "ms", Target::AtMost(100.0))
            .figure("max", samples.percentile(100.0), "ms", Target::None)
            .note(format!("{TIMES} times, connecting included")),
    );
    Ok(())
}

/// How long from connecting until number `head` is there, every number before it having come in order.
async fn replay(plane: &Plane, path: &str, head: u64) -> anyhow::Result<Duration> {
    let from = Instant::now();
    let (mut stream, mut bytes) = plane.connect().await?.stream(path).await?;
    let mut scanner = Scanner::default();
    let mut next = head - ENTRIES + 1;
    let mut in_order = true;
    loop {
        scanner.feed(&bytes, |seq| {
            in_order &= seq == next;
            next += 1;
        });
        anyhow::ensure!(in_order, "the replay left the order near {next}");
        if next > head {
            return Ok(from.elapsed());
        }
        bytes.clear();
        bytes.reserve(64 << 10);
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the replay ended before {head}");
    }
}

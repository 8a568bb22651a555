//! The figures of page 10 that table B does not hold: starting a large run, the way to the first process
//! and back to a reader, the status of a large project, and a plane that does not grow.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::Value;
use testkit::Repo;
use tokio::io::AsyncReadExt as _;

use crate::{
    api,
    b11_overhead::{ended, start},
    bench::{Bench, Scene},
    http::Connection,
    machine,
    plane::{Gates, Order, Plane},
    report::{Line, Target},
    samples::Samples,
};

const MEBI: f64 = (1 << 20) as f64;

pub const BENCH: Bench = Bench { id: "P10", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    large_start(scene).await?;
    first_process(scene).await?;
    status(scene).await?;
    many_runs(scene).await
}

/// A repository whose gate prints the time and ends, and a plane for it.
fn quick(requirements: u32, worker: Option<usize>, evidence: u32) -> anyhow::Result<(Repo, Plane, String)> {
    let repo = Repo::new();
    repo.script("gate.sh", "#!/bin/sh\nexec date +%s%N\n").gates(&[("unit", &["./gate.sh", "{test}"])]).commit();
    let program = "./gate.sh".to_owned();
    let gates = Gates { repository: repo.path().to_owned(), program, requirements, evidence };
    let plane = Plane::start(&Order { worker, gates: Some(gates), ..Order::default() })?;
    let project = api::text(&plane.seeded, "project")?;
    Ok((repo, plane, project))
}

async fn large_start(scene: &mut Scene) -> anyhow::Result<()> {
    let (_repo, plane, project) = quick(1_000, None, 0)?;
    let mut connection = plane.connect().await?;
    let mut samples = Samples::default();
    for _ in 0..100 {
        let from = Instant::now();
        let run = start(&mut connection, &project).await?;
        samples.add(from.elapsed());
        connection.post(&format!("/api/v1/runs/{run}/cancel"), "", b"").await?.json()?;
        ended(&mut connection, &run).await?;
    }
    scene.report.line(
        Line::new("P10", "POST of a run with 1,000 requirements, sqlite")
            .figure("p99", samples.percentile(99.0), "ms", Target::AtMost(50.0))
            .figure("p50", samples.percentile(50.0), "ms", Target::None),
    );
    Ok(())
}

fn micros_now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}

async fn first_process(scene: &mut Scene) -> anyhow::Result<()> {
    let (_repo, plane, project) = quick(1, Some(2), 0)?;
    let mut connection = plane.connect().await?;
    let (mut first, mut shown) = (Samples::default(), Samples::default());
    for _ in 0..30 {
        let posted = micros_now();
        let run = start(&mut connection, &project).await?;
        let (evidence, seen) = gate_finished(&plane, &run).await?;
        ended(&mut connection, &run).await?;
        let path = format!("/api/v1/projects/{project}/proof/evidence/{evidence}/output");
        let output = connection.get(&path).await?.json()?;
        let line = output["commands"][0]["lines"][0].as_str().context("a gate without output")?;
        let ran = line.trim().parse::<u128>().context("the gate printed no time")? / 1_000;
        let between = |from: u128, to: u128| Duration::from_micros(u64::try_from(to.saturating_sub(from)).unwrap_or(0));
        first.add(between(posted, ran));
        shown.add(between(ran, seen));
    }
    scene.report.line(
        Line::new("P10", "first gate process after the POST, sqlite")
            .figure("p50", first.percentile(50.0), "ms", Target::AtMost(100.0))
            .figure("p99", first.percentile(99.0), "ms", Target::None),
    );
    scene.report.line(
        Line::new("P10", "gate process ended to its entry at a stream's reader, sqlite")
            .figure("p50", shown.percentile(50.0), "ms", Target::AtMost(100.0))
            .figure("p99", shown.percentile(99.0), "ms", Target::None),
    );
    Ok(())
}

/// Reads a run's stream until its first gate has finished: the evidence, and when the reader saw it.
async fn gate_finished(plane: &Plane, run: &str) -> anyhow::Result<(String, u128)> {
    let (mut socket, mut text) = plane.connect().await?.stream(&format!("/api/v1/runs/{run}/events")).await?;
    loop {
        let all = String::from_utf8_lossy(&text);
        if let Some((_, rest)) = all.split_once("\"gate.finished\"")
            && let Some((line, _)) = rest.split_once('\n')
        {
            let seen = micros_now();
            let (_, id) = line.split_once("\"evidence\":\"").context("a finished gate without evidence")?;
            return Ok((id.split('"').next().unwrap_or_default().to_owned(), seen));
        }
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read_buf(&mut text)).await;
        anyhow::ensure!(read.context("the gate never finished")?? > 0, "the stream ended before the gate");
    }
}

async fn status(scene: &mut Scene) -> anyhow::Result<()> {
    let (_repo, plane, project) = quick(5_000, None, 100_000)?;
    let mut connection = plane.connect().await?;
    let path = format!("/api/v1/projects/{project}/proof/status");
    let mut samples = Samples::default();
    let mut total = 0;
    for _ in 0..100 {
        let from = Instant::now();
        let answer = connection.get(&path).await?;
        samples.add(from.elapsed());
        let view: Value = answer.json()?;
        total = view["total"].as_u64().unwrap_or(0);
    }
    scene.report.line(
        Line::new("P10", "status of 5,000 requirements with 100,000 pieces of evidence, sqlite")
            .figure("p99", samples.percentile(99.0), "ms", Target::AtMost(50.0))
            .figure("p50", samples.percentile(50.0), "ms", Target::None)
            .note(format!("{total} requirements; the checkout is looked at each time")),
    );
    Ok(())
}

async fn many_runs(scene: &mut Scene) -> anyhow::Result<()> {
    const RUNS: usize = 1_000;
    const WARM: usize = 300;
    let (_repo, plane, project) = quick(1, Some(2), 0)?;
    let mut connection = plane.connect().await?;
    let mut reader: Connection = plane.connect().await?;
    let reads = ["/healthz".to_owned(), format!("/api/v1/projects/{project}/proof/requirements")];
    let mut samples = Samples::default();
    let mut warm = 0;
    let began = Instant::now();
    for number in 0..RUNS {
        let run = start(&mut connection, &project).await?;
        for path in &reads {
            let from = Instant::now();
            reader.get(path).await?;
            samples.add(from.elapsed());
        }
        let view = ended(&mut connection, &run).await?;
        anyhow::ensure!(view["verdict"] == "passed", "run {number} said {view}");
        if number + 1 == WARM {
            warm = machine::resident(plane.pid())?;
        }
    }
    let last = machine::resident(plane.pid())?;
    #[expect(clippy::cast_precision_loss, reason = "sizes of one process")]
    let (grown, size) = ((last as f64 - warm as f64) / MEBI, last as f64 / MEBI);
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let each = began.elapsed().as_secs_f64() * 1_000.0 / RUNS as f64;
    scene.report.line(
        Line::new("P10", format!("{RUNS} proof runs of one gate, sqlite"))
            .figure("memory growth past the first 300", grown, "MiB", Target::AtMost(8.0))
            .figure("resident", size, "MiB", Target::None)
            .figure("a run", each, "ms", Target::None)
            .figure("reads meanwhile p99", samples.percentile(99.0), "ms", Target::AtMost(20.0)),
    );
    Ok(())
}

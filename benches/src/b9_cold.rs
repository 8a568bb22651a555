//! B9: how soon, in how much memory and from how large a file the product itself is there.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    bench::{Bench, Scene},
    http::Connection,
    machine,
    report::{Line, Target},
    samples::Samples,
};

const TIMES: usize = 11;

pub const BENCH: Bench = Bench { id: "B9", run: |scene| Box::pin(run(scene)) };

/// A process that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let Some(program) = scene.program.clone() else {
        scene.report.skipped("B9", "target holds no proofhouse program (`cargo build --release -p proofhouse-cli`)");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (first, _) = start(&program, &data).await?;
    let mut samples = Samples::default();
    for _ in 0..TIMES {
        let (took, _) = start(&program, &data).await?;
        samples.add(took);
    }
    let (_, server) = start(&program, &data).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = machine::resident(server.0.id())?;
    let size = std::fs::metadata(&program)?.len();
    #[expect(clippy::cast_precision_loss, reason = "sizes within a machine's memory")]
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    scene.report.line(
        Line::new("B9", "cold start to ready, sqlite")
            .figure("p50", samples.percentile(50.0), "ms", Target::AtMost(100.0))
            .figure("max", samples.percentile(100.0), "ms", Target::None)
            .figure("first start of a folder", first.as_secs_f64() * 1e3, "ms", Target::None),
    );
    scene.report.line(Line::new("B9", "idle memory").figure("", megabytes(idle), "MB", Target::AtMost(40.0)));
    scene.report.line(Line::new("B9", "size of the program").figure("", megabytes(size), "MB", Target::AtMost(30.0)));
    Ok(())
}

/// Starts the program on a data folder; how long until `/readyz` answered well.
async fn start(program: &Path, data: &Path) -> anyhow::Result<(Duration, Ended)> {
    let from = Instant::now();
    let child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("PROOFHOUSE_DATA", data)
        .env_remove("PROOFHOUSE_STORE")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut server = Ended(child);
    let address = loop {
        if let Some(address) = published(data, server.0.id()) {
            break address;
        }
        anyhow::ensure!(server.0.try_wait()?.is_none() && from.elapsed().as_secs() < 20, "the server did not start");
        tokio::time::sleep(Duration::from_micros(500)).await;
    };
    loop {
        if let Ok(mut connection) = Connection::open(address, "").await
            && connection.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
        {
            return Ok((from.elapsed(), server));
        }
        anyhow::ensure!(from.elapsed().as_secs() < 20, "the server was never ready");
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

fn published(data: &Path, pid: u32) -> Option<SocketAddr> {
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(data.join("server.json")).ok()?).ok()?;
    let url = told["url"].as_str().filter(|_| told["pid"] == pid)?;
    url.strip_prefix("http://")?.parse().context("an address").ok()
}

//! What idle workers cost the plane: two hundred open long polls, and nothing to do (page 20, section 20).

use std::{fs, time::Duration};

use anyhow::Context as _;
use futures::future::try_join_all;

use crate::{
    api::{self, Ground},
    bench::{Bench, Scene},
    http::Connection,
    plane::{Order, Plane},
    report::{Line, Target},
};

const WORKERS: usize = 200;
const SETTLES: Duration = Duration::from_secs(2);
const FOR: Duration = Duration::from_secs(16);

pub const BENCH: Bench = Bench { id: "page20-idle", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    for (store, postgres) in scene.stores() {
        let plane = Plane::start(&Order { postgres, ..Order::default() })?;
        let ground = Ground::on(&plane).await?;
        let mut owner = plane.connect().await?;
        let mut tokens = vec![ground.worker.clone()];
        while tokens.len() < WORKERS {
            tokens.push(api::worker_token(&mut owner).await?);
        }
        let polls = try_join_all(tokens.iter().map(|token| async {
            let mut worker = Connection::open(plane.address, token).await?;
            api::claim(&mut worker, 1, 25).await
        }));
        let share = async {
            tokio::time::sleep(SETTLES).await;
            let before = processor_time(plane.pid())?;
            tokio::time::sleep(FOR).await;
            let used = processor_time(plane.pid())? - before;
            anyhow::Ok(used.as_secs_f64() / FOR.as_secs_f64() * 100.0)
        };
        let percent = tokio::select! {
            share = share => share?,
            ended = polls => anyhow::bail!("a poll ended before its time: {:?}", ended.map(|leases| leases.len())),
        };
        scene.report.line(Line::new("page20", format!("{WORKERS} idle workers in long polls, {store}")).figure(
            "processor",
            percent,
            "% of a core",
            Target::AtMost(5.0),
        ));
    }
    Ok(())
}

/// The time that a process has had of all cores.
fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before the last parenthesis may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).context("an odd stat file");
    // Linux tells these in hundredths of a second, whatever its own clock ticks.
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

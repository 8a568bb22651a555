//! B2: whole task cycles over HTTP: submit, claim, finish.

use std::time::{Duration, Instant};

use crate::{
    api::{self, Ground},
    bench::{Bench, Scene},
    drive::drive,
    http::Connection,
    plane::{Order, Plane},
    report::{Line, Target},
    samples::Samples,
};

const CLIENTS: usize = 64;
const BATCH: u32 = 32;

pub const BENCH: Bench = Bench { id: "B2", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    for (store, postgres) in scene.stores() {
        for (batch, clients, target) in [(1, CLIENTS, 5_000.0), (BATCH, CLIENTS / 4, 25_000.0)] {
            let plane = Plane::start(&Order { postgres: postgres.clone(), ..Order::default() })?;
            let ground = Ground::on(&plane).await?;
            let mut pairs = Vec::new();
            for _ in 0..clients {
                pairs.push((plane.connect().await?, Connection::open(plane.address, &ground.worker).await?));
            }
            let project = &ground.project;
            let mut measured = drive(
                pairs,
                Duration::from_millis(500),
                Duration::from_secs(3),
                |(mut owner, mut worker), course| async move {
                    let mut samples = Samples::with_capacity(4_096);
                    while course.goes_on() {
                        let from = Instant::now();
                        api::submit(&mut owner, project, batch).await?;
                        let done = cycle(&mut worker, batch).await?;
                        course.count(&mut samples, from, done);
                    }
                    Ok(samples)
                },
            )
            .await?;
            let how = if batch == 1 { "single".to_owned() } else { format!("batched by {batch}") };
            scene.report.line(
                Line::new(
                    "B2",
                    format!("task cycles over HTTP (submit, claim, finish), {how}, {clients} clients, {store}"),
                )
                .figure("", measured.per_second, "/s", Target::AtLeast(target))
                .figure("cycle p50", measured.samples.percentile(50.0), "ms", Target::None)
                .figure("p99", measured.samples.percentile(99.0), "ms", Target::None),
            );
        }
    }
    Ok(())
}

/// Claims and finishes as many tasks as were submitted; whose they are does not matter.
async fn cycle(worker: &mut Connection, batch: u32) -> anyhow::Result<u64> {
    let mut done = 0;
    while done < u64::from(batch) {
        // Other clients may hold what is ready for a moment, so wait for it rather than ask again at once.
        // No more than is still to be done: what one client takes beyond its own, another would wait for in vain.
        let rest = batch - u32::try_from(done).unwrap_or(batch);
        let leases = api::claim(worker, rest, 5).await?;
        anyhow::ensure!(!leases.is_empty(), "a task that was submitted was never handed out");
        match leases.as_slice() {
            [one] => api::complete(worker, one).await?,
            many => {
                let taken = api::complete_many(worker, many).await?;
                anyhow::ensure!(taken == many.len(), "only {taken} of {} outcomes were taken", many.len());
            }
        }
        done += leases.len() as u64;
    }
    Ok(done)
}

//! B3: from the submission of a run until a worker that was waiting has its task in hand.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::future::{try_join, try_join_all};

use crate::{
    api::{self, Ground},
    bench::{Bench, Scene},
    http::Connection,
    plane::{Order, Plane},
    report::{Line, Target},
    samples::Samples,
};

const WORKERS: usize = 32;
const SUBMITTERS: usize = 16;
const RATES: [u32; 2] = [200, 1_000];
const FOR: Duration = Duration::from_secs(3);

pub const BENCH: Bench = Bench { id: "B3", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    for (store, postgres) in scene.stores() {
        for rate in RATES {
            let mut samples = measure(postgres.clone(), rate).await?;
            let count = samples.len();
            scene.report.line(
                Line::new("B3", format!("submit to start on a waiting worker, at {rate}/s, {store}"))
                    .figure("p50", samples.percentile(50.0), "ms", Target::AtMost(2.0))
                    .figure("p99", samples.percentile(99.0), "ms", Target::AtMost(5.0))
                    .figure("max", samples.percentile(100.0), "ms", Target::None)
                    .note(format!("{count} starts, {WORKERS} workers")),
            );
        }
    }
    Ok(())
}

async fn measure(postgres: Option<String>, rate: u32) -> anyhow::Result<Samples> {
    let plane = Plane::start(&Order { postgres, ..Order::default() })?;
    let ground = Ground::on(&plane).await?;
    let starts: Rc<RefCell<HashMap<String, Instant>>> = Rc::default();
    let left = Rc::new(Cell::new(rate * u32::try_from(FOR.as_secs()).unwrap_or(1)));
    let expected = left.get();
    let begin = Instant::now() + Duration::from_millis(300);
    let begun = tokio::time::Instant::from_std(begin);
    let workers = (0..WORKERS).map(|_| {
        let starts = starts.clone();
        let (ground, plane) = (&ground, &plane);
        async move {
            let mut worker = Connection::open(plane.address, &ground.worker).await?;
            // The answer that brings nothing ends the worker: by then the load is over.
            loop {
                let leases = api::claim(&mut worker, 1, if begun.elapsed() < FOR { 5 } else { 0 }).await?;
                let now = Instant::now();
                if leases.is_empty() && begun.elapsed() > FOR {
                    return anyhow::Ok(());
                }
                for lease in leases {
                    starts.borrow_mut().insert(lease.run.clone(), now);
                    api::complete(&mut worker, &lease).await?;
                }
            }
        }
    });
    let submitters = (0..SUBMITTERS).map(|_| {
        let left = left.clone();
        let (ground, plane) = (&ground, &plane);
        async move {
            let mut owner = plane.connect().await?;
            let mut sent = Vec::new();
            loop {
                let number = left.get();
                if number == 0 {
                    return anyhow::Ok(sent);
                }
                left.set(number - 1);
                // An open loop: the next submission does not wait for the start of the one before.
                let due = begun + Duration::from_secs(1) / rate * (expected - number);
                tokio::time::sleep_until(due).await;
                let from = Instant::now();
                let run = api::submit(&mut owner, &ground.project, 1).await?;
                sent.push((run, from));
            }
        }
    });
    let (_, sent) = try_join(try_join_all(workers), try_join_all(submitters)).await?;
    let mut samples = Samples::default();
    let starts = starts.borrow();
    for (run, from) in sent.into_iter().flatten() {
        let start = starts.get(&run).ok_or_else(|| anyhow::anyhow!("run {run} never started"))?;
        samples.add(start.saturating_duration_since(from));
    }
    Ok(samples)
}

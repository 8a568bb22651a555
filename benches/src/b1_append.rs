//! B1: entries appended one at a time, each answered after its sync.

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

const CLIENTS: u32 = 64;

pub const BENCH: Bench = Bench { id: "B1", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    for (store, postgres) in scene.stores() {
        let plane = Plane::start(&Order { postgres, ..Order::default() })?;
        let ground = Ground::on(&plane).await?;
        let mut owner = plane.connect().await?;
        for _ in 0..CLIENTS {
            api::submit(&mut owner, &ground.project, 1).await?;
        }
        let mut worker = Connection::open(plane.address, &ground.worker).await?;
        let mut clients = Vec::new();
        for lease in api::claim(&mut worker, CLIENTS, 5).await? {
            clients.push((Connection::open(plane.address, &ground.worker).await?, lease));
        }
        anyhow::ensure!(
            clients.len() == CLIENTS as usize,
            "only {} of {CLIENTS} tasks could be claimed",
            clients.len()
        );
        let body = api::entries(1);
        let body = &body;
        let mut measured = drive(
            clients,
            Duration::from_millis(500),
            Duration::from_secs(4),
            |(mut connection, lease), course| async move {
                let (path, fence) = api::append_call(&lease);
                let mut samples = Samples::with_capacity(8_192);
                while course.goes_on() {
                    let from = Instant::now();
                    let answer = connection.post(&path, &fence, body).await?;
                    anyhow::ensure!(
                        answer.status == 200,
                        "an append answered {}",
                        String::from_utf8_lossy(answer.body)
                    );
                    course.count(&mut samples, from, 1);
                }
                Ok(samples)
            },
        )
        .await?;
        scene.report.line(
            Line::new("B1", format!("durable append over HTTP, {CLIENTS} clients, {store}"))
                .figure("", measured.per_second, "/s", Target::AtLeast(30_000.0))
                .figure("p50", measured.samples.percentile(50.0), "ms", Target::None)
                .figure("p99", measured.samples.percentile(99.0), "ms", Target::AtMost(15.0)),
        );
    }
    Ok(())
}

//! B11: the same hundred commands of 100 ms, once from a shell script and once as the gates of a proof
//! run, with the same number at a time. What the run costs more is what proof costs.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;
use testkit::Repo;

use crate::{
    api,
    bench::{Bench, Scene},
    http::Connection,
    plane::{Gates, Order, Plane},
    report::{Line, Target},
};

const GATES: u32 = 100;
const AT_A_TIME: usize = 2;
const ROUNDS: usize = 3;

pub const BENCH: Bench = Bench { id: "B11", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let repo = Repo::new();
    repo.script("gate.sh", "#!/bin/sh\nsleep 0.1\n").gates(&[("unit", &["./gate.sh", "{test}"])]).commit();
    let plane = Plane::start(&Order {
        worker: Some(AT_A_TIME),
        gates: Some(Gates {
            repository: repo.path().to_owned(),
            program: "./gate.sh".to_owned(),
            requirements: GATES,
            evidence: 0,
        }),
        ..Order::default()
    })?;
    let project = api::text(&plane.seeded, "project")?;
    let mut connection = plane.connect().await?;
    let (mut script, mut proof, mut parts) = (Vec::new(), Vec::new(), Parts::default());
    // Turn by turn, so that what else the machine does falls on both.
    for _ in 0..ROUNDS {
        script.push(by_script(repo.path())?.as_secs_f64());
        let (took, of_run) = by_run(&mut connection, &project).await?;
        proof.push(took.as_secs_f64());
        parts = of_run;
    }
    let (script, proof) = (median(&mut script), median(&mut proof));
    scene.report.line(
        Line::new(
            "B11",
            format!("{GATES} gates of 100 ms as a proof run over the same from a shell script, {AT_A_TIME} at a time"),
        )
        .figure("overhead", (proof / script - 1.0) * 100.0, "%", Target::AtMost(5.0))
        .figure("proof run", proof * 1_000.0, "ms", Target::None)
        .figure("script", script * 1_000.0, "ms", Target::None)
        .note(format!(
            "median of {ROUNDS} rounds, from the POST to the end of the run; in the last one {:.0} ms until the first \
             command, {:.0} ms behind the last, {:.1} ms a command by its own record",
            parts.before, parts.behind, parts.command
        )),
    );
    Ok(())
}

/// The commands from a shell, a fixed number at a time, their output kept as the plane keeps it.
fn by_script(folder: &std::path::Path) -> anyhow::Result<Duration> {
    let script = format!("seq {GATES} | xargs -P {AT_A_TIME} -I @ sh -c './gate.sh t_@ >/dev/null 2>&1'");
    let from = Instant::now();
    let status = Command::new("sh").arg("-c").arg(script).current_dir(folder).stdin(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "the script failed: {status}");
    Ok(from.elapsed())
}

/// Where the time of a run went, in milliseconds.
#[derive(Debug, Default)]
struct Parts {
    before: f64,
    behind: f64,
    command: f64,
}

impl Parts {
    fn of(entries: &[Value]) -> Self {
        let of_kind = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"] == kind);
        let at = |entry: Option<&Value>| {
            let text = entry.and_then(|entry| entry["at"].as_str())?;
            Some(text.parse::<model::time::Timestamp>().ok()?.micros())
        };
        let between = |from: Option<i64>, to: Option<i64>| match (from, to) {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of one run")]
            (Some(from), Some(to)) => (to - from) as f64 / 1_000.0,
            _ => f64::NAN,
        };
        let took: Vec<f64> =
            of_kind("command.finished").filter_map(|entry| entry["data"]["duration_ms"].as_f64()).collect();
        #[expect(clippy::cast_precision_loss, reason = "a hundred commands")]
        let count = took.len() as f64;
        Self {
            before: between(at(of_kind("run.created").next()), at(of_kind("command.started").next())),
            behind: between(at(of_kind("command.finished").next_back()), at(of_kind("run.finished").next_back())),
            command: took.iter().sum::<f64>() / count,
        }
    }
}

async fn by_run(connection: &mut Connection, project: &str) -> anyhow::Result<(Duration, Parts)> {
    let from = Instant::now();
    let run = start(connection, project).await?;
    let view = ended(connection, &run).await?;
    let took = from.elapsed();
    if view["verdict"] != "passed" {
        let entries = connection.get(&format!("/api/v1/runs/{run}/entries?limit=20")).await?.json()?;
        let items = entries["items"].as_array().cloned().unwrap_or_default();
        let gate = items.into_iter().find(|entry| entry["kind"] == "gate.finished").unwrap_or_default();
        anyhow::bail!("the run said {}: {gate}", view["verdict"]);
    }
    anyhow::ensure!(view["progress"]["done"] == GATES, "the run did {}", view["progress"]);
    let (mut entries, mut since) = (Vec::new(), 0);
    loop {
        let page = connection.get(&format!("/api/v1/runs/{run}/entries?limit=500&since={since}")).await?.json()?;
        let Some(items) = page["items"].as_array().filter(|items| !items.is_empty()) else { break };
        since = items.last().and_then(|last| last["seq"].as_u64()).context("an entry without a number")?;
        entries.extend(items.iter().cloned());
    }
    Ok((took, Parts::of(&entries)))
}

/// Starts a proof run of everything; its id.
pub async fn start(connection: &mut Connection, project: &str) -> anyhow::Result<String> {
    let body = br#"{"kind":"proof","config":{}}"#;
    let answer = connection.post(&format!("/api/v1/projects/{project}/runs"), "", body).await?.json()?;
    api::text(&answer, "run")
}

/// Waits for a run's end; the run as it ended.
pub async fn ended(connection: &mut Connection, run: &str) -> anyhow::Result<Value> {
    for _ in 0..24_000 {
        let view = connection.get(&format!("/api/v1/runs/{run}")).await?.json()?;
        let status = view["status"].as_str().context("a run without a status")?;
        if ["completed", "failed", "cancelled"].contains(&status) {
            return Ok(view);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("run {run} did not end within four minutes")
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

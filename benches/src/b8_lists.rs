//! B8: lists of a plane with a hundred thousand rows of everything.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    api,
    bench::{Bench, Scene},
    http::Connection,
    plane::{Order, Plane},
    report::{Line, Target},
    samples::Samples,
    seed::Seed,
};

const ROWS: u32 = 100_000;
/// Pages that are walked from the start, each by the cursor of the one before.
const WALKED: usize = 150;
/// Asks for the first page of each filter.
const FIRST: usize = 50;
/// A list that is far too slow is not walked for ever.
const PATIENCE: Duration = Duration::from_secs(5);

pub const BENCH: Bench = Bench { id: "B8", run: |scene| Box::pin(run(scene)) };

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let seed = Seed { runs: ROWS, tasks: ROWS, entries: ROWS, requirements: ROWS };
    let plane = Plane::start(&Order { seed: Some(seed), ..Order::default() })?;
    let run = api::text(&plane.seeded, "run")?;
    let runs = format!("/api/v1/projects/{}/runs", plane.project);
    let requirements = format!("/api/v1/projects/{}/proof/requirements", plane.project);
    let lists = [
        (
            "runs",
            vec![
                runs.clone(),
                format!("{runs}?status=completed"),
                format!("{runs}?active=true"),
                format!("{runs}?kind=proof"),
            ],
        ),
        (
            "requirements",
            vec![
                requirements.clone(),
                format!("{requirements}?severity=critical"),
                format!("{requirements}?status=waived"),
                format!("{requirements}?gate=unit&verdict=unproven&sort=severity"),
                format!("{requirements}?sort=title"),
            ],
        ),
        ("tasks", vec![format!("/api/v1/runs/{run}/tasks"), format!("/api/v1/runs/{run}/tasks?state=ready")]),
        (
            "entries",
            vec![format!("/api/v1/runs/{run}/entries"), format!("/api/v1/runs/{run}/entries?since={}", ROWS / 2)],
        ),
    ];
    let mut connection = plane.connect().await?;
    for (name, paths) in lists {
        let mut all = Samples::default();
        let mut slowest = (0.0, String::new());
        for path in &paths {
            let mut samples = walk(&mut connection, path).await?;
            let p99 = samples.percentile(99.0);
            if p99 > slowest.0 {
                slowest = (p99, path.rsplit('/').next().unwrap_or(path).to_owned());
            }
            all.join(samples);
        }
        let count = all.len();
        scene.report.line(
            Line::new("B8", format!("list of {name} at {ROWS} rows, pages of 100, sqlite"))
                .figure("p99", all.percentile(99.0), "ms", Target::AtMost(20.0))
                .figure("p50", all.percentile(50.0), "ms", Target::None)
                .note(format!("{count} pages; slowest {} at p99 {:.1} ms", slowest.1, slowest.0)),
        );
    }
    Ok(())
}

async fn walk(connection: &mut Connection, path: &str) -> anyhow::Result<Samples> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let first = format!("{path}{mark}limit=100");
    let mut samples = Samples::with_capacity(WALKED + FIRST);
    let mut cursor: Option<String> = None;
    let began = Instant::now();
    for _ in 0..WALKED {
        let path = match &cursor {
            None => first.clone(),
            // A journal's place is its number: the next page's takes the place of the first one's.
            Some(cursor) if cursor.starts_with("since=") => {
                format!("{}?limit=100&{cursor}", path.split('?').next().unwrap_or(path))
            }
            Some(cursor) => format!("{first}&{cursor}"),
        };
        let from = Instant::now();
        let answer = connection.get(&path).await?;
        samples.add(from.elapsed());
        let page = answer.json()?;
        cursor = next(&page, path.contains("/entries"));
        if cursor.is_none() || began.elapsed() > PATIENCE {
            break;
        }
    }
    for _ in 0..FIRST {
        let from = Instant::now();
        let answer = connection.get(&first).await?;
        samples.add(from.elapsed());
        anyhow::ensure!(answer.status == 200, "{path} answered {}", answer.status);
        if began.elapsed() > 2 * PATIENCE {
            break;
        }
    }
    Ok(samples)
}

/// The query that leads to the next page. Journals are read by number.
fn next(page: &Value, is_journal: bool) -> Option<String> {
    if is_journal {
        let last = page["items"].as_array()?.last()?["seq"].as_u64()?;
        return Some(format!("since={last}"));
    }
    page["next_cursor"].as_str().map(|cursor| format!("cursor={cursor}"))
}

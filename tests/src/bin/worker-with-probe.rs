//! The worker process of the product, with a performer for tasks of kind `probe` instead of agents: for
//! tests that kill, stop and cut it off. Arguments: folder, then `pair URL CODE` or `run [FLAG...]`.
//!
//! What a probe task does stands in its run's config: `sleep_ms`; a task whose worker died over it before
//! does it again. Every task tells phases, steps, numbered entries and an artifact.

use std::{path::PathBuf, sync::Arc, time::Duration};

use proofhouse_tests::process;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker::{
    desk::{Desk, DeskError, NewEntry},
    pair::Introduction,
    perform::{Outcome, Performers},
    serve::{Config, Ended, serve},
    state::State,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    std::process::exit(i32::from(run().await));
}

async fn run() -> u8 {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_default());
    let verb = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let state = match State::open(&folder) {
        Ok(state) => state,
        Err(problem) => return process::said(&problem),
    };
    if verb == "pair" {
        let who = Introduction { name: None, labels: Vec::new(), slots: 1, agents: Vec::new() };
        return match worker::pair::pair(&state, &rest[0], &rest[1], who).await {
            Ok(_) => 0,
            Err(problem) => process::said(&problem),
        };
    }
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut term) = term {
            term.recv().await;
            told.cancel();
        }
    });
    let has = |flag: &str| rest.iter().any(|given| given == flag);
    let config = Config {
        state,
        slots: if has("--two") { 2 } else { 1 },
        queues: vec!["probe".to_owned()],
        labels: Vec::new(),
        performers: Performers::default().with("probe", perform),
        agents: Arc::new(|| Box::pin(async { Vec::new() })),
        once: has("--once"),
        grace: Duration::from_millis(if has("--no-grace") { 0 } else { 30_000 }),
        stop,
    };
    match serve(config).await {
        Ok(Ended::Stopped) => 0,
        Ok(Ended::Revoked) => 5,
        Err(problem) => process::said(&problem),
    }
}

async fn perform(desk: Desk) -> Outcome {
    match told(&desk).await {
        Ok(outcome) => outcome,
        Err(DeskError::Lost | DeskError::Unreachable) => Outcome::release("shutdown"),
    }
}

async fn told(desk: &Desk) -> Result<Outcome, DeskError> {
    desk.phase("preparing").await?;
    println!("working {}", desk.fence().task);
    desk.phase("running").await?;
    let until = tokio::time::Instant::now() + Duration::from_millis(desk.input()["sleep_ms"].as_u64().unwrap_or(0));
    let mut number = 0;
    loop {
        number += 1;
        desk.entries(&[NewEntry::new("probe.entry", json!({"task": desk.fence().task, "n": number}))]).await?;
        desk.step(&format!("entry {number}")).await?;
        if tokio::time::Instant::now() >= until {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            () = desk.stop().cancelled() => {
                println!("stopped {}", desk.fence().task);
                return Ok(Outcome::release(if desk.is_cancelled() { "cancelled" } else { "shutdown" }));
            }
        }
    }
    let text = format!("made by claim {}\n", desk.fence().generation).into_bytes();
    let digest = desk.artifact("made.txt", "text/plain", text).await?;
    desk.phase("submitting").await?;
    Ok(Outcome::Complete { output: json!({"entries": number, "made": digest, "attempt": desk.claim()["attempt"]}) })
}

//! The calls that benchmarks make, in one place: paths, bodies, and what is read from the answers.

use anyhow::Context as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{http::Connection, plane::Plane};

/// A task that a worker holds, as far as a benchmark needs it.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The task.
    pub task: String,
    /// The fence.
    pub generation: u64,
    /// The run.
    pub run: String,
}

/// Who calls, on a plane: its project and a worker.
#[derive(Debug)]
pub struct Ground {
    /// The project's id.
    pub project: String,
    /// A worker's token.
    pub worker: String,
}

impl Ground {
    /// Makes a worker on the plane.
    pub async fn on(plane: &Plane) -> anyhow::Result<Self> {
        let worker = worker_token(&mut plane.connect().await?).await?;
        Ok(Self { project: plane.project.clone(), worker })
    }
}

/// Makes a worker; its token.
pub async fn worker_token(owner: &mut Connection) -> anyhow::Result<String> {
    let answer = post(owner, "/api/v1/tokens", &json!({"label": "bench", "kind": "worker"})).await?;
    text(&answer, "secret")
}

/// Starts a probe run of so many tasks; its id.
pub async fn submit(owner: &mut Connection, project: &str, tasks: u32) -> anyhow::Result<String> {
    let body = format!(r#"{{"kind":"probe","config":{{"tasks":{tasks}}}}}"#);
    let answer = owner.post(&format!("/api/v1/projects/{project}/runs"), "", body.as_bytes()).await?.json()?;
    text(&answer, "run")
}

/// Claims up to `max` probe tasks, waiting `wait_s` for the first.
pub async fn claim(worker: &mut Connection, max: u32, wait_s: u32) -> anyhow::Result<Vec<Lease>> {
    let id = Uuid::now_v7();
    let body = format!(r#"{{"claim_id":"{id}","max":{max},"queues":["probe"],"wait_s":{wait_s}}}"#);
    let answer = worker.post("/api/v1/worker/claim", "", body.as_bytes()).await?.json()?;
    let tasks = answer["tasks"].as_array().context("a claim without tasks")?;
    tasks
        .iter()
        .map(|task| {
            let generation = task["generation"].as_u64().context("a task without a generation")?;
            Ok(Lease { task: text(task, "task")?, generation, run: text(task, "run")? })
        })
        .collect()
}

/// Ends a task.
pub async fn complete(worker: &mut Connection, lease: &Lease) -> anyhow::Result<()> {
    let path = format!("/api/v1/worker/tasks/{}/complete", lease.task);
    let fence = format!("lease-generation: {}\r\n", lease.generation);
    worker.post(&path, &fence, b"{\"output\":{}}").await?.json().map(drop)
}

/// Ends many tasks in one call; how many were taken.
pub async fn complete_many(worker: &mut Connection, leases: &[Lease]) -> anyhow::Result<usize> {
    let outcomes: Vec<Value> =
        leases.iter().map(|lease| json!({"task": lease.task, "generation": lease.generation, "output": {}})).collect();
    let body = json!({"outcomes": outcomes}).to_string();
    let answer = worker.post("/api/v1/worker/tasks/complete", "", body.as_bytes()).await?.json()?;
    let results = answer["results"].as_array().context("a batch without results")?;
    Ok(results.iter().filter(|result| result["accepted"] == true).count())
}

/// The path and fence header of appends behind a lease.
pub fn append_call(lease: &Lease) -> (String, String) {
    (format!("/api/v1/worker/tasks/{}/entries", lease.task), format!("lease-generation: {}\r\n", lease.generation))
}

/// A batch of `count` entries of about 200 bytes each.
pub fn entries(count: usize) -> Vec<u8> {
    let entry = r#"{"kind":"probe.entry","data":{"step":"compile","file":"crates/model/src/run.rs","line":118,"message":"a line of the length that tools print"}}"#;
    format!(r#"{{"entries":[{}]}}"#, vec![entry; count].join(",")).into_bytes()
}

/// A POST whose answer must be one of success.
pub async fn post(connection: &mut Connection, path: &str, body: &Value) -> anyhow::Result<Value> {
    let bytes = body.to_string();
    connection.post(path, "", bytes.as_bytes()).await?.json().with_context(|| format!("POST {path}"))
}

/// A text field.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("an answer without {field}: {value}"))
}

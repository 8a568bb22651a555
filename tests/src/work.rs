//! What a worker does, in short words.

use serde_json::{Value, json};
use testkit::http::{Client, Reply};
use uuid::Uuid;

/// A task in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub task: String,
    /// The fence.
    pub generation: u64,
    /// The run.
    pub run: String,
    /// Which attempt it is.
    pub attempt: u64,
}

/// Makes a worker on a plane; a client with its token.
pub fn worker(owner: &Client) -> Client {
    let made = owner.post("/tokens", &json!({"label": "worker", "kind": "worker"})).expect(201);
    owner.with_token(made["secret"].as_str())
}

/// Starts a probe run; its id.
pub fn submit(owner: &Client, project: &str, config: Value) -> String {
    let started = owner.post(&format!("/projects/{project}/runs"), &json!({"kind": "probe", "config": config}));
    text(&started.expect(202), "run")
}

/// Claims up to `max` probe tasks, waiting for the first.
pub fn claim(worker: &Client, max: u32, wait_s: u32) -> Vec<Lease> {
    let ask = json!({"claim_id": Uuid::now_v7(), "max": max, "queues": ["probe"], "wait_s": wait_s});
    let answer = worker.post("/worker/claim", &ask).expect(200);
    answer["tasks"]
        .as_array()
        .expect("a claim answers tasks")
        .iter()
        .map(|task| Lease {
            task: text(task, "task"),
            generation: task["generation"].as_u64().expect("a generation is a number"),
            run: text(task, "run"),
            attempt: task["attempt"].as_u64().expect("an attempt is a number"),
        })
        .collect()
}

impl Lease {
    /// Appends entries `{n: ...}` behind the fence.
    ///
    /// # Errors
    /// When the connection broke off before the answer.
    pub fn append(&self, worker: &Client, numbers: &[u64]) -> std::io::Result<Reply> {
        let entries: Vec<Value> =
            numbers.iter().map(|n| json!({"kind": "probe.entry", "data": {"task": self.task, "n": n}})).collect();
        self.call(worker, "entries", &json!({"entries": entries}))
    }

    /// Ends the task well.
    ///
    /// # Errors
    /// When the connection broke off before the answer.
    pub fn complete(&self, worker: &Client, output: &Value) -> std::io::Result<Reply> {
        self.call(worker, "complete", &json!({"output": output}))
    }

    /// Renews the lease.
    pub fn heartbeat(&self, worker: &Client) -> Value {
        let held = json!({"held": [{"task": self.task, "generation": self.generation}]});
        worker.post("/worker/heartbeat", &held).expect(200)
    }

    fn call(&self, worker: &Client, what: &str, body: &Value) -> std::io::Result<Reply> {
        let path = format!("/worker/tasks/{}/{what}", self.task);
        worker.call("POST", &path, &[("lease-generation", &self.generation.to_string())], Some(body))
    }
}

/// A text field of an answer.
#[track_caller]
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

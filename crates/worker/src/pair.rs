//! Becoming a plane's worker by a code (D50).

use std::time::Duration;

use model::{
    code::Code,
    id::WorkerId,
    problem::Problem,
    worker::{Advertised, PROTOCOL},
};
use serde_json::{Value, json};

use crate::{
    link::Link,
    say::{host, platform},
    state::{Paired, State},
};

/// What a worker shows at the door.
#[derive(Debug, Clone, Default)]
pub struct Introduction {
    /// What it calls itself; else its machine's name.
    pub name: Option<String>,
    /// Labels of its machine's owner.
    pub labels: Vec<String>,
    /// Tasks at once.
    pub slots: u32,
    /// Its agents.
    pub agents: Vec<Advertised>,
}

/// Pairs with a plane and keeps who this worker is.
///
/// # Errors
/// What the plane refuses; 503 when it is not reached.
pub async fn pair(state: &State, server: &str, code: &str, who: Introduction) -> Result<Paired, Problem> {
    let link = Link::at(server)?;
    let ask = json!({
        "code": code, "name": who.name.unwrap_or_else(host), "platform": platform(),
        "version": env!("CARGO_PKG_VERSION"), "protocol": PROTOCOL, "labels": who.labels, "slots": who.slots.max(1),
        "agents": who.agents,
    });
    let answer = link.post("/workers/pair", None, &ask, Duration::ZERO).await.map_err(|error| error.problem())?;
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let odd = || Problem::new(Code::Unreachable, "the plane's answer is not that of a pairing");
    let worker: WorkerId = text("/worker/id").and_then(|id| id.parse().ok()).ok_or_else(odd)?;
    let (name, token) = (text("/worker/name").ok_or_else(odd)?, text("/token").ok_or_else(odd)?);
    let paired = Paired::new(link.url(), worker, name, token);
    state.keep(&paired)?;
    Ok(paired)
}

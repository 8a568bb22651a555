//! What a worker writes into the journal of its run.

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use model::{
    id::TaskId,
    journal::{Edge, Level, NewEntry, bounded},
    limits,
    problem::Problem,
    task::Fence,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Generation, counted};
use crate::{
    app::App,
    auth::Caller,
    extract::{Json, Path},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(entries))
}

/// Entries for the run's journal.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Entries {
    /// In the order they are to be numbered: 1 to 1,000.
    entries: Vec<EntryIn>,
}

/// An entry that has no number yet.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct EntryIn {
    /// Names it within its task: one that was taken before is not taken again. All of a batch have one,
    /// or none.
    #[serde(default)]
    client_id: Option<String>,
    /// When it was made, by the worker's clock; kept in the data as `worker_at`.
    #[serde(default)]
    at: Option<String>,
    /// What it tells: one of the kinds that workers write.
    kind: String,
    /// How much it matters.
    #[serde(default)]
    level: Level,
    /// The span it belongs to.
    #[serde(default)]
    span: Option<String>,
    /// That span's parent.
    #[serde(default)]
    parent: Option<String>,
    /// Whether it opens or closes the span.
    #[serde(default)]
    edge: Option<Edge>,
    /// The kind's own data.
    #[serde(default)]
    #[schema(value_type = Object)]
    data: Value,
}

/// What was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Appended {
    /// How many new entries.
    accepted: u64,
    /// How many had been taken before.
    duplicates: u64,
    /// The number of the last one.
    last_seq: u64,
}

/// Append to the journal of the task's run, behind the fence. All of a batch or none of it; the
/// answer comes after the sync.
#[utoipa::path(post, path = "/worker/tasks/{task}/entries", tag = "workers", request_body = Entries,
    params(("task" = TaskId, Path), ("Lease-Generation" = u32, Header)),
    responses((status = 200, body = Appended), Refusals))]
async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(task): Path<TaskId>,
    Generation(generation): Generation,
    Json(batch): Json<Entries>,
) -> Result<axum::Json<Appended>, Refusal> {
    let worker = caller.worker()?;
    let count = batch.entries.len();
    if count == 0 || count > limits::ENTRIES_PER_APPEND {
        let message = format!("1 to {} entries at once", limits::ENTRIES_PER_APPEND);
        return Err(Problem::invalid_field("/entries", message).into());
    }
    let names: Vec<_> = batch.entries.iter().map(|entry| entry.client_id.clone()).collect();
    let entries: Vec<NewEntry> =
        batch.entries.into_iter().enumerate().map(|(at, entry)| taken(at, entry)).collect::<Result<_, _>>()?;
    let fence = Fence { task, generation };
    app.engine.holds(worker, fence).await?;
    let appended = if names.iter().all(Option::is_none) && !entries.iter().any(|entry| entry.kind == "task.phase") {
        let last_seq = counted(&app, app.engine.append(fence, entries).await)?;
        Appended { accepted: count as u64, duplicates: 0, last_seq }
    } else {
        let entries = named(names, entries)?;
        let taken = counted(&app, app.engine.append_once(worker, fence, entries).await)?;
        Appended { accepted: taken.accepted, duplicates: taken.duplicates, last_seq: taken.last_seq }
    };
    app.metrics.figures.entries_appended.fetch_add(appended.accepted, Relaxed);
    Ok(axum::Json(appended))
}

fn named(names: Vec<Option<String>>, entries: Vec<NewEntry>) -> Result<Vec<(String, NewEntry)>, Problem> {
    let fits = |name: &String| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    names
        .into_iter()
        .zip(entries)
        .enumerate()
        .map(|(at, (name, entry))| match name.filter(fits) {
            Some(name) => Ok((name, entry)),
            None => {
                let pointer = format!("/entries/{at}/client_id");
                Err(Problem::invalid_field(pointer, "1 to 64 visible ASCII characters are expected").with("index", at))
            }
        })
        .collect()
}

/// Kinds that a worker writes itself. Everything else is the plane's own word: a worker cannot say
/// that a run has finished or that a gate passed.
const WORKER_KINDS: &[&str] = &[
    "probe.entry",
    "command.started",
    "command.output",
    "command.finished",
    "prepare.finished",
    "warning",
    "note",
    "task.phase",
    "task.step",
    "result.parsed",
];
/// The longest span name.
const SPAN: usize = 200;

fn taken(at: usize, entry: EntryIn) -> Result<NewEntry, Problem> {
    let refused = |field: &str, message: &str| {
        Problem::invalid_field(format!("/entries/{at}/{field}"), message).with("index", at)
    };
    let known = WORKER_KINDS.iter().find(|kind| **kind == entry.kind);
    let kind = match known {
        Some(kind) => std::borrow::Cow::Borrowed(*kind),
        None if is_agent_kind(&entry.kind) => entry.kind.into(),
        None => return Err(refused("kind", "not a kind that a worker writes")),
    };
    for (field, span) in [("span", &entry.span), ("parent", &entry.parent)] {
        if span.as_ref().is_some_and(|span| span.is_empty() || span.len() > SPAN || span.chars().any(char::is_control))
        {
            return Err(refused(field, "1 to 200 bytes without control characters are allowed"));
        }
    }
    let at_worker = entry.at.map(|at| at.chars().filter(|c| !c.is_control()).take(40).collect::<String>());
    let data = match entry.data {
        Value::Null => bounded(with_time(serde_json::Map::new(), at_worker)),
        Value::Object(fields) => bounded(with_time(fields, at_worker)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(refused("data", "an object is expected"));
        }
    };
    Ok(NewEntry { kind, level: entry.level, span: entry.span, parent: entry.parent, edge: entry.edge, data })
}

/// A worker's clock is never trusted: what it says is data, and the journal's time is the plane's (D57).
fn with_time(mut fields: serde_json::Map<String, Value>, at: Option<String>) -> Value {
    if let Some(at) = at {
        fields.insert("worker_at".to_owned(), at.into());
    }
    Value::Object(fields)
}

fn is_agent_kind(kind: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    kind.strip_prefix("agent.").is_some_and(|name| (1..=58).contains(&name.len()) && name.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(kind: &str, data: Value) -> EntryIn {
        EntryIn {
            client_id: None,
            at: None,
            kind: kind.into(),
            level: Level::Info,
            span: None,
            parent: None,
            edge: None,
            data,
        }
    }

    // D57, X24: a worker writes its own kinds and no other.
    #[test]
    fn a_worker_cannot_write_the_planes_own_word() {
        for kind in ["run.finished", "gate.finished", "question.answered", "agent.", "agent.A", "probe.entry ", ""] {
            assert!(taken(3, entry(kind, json!({}))).is_err(), "{kind}");
        }
        let problem = taken(3, entry("run.finished", json!({}))).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/entries/3/kind");
        assert_eq!(taken(0, entry("agent.text", Value::Null)).unwrap().data, json!({}));
        assert!(taken(0, entry("note", json!([1]))).is_err());
    }

    // D57
    #[test]
    fn a_workers_clock_is_data() {
        let late = EntryIn { at: Some("1970-01-01T00:00:00Z\u{7}".into()), ..entry("note", json!({"n": 1})) };
        assert_eq!(taken(0, late).unwrap().data, json!({"n": 1, "worker_at": "1970-01-01T00:00:00Z"}));
    }
}

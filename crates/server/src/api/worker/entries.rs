//! What a worker writes into the journal of its run.

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use model::{
    id::TaskId,
    journal::{Edge, Level, NewEntry},
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
    /// How many entries.
    accepted: usize,
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
    caller.worker()?;
    let accepted = batch.entries.len();
    if accepted == 0 || accepted > limits::ENTRIES_PER_APPEND {
        let message = format!("1 to {} entries at once", limits::ENTRIES_PER_APPEND);
        return Err(Problem::invalid_field("/entries", message).into());
    }
    let entries =
        batch.entries.into_iter().enumerate().map(|(at, entry)| taken(at, entry)).collect::<Result<_, _>>()?;
    let last_seq = counted(&app, app.engine.append(Fence { task, generation }, entries).await)?;
    app.metrics.figures.entries_appended.fetch_add(accepted as u64, Relaxed);
    Ok(axum::Json(Appended { accepted, last_seq }))
}

/// Kinds that a worker writes itself. Everything else is the plane's own word: a worker cannot say
/// that a run has finished or that a gate passed.
const WORKER_KINDS: [&str; 7] =
    ["probe.entry", "command.started", "command.output", "command.finished", "prepare.finished", "warning", "note"];
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
    let data = match entry.data {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(fields) => cut(Value::Object(fields)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(refused("data", "an object is expected"));
        }
    };
    Ok(NewEntry { kind, level: entry.level, span: entry.span, parent: entry.parent, edge: entry.edge, data })
}

fn is_agent_kind(kind: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    kind.strip_prefix("agent.").is_some_and(|name| (1..=58).contains(&name.len()) && name.bytes().all(plain))
}

/// Data over the limit is cut and marked (D57): its text's start is kept, as text.
fn cut(data: Value) -> Value {
    if fits(&data, &mut limits::ENTRY_DATA.clone()) {
        return data;
    }
    let text = data.to_string();
    if text.len() <= limits::ENTRY_DATA {
        return data;
    }
    let start: String = text.chars().take(limits::ENTRY_DATA / 8).collect();
    serde_json::json!({"truncated": true, "bytes": text.len(), "start": start})
}

/// Whether a value is surely small, found without writing it down.
fn fits(value: &Value, room: &mut usize) -> bool {
    let needs = match value {
        // In JSON a byte takes six at most.
        Value::String(text) => text.len() * 6 + 2,
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 40,
        Value::Array(items) => items.len() + 2,
        Value::Object(fields) => fields.keys().map(|key| key.len() * 6 + 4).sum::<usize>() + 2,
    };
    if needs > *room {
        return false;
    }
    *room -= needs;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, room)),
        Value::Object(fields) => fields.values().all(|field| fits(field, room)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(kind: &str, data: Value) -> EntryIn {
        EntryIn { kind: kind.into(), level: Level::Info, span: None, parent: None, edge: None, data }
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

    // D57, K7
    #[test]
    fn data_over_the_limit_is_cut_and_marked() {
        let small = json!({"text": "a".repeat(1000)});
        assert_eq!(cut(small.clone()), small);
        let large = cut(json!({"text": "\u{1}".repeat(limits::ENTRY_DATA)}));
        assert_eq!(large["truncated"], true);
        assert!(large.to_string().len() <= limits::ENTRY_DATA);
        let close = json!({"text": "a".repeat(limits::ENTRY_DATA - 20)});
        assert_eq!(cut(close.clone()), close, "what fits as text is kept, however it was estimated");
    }
}

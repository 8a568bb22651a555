//! What tests expect of a journal.

use serde_json::Value;

/// Panics unless the entries are numbered 1, 2, 3, ... without a hole or a duplicate (K3).
#[track_caller]
pub fn assert_gapless<'a>(entries: impl IntoIterator<Item = &'a Value>) {
    assert_gapless_after(0, entries);
}

/// Panics unless the entries go on behind this number without a hole or a duplicate.
#[track_caller]
pub fn assert_gapless_after<'a>(after: u64, entries: impl IntoIterator<Item = &'a Value>) {
    let mut last = after;
    for entry in entries {
        let seq = entry["seq"].as_u64().unwrap_or_else(|| panic!("an entry without a number: {entry}"));
        assert_eq!(seq, last + 1, "the entry behind {last} has another number: {entry}");
        last = seq;
    }
}

/// Panics unless a run's journal ends with exactly one `run.finished` and has it nowhere else (X24, K5).
#[track_caller]
pub fn assert_ended_once(entries: &[Value]) {
    let ends: Vec<_> = entries.iter().filter(|entry| entry["kind"] == "run.finished").collect();
    assert_eq!(ends.len(), 1, "a run ends once: {ends:?}");
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&Value::from("run.finished")),
        "the end is the last entry"
    );
}

/// The entries of one kind.
pub fn of_kind<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["kind"] == kind).collect()
}

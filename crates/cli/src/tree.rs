//! A journal as a tree of lines: steps, turns and tool calls below what they are a part of (S94).
//!
//! A line depends on the entries before it and on nothing else, so that live and later output of a run are the same.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    json::Look as _,
    out::{Out, Tone, clean},
    table::cut,
};

/// Blanks of a line at most, whatever its depth.
const DEEPEST: usize = 20;
/// Cells of a value in a summary.
const LONG: usize = 120;

/// What a line begins with.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    open: &'static str,
    close: &'static str,
    event: &'static str,
}

impl Marks {
    /// For terminals that show every letter.
    pub const DRAWN: Self = Self { open: "▸", close: "◂", event: "·" };
    /// For those that do not.
    pub const PLAIN: Self = Self { open: ">", close: "<", event: "-" };
}

/// The spans of a journal so far.
#[derive(Debug)]
pub struct Tree {
    depths: HashMap<String, usize>,
    marks: Marks,
    width: Option<usize>,
}

impl Tree {
    /// An empty journal, for lines of so many cells.
    pub fn new(marks: Marks, width: Option<usize>) -> Self {
        Self { depths: HashMap::new(), marks, width }
    }

    /// The line of the next entry.
    pub fn line(&mut self, entry: &Value, out: &Out) -> String {
        let kind = entry.text("/kind");
        let edge = entry.text("/edge");
        // The last entry of a run closes the run, which it does not say by itself.
        let closes_run = kind == "run.finished";
        let depth = match entry.maybe("/span") {
            _ if closes_run => 0,
            None => usize::from(!self.depths.is_empty()),
            Some(span) => {
                let of = self.depth_of(span, entry.maybe("/parent"));
                if edge.is_empty() { of + 1 } else { of }
            }
        };
        let mark = match edge {
            "open" => self.marks.open,
            _ if edge == "close" || closes_run => self.marks.close,
            _ => self.marks.event,
        };
        let blanks = "  ".repeat(depth.min(DEEPEST));
        let head = format!("{blanks}{mark} {} ", clean(kind));
        let summary = summary(kind, entry.get("data").unwrap_or(&Value::Null));
        let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
        let room = self.width.map_or(usize::MAX, |width| {
            width.saturating_sub(unicode_width::UnicodeWidthStr::width(head.as_str())).max(16)
        });
        let tone = match entry.text("/level") {
            "error" => Tone::Bad,
            "warning" => Tone::Unsure,
            "debug" => Tone::Dim,
            _ => Tone::Plain,
        };
        format!("{blanks}{mark} {} {}", out.paint(tone, clean(kind)), cut(&summary, room)).trim_end().to_owned()
    }

    /// How deep a span is; one that is met for the first time is put below its parent.
    fn depth_of(&mut self, span: &str, parent: Option<&str>) -> usize {
        if let Some(depth) = self.depths.get(span) {
            return *depth;
        }
        let depth = parent.and_then(|parent| self.depths.get(parent)).map_or(0, |depth| depth + 1);
        self.depths.insert(span.to_owned(), depth);
        depth
    }
}

/// What an entry says, in a line.
fn summary(kind: &str, data: &Value) -> String {
    let say = |names: &[&str]| {
        let words = names.iter().filter_map(|name| data.maybe(&format!("/{name}"))).filter(|word| !word.is_empty());
        words.map(|word| clean(word).into_owned()).collect::<Vec<_>>().join(" ")
    };
    match kind {
        "agent.message" | "agent.reasoning" | "agent.error" => say(&["class", "text", "message"]),
        "agent.tool" => {
            let input = data.get("input").filter(|input| !input.is_null()).map(ToString::to_string);
            format!("{} {}", say(&["name", "status"]), clean(&input.unwrap_or_default()))
        }
        "task.phase" | "task.step" => say(&["phase", "step"]),
        "run.phase" | "run.status" => format!("{} -> {} {}", say(&["from"]), say(&["to"]), say(&["because"])),
        "question.asked" | "question.answered" | "question.withdrawn" => {
            let text = say(&["subject", "prompt", "text", "answer", "because"]);
            if text.is_empty() { words(data) } else { text }
        }
        "warning" | "note" => {
            let text = say(&["code", "text"]);
            if text.is_empty() { words(data) } else { text }
        }
        _ => words(data),
    }
}

/// An entry's data as `name=value` pairs; long ones are cut, `--json` has all of it.
fn words(data: &Value) -> String {
    let Some(fields) = data.as_object() else { return clean(&data.to_string()).into_owned() };
    let words = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", clean(name), cut(&clean(&value), LONG))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(marks: Marks, width: Option<usize>, entries: &[Value]) -> Vec<String> {
        let mut tree = Tree::new(marks, width);
        let out = Out::plain();
        entries.iter().map(|entry| tree.line(entry, &out)).collect()
    }

    fn session() -> Vec<Value> {
        vec![
            json!({"kind": "run.created", "span": "run:1", "edge": "open", "data": {"kind": "dispatch"}}),
            json!({"kind": "run.phase", "data": {"from": "preparing", "to": "running"}}),
            json!({"kind": "task.step", "span": "agent:1", "parent": "run:1", "edge": "open", "data": {"phase": "running", "step": "mine begins"}}),
            json!({"kind": "agent.message", "span": "agent:1", "level": "debug", "data": {"text": "I \u{1b}[31mlook\n\n  at   it"}}),
            json!({"kind": "agent.tool", "span": "agent:1/tool:a", "parent": "agent:1", "edge": "open", "data": {"name": "bash", "status": "requested", "input": {"command": "ls"}}}),
            json!({"kind": "agent.tool", "span": "agent:1/tool:a", "parent": "agent:1", "edge": "close", "data": {"name": "bash", "status": "done"}}),
            json!({"kind": "question.asked", "data": {"subject": "budget", "prompt": "May it go on?"}}),
            json!({"kind": "task.step", "span": "agent:1", "parent": "run:1", "edge": "close", "data": {"step": "mine has ended"}}),
            json!({"kind": "run.finished", "data": {"status": "completed", "verdict": "applied"}}),
        ]
    }

    // S94: two blanks per depth, a mark, the kind, the summary on one line; ASCII where it has to be.
    #[test]
    fn steps_and_tool_calls_stand_below_what_they_are_part_of() {
        assert_eq!(
            told(Marks::PLAIN, None, &session()),
            [
                "> run.created kind=dispatch",
                "  - run.phase preparing -> running",
                "  > task.step running mine begins",
                "    - agent.message I look at it",
                "    > agent.tool bash requested {\"command\":\"ls\"}",
                "    < agent.tool bash done",
                "  - question.asked budget May it go on?",
                "  < task.step mine has ended",
                "< run.finished status=completed verdict=applied",
            ]
        );
        assert!(told(Marks::PLAIN, None, &session()).iter().all(|line| line.is_ascii()));
        assert!(told(Marks::DRAWN, None, &session())[2].starts_with("  ▸ "));
    }

    // S94: cut by the cells it takes, never inside a character.
    #[test]
    fn a_line_is_as_wide_as_the_terminal_at_most() {
        let entry = json!({"kind": "agent.message", "data": {"text": "木".repeat(200)}});
        let line = told(Marks::PLAIN, Some(60), std::slice::from_ref(&entry)).remove(0);
        assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= 60, "{line}");
        assert!(line.contains("木木") && line.ends_with('…'), "{line}");
    }
}

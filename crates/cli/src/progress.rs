//! What a run's journal says, folded into what a person sees: which commands run, which gates have
//! ended, what was noted. Pure; entries may come again after a reconnection and count once.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use model::time::Timestamp;
use serde_json::Value;

use unicode_width::UnicodeWidthStr as _;

use crate::{
    json::Look as _,
    out::{Out, Tone, clean},
    table::{cut, pad},
};

/// A gate that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The requirement, such as `REQ-0001`.
    pub requirement: String,
    /// The gate's name.
    pub gate: String,
    /// `passed`, `failed` or `unproven`.
    pub verdict: String,
    /// Why it is not passed.
    pub reason: String,
    /// More words about the reason, where there are any.
    pub message: String,
    /// From its first command's start to its end.
    pub took: Option<Duration>,
}

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id in the run.
    pub id: String,
    /// What it runs, as one line.
    pub title: String,
    /// When it started, by the plane's clock.
    pub started: Timestamp,
    /// The last line it wrote.
    pub last_line: String,
}

/// What an entry changed, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A gate ended.
    Gate(Gate),
    /// A remark: its words, and whether it warns.
    Note(String, bool),
    /// A person is asked: the question's id and its words.
    Asked(String, String),
    /// The commands or counts changed.
    Moved,
    /// The run ended.
    Finished,
}

/// The state of a run as its journal tells it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The number of the last entry that was taken.
    pub seen: u64,
    /// The run's status.
    pub status: String,
    /// The run's phase.
    pub phase: String,
    /// Gates that the run will judge.
    pub total: usize,
    /// Processes that run now, oldest first.
    pub commands: Vec<Command>,
    /// Open questions.
    pub open_questions: usize,
    /// Whether the last entry was seen.
    pub is_finished: bool,
    ended: BTreeMap<(String, String), String>,
    started: HashMap<(String, String), Timestamp>,
}

impl Progress {
    /// Gates that ended.
    pub fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Gates that ended with this verdict.
    pub fn count(&self, verdict: &str) -> usize {
        self.ended.values().filter(|ended| *ended == verdict).count()
    }

    /// Takes an entry; one whose number was seen changes nothing.
    pub fn apply(&mut self, entry: &Value) -> Vec<Shown> {
        let seq = entry.number("/seq");
        if seq <= self.seen && seq != 0 {
            return Vec::new();
        }
        self.seen = self.seen.max(seq);
        let at = entry.text("/at").parse().unwrap_or_default();
        let data = entry.get("data").unwrap_or(&Value::Null);
        match entry.text("/kind") {
            "run.planned" => {
                self.total = (data.number("/total") as usize).max(self.total).max(
                    // Older planners sent no total; the parts add up to it.
                    if data.get("total").is_some() { 0 } else { self.total + data.list("/gates").len() },
                );
                vec![Shown::Moved]
            }
            "run.status" => {
                data.text("/to").clone_into(&mut self.status);
                vec![Shown::Moved]
            }
            "run.phase" => {
                let phase = data.maybe("/phase").or_else(|| data.maybe("/to")).unwrap_or_default();
                phase.clone_into(&mut self.phase);
                vec![Shown::Moved]
            }
            "command.started" => {
                let id = data.text("/command").to_owned();
                self.commands.retain(|command| command.id != id);
                let title = command_title(data);
                self.commands.push(Command { id, title, started: at, last_line: String::new() });
                vec![Shown::Moved]
            }
            "command.output" => {
                let tail = ["/text", "/tail", "/output"].into_iter().find_map(|at| data.maybe(at)).unwrap_or_default();
                let last = tail.lines().rev().map(clean).find(|line| !line.trim().is_empty());
                let id = data.text("/command");
                if let (Some(line), Some(command)) = (last, self.commands.iter_mut().find(|command| command.id == id)) {
                    command.last_line = line.trim().to_owned();
                }
                vec![Shown::Moved]
            }
            "command.finished" => {
                self.commands.retain(|command| command.id != data.text("/command"));
                vec![Shown::Moved]
            }
            "gate.started" => {
                self.started.entry(key_of(data)).or_insert(at);
                vec![Shown::Moved]
            }
            "gate.finished" => vec![Shown::Gate(self.gate(data, at))],
            "question.asked" | "review.asked" => self.asked(data),
            "question.answered" | "question.expired" | "question.withdrawn" => {
                self.open_questions = self.open_questions.saturating_sub(1);
                vec![Shown::Moved]
            }
            "note" => note(data, false),
            "warning" => note(data, true),
            "task.phase" => {
                vec![Shown::Note(clean(data.text("/phase")).replace('_', " "), false)]
            }
            "task.step" => vec![Shown::Note(clean(data.text("/step")).into_owned(), false)],
            "agent.tool" if data.text("/status") == "requested" => {
                let about =
                    ["/input/command", "/input/path", "/input/file_path"].into_iter().find_map(|at| data.maybe(at));
                let about = about.and_then(|text| text.lines().next()).unwrap_or_default();
                let about = crate::table::cut(&clean(about), 100);
                vec![Shown::Note(format!("{} {about}", clean(data.text("/name"))).trim_end().to_owned(), false)]
            }
            "task.requeued" => {
                vec![Shown::Note(format!("a command is tried again: {}", clean(data.text("/reason"))), true)]
            }
            "run.finished" => {
                self.is_finished = true;
                self.commands.clear();
                data.text("/status").clone_into(&mut self.status);
                vec![Shown::Finished]
            }
            _ => Vec::new(),
        }
    }

    fn gate(&mut self, data: &Value, at: Timestamp) -> Gate {
        let key = key_of(data);
        let measured = data.get("duration_ms").and_then(Value::as_u64).map(Duration::from_millis);
        let took = measured.or_else(|| self.started.get(&key).map(|started| at.since(*started)));
        self.ended.insert(key.clone(), data.text("/verdict").to_owned());
        Gate {
            requirement: clean(&key.0).into_owned(),
            gate: clean(&key.1).into_owned(),
            verdict: data.text("/verdict").to_owned(),
            reason: clean(data.text("/reason")).into_owned(),
            message: clean(data.text("/message")).into_owned(),
            took,
        }
    }

    fn asked(&mut self, data: &Value) -> Vec<Shown> {
        let Some(id) = data.maybe("/question").or_else(|| data.maybe("/id")) else { return Vec::new() };
        self.open_questions += 1;
        let words = data.maybe("/prompt").or_else(|| data.maybe("/subject")).unwrap_or("somebody has to look");
        vec![Shown::Asked(id.to_owned(), clean(words).into_owned())]
    }
}

fn key_of(data: &Value) -> (String, String) {
    (data.text("/requirement").to_owned(), data.text("/gate").to_owned())
}

fn note(data: &Value, warns: bool) -> Vec<Shown> {
    let words = ["/message", "/text", "/note"].into_iter().find_map(|at| data.maybe(at));
    words.map(|words| Shown::Note(clean(words).into_owned(), warns)).into_iter().collect()
}

fn command_title(data: &Value) -> String {
    let argv = data.texts("/argv");
    let words: Vec<_> =
        argv.iter().map(|word| word.rsplit('/').next().filter(|_| word.starts_with('/')).unwrap_or(word)).collect();
    let title = if words.is_empty() { data.text("/title").to_owned() } else { words.join(" ") };
    clean(&title).into_owned()
}

/// The mark and tone of a verdict, state or status.
pub fn mark(word: &str) -> (&'static str, Tone) {
    match word {
        "passed" | "satisfied" | "completed" | "clear" | "ok" | "applied" | "no_changes" => ("✓", Tone::Good),
        "failed" | "tampered" | "unapplied" => ("✗", Tone::Bad),
        "running" => ("▸", Tone::Busy),
        "waived" => ("–", Tone::Dim),
        "waiting" | "paused" | "unproven" | "open" | "stale" | "partial" => ("○", Tone::Unsure),
        _ => ("·", Tone::Dim),
    }
}

/// An ended gate as one line, which a terminal of `width` columns shows as one.
pub fn gate_line(gate: &Gate, out: &Out, width: Option<usize>) -> String {
    let (mark, tone) = mark(&gate.verdict);
    let took = gate.took.map(crate::ago::duration).unwrap_or_default();
    let mut line = format!(
        "  {} {} {} {}",
        out.paint(tone, mark),
        out.paint(tone, pad(&gate.verdict, 8)),
        pad(&gate.requirement, 9),
        out.bold(pad(&gate.gate, 10)),
    );
    let why = match (gate.reason.as_str(), gate.message.as_str()) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        // Some messages begin with the reason's own word.
        (reason, message) if message.starts_with(reason) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    };
    line.push_str(&out.dim(format!(" {took:>8}")));
    // Mark, verdict, requirement, gate and time, with the spaces between them.
    let before =
        2 + 2 + 9 + gate.requirement.width().max(9) + 1 + gate.gate.width().max(10) + 1 + took.width().max(8) + 2;
    let why = width.map_or_else(|| why.clone(), |width| cut(&why, width.saturating_sub(before).max(16)));
    if !why.is_empty() {
        line.push_str("  ");
        line.push_str(&why);
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(seq: u64, second: u32, kind: &str, data: Value) -> Value {
        json!({"stream": "run:x", "seq": seq, "at": format!("2026-11-21T10:00:{second:02}Z"), "kind": kind, "level": "info", "data": data})
    }

    fn journal() -> Vec<Value> {
        vec![
            entry(1, 0, "run.created", json!({"kind": "proof"})),
            entry(
                2,
                0,
                "run.planned",
                json!({"gates": [{"requirement": "REQ-0001", "gate": "unit"}, {"requirement": "REQ-0002", "gate": "unit"}], "total": 2}),
            ),
            entry(3, 0, "run.status", json!({"from": "queued", "to": "running"})),
            entry(4, 0, "run.phase", json!({"phase": "gates"})),
            entry(
                5,
                1,
                "command.started",
                json!({"command": "c1", "argv": ["/usr/bin/cargo", "test", "\u{1b}[31mx"], "gates": []}),
            ),
            entry(6, 1, "gate.started", json!({"requirement": "REQ-0001", "gate": "unit"})),
            entry(7, 2, "command.output", json!({"command": "c1", "text": "one\n\u{1b}[2Jtwo\n\n"})),
            entry(8, 4, "command.finished", json!({"command": "c1", "exit_code": 101})),
            entry(
                9,
                4,
                "gate.finished",
                json!({"requirement": "REQ-0001", "gate": "unit", "verdict": "failed", "reason": "test_failed"}),
            ),
            entry(10, 4, "note", json!({"message": "no lock file"})),
            entry(
                11,
                4,
                "gate.finished",
                json!({"requirement": "REQ-0002", "gate": "unit", "verdict": "passed", "reason": null, "duration_ms": 1200}),
            ),
            entry(12, 5, "run.finished", json!({"status": "completed", "verdict": "failed"})),
        ]
    }

    // P75
    #[test]
    fn each_gate_is_shown_as_it_ends_with_mark_word_reason_and_time() {
        let mut progress = Progress::default();
        let shown: Vec<_> = journal().iter().flat_map(|entry| progress.apply(entry)).collect();
        let lines: Vec<_> = shown
            .iter()
            .filter_map(|shown| match shown {
                Shown::Gate(gate) => Some(gate_line(gate, &Out::plain(), None)),
                _ => None,
            })
            .collect();
        assert_eq!(
            lines,
            ["  ✗ failed   REQ-0001  unit          3.0 s  test_failed", "  ✓ passed   REQ-0002  unit          1.2 s"]
        );
        assert!(shown.contains(&Shown::Note("no lock file".into(), false)));
        assert_eq!((progress.total, progress.ended(), progress.count("failed")), (2, 2, 1));
        assert_eq!(shown.last(), Some(&Shown::Finished));
        assert_eq!(progress.status, "completed");
    }

    #[test]
    fn a_gate_stays_one_line_on_a_screen() {
        let gate = Gate {
            requirement: "REQ-0001".into(),
            gate: "unit".into(),
            verdict: "failed".into(),
            reason: "test_failed".into(),
            message: "x".repeat(200),
            took: Some(Duration::from_secs(72)),
        };
        let line = gate_line(&gate, &Out::plain(), Some(80));
        assert_eq!(line.width(), 80, "{line}");
        assert!(
            line.starts_with("  ✗ failed   REQ-0001  unit       1 min 12 s") || line.contains("test_failed: x"),
            "{line}"
        );
    }

    #[test]
    fn a_running_command_shows_its_last_line_without_control_sequences() {
        let mut progress = Progress::default();
        for entry in &journal()[..7] {
            progress.apply(entry);
        }
        assert_eq!(progress.commands.len(), 1);
        assert_eq!(progress.commands[0].title, "cargo test x");
        assert_eq!(progress.commands[0].last_line, "two");
    }

    // P75: after a lost connection the stream is read again from the last number; doubles count once.
    #[test]
    fn entries_that_come_again_change_nothing() {
        for cut in 0..journal().len() {
            let mut progress = Progress::default();
            let mut shown: Vec<Shown> = journal()[..cut].iter().flat_map(|entry| progress.apply(entry)).collect();
            shown.extend(journal().iter().flat_map(|entry| progress.apply(entry)));
            assert_eq!(shown.iter().filter(|shown| matches!(shown, Shown::Gate(_))).count(), 2, "cut at {cut}");
            assert_eq!(progress.seen, 12);
        }
    }

    #[test]
    fn entries_of_any_shape_are_survived() {
        let mut progress = Progress::default();
        for kind in model::journal::KINDS.iter().map(|kind| kind.0).chain(["run.unheard_of", ""]) {
            for data in [Value::Null, json!([]), json!({}), json!({"gate": 1, "argv": "x", "total": -1})] {
                progress.apply(&json!({"kind": kind, "data": data}));
            }
        }
        progress.apply(&Value::Null);
    }
}

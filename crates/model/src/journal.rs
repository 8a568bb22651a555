//! Journals: what happened, numbered without holes, rendered once and the same for every reader.

mod data;

use std::{borrow::Cow, fmt, fmt::Write as _, str::FromStr};

pub use data::bounded;
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, Fields},
    id::{ProjectId, RunId},
    time::Timestamp,
};

/// A numbered sequence of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// What happens in a run; its last entry is `run.finished` (X24).
    Run(RunId),
    /// Facts about a project: the board stream.
    Project(ProjectId),
    /// Who did what and why in a project (X47).
    Audit(ProjectId),
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(id) => write!(f, "run:{id}"),
            Self::Project(id) => write!(f, "project:{id}"),
            Self::Audit(id) => write!(f, "audit:{id}"),
        }
    }
}

/// A text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stream: expected run:ID, project:ID or audit:ID")]
pub struct StreamInvalid;

impl FromStr for StreamId {
    type Err = StreamInvalid;
    fn from_str(text: &str) -> Result<Self, StreamInvalid> {
        let (kind, id) = text.split_once(':').ok_or(StreamInvalid)?;
        match kind {
            "run" => id.parse().map(Self::Run).map_err(|_| StreamInvalid),
            "project" => id.parse().map(Self::Project).map_err(|_| StreamInvalid),
            "audit" => id.parse().map(Self::Audit).map_err(|_| StreamInvalid),
            _ => Err(StreamInvalid),
        }
    }
}

/// How much an entry matters to a reader.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Detail.
    Debug,
    /// The normal course.
    #[default]
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level with this name; unknown ones read as `info`.
    pub fn by_name(name: &str) -> Self {
        match name {
            "debug" => Self::Debug,
            "warning" => Self::Warning,
            "error" => Self::Error,
            _ => Self::Info,
        }
    }
}

/// Whether an entry opens or closes its span (X23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The span begins.
    Open,
    /// The span ends.
    Close,
}

impl Edge {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
        }
    }

    /// The edge with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "close" => Some(Self::Close),
            _ => None,
        }
    }
}

/// An entry that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// One of [`KINDS`], or a kind of a later run kind.
    pub kind: Cow<'static, str>,
    /// How much it matters.
    pub level: Level,
    /// The span it belongs to, unique over restarts.
    pub span: Option<String>,
    /// That span's parent.
    pub parent: Option<String>,
    /// Whether it opens or closes the span.
    pub edge: Option<Edge>,
    /// The kind's own data: a JSON object.
    pub data: serde_json::Value,
}

impl NewEntry {
    /// An entry without a span.
    pub fn new(kind: &'static str, data: serde_json::Value) -> Self {
        Self { kind: Cow::Borrowed(kind), level: Level::Info, span: None, parent: None, edge: None, data }
    }

    /// Puts it in a span.
    #[must_use]
    pub fn in_span(mut self, span: impl Into<String>, parent: Option<String>, edge: Option<Edge>) -> Self {
        self.span = Some(span.into());
        self.parent = parent;
        self.edge = edge;
        self
    }

    /// Sets how much it matters.
    #[must_use]
    pub const fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

/// An entry as stored. `data` is kept as the text that was stored, so that a replayed row is byte
/// for byte the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream: from 1, without holes.
    pub seq: u64,
    /// When the plane took it.
    pub at: Timestamp,
    /// What it tells.
    pub kind: String,
    /// How much it matters.
    pub level: Level,
    /// The span it belongs to.
    pub span: Option<String>,
    /// That span's parent.
    pub parent: Option<String>,
    /// Whether it opens or closes the span.
    pub edge: Option<Edge>,
    /// JSON text, verbatim.
    pub data: String,
}

impl Entry {
    /// The one JSON rendering, for live and replayed readers, chain and export.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.data.len() + 200);
        // Writing to a String cannot fail, so the results of `write!` carry nothing.
        let _ = write!(out, "{{\"stream\":\"{}\",\"seq\":{},\"at\":\"{}\",\"kind\":", self.stream, self.seq, self.at);
        quote(&mut out, &self.kind);
        let _ = write!(out, ",\"level\":\"{}\"", self.level.name());
        for (name, value) in [("span", &self.span), ("parent", &self.parent)] {
            if let Some(value) = value {
                let _ = write!(out, ",\"{name}\":");
                quote(&mut out, value);
            }
        }
        if let Some(edge) = self.edge {
            let _ = write!(out, ",\"edge\":\"{}\"", edge.name());
        }
        out.push_str(",\"data\":");
        out.push_str(&self.data);
        out.push('}');
        out
    }
}

fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The next head of a stream's chain: over the head before and each rendered entry of one append
/// batch, in order (X58).
pub fn chain<'a>(head: Option<&Digest>, batch: impl IntoIterator<Item = &'a str>) -> Digest {
    let mut fields = Fields::tagged("proofhouse.chain.1");
    fields.push(head.map_or(&[][..], |digest| digest.bytes()));
    for entry in batch {
        fields.text(entry);
    }
    fields.finish()
}

/// The kinds that entries may have, with what each tells: declared once, documented from here.
pub const KINDS: &[(&str, &str)] = &[
    ("run.created", "a run was stored: kind, trigger, actor"),
    ("run.status", "a run's status changed: from, to, because"),
    ("run.cancelling", "somebody asked a run to stop; what is running is told to end"),
    ("run.phase", "a run entered a phase of its kind"),
    ("run.planned", "the gates a run will judge, in parts of at most 200"),
    ("run.finished", "the last entry of a run: status, verdict, counts, message"),
    ("task.requeued", "a lease was lost or given back: task, attempt, reason"),
    ("task.phase", "a worker began a phase of its task: task, phase"),
    ("task.step", "what a worker does within a phase: task, phase, step"),
    ("task.failed", "a task used up its attempts or could not be done"),
    ("artifact.added", "a file or text was kept with the run"),
    ("question.asked", "a person is asked something"),
    ("question.answered", "a person answered"),
    ("question.expired", "nobody answered in time"),
    ("question.withdrawn", "the question no longer matters, and why"),
    ("ledger.reserved", "money was set aside before it is spent: reserve, task, micro_usd"),
    ("ledger.settled", "what was set aside was spent, as far as anybody knows: reserve, micro_usd, cost_state"),
    ("ledger.released", "what was set aside was given back: nothing had been started"),
    ("ledger.topped_up", "a person raised a cap: pool, micro_usd, actor"),
    ("warning", "something to look at that changes no verdict"),
    ("worktree.archived", "what an attempt left that handed nothing in was kept: reference, commit"),
    ("person.message", "what people said for the agent: comments, state (queued or delivered)"),
    ("note", "a remark of the planner that is shown with the run"),
    ("tree.bound", "the tree, commit and dirtiness that a run judges"),
    ("tree.checked", "the tree at a run's end, and whether it moved"),
    ("tree.observed", "the project's current tree was taken"),
    ("prepare.finished", "the preparation step ended"),
    ("command.started", "a process was started for one or more gates"),
    ("command.output", "a piece of a process's output, at most one a second"),
    ("command.finished", "a process ended: exit, duration, output digest"),
    ("gate.started", "a gate's first command was started"),
    ("gate.finished", "a gate was judged: verdict, reason, evidence, seal"),
    ("review.asked", "a person is asked to look"),
    ("review.answered", "a person looked"),
    ("context.built", "what an agent is told about the project was gathered: digest, bytes, dropped"),
    ("role.resolved", "the role of a run as it was at the start: id, version, digest, origin"),
    ("prompt.rendered", "the prompt for the agent: digest, bytes"),
    ("result.parsed", "the agent's answer was read: entries, result, raw"),
    ("file.applied", "a file of an answer was written or deleted: path, action, bytes"),
    ("file.refused", "a file of an answer was not applied: path, reason"),
    ("files.summary", "what came of an answer: changed, refused, branch, commit"),
    ("requirement.captured", "a requirement was stored"),
    ("requirement.changed", "a requirement was edited"),
    ("requirement.settled", "a requirement's standing changed"),
    ("waiver.granted", "a person excepted a requirement"),
    ("waiver.revoked", "a waiver was ended by a person or replaced"),
    ("waiver.expired", "a waiver's last day has passed"),
    ("evidence.tampered", "evidence no longer matches its seal or blobs"),
    ("definition.accepted", "an admin accepted a gate's definition"),
    ("settings.changed", "a project document was replaced"),
    ("project.registered", "a repository was registered"),
    ("project.changed", "a project was renamed, moved or archived"),
    ("issue.card", "an issue's card as it is now, and what changed it: card, cause"),
    ("issue.deleted", "an issue was deleted: id, number"),
    ("issue.commented", "somebody said something on an issue: issue, comment, actor"),
    ("issue.execution", "who is to do an issue was changed"),
    ("issue.forced", "a run was started although its issue waits for others"),
    ("lineage.added", "where an issue came from was written down"),
    ("worker.paired", "a worker was paired: worker, name, pairing"),
    ("worker.changed", "a worker was renamed, or serves others than before"),
    ("worker.online", "a worker was heard of again"),
    ("worker.late", "a worker was not heard of for 45 s"),
    ("worker.offline", "a worker was not heard of for 90 s"),
    ("worker.draining", "a worker finishes what it holds and claims nothing, or claims again"),
    ("worker.revoked", "a worker may do nothing any more; what it held is ready again"),
    ("worker.activity", "a worker began a phase of a task: worker, run, task, phase"),
    ("token.made", "a token was made"),
    ("token.revoked", "a token was revoked"),
    ("agent.session", "an agent's session began: agent, version, model, argv, or said more about itself"),
    ("agent.message", "an agent said something; `final` marks its answer"),
    ("agent.reasoning", "an agent thought aloud"),
    ("agent.tool", "an agent uses a tool: name, input, status, output"),
    ("agent.file", "an agent says that it changed a file"),
    ("agent.usage", "tokens and cost, as the agent reported them"),
    ("agent.error", "something went wrong in an agent; what came of it is told at its end"),
    ("agent.end", "an agent's session ended, by its own words"),
    ("probe.entry", "an entry written by a benchmark or test worker"),
];

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn entry() -> Entry {
        Entry {
            stream: StreamId::Run(RunId::from_uuid(Uuid::from_u128(1))),
            seq: 3,
            at: Timestamp::from_micros(0),
            kind: "gate.finished".into(),
            level: Level::Info,
            span: Some("gate:REQ-0001/\"unit\"".into()),
            parent: None,
            edge: Some(Edge::Close),
            data: r#"{"b":1,"a":[1.50]}"#.into(),
        }
    }

    // K3: one rendering, with the stored data verbatim, and valid JSON whatever the texts hold.
    #[test]
    fn an_entry_renders_its_data_verbatim_inside_valid_json() {
        let text = entry().render();
        assert!(text.ends_with(r#","edge":"close","data":{"b":1,"a":[1.50]}}"#), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["span"], "gate:REQ-0001/\"unit\"");
        assert_eq!(value["seq"], 3);
    }

    // X58
    #[test]
    fn the_chain_depends_on_every_byte_and_on_the_order() {
        let first = chain(None, ["a", "b"]);
        assert_ne!(first, chain(None, ["b", "a"]));
        assert_ne!(first, chain(None, ["ab"]));
        assert_ne!(chain(Some(&first), ["c"]), chain(None, ["c"]));
    }

    #[test]
    fn streams_and_kinds_read_back() {
        let stream = entry().stream;
        assert_eq!(stream.to_string().parse(), Ok(stream));
        assert_eq!("board:1".parse::<StreamId>(), Err(StreamInvalid));
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}

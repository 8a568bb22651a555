//! A proof run: what it was asked, what it counts, and what it says at its end.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    form::Form,
    gate::GateName,
    requirement::RequirementNumber,
    tree::{ObjectId, RefName},
    verdict::{GateState, Verdict},
};
use crate::{
    code::Code,
    id::RunId,
    limits,
    problem::{FieldError, Problem},
};

/// Which requirements a run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every one that is not waived.
    #[default]
    Full,
    /// Of those, the ones whose scope meets the changed files.
    Changed,
    /// Those that the merge gate would not clear now, and only their obligations that are not clear.
    NotClear,
}

impl Mode {
    /// The words used on the wire.
    pub const WORDS: [&'static str; 3] = ["full", "changed", "not_clear"];
}

/// Which files a run looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// The project's checkout as it lies.
    #[default]
    Worktree,
    /// A commit, in a worktree of the plane's own.
    Ref(RefName),
    /// The head of a pull request, in a worktree of the plane's own.
    Pr(u64),
    /// A checkpoint of another run's work; such a run settles nothing (X8).
    Checkpoint {
        /// The run.
        run: RunId,
        /// The tree.
        checkpoint: ObjectId,
    },
}

/// What happens with gates that a person has to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manual {
    /// The run waits for the answers.
    #[default]
    Wait,
    /// They are `review_pending`, and the run ends.
    Skip,
}

/// What a run was asked to do. The config block of a proof run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProofRunConfig {
    /// Which requirements.
    pub mode: Mode,
    /// Only these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Vec<RequirementNumber>>,
    /// Only these gates, also when they are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<GateName>>,
    /// Also what a waiver leaves out; its evidence is for the day the waiver ends.
    pub include_waived: bool,
    /// Which files.
    pub target: Target,
    /// What changes are counted from; absent is the default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<RefName>,
    /// Commands at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// What happens with reviews.
    pub manual: Manual,
}

impl ProofRunConfig {
    /// Reads a body, naming every wrong value. Unknown gates and requirements are refused before a run
    /// exists (P15); refs are checked by form only (P18).
    pub fn read(
        body: &Value,
        is_gate: impl Fn(&GateName) -> bool,
        is_requirement: impl Fn(RequirementNumber) -> bool,
    ) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let mut unknown = Vec::new();
        let mut bad_refs = Vec::new();
        let mode = form.choice("mode", &Mode::WORDS).unwrap_or_default();
        let requirements = form.set("requirements", limits::FILTER_IDS, |text| {
            let id: RequirementNumber = text.parse().map_err(|wrong| format!("{wrong}"))?;
            if is_requirement(id) { Ok(id) } else { Err(format!("{id} is not a requirement of this project")) }
        });
        if body.get("requirements").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            form.wrong("requirements", "must name at least one requirement, or be left out");
        }
        let gates = read_gate_filter(&mut form, is_gate, &mut unknown);
        let target = read_target(&mut form, &mut bad_refs).unwrap_or_default();
        let base = form.value("base").and_then(|value| read_ref(value, "/base".to_owned(), &mut bad_refs));
        let config = Self {
            mode,
            requirements,
            gates,
            include_waived: form.flag("include_waived").unwrap_or(false),
            target,
            base,
            slots: form.number("slots", 1..=64).and_then(|n| u32::try_from(n).ok()),
            manual: form.choice("manual", &["wait", "skip"]).unwrap_or_default(),
        };
        let errors = form.finish();
        let code = match (errors.is_empty(), unknown.is_empty(), bad_refs.is_empty()) {
            (true, true, true) => return Ok(config),
            (true, false, true) => Code::UnknownGate,
            (true, true, false) => Code::RefNotFound,
            _ => Code::Invalid,
        };
        let all = errors.into_iter().chain(unknown).chain(bad_refs).collect();
        Err(Problem { code, ..Problem::invalid(all) })
    }

    /// Whether what it shows speaks for the project (P59). `default_branch` says whether a ref is it.
    pub fn settles(&self, default_branch: impl Fn(&RefName) -> bool) -> bool {
        match &self.target {
            Target::Worktree => true,
            Target::Ref(name) => default_branch(name),
            Target::Pr(_) | Target::Checkpoint { .. } => false,
        }
    }

    /// Whether this run's selection and files include what `other` asks for (P19). When it cannot be told
    /// from the configs alone, the answer is no.
    pub fn covers(&self, other: &Self) -> bool {
        let all = |mine: &Option<Vec<GateName>>, theirs: &Option<Vec<GateName>>| match (mine, theirs) {
            (None, None) => true,
            // Naming a gate outranks that it is off, so "all" does not cover a named one by itself.
            (None, Some(_)) | (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|gate| mine.contains(gate)),
        };
        let requirements = match (&self.requirements, &other.requirements) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|id| mine.contains(id)),
        };
        let mode = self.mode == other.mode && self.base == other.base || self.mode == Mode::Full;
        let waived = self.include_waived || !other.include_waived;
        self.target == other.target && mode && requirements && waived && all(&self.gates, &other.gates)
    }
}

fn read_gate_filter(
    form: &mut Form<'_>,
    is_gate: impl Fn(&GateName) -> bool,
    unknown: &mut Vec<FieldError>,
) -> Option<Vec<GateName>> {
    let items = form.list("gates", limits::FILTER_IDS)?;
    if items.is_empty() {
        form.wrong("gates", "must name at least one gate, or be left out");
    }
    let mut gates: Vec<GateName> = Vec::new();
    for (at, item) in items {
        match item.as_str().and_then(|text| text.parse::<GateName>().ok()).filter(&is_gate) {
            Some(gate) if gates.contains(&gate) => {}
            Some(gate) => gates.push(gate),
            None => unknown.push(FieldError::new(at, no_gate(item))),
        }
    }
    Some(gates)
}

/// Names what was given, as far as it is a name.
pub(super) fn no_gate(given: &Value) -> String {
    match given.as_str() {
        Some(name) => format!("{:?} is not a gate of this project", name.chars().take(64).collect::<String>()),
        None => "is not the name of a gate".to_owned(),
    }
}

fn read_ref(value: &Value, at: String, bad: &mut Vec<FieldError>) -> Option<RefName> {
    let name = value.as_str().and_then(|text| text.parse().ok());
    if name.is_none() {
        bad.push(FieldError::new(at, "is not the form of a git ref"));
    }
    name
}

/// `"worktree"`, `{"ref": NAME}`, `{"pr": N}` or `{"checkpoint": {run, checkpoint}}`: exactly one.
fn read_target(form: &mut Form<'_>, bad_refs: &mut Vec<FieldError>) -> Option<Target> {
    let value = form.value("target")?;
    if value.as_str() == Some("worktree") {
        return Some(Target::Worktree);
    }
    let mut nested = Form::new(value, form.pointer("target"));
    let worktree = nested.value("worktree").map(|_| Target::Worktree);
    let reference = nested.value("ref").map(|value| read_ref(value, nested.pointer("ref"), bad_refs).map(Target::Ref));
    let pr = nested.number("pr", 1..=u64::from(u32::MAX)).map(Target::Pr);
    let checkpoint = nested.value("checkpoint").map(|value| {
        let mut inner = Form::new(value, nested.pointer("checkpoint"));
        let id = |inner: &mut Form<'_>, field| inner.value(field).and_then(Value::as_str).map(str::to_owned);
        let run = id(&mut inner, "run").and_then(|text| text.parse().ok());
        let tree = id(&mut inner, "checkpoint").and_then(|text| text.parse().ok());
        if run.is_none() {
            inner.wrong("run", "must be the id of a run");
        }
        if tree.is_none() {
            inner.wrong("checkpoint", "must be a tree id in hex");
        }
        nested.absorb(inner);
        run.zip(tree).map(|(run, checkpoint)| Target::Checkpoint { run, checkpoint })
    });
    let given = usize::from(worktree.is_some())
        + usize::from(reference.is_some())
        + usize::from(nested.has("pr"))
        + usize::from(checkpoint.is_some());
    if value.is_object() && given != 1 {
        let at = form.pointer("target");
        nested.wrong_at(at, "must be exactly one of worktree, ref, pr and checkpoint");
    }
    form.absorb(nested);
    worktree.or(reference.flatten()).or(pr).or(checkpoint.flatten())
}

/// How many gates of a run are in which state. `waived` is counted apart and is no part of `total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateCounts {
    /// All that were selected.
    pub total: u32,
    /// Not started.
    pub pending: u32,
    /// Started.
    pub running: u32,
    /// For a person to look at.
    pub waiting: u32,
    /// Held.
    pub passed: u32,
    /// Did not hold.
    pub failed: u32,
    /// Gave no answer.
    pub unproven: u32,
    /// Left out by waivers.
    pub waived: u32,
}

impl GateCounts {
    /// Counts states.
    pub fn of(states: impl IntoIterator<Item = GateState>, waived: u32) -> Self {
        let mut counts = Self { waived, ..Self::default() };
        for state in states {
            counts.total += 1;
            *counts.slot(state) += 1;
        }
        counts
    }

    /// Moves one gate; the caller has checked that it may.
    pub fn moved(&mut self, from: GateState, to: GateState) {
        let before = self.slot(from);
        *before = before.saturating_sub(1);
        *self.slot(to) += 1;
    }

    fn slot(&mut self, state: GateState) -> &mut u32 {
        match state {
            GateState::Pending => &mut self.pending,
            GateState::Running => &mut self.running,
            GateState::Waiting => &mut self.waiting,
            GateState::Passed => &mut self.passed,
            GateState::Failed => &mut self.failed,
            GateState::Unproven => &mut self.unproven,
        }
    }

    /// Whether every gate has ended.
    pub const fn all_ended(&self) -> bool {
        self.pending == 0 && self.running == 0 && self.waiting == 0
    }
}

/// How a run ended, as far as its verdict depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    /// Whether it completed, as opposed to failed or cancelled.
    pub completed: bool,
    /// Whether the files were another tree at its end.
    pub moved: bool,
    /// Processes started and reviews answered.
    pub executed: u32,
}

/// The verdict of an ended run (section 3, P17, P56).
pub const fn run_verdict(counts: &GateCounts, end: RunEnd) -> Verdict {
    if counts.failed > 0 {
        return Verdict::Failed;
    }
    let all_passed = counts.total > 0 && counts.passed == counts.total;
    if end.completed && !end.moved && end.executed > 0 && all_passed { Verdict::Passed } else { Verdict::Unproven }
}

/// What the run says at its end, in one sentence; never empty.
pub fn run_message(counts: &GateCounts, end: RunEnd) -> String {
    let verdict = run_verdict(counts, end);
    let waived = if counts.waived > 0 { format!(", {} waived", counts.waived) } else { String::new() };
    let tally = format!(
        "{} of {} passed, {} failed, {} unproven{waived}",
        counts.passed, counts.total, counts.failed, counts.unproven
    );
    match verdict {
        _ if end.moved => format!("files changed while the run went on, so its passes count nowhere: {tally}"),
        _ if !end.completed => format!("the run did not finish: {tally}"),
        Verdict::Unproven if end.executed == 0 => format!("nothing was executed or reviewed: {tally}"),
        _ => tally,
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;

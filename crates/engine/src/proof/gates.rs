//! The gates of a run as readers see them, their counts, and the project's catalogue of gates.
//!
//! A gate's row is its task: what is shown here is never stored beside it (P22).

use std::str::FromStr as _;

use model::{
    id::{EvidenceId, RunId, TaskId},
    problem::Problem,
    proof::{
        gate::GateName,
        requirement::RequirementNumber,
        run::GateCounts,
        verdict::{GateState, Outcome, Reason},
    },
    run::{Run, RunKind},
    task::{Task, TaskState},
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{TaskFilter, Tx};

use super::state::task as kind;
use crate::Engine;

/// One obligation in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRow {
    /// Its task.
    pub task: TaskId,
    /// The requirement.
    pub requirement: RequirementNumber,
    /// What it was called when the run took it on; empty for runs of older versions.
    pub title: String,
    /// The gate.
    pub gate: GateName,
    /// Where it stands.
    pub state: GateState,
    /// What it said; none until it has ended.
    pub outcome: Option<Outcome>,
    /// What it rests on; none where nothing was looked at.
    pub evidence: Option<EvidenceId>,
    /// One sentence for people.
    pub message: Option<String>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Which gates of a run; they join with AND.
#[derive(Debug, Clone, Default)]
pub struct GateFilter {
    /// In one of these states; empty is any.
    pub states: Vec<GateState>,
    /// Of this requirement.
    pub requirement: Option<RequirementNumber>,
    /// With this name.
    pub gate: Option<GateName>,
}

impl GateFilter {
    fn fits(&self, row: &GateRow) -> bool {
        (self.states.is_empty() || self.states.contains(&row.state))
            && self.gate.as_ref().is_none_or(|gate| *gate == row.gate)
    }
}

/// Every state of a gate, by name.
pub fn state_by_name(name: &str) -> Option<GateState> {
    use GateState as S;
    Some(match name {
        "pending" => S::Pending,
        "running" => S::Running,
        "waiting" => S::Waiting,
        "passed" => S::Passed,
        "failed" => S::Failed,
        "unproven" => S::Unproven,
        _ => return None,
    })
}

/// A gate's state by its task. A task that ended without a word was cancelled (P24).
fn state_of(state: TaskState, detail: Option<&str>) -> GateState {
    let said = detail.and_then(state_by_name).unwrap_or(GateState::Pending);
    if state.is_terminal() && !said.is_ended() { GateState::Unproven } else { said }
}

fn row(task: Task) -> Option<GateRow> {
    let (requirement, gate) = task.subject.split_once('/')?;
    let state = state_of(task.state, task.detail.as_deref());
    let output = task.output.as_ref();
    let text = |name: &str| output.and_then(|output| output.get(name)).and_then(Value::as_str);
    let reason = text("reason").and_then(|word| Reason::ALL.iter().copied().find(|known| known.as_str() == word));
    let outcome = match state {
        GateState::Pending | GateState::Running | GateState::Waiting => None,
        GateState::Passed => Some(Outcome::PASSED),
        // A failed gate stays failed, also when its reason cannot be read.
        GateState::Failed => {
            let fits = reason.filter(|reason| GateState::from(reason.verdict()) == state);
            Some(fits.unwrap_or(Reason::ExitCode).into())
        }
        GateState::Unproven => {
            let fits = reason.filter(|reason| GateState::from(reason.verdict()) == state);
            let silent = if output.is_none() { Reason::Cancelled } else { Reason::InternalError };
            Some(fits.unwrap_or(silent).into())
        }
    };
    Some(GateRow {
        requirement: RequirementNumber::from_str(requirement).ok()?,
        title: task.input.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
        gate: gate.parse().ok()?,
        state,
        outcome,
        evidence: text("evidence").and_then(|id| id.parse().ok()),
        message: text("message").map(str::to_owned),
        task: task.id,
        finished_at: task.finished_at,
    })
}

/// A page of a run's gates, by subject; `after` is the subject of the last one of the page before.
///
/// # Errors
/// What the store says.
pub async fn run_gates(
    engine: &Engine,
    run: RunId,
    filter: &GateFilter,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<GateRow>, Problem> {
    let filter = filter.clone();
    engine
        .store()
        .read(move |tx| {
            let (filter, mut after) = (filter.clone(), after.clone());
            Box::pin(async move {
                let tasks = TaskFilter {
                    kind: Some(kind::GATE.to_owned()),
                    subject_prefix: filter.requirement.map(|requirement| format!("{requirement}/")),
                    ..TaskFilter::default()
                };
                let mut rows = Vec::new();
                loop {
                    let place = after.as_deref().map(|subject| (kind::GATE, subject));
                    let page = tx.tasks(run, &tasks, place, 1_000).await?;
                    let more = page.len() == 1_000;
                    after = page.last().map(|task| task.subject.clone());
                    rows.extend(page.into_iter().filter_map(row).filter(|row| filter.fits(row)));
                    if !more || rows.len() >= limit as usize {
                        rows.truncate(limit as usize);
                        return Ok(rows);
                    }
                }
            })
        })
        .await
}

/// How many gates of a run are in which state, from the rows themselves. `waived` is what the run
/// wrote down when it selected.
///
/// # Errors
/// What the store says.
pub async fn counts(tx: &mut Tx, run: &Run) -> Result<GateCounts, Problem> {
    let waived = run.detail.pointer("/counts/waived").and_then(Value::as_u64).unwrap_or(0);
    let mut counts = GateCounts::of([], u32::try_from(waived).unwrap_or(u32::MAX));
    for (task, state, detail, number) in tx.task_counts(run.id).await? {
        if task == kind::GATE {
            let state = state_of(state, detail.as_deref());
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let one = GateCounts::of([state], 0);
            counts.total += number;
            counts.pending += one.pending * number;
            counts.running += one.running * number;
            counts.waiting += one.waiting * number;
            counts.passed += one.passed * number;
            counts.failed += one.failed * number;
            counts.unproven += one.unproven * number;
        }
    }
    Ok(counts)
}

/// A run as it is now, with the counts of its gates in its detail: both from one moment (P22).
///
/// # Errors
/// 404, or what the store says.
pub async fn live(engine: &Engine, run: RunId) -> Result<Run, Problem> {
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let mut run = tx.run(run).await?.ok_or_else(Problem::not_found)?;
                with_counts(tx, &mut run).await?;
                Ok(run)
            })
        })
        .await
}

/// Puts the counts of its gates, of now, into a proof run's detail.
///
/// # Errors
/// What the store says.
pub async fn with_counts(tx: &mut Tx, run: &mut Run) -> Result<(), Problem> {
    if run.kind == RunKind::PROOF {
        let counts = counts(tx, run).await?;
        if let Some(detail) = run.detail.as_object_mut() {
            detail.insert("counts".to_owned(), json!(counts));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // P24: what was cancelled is unproven; what has a word keeps it.
    #[test]
    fn a_task_without_a_word_was_cancelled() {
        use GateState as S;
        let table = [
            (TaskState::Blocked, None, S::Pending),
            (TaskState::Blocked, Some("running"), S::Running),
            (TaskState::Blocked, Some("waiting"), S::Waiting),
            (TaskState::Cancelled, Some("running"), S::Unproven),
            (TaskState::Cancelled, None, S::Unproven),
            (TaskState::Done, Some("passed"), S::Passed),
            (TaskState::Done, Some("failed"), S::Failed),
            (TaskState::Done, Some("nonsense"), S::Unproven),
        ];
        for (state, detail, shown) in table {
            assert_eq!(state_of(state, detail), shown, "{state:?} {detail:?}");
        }
    }
}

//! Where a project stands: every requirement held against the files as last seen, counted (P62).

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use model::{
    problem::Problem,
    project::Project,
    proof::{gate::GateName, requirement::Severity, standing::Status, tree::ObjectId, verdict::Verdict},
    run::{Run, RunKind, RunStatus},
};
use serde_json::Value;
use store::RunFilter;

use super::{
    evidence::observed_tree,
    gates::without_folders,
    ground,
    worth::{self, Worth},
};
use crate::Engine;

/// How long a reader waits for a look at the checkout before the last one has to do.
const LOOK: Duration = Duration::from_secs(2);

/// How many obligations said what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerdictCounts {
    /// Held.
    pub passed: u32,
    /// Did not hold.
    pub failed: u32,
    /// Gave no answer.
    pub unproven: u32,
    /// Left out by a waiver; not counted above.
    pub waived: u32,
}

/// How many requirements are in which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusCounts {
    /// Something is not proven.
    pub open: u32,
    /// All is proven.
    pub satisfied: u32,
    /// A person has taken it over.
    pub waived: u32,
}

impl StatusCounts {
    const fn add(&mut self, status: Status) {
        match status {
            Status::Open => self.open += 1,
            Status::Satisfied => self.satisfied += 1,
            Status::Waived => self.waived += 1,
        }
    }
}

/// The files as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenFiles {
    /// Their tree; none when they have no name or nobody has looked.
    pub tree: Option<ObjectId>,
    /// The commit they stand on.
    pub commit: Option<ObjectId>,
    /// Whether they differ from it.
    pub dirty: bool,
}

/// Where a project stands.
#[derive(Debug)]
pub struct Overview {
    /// All requirements by status.
    pub by_status: StatusCounts,
    /// And by severity.
    pub by_severity: BTreeMap<Severity, StatusCounts>,
    /// Obligations by gate.
    pub by_gate: BTreeMap<GateName, VerdictCounts>,
    /// Requirements that rest on another tree's proof.
    pub stale: u32,
    /// Requirements with tampered evidence.
    pub tampered: u32,
    /// Requirements whose gates pass and fail on the same files.
    pub flaky: u32,
    /// The files.
    pub seen: SeenFiles,
    /// The proof run that is active.
    pub active_run: Option<Run>,
    /// The proof run that ended last.
    pub last_run: Option<Run>,
    /// How many requirements there are.
    pub total: u32,
    /// The first of them, open ones and worse ones first.
    pub first: Vec<Worth>,
}

/// Where a project stands. Looks at the checkout first where that is quickly done; a checkout out of
/// reach leaves the last look.
///
/// # Errors
/// What the store says.
pub async fn status(engine: &Engine, project: &Project, limit: u32) -> Result<Overview, Problem> {
    match tokio::time::timeout(LOOK, ground::observe(engine, project)).await {
        Ok(Ok(_)) => {}
        Ok(Err(problem)) => tracing::debug!(project = %project.key, %problem, "the checkout was not looked at"),
        Err(_) => tracing::debug!(project = %project.key, "looking at the checkout takes long"),
    }
    let id = project.id;
    let (seen, tree, active_run, last_run) = engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let seen = tx.project_observed(id).await?;
                let tree = observed_tree(tx, id).await?;
                let active = tx.active_runs_of(id, &RunKind::PROOF).await?.pop();
                let ended = RunStatus::ALL.into_iter().filter(|status| status.is_terminal()).collect();
                let filter =
                    RunFilter { project: Some(id), kind: Some(RunKind::PROOF.name().to_owned()), status: ended };
                let last = tx.runs(&filter, None, 1).await?.pop();
                Ok::<_, Problem>((seen, tree, active, last))
            })
        })
        .await?;
    let now = engine.now();
    let worth = engine.store().read(move |tx| Box::pin(async move { worth::all(tx, id, now).await })).await?;
    let text = |name: &str| seen.as_ref().and_then(|seen| seen.get(name)).and_then(Value::as_str);
    let mut overview = Overview {
        by_status: StatusCounts::default(),
        by_severity: BTreeMap::new(),
        by_gate: BTreeMap::new(),
        stale: 0,
        tampered: 0,
        flaky: 0,
        seen: SeenFiles {
            commit: text("commit").and_then(|commit| commit.parse().ok()),
            dirty: seen.as_ref().and_then(|seen| seen.get("dirty")).and_then(Value::as_bool).unwrap_or(false),
            tree: tree.clone(),
        },
        active_run: active_run.map(shown),
        last_run: last_run.map(shown),
        total: u32::try_from(worth.len()).unwrap_or(u32::MAX),
        first: Vec::new(),
    };
    for one in &worth {
        overview.count(one);
    }
    overview.first = worth;
    overview.first.sort_by_key(|one| (one.standing.status, Reverse(one.requirement.severity), one.requirement.id));
    overview.first.truncate(limit as usize);
    Ok(overview)
}

fn shown(mut run: Run) -> Run {
    run.detail = without_folders(run.detail);
    run
}

impl Overview {
    fn count(&mut self, worth: &Worth) {
        let standing = &worth.standing;
        self.by_status.add(standing.status);
        self.by_severity.entry(worth.requirement.severity).or_default().add(standing.status);
        self.stale += u32::from(standing.stale);
        self.flaky += u32::from(worth.flaky);
        self.tampered += u32::from(worth.tampered());
        for obligation in &standing.obligations {
            if !self.by_gate.contains_key(&obligation.gate) {
                self.by_gate.insert(obligation.gate.clone(), VerdictCounts::default());
            }
            let Some(counts) = self.by_gate.get_mut(&obligation.gate) else { continue };
            if obligation.waived {
                counts.waived += 1;
                continue;
            }
            match obligation.outcome.verdict() {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed => counts.failed += 1,
                Verdict::Unproven => counts.unproven += 1,
            }
        }
    }
}

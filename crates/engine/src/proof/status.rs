//! Where a project stands: every requirement held against the files as last seen, counted (P62).

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use model::{
    problem::Problem,
    project::Project,
    proof::{
        gate::GateName,
        requirement::{RequirementNumber, Severity},
        standing::Status,
        tree::ObjectId,
        verdict::Verdict,
    },
    run::{Run, RunKind, RunStatus},
};
use serde_json::Value;
use store::RunFilter;

use super::{
    briefs::{self, Brief},
    evidence::observed_tree,
    gates, ground,
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
                let mut active = tx.active_runs_of(id, &RunKind::PROOF).await?.pop();
                if let Some(active) = &mut active {
                    gates::with_counts(tx, active).await?;
                }
                let ended = RunStatus::ALL.into_iter().filter(|status| status.is_terminal()).collect();
                let filter = RunFilter {
                    project: Some(id),
                    kind: Some(RunKind::PROOF.name().to_owned()),
                    status: ended,
                    ..RunFilter::default()
                };
                let last = tx.runs(&filter, None, 1).await?.pop();
                Ok::<_, Problem>((seen, tree, active, last))
            })
        })
        .await?;
    let now = engine.now();
    let all = briefs::current(engine, id).await?;
    let mut first: Vec<&Brief> = all.rows.iter().collect();
    let key = |one: &&Brief| (one.status, Reverse(one.severity), one.id);
    if first.len() > limit as usize {
        first.select_nth_unstable_by_key(limit as usize, key);
        first.truncate(limit as usize);
    }
    first.sort_unstable_by_key(key);
    let ids: Vec<RequirementNumber> = first.into_iter().map(|one| one.id).collect();
    let first = engine
        .store()
        .read(move |tx| {
            let ids = ids.clone();
            Box::pin(async move { worth::several(tx, id, &ids, now).await })
        })
        .await?;
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
        active_run,
        last_run,
        total: u32::try_from(all.rows.len()).unwrap_or(u32::MAX),
        first,
    };
    let mut by_gate = vec![VerdictCounts::default(); all.gates.len()];
    for one in &all.rows {
        overview.count(one, &mut by_gate);
    }
    overview.by_gate = all.gates.iter().cloned().zip(by_gate).collect();
    Ok(overview)
}

impl Overview {
    fn count(&mut self, one: &Brief, by_gate: &mut [VerdictCounts]) {
        self.by_status.add(one.status);
        self.by_severity.entry(one.severity).or_default().add(one.status);
        self.stale += u32::from(one.stale);
        self.flaky += u32::from(one.flaky);
        self.tampered += u32::from(one.tampered);
        for told in one.obligations.iter() {
            let Some(counts) = by_gate.get_mut(usize::from(told.gate)) else { continue };
            match told.verdict {
                _ if told.waived => counts.waived += 1,
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed => counts.failed += 1,
                Verdict::Unproven => counts.unproven += 1,
            }
        }
    }
}

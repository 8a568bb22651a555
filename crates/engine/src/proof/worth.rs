//! What requirements are worth now: the standing function over the rows of one transaction (P62).
//!
//! Nothing here decides; it gathers what `model::proof::standing` has to know, and tells once when a
//! status is another than the one told before.

use std::collections::{HashMap, HashSet};

use model::{
    id::ProjectId,
    journal::{NewEntry, StreamId},
    problem::Problem,
    proof::{
        requirement::{Requirement, RequirementNumber},
        settings::ProofSettings,
        standing::{EvidenceFacts, Ground, Standing, StatusMemory, standing},
        tree::ObjectId,
        verdict::Reason,
        waiver::Waiver,
    },
    time::Timestamp,
};
use serde_json::json;
use store::{KeptRequirement, Order, RequirementFilter, Tx};

/// A requirement and what it is worth on the project's current tree.
///
/// Its `standing.clear` says nothing: the merge gate has its own ground, with accepted definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// The requirement.
    pub requirement: Requirement,
    /// What it is worth.
    pub standing: Standing,
    /// The waiver in force.
    pub waiver: Option<Waiver>,
    /// When it became satisfied; none unless it is (P63).
    pub satisfied_at: Option<Timestamp>,
    /// Whether an obligation lately passed and failed on the same tree (P63).
    pub flaky: bool,
}

impl Worth {
    fn of(kept: KeptRequirement, rows: &[&EvidenceFacts], waiver: Option<Waiver>, on: &On) -> Self {
        let (settings, accepted) = (ProofSettings::default(), HashSet::new());
        let today = on.now.day();
        let ground = Ground { tree: on.tree.as_ref(), today, settings: &settings, accepted: &accepted };
        let found = standing(&kept.requirement, rows.iter().copied(), waiver.as_ref(), &ground);
        // What was last told may lag behind by the waiver that ran out at midnight.
        let (memory, _) = kept.memory.on(found.status, on.now);
        Self {
            waiver: waiver.filter(|waiver| waiver.holds_on(today)),
            requirement: kept.requirement,
            standing: found,
            satisfied_at: memory.satisfied_at,
            flaky: kept.flaky,
        }
    }

    fn of_all(kept: Vec<KeptRequirement>, rows: &[EvidenceFacts], waivers: Vec<Waiver>, on: &On) -> Vec<Self> {
        let mut by_requirement: HashMap<RequirementNumber, Vec<&EvidenceFacts>> = HashMap::new();
        for row in rows {
            by_requirement.entry(row.requirement).or_default().push(row);
        }
        let mut waivers: HashMap<_, _> = waivers.into_iter().map(|waiver| (waiver.requirement, waiver)).collect();
        let worth = kept.into_iter().map(|kept| {
            let id = kept.requirement.id;
            let rows = by_requirement.get(&id).map_or(&[][..], Vec::as_slice);
            Self::of(kept, rows, waivers.remove(&id), on)
        });
        worth.collect()
    }

    /// Of a requirement that was just captured: nothing has run yet.
    pub fn fresh(requirement: Requirement) -> Self {
        let kept = KeptRequirement { requirement, memory: StatusMemory::NEW, stale: false, flaky: false };
        Self::of(kept, &[], None, &On { tree: None, now: Timestamp::default() })
    }

    /// Whether something that it rests on is not what was sealed (P52).
    pub fn tampered(&self) -> bool {
        self.standing.obligations.iter().any(|obligation| obligation.outcome.reason() == Some(Reason::Tampered))
    }
}

/// When and on which files.
struct On {
    tree: Option<ObjectId>,
    now: Timestamp,
}

impl On {
    /// The project's current tree is the one last observed (P55).
    async fn current(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<Self, Problem> {
        let seen = tx.project_observed(project).await?;
        let tree = seen.as_ref().and_then(|seen| seen.get("tree")).and_then(|tree| tree.as_str());
        Ok(Self { tree: tree.and_then(|tree| tree.parse().ok()), now })
    }
}

/// One requirement.
///
/// # Errors
/// 404 when there is none.
pub async fn one(tx: &mut Tx, project: ProjectId, id: RequirementNumber, now: Timestamp) -> Result<Worth, Problem> {
    let kept = tx.requirement(project, id).await?.ok_or_else(Problem::not_found)?;
    let on = On::current(tx, project, now).await?;
    let rows = tx.standing_rows_of(project, id, on.tree.as_ref()).await?;
    let waiver = tx.waiver_current(project, id).await?;
    Ok(Worth::of(kept, &rows.iter().collect::<Vec<_>>(), waiver, &on))
}

/// These requirements, in the order they are named; what does not exist is left out.
pub async fn several(
    tx: &mut Tx,
    project: ProjectId,
    ids: &[RequirementNumber],
    now: Timestamp,
) -> Result<Vec<Worth>, Problem> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = RequirementFilter { ids: ids.to_vec(), ..RequirementFilter::default() };
    let limit = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let kept = tx.requirements(project, &filter, Order::Rising, None, limit).await?;
    let mut worth: HashMap<RequirementNumber, Worth> =
        weighed(tx, project, kept, now).await?.into_iter().map(|worth| (worth.requirement.id, worth)).collect();
    Ok(ids.iter().filter_map(|id| worth.remove(id)).collect())
}

/// The requirements that follow `after`, at most so many, by number.
pub async fn page(
    tx: &mut Tx,
    project: ProjectId,
    after: Option<RequirementNumber>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Worth>, Problem> {
    let kept = tx.requirements(project, &RequirementFilter::default(), Order::Rising, after, limit).await?;
    weighed(tx, project, kept, now).await
}

async fn weighed(
    tx: &mut Tx,
    project: ProjectId,
    kept: Vec<KeptRequirement>,
    now: Timestamp,
) -> Result<Vec<Worth>, Problem> {
    let on = On::current(tx, project, now).await?;
    let ids: Vec<RequirementNumber> = kept.iter().map(|kept| kept.requirement.id).collect();
    let rows = tx.standing_rows_of_all(project, &ids, on.tree.as_ref()).await?;
    let waivers = tx.waivers_current_of(project, &ids).await?;
    Ok(Worth::of_all(kept, &rows, waivers, &on))
}

/// Every requirement of a project, by number.
pub async fn all(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<Vec<Worth>, Problem> {
    let on = On::current(tx, project, now).await?;
    let rows = tx.standing_rows(project, on.tree.as_ref()).await?;
    let waivers = tx.waivers_current(project).await?;
    let kept = tx.requirements_all(project).await?;
    Ok(Worth::of_all(kept, &rows, waivers, &on))
}

/// Looks again at a requirement that something was done to, writes down what was found, and tells a
/// change of its status once (P62). The last of its transaction to write journals (X57).
pub async fn retell(
    tx: &mut Tx,
    project: ProjectId,
    id: RequirementNumber,
    because: &str,
    now: Timestamp,
) -> Result<Worth, Problem> {
    let kept = tx.requirement(project, id).await?.ok_or_else(Problem::not_found)?;
    let told = kept.memory;
    let (stale, flaky) = (kept.stale, kept.flaky);
    let worth = one(tx, project, id, now).await?;
    let (memory, settled) = told.on(worth.standing.status, now);
    if memory != told || stale != worth.standing.stale {
        tx.requirement_settle(project, id, &memory, worth.standing.stale, flaky).await?;
    }
    if let Some(change) = settled {
        let facts = json!({"requirement": id, "from": change.from, "to": change.to, "because": because});
        tx.journal_append(StreamId::Project(project), &[NewEntry::new("requirement.settled", facts)], now).await?;
    }
    Ok(worth)
}

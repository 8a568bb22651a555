//! Requirements in brief, remembered: what lists filter, sort and count by, so that no list reads a
//! hundred thousand rows. Held against the database on every call by the project's stamp: the number
//! that rises with every change of a requirement, its evidence or its waiver (`touched`), the tree that
//! was last seen, and the day. Only what was touched since is read again.
//!
//! It is a memory, never the truth: each brief is taken from the one standing function (P62), and what
//! a page shows is read from the database when it is shown.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use model::{
    id::ProjectId,
    limits,
    problem::Problem,
    proof::{
        classify::Kind,
        gate::GateName,
        requirement::{RequirementNumber, Severity, Source},
        standing::Status,
        verdict::Verdict,
    },
    time::{Day, Timestamp},
};
use serde_json::Value;
use store::{ProjectStamp, Tx};

use super::{
    locked,
    worth::{self, Worth},
};
use crate::Engine;

/// Requirements that are read at once while everything is read.
const PAGE: u32 = 1_000;
/// Past so many touched ones, everything is read again.
const TOUCHED: u32 = 2_000;

/// One obligation in brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Which of [`Standings::gates`].
    pub gate: u16,
    /// What its evidence says.
    pub verdict: Verdict,
    /// Whether a waiver leaves it out.
    pub waived: bool,
}

/// A requirement in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its number.
    pub id: RequirementNumber,
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub kind: Kind,
    /// Seen where.
    pub source: Source,
    /// Where it stands.
    pub status: Status,
    /// Resting on another tree's proof.
    pub stale: bool,
    /// Lately passed and failed on the same files.
    pub flaky: bool,
    /// Resting on evidence that was tampered with.
    pub tampered: bool,
    /// Whether a day that ends can change it.
    waiver: bool,
    /// Its title in lower case.
    pub title: Arc<str>,
    /// The board's issue, as it was written.
    pub issue: Option<Arc<str>>,
    /// Its obligations, in order.
    pub obligations: Arc<[Told]>,
}

/// How many requirements stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByStatus {
    /// Something is not proven.
    pub open: u64,
    /// All is proven.
    pub satisfied: u64,
    /// A person took it over.
    pub waived: u64,
}

impl ByStatus {
    /// One more, or one fewer.
    const fn slot(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Open => &mut self.open,
            Status::Satisfied => &mut self.satisfied,
            Status::Waived => &mut self.waived,
        }
    }
}

/// All requirements of a project in brief, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Standings {
    /// By number, side by side: a filter goes through all of them.
    pub rows: Vec<Brief>,
    /// The names of the gates.
    pub gates: Vec<GateName>,
    /// Counted.
    pub by_status: ByStatus,
    /// Places in `rows`, by title and then by number. Numbers only rise, so places stay.
    by_title: Vec<u32>,
}

impl Standings {
    /// The place of a gate's name; none when no requirement has it.
    pub fn gate(&self, name: &GateName) -> Option<u16> {
        self.gates.iter().position(|known| known == name).and_then(|at| u16::try_from(at).ok())
    }

    /// The place of a requirement's brief.
    pub fn at(&self, id: RequirementNumber) -> Option<usize> {
        self.rows.binary_search_by_key(&id, |row| row.id).ok()
    }

    /// The rows by title, from the first one behind `after`.
    pub fn by_title(&self, after: Option<&Brief>) -> impl Iterator<Item = &Brief> {
        let start =
            after.map_or(0, |after| self.by_title.partition_point(|at| self.title(*at) <= (&*after.title, after.id)));
        self.by_title[start..].iter().map(|at| &self.rows[*at as usize])
    }

    fn title(&self, at: u32) -> (&str, RequirementNumber) {
        let row = &self.rows[at as usize];
        (&row.title, row.id)
    }

    /// Takes a whole project, page by page; [`Self::ordered`] ends it.
    fn load(&mut self, page: &[Worth]) {
        for worth in page {
            let brief = self.brief(worth);
            *self.by_status.slot(brief.status) += 1;
            self.rows.push(brief);
        }
    }

    fn ordered(mut self) -> Self {
        let mut order: Vec<u32> = (0..).take(self.rows.len()).collect();
        order.sort_unstable_by(|a, b| self.title(*a).cmp(&self.title(*b)));
        self.by_title = order;
        self
    }

    /// Takes what a requirement is worth now.
    fn put(&mut self, worth: &Worth) {
        let brief = self.brief(worth);
        *self.by_status.slot(brief.status) += 1;
        let place = self.rows.binary_search_by_key(&brief.id, |row| row.id);
        if let Ok(at) = place {
            let before = self.rows[at].clone();
            *self.by_status.slot(before.status) -= 1;
            if before.title == brief.title {
                self.rows[at] = brief;
                return;
            }
            let old = self.by_title.partition_point(|at| self.title(*at) < (&*before.title, before.id));
            self.by_title.remove(old);
        }
        let at = place.unwrap_or_else(|at| at);
        let new = self.by_title.partition_point(|at| self.title(*at) < (&*brief.title, brief.id));
        match place {
            Ok(at) => self.rows[at] = brief,
            Err(at) => self.rows.insert(at, brief),
        }
        self.by_title.insert(new, u32::try_from(at).unwrap_or(u32::MAX));
    }

    fn brief(&mut self, worth: &Worth) -> Brief {
        let (requirement, standing) = (&worth.requirement, &worth.standing);
        let mut told = Vec::with_capacity(standing.obligations.len());
        for own in &standing.obligations {
            let gate = self.gate(&own.gate).unwrap_or_else(|| {
                self.gates.push(own.gate.clone());
                // A project has at most 64 gates at a time, and names are kept by requirements alone.
                u16::try_from(self.gates.len() - 1).unwrap_or(u16::MAX)
            });
            told.push(Told { gate, verdict: own.outcome.verdict(), waived: own.waived });
        }
        Brief {
            id: requirement.id,
            severity: requirement.severity,
            kind: requirement.kind,
            source: requirement.source,
            status: standing.status,
            stale: standing.stale,
            flaky: worth.flaky,
            tampered: worth.tampered(),
            waiver: worth.waiver.is_some(),
            title: requirement.title.to_lowercase().into(),
            issue: requirement.issue.as_deref().map(Arc::from),
            obligations: told.into(),
        }
    }
}

/// What a project's standings are remembered for.
#[derive(Debug, Clone, PartialEq)]
struct Stamp {
    touched: u64,
    tree: Option<String>,
    day: Day,
}

impl Stamp {
    fn of(stamp: &ProjectStamp, now: Timestamp) -> Self {
        let tree = stamp.observed.as_ref().and_then(|seen| seen.get("tree")).and_then(Value::as_str);
        Self { touched: stamp.touched, tree: tree.map(str::to_owned), day: now.day() }
    }
}

#[derive(Default)]
struct Kept {
    /// Held by the one who reads; others wait for what it finds.
    known: tokio::sync::Mutex<Option<(Stamp, Arc<Standings>)>>,
}

/// The briefs of all projects that were lately asked for.
#[derive(Default)]
pub struct Briefs {
    projects: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    kept: HashMap<ProjectId, (u64, usize, Arc<Kept>)>,
    uses: u64,
}

impl Briefs {
    fn of(&self, project: ProjectId) -> Arc<Kept> {
        let mut all = locked(&self.projects);
        all.uses += 1;
        let use_of = all.uses;
        let entry = all.kept.entry(project).or_default();
        entry.0 = use_of;
        Arc::clone(&entry.2)
    }

    /// Says how many are remembered of a project; forgets those that nobody asked for longest while all
    /// together are too many.
    fn weigh(&self, project: ProjectId, rows: usize) {
        let mut all = locked(&self.projects);
        if let Some(entry) = all.kept.get_mut(&project) {
            entry.1 = rows;
        }
        while all.kept.len() > 1
            && all.kept.values().map(|(_, rows, _)| rows).sum::<usize>() > limits::REQUIREMENTS_REMEMBERED
        {
            let oldest = all.kept.iter().filter(|(id, _)| **id != project).min_by_key(|(_, (used, ..))| *used);
            let Some(oldest) = oldest.map(|(id, _)| *id) else { return };
            all.kept.remove(&oldest);
        }
    }
}

/// What is to be looked at again.
enum Again {
    All,
    Some(Vec<RequirementNumber>),
}

async fn again(
    tx: &mut Tx,
    project: ProjectId,
    known: Option<&(Stamp, Vec<RequirementNumber>)>,
    now: &Stamp,
) -> Result<Again, Problem> {
    let Some((stamp, dated)) = known else { return Ok(Again::All) };
    if stamp.tree != now.tree || stamp.touched > now.touched {
        return Ok(Again::All);
    }
    let mut touched = tx.requirements_touched(project, stamp.touched, TOUCHED + 1).await?;
    if touched.len() > TOUCHED as usize {
        return Ok(Again::All);
    }
    if stamp.day != now.day {
        touched.extend(dated);
        touched.sort_unstable();
        touched.dedup();
    }
    Ok(Again::Some(touched))
}

/// The standings of a project as of now.
///
/// # Errors
/// What the store says.
pub async fn current(engine: &Engine, project: ProjectId) -> Result<Arc<Standings>, Problem> {
    let kept = engine.proof().briefs.of(project);
    let mut known = kept.known.lock().await;
    let now = engine.now();
    let seen = engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.project_stamp(project).await?) }))
        .await?;
    let stamp = Stamp::of(&seen, now);
    if let Some((before, standings)) = known.as_ref().filter(|(before, _)| *before == stamp) {
        let _ = before;
        return Ok(Arc::clone(standings));
    }
    let remembered = known.take();
    let had = remembered.as_ref().map(|(stamp, standings)| {
        let dated = standings.rows.iter().filter(|row| row.waiver).map(|row| row.id).collect();
        (stamp.clone(), dated)
    });
    let base = remembered.map(|(_, standings)| standings);
    let (stamp, fresh, found) = engine
        .store()
        .read(move |tx| {
            let had = had.clone();
            Box::pin(async move {
                // Read again on the snapshot that the rest is read from.
                let stamp = Stamp::of(&tx.project_stamp(project).await?, now);
                let mut found = Standings::default();
                let mut fresh = Vec::new();
                match again(tx, project, had.as_ref(), &stamp).await? {
                    Again::All => {
                        let mut after = None;
                        loop {
                            let page = worth::page(tx, project, after, PAGE, now).await?;
                            found.load(&page);
                            match page.last() {
                                Some(last) if page.len() == PAGE as usize => after = Some(last.requirement.id),
                                _ => break,
                            }
                        }
                        Ok::<_, Problem>((stamp, None, found.ordered()))
                    }
                    Again::Some(ids) => {
                        for ids in ids.chunks(PAGE as usize) {
                            fresh.extend(worth::several(tx, project, ids, now).await?);
                        }
                        Ok((stamp, Some(fresh), found))
                    }
                }
            })
        })
        .await?;
    let standings = match (fresh, base) {
        (Some(fresh), Some(mut base)) => {
            let all = Arc::make_mut(&mut base);
            fresh.iter().for_each(|worth| all.put(worth));
            base
        }
        _ => Arc::new(found),
    };
    engine.proof().briefs.weigh(project, standings.rows.len());
    *known = Some((stamp, Arc::clone(&standings)));
    Ok(standings)
}

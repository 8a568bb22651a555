//! Lists of requirements: filtered and sorted by what they are worth at this moment, not by what was
//! last told, so that a waiver that ran out at midnight shows without any sweep in between (P64).

use std::cmp::{Ordering, Reverse};

use model::{
    problem::Problem,
    project::Project,
    proof::{
        classify::Kind,
        gate::GateName,
        requirement::{RequirementNumber, Severity, Source, normalised_title},
        standing::Status,
        verdict::Verdict,
    },
};

use super::worth::{self, Worth};
use crate::Engine;

/// Which requirements; the fields join with AND (P15), an empty list is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Standing so.
    pub status: Vec<Status>,
    /// So bad.
    pub severity: Vec<Severity>,
    /// Of this kind.
    pub kind: Vec<Kind>,
    /// Seen there.
    pub source: Vec<Source>,
    /// With this gate.
    pub gate: Option<GateName>,
    /// With this verdict: of `gate` where that is given, else of any gate.
    pub verdict: Option<Verdict>,
    /// Resting on another tree's proof, or not.
    pub stale: Option<bool>,
    /// Flaky, or not.
    pub flaky: Option<bool>,
    /// Whose title, text or id holds this.
    pub q: Option<String>,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By number.
    #[default]
    Id,
    /// The newest first.
    Newest,
    /// The worst first.
    Severity,
    /// Open ones first, then waived, then satisfied ones.
    Status,
    /// By title.
    Title,
}

impl Sort {
    /// The words used on the wire.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("id", Self::Id),
        ("-id", Self::Newest),
        ("severity", Self::Severity),
        ("status", Self::Status),
        ("title", Self::Title),
    ];

    fn compare(self, a: &Worth, b: &Worth) -> Ordering {
        let rank = |status: Status| match status {
            Status::Open => 0,
            Status::Waived => 1,
            Status::Satisfied => 2,
        };
        let (one, other) = (&a.requirement, &b.requirement);
        let first = match self {
            Self::Id => Ordering::Equal,
            Self::Newest => Reverse(one.id).cmp(&Reverse(other.id)),
            Self::Severity => Reverse(one.severity).cmp(&Reverse(other.severity)),
            Self::Status => rank(a.standing.status).cmp(&rank(b.standing.status)),
            Self::Title => one.title.to_lowercase().cmp(&other.title.to_lowercase()),
        };
        first.then(one.id.cmp(&other.id))
    }
}

/// How many requirements stand how, over the whole project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByStatus {
    /// Something is not proven.
    pub open: u64,
    /// All is proven.
    pub satisfied: u64,
    /// A person took it over.
    pub waived: u64,
}

/// A page of requirements.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The page.
    pub items: Vec<Worth>,
    /// Whether more follow.
    pub has_more: bool,
    /// How many the filter finds.
    pub total: u64,
    /// Over the whole project, whatever the filter.
    pub by_status: ByStatus,
}

/// Lists requirements; `after` is the last one of the page before.
///
/// # Errors
/// 422 for an `after` that the list does not hold.
pub async fn list(
    engine: &Engine,
    project: &Project,
    filter: &Filter,
    sort: Sort,
    after: Option<RequirementNumber>,
    limit: usize,
) -> Result<Listed, Problem> {
    let (project, now) = (project.id, engine.now());
    let all = engine.store().read(move |tx| Box::pin(async move { worth::all(tx, project, now).await })).await?;
    let mut by_status = ByStatus::default();
    for worth in &all {
        match worth.standing.status {
            Status::Open => by_status.open += 1,
            Status::Satisfied => by_status.satisfied += 1,
            Status::Waived => by_status.waived += 1,
        }
    }
    let words = filter.q.as_deref().map(|q| (q.trim().to_lowercase(), normalised_title(q)));
    let mut found: Vec<Worth> = all.into_iter().filter(|worth| fits(filter, words.as_ref(), worth)).collect();
    found.sort_by(|a, b| sort.compare(a, b));
    let total = found.len() as u64;
    let start = match after {
        None => 0,
        Some(after) => match found.iter().position(|worth| worth.requirement.id == after) {
            Some(at) => at + 1,
            // It may have left this list since the page before was read; by number the place is known.
            None if sort == Sort::Id => found.partition_point(|worth| worth.requirement.id <= after),
            None => return Err(Problem::invalid_field("/cursor", "not a cursor of this list").with("in", "query")),
        },
    };
    let has_more = found.len() > start + limit;
    let items = found.into_iter().skip(start).take(limit).collect();
    Ok(Listed { items, has_more, total, by_status })
}

fn fits(filter: &Filter, words: Option<&(String, String)>, worth: &Worth) -> bool {
    fn any<T: PartialEq>(list: &[T], value: &T) -> bool {
        list.is_empty() || list.contains(value)
    }
    let (requirement, standing) = (&worth.requirement, &worth.standing);
    let mut gates = standing.obligations.iter().filter(|own| filter.gate.as_ref().is_none_or(|gate| own.gate == *gate));
    let has_gate = match filter.verdict {
        Some(verdict) => gates.any(|own| own.outcome.verdict() == verdict),
        None => gates.next().is_some(),
    };
    let holds = |(plain, normalised): &(String, String)| {
        requirement.title.to_lowercase().contains(plain)
            || requirement.description.to_lowercase().contains(plain)
            || requirement.id.to_string().to_lowercase().contains(plain)
            || (!normalised.is_empty() && normalised_title(&requirement.title).contains(normalised))
    };
    any(&filter.status, &standing.status)
        && any(&filter.severity, &requirement.severity)
        && any(&filter.kind, &requirement.kind)
        && any(&filter.source, &requirement.source)
        && has_gate
        && filter.stale.is_none_or(|stale| stale == standing.stale)
        && filter.flaky.is_none_or(|flaky| flaky == worth.flaky)
        && words.is_none_or(holds)
}

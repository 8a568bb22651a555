//! Lists of requirements: filtered and sorted by what they are worth at this moment, not by what was
//! last told, so that a waiver that ran out at midnight shows without any sweep in between (P64).

use std::{
    cmp::{Ordering, Reverse},
    collections::HashSet,
    str::FromStr,
};

use model::{
    id::{IssueId, ProjectId},
    issue::{IssueNumber, NameInvalid},
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

use serde::{Deserialize, Deserializer, de::Error as _};
use store::{Order, RequirementFilter};

use super::{
    briefs::{self, Brief},
    worth::{self, Worth},
};
use crate::Engine;

pub use super::briefs::ByStatus;

/// Requirements that are read at once where all have to be looked through.
const PAGE: u32 = 1_000;

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
    /// About this issue of the project: a number or an id.
    pub issue: Option<IssueOf>,
    /// Whose title, text or id holds this.
    pub q: Option<String>,
}

/// An issue of the project that is listed, as a filter names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueOf {
    /// By number.
    Number(IssueNumber),
    /// By id.
    Id(IssueId),
}

impl<'de> Deserialize<'de> for IssueOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl FromStr for IssueOf {
    type Err = NameInvalid;
    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Number))
    }
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

    fn compare(self, one: &Brief, other: &Brief) -> Ordering {
        let rank = |status: Status| match status {
            Status::Open => 0,
            Status::Waived => 1,
            Status::Satisfied => 2,
        };
        let first = match self {
            Self::Id => Ordering::Equal,
            Self::Newest => Reverse(one.id).cmp(&Reverse(other.id)),
            Self::Severity => Reverse(one.severity).cmp(&Reverse(other.severity)),
            Self::Status => rank(one.status).cmp(&rank(other.status)),
            Self::Title => one.title.cmp(&other.title),
        };
        first.then(one.id.cmp(&other.id))
    }
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
/// 422 for an `after` that the project does not have.
pub async fn list(
    engine: &Engine,
    project: &Project,
    filter: &Filter,
    sort: Sort,
    after: Option<RequirementNumber>,
    limit: usize,
) -> Result<Listed, Problem> {
    let (own, project, now) = (project, project.id, engine.now());
    let all = briefs::current(engine, project).await?;
    let with_words = match &filter.q {
        Some(q) => Some(holding(engine, project, q).await?),
        None => None,
    };
    let after = match after {
        None => None,
        Some(after) => Some(
            all.at(after)
                .map(|at| &all.rows[at])
                .ok_or_else(|| Problem::invalid_field("/cursor", "not a cursor of this list").with("in", "query"))?,
        ),
    };
    // A gate that no requirement has finds nothing.
    let gate = filter.gate.as_ref().map(|gate| all.gate(gate));
    let issue = match &filter.issue {
        Some(issue) => Some(spellings(engine, own, issue).await?),
        None => None,
    };
    let about = |row: &Brief| match (&issue, &row.issue) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(names), Some(written)) => names.iter().any(|name| name.eq_ignore_ascii_case(written)),
    };
    let listed = |row: &&Brief| {
        fits(filter, gate, row) && about(row) && with_words.as_ref().is_none_or(|ids| ids.contains(&row.id))
    };
    let behind = |row: &&Brief| after.is_none_or(|after| sort.compare(row, after).is_gt());
    let count = || match (filter == &Filter::default(), all.rows.len()) {
        (true, all) => all as u64,
        (false, _) => all.rows.iter().filter(listed).count() as u64,
    };
    let wanted = limit + 1;
    let (total, mut page): (u64, Vec<&Brief>) = match sort {
        // These orders are kept: the page is where it is.
        Sort::Id => (count(), all.rows.iter().filter(behind).filter(listed).take(wanted).collect()),
        Sort::Newest => (count(), all.rows.iter().rev().filter(behind).filter(listed).take(wanted).collect()),
        Sort::Title => (count(), all.by_title(after).filter(listed).take(wanted).collect()),
        Sort::Severity | Sort::Status => {
            let mut total = 0;
            let mut best = Best { sort, limit: wanted, rows: Vec::new(), last: None };
            for row in all.rows.iter().filter(listed) {
                total += 1;
                if behind(&row) {
                    best.put(row);
                }
            }
            (total, best.page())
        }
    };
    let has_more = page.len() > limit;
    page.truncate(limit);
    let ids: Vec<RequirementNumber> = page.iter().map(|row| row.id).collect();
    let items = engine
        .store()
        .read(move |tx| {
            let ids = ids.clone();
            Box::pin(async move { worth::several(tx, project, &ids, now).await })
        })
        .await?;
    Ok(Listed { items, has_more, total, by_status: all.by_status })
}

/// The first rows of an order, as they come: only the page is put in order, not what lies behind it.
struct Best<'r> {
    sort: Sort,
    limit: usize,
    rows: Vec<&'r Brief>,
    /// What comes after this one is on no page of this size.
    last: Option<&'r Brief>,
}

impl<'r> Best<'r> {
    fn put(&mut self, row: &'r Brief) {
        if self.last.is_some_and(|last| self.sort.compare(row, last).is_gt()) {
            return;
        }
        self.rows.push(row);
        if self.rows.len() > 4 * self.limit {
            self.cut();
            self.last = self.rows.iter().copied().max_by(|a, b| self.sort.compare(a, b));
        }
    }

    fn cut(&mut self) {
        if self.rows.len() > self.limit {
            self.rows.select_nth_unstable_by(self.limit, |a, b| self.sort.compare(a, b));
            self.rows.truncate(self.limit);
        }
    }

    fn page(mut self) -> Vec<&'r Brief> {
        self.cut();
        self.rows.sort_unstable_by(|a, b| self.sort.compare(a, b));
        self.rows
    }
}

/// The requirements whose title, text or id holds this. Reads them all, a page at a time: texts are too
/// long to be remembered.
async fn holding(engine: &Engine, project: ProjectId, q: &str) -> Result<HashSet<RequirementNumber>, Problem> {
    let words = (q.trim().to_lowercase(), normalised_title(q));
    engine
        .store()
        .read(move |tx| {
            let (plain, normalised) = words.clone();
            Box::pin(async move {
                let mut found = HashSet::new();
                let mut after = None;
                loop {
                    let page =
                        tx.requirements(project, &RequirementFilter::default(), Order::Rising, after, PAGE).await?;
                    for kept in &page {
                        let own = &kept.requirement;
                        if own.title.to_lowercase().contains(&plain)
                            || own.description.to_lowercase().contains(&plain)
                            || own.id.to_string().to_lowercase().contains(&plain)
                            || (!normalised.is_empty() && normalised_title(&own.title).contains(&normalised))
                        {
                            found.insert(own.id);
                        }
                    }
                    match page.last() {
                        Some(last) if page.len() == PAGE as usize => after = Some(last.requirement.id),
                        _ => return Ok::<_, Problem>(found),
                    }
                }
            })
        })
        .await
}

/// The ways in which a requirement may name an issue of its project: whoever captures writes what they see.
async fn spellings(engine: &Engine, project: &Project, issue: &IssueOf) -> Result<Vec<String>, Problem> {
    let (id, issue) = (project.id, issue.clone());
    let found = engine
        .store()
        .read(move |tx| {
            let issue = issue.clone();
            Box::pin(async move {
                let found = match issue {
                    IssueOf::Number(number) => tx.issue_by_number(id, number).await?,
                    IssueOf::Id(issue) => tx.issue(issue).await?.filter(|issue| issue.project == id),
                };
                Ok::<_, Problem>(found)
            })
        })
        .await?;
    // An issue that is not there is named by nothing.
    Ok(found.map_or_else(Vec::new, |issue| {
        let number = issue.number;
        vec![number.to_string(), format!("#{number}"), format!("{}#{number}", project.key), issue.id.to_string()]
    }))
}

fn fits(filter: &Filter, gate: Option<Option<u16>>, row: &Brief) -> bool {
    fn any<T: PartialEq>(list: &[T], value: &T) -> bool {
        list.is_empty() || list.contains(value)
    }
    let mut gates = row.obligations.iter().filter(|own| gate.is_none_or(|gate| gate == Some(own.gate)));
    let has_gate = match filter.verdict {
        Some(verdict) => gates.any(|own| own.verdict == verdict),
        None => gates.next().is_some(),
    };
    any(&filter.status, &row.status)
        && any(&filter.severity, &row.severity)
        && any(&filter.kind, &row.kind)
        && any(&filter.source, &row.source)
        && has_gate
        && filter.stale.is_none_or(|stale| stale == row.stale)
        && filter.flaky.is_none_or(|flaky| flaky == row.flaky)
}

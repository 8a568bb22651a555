//! The merge gate's answer for a tree (P69 to P71), from standing and never from run rows.
//!
//! It fails closed (P70): whatever cannot be read, found or done in time is an error here, never clear.
//! What the answer would lean on is held against its bytes first (P51).

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use exec::git::{FileText, GitError, Repository};
use model::{
    code::Code,
    id::EvidenceId,
    limits,
    problem::Problem,
    project::Project,
    proof::{
        check::{CheckAnswer, Checked, Question, check as answer},
        config::{FILE, ProjectConfig, ScopeMaps},
        scope::Changes,
        settings::CheckScope,
        standing::{EvidenceFacts, Ground, Standing},
        tree::{ObjectId, RefName},
    },
};

use super::{evidence::examine, footing::Footing, ground};
use crate::{Engine, projects};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Which files are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The project's checkout as it lies.
    Worktree,
    /// The files of a branch, tag or commit.
    Ref(RefName),
    /// This tree; the plane need not have it.
    Tree(ObjectId),
}

/// The question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which files.
    pub what: What,
    /// Which requirements; absent is as the project's settings say.
    pub scope: Option<CheckScope>,
    /// What changes are counted from; absent is the default branch.
    pub base: Option<RefName>,
    /// Whether a project without requirements in scope is clear.
    pub allow_empty: bool,
}

/// May this tree be merged, and if not, what stands in the way?
///
/// # Errors
/// 422 for a ref that is not there, 503 for what took too long, and whatever the store or git says.
/// There is no answer that is only half known.
pub async fn check(engine: &Engine, project: &Project, ask: &Ask) -> Result<CheckAnswer, Problem> {
    match tokio::time::timeout(LIMIT, ask_all(engine, project, ask)).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("the check was not answered within {} s", LIMIT.as_secs());
            Err(Problem::new(Code::TimedOut, message))
        }
    }
}

/// The files in question and where they were found.
struct Place {
    tree: Option<ObjectId>,
    /// The commit behind them, where there is one.
    commit: Option<ObjectId>,
    dirty: bool,
}

async fn ask_all(engine: &Engine, project: &Project, ask: &Ask) -> Result<CheckAnswer, Problem> {
    let place = place(engine, project, &ask.what).await?;
    let id = project.id;
    let settings =
        engine.store().read(move |tx| Box::pin(async move { projects::proof_settings(tx, id).await })).await?;
    let scope = ask.scope.unwrap_or(settings.check_scope);
    let changed = changed(project, ask, &place, scope).await?;
    let accepted = ground::accepted(engine, project).await?;

    let tree = place.tree.clone();
    let mut footing = engine
        .store()
        .read(move |tx| {
            let tree = tree.clone();
            Box::pin(async move { Footing::read(tx, id, tree.as_ref()).await })
        })
        .await?;
    let ground =
        Ground { tree: place.tree.as_ref(), today: engine.now().day(), settings: &settings, accepted: &accepted };
    let first = footing.standings(&ground);
    believe(engine, project, &mut footing.evidence, &first).await?;
    let standings = footing.standings(&ground);

    let changes = match &changed {
        Changed::Irrelevant(maps) | Changed::Unknown(maps) => Changes::unknown(maps),
        Changed::Files(files, maps) => Changes::of(files.iter().map(String::as_str), maps),
    };
    let question = Question {
        tree: place.tree.as_ref(),
        scope,
        changes: &changes,
        allow_empty: ask.allow_empty,
        settings: &settings,
    };
    let checked = footing.requirements.iter().zip(&standings).map(|(kept, standing)| Checked {
        requirement: &kept.requirement,
        standing,
        waiver: footing.waivers.get(&kept.requirement.id),
    });
    let mut answer = answer(&question, checked);
    if place.dirty {
        answer.warnings.push("uncommitted changes are part of what was checked".to_owned());
    }
    Ok(answer)
}

/// Holds what passes would lean on against its bytes, and corrects the rows by what was found (P51).
async fn believe(
    engine: &Engine,
    project: &Project,
    rows: &mut [EvidenceFacts],
    standings: &[Standing],
) -> Result<(), Problem> {
    let leant_on: HashSet<EvidenceId> = standings
        .iter()
        .flat_map(|standing| &standing.obligations)
        .filter(|obligation| !obligation.waived)
        .filter_map(|obligation| obligation.evidence)
        .collect();
    let passes: HashSet<EvidenceId> = rows
        .iter()
        .filter(|facts| facts.outcome.is_passed() && leant_on.contains(&facts.id))
        .map(|facts| facts.id)
        .collect();
    let ids: Vec<EvidenceId> = passes.iter().copied().collect();
    let examined = examine(engine, project.id, &ids).await?;
    let intact: HashMap<EvidenceId, bool> = examined.iter().map(|one| (one.facts.id, one.is_intact())).collect();
    for facts in rows.iter_mut().filter(|facts| passes.contains(&facts.id)) {
        // What was not found at all is no proof of anything.
        facts.intact = intact.get(&facts.id).copied().unwrap_or(false);
    }
    Ok(())
}

async fn place(engine: &Engine, project: &Project, what: &What) -> Result<Place, Problem> {
    match what {
        What::Tree(tree) => Ok(Place { tree: Some(tree.clone()), commit: None, dirty: false }),
        What::Worktree => {
            let seen = ground::observe(engine, project).await?;
            Ok(Place { tree: seen.tree, commit: Some(seen.commit), dirty: seen.dirty })
        }
        What::Ref(name) => {
            let repository = ground::open(project).await?;
            let commit = repository.resolve(name.as_str()).await?;
            let tree = repository.tree_of(&commit).await?;
            Ok(Place { tree: Some(tree), commit: Some(commit), dirty: false })
        }
    }
}

/// What differs from the base.
enum Changed {
    /// Every requirement is asked about.
    Irrelevant(ScopeMaps),
    /// Nobody could find out: everything is in scope (P14).
    Unknown(ScopeMaps),
    /// These files.
    Files(Vec<String>, ScopeMaps),
}

/// The files that differ from the base. A base that was named and is not there is refused; whatever
/// else cannot be found out puts everything in scope.
async fn changed(project: &Project, ask: &Ask, place: &Place, scope: CheckScope) -> Result<Changed, Problem> {
    let nothing = ScopeMaps::default;
    if scope == CheckScope::All {
        return Ok(Changed::Irrelevant(nothing()));
    }
    let repository = match ground::open(project).await {
        Ok(repository) => repository,
        Err(problem) if ask.base.is_some() => return Err(problem),
        Err(_) => return Ok(Changed::Unknown(nothing())),
    };
    let base = match &ask.base {
        Some(base) => repository.resolve(base.as_str()).await?,
        None => {
            let named = repository.default_branch().await?;
            let Some(named) = named else { return Ok(Changed::Unknown(nothing())) };
            repository.resolve(&named).await?
        }
    };
    match differing(&repository, &base, place).await {
        // The maps of the base, so that a branch cannot argue itself out of scope.
        Ok(Some(files)) => match maps_at(&repository, &base).await {
            Some(maps) => Ok(Changed::Files(files, maps)),
            None => Ok(Changed::Unknown(nothing())),
        },
        Ok(None) | Err(_) => Ok(Changed::Unknown(nothing())),
    }
}

async fn differing(repository: &Repository, base: &ObjectId, place: &Place) -> Result<Option<Vec<String>>, GitError> {
    let changes = match (&place.commit, &place.tree) {
        (Some(commit), tree) => {
            let Some(common) = repository.merge_base(base, commit).await? else { return Ok(None) };
            match tree {
                Some(tree) if !place.dirty => repository.changed_between(&common, tree).await?,
                _ => repository.changed_since(&common).await?,
            }
        }
        // A tree alone has no history: all that differs from the base counts.
        (None, Some(tree)) => repository.changed_between(base, tree).await?,
        (None, None) => return Ok(None),
    };
    Ok(Some(changes.into_iter().map(|change| change.path).collect()))
}

async fn maps_at(repository: &Repository, commit: &ObjectId) -> Option<ScopeMaps> {
    match repository.read_at(commit, FILE, limits::CONFIG_FILE).await.ok()? {
        FileText::Absent => Some(ScopeMaps::default()),
        FileText::Bytes(bytes) => ProjectConfig::parse(&bytes).ok().map(|config| config.proof.scope),
        FileText::Unusable(_) => None,
    }
}

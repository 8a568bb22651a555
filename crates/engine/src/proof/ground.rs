//! What the merge gate stands on: the files of the checkout as they are now, its gates, and the
//! definitions that are taken (P55, P60). No folder of the machine is in what is said here (P74).

use std::{collections::HashSet, path::Path};

use exec::git::{GitError, Repository};
use model::{
    code::Code,
    digest::Digest,
    policy::{Policy, programs_of},
    problem::Problem,
    project::Project,
};

use super::target::{self, Catalogue, Seen};
use crate::{Engine, projects};

/// Opens a project's checkout.
///
/// # Errors
/// [`Code::CheckoutMissing`] when it is not where it was registered.
pub async fn open(project: &Project) -> Result<Repository, Problem> {
    Repository::open(Path::new(&project.path)).await.map_err(|error| match error {
        GitError::Missing(_) | GitError::Unreadable(..) | GitError::NotARepository(_) => {
            Problem::new(Code::CheckoutMissing, "the project's checkout is not where it was registered")
        }
        other => other.into(),
    })
}

/// Looks at the checkout and writes down what was seen.
///
/// # Errors
/// What the checkout, git or the store say.
pub async fn observe(engine: &Engine, project: &Project) -> Result<Seen, Problem> {
    open(project).await?;
    target::observe(engine, project).await
}

/// The gates of the checkout as it lies.
///
/// # Errors
/// What the checkout, its `proofhouse.toml` or the store say.
pub async fn catalogue(engine: &Engine, project: &Project) -> Result<Catalogue, Problem> {
    let repository = open(project).await?;
    let id = project.id;
    let settings =
        engine.store().read(move |tx| Box::pin(async move { projects::proof_settings(tx, id).await })).await?;
    let (tree, config) = target::files(&repository).await?;
    let tools = engine.proof().tools(&tree, repository.root()).await;
    Ok(Catalogue::of(&tree, &config, &settings, &tools))
}

/// A policy for a project that has none: the defaults, and the programs of the families found, of
/// declared gates and of virtual environments (L74). A person looks at it before it is saved.
pub fn starter(project: &Project, catalogue: &Catalogue) -> Policy {
    let root = Path::new(&project.path);
    let families: Vec<&str> = catalogue.found.iter().map(|found| found.runner.as_str()).collect();
    let mut programs = Vec::new();
    for gate in &catalogue.gates {
        if !gate.definition.argv.is_empty() {
            programs.extend(programs_of(&gate.definition.argv, root, &gate.definition.cwd));
        }
    }
    if let Some(prepare) = &catalogue.prepare {
        programs.extend(programs_of(prepare, root, ""));
    }
    for found in catalogue.found.iter().filter(|found| found.runner == "python") {
        for home in found.roots.iter().flat_map(|home| [(home, ".venv"), (home, "venv")]) {
            let program = format!("{}{}{}/bin/python", home.0, if home.0.is_empty() { "" } else { "/" }, home.1);
            if root.join(&program).exists() {
                programs.push(program);
            }
        }
    }
    Policy::starter(&families, &programs)
}

/// The definitions that the merge gate takes: those of the default branch, and those that an admin has
/// accepted. A checkout out of reach leaves the latter.
///
/// # Errors
/// What git or the store say.
pub async fn accepted(engine: &Engine, project: &Project) -> Result<HashSet<Digest>, Problem> {
    match open(project).await {
        Ok(_) => return target::accepted(engine, project).await,
        Err(problem) if problem.code == Code::CheckoutMissing => {}
        Err(problem) => return Err(problem),
    }
    let id = project.id;
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let accepted = tx.definitions_accepted(id).await?;
                Ok::<_, Problem>(accepted.into_iter().map(|one| one.definition).collect())
            })
        })
        .await
}

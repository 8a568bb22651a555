//! Looks at the repository before a run is stored: the commit it will stand on, and the roles there.

use std::path::Path;

use exec::git::{GitError, Repository};
use model::{code::Code, problem::Problem, project::Project, proof::tree::ObjectId, worker::Advertised};
use serde::{Deserialize, Serialize};

use super::roles;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The commit to start from; none where there is no repository.
    pub base: Option<ObjectId>,
    /// What it is called.
    pub base_name: Option<String>,
    /// The address of the server that the repository came from.
    pub url: Option<String>,
    /// The project's own role files there.
    pub roles: roles::Files,
    /// Why there is no repository.
    pub unavailable: Option<String>,
    /// The agents that are on the plane's own machine.
    #[serde(default)]
    pub offered: Vec<Advertised>,
    /// Whether an agent can be fenced in there.
    #[serde(default)]
    pub fences: bool,
}

/// Looks. A folder that is not there is no refusal: the run says what became of that (D48).
///
/// # Errors
/// 422 for a base that the repository does not have, and for what is no repository, is bare, or has no commit (S71).
pub async fn survey(project: &Project, base: Option<&str>) -> Result<Survey, Problem> {
    let repository = match Repository::open(Path::new(&project.path)).await {
        Ok(repository) => repository,
        // What no time mends is said at once; a folder that is away may come back.
        Err(error @ (GitError::NotARepository(_) | GitError::Bare(_) | GitError::NoCommits(_))) => {
            return Err(error.into());
        }
        Err(error) => return Ok(Survey { unavailable: Some(error.to_string()), ..Survey::default() }),
    };
    let (name, commit) = match base {
        Some(name) => {
            let found = repository
                .resolve(name)
                .await
                .map_err(|error| Problem::new(Code::BranchNotFound, error.to_string()).with("base", name))?;
            (name.to_owned(), found)
        }
        None => roles::default_base(&repository).await?,
    };
    let roles = roles::files_at(&repository, &commit).await?;
    let url = repository.origin().await;
    Ok(Survey { base: Some(commit), base_name: Some(name), url, roles, ..Survey::default() })
}

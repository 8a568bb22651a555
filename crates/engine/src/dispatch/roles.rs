//! The roles of a project: those of the plane under those of its repository, as of a commit (D29).

use std::path::Path;

use exec::git::{FileText, Repository};
use model::{
    problem::Problem,
    project::Project,
    proof::tree::ObjectId,
    role::{Catalogue, FILE_MAX, FILES, FOLDER},
};

/// The files of a project's own roles: path, and text or why it could not be read.
pub type Files = Vec<(String, Result<String, String>)>;

/// The roles of a project as its default branch has them now. A repository that is not there has none of its own.
///
/// # Errors
/// Those of git but for a repository that is not there.
pub async fn of_project(project: &Project) -> Result<(Catalogue, Option<ObjectId>), Problem> {
    let Ok(repository) = Repository::open(Path::new(&project.path)).await else {
        return Ok((Catalogue::builtin(), None));
    };
    let base = default_base(&repository).await?.1;
    Ok((Catalogue::over(files_at(&repository, &base).await?), Some(base)))
}

/// The head of the default branch, and what it is called.
///
/// # Errors
/// Those of git.
pub async fn default_base(repository: &Repository) -> Result<(String, ObjectId), Problem> {
    if let Some(branch) = repository.default_branch().await?
        && let Ok(commit) = repository.resolve(&branch).await
    {
        return Ok((branch, commit));
    }
    // Detached, and no branch that could be the default: what is checked out is what there is.
    Ok(("HEAD".to_owned(), repository.head().await?.commit))
}

/// The role files of a commit.
///
/// # Errors
/// Those of git.
pub async fn files_at(repository: &Repository, commit: &ObjectId) -> Result<Files, Problem> {
    let below = format!("{FOLDER}/");
    let is_role =
        |path: &String| path.strip_prefix(&below).is_some_and(|name| !name.contains('/')) && path.ends_with(".md");
    let mut paths: Vec<String> = repository.files_at(commit).await?.into_iter().filter(is_role).collect();
    paths.truncate(FILES);
    let read = repository.read_many_at(commit, &paths, FILE_MAX).await?;
    let text = |text: FileText| match text {
        FileText::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        FileText::Absent => Err("it is not there".to_owned()),
        FileText::Unusable(why) => Err(why),
    };
    Ok(read.into_iter().map(|(path, found)| (path, text(found))).collect())
}

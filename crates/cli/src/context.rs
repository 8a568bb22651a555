//! What a verb has in its hands: the way to write, the way to the plane, the project it is about.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use model::code::Code;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    api::{Api, encode},
    connect::{self, Role},
    env,
    fault::Fault,
    json::{Look as _, short},
    out::Out,
    place::Place,
};

/// Projects that are looked through to find the one of a folder.
const PROJECTS: usize = 10_000;
/// Runs that are looked through to find one by the end of its id.
const RUNS: usize = 500;

/// A verb's surroundings.
#[derive(Debug)]
pub struct Context {
    /// How to write.
    pub out: Out,
    /// Where the plane is.
    pub place: Place,
    /// What the process is to the data folder, should it have to open it.
    role: Role,
    project: Option<String>,
    api: OnceCell<Api>,
}

/// A project, as the verbs need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Where its checkout lies on the plane's machine.
    pub path: PathBuf,
}

impl Project {
    /// From the API's document.
    pub fn of(document: &Value) -> Self {
        Self {
            id: document.text("/id").to_owned(),
            key: document.text("/key").to_owned(),
            path: PathBuf::from(document.text("/path")),
        }
    }

    /// A path of the API below the project.
    pub fn at(&self, path: &str) -> String {
        format!("/projects/{}{path}", encode(&self.key))
    }
}

impl Context {
    /// Puts it together; nothing is connected yet.
    pub fn new(out: Out, place: Place, project: Option<String>, role: Role) -> Self {
        let project = project.or_else(|| env::PROJECT.text());
        Self { out, place, role, project, api: OnceCell::new() }
    }

    /// The plane: found, or opened in this process, at the first call.
    pub async fn api(&self) -> Result<&Api, Fault> {
        self.api.get_or_try_init(|| connect::plane(&self.place, self.role)).await
    }

    /// The plane after its connection was lost; only one that answers.
    pub async fn reconnect(&self) -> Option<Api> {
        match &self.place.server {
            Some(_) => None,
            None => Some(connect::running(&self.place).await?.1),
        }
    }

    /// Ends a plane that was opened in this process, in order.
    pub async fn close(&self) {
        if let Some(api) = self.api.get() {
            api.close().await;
        }
    }

    /// Whether a project was named.
    pub const fn names_project(&self) -> bool {
        self.project.is_some()
    }

    /// The project this is about: named, or the one of the current folder, nearest first.
    pub async fn project(&self) -> Result<Project, Fault> {
        let api = self.api().await?;
        if let Some(name) = &self.project {
            let document = api.get(&format!("/projects/{}", encode(name))).await;
            return document.map(|document| Project::of(&document)).map_err(|fault| {
                let fault = fault.doing(format!("find the project {name}"));
                if fault.is(Code::NotFound) {
                    fault.hinted("`proofhouse project list` shows what there is")
                } else {
                    fault
                }
            });
        }
        let here = std::env::current_dir().map_err(|error| {
            Fault::new(Code::FolderUnreadable, format!("failed to find the current folder: {error}"))
        })?;
        let projects = self.projects().await?;
        let found = nearest(&here, &projects).cloned();
        found.ok_or_else(|| {
            let fault = Fault::usage("no project holds the current folder");
            match projects.as_slice() {
                [] => fault.hinted("`proofhouse init` registers the repository you are in"),
                _ => fault.hinted(
                    "name one with --project (`proofhouse project list`), or register this one: `proofhouse init`",
                ),
            }
        })
    }

    /// Every project one may see.
    pub async fn projects(&self) -> Result<Vec<Project>, Fault> {
        let list = self.api().await?.list("/projects", PROJECTS).await?;
        Ok(list.list("/items").iter().map(Project::of).collect())
    }

    /// A run's whole id from an id, the end of one, or nothing for the newest (`active_only`: the
    /// newest active) proof run of the project.
    pub async fn run_id(&self, given: Option<&str>, active_only: bool) -> Result<String, Fault> {
        if let Some(given) = given
            && given.len() == 36
        {
            return Ok(given.to_owned());
        }
        let api = self.api().await?;
        let project = self.project().await?;
        let path = project.at(if active_only { "/runs?active=true" } else { "/runs" });
        let runs = api.list(&path, if given.is_some() { RUNS } else { 20 }).await?;
        let ids = || runs.list("/items").iter().map(|run| run.text("/id"));
        match given {
            Some(given) => {
                let wanted = given.to_ascii_lowercase();
                let mut hits = ids().filter(|id| id.ends_with(&wanted) || short(id).starts_with(&wanted));
                match (hits.next(), hits.next()) {
                    (Some(id), None) => Ok(id.to_owned()),
                    (Some(_), Some(_)) => {
                        Err(Fault::usage(format!("more than one run is meant by {given}"))
                            .hinted("write more of the id"))
                    }
                    (None, _) => {
                        Err(Fault::new(Code::NotFound, format!("the project {} has no run {given}", project.key))
                            .hinted("`proofhouse run list` shows its runs; name another project with --project"))
                    }
                }
            }
            None => ids().next().map(str::to_owned).ok_or_else(|| {
                let what = if active_only { "active run" } else { "run" };
                Fault::new(Code::NotFound, format!("the project {} has no {what}", project.key))
                    .hinted("`proofhouse proof run` starts one")
            }),
        }
    }

    /// Asks a person for a yes; nothing where there is none to ask.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).ok()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// The project whose checkout holds the folder; of several the innermost.
fn nearest<'p>(folder: &Path, projects: &'p [Project]) -> Option<&'p Project> {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let depth = |project: &&Project| {
        let path = project.path.canonicalize().unwrap_or_else(|_| project.path.clone());
        (path.is_absolute() && real.starts_with(&path)).then(|| path.components().count())
    };
    projects.iter().filter(|project| depth(project).is_some()).max_by_key(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(key: &str, path: &Path) -> Project {
        Project { id: key.into(), key: key.into(), path: path.to_owned() }
    }

    // 10-proof section 7: found upward from the current folder, nearest first.
    #[test]
    fn the_innermost_project_around_the_folder_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("apps/shop");
        let beside = folder.path().join("apps/shop2");
        std::fs::create_dir_all(inner.join("src")).unwrap();
        std::fs::create_dir_all(&beside).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&inner, &link).unwrap();
        let projects = [project("inner", &inner), project("outer", folder.path()), project("odd", Path::new(""))];
        let key = |at: &Path| nearest(at, &projects).map(|project| project.key.as_str());
        assert_eq!(key(&inner.join("src")), Some("inner"));
        assert_eq!(key(&link), Some("inner"));
        assert_eq!(key(&beside), Some("outer"));
        assert_eq!(key(Path::new("/")), None);
    }
}

//! What a caller may see. What it may not see and what does not exist are one answer (P27).

use engine::issues::Detailed;
use model::{id::RunId, issue::IssueName, problem::Problem, project::Project, run::Run};

use crate::{
    app::App,
    auth::{Action, Caller},
    extract::ProjectName,
};

/// The project with this key or id.
async fn named(app: &App, name: &ProjectName) -> Result<Project, Problem> {
    let name = name.clone();
    app.engine
        .store()
        .read(move |tx| {
            let name = name.clone();
            Box::pin(async move {
                let found = match name {
                    ProjectName::Id(id) => tx.project(id).await?,
                    ProjectName::Key(key) => tx.project_by_key(&key).await?,
                };
                found.ok_or_else(Problem::not_found)
            })
        })
        .await
}

/// The project, if the caller may see it.
pub async fn project(app: &App, caller: &Caller, name: &ProjectName) -> Result<Project, Problem> {
    let project = named(app, name).await?;
    caller.may(Action::Read, project.id)?;
    Ok(project)
}

/// The project, if the caller may see it and do this in it.
pub async fn project_for(app: &App, caller: &Caller, name: &ProjectName, action: Action) -> Result<Project, Problem> {
    let project = project(app, caller, name).await?;
    caller.may(action, project.id)?;
    Ok(project)
}

/// The run, if the caller may see it.
pub async fn run(app: &App, caller: &Caller, run: RunId) -> Result<Run, Problem> {
    let run = app.engine.run(run).await?;
    caller.may(Action::Read, run.project)?;
    Ok(run)
}

/// The run, if the caller may see it and do this to it.
pub async fn run_for(app: &App, caller: &Caller, id: RunId, action: Action) -> Result<Run, Problem> {
    let run = run(app, caller, id).await?;
    caller.may(action, run.project)?;
    Ok(run)
}

/// The issue, if the caller may see it.
pub async fn issue(app: &App, caller: &Caller, name: IssueName) -> Result<Detailed, Problem> {
    let found = app.engine.issue(name).await?;
    caller.may(Action::Read, found.issue.project)?;
    Ok(found)
}

/// The issue, if the caller may see it and do this to it.
pub async fn issue_for(app: &App, caller: &Caller, name: IssueName, action: Action) -> Result<Detailed, Problem> {
    let found = issue(app, caller, name).await?;
    caller.may(action, found.issue.project)?;
    Ok(found)
}

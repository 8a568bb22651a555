//! `proofhouse worker map`: where repositories of projects lie on this machine (D48).

use std::path::PathBuf;

use model::project::ProjectKey;
use serde_json::json;
use worker::state::State;

use super::Folder;
use crate::{
    context::Context,
    exit::Exit,
    fault::Fault,
    table::{Table, plain},
};

/// Say where the repository of a project lies on this machine; without arguments, list them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's key on the plane
    // Not called `project`, as `--project` is, which every verb takes.
    #[arg(id = "mapped", value_name = "PROJECT", requires = "path")]
    project: Option<ProjectKey>,
    /// The repository's folder
    #[arg(value_hint = clap::ValueHint::DirPath)]
    path: Option<PathBuf>,
    /// Forget the project
    #[arg(long, value_name = "PROJECT", conflicts_with = "mapped")]
    forget: Option<ProjectKey>,
    #[command(flatten)]
    folder: Folder,
}

/// Maps.
pub fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let state = State::look(&args.folder.path()?);
    let mut repos = state.repos()?;
    let out = &context.out;
    if let Some(key) = args.forget {
        if repos.remove(key.as_str()).is_none() {
            return Err(Fault::usage(format!("no repository is known for {key}")));
        }
        state.keep_repos(&repos)?;
    }
    if let (Some(key), Some(path)) = (args.project, args.path) {
        let path = std::path::absolute(&path).unwrap_or(path);
        if !path.join(".git").exists() && !path.join("HEAD").exists() {
            return Err(Fault::usage(format!("{} is not a git repository", path.display()))
                .hinted("name the folder of a clone of the project's repository"));
        }
        repos.insert(key.to_string(), path);
        state.keep_repos(&repos)?;
    }
    if out.json {
        out.document(&json!(repos));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["PROJECT", "REPOSITORY"]);
    for (key, path) in &repos {
        table.row([plain(key), plain(path.display().to_string())]);
    }
    if table.is_empty() {
        out.line("no repository is known; `proofhouse worker map PROJECT FOLDER` names one");
    } else {
        table.print(out);
        out.line(out.dim("a running worker sees changes when it is started again"));
    }
    Ok(Exit::Ok)
}

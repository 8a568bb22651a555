//! `proofhouse worker`: this machine as a worker of a plane, and the plane's workers.

mod doctor;
mod invite;
mod list;
mod map;
mod pair;
mod run;
mod service;

use std::path::PathBuf;

use clap::Subcommand;

use crate::{context::Context, env, exit::Exit, fault::Fault};

/// Pair and run a worker on this machine; list, drain and revoke the plane's workers
#[derive(Debug, Subcommand)]
pub enum Verb {
    Invite(invite::Args),
    Pair(pair::Args),
    Run(run::Args),
    Doctor(doctor::Args),
    Service(service::Args),
    Map(map::Args),
    /// List the plane's workers and what they do
    List,
    /// Show one of them
    Show(list::Named),
    Drain(list::Drain),
    /// Revoke a worker: its token is refused from now on, and what it holds goes to others
    Revoke(list::Named),
}

/// Where this machine's worker keeps what it knows.
#[derive(Debug, Clone, clap::Args)]
pub struct Folder {
    /// The worker's folder [default: ~/.local/share/proofhouse-worker]
    #[arg(long = "state", value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

impl Folder {
    /// The folder.
    fn path(&self) -> Result<PathBuf, Fault> {
        if let Some(folder) = &self.folder {
            return Ok(std::path::absolute(folder).unwrap_or_else(|_| folder.clone()));
        }
        let data_home = env::XDG_DATA_HOME.path().filter(|path| path.is_absolute());
        let data_home = data_home.or_else(|| env::HOME.path().map(|home| home.join(".local/share")));
        data_home
            .map(|home| home.join("proofhouse-worker"))
            .ok_or_else(|| Fault::usage("no home folder is known").hinted("name the worker's folder with --state"))
    }
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::Invite(args) => invite::run(args, context).await,
            Self::Pair(args) => pair::run(args, context).await,
            Self::Run(args) => run::run(args, context).await,
            Self::Doctor(args) => doctor::run(args, context).await,
            Self::Service(args) => service::run(&args, context),
            Self::Map(args) => map::run(args, context),
            Self::List => list::list(context).await,
            Self::Show(named) => list::show(named, context).await,
            Self::Drain(drain) => list::drain(drain, context).await,
            Self::Revoke(named) => list::revoke(named, context).await,
        }
    }
}

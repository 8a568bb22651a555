//! `proofhouse agent`: which coding agents this machine has, whether they can be used, and a try of one.
//! All of it is about this machine; no plane is asked.

mod attempt;
mod check;
mod list;

use std::path::PathBuf;

use agents::{Agent, declared_in};
use clap::Subcommand;
use model::code::Code;

use crate::{context::Context, exit::Exit, fault::Fault};

/// List, check and try the coding agents of this machine
///
/// Agents beside those that are known by name are declared in the file `agents` of the data folder, one a
/// line: `mine=command:/opt/my-agent`. docs/command-protocol.md tells what such a program has to speak.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the agents and where their programs lie
    List,
    /// Start each agent's program for its version, and say whether that was tested
    ///
    /// Exits with 1 when the agent that is named cannot be used, or one that is there.
    Check {
        /// Only this one
        name: Option<String>,
    },
    /// Give an agent a prompt, in a worktree of its own, and show what it does
    Try(attempt::Args),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::List => list::run(context),
            Self::Check { name } => check::run(name.as_deref(), context).await,
            Self::Try(args) => attempt::run(args, context).await,
        }
    }
}

/// The agents of this machine.
pub(super) fn known(context: &Context) -> Result<Vec<Agent>, Fault> {
    declared_in(&context.place.data).map_err(|error| Fault::usage(error.to_string()))
}

/// One of them.
fn named(name: &str, context: &Context) -> Result<Agent, Fault> {
    let known = known(context)?;
    known.iter().find(|agent| agent.name.as_str() == name).cloned().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|agent| agent.name.as_str()).collect();
        Fault::new(Code::Usage, format!("there is no agent {name}")).hinted(format!(
            "there are {}; declare others in {}",
            names.join(", "),
            context.place.data.join(agents::DECLARATIONS).display()
        ))
    })
}

/// A folder for what agents want to keep while they are looked at; gone with its end.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("proofhouse-agent-{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

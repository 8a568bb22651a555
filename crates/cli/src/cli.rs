//! The command line as a whole. Each verb declares its own flags in its own file.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::{connect::Role, context::Context, env, exit, exit::Exit, fault::Fault, out::Colour, verbs};

/// Starts, watches, proves and exports software work.
#[derive(Debug, Parser)]
#[command(
    name = "proofhouse",
    version,
    about = "Proves the requirements of a repository: gates run, evidence kept",
    after_help = "Exit codes: 0 ok, 1 the work said no, 2 usage, 3 nothing proven, 4 unreachable, 5 refused, 70 a bug.\n\
                  `proofhouse --help` lists the environment variables; `proofhouse VERB --help` explains a verb.",
    after_long_help = after_long_help(),
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The data folder [default: ~/.local/share/proofhouse]
    #[arg(long, global = true, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// A running plane elsewhere, such as http://127.0.0.1:7420; its token comes from PROOFHOUSE_TOKEN
    #[arg(long, global = true, value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub server: Option<String>,
    /// The project's key or id [default: the one that holds the current folder]
    #[arg(long, short = 'p', global = true, value_name = "KEY")]
    pub project: Option<String>,
    /// Print the API's documents instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Colour,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Init(verbs::init::Args),
    #[command(subcommand)]
    Proof(verbs::proof::Verb),
    Dispatch(verbs::dispatch::Args),
    #[command(subcommand)]
    Role(verbs::role::Verb),
    #[command(subcommand)]
    Run(verbs::run::Verb),
    #[command(subcommand)]
    Issue(verbs::issue::Verb),
    Log(verbs::log::Args),
    Answer(verbs::answer::Args),
    #[command(subcommand)]
    Ledger(verbs::ledger::Verb),
    #[command(subcommand)]
    Project(verbs::project::Verb),
    #[command(subcommand)]
    Token(verbs::token::Verb),
    #[command(subcommand)]
    Agent(verbs::agent::Verb),
    #[command(subcommand)]
    Provider(verbs::provider::Verb),
    #[command(subcommand)]
    Worker(verbs::worker::Verb),
    Serve(verbs::serve::Args),
    Verify(verbs::verify::Args),
    Backup(verbs::backup::Args),
    Doctor(verbs::doctor::Args),
    Completion(verbs::completion::Args),
    #[command(hide = true)]
    Reference(verbs::reference::Args),
}

impl Verb {
    /// What the process is to the data folder, should it have to open it.
    pub const fn role(&self) -> Role {
        use verbs::{proof::Verb as Proof, run::Verb as Run};
        let works = matches!(
            self,
            Self::Proof(Proof::Run(_) | Proof::Watch(_) | Proof::Retry(_))
                | Self::Dispatch(_)
                | Self::Run(Run::Start { .. } | Run::Watch { .. } | Run::Retry { .. })
        );
        Role { owner: self.name(), works }
    }

    /// Whether it stays and runs the commands of others, as a server and a worker do.
    pub const fn stays(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Worker(verbs::worker::Verb::Run(_)))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Proof(verbs::proof::Verb::Run(_)) => "proof run",
            Self::Proof(_) => "proof",
            Self::Dispatch(_) => "dispatch",
            Self::Role(_) => "role",
            Self::Run(_) => "run",
            Self::Issue(_) => "issue",
            Self::Log(_) => "log",
            Self::Answer(_) => "answer",
            Self::Ledger(_) => "ledger",
            Self::Project(_) => "project",
            Self::Token(_) => "token",
            Self::Agent(_) => "agent",
            Self::Provider(_) => "provider",
            Self::Worker(_) => "worker",
            Self::Serve(_) => "serve",
            Self::Verify(_) => "verify",
            Self::Backup(_) => "backup",
            Self::Doctor(_) => "doctor",
            Self::Completion(_) => "completion",
            Self::Reference(_) => "reference",
        }
    }

    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::Init(args) => verbs::init::run(args, context).await,
            Self::Proof(verb) => verb.run(context).await,
            Self::Dispatch(args) => verbs::dispatch::run(args, context).await,
            Self::Role(verb) => verb.run(context).await,
            Self::Run(verb) => verb.run(context).await,
            Self::Issue(verb) => verb.run(context).await,
            Self::Log(args) => verbs::log::run(args, context).await,
            Self::Answer(args) => verbs::answer::run(args, context).await,
            Self::Ledger(verb) => verb.run(context).await,
            Self::Project(verb) => verb.run(context).await,
            Self::Token(verb) => verb.run(context).await,
            Self::Agent(verb) => verb.run(context).await,
            Self::Provider(verb) => verb.run(context).await,
            Self::Worker(verb) => verb.run(context).await,
            Self::Serve(args) => verbs::serve::run(args, context).await,
            Self::Verify(args) => verbs::verify::run(args, context).await,
            Self::Backup(args) => verbs::backup::run(args, context).await,
            Self::Doctor(args) => verbs::doctor::run(args, context).await,
            Self::Completion(args) => verbs::completion::run(&args, context),
            Self::Reference(args) => verbs::reference::run(&args, context),
        }
    }
}

/// The command line as clap sees it.
pub fn command() -> clap::Command {
    Cli::command()
}

fn after_long_help() -> String {
    format!("{}\n{}", exit::help(), env::help())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}

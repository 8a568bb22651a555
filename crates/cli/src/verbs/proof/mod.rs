//! `proofhouse proof`: requirements, gates, evidence. One file per verb.

pub mod capture;
pub mod check;
pub mod evidence;
pub mod export;
pub mod gates;
pub mod history;
pub mod list;
pub mod retry;
pub mod review;
pub mod run;
pub mod settings;
pub mod show;
pub mod status;
pub mod stubs;
pub mod verify;
pub mod waive;
pub mod watch;

use clap::Subcommand;

use crate::{context::Context, exit::Exit, fault::Fault};

/// Capture requirements, run their gates, look at the evidence
#[derive(Debug, Subcommand)]
pub enum Verb {
    Run(run::Args),
    Status(status::Args),
    Check(check::Args),
    Capture(capture::Args),
    List(list::Args),
    Show(show::Args),
    Edit(show::EditArgs),
    Stubs(stubs::Args),
    Evidence(evidence::Args),
    Waive(waive::Args),
    Unwaive(waive::UnwaiveArgs),
    Review(review::Args),
    Watch(watch::Args),
    Cancel(watch::CancelArgs),
    Retry(retry::Args),
    History(history::Args),
    Gates(gates::Args),
    Settings(settings::Args),
    Verify(verify::Args),
    Export(export::Args),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::Run(args) => run::run(args, context).await,
            Self::Status(args) => status::run(args, context).await,
            Self::Check(args) => check::run(args, context).await,
            Self::Capture(args) => capture::run(args, context).await,
            Self::List(args) => list::run(args, context).await,
            Self::Show(args) => show::run(args, context).await,
            Self::Edit(args) => show::edit(args, context).await,
            Self::Stubs(args) => stubs::run(args, context).await,
            Self::Evidence(args) => evidence::run(args, context).await,
            Self::Waive(args) => waive::run(args, context).await,
            Self::Unwaive(args) => waive::unwaive(args, context).await,
            Self::Review(args) => review::run(args, context).await,
            Self::Watch(args) => watch::run(args, context).await,
            Self::Cancel(args) => watch::cancel(args, context).await,
            Self::Retry(args) => retry::run(args, context).await,
            Self::History(args) => history::run(args, context).await,
            Self::Gates(args) => gates::run(args, context).await,
            Self::Settings(args) => settings::run(args, context).await,
            Self::Verify(args) => verify::run(args, context).await,
            Self::Export(args) => export::run(args, context).await,
        }
    }
}

//! `proofhouse proof watch` and `cancel`: the runs that are already there.

use serde_json::json;

use super::run::finish;
use crate::{
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
};

/// Watch a run to its end
///
/// Without a run it is the newest active one of the project, else the newest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its id, or the end of it
    #[arg(conflicts_with = "active")]
    run: Option<String>,
    /// The project's newest active run
    #[arg(long)]
    active: bool,
    /// An empty run is no failure
    #[arg(long)]
    allow_empty: bool,
}

/// Watches.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let run = match (args.run.as_deref(), args.active) {
        (Some(run), _) => context.run_id(Some(run), false).await?,
        (None, true) => context.run_id(None, true).await?,
        (None, false) => match context.run_id(None, true).await {
            Ok(run) => run,
            Err(_) => context.run_id(None, false).await?,
        },
    };
    finish(context, context.api().await?, &run, args.allow_empty).await
}

/// Cancel a run; what its gates have shown stays
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The run: its id, or the end of it
    #[arg(required_unless_present = "active", conflicts_with = "active")]
    run: Option<String>,
    /// The project's newest active run
    #[arg(long)]
    active: bool,
}

/// Cancels.
pub async fn cancel(args: CancelArgs, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(args.run.as_deref(), args.active).await?;
    cancel_run(&run, context).await
}

/// Cancels a run, of whatever kind.
pub async fn cancel_run(run: &str, context: &Context) -> Result<Exit, Fault> {
    let api = context.api().await?;
    let view = api.post(&format!("/runs/{}/cancel", encode(run)), &json!({})).await.doing("cancel the run")?;
    if context.out.json {
        context.out.document(&view);
    } else if view.text("/status") == "cancelled" {
        context.out.line(format!("run {} is cancelled", short(run)));
    } else {
        context.out.line(format!("run {} stops as soon as its processes have ended", short(run)));
    }
    Ok(Exit::Ok)
}

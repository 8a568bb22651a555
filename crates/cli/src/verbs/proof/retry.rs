//! `proofhouse proof retry`: a new run of what an ended one did not pass (P25).

use serde_json::json;

use super::run::finish;
use crate::{
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
};

/// Run again what an ended run did not pass
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its id, or the end of it [default: the project's newest]
    run: Option<String>,
    /// Everything the run did, also what it passed
    #[arg(long)]
    all: bool,
    /// Start it and leave it to the running server
    #[arg(long)]
    detach: bool,
    /// An empty run is no failure
    #[arg(long)]
    allow_empty: bool,
}

/// Retries.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let old = context.run_id(args.run.as_deref(), false).await?;
    let api = context.api().await?;
    if args.detach && api.is_in_process() {
        return Err(Fault::usage("no server runs on the data folder that could go on with the run")
            .hinted("start one with `proofhouse serve`, or leave --detach out"));
    }
    let mode = if args.all { "all" } else { "not_passed" };
    let path = format!("/runs/{}/retry", encode(&old));
    let started = api.post(&path, &json!({"mode": mode})).await.doing("retry the run")?;
    let run = started.maybe("/run").or_else(|| started.maybe("/id")).unwrap_or_default().to_owned();
    if args.detach {
        if context.out.json {
            context.out.document(&started);
        } else {
            context.out.line(format!("run {} started; `proofhouse proof watch {}` shows it", short(&run), short(&run)));
        }
        return Ok(Exit::Ok);
    }
    if !context.out.json {
        context.out.line(context.out.dim(format!("run {} tries {} again", short(&run), short(&old))));
    }
    finish(context, api, &run, args.allow_empty).await
}

//! `proofhouse proof history`: the project's proof runs, newest first.

use crate::{
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    verbs::run::print_runs,
};

/// List the proof runs of the project, newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Only those with this verdict
    #[arg(long, value_parser = ["passed", "failed", "unproven"])]
    verdict: Option<String>,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let mut query = vec![("kind", "proof".to_owned())];
    query.extend(args.verdict.map(|verdict| ("verdict", verdict)));
    let path = with_query(&project.at("/runs"), &query);
    let list = context.api().await?.list(&path, args.limit).await.doing("list the runs")?;
    print_runs(&list, context);
    Ok(Exit::Ok)
}

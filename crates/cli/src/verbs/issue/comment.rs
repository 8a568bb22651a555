//! `proofhouse issue comment`: says something on an issue.

use serde_json::json;

use super::{place, text};
use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
};

/// Say something on an issue
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
    /// Markdown; @FILE reads a file, - reads what comes in
    text: String,
}

/// Says it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let path = format!("{}/comments", place(&args.issue, context).await?);
    let body = json!({"body": text(&args.text)?});
    let said = context.api().await?.post(&path, &body).await.doing("say it on the issue")?;
    if context.out.json {
        context.out.document(&said);
    } else {
        context.out.line("said");
    }
    Ok(Exit::Ok)
}

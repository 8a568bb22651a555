//! `proofhouse issue new`: files an issue.

use serde_json::Value;

use super::{KINDS, PRIORITIES, fields, ids, text, told};
use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
};

/// File an issue
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One line
    title: String,
    /// Markdown; @FILE reads a file, - reads what comes in
    #[arg(long, short = 'b', value_name = "TEXT")]
    body: Option<String>,
    /// What sort of work it is
    #[arg(long, short = 'k', value_parser = KINDS)]
    kind: Option<String>,
    /// How much it matters
    #[arg(long, value_parser = PRIORITIES)]
    priority: Option<String>,
    /// What has to hold; once for each
    #[arg(long, short = 'a', value_name = "TEXT")]
    accept: Vec<String>,
    /// A word to find it by; once for each
    #[arg(long, short = 'l', value_name = "LABEL")]
    label: Vec<String>,
    /// Whose it is
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// For whom it is
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,
    /// What it is a part of
    #[arg(long, value_name = "ISSUE")]
    parent: Option<String>,
    /// What has to be done before it; once for each
    #[arg(long, value_name = "ISSUE")]
    blocked_by: Vec<String>,
    /// The issue that it came from
    #[arg(long, value_name = "ISSUE")]
    origin: Option<String>,
    /// Who does it: manual, or role: and the id of a role
    #[arg(long, value_name = "WHO")]
    execution: Option<String>,
    /// File it as ready instead of for triage
    #[arg(long)]
    ready: bool,
}

/// Files it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let texts = [
        ("title", Some(args.title)),
        ("kind", args.kind),
        ("priority", args.priority),
        ("assignee", args.assignee),
        ("audience", args.audience),
        ("execution", args.execution),
        ("status", args.ready.then(|| "ready".to_owned())),
        ("body", args.body.as_deref().map(text).transpose()?),
    ];
    let mut body = fields(texts, &args.accept, &args.label);
    for (name, issue) in [("parent", args.parent), ("origin", args.origin)] {
        if let Some(issue) = issue {
            body.extend(ids(&[issue], context).await?.pop().map(|id| (name.to_owned(), id)));
        }
    }
    if !args.blocked_by.is_empty() {
        body.insert("blocked_by".to_owned(), Value::Array(ids(&args.blocked_by, context).await?));
    }
    let filed =
        context.api().await?.post(&project.at("/issues"), &Value::Object(body)).await.doing("file the issue")?;
    told(&filed, "filed", context);
    Ok(Exit::Ok)
}

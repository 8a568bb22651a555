//! `proofhouse issue edit | move | close | delete`: each builds on the issue as it is now.

use serde_json::{Value, json};

use super::{KINDS, PRIORITIES, STATUSES, fields, ids, read, text, told};
use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
};

/// Change an issue
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
    /// One line
    #[arg(long, short = 't', value_name = "TEXT")]
    title: Option<String>,
    /// Markdown; @FILE reads a file, - reads what comes in
    #[arg(long, short = 'b', value_name = "TEXT")]
    body: Option<String>,
    /// What sort of work it is
    #[arg(long, short = 'k', value_parser = KINDS)]
    kind: Option<String>,
    /// How much it matters
    #[arg(long, value_parser = PRIORITIES)]
    priority: Option<String>,
    /// All criteria from now on; once for each
    #[arg(long, short = 'a', value_name = "TEXT")]
    accept: Vec<String>,
    /// All labels from now on; once for each, "" for none
    #[arg(long, short = 'l', value_name = "LABEL")]
    label: Vec<String>,
    /// Whose it is; "" for nobody
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// For whom it is
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,
    /// What it is a part of; "" makes it a root
    #[arg(long, value_name = "ISSUE")]
    parent: Option<String>,
    /// All that has to be done before it; once for each, "" for nothing
    #[arg(long, value_name = "ISSUE")]
    blocked_by: Vec<String>,
    /// Who does it: manual, or role: and the id of a role
    #[arg(long, value_name = "WHO")]
    execution: Option<String>,
}

/// Move an issue to another column
#[derive(Debug, clap::Args)]
pub struct Move {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
    /// Where to
    #[arg(value_parser = STATUSES)]
    status: String,
    /// Put its card before this one's
    #[arg(long, value_name = "ISSUE")]
    before: Option<String>,
}

/// Close an issue: it is not to be done
#[derive(Debug, clap::Args)]
pub struct Close {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
}

/// Delete an issue that nothing builds on
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
}

/// Changes its fields.
pub async fn edit(args: Edit, context: &Context) -> Result<Exit, Fault> {
    let texts = [
        ("title", args.title),
        ("kind", args.kind),
        ("priority", args.priority),
        ("audience", args.audience),
        ("execution", args.execution),
        ("body", args.body.as_deref().map(text).transpose()?),
    ];
    let mut body = fields(texts, &args.accept, &args.label);
    if let Some(assignee) = args.assignee {
        body.insert("assignee".to_owned(), if assignee.is_empty() { Value::Null } else { json!(assignee) });
    }
    match args.parent.as_deref() {
        None => {}
        Some("") => {
            body.insert("parent".to_owned(), Value::Null);
        }
        Some(parent) => {
            body.extend(ids(&[parent.to_owned()], context).await?.pop().map(|id| ("parent".to_owned(), id)));
        }
    }
    if !args.blocked_by.is_empty() {
        let named: Vec<_> = args.blocked_by.into_iter().filter(|name| !name.is_empty()).collect();
        body.insert("blocked_by".to_owned(), Value::Array(ids(&named, context).await?));
    }
    if body.is_empty() {
        return Err(Fault::usage("name at least one thing to change").hinted("see `proofhouse issue edit --help`"));
    }
    change(&args.issue, Value::Object(body), "changed", context).await
}

/// Moves it.
pub async fn r#move(args: Move, context: &Context) -> Result<Exit, Fault> {
    let mut body = json!({"status": args.status});
    if let Some(before) = args.before {
        body["before"] = ids(&[before], context).await?.pop().unwrap_or_default();
    }
    change(&args.issue, body, "moved", context).await
}

/// Closes it.
pub async fn close(args: Close, context: &Context) -> Result<Exit, Fault> {
    change(&args.issue, json!({"status": "closed"}), "closed", context).await
}

async fn change(name: &str, body: Value, words: &str, context: &Context) -> Result<Exit, Fault> {
    let issue = read(name, context).await?;
    let path = format!("/issues/{}", issue.text("/id"));
    let changed = context.api().await?.patch(&path, &body, issue.number("/revision")).await;
    told(&changed.doing("change the issue")?, words, context);
    Ok(Exit::Ok)
}

/// Deletes it.
pub async fn delete(args: Delete, context: &Context) -> Result<Exit, Fault> {
    let issue = read(&args.issue, context).await?;
    let path = format!("/issues/{}", issue.text("/id"));
    let deleted = context.api().await?.delete_at(&path, issue.number("/revision")).await;
    deleted.doing("delete the issue")?;
    told(&issue, "deleted", context);
    Ok(Exit::Ok)
}

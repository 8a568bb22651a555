//! `proofhouse issue show`: an issue, what it hangs together with, and what was said on it.

use serde_json::{Value, json};

use super::{place, read};
use crate::{
    ago,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{clean, clean_lines},
};

/// Comments that are shown.
const COMMENTS: usize = 1_000;

/// Show an issue and what was said on it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which: 7, #7, PROJECT#7, or an id
    issue: String,
}

/// A title, harmless on a terminal.
pub fn title(issue: &Value) -> String {
    clean(issue.text("/title")).into_owned()
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let issue = read(&args.issue, context).await?;
    let api = context.api().await?;
    let path = format!("{}/comments", place(issue.text("/id"), context).await?);
    let comments = api.list(&path, COMMENTS).await.doing("read what was said on the issue")?;
    let out = &context.out;
    if out.json {
        let mut document = issue;
        if let Some(document) = document.as_object_mut() {
            document.insert("conversation".to_owned(), json!(comments.list("/items")));
        }
        out.document(&document);
        return Ok(Exit::Ok);
    }
    out.line(format!("{}  {}", out.bold(format!("#{}", issue.number("/number"))), out.bold(title(&issue))));
    let field = |name: &str, value: &str| {
        if !value.is_empty() {
            out.line(format!("  {} {}", out.dim(format!("{name:<11}")), clean(value)));
        }
    };
    for name in ["status", "kind", "priority", "assignee", "execution", "audience"] {
        field(name, issue.text(&format!("/{name}")));
    }
    let labels: Vec<_> = issue.list("/labels").iter().filter_map(Value::as_str).collect();
    field("labels", &labels.join(", "));
    match issue.text("/attention") {
        "none" => {}
        word => field("attention", word),
    }
    if let Some(parent) = issue.get("part_of").filter(|parent| !parent.is_null()) {
        field("part of", &named(parent));
    }
    for (name, list) in [("waits for", "/waits_for"), ("holds up", "/holds_up"), ("parts", "/parts")] {
        let issues: Vec<_> =
            issue.list(list).iter().map(|one| format!("{} ({})", named(one), one.text("/status"))).collect();
        for (at, one) in issues.iter().enumerate() {
            field(if at == 0 { name } else { "" }, one);
        }
    }
    if let Some(run) = issue.get("run").filter(|run| !run.is_null()) {
        field("run", &format!("{} {} {}", run.text("/id"), run.text("/kind"), run.text("/status")));
    }
    field("filed", &ago::ago(issue.text("/created_at"), ago::now()));
    if !issue.text("/body").is_empty() {
        out.line(format!("\n{}", clean_lines(issue.text("/body"))));
    }
    if !issue.list("/acceptance").is_empty() {
        out.line(format!("\n{}", out.bold("acceptance")));
        for one in issue.list("/acceptance") {
            out.line(format!(
                "  {} {}",
                out.dim(format!("{:<4}", clean(one.text("/id")))),
                clean_lines(one.text("/text"))
            ));
        }
    }
    for comment in comments.list("/items") {
        let who = comment.text("/actor/name");
        let who = if who.is_empty() { comment.text("/actor/type") } else { who };
        out.line(format!("\n{} {}", out.bold(clean(who)), out.dim(ago::ago(comment.text("/at"), ago::now()))));
        out.line(clean_lines(comment.text("/body")));
    }
    Ok(Exit::Ok)
}

fn named(issue: &Value) -> String {
    format!("#{} {}", issue.number("/number"), title(issue))
}

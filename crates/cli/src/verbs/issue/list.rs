//! `proofhouse issue list`: the issues of a project.

use serde_json::Value;

use super::{KINDS, PRIORITIES, ids, show};
use crate::{
    ago,
    api::{given, with_query},
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::Tone,
    table::{Table, cell, plain},
};

/// List the issues, by default those that are open
#[derive(Debug, clap::Args)]
pub struct Args {
    /// In these columns, separated by commas; `all` for each
    #[arg(long, short = 's', default_value = "triage,ready,in_progress,waiting")]
    status: String,
    /// Of this kind
    #[arg(long, short = 'k', value_parser = KINDS)]
    kind: Option<String>,
    /// Of this priority
    #[arg(long, value_parser = PRIORITIES)]
    priority: Option<String>,
    /// With this label
    #[arg(long, short = 'l')]
    label: Option<String>,
    /// Whose they are
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Who does them: manual, or role: and the id of a role
    #[arg(long, value_name = "WHO")]
    execution: Option<String>,
    /// Parts of this issue
    #[arg(long, value_name = "ISSUE")]
    parent: Option<String>,
    /// That ask this of a person
    #[arg(long, value_parser = ["question", "review", "plan", "failed", "none"])]
    attention: Option<String>,
    /// Whose number, title or text holds this
    #[arg(long, short = 'q', value_name = "TEXT")]
    q: Option<String>,
    /// In which order
    #[arg(long, value_parser = ["rank", "number", "-number", "priority", "-updated_at"])]
    sort: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 200, value_name = "N")]
    limit: usize,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let parent = match args.parent {
        Some(parent) => ids(&[parent], context).await?.pop().and_then(|id| id.as_str().map(str::to_owned)),
        None => None,
    };
    let status = (args.status != "all").then_some(args.status);
    let filters = [
        ("status", status),
        ("kind", args.kind),
        ("priority", args.priority),
        ("label", args.label),
        ("assignee", args.assignee),
        ("execution", args.execution),
        ("parent", parent),
        ("attention", args.attention),
        ("q", args.q),
        ("sort", args.sort),
    ];
    let query = given(filters);
    let path = with_query(&project.at("/issues"), &query);
    let list = context.api().await?.list(&path, args.limit).await.doing("list the issues")?;
    let out = &context.out;
    if out.json {
        out.document(&list);
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["ISSUE", "STATUS", "KIND", "PRIORITY", "CHANGED", "TITLE"]);
    for issue in list.list("/items") {
        table.row([
            cell(Tone::Bold, format!("#{}", issue.number("/number"))),
            cell(tone(issue), issue.text("/status")),
            plain(issue.text("/kind")),
            plain(issue.text("/priority")),
            cell(Tone::Dim, ago::ago(issue.text("/updated_at"), ago::now())),
            plain(with_marks(issue)),
        ]);
    }
    if table.is_empty() {
        let hint =
            if query.len() > 1 { "nothing fits these filters" } else { "no open issues: `proofhouse issue new TITLE`" };
        out.line(out.dim(hint));
    } else {
        table.print(out);
    }
    Ok(Exit::Ok)
}

fn tone(issue: &Value) -> Tone {
    match issue.text("/attention") {
        "failed" => Tone::Bad,
        "question" | "review" => Tone::Unsure,
        _ => Tone::Plain,
    }
}

fn with_marks(issue: &Value) -> String {
    let mut title = show::title(issue);
    if issue.get("blocked").and_then(Value::as_bool) == Some(true) {
        title.push_str("  (blocked)");
    }
    match issue.text("/attention") {
        "none" | "" => {}
        word => title.push_str(&format!("  ({word})")),
    }
    title
}

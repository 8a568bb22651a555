//! `proofhouse proof status`: where the project stands, on one screen.

use serde_json::Value;

use super::list::status_of;
use crate::{
    ago,
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, abbreviated, short},
    out::{Out, Tone, clean},
    progress::mark,
    table::{Table, cell, plain},
};

/// Show where the project stands: counts, the last run, what is open
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many requirements to show
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let path = with_query(&project.at("/proof/status"), &[("limit", args.limit.to_string())]);
    let status = context.api().await?.get(&path).await.doing("read the status")?;
    if context.out.json {
        context.out.document(&status);
        return Ok(Exit::Ok);
    }
    let out = &context.out;
    let dirty = if status.flag("/tree/dirty") || status.flag("/dirty") { " with uncommitted changes" } else { "" };
    let tree = status.maybe("/tree/tree").or_else(|| status.maybe("/tree")).map(abbreviated);
    let tree = tree.map(|tree| format!("tree {}{dirty}", clean(tree))).unwrap_or_default();
    out.line(format!("{}  {}", out.bold(clean(&project.key)), out.dim(tree)));
    out.line(format!("  {}", counts(&status, out)));
    for (name, label) in [("active_run", "running"), ("last_run", "last run")] {
        if let Some(run) = status.get(name).filter(|run| run.is_object()) {
            out.line(format!("  {} {}", out.dim(format!("{label:<9}")), run_line(run, out)));
        }
    }
    let items = ["/items", "/requirements", "/requirements/items"]
        .into_iter()
        .map(|at| status.list(at))
        .find(|list| !list.is_empty());
    let Some(items) = items else {
        out.line(out.dim("  no requirements yet: `proofhouse proof capture --title ...`"));
        return Ok(Exit::Ok);
    };
    out.line("");
    let mut table = Table::new(&["", "REQUIREMENT", "STATUS", "SEVERITY", "TITLE"]);
    for item in items {
        let (sign, tone) = mark(item.text("/status"));
        table.row([
            cell(tone, sign),
            cell(Tone::Bold, item.text("/id")),
            cell(tone, status_of(item)),
            plain(item.text("/severity")),
            plain(item.text("/title")),
        ]);
    }
    table.print(out);
    Ok(Exit::Ok)
}

fn counts(status: &Value, out: &Out) -> String {
    let count = |name: &str| {
        ["/by_status", "/counts/by_status", "/counts/status", "/counts"]
            .into_iter()
            .find_map(|at| status.pointer(&format!("{at}/{name}")).and_then(Value::as_u64))
            .or_else(|| status.get(name).and_then(Value::as_u64))
            .unwrap_or(0)
    };
    let mut parts = Vec::new();
    for (name, tone) in [
        ("satisfied", Tone::Good),
        ("open", Tone::Unsure),
        ("waived", Tone::Dim),
        ("stale", Tone::Unsure),
        ("tampered", Tone::Bad),
    ] {
        let count = count(name);
        if count > 0 || matches!(name, "satisfied" | "open") {
            parts.push(out.paint(tone, format!("{count} {name}")));
        }
    }
    parts.join(" · ")
}

/// A run in half a line.
pub fn run_line(run: &Value, out: &Out) -> String {
    let word = run.maybe("/verdict").unwrap_or(run.text("/status"));
    let (sign, tone) = mark(word);
    let since = run.maybe("/finished_at").unwrap_or(run.text("/created_at"));
    format!(
        "{} {}  {}",
        out.paint(tone, sign),
        out.paint(tone, clean(word)),
        out.dim(format!("{}  {}", short(run.text("/id")), ago::ago(since, ago::now())))
    )
}

//! `proofhouse proof list`: the requirements of a project.

use serde_json::Value;

use crate::{
    api::{given, with_query},
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::Tone,
    progress::mark,
    table::{Table, cell, plain},
};

/// List the requirements and where they stand
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those that stand so
    #[arg(long, value_parser = ["open", "satisfied", "waived"])]
    status: Option<String>,
    /// Only those so bad
    #[arg(long, value_parser = ["critical", "high", "medium", "low"])]
    severity: Option<String>,
    /// Only those of this kind
    #[arg(long, value_parser = ["logic", "integration", "wiring", "layout", "a11y", "perf", "security"])]
    kind: Option<String>,
    /// Only those with this gate
    #[arg(long, short = 'g')]
    gate: Option<String>,
    /// Only those with this verdict in some gate
    #[arg(long, value_parser = ["passed", "failed", "unproven"])]
    verdict: Option<String>,
    /// Only those whose proof is of other files than the present ones
    #[arg(long)]
    stale: bool,
    /// Only those about this issue, by its number
    #[arg(long, value_name = "NUMBER")]
    issue: Option<String>,
    /// Only those whose title or text holds this
    #[arg(long, short = 'q', value_name = "TEXT")]
    q: Option<String>,
    /// In which order
    #[arg(long)]
    sort: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 200, value_name = "N")]
    limit: usize,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let stale = args.stale.then(|| "true".to_owned());
    let filters = [
        ("status", args.status),
        ("severity", args.severity),
        ("kind", args.kind),
        ("gate", args.gate),
        ("verdict", args.verdict),
        ("stale", stale),
        ("issue", args.issue),
        ("q", args.q),
        ("sort", args.sort),
    ];
    let query = given(filters);
    let path = with_query(&project.at("/proof/requirements"), &query);
    let list = context.api().await?.list(&path, args.limit).await.doing("list the requirements")?;
    let out = &context.out;
    if out.json {
        out.document(&list);
        return Ok(Exit::Ok);
    }
    let items = list.list("/items");
    if items.is_empty() {
        let hint = if query.is_empty() {
            "no requirements yet: `proofhouse proof capture --title ...`"
        } else {
            "nothing fits these filters"
        };
        out.line(out.dim(hint));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["", "REQUIREMENT", "STATUS", "SEVERITY", "GATES", "TITLE"]);
    for item in items {
        let status = status_of(item);
        let (sign, tone) = mark(item.text("/status"));
        table.row([
            cell(tone, sign),
            cell(Tone::Bold, item.text("/id")),
            cell(tone, status),
            plain(item.text("/severity")),
            plain(gates_of(item)),
            plain(item.text("/title")),
        ]);
    }
    table.print(out);
    let total = list.number("/total").max(items.len() as u64);
    if total > items.len() as u64 {
        out.line(out.dim(format!("{} of {total}; --limit shows more", items.len())));
    }
    Ok(Exit::Ok)
}

/// `satisfied, stale, flaky`.
pub fn status_of(requirement: &Value) -> String {
    let mut words = vec![requirement.text("/status")];
    words.extend(["stale", "flaky", "tampered"].into_iter().filter(|flag| requirement.flag(&format!("/{flag}"))));
    words.join(", ")
}

/// `unit ✓ e2e ✗`.
fn gates_of(requirement: &Value) -> String {
    let gates = requirement.list("/obligations").iter();
    let words = gates.map(|obligation| format!("{} {}", obligation.text("/gate"), mark(obligation.text("/verdict")).0));
    words.collect::<Vec<_>>().join("  ")
}

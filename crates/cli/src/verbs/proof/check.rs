//! `proofhouse proof check`: the merge gate's question, for people and CI.
//!
//! It sends the tree of the commit it is asked about, so that CI needs no checkout on the plane's
//! side (P76), and it fails closed: a question that cannot be answered is never clear (P70).

use std::collections::BTreeSet;

use clap::ValueEnum;
use model::code::Code;
use serde_json::Value;

use crate::{
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    git,
    json::{Look as _, abbreviated},
    out::{Out, Tone, clean},
    table::{Table, cell, plain},
};

/// Ask whether a tree may be merged
///
/// Without --exit-code it exits with 0 when the question could be answered. With it: 0 clear, 1
/// something failed, 3 unproven, stale, tampered or nothing there, 4 it could not be answered.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Answer with the exit code
    #[arg(long)]
    exit_code: bool,
    /// A branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REF", conflicts_with_all = ["tree", "pr"])]
    r#ref: Option<String>,
    /// A git tree id
    #[arg(long, value_name = "TREE", conflicts_with = "pr")]
    tree: Option<String>,
    /// The head of a pull request
    #[arg(long, value_name = "NUMBER")]
    pr: Option<u64>,
    /// All requirements, or those whose scope meets the changed files
    #[arg(long, value_enum, value_name = "WHICH")]
    scope: Option<Scope>,
    /// What `--scope changed` compares with [default: the default branch]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// A project without requirements in scope is clear
    #[arg(long)]
    allow_empty: bool,
}

/// Which requirements are asked about.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// All
    All,
    /// Those whose scope meets the changed files
    Changed,
}

/// Asks.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let mut query: Vec<(&str, String)> = Vec::new();
    let mut dirty = false;
    match (&args.tree, args.pr) {
        (Some(tree), _) => query.push(("tree", tree.clone())),
        (None, Some(number)) => query.push(("pr", number.to_string())),
        (None, None) => {
            // The tree itself is sent, so the plane needs neither the ref nor a checkout.
            let here = std::path::Path::new(".");
            let tree = git::tree_of(here, args.r#ref.as_deref().unwrap_or("HEAD")).await;
            let tree = tree.map_err(|fault| match fault.is(Code::NotARepository) {
                true => fault.hinted("stand in a checkout of the project, or name its tree with --tree"),
                false => fault,
            });
            query.push(("tree", tree.doing("find the tree to check")?));
            dirty = args.r#ref.is_none() && git::is_dirty(here).await;
        }
    }
    match args.scope {
        Some(Scope::All) => query.push(("scope", "all".into())),
        Some(Scope::Changed) => query.push(("scope", "changed".into())),
        None => {}
    }
    query.extend(args.base.clone().map(|base| ("base", base)));
    if dirty {
        context.out.remark("warning: uncommitted changes are not part of what is checked");
    }
    let project = context.project().await?;
    let answer = context.api().await?.get(&with_query(&project.at("/proof/check"), &query)).await;
    let answer = answer.map_err(closed).doing("check the tree")?;
    if context.out.json {
        context.out.document(&answer);
    } else {
        print(&answer, &context.out);
        for line in next(&answer, args.r#ref.as_deref()) {
            context.out.line(context.out.dim(line));
        }
    }
    Ok(if args.exit_code { exit_of(&answer, args.allow_empty) } else { Exit::Ok })
}

/// A question that could not be answered ends with 4 or 70, also where a plain request would say 5:
/// 1 and 3 are answers (P70). A wrong flag stays a wrong flag.
fn closed(fault: Fault) -> Fault {
    match fault.exit() {
        Exit::Usage | Exit::Unreachable | Exit::Bug | Exit::Refused => fault,
        Exit::Ok | Exit::No | Exit::Unproven => fault.exiting(Exit::Unreachable),
    }
}

/// Whether the tree is clear, as an exit code: anything that is not plainly clear is not.
fn exit_of(answer: &Value, allow_empty: bool) -> Exit {
    if answer.flag("/clear") {
        return Exit::Ok;
    }
    // `warn` lets through and says so; no verdict changes (P71).
    if answer.text("/enforcement") == "warn" {
        return Exit::Ok;
    }
    let blocking = answer.list("/blocking");
    let in_scope = answer.pointer("/counts/in_scope").and_then(Value::as_u64);
    if allow_empty && in_scope == Some(0) && blocking.is_empty() {
        return Exit::Ok;
    }
    let mut gates = blocking.iter().flat_map(|requirement| requirement.list("/gates"));
    let failed = gates.any(|gate| gate.text("/verdict") == "failed");
    if failed { Exit::No } else { Exit::Unproven }
}

/// What would take each of the reasons out of the way.
fn next(answer: &Value, reference: Option<&str>) -> Vec<String> {
    let gates = answer.list("/blocking").iter().flat_map(|entry| entry.list("/gates"));
    let reasons: BTreeSet<&str> = gates.map(|gate| gate.text("/reason")).collect();
    let mut lines = Vec::new();
    if !answer.flag("/clear") && answer.pointer("/counts/in_scope").and_then(Value::as_u64) == Some(0) {
        lines.push("  begin   proofhouse proof capture --title WHAT --suite unit".to_owned());
    }
    if reasons.iter().any(|reason| *reason != "definition_changed") {
        let target = reference.map(|name| format!(" --ref {}", clean(name))).unwrap_or_default();
        lines.push(format!("  prove   proofhouse proof run --mode not_clear{target}"));
    }
    if reasons.contains("definition_changed") {
        let accept = "proofhouse proof gates accept DIGEST --reason WHY";
        lines.push(format!("  accept  {accept}  (`proofhouse proof gates` shows what changed)"));
    }
    lines
}

fn print(answer: &Value, out: &Out) {
    let tree = abbreviated(answer.text("/tree"));
    if answer.flag("/clear") {
        out.line(format!("{}  tree {}", out.paint(Tone::Good, "✓ CLEAR"), clean(tree)));
    } else {
        out.line(format!("{}  tree {}", out.paint(Tone::Bad, "✗ BLOCKED"), clean(tree)));
    }
    out.line(format!("  {}", clean(answer.text("/message"))));
    let mut table = Table::new(&["REQUIREMENT", "GATE", "VERDICT", "REASON", "TITLE"]);
    for entry in answer.list("/blocking") {
        for gate in entry.list("/gates") {
            let tone = if gate.text("/verdict") == "failed" { Tone::Bad } else { Tone::Unsure };
            table.row([
                cell(Tone::Bold, entry.text("/requirement")),
                plain(gate.text("/gate")),
                cell(tone, gate.text("/verdict")),
                plain(gate.text("/reason")),
                plain(entry.text("/title")),
            ]);
        }
    }
    if !table.is_empty() {
        out.line("");
        table.print(out);
    }
    for waiver in answer.list("/waivers") {
        let until = waiver.maybe("/expires").map(|day| format!(" until {day}")).unwrap_or_default();
        out.line(out.dim(format!(
            "  waived: {}{until}: {}",
            clean(waiver.text("/requirement")),
            clean(waiver.text("/reason"))
        )));
    }
    for warning in answer.list("/warnings") {
        out.line(out.paint(Tone::Unsure, format!("  ! {}", clean(warning.as_str().unwrap_or_default()))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // P70: fail closed, and 10-proof section 7's exit codes.
    #[test]
    fn only_a_plain_clear_is_clear() {
        let table = [
            (json!({"clear": true}), Exit::Ok),
            (
                json!({"clear": false, "blocking": [{"gates": [{"verdict": "unproven"}, {"verdict": "failed"}]}]}),
                Exit::No,
            ),
            (
                json!({"clear": false, "blocking": [{"gates": [{"verdict": "unproven", "reason": "stale"}]}]}),
                Exit::Unproven,
            ),
            (json!({"clear": false, "blocking": [], "counts": {"in_scope": 0}}), Exit::Unproven),
            (json!({"clear": false, "blocking": [], "enforcement": "warn"}), Exit::Ok),
            (json!({"clear": "true"}), Exit::Unproven),
            (json!({}), Exit::Unproven),
            (Value::Null, Exit::Unproven),
        ];
        for (answer, exit) in table {
            assert_eq!(exit_of(&answer, false), exit, "{answer}");
        }
        assert_eq!(exit_of(&json!({"clear": false, "blocking": [], "counts": {"in_scope": 0}}), true), Exit::Ok);
        assert_eq!(exit_of(&json!({}), true), Exit::Unproven);
        let stale = json!({"clear": false, "blocking": [{"gates": [{"reason": "stale"}]}], "counts": {"in_scope": 1}});
        assert_eq!(exit_of(&stale, true), Exit::Unproven);
    }
}

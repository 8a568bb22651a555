//! `proofhouse proof gates`: what can look at the project, and by which means.

use clap::Subcommand;
use serde_json::json;

use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, abbreviated},
    out::{Tone, clean},
    table::{Table, cell, plain},
};

/// List the gates of the project; accept a changed definition
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Show the runners that were found and what is missing, too
    #[arg(long)]
    runners: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let evidence of a changed definition count at the merge gate
    Accept {
        /// The definition's digest, as the list shows it
        #[arg(required = true)]
        digest: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Lists or accepts.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let api = context.api().await?;
    let out = &context.out;
    if let Some(Verb::Accept { digest, reason }) = args.verb {
        let digests = whole(digest, &api.get(&project.at("/proof/gates")).await.doing("list the gates")?)?;
        let body = json!({"definitions": digests, "reason": reason});
        let answer = api.post(&project.at("/proof/gates/accept"), &body).await.doing("accept the definition")?;
        if out.json {
            out.document(&answer);
        } else {
            out.line(format!(
                "accepted {}",
                digests.iter().map(|digest| abbreviated(digest)).collect::<Vec<_>>().join(", ")
            ));
        }
        return Ok(Exit::Ok);
    }
    let gates = api.get(&project.at("/proof/gates")).await.doing("list the gates")?;
    if out.json && !args.runners {
        out.document(&gates);
        return Ok(Exit::Ok);
    }
    if !out.json {
        let mut table = Table::new(&["GATE", "STATE", "RUNNER", "LIMIT", "DEFINITION", "MEANING"]);
        for gate in gates.list("/items") {
            let is_on = gate.flag("/enabled");
            let runners = gate.texts("/runners").join(", ");
            let runner =
                if gate.text("/how") == "review" { "a person" } else { gate.maybe("/runner").unwrap_or(&runners) };
            let accepted = if gate.get("accepted").and_then(serde_json::Value::as_bool) == Some(false) {
                ", not accepted"
            } else {
                ""
            };
            table.row([
                cell(Tone::Bold, gate.text("/name")),
                if is_on { cell(Tone::Good, "on") } else { cell(Tone::Dim, "off") },
                plain(if runner.is_empty() { "none found" } else { runner }),
                plain(format!("{} s", gate.number("/timeout_s"))),
                cell(
                    Tone::Dim,
                    format!("{}{accepted}", abbreviated(gate.maybe("/digest").unwrap_or(gate.text("/definition")))),
                ),
                plain(gate.text("/meaning")),
            ]);
        }
        table.print(out);
    }
    if args.runners {
        let runners = api.get(&project.at("/proof/runners")).await.doing("look for runners")?;
        if out.json {
            out.document(&json!({"gates": gates, "runners": runners}));
        } else {
            out.line("");
            print_runners(&runners, context);
        }
    }
    Ok(Exit::Ok)
}

/// What was found in the tree, what is missing, and how to get it.
pub fn print_runners(runners: &serde_json::Value, context: &Context) {
    let out = &context.out;
    let list = if runners.list("/items").is_empty() { runners.list("/runners") } else { runners.list("/items") };
    if list.is_empty() {
        out.line(out.dim("no runner was found: declare a gate in proofhouse.toml, with runner = \"command\""));
    }
    for runner in list {
        let name = runner.maybe("/family").or_else(|| runner.maybe("/name")).unwrap_or(runner.text("/runner"));
        let place = runner.maybe("/cwd").map(|cwd| format!(" in {}", clean(cwd))).unwrap_or_default();
        let version = runner.maybe("/version").map(|version| format!("  {}", clean(version))).unwrap_or_default();
        let by = ["/found_by", "/files", "/because"].into_iter().find_map(|at| {
            runner
                .maybe(at)
                .map(str::to_owned)
                .or_else(|| Some(runner.texts(at).join(", ")).filter(|text| !text.is_empty()))
        });
        let by = by.map(|by| out.dim(format!("  found by {}", clean(&by)))).unwrap_or_default();
        let (sign, tone) = if runner.list("/missing").is_empty() { ("✓", Tone::Good) } else { ("○", Tone::Unsure) };
        out.line(format!("  {} {}{place}{version}{by}", out.paint(tone, sign), out.bold(clean(name))));
        for missing in runner.list("/missing") {
            let what = missing
                .as_str()
                .or_else(|| missing.maybe("/tool"))
                .or_else(|| missing.maybe("/name"))
                .unwrap_or_default();
            let hint = missing.maybe("/hint").map(|hint| format!(": {hint}")).unwrap_or_default();
            out.line(format!("      missing {}{}", clean(what), clean(&hint)));
        }
    }
}

/// Whole digests from the beginnings that the list shows.
fn whole(given: Vec<String>, gates: &serde_json::Value) -> Result<Vec<String>, Fault> {
    let known: Vec<&str> =
        gates.list("/items").iter().map(|gate| gate.maybe("/digest").unwrap_or(gate.text("/definition"))).collect();
    given
        .into_iter()
        .map(|text| {
            let bare = text.strip_prefix("sha256:").unwrap_or(&text);
            let mut hits =
                known.iter().filter(|digest| digest.strip_prefix("sha256:").unwrap_or(digest).starts_with(bare));
            match (hits.next(), hits.next()) {
                (Some(digest), None) => Ok((*digest).to_owned()),
                _ if bare.len() == 64 => Ok(text),
                (Some(_), Some(_)) => Err(Fault::usage(format!("more than one definition begins with {text}"))),
                (None, _) => Err(Fault::usage(format!("no gate has a definition {text}"))
                    .hinted("`proofhouse proof gates` lists them")),
            }
        })
        .collect()
}

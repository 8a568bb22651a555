//! `proofhouse proof gates`: what can look at the project, and by which means.

use clap::Subcommand;
use serde_json::{Value, json};

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
            let accepted =
                if gate.get("accepted").and_then(Value::as_bool) == Some(false) { ", not accepted" } else { "" };
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
            print_runners(&runners, &gates, context);
        }
    }
    Ok(Exit::Ok)
}

/// What was found in the tree and declared in its file, what is missing, and how to get it.
pub fn print_runners(runners: &Value, gates: &Value, context: &Context) {
    let out = &context.out;
    let declared: Vec<&Value> = gates.list("/items").iter().filter(|gate| !gate.texts("/argv").is_empty()).collect();
    let found = runners.list("/items");
    if found.is_empty() && declared.is_empty() {
        out.line(out.dim("  nothing that tests are run with; declare a gate in proofhouse.toml:"));
        for line in ["[proof.gates.unit]", "runner = \"command\"", "argv = [\"./run-the-tests\"]"] {
            out.line(out.dim(format!("    {line}")));
        }
    }
    for runner in found {
        let (sign, tone) = if runner.list("/missing").is_empty() { ("✓", Tone::Good) } else { ("○", Tone::Unsure) };
        let roots: Vec<&str> = runner.texts("/roots").into_iter().filter(|root| !root.is_empty()).collect();
        let place = if roots.is_empty() { String::new() } else { format!("  in {}", roots.join(", ")) };
        let proves = format!("  for {}", runner.texts("/gates").join(", "));
        let name = out.bold(clean(runner.text("/runner")));
        out.line(format!("  {} {name}{}", out.paint(tone, sign), out.dim(clean(&(place + &proves)))));
        for missing in runner.list("/missing") {
            let (tool, hint) = (clean(missing.text("/tool")), clean(missing.text("/hint")));
            out.line(format!("      missing {tool}: {hint}"));
        }
    }
    for gate in declared {
        let (name, command) = (clean(gate.text("/name")), gate.texts("/argv").join(" "));
        let command = out.dim(format!("  declared as {}", clean(&command)));
        out.line(format!("  {} {}{command}", out.paint(Tone::Good, "✓"), out.bold(name)));
    }
}

/// Whole digests from the beginnings that the list shows.
fn whole(given: Vec<String>, gates: &Value) -> Result<Vec<String>, Fault> {
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

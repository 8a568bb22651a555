//! `proofhouse reference` (hidden): the command line, its environment and its exit codes as Markdown.
//! The pages under `docs/` are made from it, so that they cannot differ from the binary.

use std::fmt::Write as _;

use model::{code::Code, failure::FailureCode, journal};
use serde_json::{Value, json};

use crate::{cli, context::Context, env, exit::Exit, fault::Fault};

/// Print the reference of the command line as Markdown
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pages of the error codes instead, as a JSON object from code to page
    #[arg(long, conflicts_with = "lists")]
    errors: bool,
    /// What a plane tells, in closed lists: journal entries, causes of failed runs, metrics
    #[arg(long)]
    lists: bool,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fault> {
    if args.errors {
        let pages = Code::ALL.iter().map(|code| (code.to_string(), json!(error_page(*code))));
        context.out.document(&Value::Object(pages.collect()));
        return Ok(Exit::Ok);
    }
    let page = if args.lists { lists() } else { page() };
    context.out.bytes(page.as_bytes());
    Ok(Exit::Ok)
}

/// The page of an error code.
fn error_page(code: Code) -> String {
    format!(
        "# {code}: {}\n\n| | |\n|---|---|\n| for programs | `{}` |\n| HTTP status | {} |\n| exit code | {} |\n\n\
         **What to do:** {}\n",
        code.title(),
        code.slug(),
        code.status(),
        Exit::of_code(code).number(),
        code.hint(),
    )
}

/// The page of what a plane tells.
fn lists() -> String {
    let mut page = String::from(
        "# What a plane tells\n\nMade by `proofhouse reference --lists`; change the sources, not this page. \
         Errors have a page each, in [errors](errors/).\n\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(page, "## Journal entries\n\n| kind | what it tells |\n|---|---|");
    for (kind, meaning) in journal::KINDS {
        let _ = writeln!(page, "| `{kind}` | {meaning} |");
    }
    let _ = writeln!(page, "\n## Why a run failed\n\n| `failure.code` | what to do |\n|---|---|");
    for failure in FailureCode::ALL {
        let _ = writeln!(page, "| `{}` | {} |", failure.slug(), failure.hint());
    }
    let _ = writeln!(
        page,
        "\n## Metrics\n\nAt `/metrics`, as Prometheus text.\n\n| name | type | meaning |\n|---|---|---|"
    );
    for (name, kind, meaning) in server::metrics::DECLARED {
        let _ = writeln!(page, "| `{name}` | {kind} | {meaning} |");
    }
    page
}

/// The page.
fn page() -> String {
    let mut page = String::from(
        "# Command line\n\nMade by `proofhouse reference`; change the sources, not this page.\n\n\
         Every verb takes `--data`, `--server`, `--project`, `--json` and `--color`; each is described by `proofhouse --help`.\n\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(page, "## Exit codes\n\n| code | meaning |\n|---|---|");
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(page, "| {} | {meaning} |", exit.number());
    }
    let _ = writeln!(page, "\n## Environment\n\n| variable | meaning |\n|---|---|");
    for env::Variable { name, help } in env::ALL {
        let _ = writeln!(page, "| `{name}` | {} |", help.replace('|', "\\|"));
    }
    let _ = writeln!(page, "\n## Verbs\n");
    let mut command = cli::command();
    command.build();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        describe(verb, "proofhouse", &mut page);
    }
    page
}

fn describe(command: &clap::Command, path: &str, page: &mut String) {
    let path = format!("{path} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let verbs: Vec<_> = command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    if !verbs.is_empty() {
        let _ = writeln!(page, "### {path}\n\n{about}\n");
        for verb in verbs {
            describe(verb, &path, page);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace(" [OPTIONS]", "");
    let _ = writeln!(page, "#### `{}`\n\n{about}\n", usage.trim());
    let own = command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
    let mut is_first = true;
    for arg in own.filter(|arg| {
        !matches!(arg.get_id().as_str(), "help" | "version" | "data" | "server" | "project" | "json" | "color")
    }) {
        if std::mem::take(&mut is_first) {
            let _ = writeln!(page, "| flag | meaning |\n|---|---|");
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choices: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let choices = if choices.is_empty() || !arg.get_action().takes_values() {
            String::new()
        } else {
            format!(" ({})", choices.join(", "))
        };
        let name = arg.to_string().replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {}{choices} |", help.replace('|', "\\|").replace('\n', " "));
    }
    if !is_first {
        page.push('\n');
    }
}

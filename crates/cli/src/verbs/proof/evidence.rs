//! `proofhouse proof evidence`: what was run, on which files, and what it said.

use serde_json::Value;

use super::run::requirement_id;
use crate::{
    ago,
    api::{Api, encode, with_query},
    context::{Context, Project},
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, abbreviated, short},
    out::{Out, Tone, clean, clean_lines},
    progress::mark,
    table::{Table, cell, plain},
};

/// Evidence of a requirement or run that is looked through.
const LOOKED_THROUGH: usize = 500;

/// Show evidence: what was run, on which files, and what it said
///
/// Names either one evidence (its id, the end of it, or REQ/GATE for the newest), or lists those of
/// a requirement or run. Exits with 3 where the evidence is not intact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An evidence id, a requirement (REQ-0007), or a requirement's gate (REQ-0007/unit)
    #[arg(required_unless_present = "run")]
    what: Option<String>,
    /// List the evidence of a run
    #[arg(long, value_name = "RUN", conflicts_with = "what")]
    run: Option<String>,
    /// Print the output of its commands
    #[arg(long, requires = "what")]
    output: bool,
    /// How many lines of output, from the first
    #[arg(long, value_name = "N", requires = "output", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    lines: Option<u32>,
    /// From which line of output
    #[arg(long, value_name = "N", requires = "output")]
    from_line: Option<u64>,
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    if let Some(run) = &args.run {
        let run = context.run_id(Some(run), false).await?;
        let path = format!("/runs/{}/evidence", encode(&run));
        let list = context.api().await?.list(&path, LOOKED_THROUGH).await.doing("list the evidence")?;
        print_list(&list, context);
        return Ok(Exit::Ok);
    }
    let what = args.what.clone().unwrap_or_default();
    let project = context.project().await?;
    let api = context.api().await?;
    let named = what
        .split_once('/')
        .map_or((requirement_id(&what), None), |(id, gate)| (requirement_id(id), Some(gate.to_owned())));
    let id = match named {
        (requirement, None) if requirement.starts_with("REQ-") && !args.output => {
            let list = of_requirement(api, &project, &requirement, None, LOOKED_THROUGH).await?;
            print_list(&list, context);
            return Ok(Exit::Ok);
        }
        (requirement, gate) if requirement.starts_with("REQ-") => {
            let list = of_requirement(api, &project, &requirement, gate.as_deref(), 1).await?;
            let newest = list.list("/items").first().map(|evidence| evidence.text("/id").to_owned());
            newest.ok_or_else(|| {
                Fault::new(model::code::Code::NotFound, format!("{what} has no evidence yet"))
                    .hinted("`proofhouse proof run` makes some")
            })?
        }
        _ if what.len() == 36 => what,
        _ => by_end(api, &project, &what, context).await?,
    };
    one(api, &project, &id, &args, context).await
}

async fn of_requirement(
    api: &Api,
    project: &Project,
    requirement: &str,
    gate: Option<&str>,
    limit: usize,
) -> Result<Value, Fault> {
    let query: Vec<_> = gate.map(|gate| ("gate", gate)).into_iter().collect();
    let path = with_query(&project.at(&format!("/proof/requirements/{}/evidence", encode(requirement))), &query);
    api.list(&path, limit).await.doing("list the evidence")
}

/// An evidence by the end of its id: among those of the newest runs.
async fn by_end(api: &Api, project: &Project, end: &str, context: &Context) -> Result<String, Fault> {
    let runs = api.list(&project.at("/runs?kind=proof"), 10).await.doing("find the evidence")?;
    for run in runs.list("/items") {
        let list = api.list(&format!("/runs/{}/evidence", encode(run.text("/id"))), LOOKED_THROUGH).await?;
        let hit = list
            .list("/items")
            .iter()
            .map(|evidence| evidence.text("/id"))
            .find(|id| id.ends_with(&end.to_ascii_lowercase()));
        if let Some(id) = hit {
            return Ok(id.to_owned());
        }
    }
    let _ = context;
    Err(Fault::new(model::code::Code::NotFound, format!("no evidence of the last runs has an id ending in {end}"))
        .hinted("name it as REQ-0007/unit, or by its whole id"))
}

async fn one(api: &Api, project: &Project, id: &str, args: &Args, context: &Context) -> Result<Exit, Fault> {
    let out = &context.out;
    let path = project.at(&format!("/proof/evidence/{}", encode(id)));
    if args.output {
        let mut query = vec![("lines", args.lines.unwrap_or(200).to_string())];
        query.extend(args.from_line.map(|line| ("from_line", line.to_string())));
        let output = api.get(&with_query(&format!("{path}/output"), &query)).await.doing("read the output")?;
        if out.json {
            out.document(&output);
        } else {
            print_output(&output, out);
        }
        return Ok(Exit::Ok);
    }
    let evidence = api.get(&path).await.doing("read the evidence")?;
    if out.json {
        out.document(&evidence);
    } else {
        print(&evidence, out);
    }
    let is_intact = evidence.get("intact").and_then(Value::as_bool).unwrap_or(true);
    Ok(if is_intact { Exit::Ok } else { Exit::Unproven })
}

fn print_output(output: &Value, out: &Out) {
    if output.list("/commands").is_empty() {
        out.line(out.dim("no output"));
    }
    for command in output.list("/commands") {
        out.line(out.dim(format!("$ {}", clean(command.text("/title")))));
        for line in command.texts("/lines") {
            out.line(clean(line));
        }
        if command.flag("/truncated") {
            out.line(out.dim("… the middle of it was not kept"));
        }
        let (shown, total) = (command.number("/to_line"), command.number("/total_lines"));
        if total > shown {
            out.line(out.dim(format!("… {} more lines: --from-line {}", total - shown, shown + 1)));
        }
    }
}

fn print_list(list: &Value, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(list);
        return;
    }
    if list.list("/items").is_empty() {
        out.line(out.dim("no evidence"));
        return;
    }
    let now = ago::now();
    let mut table = Table::new(&["", "EVIDENCE", "REQUIREMENT", "GATE", "VERDICT", "REASON", "TREE", "WHEN"]);
    for evidence in list.list("/items") {
        let (sign, tone) = mark(evidence.text("/verdict"));
        let words = ["stale", "moved"].into_iter().filter(|flag| evidence.flag(&format!("/{flag}")));
        let verdict = std::iter::once(evidence.text("/verdict")).chain(words).collect::<Vec<_>>().join(", ");
        table.row([
            cell(tone, sign),
            cell(Tone::Dim, short(evidence.text("/id"))),
            cell(Tone::Bold, evidence.text("/requirement")),
            plain(evidence.text("/gate")),
            cell(tone, verdict),
            plain(evidence.text("/reason")),
            cell(Tone::Dim, abbreviated(evidence.text("/tree"))),
            cell(Tone::Dim, ago::ago(evidence.text("/recorded_at"), now)),
        ]);
    }
    table.print(out);
}

fn print(evidence: &Value, out: &Out) {
    const CASES: usize = 20;
    let (sign, tone) = mark(evidence.text("/verdict"));
    let reason = evidence.maybe("/reason").map(|reason| format!("  {}", clean(reason))).unwrap_or_default();
    out.line(format!(
        "{} {}  {}/{}{reason}",
        out.paint(tone, sign),
        out.paint(tone, out.bold(clean(evidence.text("/verdict")).to_uppercase())),
        clean(evidence.text("/requirement")),
        clean(evidence.text("/gate")),
    ));
    let say = |label: &str, text: &str| {
        if !text.is_empty() {
            out.line(format!("  {} {}", out.dim(format!("{label:<9}")), clean(text)));
        }
    };
    say("id", evidence.text("/id"));
    say("message", evidence.text("/message"));
    let dirty = if evidence.flag("/dirty") { " with uncommitted changes" } else { "" };
    say("tree", &format!("{} at {}{dirty}", evidence.text("/tree"), abbreviated(evidence.text("/commit"))));
    say(
        "recorded",
        &format!("{}  run {}", ago::ago(evidence.text("/recorded_at"), ago::now()), short(evidence.text("/run"))),
    );
    say("seal", evidence.text("/seal"));
    match evidence.get("intact").and_then(Value::as_bool) {
        Some(true) => say("intact", "yes: the seal and every digest match"),
        Some(false) => {
            out.line(format!("  {} {}", out.dim("intact   "), out.paint(Tone::Bad, "no: it is not what was sealed")))
        }
        None => {}
    }
    for command in evidence.list("/commands") {
        out.line("");
        out.line(format!("  {} {}", out.dim("$"), out.bold(clean(&command.texts("/argv").join(" ")))));
        let number = |name: &str| command.get(name).and_then(Value::as_i64);
        let end = match (number("exit_code"), number("signal")) {
            (_, Some(signal)) => format!("ended by signal {signal}"),
            (Some(code), None) => format!("exit {code}"),
            (None, None) => "no process ended".to_owned(),
        };
        let took = ago::duration(std::time::Duration::from_millis(command.number("/duration_ms")));
        let sandbox = command.pointer("/sandbox").map(sandbox_of).unwrap_or_default();
        out.line(out.dim(format!("    {end} in {took}{}{}", clean(&sandbox), output_of(command))));
    }
    let cases = evidence.list("/cases");
    if !cases.is_empty() {
        out.line("");
    }
    for case in cases.iter().take(CASES) {
        let (sign, tone) = mark(case.text("/outcome"));
        out.line(format!("  {} {}", out.paint(tone, sign), clean(case.text("/name"))));
        for line in clean_lines(case.text("/message")).lines().take(6) {
            out.line(out.dim(format!("      {line}")));
        }
    }
    if cases.len() > CASES {
        out.line(out.dim(format!("  · and {} more cases (--json)", cases.len() - CASES)));
    }
    out.line("");
    out.line(out.dim(format!("  output: proofhouse proof evidence {} --output", evidence.text("/id"))));
}

fn sandbox_of(sandbox: &Value) -> String {
    let files = sandbox.text("/files");
    if files.is_empty() {
        String::new()
    } else {
        format!(", files {files} by {}, network {}", sandbox.text("/by"), sandbox.text("/network"))
    }
}

fn output_of(command: &Value) -> String {
    let bytes = command.number("/output/bytes");
    let cut = if command.flag("/output/truncated") { ", middle not kept" } else { "" };
    format!(", {bytes} bytes of output{cut}")
}

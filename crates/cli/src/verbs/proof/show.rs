//! `proofhouse proof show` and `edit`: one requirement.

use clap::ArgGroup;
use model::code::Code;
use serde_json::{Map, Value, json};

use super::{list::status_of, run::requirement_id};
use crate::{
    ago,
    api::encode,
    context::{Context, Project},
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::{Out, Tone, clean, clean_lines},
    progress::mark,
    table::{Table, cell, plain},
};

/// Show a requirement: its gates, its rules, its newest evidence
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The requirement
    requirement: String,
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let id = requirement_id(&args.requirement);
    let path = project.at(&format!("/proof/requirements/{}", encode(&id)));
    let answer = context.api().await?.get(&path).await;
    let requirement = answer.map_err(|fault| unknown(fault, &id, &project)).doing(&format!("show {}", clean(&id)))?;
    if context.out.json {
        context.out.document(&requirement);
    } else {
        print(&requirement, &context.out);
    }
    Ok(Exit::Ok)
}

fn print(requirement: &Value, out: &Out) {
    let (sign, tone) = mark(requirement.text("/status"));
    out.line(format!(
        "{} {}  {}",
        out.paint(tone, sign),
        out.bold(clean(requirement.text("/id"))),
        clean(requirement.text("/title"))
    ));
    let say = |label: &str, text: String| {
        if !text.is_empty() {
            out.line(format!("  {} {text}", out.dim(format!("{label:<9}"))));
        }
    };
    say("status", out.paint(tone, status_of(requirement)));
    say("severity", clean(requirement.text("/severity")).into_owned());
    say("kind", clean(requirement.text("/kind")).into_owned());
    let by =
        requirement.maybe("/created_by/name").or_else(|| requirement.maybe("/created_by/type")).unwrap_or_default();
    let when = ago::ago(requirement.text("/created_at"), ago::now());
    say("captured", format!("{when} by {}, seen in {}", clean(by), clean(requirement.text("/source"))));
    say("link", clean(requirement.text("/source_url")).into_owned());
    for name in ["files", "routes", "apis", "components", "tags"] {
        say(
            name.get(..9).unwrap_or(name),
            clean(&requirement.texts(&format!("/scope/{name}")).join(", ")).into_owned(),
        );
    }
    if let Some(waiver) = requirement.pointer("/waiver").filter(|waiver| waiver.is_object()) {
        let until = waiver.maybe("/expires").map(|day| format!(" until {day}")).unwrap_or_default();
        let by = waiver.maybe("/approved_by/name").unwrap_or("somebody");
        say("waived", format!("{}{until} by {}", clean(waiver.text("/reason")), clean(by)));
    }
    let description = requirement.text("/description");
    if !description.is_empty() && description != requirement.text("/title") {
        out.line("");
        for line in clean_lines(description).lines() {
            out.line(format!("  {line}"));
        }
    }
    out.line("");
    let mut table = Table::new(&["", "GATE", "VERDICT", "REASON", "EVIDENCE", "RULES"]);
    for obligation in requirement.list("/obligations") {
        let (sign, tone) = mark(obligation.text("/verdict"));
        let stale = if obligation.flag("/stale") { ", stale" } else { "" };
        let evidence = obligation.maybe("/evidence/id").or_else(|| obligation.maybe("/evidence")).unwrap_or_default();
        table.row([
            cell(tone, sign),
            cell(Tone::Bold, obligation.text("/gate")),
            cell(tone, format!("{}{stale}", obligation.text("/verdict"))),
            plain(obligation.text("/reason")),
            cell(Tone::Dim, short(evidence)),
            plain(rules_of(obligation)),
        ]);
    }
    table.print(out);
    let failed = requirement.list("/obligations").iter().filter(|one| one.text("/verdict") == "failed");
    let looks = failed.filter_map(|one| one.maybe("/evidence/id").or_else(|| one.maybe("/evidence")));
    for (place, evidence) in looks.enumerate() {
        let space = if place == 0 { "\n" } else { "" };
        out.line(out.dim(format!("{space}  what it printed: proofhouse proof evidence {} --output", short(evidence))));
    }
}

/// A requirement that the plane does not know, named.
pub fn unknown(fault: Fault, id: &str, project: &Project) -> Fault {
    if !fault.is(Code::NotFound) {
        return fault;
    }
    let message = format!("the project {} has no requirement {}", clean(&project.key), clean(id));
    Fault::new(Code::NotFound, message).hinted("`proofhouse proof list` shows what there is")
}

fn rules_of(obligation: &Value) -> String {
    let words = obligation.list("/rules").iter().map(|rule| {
        let shown = if rule.get("must_pass").and_then(Value::as_bool) == Some(false) { " (shown only)" } else { "" };
        match rule.text("/how") {
            "suite" => format!("the whole suite{shown}"),
            "review" => format!("a person looks{shown}"),
            _ => format!("{}{shown}", rule.maybe("/test").unwrap_or(rule.text("/id"))),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Change a requirement
///
/// What weakens it (a gate that goes, a rule that no longer counts) needs an admin and a reason.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)
    .args(["title", "description", "severity", "kind", "places", "gates", "fields"])))]
pub struct EditArgs {
    /// The requirement
    requirement: String,
    /// What must hold, in one line
    #[arg(long)]
    title: Option<String>,
    /// What was seen, in Markdown
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How bad it is
    #[arg(long, value_name = "LEVEL", value_parser = ["critical", "high", "medium", "low"])]
    severity: Option<String>,
    /// What kind of fault it is
    #[arg(long, value_name = "KIND", value_parser = ["logic", "integration", "wiring", "layout", "a11y", "perf", "security"])]
    kind: Option<String>,
    /// A place it is about, instead of those it has; repeat for more
    #[arg(long = "where", value_name = "PLACE")]
    places: Vec<String>,
    /// A gate that proves it, instead of those it has; repeat for more
    #[arg(long = "gate", short = 'g', value_name = "GATE")]
    gates: Vec<String>,
    /// Further fields as a JSON object, as the API takes them
    #[arg(long, value_name = "JSON")]
    fields: Option<String>,
    /// Why, where it weakens
    #[arg(long)]
    reason: Option<String>,
}

/// Changes it.
pub async fn edit(args: EditArgs, context: &Context) -> Result<Exit, Fault> {
    let mut change = match args.fields.as_deref().map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(fields))) => fields,
        Some(_) => return Err(Fault::usage("--fields is not a JSON object")),
    };
    let texts = [
        ("title", args.title),
        ("description", args.description),
        ("severity", args.severity),
        ("kind", args.kind),
        ("reason", args.reason),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            change.insert(name.into(), json!(value));
        }
    }
    if !args.places.is_empty() {
        change.insert("where".into(), json!(args.places.join("\n")));
    }
    if !args.gates.is_empty() {
        change.insert("gates".into(), json!(args.gates));
    }
    let project = context.project().await?;
    let api = context.api().await?;
    let id = requirement_id(&args.requirement);
    let path = project.at(&format!("/proof/requirements/{}", encode(&id)));
    let what = format!("change {}", clean(&id));
    let answer = api.get(&path).await.map_err(|fault| unknown(fault, &id, &project));
    let revision = answer.doing(&what)?.number("/revision");
    let requirement = api.patch(&path, &Value::Object(change), revision).await.doing(&what)?;
    if context.out.json {
        context.out.document(&requirement);
    } else {
        print(&requirement, &context.out);
    }
    Ok(Exit::Ok)
}

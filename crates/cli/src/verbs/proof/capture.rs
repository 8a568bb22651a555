//! `proofhouse proof capture`: a fault that was seen becomes a requirement.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use clap::ArgGroup;
use model::{code::Code, limits};
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Out, clean},
};

/// Capture a requirement: what was seen, where, how bad, and which gates prove it
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).args(["title", "from"])))]
pub struct Args {
    /// What must hold, in one line
    #[arg(long)]
    title: Option<String>,
    /// What was seen, in Markdown; `-` reads it from standard input [default: the title]
    #[arg(long, value_name = "TEXT", requires = "title")]
    description: Option<String>,
    /// How bad it is [default: medium]
    #[arg(long, value_name = "LEVEL", value_parser = ["critical", "high", "medium", "low"], requires = "title")]
    severity: Option<String>,
    /// Where it was seen [default: user_report]
    #[arg(long, value_name = "SOURCE", value_parser = ["production", "qa", "dogfooding", "monitoring", "user_report", "agent"], requires = "title")]
    source: Option<String>,
    /// A link to where it was seen
    #[arg(long, value_name = "URL", requires = "title")]
    source_url: Option<String>,
    /// What kind of fault it is; decides the gates where none are named
    #[arg(long, value_name = "KIND", value_parser = ["logic", "integration", "wiring", "layout", "a11y", "perf", "security"], requires = "title")]
    kind: Option<String>,
    /// A gate that proves it; repeat for more
    #[arg(long = "gate", short = 'g', value_name = "GATE", requires = "title")]
    gates: Vec<String>,
    /// A place it is about: a file, route, API, component or tag; repeat for more
    #[arg(long = "where", value_name = "PLACE", requires = "title")]
    places: Vec<String>,
    /// A test that must pass in a gate; repeat for more
    #[arg(long = "test", value_name = "GATE=NAME", requires = "title")]
    tests: Vec<String>,
    /// A gate whose whole suite must pass; repeat for more
    #[arg(long = "suite", value_name = "GATE", requires = "title")]
    suites: Vec<String>,
    /// A related requirement; repeat for more
    #[arg(long = "related", value_name = "REQ", requires = "title")]
    related: Vec<String>,
    /// The issue that it belongs to, by its number
    #[arg(long, value_name = "NUMBER", requires = "title")]
    issue: Option<String>,
    /// Capture every requirement of a JSON file: a list of objects as the API takes them
    ///
    /// One whose title is captured already is left alone, so the same file can be given again.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    from: Option<PathBuf>,
    /// Show what would be captured and save nothing
    #[arg(long)]
    dry_run: bool,
}

/// Captures.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let bodies = match &args.from {
        Some(path) => from_file(path)?,
        None => vec![body(&args)?],
    };
    let project = context.project().await?;
    let api = context.api().await?;
    let path = project.at(if args.dry_run { "/proof/requirements?dry_run=true" } else { "/proof/requirements" });
    let known = if args.from.is_some() { titles(context).await? } else { Vec::new() };
    let mut answers = Vec::new();
    for body in &bodies {
        let title = body.text("/title");
        if known.iter().any(|known| known == title) {
            if !context.out.json {
                context.out.line(context.out.dim(format!("already captured  {}", clean(title))));
            }
            continue;
        }
        let answer = api.post(&path, body).await.doing("capture the requirement")?;
        if !context.out.json {
            print(&answer, args.dry_run, &context.out);
        }
        answers.push(answer);
    }
    if context.out.json {
        match (args.from.is_some(), answers.as_slice()) {
            (false, [one]) => context.out.document(one),
            _ => context.out.document(&Value::from(answers)),
        }
    }
    Ok(Exit::Ok)
}

fn body(args: &Args) -> Result<Value, Fault> {
    let title = args.title.clone().unwrap_or_default();
    let description = match args.description.as_deref() {
        Some("-") => from_stdin()?,
        Some(text) => text.to_owned(),
        None => title.clone(),
    };
    let mut body = Map::new();
    body.insert("title".into(), json!(title));
    body.insert("description".into(), json!(description));
    let fields = [
        ("severity", &args.severity),
        ("source", &args.source),
        ("source_url", &args.source_url),
        ("kind", &args.kind),
        ("issue", &args.issue),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            body.insert(name.into(), json!(value));
        }
    }
    if !args.places.is_empty() {
        body.insert("where".into(), json!(args.places.join("\n")));
    }
    if !args.related.is_empty() {
        let related: Vec<_> = args.related.iter().map(|id| super::run::requirement_id(id)).collect();
        body.insert("related".into(), json!(related));
    }
    let (mut gates, mut rules) = (args.gates.clone(), Vec::new());
    for test in &args.tests {
        let (gate, name) =
            test.split_once('=').filter(|(gate, name)| !gate.is_empty() && !name.is_empty()).ok_or_else(|| {
                Fault::usage(format!("--test {test}: expected GATE=NAME, such as unit=login::rejects_blank"))
            })?;
        rules.push(json!({"gate": gate, "how": "test", "test": name}));
        gates.push(gate.to_owned());
    }
    for gate in &args.suites {
        rules.push(json!({"gate": gate, "how": "suite"}));
        gates.push(gate.clone());
    }
    if !gates.is_empty() {
        // A rule names its gate, so the gate is meant, too.
        let mut once: Vec<String> = Vec::new();
        gates.into_iter().for_each(|gate| {
            if !once.contains(&gate) {
                once.push(gate)
            }
        });
        body.insert("gates".into(), json!(once));
    }
    if !rules.is_empty() {
        body.insert("rules".into(), json!(rules));
    }
    Ok(Value::Object(body))
}

fn from_stdin() -> Result<String, Fault> {
    let mut text = String::new();
    let read = io::stdin().lock().take(limits::PROOF_BODY as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| Fault::usage(format!("failed to read the description from standard input: {error}")))?;
    Ok(text.trim_end().to_owned())
}

fn from_file(path: &std::path::Path) -> Result<Vec<Value>, Fault> {
    let named = path.display();
    let text = fs::read(path).map_err(|error| Fault::usage(format!("failed to read {named}: {error}")))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| {
        Fault::new(Code::NotJson, format!("failed to read {named}: it is not JSON: {error}")).exiting(Exit::Usage)
    })?;
    match value {
        Value::Array(list) if list.iter().all(Value::is_object) => Ok(list),
        Value::Object(_) => Ok(vec![value]),
        _ => Err(Fault::usage(format!("{named} is neither a requirement nor a list of requirements"))),
    }
}

async fn titles(context: &Context) -> Result<Vec<String>, Fault> {
    let project = context.project().await?;
    let list = context.api().await?.list(&project.at("/proof/requirements"), limits::REQUIREMENTS as usize).await?;
    Ok(list.list("/items").iter().map(|item| item.text("/title").to_owned()).collect())
}

fn print(answer: &Value, dry_run: bool, out: &Out) {
    // A preview has no id yet; what would be stored may stand in the document itself.
    let id = if dry_run { "would be captured" } else { answer.text("/id") };
    out.line(format!("{}  {}", out.bold(id), clean(answer.text("/title"))));
    let gates: Vec<_> = answer.list("/obligations").iter().map(|obligation| obligation.text("/gate")).collect();
    let because = match answer.text("/gates_from") {
        "kind" => format!("from its kind, {}", answer.text("/kind")),
        "words" => format!("from its words: {}", answer.text("/kind")),
        _ => "as asked".to_owned(),
    };
    out.line(format!("  {} {}  {}", out.dim("gates    "), clean(&gates.join(", ")), out.dim(format!("({because})"))));
    for (name, heading) in [
        ("files", "files    "),
        ("routes", "routes   "),
        ("apis", "apis     "),
        ("components", "parts    "),
        ("tags", "tags     "),
    ] {
        let places = answer.texts(&format!("/scope/{name}"));
        if !places.is_empty() {
            out.line(format!("  {} {}", out.dim(heading), clean(&places.join(", "))));
        }
    }
    print_stubs(answer, out);
    for similar in answer.list("/similar") {
        let id = similar.maybe("/id").or_else(|| similar.as_str()).unwrap_or_default();
        out.line(format!("  {} {} has the same title", out.dim("similar  "), clean(id)));
    }
}

/// The stubs of an answer, one a line.
pub fn print_stubs(answer: &Value, out: &Out) {
    for stub in answer.list("/stubs") {
        out.line(format!(
            "  {} {}  {}",
            out.dim("stub     "),
            clean(stub.text("/path")),
            out.dim(format!("({})", clean(stub.text("/state"))))
        ));
    }
}

//! `proofhouse init`: a repository becomes a project, with a policy somebody said yes to (X18).

use std::path::{Path, PathBuf};

use model::code::Code;
use serde_json::{Value, json};

use super::{policy, project::register};
use crate::{
    api::Api,
    context::{Context, Project},
    exit::Exit,
    fault::{Doing as _, Fault},
    git,
    json::Look as _,
    out::clean,
    verbs::proof::gates::print_runners,
};

/// Register a repository, look for its runners, and save a starter policy after one yes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository
    #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
    path: PathBuf,
    /// Its short name [default: from the folder's name]
    #[arg(long)]
    key: Option<String>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Say yes to the starter policy
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Initialises.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let root = git::root_of(&args.path).await.doing("initialise the project")?;
    let found = existing(context, &root).await?;
    let is_new = found.is_none();
    let project = match found {
        Some(project) => project,
        None => Project::of(&register(context, &root, args.key, args.name).await?),
    };
    let out = &context.out;
    if !out.json {
        let what = if is_new { "registered" } else { "already registered" };
        out.line(format!("{}  {what}  {}", out.bold(clean(&project.key)), out.dim(project.path.display())));
    }
    let set_up = set_up(context, &project, args.yes).await?;
    if out.json {
        let api = context.api().await?;
        let document = api.get(&project.at("")).await.doing("read the project")?;
        out.document(&json!({"project": document, "policy": set_up.policy, "requirements": set_up.captured}));
    } else if set_up.is_ready {
        out.line("");
        out.line(format!("ready: {}", out.bold("proofhouse proof run")));
    }
    Ok(if set_up.is_ready { Exit::Ok } else { Exit::Refused })
}

/// The project of a repository for `proof run --repo`: registered and set up when it is not yet.
pub async fn ensure(context: &Context, path: &Path, yes: bool) -> Result<Project, Fault> {
    let root = git::root_of(path).await.doing("prove the repository")?;
    let project = match existing(context, &root).await? {
        Some(project) => project,
        None => Project::of(&register(context, &root, None, None).await?),
    };
    let set_up = set_up(context, &project, yes).await?;
    if set_up.is_ready {
        return Ok(project);
    }
    Err(Fault::new(Code::PolicyDenied, "the project has no policy, and without one nothing may run")
        .doing("start the run")
        .hinted("add --yes to save the policy shown above, or decide in a terminal: `proofhouse init`"))
}

async fn existing(context: &Context, root: &Path) -> Result<Option<Project>, Fault> {
    let same = |project: &Project| project.path == root || project.path.canonicalize().is_ok_and(|path| path == root);
    Ok(context.projects().await?.into_iter().find(same))
}

struct SetUp {
    is_ready: bool,
    policy: Value,
    captured: Vec<Value>,
}

/// Shows what was found and the starter policy, asks once, and saves it with the starter requirements.
async fn set_up(context: &Context, project: &Project, yes: bool) -> Result<SetUp, Fault> {
    let api = context.api().await?;
    let current = match api.get(&project.at("/settings/policy")).await {
        Ok(document) => document,
        Err(fault) if fault.is(Code::NotFound) => Value::Null,
        Err(fault) => return Err(fault.doing("read the policy")),
    };
    let is_saved = current.get("body").and_then(Value::as_object).is_some_and(|body| !body.is_empty());
    if is_saved && current.number("/revision") > 0 {
        return Ok(SetUp { is_ready: true, policy: current, captured: Vec::new() });
    }
    let runners = api.get(&project.at("/proof/runners")).await.doing("look for runners")?;
    let starter = starter(&runners, &current).ok_or_else(|| {
        Fault::new(Code::PolicyDenied, "the plane offers no starter policy")
            .hinted("write one: `proofhouse project policy --edit FILE`")
    })?;
    let gates = api.get(&project.at("/proof/gates")).await.doing("list the gates")?;
    if !context.out.json {
        show(context, &runners, &gates, &starter);
    }
    if !(yes || context.confirm("Save this policy, and capture \"the test suite passes\"?").unwrap_or(false)) {
        if !context.out.json {
            context.out.remark("not saved; nothing may run until a policy is (`--yes` says yes in a script)");
        }
        return Ok(SetUp { is_ready: false, policy: Value::Null, captured: Vec::new() });
    }
    let policy = api
        .put(&project.at("/settings/policy"), &starter, current.number("/revision"))
        .await
        .doing("save the policy")?;
    let captured = capture(context, api, project, &gates).await?;
    Ok(SetUp { is_ready: true, policy, captured })
}

fn starter(runners: &Value, current: &Value) -> Option<Value> {
    let offered = [runners.get("starter_policy"), current.get("starter"), current.get("starter_policy")];
    offered.into_iter().flatten().find(|policy| policy.is_object()).cloned()
}

fn show(context: &Context, runners: &Value, gates: &Value, starter: &Value) {
    let out = &context.out;
    out.line("");
    out.line(out.bold("Found"));
    print_runners(runners, gates, context);
    out.line("");
    out.line(format!(
        "{}  {}",
        out.bold("Starter policy"),
        out.dim("what gates may touch and execute; kept in the plane, never read from the repository")
    ));
    for line in policy::lines(starter, out) {
        out.line(line);
    }
    out.line("");
}

/// One requirement for each suite that was found, unless there are requirements already.
async fn capture(context: &Context, api: &Api, project: &Project, gates: &Value) -> Result<Vec<Value>, Fault> {
    let known = api.list(&project.at("/proof/requirements"), 1).await.doing("list the requirements")?;
    if !known.list("/items").is_empty() {
        return Ok(Vec::new());
    }
    let unit = gates.list("/items").iter().find(|gate| gate.text("/name") == "unit");
    let runners: Vec<String> =
        unit.map(|gate| gate.texts("/runners").iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default();
    let mut captured = Vec::new();
    for runner in &runners {
        let requirement = api.post(&project.at("/proof/requirements"), &suite(runner, runners.len())).await;
        let requirement = requirement.doing("capture the starter requirement")?;
        if !context.out.json {
            let id = requirement.text("/id").to_owned();
            context.out.line(format!("captured  {}  {}", context.out.bold(id), clean(requirement.text("/title"))));
        }
        captured.push(requirement);
    }
    if runners.is_empty() && !context.out.json {
        context.out.line(
            context.out.dim("no test suite was found, so nothing was captured: `proofhouse proof capture --title ...`"),
        );
    }
    Ok(captured)
}

fn suite(runner: &str, of: usize) -> Value {
    let title = match (runner, of) {
        ("command", _) | (_, 1) => "The test suite passes".to_owned(),
        (runner, _) => format!("The {runner} test suite passes"),
    };
    let mut rule = json!({"gate": "unit", "how": "suite"});
    if of > 1 {
        rule["runner"] = json!(runner);
    }
    json!({
        "title": title,
        "description": "No test of the suite fails, and at least one passes. Captured when the project was set up.",
        "severity": "high",
        "source": "dogfooding",
        "gates": ["unit"],
        "rules": [rule],
    })
}

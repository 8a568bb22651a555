//! `proofhouse proof run`: run the gates and watch each of them end.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::{
    api::{Api, encode},
    context::{Context, Project},
    exit::{self, Exit},
    fault::{Doing as _, Fault},
    follow::{Followed, follow},
    json::{Look as _, short},
    out::clean,
    verbs::init,
    verdict,
};

/// Run the gates of the requirements and keep the evidence
///
/// Exits with 0 when everything selected passed, 1 when a gate failed, 3 when something stayed
/// unproven or nothing was run, 5 when the policy or an active run refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which requirements are proven
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Only these requirements
    #[arg(long = "requirement", short = 'r', value_name = "REQ")]
    requirements: Vec<String>,
    /// Only these gates, also when they are turned off
    #[arg(long = "gate", short = 'g', value_name = "GATE")]
    gates: Vec<String>,
    /// A branch, tag or commit instead of the files as they lie
    #[arg(long, conflicts_with = "pr", value_name = "REF")]
    r#ref: Option<String>,
    /// The head of a pull request instead of the files as they lie
    #[arg(long, value_name = "NUMBER")]
    pr: Option<u64>,
    /// What `--mode changed` compares with [default: the default branch]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Also run what is waived
    #[arg(long)]
    include_waived: bool,
    /// Commands at once
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// What to do about gates that a person answers
    #[arg(long, value_enum, value_name = "WHAT")]
    manual: Option<Manual>,
    /// Attach to the active run instead of being refused
    #[arg(long)]
    join: bool,
    /// Start it and leave it to the running server
    #[arg(long)]
    detach: bool,
    /// An empty run is no failure
    #[arg(long)]
    allow_empty: bool,
    /// The repository, which is registered when it is new
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
    /// Say yes to registering the repository of --repo with the starter policy
    #[arg(long, short = 'y', requires = "repo")]
    yes: bool,
}

/// Which requirements are proven.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Mode {
    /// All of them
    #[default]
    Full,
    /// Those whose scope meets the changed files
    Changed,
    /// Those that are not proven on this tree
    #[value(name = "not_clear", alias = "not-clear")]
    NotClear,
}

/// What to do about gates that a person answers.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Manual {
    /// Ask and wait
    Wait,
    /// Leave them unproven
    Skip,
}

impl Args {
    fn config(&self) -> Value {
        let mut config = Map::new();
        let mode = match self.mode {
            Mode::Full => "full",
            Mode::Changed => "changed",
            Mode::NotClear => "not_clear",
        };
        config.insert("mode".into(), json!(mode));
        if !self.requirements.is_empty() {
            let ids: Vec<_> = self.requirements.iter().map(|id| requirement_id(id)).collect();
            config.insert("requirements".into(), json!(ids));
        }
        if !self.gates.is_empty() {
            config.insert("gates".into(), json!(self.gates));
        }
        if let Some(reference) = &self.r#ref {
            config.insert("target".into(), json!({"ref": reference}));
        }
        if let Some(number) = self.pr {
            config.insert("target".into(), json!({"pr": number}));
        }
        if let Some(base) = &self.base {
            config.insert("base".into(), json!(base));
        }
        if self.include_waived {
            config.insert("include_waived".into(), json!(true));
        }
        if let Some(slots) = self.slots {
            config.insert("slots".into(), json!(slots));
        }
        match self.manual {
            Some(Manual::Skip) => config.insert("manual".into(), json!("skip")),
            Some(Manual::Wait) => config.insert("manual".into(), json!("wait")),
            None => None,
        };
        Value::Object(config)
    }
}

/// `REQ-0007` from `REQ-0007`, `req-7` or `7`; other text is left to the plane to refuse.
pub fn requirement_id(text: &str) -> String {
    let digits = text.get(..4).filter(|head| head.eq_ignore_ascii_case("req-")).map_or(text, |_| &text[4..]);
    match digits.parse::<u64>() {
        Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("REQ-{number:04}"),
        _ => text.to_owned(),
    }
}

/// Runs it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = match &args.repo {
        Some(path) => init::ensure(context, path, args.yes).await?,
        None => context.project().await?,
    };
    let api = context.api().await?;
    if args.detach && api.is_in_process() {
        return Err(Fault::usage("no server runs on the data folder that could go on with the run")
            .hinted("start one with `proofhouse serve`, or leave --detach out"));
    }
    let path = project.at(if args.join { "/runs?join=true" } else { "/runs" });
    let body = json!({"kind": "proof", "config": args.config()});
    let started = api.post(&path, &body).await.map_err(|fault| refused(fault).doing("start the run"))?;
    let run = started.maybe("/run").or_else(|| started.maybe("/id")).unwrap_or_default().to_owned();
    if args.detach {
        return Ok(detached(&started, &run, context));
    }
    if !context.out.json {
        announce(api, &project, &run, &started, context).await?;
    }
    finish(context, api, &run, args.allow_empty).await
}

fn refused(fault: Fault) -> Fault {
    let active = fault.fact("active_run").and_then(Value::as_str).map(short).map(str::to_owned);
    match active {
        Some(active) => fault.hinted(format!(
            "watch it with `proofhouse proof watch {active}`, cancel it with `proofhouse run cancel {active}`, or start with --join"
        )),
        None => fault,
    }
}

fn detached(started: &Value, run: &str, context: &Context) -> Exit {
    if context.out.json {
        context.out.document(started);
    } else {
        let id = short(run);
        context.out.line(format!("run {id} started; `proofhouse proof watch {id}` shows it"));
    }
    Exit::Ok
}

/// One line about what is run.
async fn announce(api: &Api, project: &Project, run: &str, started: &Value, context: &Context) -> Result<(), Fault> {
    let out = &context.out;
    let view = api.get(&format!("/runs/{}", encode(run))).await.doing("read the run")?;
    let joined = match (started.flag("/joined"), started.pointer("/covers").and_then(Value::as_bool)) {
        (true, Some(false)) => ", joined (it does not cover all that was asked for)",
        (true, _) => ", joined",
        _ => "",
    };
    let target =
        ["/config/target/ref", "/config/target/pr"].into_iter().find_map(|at| view.maybe(at)).unwrap_or("worktree");
    out.line(format!(
        "{}  {}",
        out.bold(clean(&project.key)),
        out.dim(format!("{}  run {}{joined}", clean(target), short(run)))
    ));
    Ok(())
}

/// Follows a run to its end, writes the verdict, and turns it into the exit code.
pub async fn finish(context: &Context, api: &Api, run: &str, allow_empty: bool) -> Result<Exit, Fault> {
    let Followed::Stands(view) = follow(context, api, run).await? else { return Ok(Exit::Unproven) };
    if context.out.json {
        context.out.document(&view);
        return Ok(exit::of_run(&view, allow_empty));
    }
    if view.maybe("/proof/empty_reason").is_some() {
        diagnostics(&view, context);
    }
    for line in verdict::lines(&view, &context.out) {
        context.out.line(line);
    }
    Ok(exit::of_run(&view, allow_empty))
}

/// Why an empty run is empty: what was left out, and by what (P16).
fn diagnostics(view: &Value, context: &Context) {
    const SHOWN: usize = 12;
    let left_out = view.list("/proof/diagnostics");
    for diagnostic in left_out.iter().take(SHOWN) {
        let (requirement, because) = (diagnostic.text("/requirement"), diagnostic.text("/because"));
        let line = format!("  · {}  left out: {}", clean(requirement), clean(because).replace('_', " "));
        context.out.line(context.out.dim(line));
    }
    if left_out.len() > SHOWN {
        context.out.line(context.out.dim(format!("  · and {} more", left_out.len() - SHOWN)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_may_be_named_by_its_number() {
        for (text, id) in [
            ("REQ-0007", "REQ-0007"),
            ("req-7", "REQ-0007"),
            ("7", "REQ-0007"),
            ("12345", "REQ-12345"),
            ("REQ-", "REQ-"),
            ("x", "x"),
            ("-7", "-7"),
            ("+7", "+7"),
            ("é7", "é7"),
        ] {
            assert_eq!(requirement_id(text), id);
        }
    }
}

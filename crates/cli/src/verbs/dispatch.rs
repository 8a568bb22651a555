//! `proofhouse dispatch`: hand an issue to a role.

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Map, Value, json};

use super::proof::run::finish;
use crate::{
    amount,
    api::encode,
    context::{Context, Project},
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::clean,
};

/// Hand an issue to a role: an agent works on it, and its files come back as a branch
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The issue: its number, KEY#NUMBER, or its id
    issue: String,
    /// The role [default: the one that the issue is handed to]
    #[arg(long, value_name = "ID")]
    role: Option<String>,
    /// The agent [default: the role's, else the first of the project's policy]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The worker that shall do it
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Where the files go
    #[arg(long, value_enum, value_name = "MODE")]
    apply: Option<Apply>,
    /// The branch, tag or commit to start from [default: the default branch]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// How long the agent may work, in seconds [default: what the role says]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// What the run may spend, such as 2.50usd; 0usd lets nothing be spent [default: the project's cap of a run]
    #[arg(long, value_name = "AMOUNT", value_parser = amount::usd)]
    budget: Option<u64>,
    /// What to tell the agent beside its role and the issue
    #[arg(long, value_name = "TEXT")]
    instructions: Option<String>,
    /// Prove the commit that comes of it
    #[arg(long)]
    prove: bool,
    /// Start although the issue waits for others
    #[arg(long)]
    force: bool,
    /// Follow the run to its end and exit by its verdict; without a server that is always so
    #[arg(long)]
    wait: bool,
}

/// Where the files go.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Apply {
    /// Onto a branch of their own
    Worktree,
    /// Into the checkout, without a commit; only where the policy allows it
    #[value(name = "in_place", alias = "in-place")]
    InPlace,
    /// Nowhere: the result is kept with the run
    None,
}

impl Args {
    fn config(&self) -> Value {
        let mut config = Map::new();
        let texts = [
            ("role", &self.role),
            ("agent", &self.agent),
            ("model", &self.model),
            ("worker", &self.worker),
            ("base", &self.base),
            ("instructions", &self.instructions),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                config.insert(name.into(), json!(text));
            }
        }
        if let Some(apply) = self.apply {
            let word = match apply {
                Apply::Worktree => "worktree",
                Apply::InPlace => "in_place",
                Apply::None => "none",
            };
            config.insert("apply".into(), json!(word));
        }
        if let Some(timeout) = self.timeout {
            config.insert("timeout_s".into(), json!(timeout));
        }
        if let Some(budget) = self.budget {
            config.insert("max_cost_micro_usd".into(), json!(budget));
        }
        for (name, flag) in [("prove", self.prove), ("force", self.force)] {
            if flag {
                config.insert(name.into(), json!(true));
            }
        }
        Value::Object(config)
    }
}

/// The id of an issue that a person named.
async fn issue_id(text: &str, project: &Project, context: &Context) -> Result<String, Fault> {
    let name = match text.strip_prefix('#').unwrap_or(text).parse::<u32>() {
        Ok(number) => format!("{}#{number}", project.key),
        Err(_) => text.to_owned(),
    };
    let api = context.api().await?;
    let issue = api.get(&format!("/issues/{}", encode(&name))).await.doing(&format!("find the issue {name}"))?;
    Ok(issue.text("/id").to_owned())
}

/// Starts it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let issue = issue_id(&args.issue, &project, context).await?;
    let api = context.api().await?;
    let body = json!({"kind": "dispatch", "issue": issue, "config": args.config()});
    let started = api.post(&project.at("/runs"), &body).await.doing("start the run")?;
    let run = started.maybe("/run").or_else(|| started.maybe("/id")).unwrap_or_default().to_owned();
    // Without a server nobody would go on with it.
    if args.wait || api.is_in_process() {
        return finish(context, api, &run, false).await;
    }
    if context.out.json {
        context.out.document(&started);
    } else {
        let id = short(&run);
        context.out.line(format!(
            "{} run {id} started; `proofhouse run watch {id}` shows it",
            context.out.bold(clean(&project.key))
        ));
    }
    Ok(Exit::Ok)
}

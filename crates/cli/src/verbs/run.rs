//! `proofhouse run`: the runs of all kinds.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    proof::{run::finish, watch::cancel_run},
    run_parts as parts,
};
use crate::{
    ago,
    api::{encode, given, with_query},
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::{Tone, clean},
    progress::mark,
    table::{Table, cell, plain},
    verdict,
};

/// Start, watch and steer the runs of all kinds
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start a run of any kind; `proof run` is the short way for proof
    Start {
        /// The kind, such as proof
        kind: String,
        /// What exactly, as a JSON object in the kind's shape
        #[arg(long, value_name = "JSON", default_value = "{}")]
        config: String,
        /// Attach to the active run instead of being refused
        #[arg(long)]
        join: bool,
        /// Start it and leave it to the running server
        #[arg(long)]
        detach: bool,
    },
    /// List the project's runs, newest first
    List {
        /// Only those that have not ended
        #[arg(long)]
        active: bool,
        /// Only this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only this status
        #[arg(long, value_parser = ["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"])]
        status: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Show a run
    Show {
        /// The run: its id, or the end of it [default: the newest]
        run: Option<String>,
        /// Show its tasks, too
        #[arg(long)]
        tasks: bool,
    },
    /// Watch a run to its end
    Watch {
        /// The run: its id, or the end of it [default: the newest]
        run: Option<String>,
    },
    /// Cancel a run; what it produced stays
    Cancel {
        /// The run: its id, or the end of it
        run: String,
    },
    /// Start nothing more of a run; what runs finishes and counts
    Pause {
        /// The run: its id, or the end of it
        run: String,
    },
    /// Go on with a paused run
    Resume {
        /// The run: its id, or the end of it
        run: String,
    },
    /// Show what the agent of a run was told about the project
    Context {
        /// The run: its id, or the end of it
        run: String,
        /// Print the context pack itself
        #[arg(long)]
        raw: bool,
    },
    /// Show the difference that a run made
    Diff {
        /// The run: its id, or the end of it
        run: String,
        /// The commit to compare from [default: the run's base]
        #[arg(long, value_name = "COMMIT")]
        from: Option<String>,
        /// The commit to compare to [default: the run's commit]
        #[arg(long, value_name = "COMMIT")]
        to: Option<String>,
    },
    /// Try an ended run again, as a new run
    Retry {
        /// The run: its id, or the end of it
        run: String,
        /// Which part of it; the kind decides which there are (proof: not_passed, all; dispatch: fresh, reuse_result)
        #[arg(long)]
        mode: Option<String>,
        /// Apply the stored result again, without an agent: --mode reuse_result
        #[arg(long, conflicts_with = "mode")]
        reuse_result: bool,
        /// Start it and leave it to the running server
        #[arg(long)]
        detach: bool,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::Start { kind, config, join, detach } => {
                let config: Value = serde_json::from_str(&config)
                    .ok()
                    .filter(Value::is_object)
                    .ok_or_else(|| Fault::usage("--config is not a JSON object"))?;
                let project = context.project().await?;
                let path = project.at(if join { "/runs?join=true" } else { "/runs" });
                start(&path, &json!({"kind": kind, "config": config}), detach, context).await
            }
            Self::List { active, kind, status, limit } => {
                let project = context.project().await?;
                let active = active.then(|| "true".to_owned());
                let query = given([("active", active), ("kind", kind), ("status", status)]);
                let path = with_query(&project.at("/runs"), &query);
                let list = context.api().await?.list(&path, limit).await.doing("list the runs")?;
                print_runs(&list, context);
                Ok(Exit::Ok)
            }
            Self::Show { run, tasks } => show(run.as_deref(), tasks, context).await,
            Self::Watch { run } => {
                let run = context.run_id(run.as_deref(), false).await?;
                finish(context, context.api().await?, &run, false).await
            }
            Self::Cancel { run } => cancel_run(&context.run_id(Some(&run), false).await?, context).await,
            Self::Pause { run } => steer(&run, "pause", context).await,
            Self::Resume { run } => steer(&run, "resume", context).await,
            Self::Context { run, raw } => parts::context(&run, raw, context).await,
            Self::Diff { run, from, to } => parts::diff(&run, from, to, context).await,
            Self::Retry { run, mode, reuse_result, detach } => {
                let run = context.run_id(Some(&run), false).await?;
                let mode = if reuse_result { Some("reuse_result".to_owned()) } else { mode };
                start(&format!("/runs/{}/retry", encode(&run)), &json!({"mode": mode}), detach, context).await
            }
        }
    }
}

async fn start(path: &str, body: &Value, detach: bool, context: &Context) -> Result<Exit, Fault> {
    let api = context.api().await?;
    if detach && api.is_in_process() {
        return Err(Fault::usage("no server runs on the data folder that could go on with the run")
            .hinted("start one with `proofhouse serve`, or leave --detach out"));
    }
    let started = api.post(path, body).await.doing("start the run")?;
    let run = started.maybe("/run").or_else(|| started.maybe("/id")).unwrap_or_default().to_owned();
    if !detach {
        return finish(context, api, &run, false).await;
    }
    if context.out.json {
        context.out.document(&started);
    } else {
        context.out.line(format!("run {} started; `proofhouse run watch {}` shows it", short(&run), short(&run)));
    }
    Ok(Exit::Ok)
}

async fn steer(run: &str, verb: &str, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(Some(run), false).await?;
    let path = format!("/runs/{}/{verb}", encode(&run));
    let view = context.api().await?.post(&path, &json!({})).await.doing(&format!("{verb} the run"))?;
    if context.out.json {
        context.out.document(&view);
    } else {
        context.out.line(format!("run {} is {}", short(&run), clean(view.text("/status"))));
    }
    Ok(Exit::Ok)
}

async fn show(run: Option<&str>, tasks: bool, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(run, false).await?;
    let api = context.api().await?;
    let view = api.get(&format!("/runs/{}", encode(&run))).await.doing("show the run")?;
    let tasks = if tasks {
        Some(api.list(&format!("/runs/{}/tasks", encode(&run)), 10_000).await.doing("list the tasks")?)
    } else {
        None
    };
    let out = &context.out;
    if out.json {
        match tasks {
            Some(tasks) => out.document(&json!({"run": view, "tasks": tasks})),
            None => out.document(&view),
        }
        return Ok(Exit::Ok);
    }
    let now = ago::now();
    out.line(format!("{} run {}", out.bold(clean(view.text("/kind"))), view.text("/id")));
    let by = view.maybe("/created_by/name").or_else(|| view.maybe("/created_by/type")).unwrap_or_default();
    let say = |label: &str, text: String| out.line(format!("  {} {text}", out.dim(format!("{label:<9}"))));
    say(
        "started",
        format!("{} by {} ({})", ago::ago(view.text("/created_at"), now), clean(by), clean(view.text("/trigger"))),
    );
    let phase = view.maybe("/phase").map(|phase| format!(", {}", clean(phase))).unwrap_or_default();
    say("status", format!("{}{phase}", clean(view.text("/status"))));
    let (done, total) = (view.number("/progress/done"), view.number("/progress/total"));
    say("progress", format!("{done} of {total}"));
    if let Some(retry_of) = view.maybe("/retry_of") {
        say("again", format!("tries {} again", short(retry_of)));
    }
    for line in verdict::lines(&view, out) {
        out.line(line);
    }
    if let Some(tasks) = tasks {
        out.line("");
        let mut table = Table::new(&["TASK", "KIND", "STATE", "ATTEMPT", "SUBJECT"]);
        for task in tasks.list("/items") {
            table.row([
                cell(Tone::Dim, short(task.text("/id"))),
                plain(task.text("/kind")),
                plain(task.text("/state")),
                plain(task.number("/attempt").to_string()),
                plain(task.text("/subject")),
            ]);
        }
        table.print(out);
    }
    Ok(Exit::Ok)
}

/// Runs, one a line.
pub fn print_runs(list: &Value, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(list);
        return;
    }
    if list.list("/items").is_empty() {
        out.line(out.dim("no runs yet: `proofhouse proof run` starts one"));
        return;
    }
    let now = ago::now();
    let mut table = Table::new(&["", "RUN", "KIND", "STATUS", "VERDICT", "PROGRESS", "TOOK", "BY", "STARTED"]);
    for run in list.list("/items") {
        let verdict = run.maybe("/verdict").unwrap_or("-");
        let (sign, tone) = mark(run.maybe("/verdict").unwrap_or(run.text("/status")));
        let took =
            ago::between(run.text("/created_at"), run.text("/finished_at")).map(ago::duration).unwrap_or_default();
        let by = run.maybe("/created_by/name").or_else(|| run.maybe("/created_by/type")).unwrap_or_default();
        table.row([
            cell(tone, sign),
            cell(Tone::Bold, short(run.text("/id"))),
            plain(run.text("/kind")),
            plain(run.text("/status")),
            cell(tone, verdict),
            plain(format!("{}/{}", run.number("/progress/done"), run.number("/progress/total"))),
            plain(took),
            plain(by),
            cell(Tone::Dim, ago::ago(run.text("/created_at"), now)),
        ]);
    }
    table.print(out);
}

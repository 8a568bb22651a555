//! `proofhouse worker list, show, drain, revoke`: the plane's workers.

use model::code::Code;
use serde_json::{Value, json};

use crate::{
    ago,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::Tone,
    table::{Table, cell, plain},
};

/// A worker of the plane.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Its name, its id, or the end of its id
    worker: String,
}

/// Let a worker finish what it holds and claim nothing more
#[derive(Debug, clap::Args)]
pub struct Drain {
    /// Its name, its id, or the end of its id
    worker: String,
    /// Let it claim again
    #[arg(long)]
    undo: bool,
}

const fn tone(state: &str) -> Tone {
    match state.as_bytes() {
        b"online" => Tone::Good,
        b"late" | b"draining" => Tone::Unsure,
        b"offline" | b"revoked" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn doing(worker: &Value) -> String {
    let tasks = worker.list("/activity");
    let one = |task: &Value| {
        let phase = task.maybe("/phase").unwrap_or_else(|| task.text("/kind"));
        let since = ago::ago(task.text("/since"), ago::now());
        let quiet = if task.flag("/quiet") { ", quiet" } else { "" };
        format!("{} {phase} since {since}{quiet}", short(task.text("/run")))
    };
    let mut words: Vec<_> = tasks.iter().map(one).collect();
    if worker.number("/elsewhere") > 0 {
        words.push(format!("{} elsewhere", worker.number("/elsewhere")));
    }
    if words.is_empty() { "idle".to_owned() } else { words.join("; ") }
}

fn agents(worker: &Value) -> String {
    let one = |agent: &Value| {
        let sick = if agent.flag("/healthy") { "" } else { " (not healthy)" };
        format!("{}{sick}", agent.text("/id"))
    };
    worker.list("/agents").iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Lists them.
pub async fn list(context: &Context) -> Result<Exit, Fault> {
    let list = context.api().await?.list("/workers", 1_000).await.doing("list the workers")?;
    let out = &context.out;
    if out.json {
        out.document(&list);
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "STATE", "LAST SEEN", "SLOTS", "AGENTS", "DOES"]);
    for worker in list.list("/items") {
        let state = worker.text("/state");
        table.row([
            plain(worker.text("/name")),
            cell(tone(state), state),
            plain(ago::ago(worker.text("/last_seen"), ago::now())),
            plain(worker.number("/slots").to_string()),
            plain(agents(worker)),
            plain(doing(worker)),
        ]);
    }
    table.print(out);
    Ok(Exit::Ok)
}

async fn found(name: &str, context: &Context) -> Result<Value, Fault> {
    let list = context.api().await?.list("/workers", 10_000).await.doing("list the workers")?;
    let wanted = name.to_ascii_lowercase();
    let named = |worker: &&Value| {
        let id = worker.text("/id");
        worker.text("/name") == name || id == wanted || (wanted.len() >= 4 && id.ends_with(&wanted))
    };
    let mut hits = list.list("/items").iter().filter(named);
    match (hits.next(), hits.next()) {
        (Some(worker), None) => Ok(worker.clone()),
        (Some(_), Some(_)) => {
            Err(Fault::usage(format!("more than one worker is meant by {name}")).hinted("use its id"))
        }
        (None, _) => Err(Fault::new(Code::NotFound, format!("there is no worker {name}"))
            .hinted("`proofhouse worker list` shows them")),
    }
}

fn print(worker: &Value, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(worker);
        return;
    }
    let state = worker.text("/state");
    out.line(format!("{}  {}", out.bold(crate::out::clean(worker.text("/name"))), out.paint(tone(state), state)));
    let field = |name: &str, text: &str| {
        if !text.is_empty() {
            out.line(format!("{} {}", out.dim(format!("{name:<10}")), crate::out::clean(text)));
        }
    };
    field("id", worker.text("/id"));
    field("owner", worker.maybe("/owner/name").unwrap_or("the plane"));
    let whose = if worker.text("/sharing") == "personal" { "its owner's tasks" } else { "everybody's tasks" };
    let only = worker.texts("/projects");
    let only = if only.is_empty() { String::new() } else { format!(", in {} project(s)", only.len()) };
    field("takes", &format!("{whose}{only}"));
    field("last seen", &ago::ago(worker.text("/last_seen"), ago::now()));
    field("platform", worker.text("/platform"));
    field("version", worker.text("/version"));
    field("slots", &worker.number("/slots").to_string());
    field("labels", &worker.texts("/offers").join(" "));
    field("agents", &agents(worker));
    if worker.number("/outbox/items") > 0 {
        field(
            "outbox",
            &format!("{} waiting, {} KiB", worker.number("/outbox/items"), worker.number("/outbox/bytes") >> 10),
        );
    }
    field("trouble", worker.text("/last_error"));
    field("does", &doing(worker));
}

/// Shows one.
pub async fn show(named: Named, context: &Context) -> Result<Exit, Fault> {
    print(&found(&named.worker, context).await?, context);
    Ok(Exit::Ok)
}

/// Drains one, or lets it claim again.
pub async fn drain(ask: Drain, context: &Context) -> Result<Exit, Fault> {
    let worker = found(&ask.worker, context).await?;
    let api = context.api().await?;
    let path = format!("/workers/{}", worker.text("/id"));
    let changed = if ask.undo {
        api.patch(&path, &json!({"draining": false}), worker.number("/revision")).await
    } else {
        api.post(&format!("{path}/drain"), &json!({})).await
    };
    print(&changed.doing("drain the worker")?, context);
    Ok(Exit::Ok)
}

/// Revokes one.
pub async fn revoke(named: Named, context: &Context) -> Result<Exit, Fault> {
    let worker = found(&named.worker, context).await?;
    let path = format!("/workers/{}/revoke", worker.text("/id"));
    let revoked = context.api().await?.post(&path, &json!({})).await.doing("revoke the worker")?;
    print(&revoked, context);
    Ok(Exit::Ok)
}

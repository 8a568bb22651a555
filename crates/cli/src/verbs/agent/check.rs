//! `proofhouse agent check`.

use agents::{Probe, Readiness, probe};
use exec::environment::inherited;
use model::worker::Login;
use serde_json::{Value, json};

use super::{Scratch, known, named};
use crate::{
    context::Context,
    exit::Exit,
    fault::Fault,
    out::Tone,
    table::{Table, cell, plain},
};

/// Checks them.
pub async fn run(name: Option<&str>, context: &Context) -> Result<Exit, Fault> {
    let agents = match name {
        Some(name) => vec![named(name, context)?],
        None => known(context)?,
    };
    let (environment, scratch) = (inherited(), Scratch::new());
    let login = |agent| agents::unseen(agent, &environment).login;
    let mut found = Vec::new();
    for agent in agents {
        // One after the other: some take all of a small machine to start.
        let probed = probe(&agent, &environment, &scratch.0.join(agent.name.as_str())).await;
        found.push((agent, probed));
    }
    // One that is not installed is no fault, unless it was asked for.
    let is_bad = found.iter().any(|(_, probed)| {
        !probed.readiness.is_usable() && (name.is_some() || !matches!(probed.readiness, Readiness::Missing { .. }))
    });
    if context.out.json {
        let items: Vec<Value> = found
            .iter()
            .map(|(agent, probed)| {
                json!({
                    "name": agent.name, "kind": agent.kind.name(), "state": probed.readiness.name(),
                    "usable": probed.readiness.is_usable(), "version": probed.version.map(|version| version.to_string()),
                    "program": probed.program, "capabilities": agent.capabilities(), "words": probed.words, "login": login(agent),
                })
            })
            .collect();
        context.out.document(&json!({"ok": !is_bad, "items": items}));
    } else {
        let mut table = Table::new(&["AGENT", "STATE", "LOGIN", "CAN", "WHAT"]);
        for (agent, probed) in &found {
            let state = cell(tone(probed), probed.readiness.name());
            let login = match login(agent) {
                Some(Login::Variable { name }) => cell(Tone::Good, format!("${name}")),
                Some(Login::File { path }) => cell(Tone::Good, path),
                Some(Login::Nothing) if probed.program.is_some() => cell(Tone::Unsure, "none found"),
                Some(Login::Nothing) | None => cell(Tone::Dim, "-"),
            };
            let can: Vec<&str> = agent.capabilities().iter().map(|capability| capability.name()).collect();
            let can = plain(can.join(" "));
            table.row([cell(Tone::Bold, agent.name.as_str()), state, login, can, plain(&probed.words)]);
        }
        table.print(&context.out);
    }
    Ok(if is_bad { Exit::No } else { Exit::Ok })
}

fn tone(probed: &Probe) -> Tone {
    match probed.readiness {
        Readiness::Ready => Tone::Good,
        Readiness::Untested { .. } => Tone::Unsure,
        Readiness::Missing { .. } => Tone::Dim,
        Readiness::Pinned { .. } | Readiness::Broken { .. } => Tone::Bad,
    }
}

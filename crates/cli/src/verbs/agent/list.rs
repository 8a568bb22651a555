//! `proofhouse agent list`.

use agents::{Agent, locate};
use exec::environment::inherited;
use serde_json::{Value, json};

use super::known;
use crate::{
    context::Context,
    exit::Exit,
    fault::Fault,
    out::Tone,
    table::{Table, cell, plain},
};

/// Lists them.
pub fn run(context: &Context) -> Result<Exit, Fault> {
    let (agents, environment) = (known(context)?, inherited());
    let place = |agent: &Agent| locate(agent, &environment).map(|program| program.display().to_string());
    if context.out.json {
        let items: Vec<Value> = agents
            .iter()
            .map(|agent| {
                json!({
                    "name": agent.name, "kind": agent.kind.name(), "program": place(agent),
                    "simulated": agent.is_simulated(), "capabilities": agent.capabilities(),
                })
            })
            .collect();
        context.out.document(&json!({"items": items}));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["AGENT", "KIND", "PROGRAM"]);
    for agent in &agents {
        let program = match (place(agent), agent.kind.adapter().map(|adapter| adapter.install())) {
            (Some(program), _) => plain(program),
            (None, None) if agent.is_simulated() => cell(Tone::Dim, "inside this binary, simulated"),
            (None, None) => cell(Tone::Dim, "inside this binary; `proofhouse provider list` shows what it can ask"),
            (None, Some(Some(install))) => cell(Tone::Dim, format!("not here: {install}")),
            (None, Some(None)) => cell(Tone::Bad, format!("not here: {}", agent.argv().join(" "))),
        };
        table.row([cell(Tone::Bold, agent.name.as_str()), plain(agent.kind.name()), program]);
    }
    table.print(&context.out);
    Ok(Exit::Ok)
}

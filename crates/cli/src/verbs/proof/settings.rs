//! `proofhouse proof settings`: what an admin sets for the proof of a project.

use model::code::Code;
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Tone, clean},
};

/// Show the project's proof settings, or change some of them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Set a value, such as staleness=advisory or keep_runs=50; repeat for more
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Turn a gate on; repeat for more
    #[arg(long, value_name = "GATE")]
    enable: Vec<String>,
    /// Turn a gate off; repeat for more
    #[arg(long, value_name = "GATE")]
    disable: Vec<String>,
}

/// Shows or changes them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let api = context.api().await?;
    let path = project.at("/settings/proof");
    let mut document = api.get(&path).await.doing("read the settings")?;
    if !(args.set.is_empty() && args.enable.is_empty() && args.disable.is_empty()) {
        let mut body = document.get("body").and_then(Value::as_object).cloned().unwrap_or_default();
        for pair in &args.set {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| Fault::usage(format!("--set {pair}: expected NAME=VALUE")))?;
            body.insert(name.to_owned(), value_of(value));
        }
        if !(args.enable.is_empty() && args.disable.is_empty()) {
            let gates = api.get(&project.at("/proof/gates")).await.doing("list the gates")?;
            let known = |name: &String| gates.list("/items").iter().any(|gate| gate.text("/name") == name);
            if let Some(unknown) = args.enable.iter().chain(&args.disable).find(|name| !known(name)) {
                return Err(Fault::new(Code::UnknownGate, format!("there is no gate {}", clean(unknown)))
                    .doing("change the settings"));
            }
            switch(&mut body, &gates, &args.enable, &args.disable);
        }
        document =
            api.put(&path, &Value::Object(body), document.number("/revision")).await.doing("change the settings")?;
    }
    let out = &context.out;
    if out.json {
        out.document(&document);
        return Ok(Exit::Ok);
    }
    let body = document.get("body").and_then(Value::as_object).cloned().unwrap_or_default();
    let width = body.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &body {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.line(format!("{}  {}", out.dim(format!("{name:width$}")), clean(&value)));
    }
    for warning in document.texts("/warnings") {
        out.line(out.paint(Tone::Unsure, format!("! {}", clean(warning))));
    }
    Ok(Exit::Ok)
}

/// JSON where it is such (numbers, true, lists), else text.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// The list of gates that are on, changed; without a list, those that are on now.
fn switch(body: &mut Map<String, Value>, gates: &Value, enable: &[String], disable: &[String]) {
    let on_now = || {
        gates
            .list("/items")
            .iter()
            .filter(|gate| gate.flag("/enabled"))
            .map(|gate| gate.text("/name").to_owned())
            .collect()
    };
    let listed = body.get("enabled_gates").and_then(Value::as_array);
    let mut on: Vec<String> =
        listed.map_or_else(on_now, |list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    for gate in enable {
        if !on.contains(gate) {
            on.push(gate.clone());
        }
    }
    on.retain(|gate| !disable.contains(gate));
    body.insert("enabled_gates".into(), json!(on));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_switched_against_what_is_on_now() {
        let gates = json!({"items": [{"name": "unit", "enabled": true}, {"name": "lint", "enabled": false}]});
        let mut body = Map::new();
        switch(&mut body, &gates, &["lint".into(), "unit".into()], &[]);
        assert_eq!(body["enabled_gates"], json!(["unit", "lint"]));
        switch(&mut body, &gates, &[], &["unit".into()]);
        assert_eq!(body["enabled_gates"], json!(["lint"]));
        assert_eq!((value_of("5"), value_of("true"), value_of("strict")), (json!(5), json!(true), json!("strict")));
    }
}

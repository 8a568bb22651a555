//! `proofhouse run context` and `proofhouse run diff`: what an agent was told, and what came of it.

use serde_json::Value;

use crate::{
    api::{encode, given, with_query},
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Tone, clean},
};

/// What the agent of a run was told.
pub async fn context(run: &str, raw: bool, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(Some(run), false).await?;
    let path = format!("/runs/{}/context{}", encode(&run), if raw { "?raw=1" } else { "" });
    let view = context.api().await?.get(&path).await.doing("read the context")?;
    let out = &context.out;
    if out.json || raw {
        out.document(&view);
        return Ok(Exit::Ok);
    }
    if !view.flag("/available") {
        out.line("there is no context for this run");
        return Ok(Exit::Ok);
    }
    let say = |label: &str, text: String| out.line(format!("  {} {text}", out.dim(format!("{label:<10}"))));
    out.line(format!("{} {}", out.bold("context"), clean(view.text("/digest"))));
    say("for", format!("{} ({})", clean(view.text("/role")), clean(view.text("/intent"))));
    say("size", format!("{} bytes; the issue is {}", view.number("/bytes"), clean(view.text("/scale"))));
    let dropped = view.pointer("/dropped").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, count) in view.pointer("/counts").and_then(Value::as_object).into_iter().flatten() {
        let lost = dropped.get(name).and_then(Value::as_u64).unwrap_or(0);
        let lost = if lost > 0 { out.paint(Tone::Unsure, format!(", {lost} dropped")) } else { String::new() };
        say(name, format!("{count}{lost}"));
    }
    for warning in view.list("/warnings") {
        say("warning", clean(warning.as_str().unwrap_or_default()).into_owned());
    }
    Ok(Exit::Ok)
}

/// The difference that a run made.
pub async fn diff(run: &str, from: Option<String>, to: Option<String>, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(Some(run), false).await?;
    let path = with_query(&format!("/runs/{}/diff", encode(&run)), &given([("from", from), ("to", to)]));
    let view = context.api().await?.get(&path).await.doing("read the difference")?;
    let out = &context.out;
    if out.json {
        out.document(&view);
        return Ok(Exit::Ok);
    }
    for line in view.text("/text").lines() {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Plain,
        };
        out.line(out.paint(tone, clean(line)));
    }
    if view.flag("/truncated") {
        out.line(out.dim("the rest is left out; `git diff` shows it"));
    }
    Ok(Exit::Ok)
}

//! `proofhouse log`: a run's journal, as it is and as it comes.

use std::time::Duration;

use model::limits;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    api::{Api, OpenFailed, encode},
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    follow::next_piece,
    json::Look as _,
    out::{Out, Tone, clean, gone},
    sse,
    table::pad,
};

/// Print a run's journal
///
/// With --json each entry is one line, byte for byte as the plane renders it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its id, or the end of it [default: the newest]
    run: Option<String>,
    /// Go on until the run ends
    #[arg(long, short = 'f')]
    follow: bool,
    /// Only entries after this number
    #[arg(long, default_value_t = 0, value_name = "N")]
    since: u64,
}

/// Prints it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(args.run.as_deref(), false).await?;
    let api = context.api().await?;
    let seen = history(api, &run, args.since, &context.out).await.doing("read the journal")?;
    if args.follow && !gone() {
        follow(context, api.clone(), &run, seen).await?;
    }
    Ok(Exit::Ok)
}

/// Prints what is there already; answers the last number.
async fn history(api: &Api, run: &str, since: u64, out: &Out) -> Result<u64, Fault> {
    let mut seen = since;
    loop {
        let path = format!("/runs/{}/entries?since={seen}&limit={}", encode(run), limits::ENTRIES_PER_PAGE);
        let page = api.get(&path).await?;
        let entries = if page.list("/entries").is_empty() { page.list("/items") } else { page.list("/entries") };
        for entry in entries {
            print(entry, &entry.to_string(), out);
            seen = seen.max(entry.number("/seq"));
        }
        if entries.is_empty() || gone() {
            return Ok(seen);
        }
    }
}

async fn follow(context: &Context, mut api: Api, run: &str, mut seen: u64) -> Result<(), Fault> {
    loop {
        match read(&api, run, &mut seen, &context.out).await {
            Ok(true) => return Ok(()),
            Ok(false) | Err(OpenFailed::Lost(_)) => {}
            Err(OpenFailed::Refused(fault)) => return Err(fault.doing("follow the journal")),
        }
        if gone() {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
        if let Some(again) = context.reconnect().await {
            api = again;
        }
    }
}

/// Prints a stream as far as it goes; answers whether the run has ended.
async fn read(api: &Api, run: &str, seen: &mut u64, out: &Out) -> Result<bool, OpenFailed> {
    let path = format!("/runs/{}/events?since={seen}", encode(run));
    let mut body = api.open(&path, &[("accept", "text/event-stream")]).await?.into_body();
    let mut parser = sse::Parser::default();
    while let Ok(Some(piece)) = timeout(Duration::from_secs(35), next_piece(&mut body)).await {
        let Ok(events) = parser.push(&piece?) else { return Ok(false) };
        for event in events {
            match event.name.as_str() {
                "end" => return Ok(true),
                "resync" => {
                    let number = event.id.as_deref().and_then(|id| id.parse().ok());
                    *seen = (*seen).max(number.unwrap_or(0));
                }
                _ => {
                    let entry: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
                    if entry.number("/seq") > *seen {
                        *seen = entry.number("/seq");
                        print(&entry, &event.data, out);
                    }
                }
            }
        }
        if gone() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn print(entry: &Value, rendered: &str, out: &Out) {
    if out.json {
        out.line(rendered);
        return;
    }
    let tone = match entry.text("/level") {
        "error" => Tone::Bad,
        "warning" => Tone::Unsure,
        "debug" => Tone::Dim,
        _ => Tone::Plain,
    };
    let at = entry.text("/at").get(11..23).unwrap_or_default();
    let data = entry.get("data").map(words).unwrap_or_default();
    out.line(format!(
        "{} {} {} {data}",
        out.dim(format!("{:>6}", entry.number("/seq"))),
        out.dim(at),
        out.paint(tone, pad(entry.text("/kind"), 18)),
    ));
}

/// An entry's data as `name=value` pairs; long ones are cut, `--json` has all of it.
fn words(data: &Value) -> String {
    const LONG: usize = 120;
    let Some(fields) = data.as_object() else { return clean(&data.to_string()).into_owned() };
    let words = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", clean(name), crate::table::cut(&clean(&value), LONG))
    });
    words.collect::<Vec<_>>().join(" ")
}

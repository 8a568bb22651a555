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
    out::{Out, gone},
    sse,
    table::terminal_width,
    tree::{Marks, Tree},
};

/// Print a run's journal as a tree: steps, turns and tool calls
///
/// A line is open (>), closed (<) or told (-). With --json each entry is one line, byte for byte as the plane renders it.
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
    /// Only entries that matter as much [default: info with --follow, else debug]
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<Least>,
    /// Begin each line with the entry's number and time
    #[arg(long)]
    times: bool,
}

/// How much an entry has to matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
enum Least {
    Debug,
    Info,
    Warning,
    Error,
}

impl Least {
    fn of(level: &str) -> Self {
        match level {
            "error" => Self::Error,
            "warning" => Self::Warning,
            "debug" => Self::Debug,
            _ => Self::Info,
        }
    }
}

/// Prints entries as they come.
struct Printer<'a> {
    out: &'a Out,
    tree: Tree,
    since: u64,
    least: Least,
    times: bool,
}

impl Printer<'_> {
    fn print(&mut self, entry: &Value, rendered: &str) {
        let is_told = entry.number("/seq") > self.since && Least::of(entry.text("/level")) >= self.least;
        if self.out.json {
            if is_told {
                self.out.line(rendered);
            }
            return;
        }
        // Also what is not told says where what follows belongs.
        let line = self.tree.line(entry, self.out);
        if !is_told {
            return;
        }
        if self.times {
            let at = entry.text("/at").get(11..23).unwrap_or_default();
            self.out.line(format!("{} {line}", self.out.dim(format!("{:>6} {at}", entry.number("/seq")))));
        } else {
            self.out.line(line);
        }
    }
}

/// Prints it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let run = context.run_id(args.run.as_deref(), false).await?;
    let api = context.api().await?;
    let least = args.level.unwrap_or(if args.follow { Least::Info } else { Least::Debug });
    let marks = if context.out.plain { Marks::PLAIN } else { Marks::DRAWN };
    let tree = Tree::new(marks, terminal_width());
    let mut printer = Printer { out: &context.out, tree, since: args.since, least, times: args.times };
    // Without the entries before it nobody knows where a line belongs.
    let from = if context.out.json { args.since } else { 0 };
    let seen = history(api, &run, from, &mut printer).await.doing("read the journal")?;
    if args.follow && !gone() {
        follow(context, api.clone(), &run, seen, &mut printer).await?;
    }
    Ok(Exit::Ok)
}

/// Prints what is there already; answers the last number.
async fn history(api: &Api, run: &str, since: u64, printer: &mut Printer<'_>) -> Result<u64, Fault> {
    let mut seen = since;
    loop {
        let path = format!("/runs/{}/entries?since={seen}&limit={}", encode(run), limits::ENTRIES_PER_PAGE);
        let page = api.get(&path).await?;
        let entries = if page.list("/entries").is_empty() { page.list("/items") } else { page.list("/entries") };
        for entry in entries {
            printer.print(entry, &entry.to_string());
            seen = seen.max(entry.number("/seq"));
        }
        if entries.is_empty() || gone() {
            return Ok(seen);
        }
    }
}

async fn follow(
    context: &Context,
    mut api: Api,
    run: &str,
    mut seen: u64,
    printer: &mut Printer<'_>,
) -> Result<(), Fault> {
    loop {
        match read(&api, run, &mut seen, printer).await {
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
async fn read(api: &Api, run: &str, seen: &mut u64, printer: &mut Printer<'_>) -> Result<bool, OpenFailed> {
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
                        printer.print(&entry, &event.data);
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

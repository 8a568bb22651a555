//! `proofhouse ledger`: what was set aside and spent.

use clap::Subcommand;
use model::money::NanoUsd;
use serde_json::Value;

use crate::{
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    follow::next_piece,
    json::{Look as _, short},
    out::{Out, Tone, clean},
    table::{Table, cell, plain},
};

/// Show what was set aside and spent, and recount it
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the ledger of a day, or of a run
    Show {
        /// This UTC day [default: today]
        #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "run")]
        day: Option<String>,
        /// This run: its id, or the end of it
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// As a file with one line for each line
        #[arg(long)]
        csv: bool,
    },
    /// Recount every total from its lines
    ///
    /// Exits with 1 when something does not add up: then nothing that costs money is started.
    Verify,
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::Show { day, run, csv } => show(day, run, csv, context).await,
            Self::Verify => verify(context).await,
        }
    }
}

async fn show(day: Option<String>, run: Option<String>, csv: bool, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let mut query: Vec<(&str, String)> = Vec::new();
    query.extend(day.map(|day| ("day", day)));
    if let Some(run) = &run {
        query.push(("run", context.run_id(Some(run), false).await?));
    }
    if csv {
        query.push(("format", "csv".to_owned()));
    }
    let path = with_query(&project.at("/ledger"), &query);
    let api = context.api().await?;
    if csv {
        let mut body = api.open(&path, &[]).await.map_err(Fault::from).doing("read the ledger")?.into_body();
        while let Some(piece) = next_piece(&mut body).await {
            context.out.bytes(&piece.doing("read the ledger")?);
        }
        return Ok(Exit::Ok);
    }
    let ledger = api.get(&path).await.doing("read the ledger")?;
    if context.out.json {
        context.out.document(&ledger);
    } else {
        print(&ledger, &context.out);
    }
    Ok(Exit::Ok)
}

/// Micro-USD as dollars.
fn dollars(value: Option<&Value>) -> Option<String> {
    let micros = value?.as_i64()?;
    Some(NanoUsd::from_nanos(micros.saturating_mul(1_000)).to_string())
}

fn print(ledger: &Value, out: &Out) {
    let at = |value: &Value, name: &str| dollars(value.get(name)).unwrap_or_default();
    let mut table = Table::new(&["WHEN", "RUN", "LINE", "AMOUNT", "COST", "WHY"]);
    for line in ledger.list("/lines") {
        let amount = at(line, "micro_usd");
        let (tone, cost) = match line.maybe("/cost_state") {
            // X2: what nobody knows is never shown as a sum that somebody knows.
            Some("unknown") => (Tone::Unsure, format!("unknown (held {amount})")),
            Some(state) => (Tone::Plain, state.to_owned()),
            None => (Tone::Dim, "-".to_owned()),
        };
        table.row([
            cell(Tone::Dim, line.text("/at").get(..19).unwrap_or_default()),
            plain(short(line.text("/run"))),
            plain(line.text("/kind")),
            plain(&amount),
            cell(tone, cost),
            cell(Tone::Dim, line.text("/because")),
        ]);
    }
    if table.is_empty() {
        out.line(out.dim("nothing was spent"));
    } else {
        table.print(out);
    }
    for pool in ledger.list("/pools") {
        let whose = if pool.text("/pool") == "run" { "the run" } else { "the day" };
        let of = match (dollars(pool.get("cap_micro_usd")), dollars(pool.get("left_micro_usd"))) {
            (Some(cap), Some(left)) => format!("of {cap}, {left} left"),
            _ => "without a cap".to_owned(),
        };
        let (spent, reserved) = (at(pool, "spent_micro_usd"), at(pool, "reserved_micro_usd"));
        out.line(format!("{whose}: {spent} spent, {reserved} reserved {of}"));
    }
}

async fn verify(context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let report = context.api().await?.get(&project.at("/ledger/verify")).await.doing("recount the ledger")?;
    let out = &context.out;
    // A report that names no flaw because it says nothing at all is not a clean one.
    let is_sound = report.get("flaws").is_some_and(|flaws| flaws.as_array().is_some_and(Vec::is_empty));
    if out.json {
        out.document(&report);
    } else {
        for flaw in report.list("/flaws") {
            out.line(format!("{} {}", out.paint(Tone::Bad, "✗"), clean(flaw.as_str().unwrap_or_default())));
        }
        let lines = report.number("/lines");
        if is_sound {
            out.line(format!("{} {lines} lines: all adds up", out.paint(Tone::Good, "✓")));
        } else {
            out.line(out.paint(Tone::Bad, format!("{lines} lines: they do not add up")));
        }
    }
    Ok(if is_sound { Exit::Ok } else { Exit::No })
}

//! `proofhouse verify`: is everything that is stored what was stored? (K3, F11)

use serde_json::Value;

use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Out, Tone, clean},
};

/// Check journals, evidence, blobs and the database's own pages
///
/// Names every damaged piece, and exits with 3 when there is one. Checks one project with --project,
/// else all there is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this run's journal
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

/// Checks.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let api = context.api().await?;
    let report = match &args.run {
        Some(run) => {
            let run = context.run_id(Some(run), false).await?;
            api.verify(&[("run", run)]).await
        }
        None if context.names_project() => api.verify(&[("project", context.project().await?.id)]).await,
        None => api.verify(&[]).await,
    };
    let report = report.doing("verify what is stored")?;
    if context.out.json {
        context.out.document(&report);
    } else {
        print(&report, &context.out);
    }
    // A report that names no damage because it says nothing at all is not a clean one.
    let is_sound = report.get("damage").is_some_and(|damage| damage.as_array().is_some_and(Vec::is_empty));
    Ok(if is_sound { Exit::Ok } else { Exit::Unproven })
}

fn print(report: &Value, out: &Out) {
    for damage in report.list("/damage") {
        let what = clean(damage.text("/what"));
        let place = ["/stream", "/evidence", "/blob"].into_iter().find_map(|at| damage.maybe(at)).unwrap_or("database");
        let number =
            if damage.text("/kind") == "stream" { format!(" at {}", damage.number("/seq")) } else { String::new() };
        out.line(format!("{} {}{number}  {what}", out.paint(Tone::Bad, "✗"), clean(place)));
    }
    let count = |name: &str| report.number(&format!("/{name}"));
    let looked_at = format!(
        "{} entries in {} streams, {} evidence, {} blobs",
        count("entries"),
        count("streams"),
        count("evidence"),
        count("blobs")
    );
    match report.list("/damage").len() {
        0 => out.line(format!("{} {looked_at}: all as stored", out.paint(Tone::Good, "✓"))),
        damaged => out.line(out.paint(Tone::Bad, format!("{looked_at}: {damaged} damaged"))),
    }
}

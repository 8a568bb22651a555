//! `proofhouse proof verify`: is the evidence what was sealed?

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use model::code::Code;
use serde_json::{Value, json};

use super::run::requirement_id;
use crate::{
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Out, Tone, clean},
};

/// Check the newest evidence of each obligation against its seal, byte for byte
///
/// Exits with 3 when something is not intact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this requirement
    requirement: Option<String>,
    /// An exported file instead, without a plane
    #[arg(long, value_name = "EXPORT", conflicts_with = "requirement", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// Checks.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    if let Some(file) = &args.file {
        return offline(file, &context.out);
    }
    let project = context.project().await?;
    let id = args.requirement.as_deref().map(requirement_id);
    let query: Vec<_> = id.iter().map(|id| ("requirement", id)).collect();
    let path = with_query(&project.at("/proof/integrity"), &query);
    let report = context.api().await?.get(&path).await.doing("verify the evidence")?;
    if context.out.json {
        context.out.document(&report);
    } else {
        print(&report, &context.out);
    }
    Ok(if is_intact(&report) { Exit::Ok } else { Exit::Unproven })
}

/// Checks an exported file. No plane is asked, so it works anywhere.
fn offline(file: &Path, out: &Out) -> Result<Exit, Fault> {
    let opened = File::open(file).map_err(|error| {
        Fault::new(Code::FolderUnreadable, format!("failed to read {}: {error}", file.display()))
            .hinted("name a file that `proofhouse proof export` wrote")
    })?;
    let report = engine::proof::export::verify(BufReader::new(opened)).map_err(Fault::from).doing("verify the file")?;
    if out.json {
        out.document(&json!(report));
    } else {
        print(&json!(report), out);
        match &report.broken {
            Some(why) => {
                let words = format!("the file is damaged, and nothing behind the damage was checked: {}", clean(why));
                out.line(out.paint(Tone::Bad, words));
            }
            None if !report.complete => {
                out.line(out.paint(Tone::Bad, "the file is not whole: it was cut, or records of it are missing"));
            }
            None => {}
        }
    }
    Ok(if report.intact { Exit::Ok } else { Exit::Unproven })
}

/// Whether a report says that everything is intact; one that says nothing does not.
pub fn is_intact(report: &Value) -> bool {
    let broken = |item: &Value| item.get("intact").and_then(Value::as_bool) == Some(false);
    let said = report.get("intact").or_else(|| report.get("ok")).and_then(Value::as_bool);
    let items = report.list("/items");
    match said {
        Some(said) => said && !items.iter().any(broken),
        None => report.get("items").is_some() && !items.iter().any(broken),
    }
}

fn print(report: &Value, out: &Out) {
    let items = report.list("/items");
    let mut broken = 0;
    for item in items {
        if item.get("intact").and_then(Value::as_bool) != Some(false) {
            continue;
        }
        broken += 1;
        let why = ["/damage", "/message", "/reason", "/why"]
            .into_iter()
            .find_map(|at| item.maybe(at))
            .unwrap_or("it does not match its seal");
        out.line(format!(
            "{} {}/{}  {}  {}",
            out.paint(Tone::Bad, "✗"),
            clean(item.text("/requirement")),
            clean(item.text("/gate")),
            out.dim(clean(item.maybe("/evidence").unwrap_or(item.text("/id")))),
            clean(why)
        ));
    }
    let checked = report.get("checked").and_then(Value::as_u64).unwrap_or(items.len() as u64);
    if broken == 0 && report.get("complete").and_then(Value::as_bool) == Some(false) {
        return;
    }
    if broken == 0 && is_intact(report) {
        let words = match checked {
            0 => "there is no evidence to check".to_owned(),
            1 => "1 piece of evidence checked, and it is intact".to_owned(),
            many => format!("{many} pieces of evidence checked, all of them intact"),
        };
        out.line(format!("{} {words}", out.paint(Tone::Good, "✓")));
    } else {
        out.line(out.paint(Tone::Bad, format!("{broken} of {checked} are not intact: run the gates again")));
    }
}

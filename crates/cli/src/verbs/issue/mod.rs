//! `proofhouse issue`: the board from the command line.

mod change;
mod comment;
mod list;
mod new;
mod show;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{api::encode, context::Context, exit::Exit, fault::Fault, json::Look as _};

/// The words of `--kind`.
const KINDS: [&str; 7] = ["epic", "feature", "bug", "refactor", "design", "research", "chore"];
/// The words of `--priority`.
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];
/// The columns.
const STATUSES: [&str; 6] = ["triage", "ready", "in_progress", "waiting", "done", "closed"];

/// File, list, change and discuss issues
#[derive(Debug, Subcommand)]
pub enum Verb {
    New(new::Args),
    List(list::Args),
    Show(show::Args),
    Edit(change::Edit),
    Move(change::Move),
    Close(change::Close),
    Delete(change::Delete),
    Comment(comment::Args),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::New(args) => new::run(args, context).await,
            Self::List(args) => list::run(args, context).await,
            Self::Show(args) => show::run(args, context).await,
            Self::Edit(args) => change::edit(args, context).await,
            Self::Move(args) => change::r#move(args, context).await,
            Self::Close(args) => change::close(args, context).await,
            Self::Delete(args) => change::delete(args, context).await,
            Self::Comment(args) => comment::run(args, context).await,
        }
    }
}

/// Where the issue is that a person names: a bare number is one of the project at hand.
async fn place(name: &str, context: &Context) -> Result<String, Fault> {
    let number = name.strip_prefix('#').unwrap_or(name);
    let name = if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{}#{number}", context.project().await?.key)
    } else {
        name.to_owned()
    };
    Ok(format!("/issues/{}", encode(&name)))
}

/// The issue that a person names, as it is now.
async fn read(name: &str, context: &Context) -> Result<Value, Fault> {
    let path = place(name, context).await?;
    context.api().await?.get(&path).await.map_err(|fault| {
        let missing = fault.is(model::code::Code::NotFound);
        let fault = fault.doing(format!("find the issue {name}"));
        if missing { fault.hinted("`proofhouse issue list` shows what there is") } else { fault }
    })
}

/// The ids of issues that a person names.
async fn ids(names: &[String], context: &Context) -> Result<Vec<Value>, Fault> {
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        ids.push(Value::from(read(name, context).await?.text("/id")));
    }
    Ok(ids)
}

/// The fields that filing and changing write alike: those that were given, criteria and labels where there are any.
fn fields<const N: usize>(
    texts: [(&str, Option<String>); N],
    accept: &[String],
    label: &[String],
) -> Map<String, Value> {
    let given = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    let mut body: Map<_, _> = given.collect();
    if !accept.is_empty() {
        let criteria: Vec<_> = accept.iter().map(|text| json!({"text": text})).collect();
        body.insert("acceptance".to_owned(), Value::Array(criteria));
    }
    if !label.is_empty() {
        body.insert("labels".to_owned(), json!(label));
    }
    body
}

/// A text that a person gives: as it is, or from a file, or `-` for what comes in.
fn text(given: &str) -> Result<String, Fault> {
    use std::io::Read as _;
    let failed = |what: &str, error: std::io::Error| Fault::usage(format!("failed to read {what}: {error}"));
    let most = model::limits::ISSUE_TEXT as u64 + 1;
    let mut text = String::new();
    if given == "-" {
        std::io::stdin().take(most).read_to_string(&mut text).map_err(|error| failed("what comes in", error))?;
        return Ok(text);
    }
    match given.strip_prefix('@') {
        Some(file) => {
            let open = std::fs::File::open(file).map_err(|error| failed(file, error))?;
            open.take(most).read_to_string(&mut text).map_err(|error| failed(file, error))?;
            Ok(text)
        }
        None => Ok(given.to_owned()),
    }
}

/// An issue that was changed, in a line or as its document.
fn told(document: &Value, words: &str, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(document);
    } else {
        out.line(format!(
            "{words} {} {}  {}",
            out.bold(format!("#{}", document.number("/number"))),
            show::title(document),
            out.dim(document.text("/status"))
        ));
    }
}

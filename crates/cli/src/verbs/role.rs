//! `proofhouse role`: who issues can be handed to.

use std::{fs, path::PathBuf};

use agents::Agent;
use clap::Subcommand;
use model::{code::Code, problem::FieldError, role::Role};
use serde_json::{Value, json};

use super::agent;
use crate::{
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Tone, clean},
    table::{Table, cell, plain},
};

/// List, show and check the roles that issues can be handed to
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the project's roles, as its default branch has them
    List {
        /// Those that serve the plane itself, too
        #[arg(long)]
        meta: bool,
    },
    /// Show a role with its prompt
    Show {
        /// Its id
        role: String,
    },
    /// Check role files before they are committed; exits 1 when one has errors
    Check {
        /// The files [default: .proofhouse/roles/*.md below the current folder]
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        files: Vec<PathBuf>,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::List { meta } => list(meta, context).await,
            Self::Show { role } => show(&role, context).await,
            Self::Check { files } => check(files, context),
        }
    }
}

async fn list(meta: bool, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let path = project.at(if meta { "/roles?include=meta" } else { "/roles" });
    let roles = context.api().await?.get(&path).await.doing("list the roles")?;
    let out = &context.out;
    if out.json {
        out.document(&roles);
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["ROLE", "FROM", "VERSION", "OUTPUT", "TIME", "WHEN"]);
    for role in roles.list("/items") {
        let errors = role.list("/errors");
        let tone = if errors.is_empty() { Tone::Bold } else { Tone::Bad };
        let when = match errors.first() {
            Some(error) => format!("{} {}", error.text("/pointer"), error.text("/message")),
            None => role.text("/use_case").to_owned(),
        };
        table.row([
            cell(tone, role.text("/id")),
            plain(role.text("/origin")),
            plain(role.text("/version")),
            plain(role.text("/output")),
            plain(format!("{} s", role.number("/timeout_s"))),
            plain(when),
        ]);
    }
    table.print(out);
    Ok(Exit::Ok)
}

async fn show(id: &str, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let path = project.at(&format!("/roles/{}", encode(id)));
    let role = context.api().await?.get(&path).await.doing("show the role")?;
    let out = &context.out;
    if out.json {
        out.document(&role);
        return Ok(Exit::Ok);
    }
    let say = |label: &str, text: &str| {
        if !text.is_empty() {
            out.line(format!("  {} {}", out.dim(format!("{label:<9}")), clean(text)));
        }
    };
    out.line(format!("{} {}", out.bold(clean(role.text("/id"))), clean(role.text("/title"))));
    for (label, at) in [
        ("from", "/origin"),
        ("file", "/path"),
        ("version", "/version"),
        ("digest", "/digest"),
        ("output", "/output"),
        ("intent", "/intent"),
        ("agent", "/agent"),
        ("model", "/model"),
        ("when", "/use_case"),
    ] {
        say(label, role.text(at));
    }
    let tools: Vec<&str> = role.list("/tools").iter().filter_map(Value::as_str).collect();
    say("tools", &tools.join(", "));
    for error in role.list("/errors") {
        say("error", &format!("{} {}", error.text("/pointer"), error.text("/message")));
    }
    if let Some(prompt) = role.maybe("/prompt") {
        out.line("");
        for line in prompt.lines() {
            out.line(clean(line));
        }
    }
    Ok(Exit::Ok)
}

fn check(files: Vec<PathBuf>, context: &Context) -> Result<Exit, Fault> {
    let files = if files.is_empty() { own()? } else { files };
    let agents = agent::known(context)?;
    let (mut told, mut is_good): (Vec<Value>, bool) = (Vec::new(), true);
    for file in &files {
        let name = file.display().to_string();
        let errors = match fs::read_to_string(file) {
            Ok(text) => {
                let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                match Role::read(&stem, &text) {
                    Ok(role) => incapable(&role, &agents).into_iter().collect(),
                    Err(errors) => errors,
                }
            }
            Err(error) => vec![FieldError::new("", format!("it cannot be read: {error}"))],
        };
        is_good &= errors.is_empty();
        if !context.out.json {
            let word = if errors.is_empty() {
                context.out.paint(Tone::Good, "ok")
            } else {
                context.out.paint(Tone::Bad, "bad")
            };
            context.out.line(format!("{word:<4} {}", clean(&name)));
            for error in &errors {
                let field = error.pointer.trim_start_matches('/');
                context.out.line(format!("     {} {}", clean(field), clean(&error.message)).trim_end().to_owned());
            }
        }
        told.push(json!({"file": name, "errors": errors}));
    }
    if context.out.json {
        context.out.document(&json!({"items": told}));
    } else if files.is_empty() {
        context.out.line("there are no role files in .proofhouse/roles");
    }
    Ok(if is_good { Exit::Ok } else { Exit::No })
}

/// What the role's own agent lacks of what the role needs, as this machine knows it (S72). Of one that is not known
/// here nothing can be said; a start that gives the role another agent looks again.
fn incapable(role: &Role, agents: &[Agent]) -> Option<FieldError> {
    let agent = agents.iter().find(|agent| Some(agent.name.as_str()) == role.agent.as_deref())?;
    let lacks = role.needs().iter().any(|need| !agent.capabilities().contains(need));
    lacks.then(|| {
        let message = format!("cannot be given to the agent {}: it cannot be held to them", agent.name);
        FieldError::new("/tools", format!("{message} ({})", Code::AgentIncapable))
    })
}

/// The role files below the current folder.
fn own() -> Result<Vec<PathBuf>, Fault> {
    let folder = PathBuf::from(model::role::FOLDER);
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    Ok(files)
}

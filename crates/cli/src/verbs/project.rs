//! `proofhouse project`: the registered repositories and their policy.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::policy;
use crate::{
    ago,
    api::encode,
    context::{Context, Project},
    env,
    exit::Exit,
    fault::{Doing as _, Fault},
    git,
    json::Look as _,
    out::{Tone, clean},
    table::{Table, cell, plain},
};

/// A policy document is at most this long.
const DOCUMENT: u64 = 1 << 20;

/// List and register repositories; show and edit their policy
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the projects
    List,
    /// Register a repository without a policy; `proofhouse init` offers a starter
    Add {
        /// The repository
        #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
        path: PathBuf,
        /// Its short name [default: from the folder's name]
        #[arg(long)]
        key: Option<String>,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
    },
    /// Show a project
    Show {
        /// Its key or id [default: as --project]
        key: Option<String>,
    },
    /// Tell the plane where a repository has gone
    Move {
        /// Where it is now
        #[arg(value_hint = clap::ValueHint::DirPath)]
        path: PathBuf,
    },
    /// Show the policy: what runs may touch and execute
    Policy {
        /// Replace it by a JSON file, or edit it in $EDITOR where no file is named
        #[arg(long, value_name = "FILE", num_args = 0..=1, value_hint = clap::ValueHint::FilePath)]
        edit: Option<Option<PathBuf>>,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        match self {
            Self::List => list(context).await,
            Self::Add { path, key, name } => {
                let root = git::root_of(&path).await?;
                let document = register(context, &root, key, name).await?;
                if context.out.json {
                    context.out.document(&document);
                } else {
                    context.out.line(format!(
                        "registered {}  {}",
                        context.out.bold(clean(document.text("/key"))),
                        clean(document.text("/path"))
                    ));
                }
                Ok(Exit::Ok)
            }
            Self::Show { key } => {
                let project = match key {
                    Some(key) => key,
                    None => context.project().await?.key,
                };
                let document = context
                    .api()
                    .await?
                    .get(&format!("/projects/{}", encode(&project)))
                    .await
                    .doing("show the project")?;
                show(&document, context);
                Ok(Exit::Ok)
            }
            Self::Move { path } => {
                let root = git::root_of(&path).await?;
                let project = context.project().await?;
                let api = context.api().await?;
                let revision = api.get(&project.at("")).await.doing("read the project")?.number("/revision");
                let body = json!({"path": root});
                let document = api.patch(&project.at(""), &body, revision).await.doing("move the project")?;
                show(&document, context);
                Ok(Exit::Ok)
            }
            Self::Policy { edit: None } => {
                let project = context.project().await?;
                let document =
                    context.api().await?.get(&project.at("/settings/policy")).await.doing("read the policy")?;
                print_policy(&document, context);
                Ok(Exit::Ok)
            }
            Self::Policy { edit: Some(file) } => edit(file.as_deref(), context).await,
        }
    }
}

/// Registers a repository; one that is registered already is refused by the plane.
pub async fn register(
    context: &Context,
    root: &Path,
    key: Option<String>,
    name: Option<String>,
) -> Result<Value, Fault> {
    let mut body = json!({"path": root});
    if let Some(body) = body.as_object_mut() {
        body.extend(key.map(|key| ("key".to_owned(), json!(key))));
        body.extend(name.map(|name| ("name".to_owned(), json!(name))));
    }
    context.api().await?.post("/projects", &body).await.doing("register the repository")
}

async fn list(context: &Context) -> Result<Exit, Fault> {
    let list = context.api().await?.list("/projects", 10_000).await.doing("list the projects")?;
    let out = &context.out;
    if out.json {
        out.document(&list);
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["PROJECT", "NAME", "REGISTERED", "PATH"]);
    for project in list.list("/items") {
        table.row([
            cell(Tone::Bold, project.text("/key")),
            plain(project.text("/name")),
            cell(Tone::Dim, ago::ago(project.text("/created_at"), ago::now())),
            plain(project.text("/path")),
        ]);
    }
    if table.is_empty() {
        out.line(out.dim("no projects yet: `proofhouse init` registers the repository you are in"));
    } else {
        table.print(out);
    }
    Ok(Exit::Ok)
}

fn show(document: &Value, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(document);
        return;
    }
    out.line(format!("{}  {}", out.bold(clean(document.text("/key"))), clean(document.text("/name"))));
    for name in ["id", "path", "created_at", "revision"] {
        let value = document.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        out.line(format!("  {} {}", out.dim(format!("{name:<11}")), clean(&value.unwrap_or_default())));
    }
}

fn print_policy(document: &Value, context: &Context) {
    let out = &context.out;
    if out.json {
        out.document(document);
        return;
    }
    match document.get("body").filter(|body| body.as_object().is_some_and(|body| !body.is_empty())) {
        Some(body) => {
            for line in policy::lines(body, out) {
                out.line(line);
            }
            out.line(out.dim(format!(
                "revision {}, set {}",
                document.number("/revision"),
                ago::ago(document.text("/at"), ago::now())
            )));
        }
        None => out.line("no policy, so nothing may run: `proofhouse init` offers a starter"),
    }
}

async fn edit(file: Option<&Path>, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let api = context.api().await?;
    let path = project.at("/settings/policy");
    let document = api.get(&path).await.doing("read the policy")?;
    let text = match file {
        Some(file) => read(file)?,
        None => in_editor(&project, document.get("body").unwrap_or(&Value::Null))?,
    };
    let body: Value =
        serde_json::from_str(&text).map_err(|error| Fault::usage(format!("the policy is not JSON: {error}")))?;
    let saved = api.put(&path, &body, document.number("/revision")).await.doing("save the policy")?;
    print_policy(&saved, context);
    Ok(Exit::Ok)
}

fn read(file: &Path) -> Result<String, Fault> {
    let failed = |error: std::io::Error| Fault::usage(format!("failed to read {}: {error}", file.display()));
    let mut text = String::new();
    fs::File::open(file).map_err(failed)?.take(DOCUMENT).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn in_editor(project: &Project, body: &Value) -> Result<String, Fault> {
    let editor = env::EDITOR
        .text()
        .ok_or_else(|| Fault::usage("no $EDITOR is set").hinted("name a file: --edit policy.json"))?;
    let failed = |error: std::io::Error| Fault::usage(format!("failed to edit the policy: {error}"));
    let path = std::env::temp_dir().join(format!("proofhouse-policy-{}-{}.json", project.key, std::process::id()));
    let text = serde_json::to_string_pretty(body).unwrap_or_default();
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(failed)?;
    // The editor's own words may hold flags, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let status = Command::new(words.next().unwrap_or_default()).args(words).arg(&path).status();
    let edited = status.map_err(failed).and_then(|status| {
        if status.success() {
            read(&path)
        } else {
            Err(Fault::usage("the editor ended with an error; nothing was saved"))
        }
    });
    // A temporary copy of a document that the plane keeps.
    let _ = fs::remove_file(&path);
    let edited = edited?;
    if edited == text { Err(Fault::usage("nothing was changed")) } else { Ok(edited) }
}

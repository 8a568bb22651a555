//! `proofhouse token`: who may call the plane, and the link that signs a browser in.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    ago,
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::Tone,
    table::{Table, cell, plain},
};

/// List, make and revoke tokens; print a sign-in link
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the tokens
    List,
    /// Make a token; it is shown once
    Make {
        /// What people call it
        label: String,
        /// What it is for: a program such as CI, a person's own command line, or a worker
        #[arg(long, value_parser = ["program", "person", "worker"], default_value = "program")]
        kind: String,
        /// What it may do [default: member]
        #[arg(long, value_parser = ["viewer", "member", "admin"])]
        role: Option<String>,
        /// Only in this project, as --project does [default: in all]
        #[arg(long, value_name = "KEY")]
        only: Option<String>,
        /// When it ends, as 2027-01-31T00:00:00Z [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Revoke a token
    Revoke {
        /// The token: its id, or the end of it
        token: String,
    },
    /// Print a link that signs a browser in, once
    Link,
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        let api = context.api().await?;
        let out = &context.out;
        match self {
            Self::List => {
                let list = api.list("/tokens", 1_000).await.doing("list the tokens")?;
                if out.json {
                    out.document(&list);
                } else {
                    print(&list, context);
                }
            }
            Self::Make { label, kind, role, only, expires } => {
                let mut body = Map::new();
                body.insert("label".into(), json!(label));
                body.insert("kind".into(), json!(kind));
                body.extend(role.map(|role| ("role".to_owned(), json!(role))));
                body.extend(expires.map(|time| ("expires_at".to_owned(), json!(time))));
                // `--project` means the same here: a token for one project must not be one for all by a slip.
                let only = match only {
                    None if context.names_project() => Some(context.project().await?.key),
                    only => only,
                };
                if let Some(key) = only {
                    let project = api.get(&format!("/projects/{}", encode(&key))).await.doing("find the project")?;
                    body.insert("project".into(), json!(project.text("/id")));
                }
                let made = api.post("/tokens", &Value::Object(body)).await.doing("make the token")?;
                if out.json {
                    out.document(&made);
                } else {
                    out.remark("this is shown once; keep it where programs keep secrets:");
                    out.line(made.text("/secret"));
                }
            }
            Self::Revoke { token } => {
                let id = find(&token, context).await?;
                let answer = api.delete(&format!("/tokens/{}", encode(&id))).await.doing("revoke the token")?;
                if out.json {
                    out.document(&answer);
                } else {
                    out.line(format!("token {} is revoked", short(&id)));
                }
            }
            Self::Link => {
                if api.is_in_process() {
                    return Err(Fault::new(
                        model::code::Code::Unreachable,
                        "no server runs that a browser could reach",
                    )
                    .hinted("`proofhouse serve` starts one and prints a link"));
                }
                let made = api.post("/sign-in-links", &json!({})).await.doing("make a sign-in link")?;
                if out.json {
                    out.document(&made);
                } else {
                    out.line(link(&made, context));
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// The link of an answer, whole: the server only knows its path.
fn link(made: &Value, context: &Context) -> String {
    let base =
        context.place.server.clone().or_else(|| context.place.running().map(|server| server.url)).unwrap_or_default();
    format!("{}{}", base.trim_end_matches('/'), made.text("/path"))
}

async fn find(token: &str, context: &Context) -> Result<String, Fault> {
    if token.len() == 36 {
        return Ok(token.to_owned());
    }
    let list = context.api().await?.list("/tokens", 1_000).await.doing("find the token")?;
    let mut hits = list.list("/items").iter().map(|item| item.text("/id")).filter(|id| id.ends_with(token));
    match (hits.next(), hits.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (Some(_), Some(_)) => Err(Fault::usage(format!("more than one token is meant by {token}"))),
        (None, _) => Err(Fault::new(model::code::Code::NotFound, format!("no token has an id ending in {token}"))),
    }
}

fn print(list: &Value, context: &Context) {
    let out = &context.out;
    let now = ago::now();
    let mut table = Table::new(&["", "TOKEN", "KIND", "ROLE", "PROJECT", "ENDS", "MADE", "LABEL"]);
    for token in list.list("/items") {
        let ends = match (token.maybe("/revoked_at"), token.maybe("/expires_at")) {
            (Some(_), _) => "revoked",
            (None, Some(time)) => time.get(..10).unwrap_or(time),
            (None, None) => "never",
        };
        let (sign, tone) = if ends == "revoked" { ("–", Tone::Dim) } else { ("✓", Tone::Good) };
        table.row([
            cell(tone, sign),
            cell(Tone::Bold, short(token.text("/id"))),
            plain(token.text("/kind")),
            plain(token.text("/role")),
            plain(token.maybe("/project").map_or("all", short)),
            plain(ends),
            cell(Tone::Dim, ago::ago(token.text("/created_at"), now)),
            plain(token.text("/label")),
        ]);
    }
    if table.is_empty() {
        out.line(out.dim("no tokens"));
    } else {
        table.print(out);
    }
}

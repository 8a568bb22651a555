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
    out::{Tone, clean},
    table::{Table, cell, plain},
};

/// List, make and revoke tokens; print a sign-in link
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the tokens
    List,
    /// Make a token; it is shown once
    Make {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, value_parser = ["viewer", "member", "admin"], default_value = "member")]
        role: String,
        /// Only in this project [default: everywhere]
        #[arg(long, value_name = "KEY")]
        only: Option<String>,
        /// How many days it lasts [default: no end]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
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
            Self::Make { name, role, only, days } => {
                let mut body = Map::new();
                body.insert("name".into(), json!(name));
                body.insert("role".into(), json!(role));
                body.extend(only.map(|project| ("project".to_owned(), json!(project))));
                body.extend(days.map(|days| ("expires_in_days".to_owned(), json!(days))));
                let made = api.post("/tokens", &Value::Object(body)).await.doing("make the token")?;
                if out.json {
                    out.document(&made);
                } else {
                    out.remark("this is shown once; keep it where programs keep secrets:");
                    out.line(made.maybe("/token").or_else(|| made.maybe("/secret")).unwrap_or_default());
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
                    return Err(Fault::new(model::code::Code::Unreachable, "no server runs that a browser could reach")
                        .hinted("`proofhouse serve` starts one and prints a link"));
                }
                let made = api.post("/sign-in-links", &json!({})).await.doing("make a sign-in link")?;
                if out.json {
                    out.document(&made);
                } else {
                    out.line(link(&made, context)?);
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// The link of an answer, whole: the server may only know its path.
pub fn link(made: &Value, context: &Context) -> Result<String, Fault> {
    let text = ["/url", "/link", "/path"].into_iter().find_map(|at| made.maybe(at)).unwrap_or_default();
    if text.starts_with("http") {
        return Ok(text.to_owned());
    }
    let base = context.place.server.clone().or_else(|| context.place.running().map(|server| server.url)).unwrap_or_default();
    let path = if text.is_empty() { format!("/sign-in?code={}", encode(made.text("/code"))) } else { text.to_owned() };
    Ok(format!("{}{path}", base.trim_end_matches('/')))
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
    let mut table = Table::new(&["TOKEN", "NAME", "ROLE", "PROJECT", "LAST USED", "MADE"]);
    for token in list.list("/items") {
        let used = token.maybe("/last_used_at").map_or_else(|| "never".to_owned(), |at| ago::ago(at, now));
        table.row([
            cell(Tone::Bold, short(token.text("/id"))),
            plain(clean(token.text("/name"))),
            plain(token.text("/role")),
            plain(token.maybe("/project").unwrap_or("all")),
            plain(used),
            cell(Tone::Dim, ago::ago(token.text("/created_at"), now)),
        ]);
    }
    if table.is_empty() {
        out.line(out.dim("no tokens"));
    } else {
        table.print(out);
    }
}

//! `proofhouse worker invite`: a code by which another machine becomes a worker.

use serde_json::{Map, Value, json};

use crate::{
    api::encode,
    connect,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
};

/// Print a code by which another machine becomes a worker of this plane; it works once, for ten minutes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the worker is called [default: its machine's name]
    #[arg(long)]
    name: Option<String>,
    /// A label it gets; repeat for more
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Let it take everybody's tasks, not only yours
    #[arg(long)]
    shared: bool,
    /// Only in this project; repeat for more [default: in all]
    #[arg(long = "only", value_name = "KEY")]
    only: Vec<String>,
}

/// Invites.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let api = context.api().await?;
    let url = match (&context.place.server, connect::running(&context.place).await) {
        (Some(address), _) => address.clone(),
        (None, Some((server, _))) => server.url,
        (None, None) => {
            return Err(Fault::usage("a worker needs a server that it can call")
                .hinted("start one: proofhouse serve --listen ADDRESS:PORT"));
        }
    };
    let mut body = Map::new();
    body.extend(args.name.map(|name| ("name".to_owned(), json!(name))));
    body.insert("labels".into(), json!(args.labels));
    body.insert("sharing".into(), json!(if args.shared { "project" } else { "personal" }));
    let mut only = args.only;
    if only.is_empty() && context.names_project() {
        only.push(context.project().await?.key);
    }
    if !only.is_empty() {
        let mut ids = Vec::new();
        for key in &only {
            let project = api.get(&format!("/projects/{}", encode(key))).await.doing("find the project")?;
            ids.push(project.text("/id").to_owned());
        }
        body.insert("projects".into(), json!(ids));
    }
    let made = api.post("/workers/pairings", &Value::Object(body)).await.doing("invite a worker")?;
    let out = &context.out;
    if out.json {
        out.document(&made);
        return Ok(Exit::Ok);
    }
    let code = made.text("/code");
    out.line(format!("{} {}", out.dim("code   "), out.bold(code)));
    out.line(format!("{} proofhouse worker pair {url} {code}", out.dim("there  ")));
    out.line(format!("{} proofhouse worker run", out.dim("then   ")));
    out.line(out.dim("the code works once, for 10 minutes; the address must be one that the other machine reaches"));
    Ok(Exit::Ok)
}

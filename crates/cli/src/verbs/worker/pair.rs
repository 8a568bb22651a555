//! `proofhouse worker pair`: this machine becomes a worker.

use serde_json::json;
use worker::{pair::Introduction, state::State};

use super::Folder;
use crate::{
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
};

/// Make this machine a worker of a plane, by the code that `worker invite` printed there
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plane's address, such as http://10.0.0.5:7420 (or --server)
    url: Option<String>,
    /// The code, in any case, with or without dashes (or --code)
    code: Option<String>,
    /// The code
    #[arg(long = "code", value_name = "CODE", conflicts_with = "code")]
    coded: Option<String>,
    /// What the worker is called [default: this machine's name]
    #[arg(long)]
    name: Option<String>,
    /// A label of this machine; repeat for more
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    #[command(flatten)]
    folder: Folder,
}

/// Pairs.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    // With --server, the one word that is left is the code.
    let (url, code) = match (args.url, args.code, &context.place.server) {
        (Some(url), Some(code), _) => (Some(url), Some(code)),
        (Some(word), None, Some(server)) => (Some(server.clone()), args.coded.or(Some(word))),
        (url, None, server) => (url.or_else(|| server.clone()), args.coded),
        (None, Some(code), server) => (server.clone(), Some(code)),
    };
    let (Some(url), Some(code)) = (url, code) else {
        return Err(Fault::usage("an address and a code are needed")
            .hinted("proofhouse worker pair URL CODE, as `proofhouse worker invite` printed it on the plane"));
    };
    let state = State::open(&args.folder.path()?)?;
    let who = Introduction { name: args.name, labels: args.labels, slots: 1, agents: Vec::new() };
    let paired = worker::pair::pair(&state, &url, &code, who).await.map_err(Fault::from).doing("pair this machine")?;
    let out = &context.out;
    if out.json {
        out.document(&json!({
            "worker": paired.worker, "name": paired.name, "server": paired.server, "state": state.root(),
        }));
    } else {
        out.line(format!("{} is a worker of {} now", out.bold(&paired.name), paired.server));
        out.line(out.dim("start it: proofhouse worker run"));
    }
    Ok(Exit::Ok)
}

//! `proofhouse proof stubs`: the test files in which a requirement is to be proven.

use serde_json::json;

use super::{capture::print_stubs, run::requirement_id, show::unknown};
use crate::{
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
};

/// Show the stub tests of a requirement, and write those that are not there
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The requirement
    requirement: String,
    /// Write those that are only planned; a file that exists is never changed
    #[arg(long)]
    write: bool,
}

/// Shows or writes them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let api = context.api().await?;
    let id = requirement_id(&args.requirement);
    let path = project.at(&format!("/proof/requirements/{}", encode(&id)));
    let answer = if args.write {
        api.post(&format!("{path}/stubs"), &json!({}))
            .await
            .map_err(|fault| unknown(fault, &id, &project))
            .doing("write the stubs")?
    } else {
        api.get(&format!("{path}?stubs=true"))
            .await
            .map_err(|fault| unknown(fault, &id, &project))
            .doing("read the requirement")?
    };
    if context.out.json {
        context.out.document(&answer);
    } else if answer.list("/stubs").is_empty() {
        context.out.line("no stubs: its rules name existing tests or suites");
    } else {
        print_stubs(&answer, &context.out);
    }
    Ok(Exit::Ok)
}

//! `proofhouse proof waive` and `unwaive`: an exception, with a name, a reason and an end.

use serde_json::{Map, Value, json};

use super::{run::requirement_id, show::unknown};
use crate::{
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Tone, clean},
};

/// Except a requirement from the merge gate, with a reason and an end
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The requirement
    requirement: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// The last valid day, UTC, as YYYY-MM-DD [default: no end]
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
    /// Only this gate; repeat for more [default: all]
    #[arg(long = "gate", short = 'g', value_name = "GATE")]
    gates: Vec<String>,
    /// Something that was checked before; repeat for more
    #[arg(long = "check", value_name = "TEXT")]
    checklist: Vec<String>,
}

/// Waives.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let mut body = Map::new();
    body.insert("reason".into(), json!(args.reason));
    if let Some(expires) = &args.expires {
        body.insert("expires".into(), json!(expires));
    }
    if !args.gates.is_empty() {
        body.insert("gates".into(), json!(args.gates));
    }
    if !args.checklist.is_empty() {
        body.insert("checklist".into(), json!(args.checklist));
    }
    let project = context.project().await?;
    let id = requirement_id(&args.requirement);
    let path = project.at(&format!("/proof/requirements/{}/waivers", encode(&id)));
    let waiver = context
        .api()
        .await?
        .post(&path, &Value::Object(body))
        .await
        .map_err(|fault| unknown(fault, &id, &project))
        .doing(&format!("waive {}", clean(&id)))?;
    if context.out.json {
        context.out.document(&waiver);
    } else {
        let until = args.expires.map_or_else(|| "without an end".to_owned(), |day| format!("through {day} (UTC)"));
        context.out.line(context.out.paint(Tone::Unsure, format!("{} is waived {}", clean(&id), clean(&until))));
    }
    Ok(Exit::Ok)
}

/// End the waiver that is in force
#[derive(Debug, clap::Args)]
pub struct UnwaiveArgs {
    /// The requirement
    requirement: String,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Ends it.
pub async fn unwaive(args: UnwaiveArgs, context: &Context) -> Result<Exit, Fault> {
    let project = context.project().await?;
    let api = context.api().await?;
    let id = requirement_id(&args.requirement);
    let path = project.at(&format!("/proof/requirements/{}", encode(&id)));
    let what = format!("end the waiver of {}", clean(&id));
    let answer = api.get(&path).await.map_err(|fault| unknown(fault, &id, &project));
    let requirement = answer.doing(&what)?;
    let Some(waiver) = requirement.maybe("/waiver/id") else {
        return Err(Fault::new(model::code::Code::WaiverEnded, format!("{} is not waived", clean(&id))).doing(what));
    };
    let path = format!("{path}/waivers/{}/revoke", encode(waiver));
    let answer = api.post(&path, &json!({"reason": args.reason})).await.doing(&what)?;
    if context.out.json {
        context.out.document(&answer);
    } else {
        context.out.line(format!("{} is no longer waived", clean(&id)));
    }
    Ok(Exit::Ok)
}

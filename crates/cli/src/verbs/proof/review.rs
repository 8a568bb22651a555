//! `proofhouse proof review`: a person looked, and says what they saw (P67).

use clap::ArgGroup;
use serde_json::Value;

use super::run::requirement_id;
use crate::{
    context::Context,
    exit::Exit,
    fault::Fault,
    json::Look as _,
    verbs::answer::{Review, Verdict, open_questions, send_review},
};

/// Answer an open review: passed with every item ticked, or failed with a comment
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("verdict").required(true).args(["pass", "fail"])))]
pub struct Args {
    /// The question's id, or a requirement (REQ-0007) or requirement and gate (REQ-0007/manual)
    what: String,
    /// It holds
    #[arg(long)]
    pass: bool,
    /// It does not hold
    #[arg(long, requires = "comment")]
    fail: bool,
    /// An item that was looked at, by its number from 1; repeat for more [default: none]
    #[arg(long = "tick", value_name = "N")]
    ticks: Vec<usize>,
    /// Every item was looked at
    #[arg(long, conflicts_with = "ticks")]
    tick_all: bool,
    /// What was seen
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// Answers.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let question = find(&args.what, context).await?;
    let verdict = if args.fail { Verdict::Reject } else { Verdict::Accept };
    let review = Review { verdict, ticks: args.ticks, tick_all: args.tick_all, text: args.comment };
    send_review(&question, review, context).await
}

async fn find(what: &str, context: &Context) -> Result<Value, Fault> {
    let open = open_questions(context).await?;
    let (requirement, gate) = what.split_once('/').unwrap_or((what, ""));
    let subject = requirement_id(requirement);
    let fits = |question: &&Value| {
        let (id, of) = (question.text("/id"), question.text("/subject"));
        id == what
            || (what.len() >= 4 && id.ends_with(&what.to_ascii_lowercase()))
            || if gate.is_empty() {
                of.split('/').next() == Some(subject.as_str())
            } else {
                of == format!("{subject}/{gate}")
            }
    };
    let mut hits = open.iter().filter(|question| question.text("/kind") == "review").filter(fits);
    match (hits.next(), hits.next()) {
        (Some(question), None) => Ok(question.clone()),
        (Some(_), Some(_)) => Err(Fault::usage(format!("more than one open review fits {what}"))
            .hinted("name the gate, too: REQ-0007/manual")),
        (None, _) => Err(Fault::new(model::code::Code::NotFound, format!("no open review fits {what}"))
            .hinted("`proofhouse answer` lists what is asked")),
    }
}

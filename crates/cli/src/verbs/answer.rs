//! `proofhouse answer`: questions that wait for a person (X9, X35: one flag set for all kinds).

use clap::ArgGroup;
use serde_json::{Map, Value, json};

use crate::{
    ago, amount,
    api::encode,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::{Look as _, short},
    out::{Tone, clean, clean_lines},
    table::{Table, cell, plain},
};

/// Answer a question, or list those that are open
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("decision").args(["option", "accept", "reject", "approve", "revise", "deny", "top_up", "stop", "go_on", "body"])))]
pub struct Args {
    /// The question: its id, or the end of it; without it the open ones are listed
    question: Option<String>,
    /// The words of the answer, or of a comment
    #[arg(long, value_name = "TEXT", requires = "question")]
    text: Option<String>,
    /// A question: one of its options
    #[arg(long, value_name = "OPTION", requires = "question")]
    option: Option<String>,
    /// A review: it holds
    #[arg(long, requires = "question")]
    accept: bool,
    /// A review: it does not hold
    #[arg(long, requires_all = ["question", "text"])]
    reject: bool,
    /// A review: an item that was looked at, by its number from 1; repeat for more
    #[arg(long = "tick", value_name = "N", requires = "accept")]
    ticks: Vec<usize>,
    /// A review: every item was looked at
    #[arg(long, requires = "accept", conflicts_with = "ticks")]
    tick_all: bool,
    /// An approval: yes, to exactly what was shown
    #[arg(long, requires = "question")]
    approve: bool,
    /// An approval: not yet, and what has to change
    #[arg(long, requires_all = ["question", "text"])]
    revise: bool,
    /// An approval: no
    #[arg(long, requires = "question")]
    deny: bool,
    /// A budget: so much more, such as 2.50usd; a bare number is micro-USD
    #[arg(long, value_name = "AMOUNT", requires = "question", value_parser = amount::usd_or_micros)]
    top_up: Option<u64>,
    /// A budget of a run: so much more for the day, too
    #[arg(long, value_name = "AMOUNT", requires = "top_up", value_parser = amount::usd_or_micros)]
    day_top_up: Option<u64>,
    /// A budget: stop here
    #[arg(long, requires = "question")]
    stop: bool,
    /// A review: go on without deciding
    #[arg(long = "continue", requires = "question")]
    go_on: bool,
    /// The answer as JSON, as the API takes it
    #[arg(long, value_name = "JSON", requires = "question")]
    body: Option<String>,
}

/// Answers or lists.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let Some(id) = &args.question else { return list(context).await };
    let question = find(id, context).await?;
    if args.accept || args.reject {
        let verdict = if args.reject { Verdict::Reject } else { Verdict::Accept };
        let review = Review { verdict, ticks: args.ticks, tick_all: args.tick_all, text: args.text };
        return send_review(&question, review, context).await;
    }
    let body = body(&args, &question)?;
    send(&question, &body, context).await
}

fn body(args: &Args, question: &Value) -> Result<Value, Fault> {
    if let Some(body) = &args.body {
        return serde_json::from_str(body).map_err(|_| Fault::usage("--body is not JSON"));
    }
    let mut body = Map::new();
    let decision = [
        (args.approve, "approve"),
        (args.revise, "revise"),
        (args.deny, "deny"),
        (args.stop, "stop"),
        (args.go_on, "continue"),
        (args.top_up.is_some(), "top_up"),
    ];
    if let Some((_, decision)) = decision.iter().find(|(given, _)| *given) {
        body.insert("decision".into(), json!(decision));
    }
    if let Some(amount) = args.top_up {
        // What is added goes to the pool that is used up.
        let of_day = question.text("/schema/pool") == "day";
        body.insert(if of_day { "day_micro_usd" } else { "micro_usd" }.into(), json!(amount));
    }
    if let Some(amount) = args.day_top_up {
        body.insert("day_micro_usd".into(), json!(amount));
    }
    if let Some(option) = &args.option {
        body.insert("option".into(), json!(option));
    }
    if let Some(text) = &args.text {
        let name = if question.text("/kind") == "budget" { "reason" } else { "text" };
        body.insert(name.into(), json!(text));
    }
    if args.approve {
        // An approval is bound to the digest of the exact action that was asked about.
        let digest = question.maybe("/schema/digest").or_else(|| question.maybe("/digest"));
        body.extend(digest.map(|digest| ("digest".to_owned(), json!(digest))));
    }
    if body.is_empty() {
        return Err(Fault::usage("what is the answer?")
            .hinted(format!("this is a {}: see `proofhouse answer --help`", question.text("/kind"))));
    }
    Ok(Value::Object(body))
}

/// What a person says after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Accept,
    /// It does not.
    Reject,
}

/// An answer to a review.
#[derive(Debug)]
pub struct Review {
    /// What they say.
    pub verdict: Verdict,
    /// Items that were looked at, from 1.
    pub ticks: Vec<usize>,
    /// All of them were.
    pub tick_all: bool,
    /// In their words.
    pub text: Option<String>,
}

/// Answers a review.
pub async fn send_review(question: &Value, review: Review, context: &Context) -> Result<Exit, Fault> {
    let checklist = if question.list("/schema/checklist").is_empty() {
        question.list("/schema/items")
    } else {
        question.list("/schema/checklist")
    };
    if let Some(wrong) = review.ticks.iter().find(|tick| **tick == 0 || **tick > checklist.len().max(1)) {
        return Err(Fault::usage(format!("--tick {wrong}: the checklist has {} items", checklist.len())));
    }
    let items: Vec<usize> = if review.tick_all {
        (0..checklist.len()).collect()
    } else {
        review.ticks.iter().map(|tick| tick - 1).collect()
    };
    let mut body = Map::new();
    body.insert("decision".into(), json!(if review.verdict == Verdict::Accept { "accept" } else { "reject" }));
    body.insert("items".into(), json!(items));
    body.extend(review.text.map(|text| ("text".to_owned(), json!(text))));
    send(question, &Value::Object(body), context).await.inspect_err(|fault| {
        if fault.is(model::code::Code::ChecklistIncomplete) && !checklist.is_empty() {
            for (number, item) in checklist.iter().enumerate() {
                let words = item.as_str().or_else(|| item.maybe("/text")).unwrap_or_default();
                context.out.remark(format!("  {}. {}", number + 1, clean(words)));
            }
        }
    })
}

async fn send(question: &Value, body: &Value, context: &Context) -> Result<Exit, Fault> {
    let path = format!("/questions/{}/answer", encode(question.text("/id")));
    let answered = context.api().await?.post(&path, body).await.doing("answer the question")?;
    if context.out.json {
        context.out.document(&answered);
    } else {
        let run = short(question.text("/run"));
        context.out.line(format!("answered: {}", clean(question.text("/subject"))));
        context.out.line(context.out.dim(format!("  `proofhouse run watch {run}` shows how the run goes on")));
    }
    Ok(Exit::Ok)
}

/// The open questions: of the project where one is meant, else of all.
pub async fn open_questions(context: &Context) -> Result<Vec<Value>, Fault> {
    Ok(open(context).await?.list("/items").to_vec())
}

async fn open(context: &Context) -> Result<Value, Fault> {
    let api = context.api().await?;
    let path = if context.names_project() {
        context.project().await?.at("/questions?state=open")
    } else {
        "/questions?state=open".to_owned()
    };
    api.list(&path, 1_000).await.doing("list the open questions")
}

async fn find(id: &str, context: &Context) -> Result<Value, Fault> {
    if id.len() == 36 {
        return context.api().await?.get(&format!("/questions/{}", encode(id))).await.doing("find the question");
    }
    let open = open_questions(context).await?;
    let wanted = id.to_ascii_lowercase();
    let mut hits = open.iter().filter(|question| question.text("/id").ends_with(&wanted));
    match (hits.next(), hits.next()) {
        (Some(question), None) => Ok(question.clone()),
        (Some(_), Some(_)) => Err(Fault::usage(format!("more than one question is meant by {id}"))),
        (None, _) => Err(Fault::new(model::code::Code::NotFound, format!("no open question has an id ending in {id}"))
            .hinted("`proofhouse answer` lists the open ones")),
    }
}

async fn list(context: &Context) -> Result<Exit, Fault> {
    let list = open(context).await?;
    let out = &context.out;
    if out.json {
        out.document(&list);
        return Ok(Exit::Ok);
    }
    if list.list("/items").is_empty() {
        out.line(out.dim("nothing waits for a person"));
        return Ok(Exit::Ok);
    }
    let now = ago::now();
    let mut table = Table::new(&["QUESTION", "KIND", "SUBJECT", "RUN", "ASKED", "WHAT"]);
    for question in list.list("/items") {
        let first = clean_lines(question.text("/prompt"));
        table.row([
            cell(Tone::Bold, short(question.text("/id"))),
            plain(question.text("/kind")),
            plain(question.text("/subject")),
            plain(short(question.text("/run"))),
            cell(Tone::Dim, ago::ago(question.text("/created_at"), now)),
            plain(first.lines().next().unwrap_or_default()),
        ]);
    }
    table.print(out);
    Ok(Exit::Ok)
}

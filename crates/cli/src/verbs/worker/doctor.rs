//! `proofhouse worker doctor`: whether this machine can work, check by check.

use std::time::Duration;

use model::{limits, time::Timestamp};
use serde_json::json;
use worker::{
    agents::{look, of_worker},
    link::{CallError, Link},
    outbox::waiting,
    state::State,
};

use super::Folder;
use crate::{
    ago,
    context::Context,
    exit::Exit,
    fault::Fault,
    json::Look as _,
    verbs::doctor::{Check, How, check, sandbox, tell},
};

/// A clock that is off by more is worth a word; nothing depends on it.
const CLOCK: Duration = Duration::from_secs(60);

/// Look at everything this machine's worker needs: the plane, its token, agents, repositories, outbox, sandbox
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An agent of this machine, as `worker run` gets it; repeat for more
    #[arg(long = "agent", value_name = "ID=/PROGRAM")]
    agents: Vec<String>,
    #[command(flatten)]
    folder: Folder,
}

/// Looks. Exit 4 when the plane is not reached, 1 when another check fails.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let state = State::look(&args.folder.path()?);
    let Some(paired) = state.paired()? else {
        return Err(Fault::new(model::code::Code::WorkerNotPaired, "this machine is not paired with a plane"));
    };
    let agents = of_worker(&state, &args.agents)?;
    let mut checks = vec![check("worker", How::Ok, format!("{} at {}", paired.name, paired.server), "")];
    let link = Link::at(&paired.server)?.with_token(&paired.token);
    let answer = link.post("/worker/heartbeat", None, &json!({"held": []}), Duration::ZERO).await;
    let unreachable = matches!(answer, Err(CallError::Unreachable(_)));
    match answer {
        Ok(answer) => {
            checks.push(check("plane", How::Ok, "reached, and the token is good", ""));
            checks.push(clock(answer.text("/server_time")));
        }
        Err(error) if error.is_revoked() => {
            checks.push(check("plane", How::Bad, "the token is refused: revoked", "pair this machine again"));
        }
        Err(error) => checks.push(check("plane", How::Bad, error.to_string(), "is the server running, and reachable?")),
    }
    let scratch = std::env::temp_dir().join(format!("proofhouse-doctor-{}", uuid::Uuid::now_v7()));
    for agent in look(&agents, &scratch).await {
        let name = format!("{} {}", agent.id, agent.version.unwrap_or_default());
        checks.push(match agent.detail {
            None => check("agent", How::Ok, name, ""),
            Some(why) if agent.healthy => check("agent", How::Note, format!("{}: {why}", agent.id), ""),
            Some(why) => check("agent", How::Bad, format!("{}: {why}", agent.id), "install it or fix the path"),
        });
    }
    for (key, path) in state.repos()? {
        checks.push(if path.join(".git").exists() || path.join("HEAD").exists() {
            check("repository", How::Ok, format!("{key}: {}", path.display()), "")
        } else {
            check(
                "repository",
                How::Bad,
                format!("{key}: {} is no repository", path.display()),
                "proofhouse worker map",
            )
        });
    }
    let (items, bytes) = waiting(&state.tasks());
    let how = if bytes >= limits::OUTBOX { How::Bad } else { How::Ok };
    checks.push(check("outbox", how, format!("{items} waiting, {} KiB", bytes >> 10), ""));
    checks.push(sandbox().await);
    let all_well = tell(&checks, context);
    Ok(match (unreachable, all_well) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::Ok,
        (false, false) => Exit::No,
    })
}

fn clock(server: &str) -> Check {
    let Ok(theirs) = server.parse::<Timestamp>() else {
        return check("clock", How::Note, "the plane's time cannot be read", "");
    };
    let ours = ago::now();
    let apart = ours.since(theirs).max(theirs.since(ours));
    let words = format!("{} apart from the plane's", ago::duration(apart));
    if apart > CLOCK {
        check("clock", How::Note, words, "nothing depends on it, but logs are easier to read")
    } else {
        check("clock", How::Ok, words, "")
    }
}

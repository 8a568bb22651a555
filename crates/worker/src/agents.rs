//! Looks at the agents of this machine every now and then. The plane can choose among them and can never name a
//! program (D62).

use std::{path::Path, sync::Arc};

use agents::{Agent, advertise};
use model::{code::Code, limits, problem::Problem, time::Timestamp, worker::Advertised};

use crate::{serve::LookAtAgents, state::State};

/// The agents of a worker: those known by name, those of the file in its folder, those of flags.
///
/// # Errors
/// 422 in words.
pub fn of_worker(state: &State, flags: &[String]) -> Result<Vec<Agent>, Problem> {
    let agents =
        agents::declared_with(state.root(), flags).map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
    if agents.len() > limits::WORKER_AGENTS {
        let message = format!("a worker has {} agents at most", limits::WORKER_AGENTS);
        return Err(Problem::new(Code::Usage, message));
    }
    Ok(agents)
}

/// Asks each of them for its version. What they want to keep goes into a folder that is gone afterwards.
pub async fn look(agents: &[Agent], scratch: &Path) -> Vec<Advertised> {
    advertise(agents, &exec::environment::inherited(), scratch, now).await
}

/// As [`look`], again and again.
pub fn looking(state: &State, agents: Vec<Agent>) -> LookAtAgents {
    let (agents, scratch) = (Arc::new(agents), state.root().join("scratch"));
    Arc::new(move || {
        let (agents, scratch) = (agents.clone(), scratch.clone());
        Box::pin(async move { look(&agents, &scratch).await })
    })
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

//! The run kind `dispatch`: an issue is handed to a role, an agent works on it, its files come back as a branch.
//!
//! A run has up to four tasks, one after the other: **prepare** gathers what the agent is told and stores it, **agent**
//! is claimed by a worker that has the agent ([`perform`]), **apply** judges what came back and puts it into the
//! repository, **prove** starts a proof run of it. Only *agent* may be done on another machine, and it only ever hands
//! in a result: nothing is written to the repository before the plane has taken that result behind the fence, and it
//! is the plane that writes (D56, X39). So a result can be applied again without an agent, and a worker that comes too
//! late changes nothing.
//!
//! What its agent may only do with leave is asked as a durable question ([`asks`]); a task that waits for people is
//! given back, and goes on with the answer ([`waiting`]).

mod admit;
mod apply;
pub(crate) mod archive;
pub(crate) mod asks;
pub mod clones;
mod comments;
mod context;
mod difference;
mod ground;
mod kind;
pub mod perform;
pub mod planner;
pub mod port;
mod prepare;
mod prove;
pub mod roles;
pub mod state;
mod survey;
mod ticker;
mod waiting;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use agents::{Agent, Kind};
use model::{
    agent::usage::Billing,
    code::Code,
    id::WorkerId,
    ledger::{Ask, SLICE},
    problem::Problem,
    worker::Advertised,
};
use tokio::sync::OnceCell;

use crate::Engine;

pub use clones::Clones;
pub use difference::{Difference, difference};
pub use perform::{Place, perform};
pub use port::{Port, PortError};
pub use state::{AgentTask, Detail};

/// Where workers look for the tasks of agents.
pub const QUEUE: &str = "agent";

/// How often the agents of the plane's own machine are looked at (D62).
const HEALTH: Duration = Duration::from_secs(300);

/// What this process knows about dispatch runs.
pub struct Dispatch {
    /// The agents that the embedded worker may start.
    agents: Vec<Agent>,
    /// What is known of them now: at first which are here, later how they are.
    advertised: Mutex<Vec<Advertised>>,
    /// Whether an agent can be fenced in on this machine, once that was tried.
    fences: OnceCell<bool>,
}

impl Dispatch {
    /// With the agents that are declared on this machine, in a folder that only its owner writes (D62).
    ///
    /// # Errors
    /// A declaration that cannot be read.
    pub fn on_machine(folder: &Path) -> Result<Self, Problem> {
        let agents = agents::declared_in(folder).map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
        let environment = exec::environment::inherited();
        // How they are shows when they are looked at.
        let here = agents.iter().filter(|agent| agents::is_here(agent, &environment));
        let advertised = Mutex::new(here.map(|agent| agents::unseen(agent, &environment)).collect());
        Ok(Self { agents, advertised, fences: OnceCell::new() })
    }

    /// The agents that the embedded worker has, as they were when they were last looked at.
    pub fn advertised(&self) -> Vec<Advertised> {
        let mut known = self.advertised.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Keys and declarations of providers are read anew for each session, and so is whether there are any.
        let environment = exec::environment::inherited();
        for agent in self.agents.iter().filter(|agent| agent.kind == Kind::Builtin) {
            known.retain(|other| other.id != agent.name.as_str());
            known.extend(agents::is_here(agent, &environment).then(|| agents::unseen(agent, &environment)));
        }
        known
    }

    /// Looks after the agents of the embedded worker until the engine stops: at its start and every five minutes.
    pub(crate) async fn look_after(self: Arc<Self>, engine: Engine, worker: WorkerId) {
        let scratch = engine.data().root().join("agents-looked-at");
        loop {
            let clock = engine.clone();
            let environment = exec::environment::inherited();
            let look = agents::advertise(&self.agents, &environment, &scratch, || clock.now());
            let looked = tokio::select! {
                looked = look => looked,
                () = engine.stopping().cancelled() => return,
            };
            *self.advertised.lock().unwrap_or_else(PoisonError::into_inner) = looked;
            if let Err(problem) = crate::worker::say(&engine, worker, self.advertised()).await {
                tracing::warn!(%problem, "failed to write down which agents there are");
            }
            tokio::select! {
                () = tokio::time::sleep(HEALTH) => {}
                () = engine.stopping().cancelled() => return,
            }
        }
    }

    /// What is to be reserved before this agent starts: nothing for one that is free, its price for one that has a
    /// fixed one, else a slice of a session (D34, S65).
    pub(crate) fn reserve(&self, agent: &str) -> Option<Ask> {
        let own = self.agents.iter().find(|own| own.name.as_str() == agent);
        match own.map(|own| own.billing) {
            Some(Billing::Free) => None,
            Some(Billing::Fixed(amount)) => Some(Ask::Exactly(amount)),
            Some(Billing::Metered | Billing::Priced) => Some(Ask::UpTo(SLICE)),
            // One of another machine alone.
            None if agent == Kind::Scripted.name() => None,
            None => Some(Ask::UpTo(SLICE)),
        }
    }

    /// Whether an agent can be fenced in on this machine (X20). Tried once.
    async fn fences(&self, folder: &Path) -> bool {
        *self.fences.get_or_init(|| exec::sandbox::can_fence(folder)).await
    }

    /// The agents that are here as things stand: a program that lies there, a model that can be asked.
    pub fn offered(&self) -> Vec<Advertised> {
        let environment = exec::environment::inherited();
        let here = self.agents.iter().filter(|agent| agents::is_here(agent, &environment));
        here.map(|agent| agents::unseen(agent, &environment)).collect()
    }
}

/// What a task that needs an agent asks of its worker.
pub fn label_of(agent: &str) -> String {
    format!("agent:{agent}")
}

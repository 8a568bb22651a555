//! The run kind `proof`: requirements x gates -> evidence.
//!
//! A run binds itself to a tree, plans distinct commands for its gates ([`runners`]), runs them, judges
//! each gate when the last command it needs has ended ([`planner`]), and takes the tree again at the
//! end. What a requirement is worth afterwards is never stored: it follows from the evidence
//! (`model::proof::standing`).

mod apply;
pub mod briefs;
pub mod check;
mod command;
mod cost;
pub mod definitions;
mod ends;
pub mod evidence;
pub mod export;
mod footing;
pub mod gates;
pub mod ground;
pub mod integrity;
mod kind;
pub mod late;
pub mod listing;
mod places;
pub mod planner;
mod preparation;
mod record;
pub mod requirements;
pub mod results;
mod reviews;
pub mod runners;
mod select;
mod settle;
pub mod state;
pub mod status;
pub mod stubs;
pub mod surroundings;
pub mod target;
mod tools;
pub mod waivers;
pub mod worth;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::id::RunId;

/// What this process remembers about proof runs. All of it can be found out again.
#[derive(Default)]
pub struct Proof {
    /// Runs whose tree this process has compared, with the number of resumes at that time (P26, P55).
    verified: Mutex<HashMap<RunId, u64>>,
    /// What tools say of themselves, by the command that asks.
    versions: Mutex<HashMap<String, Option<String>>>,
    /// Private indexes per checkout.
    observers: Mutex<HashMap<String, Arc<exec::git::Observer>>>,
    /// Where git keeps what of the repositories of runs: asking git costs more than many a gate.
    git_dirs: Mutex<HashMap<RunId, Vec<PathBuf>>>,
    /// What programs and modules the machine has.
    tools: tools::Cache,
    /// Gate definitions by commit: they depend on nothing else in the repository.
    definitions: Mutex<HashMap<String, target::Definitions>>,
    /// What the requirements of projects are worth, in brief.
    briefs: briefs::Briefs,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one of these maps is half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

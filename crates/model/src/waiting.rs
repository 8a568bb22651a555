//! What a run waits for when nobody takes its work (D12).

use serde::Serialize;
use utoipa::ToSchema;

use crate::{id::WorkerId, worker::WorkerState};

/// Why nobody has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WaitReason)]
pub enum Reason {
    /// No worker of the project has all that it asks for.
    NoneHas,
    /// Those that could do it claim nothing: they are not there, or draining.
    NoneOnline,
    /// Those that could do it have their hands full.
    AllBusy,
    /// One will take it presently.
    Soon,
}

/// A worker that could do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EligibleWorker)]
pub struct Eligible {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: WorkerState,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingFor)]
pub struct WaitingFor {
    /// Where its work lies.
    pub queue: String,
    /// What it asks of a worker.
    pub labels: Vec<String>,
    /// The workers that have all of that and may work for the run, there or not.
    pub eligible_workers: Vec<Eligible>,
    /// Why none of them has taken it.
    pub reason: Reason,
    /// The same in words.
    pub message: String,
}

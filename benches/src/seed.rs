//! Rows that are there before a benchmark's first call.

use engine::Engine;
use model::id::ProjectId;
use serde::{Deserialize, Serialize};

/// How many of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seed {
    /// Ended runs.
    pub runs: u32,
}

impl Seed {
    /// Stores them; what it made, for the benchmark to find it.
    pub async fn sow(&self, _: &Engine, _: ProjectId) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::Value::Null)
    }
}

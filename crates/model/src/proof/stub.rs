//! What became of a stub test (P9).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a stub is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StubState {
    /// It was written just now.
    Written,
    /// Something stood there already, and was left as it is.
    Exists,
    /// It could not be written here; `proofhouse proof stubs --write` does.
    Planned,
}

/// A stub in an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct StubAnswer {
    /// Its path, relative to the repository.
    pub path: String,
    /// Whether it is on disk.
    pub state: StubState,
    /// Why it is not, where that is known; names no path of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

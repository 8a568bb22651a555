//! What a tool's exit codes mean.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which exit codes mean what; anything else is `exit_code`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exits {
    /// Codes that pass.
    pub pass: Vec<i32>,
    /// Codes that say that the tool worked, whatever it found: judged by the results (scanners).
    pub ok: Vec<i32>,
    /// Codes that say that nothing was looked at: `skipped`.
    pub unproven: Vec<i32>,
    /// Codes by which the tool says that it did not work itself: `runner_error` (P43).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<i32>,
}

impl Default for Exits {
    fn default() -> Self {
        Self { pass: vec![0], ok: Vec::new(), unproven: Vec::new(), broken: Vec::new() }
    }
}

impl Exits {
    pub(super) fn passes(&self, code: i32) -> bool {
        self.pass.contains(&code)
    }

    pub(super) fn explains_itself(&self, code: i32) -> bool {
        self.passes(code) || self.ok.contains(&code)
    }
}

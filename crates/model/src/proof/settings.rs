//! What an admin sets for the proof of a project. Never read from the repository (P60).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{form::Form, gate::GateName};
use crate::{limits, problem::FieldError};

/// What proof of another tree is worth at the merge gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Staleness {
    /// Nothing: only proof of this very tree clears.
    #[default]
    Strict,
    /// It clears, with a warning.
    Advisory,
}

/// What a merge gate that is not clear does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// It blocks.
    #[default]
    Block,
    /// It says so and lets through: only the exit code and the forge's state differ.
    Warn,
}

/// Which requirements the merge gate asks about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckScope {
    /// All of them.
    #[default]
    All,
    /// Those whose scope meets the changed files.
    Changed,
}

/// The proof settings of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProofSettings {
    /// The gates that run unless a run names its own; absent means all but the offered ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_gates: Option<Vec<GateName>>,
    /// What proof of another tree is worth.
    pub staleness: Staleness,
    /// What a gate that is not clear does.
    pub enforcement: Enforcement,
    /// Which requirements the merge gate asks about.
    pub check_scope: CheckScope,
    /// Whether a project without requirements in scope is clear.
    pub allow_empty: bool,
    /// Proof runs at once, 1 to 8.
    pub max_active: u32,
    /// Commands at once in a run, 1 to 64; absent means by the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Ended runs that are kept.
    pub keep_runs: u32,
    /// Days that ended runs are kept.
    pub keep_days: u32,
    /// Whether a waiver or review needs somebody else than who started or captured.
    pub four_eyes: bool,
}

impl Default for ProofSettings {
    fn default() -> Self {
        Self {
            enabled_gates: None,
            staleness: Staleness::default(),
            enforcement: Enforcement::default(),
            check_scope: CheckScope::default(),
            allow_empty: false,
            max_active: 1,
            slots: None,
            keep_runs: limits::KEEP_RUNS,
            keep_days: limits::KEEP_DAYS,
            four_eyes: false,
        }
    }
}

impl ProofSettings {
    /// Reads a settings document; what it leaves out has its default. `is_gate` knows the project's
    /// gates. Doubles in lists are dropped, order is kept.
    pub fn read(body: &Value, is_gate: impl Fn(&GateName) -> bool) -> Result<Self, Vec<FieldError>> {
        let base = Self::default();
        let mut form = Form::new(body, "");
        let number = |value: Option<u64>, default: u32| value.and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
        let settings = Self {
            enabled_gates: form.set("enabled_gates", limits::GATES, |text| {
                let name: GateName = text.parse().map_err(|invalid| format!("{invalid}"))?;
                if is_gate(&name) { Ok(name) } else { Err("is not a gate of this project".to_owned()) }
            }),
            staleness: form.choice("staleness", &["strict", "advisory"]).unwrap_or_default(),
            enforcement: form.choice("enforcement", &["block", "warn"]).unwrap_or_default(),
            check_scope: form.choice("check_scope", &["all", "changed"]).unwrap_or_default(),
            allow_empty: form.flag("allow_empty").unwrap_or(base.allow_empty),
            max_active: number(form.number("max_active", 1..=8), base.max_active),
            slots: form.number("slots", 1..=64).and_then(|n| u32::try_from(n).ok()),
            keep_runs: number(form.number("keep_runs", 1..=100_000), base.keep_runs),
            keep_days: number(form.number("keep_days", 1..=36_500), base.keep_days),
            four_eyes: form.flag("four_eyes").unwrap_or(base.four_eyes),
        };
        let errors = form.finish();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// What a person should know about settings that are allowed and odd.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.enabled_gates.as_ref().is_some_and(Vec::is_empty) {
            warnings.push("every gate is off: a run that names no gates proves nothing".to_owned());
        }
        if self.enforcement == Enforcement::Warn {
            warnings.push("the merge gate only warns: it lets through what is not proven".to_owned());
        }
        if self.allow_empty {
            warnings.push("the merge gate is clear when no requirement is in scope".to_owned());
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<ProofSettings, Vec<FieldError>> {
        ProofSettings::read(&body, |gate| gate.as_str() != "nope")
    }

    #[test]
    fn settings_drop_doubles_and_keep_order() {
        let settings = read(json!({"enabled_gates": ["sec", "unit", "sec"], "staleness": "advisory"})).unwrap();
        let names: Vec<_> = settings.enabled_gates.as_ref().unwrap().iter().map(GateName::as_str).collect();
        assert_eq!(names, ["sec", "unit"]);
        assert_eq!(settings.staleness, Staleness::Advisory);
        assert_eq!(read(json!({})).unwrap(), ProofSettings::default());
        assert_eq!(read(json!({"enabled_gates": []})).unwrap().warnings().len(), 1);
        let again = serde_json::to_value(&settings).unwrap();
        assert_eq!(read(again).unwrap(), settings);
    }

    #[test]
    fn wrong_settings_are_all_named() {
        let errors = read(json!({
            "enabled_gates": ["Unit", "nope"], "staleness": "lax", "max_active": 9, "slots": 0, "keep_days": -1, "x": 1
        }))
        .unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/enabled_gates/0", "/enabled_gates/1", "/staleness", "/max_active", "/slots", "/keep_days", "/x"]
        );
    }
}

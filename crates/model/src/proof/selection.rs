//! What a run takes on, and why it leaves out the rest (P13, P15, P16).
//!
//! One pass over the requirements. Whatever is left out has a cause; when nothing is left, the answer
//! says why and names a remedy that is not already in use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    gate::GateName,
    requirement::{Requirement, RequirementNumber},
    run::{Mode, ProofRunConfig},
    scope::Changes,
    standing::{Standing, Status},
};

/// A requirement that could be taken.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The requirement.
    pub requirement: &'a Requirement,
    /// What it is worth now, on the run's tree.
    pub standing: &'a Standing,
}

/// One gate of one requirement that the run takes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectedGate {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// The gate.
    pub gate: GateName,
    /// Taken although a waiver leaves it out: its evidence is for the day the waiver ends.
    pub waived: bool,
}

/// Why a requirement is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutBecause {
    /// The run named others.
    RequirementFilter,
    /// A waiver.
    Waived,
    /// Its scope does not meet the changed files.
    OutsideScope,
    /// It has none of the gates that the run named.
    GateFilter,
    /// All its gates are off.
    GatesDisabled,
    /// The merge gate would clear it.
    Clear,
}

/// A requirement that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The requirement.
    pub requirement: RequirementNumber,
    /// Why.
    pub because: LeftOutBecause,
}

/// Why a run takes on nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyReason {
    /// The project has none.
    NoRequirements,
    /// All that was asked for is waived.
    AllWaived,
    /// Nothing meets the changed files.
    OutsideScope,
    /// The filters leave nothing.
    FilteredOut,
    /// All gates that would be asked are off.
    GatesDisabled,
    /// Each filter alone would have left some.
    FiltersCombined,
    /// Several causes.
    Mixed,
    /// Everything is clear already (`not_clear` only).
    AlreadyClear,
}

/// What a run takes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Its gates, by requirement, each in the requirement's own order.
    pub gates: Vec<SelectedGate>,
    /// Obligations left out by waivers; counted apart.
    pub waived: u32,
    /// Every requirement that is not taken, with its cause.
    pub diagnostics: Vec<LeftOut>,
    /// Why nothing is taken; none when something is.
    pub empty_reason: Option<EmptyReason>,
    /// What to know, and for an empty selection what to do; never empty.
    pub message: String,
    /// Further remarks.
    pub notes: Vec<String>,
}

/// Selects. `enabled` says whether a gate is on; naming a gate outranks that.
pub fn select<'a>(
    config: &ProofRunConfig,
    candidates: impl IntoIterator<Item = Candidate<'a>>,
    enabled: impl Fn(&GateName) -> bool,
    changes: &Changes<'_>,
) -> Selection {
    let mut selection = Selection::default();
    let mut filters = Filters::default();
    let mut disabled: BTreeMap<&str, u32> = BTreeMap::new();
    let mut seen = 0u32;
    for Candidate { requirement, standing } in candidates {
        seen += 1;
        let passes = Passes::of(config, requirement, standing, &enabled, changes);
        filters.note(&passes);
        if let Some(because) = passes.left_out() {
            selection.diagnostics.push(LeftOut { requirement: requirement.id, because });
            if because == LeftOutBecause::Waived {
                selection.waived += u32::try_from(requirement.obligations.len()).unwrap_or(u32::MAX);
            }
            continue;
        }
        for obligation in &standing.obligations {
            if !asks(config, &obligation.gate, &enabled) {
                if config.gates.is_none() {
                    let name = requirement.obligation(&obligation.gate).map_or("", |own| own.gate.as_str());
                    *disabled.entry(name).or_default() += 1;
                }
            } else if obligation.waived && !config.include_waived {
                selection.waived += 1;
            } else if config.mode == Mode::NotClear && obligation.is_clear() && !obligation.waived {
                // Clear already: the run has nothing to add.
            } else {
                selection.gates.push(SelectedGate {
                    requirement: requirement.id,
                    gate: obligation.gate.clone(),
                    waived: obligation.waived,
                });
            }
        }
    }
    for (gate, count) in disabled {
        let obligations = if count == 1 { "1 obligation is".to_owned() } else { format!("{count} obligations are") };
        selection.notes.push(format!("gate {gate} is off: {obligations} left out; name it to run it"));
    }
    if config.mode == Mode::Changed && !changes.are_known() {
        selection.notes.push("the changed files could not be found out, so everything is in scope".to_owned());
    }
    if selection.gates.is_empty() {
        let (reason, message) = filters.explain(config, seen, &selection.diagnostics);
        selection.empty_reason = Some(reason);
        selection.message = message;
    } else {
        let requirements = seen as usize - selection.diagnostics.len();
        let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        selection.message = format!("{} of {}", many(selection.gates.len(), "gate"), many(requirements, "requirement"));
    }
    selection
}

fn asks(config: &ProofRunConfig, gate: &GateName, enabled: &impl Fn(&GateName) -> bool) -> bool {
    config.gates.as_ref().map_or_else(|| enabled(gate), |gates| gates.contains(gate))
}

/// Which filters a requirement passes, each taken alone.
struct Passes {
    named: bool,
    in_scope: bool,
    /// Some gate of it is among those that the run named, or none were named.
    gate_named: bool,
    /// Some gate of it is asked for: named, or on.
    gate_asked: bool,
    /// A waiver leaves out all of it, or all that is asked for.
    waived: bool,
    /// Nothing that is asked for would block the merge gate.
    clear: bool,
}

impl Passes {
    fn of(
        config: &ProofRunConfig,
        requirement: &Requirement,
        standing: &Standing,
        enabled: &impl Fn(&GateName) -> bool,
        changes: &Changes<'_>,
    ) -> Self {
        let asked = || standing.obligations.iter().filter(|o| asks(config, &o.gate, enabled));
        let gate_asked = asked().next().is_some();
        Self {
            named: config.requirements.as_ref().is_none_or(|ids| ids.contains(&requirement.id)),
            in_scope: config.mode != Mode::Changed || changes.meet(&requirement.scope),
            gate_named: config.gates.is_none() || gate_asked,
            gate_asked,
            waived: !config.include_waived
                && (standing.status == Status::Waived || (gate_asked && asked().all(|o| o.waived))),
            clear: config.mode == Mode::NotClear
                && asked().all(|o| if o.waived { !config.include_waived } else { o.is_clear() }),
        }
    }

    fn left_out(&self) -> Option<LeftOutBecause> {
        use LeftOutBecause as B;
        // What the caller chose comes before what others decided: without it the remedy would not help.
        if !self.named {
            Some(B::RequirementFilter)
        } else if !self.in_scope {
            Some(B::OutsideScope)
        } else if !self.gate_named {
            Some(B::GateFilter)
        } else if !self.gate_asked {
            Some(B::GatesDisabled)
        } else if self.waived {
            Some(B::Waived)
        } else if self.clear {
            Some(B::Clear)
        } else {
            None
        }
    }
}

/// Whether each filter alone would leave something.
#[derive(Default)]
struct Filters {
    named: bool,
    in_scope: bool,
    gate_named: bool,
}

impl Filters {
    fn note(&mut self, passes: &Passes) {
        if !passes.waived {
            self.named |= passes.named;
            self.in_scope |= passes.in_scope;
            self.gate_named |= passes.gate_named;
        }
    }

    fn explain(&self, config: &ProofRunConfig, seen: u32, left_out: &[LeftOut]) -> (EmptyReason, String) {
        use {EmptyReason as E, LeftOutBecause as B};
        if seen == 0 {
            let message = "the project has no requirements: capture one with `proofhouse proof capture`";
            return (E::NoRequirements, message.to_owned());
        }
        // Requirements that nobody asked for do not explain why nothing is left of those asked for.
        let mut causes: BTreeMap<B, u32> = BTreeMap::new();
        for left in left_out.iter().filter(|left| left.because != B::RequirementFilter) {
            *causes.entry(left.because).or_default() += 1;
        }
        let active = [
            (config.requirements.is_some(), self.named),
            (config.mode == Mode::Changed, self.in_scope),
            (config.gates.is_some(), self.gate_named),
        ];
        let several = active.iter().filter(|(active, _)| *active).count() > 1;
        let each_alone = several && active.iter().all(|(active, alone)| !active || *alone);
        let only_filters = causes.keys().all(|cause| matches!(cause, B::OutsideScope | B::GateFilter));
        if each_alone && only_filters && !causes.is_empty() {
            let names = ["the requirements", "the changed files", "the gates"];
            let used: Vec<_> = names.iter().zip(active).filter(|(_, (on, _))| *on).map(|(name, _)| *name).collect();
            let message =
                format!("{} together leave nothing, each alone would: leave out one of them", used.join(" and "));
            return (E::FiltersCombined, message);
        }
        let mut kinds = causes.keys().copied();
        match (kinds.next(), kinds.next(), kinds.next()) {
            (None, ..) => (E::FilteredOut, "none of the named requirements is left: leave out the filter".to_owned()),
            // A waived requirement is clear, too.
            (Some(B::Waived), Some(B::Clear), None) => (E::AlreadyClear, remedy(B::Clear, config)),
            (Some(only), None, _) => (single(only), remedy(only, config)),
            _ => {
                let parts: Vec<_> =
                    causes.iter().map(|(cause, count)| format!("{count} {}", remedy(*cause, config))).collect();
                (E::Mixed, parts.join("; "))
            }
        }
    }
}

const fn single(cause: LeftOutBecause) -> EmptyReason {
    match cause {
        LeftOutBecause::Waived => EmptyReason::AllWaived,
        LeftOutBecause::OutsideScope => EmptyReason::OutsideScope,
        LeftOutBecause::RequirementFilter | LeftOutBecause::GateFilter => EmptyReason::FilteredOut,
        LeftOutBecause::GatesDisabled => EmptyReason::GatesDisabled,
        LeftOutBecause::Clear => EmptyReason::AlreadyClear,
    }
}

/// A cause and what to do about it. Each cause comes only from a choice that its remedy is not:
/// nothing is waived under `include_waived`, nothing is outside the scope of `full`, nothing is off
/// that was named.
fn remedy(cause: LeftOutBecause, config: &ProofRunConfig) -> String {
    match cause {
        LeftOutBecause::Waived => "waived: run with include_waived to prove them all the same".to_owned(),
        LeftOutBecause::OutsideScope => "outside the scope of the changed files: run with mode full".to_owned(),
        LeftOutBecause::RequirementFilter => "not named: leave out the requirement filter".to_owned(),
        LeftOutBecause::GateFilter => {
            let gates: Vec<_> = config.gates.iter().flatten().map(GateName::as_str).collect();
            format!("without gate {}: leave out the gate filter, or add the gate to them", gates.join(", "))
        }
        LeftOutBecause::GatesDisabled => {
            "whose gates are off: name the gates, or turn them on in the settings".to_owned()
        }
        LeftOutBecause::Clear => "clear already: nothing to do; mode full proves them again".to_owned(),
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;

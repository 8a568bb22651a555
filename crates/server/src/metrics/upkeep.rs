//! Figures of what the engine does because time passed.

use std::fmt::Write as _;

use engine::{Engine, sweep::upkeep::Figures};

use super::family;

pub(super) const RUNS: &str = "proofhouse_upkeep_runs_total";
pub(super) const RUNS_HELP: &str = "how often each upkeep job was done";
pub(super) const FAILURES: &str = "proofhouse_upkeep_failures_total";
pub(super) const FAILURES_HELP: &str = "how often each upkeep job failed; it is done again at its next time";
pub(super) const DONE: &str = "proofhouse_upkeep_done_total";
pub(super) const DONE_HELP: &str = "how much each upkeep job dropped, or found damaged";
pub(super) const LEADER: &str = "proofhouse_leader";
pub(super) const LEADER_HELP: &str = "1 where this process does what is to happen once over all replicas";

/// A family's name, what it means, and its value for a job.
type Family = (&'static str, &'static str, fn(&Figures) -> u64);

/// Writes them, by job.
pub fn render(engine: &Engine, out: &mut String) {
    let families: [Family; 3] = [
        (RUNS, RUNS_HELP, |figures| figures.runs),
        (FAILURES, FAILURES_HELP, |figures| figures.failures),
        (DONE, DONE_HELP, |figures| figures.done),
    ];
    for (name, help, value) in families {
        family(out, name, "counter", help);
        for figures in engine.upkeep().figures() {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name}{{job=\"{}\"}} {}", figures.job, value(&figures));
        }
    }
    family(out, LEADER, "gauge", LEADER_HELP);
    let _ = writeln!(out, "{LEADER} {}", u8::from(engine.leads()));
}

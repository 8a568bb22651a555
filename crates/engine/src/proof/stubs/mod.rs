//! Stub tests: the files that a captured requirement asks somebody to fill in (P8 to P10).
//!
//! A stub is a real test of the runner that will judge it. Replacing its body in place makes its rule
//! pass; until then it fails when it is proved, and skips itself in the project's own suite. Rendering is
//! pure; [`write`](write::write) is the only part that touches files.

mod escape;
mod family;
mod go;
mod markdown;
mod node;
mod python;
mod rust;
pub mod write;

use model::proof::{
    gate::{Gate, GateName},
    naming,
    requirement::{Requirement, RequirementNumber, Rule, RuleHow},
};

pub use family::{Family, Listing, NodeTool, PythonTool};

/// What a stub fails with.
fn no_proof_yet(id: RequirementNumber) -> String {
    format!("{id} has no proof yet: replace the body of this test")
}

/// Why a stub skips itself.
const SKIPPED: &str = "proved by name, in a proof run";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stub {
    /// Relative to the repository.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What a stub speaks of.
struct Subject<'a> {
    requirement: &'a Requirement,
    gate: &'a GateName,
    /// The names of the tests, each an identifier.
    tests: Vec<&'a str>,
}

impl Subject<'_> {
    const fn id(&self) -> RequirementNumber {
        self.requirement.id
    }

    /// What stands above the tests: fixed lines first, then the person's words behind a bar, so that no
    /// line of theirs can be a directive of any tool.
    fn comment(&self, marker: &str) -> String {
        let mut out = format!(
            "{marker} Written by Proofhouse for {}, gate {}. Replace the body of the test and keep its name and\n\
             {marker} place: the project's own suite leaves it out, a proof run asks for it by its name.\n{marker}\n",
            self.id(),
            self.gate
        );
        let mut line = |text: &str| {
            let bar = if text.is_empty() { " |" } else { " | " };
            out.push_str(&format!("{marker}{bar}{text}\n"));
        };
        for text in escape::comment_lines(&self.requirement.title) {
            line(&text);
        }
        line("");
        for text in escape::comment_lines(&self.requirement.description) {
            line(&text);
        }
        out
    }
}

/// The stubs of a requirement, sorted by path: one for each gate with a test that the plane has named,
/// a checklist for each review gate, none for suites and for tests that somebody named (they are there).
/// `family` knows in which language the tests of a runner are written.
pub fn stubs(
    requirement: &Requirement,
    gates: &[Gate],
    family: impl Fn(Option<&str>, &GateName) -> Option<Family>,
) -> Vec<Stub> {
    let mut stubs = Vec::new();
    for obligation in &requirement.obligations {
        let gate = &obligation.gate;
        if obligation.rules.iter().any(|rule| rule.how == RuleHow::Review) {
            let checklist = gates.iter().find(|known| known.name() == gate).map(|gate| &gate.definition.checklist);
            stubs.push(markdown::checklist(requirement, gate, checklist.map_or(&[], Vec::as_slice)));
        }
        let generated = |rule: &&Rule| {
            let name = rule.test.as_deref().unwrap_or_default();
            rule.how == RuleHow::Test && is_generated(name, requirement.id, gate)
        };
        // Rules of one gate may belong to several runners; each has its own file.
        let mut runners: Vec<Option<&str>> = Vec::new();
        for rule in obligation.rules.iter().filter(generated) {
            if !runners.contains(&rule.runner.as_deref()) {
                runners.push(rule.runner.as_deref());
            }
        }
        for runner in runners {
            let Some(family) = family(runner, gate) else { continue };
            let own = obligation.rules.iter().filter(generated).filter(|rule| rule.runner.as_deref() == runner);
            let subject = Subject { requirement, gate, tests: own.filter_map(|rule| rule.test.as_deref()).collect() };
            stubs.extend(match &family {
                Family::Rust { package } => rust::stub(&subject, package),
                Family::Python { root, tool } => python::stub(&subject, root, *tool),
                Family::Node { root, tool, typescript } => node::stub(&subject, root, tool, *typescript),
                Family::Go { folder, package } => go::stub(&subject, folder, package),
            });
        }
    }
    stubs.sort();
    stubs.dedup_by(|a, b| a.path == b.path);
    stubs
}

/// Whether a test's name is one that the plane gave: an identifier that holds number and gate (P7). A
/// name that somebody chose is never pasted into code.
fn is_generated(test: &str, id: RequirementNumber, gate: &GateName) -> bool {
    let own = format!("{}_{}_", id.snake(), naming::gate_ident(gate));
    let plain = test.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = test.strip_prefix("test_").or_else(|| test.strip_prefix("Test")).unwrap_or(test);
    let rest = rest.strip_prefix("Req_").map_or_else(|| rest.to_owned(), |rest| format!("req_{rest}"));
    plain && rest.starts_with(&own)
}

/// A path below a folder; the root is empty.
fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

#[cfg(test)]
mod tests;

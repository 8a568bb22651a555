//! Runners: what each family of tools is called like, finds, and prints. Nothing outside a runner's own
//! file knows its tool (P38).
//!
//! All of it is pure: a runner sees a listing of files, the text of small ones and what programs the
//! machine has, and answers with commands. Starting them is the handler's business.

mod command;
mod go;
mod node;
mod python;
mod rust;

use std::collections::{BTreeMap, BTreeSet};

pub use python::interpreters;

use model::proof::{
    gate::{Detected, GateDefinition, GateName, ParserSpec},
    judge::{Exits, Unplanned},
    requirement::{Rule, RuleHow},
    results::{FindingLevel, ParserKind},
    verdict::Reason,
};
use serde::{Deserialize, Serialize};

/// The files of a target.
pub trait Tree {
    /// Every file that the gates will see, relative, sorted.
    fn files(&self) -> &[String];
    /// A small file's text; `None` when it is missing, large or not text.
    fn read(&self, path: &str) -> Option<String>;
    /// Whether a path exists in the folder, ignored or not (a virtual environment is).
    fn exists(&self, path: &str) -> bool;
}

/// What programs the machine has, with the first line of what they say of their version. Python
/// modules are written `INTERPRETER:MODULE`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools(pub BTreeMap<String, String>);

impl Tools {
    /// Whether a program is there.
    pub fn has(&self, program: &str) -> bool {
        self.0.contains_key(program)
    }
}

/// A command as a runner wants it started. `{repo}` and `{out}` are not expanded yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCommand {
    /// The runner.
    pub runner: String,
    /// The declared argument list; preparation may still add a lock guard (X3).
    pub argv: Vec<String>,
    /// Where it runs, relative to the repository; empty is its root.
    pub cwd: String,
    /// Variables of the runner's own.
    pub env: BTreeMap<String, String>,
    /// How its results are read.
    pub parser: ParserSpec,
    /// What its exit codes mean.
    pub exits: Exits,
    /// Its time limit.
    pub timeout_s: u32,
    /// The tests it was started for, by full name; empty for a suite.
    pub tests: Vec<String>,
}

/// What a family found in a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The family.
    pub runner: String,
    /// Folders with a manifest of it, outermost first; the root is empty.
    pub roots: Vec<String>,
    /// The gates it can prove, with what their definition rests on.
    pub gates: BTreeMap<GateName, BTreeMap<String, String>>,
    /// What it needs and the machine or the checkout lacks, each with how to get it.
    pub missing: BTreeMap<String, String>,
}

/// A family of tools.
pub trait Runner: Send + Sync {
    /// The name that definitions and rules use.
    fn name(&self) -> &'static str;

    /// What of it is in the tree.
    fn detect(&self, tree: &dyn Tree, tools: &Tools) -> Option<Found>;

    /// The commands that prove a rule of a gate.
    ///
    /// # Errors
    /// Why nothing can be run.
    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned>;

    /// What to ask for the version of the tool behind a command.
    fn version(&self, argv: &[String]) -> Vec<String> {
        argv.first().map(|program| vec![program.clone(), "--version".to_owned()]).unwrap_or_default()
    }
}

/// What a runner is asked to plan.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The files.
    pub tree: &'a dyn Tree,
    /// The machine.
    pub tools: &'a Tools,
    /// What was found of this family.
    pub found: Option<&'a Found>,
    /// The gate.
    pub gate: &'a GateDefinition,
    /// The rule.
    pub rule: &'a Rule,
}

impl Ask<'_> {
    /// The test's name, for a rule about one test.
    fn test(&self) -> Option<&str> {
        match self.rule.how {
            RuleHow::Test => self.rule.test.as_deref(),
            RuleHow::Suite | RuleHow::Review => None,
        }
    }

    /// A command with the gate's limits, in the runner's own notation.
    fn command(&self, runner: &str, cwd: &str, argv: &[&str], parser: ParserSpec) -> PlannedCommand {
        let tests: Vec<String> = self.test().map(str::to_owned).into_iter().collect();
        let mut env = BTreeMap::new();
        if !tests.is_empty() {
            env.insert("PROOFHOUSE_PROVE".to_owned(), "1".to_owned());
        }
        PlannedCommand {
            runner: runner.to_owned(),
            argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
            cwd: cwd.to_owned(),
            env,
            parser: self.gate.parser.clone().unwrap_or(parser),
            exits: self.gate.exits.clone(),
            timeout_s: self.gate.timeout_s,
            tests,
        }
    }
}

/// All families, in the order in which they are asked.
pub fn all() -> [&'static dyn Runner; 5] {
    [&rust::Rust, &python::Python, &node::Node, &go::Go, &command::Command]
}

/// The runner with this name.
pub fn named(name: &str) -> Option<&'static dyn Runner> {
    all().into_iter().find(|runner| runner.name() == name)
}

/// Programs whose presence detection asks for.
pub const PROGRAMS: &[&str] =
    &["cargo", "cargo-clippy", "cargo-audit", "uv", "python3", "node", "npm", "npx", "go", "ruff", "mypy", "bandit"];

/// What every family finds, and what that means for the gates.
pub fn detect(tree: &dyn Tree, tools: &Tools) -> (Vec<Found>, BTreeMap<GateName, Detected>) {
    let found: Vec<Found> = all().iter().filter_map(|runner| runner.detect(tree, tools)).collect();
    let mut gates: BTreeMap<GateName, Detected> = BTreeMap::new();
    for family in &found {
        for (gate, facts) in &family.gates {
            let detected = gates.entry(gate.clone()).or_default();
            detected.runners.insert(family.runner.clone());
            detected
                .facts
                .extend(facts.iter().map(|(name, value)| (format!("{}.{name}", family.runner), value.clone())));
        }
    }
    // A test is a test: where nothing finer is known, what proves `unit` proves these as well, by other
    // tests or by the same suite.
    if let Some(unit) = gates.get(&gate("unit")).cloned() {
        for name in ["contract", "e2e", "perf", "demo"] {
            gates.entry(gate(name)).or_insert_with(|| unit.clone());
        }
    }
    (found, gates)
}

/// The commands for a rule: of the runner it names, else of all the gate's runners.
///
/// # Errors
/// P48: why nothing can be run and what to configure.
pub fn plan(ask: &Ask<'_>, found: &[Found]) -> Result<Vec<PlannedCommand>, Unplanned> {
    if let Some(test) = ask.test()
        && test.starts_with('-')
    {
        return Err(unplanned(Reason::CannotSelect, "a test's name cannot start with `-`")); // P47
    }
    let runners: Vec<&str> = match &ask.rule.runner {
        Some(runner) => vec![runner.as_str()],
        None => ask.gate.runners.iter().map(String::as_str).collect(),
    };
    if runners.is_empty() {
        let gate = &ask.gate.name;
        let message = format!(
            "nothing in the repository proves `{gate}`: declare `[proof.gates.{gate}]` with an argv in proofhouse.toml"
        );
        return Err(unplanned(Reason::NoRunner, message));
    }
    let mut commands = Vec::new();
    let mut refused = None;
    for name in runners {
        let Some(runner) = named(name) else {
            let message = format!("there is no runner `{name}`; `proofhouse proof runners` lists them");
            return Err(unplanned(Reason::NoRunner, message));
        };
        let ask = Ask { found: found.iter().find(|found| found.runner == name), ..*ask };
        match runner.plan(&ask) {
            Ok(planned) => commands.extend(planned),
            Err(unplanned) => refused = Some(unplanned),
        }
    }
    match (commands.is_empty(), refused) {
        (true, Some(refused)) => Err(refused),
        (true, None) => Err(unplanned(Reason::NoRunner, "no runner planned a command")),
        (false, _) => Ok(commands),
    }
}

/// Why nothing is run for a rule.
pub fn unplanned(reason: Reason, message: impl Into<String>) -> Unplanned {
    Unplanned { reason, message: message.into() }
}

/// A parser without a file or with one under `{out}`.
fn parser(kind: ParserKind, path: Option<&str>) -> ParserSpec {
    ParserSpec { kind, path: path.map(str::to_owned), fail_on: FindingLevel::Error }
}

fn gate(name: &str) -> GateName {
    match name.parse() {
        Ok(gate) => gate,
        Err(_) => unreachable!("{name} is a gate of the catalogue"),
    }
}

/// Whether a file or folder lies in this folder or in one above it.
fn lies_at_or_above(tree: &dyn Tree, folder: &str, name: &str) -> bool {
    let above = std::iter::successors(Some(folder), |at| {
        (!at.is_empty()).then(|| at.rsplit_once('/').map_or("", |(above, _)| above))
    });
    above.into_iter().any(|at| tree.exists(&below(at, name)))
}

/// The outermost folders that hold one of these files; a manifest inside another's folder belongs to it.
fn roots(tree: &dyn Tree, manifests: &[&str]) -> Vec<String> {
    let folders: BTreeSet<&str> = tree
        .files()
        .iter()
        .filter_map(|file| {
            let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
            manifests.contains(&name).then_some(folder)
        })
        .filter(|folder| !folder.split('/').any(|part| matches!(part, "node_modules" | "vendor" | "target" | ".venv")))
        .collect();
    let mut roots: Vec<String> = Vec::new();
    for folder in folders {
        let inside = |root: &String| root.is_empty() || folder == root || folder.starts_with(&format!("{root}/"));
        if !roots.iter().any(inside) {
            roots.push(folder.to_owned());
        }
    }
    roots
}

/// A path below a root.
fn below(root: &str, path: &str) -> String {
    if root.is_empty() { path.to_owned() } else { format!("{root}/{path}") }
}

#[cfg(test)]
pub(super) mod tests {
    use model::proof::requirement::RuleId;

    use super::*;

    /// A tree in memory.
    pub struct Files(Vec<String>, BTreeMap<String, String>);

    impl Files {
        pub fn of(files: &[(&str, &str)]) -> Self {
            let texts: BTreeMap<String, String> =
                files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
            Self(texts.keys().cloned().collect(), texts)
        }
    }

    impl Tree for Files {
        fn files(&self) -> &[String] {
            &self.0
        }
        fn read(&self, path: &str) -> Option<String> {
            self.1.get(path).cloned()
        }
        fn exists(&self, path: &str) -> bool {
            self.1.contains_key(path)
        }
    }

    pub fn tools(programs: &[&str]) -> Tools {
        Tools(programs.iter().map(|&program| (program.to_owned(), String::new())).collect())
    }

    pub fn rule(how: RuleHow, test: Option<&str>) -> Rule {
        Rule { id: RuleId::from_text("r"), how, runner: None, test: test.map(str::to_owned), must_pass: true }
    }

    /// What the whole catalogue plans for a rule of a gate in a tree.
    pub fn planned(tree: &Files, tools: &Tools, name: &str, rule: &Rule) -> Result<Vec<PlannedCommand>, Unplanned> {
        let (found, detected) = detect(tree, tools);
        let gates = model::proof::gate::resolve(&BTreeMap::new(), &Default::default(), &detected);
        let gate = gates.iter().find(|gate| gate.name().as_str() == name).expect("a gate of the catalogue");
        plan(&Ask { tree, tools, found: None, gate: &gate.definition, rule }, &found)
    }

    // P38: several languages in one project are all found; manifests inside another's folder are not roots.
    #[test]
    fn every_language_is_found_at_its_outermost_manifests() {
        let tree = Files::of(&[
            ("Cargo.toml", "[workspace]"),
            ("crates/a/Cargo.toml", "[package]"),
            ("web/package.json", r#"{"scripts":{"test":"vitest run"},"devDependencies":{"vitest":"3"}}"#),
            ("web/node_modules/x/package.json", "{}"),
            ("tools/setup.py", ""),
            ("tools/tests/test_a.py", ""),
            ("go/go.mod", "module x"),
        ]);
        let (found, gates) = detect(&tree, &tools(&["cargo", "node", "npx", "python3", "go"]));
        let roots: Vec<_> = found.iter().map(|found| (found.runner.as_str(), found.roots.join(" "))).collect();
        assert_eq!(
            roots,
            [("rust", String::new()), ("python", "tools".into()), ("node", "web".into()), ("go", "go".into())]
        );
        assert_eq!(gates[&gate("unit")].runners.iter().cloned().collect::<Vec<_>>(), ["go", "node", "python", "rust"]);
    }

    // P47, P48
    #[test]
    fn what_cannot_be_run_says_why() {
        let empty = Files::of(&[("README.md", "")]);
        let refused = planned(&empty, &tools(&[]), "e2e", &rule(RuleHow::Suite, None)).unwrap_err();
        assert_eq!(refused.reason, Reason::NoRunner);
        assert!(refused.message.contains("[proof.gates.e2e]"), "{}", refused.message);
        let rust = Files::of(&[("Cargo.toml", "[package]")]);
        let refused = planned(&rust, &tools(&["cargo"]), "unit", &rule(RuleHow::Test, Some("--help"))).unwrap_err();
        assert_eq!(refused.reason, Reason::CannotSelect);
    }
}

//! Capturing a glitch: from a request body to a requirement, or to every reason why not.
//!
//! Reading and numbering are two steps: the body is judged before anything is stored, and the number
//! is drawn in the transaction that stores the requirement, so that a refused capture uses none (P1).

use serde_json::Value;

use super::{
    classify::{self, GatesFrom, Kind},
    config::RUNNERS,
    form::{Form, Text},
    gate::GateName,
    naming,
    places::{self, SCOPE_ENTRIES, SCOPE_ENTRY, inside},
    requirement::{
        DESCRIPTION, OBLIGATIONS, Obligation, RULES, Requirement, RequirementNumber, Rule, RuleHow, RuleId, Scope,
        Severity, Source, TEST_NAME, TITLE,
    },
};
use crate::{
    actor::Actor,
    code::Code,
    id::ProjectId,
    problem::{FieldError, Problem},
    time::Timestamp,
};

/// What capturing has to know of a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateFacts {
    /// Whether a person looks.
    pub review: bool,
    /// Whether it is on; one that is off is attached all the same, and said to be off (P4).
    pub enabled: bool,
    /// The runner that a new rule of it belongs to, where one was found.
    pub runner: Option<String>,
    /// The prefix of a test's name there: `test_`, `Test` or nothing.
    pub prefix: &'static str,
    /// Whether that runner can neither select nor list single tests (P7).
    pub suite_only: bool,
}

/// What capturing has to know of the project.
pub trait Surroundings {
    /// The gate of this name, if the project has it.
    fn gate(&self, name: &GateName) -> Option<GateFacts>;
    /// Whether this path stands in the tree.
    fn in_tree(&self, path: &str) -> bool;
    /// Whether there is such a requirement.
    fn has_requirement(&self, id: RequirementNumber) -> bool;
}

/// A rule as somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAsked {
    /// The gate.
    pub gate: GateName,
    /// How it is proved.
    pub how: RuleHow,
    /// The test; none leaves the name to the plane.
    pub test: Option<String>,
    /// The runner; none leaves it to the gate.
    pub runner: Option<String>,
    /// Whether it counts.
    pub must_pass: bool,
}

/// A capture that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// One line, unchanged.
    pub title: String,
    /// Markdown, unchanged.
    pub description: String,
    /// How bad.
    pub severity: Severity,
    /// Seen where first.
    pub source: Source,
    /// A link.
    pub source_url: Option<String>,
    /// What kind.
    pub kind: Kind,
    /// What it is about.
    pub scope: Scope,
    /// What decided the gates.
    pub gates_from: GatesFrom,
    /// The gates with what is known of them and the rules that were asked for.
    pub gates: Vec<(GateName, GateFacts, Vec<RuleAsked>)>,
    /// Other requirements.
    pub related: Vec<RequirementNumber>,
    /// The board's issue.
    pub issue: Option<String>,
}

impl Draft {
    /// Reads a body. `default_source` is `agent` for an agent's token.
    pub fn read(body: &Value, around: &dyn Surroundings, default_source: Source) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let mut unknown_gates = Vec::new();
        let title = form.required("title", Text::line(TITLE)).unwrap_or_default();
        let description = form.required("description", Text::lines(DESCRIPTION)).unwrap_or_default();
        let severity = form.choice("severity", &Severity::WORDS).unwrap_or_default();
        let source = form.choice("source", &Source::WORDS).unwrap_or(default_source);
        let source_url = read_url(&mut form);
        let kind = form.choice("kind", &Kind::WORDS);
        let mut gates = read_gates(&mut form, around, &mut unknown_gates);
        let rules = read_rules(&mut form, around, &mut unknown_gates).unwrap_or_default();
        let scope = read_scope(&mut form, around).unwrap_or_default();
        let related = read_related(&mut form, around, None).unwrap_or_default();
        let issue = form.text("issue", Text::line(64));

        match &gates {
            Some(named) => {
                for (at, rule) in &rules {
                    if !named.contains(&rule.gate) {
                        form.wrong_at(format!("{at}/gate"), "is not among `gates`");
                    }
                }
            }
            // Rules name gates as plainly as `gates` does.
            None if !rules.is_empty() => gates = Some(rules.iter().map(|(_, rule)| rule.gate.clone()).collect()),
            None => {}
        }
        let (gates, kind, gates_from) = classify::gates_for(gates.as_deref(), kind, &title, &description);
        let gates = gates
            .into_iter()
            .map(|gate| {
                let facts = around.gate(&gate).unwrap_or_default();
                let own = rules.iter().filter(|(_, rule)| rule.gate == gate).map(|(_, rule)| rule.clone()).collect();
                (gate, facts, own)
            })
            .collect();
        refuse(form, unknown_gates)?;
        Ok(Self { title, description, severity, source, source_url, kind, scope, gates_from, gates, related, issue })
    }

    /// The requirement under its number.
    pub fn numbered(&self, project: ProjectId, id: RequirementNumber, by: Actor, at: Timestamp) -> Requirement {
        let obligations =
            self.gates.iter().map(|(gate, facts, asked)| obligation(id, gate, facts, asked, &self.title, 0)).collect();
        Requirement {
            project,
            id,
            title: self.title.clone(),
            description: self.description.clone(),
            severity: self.severity,
            source: self.source,
            source_url: self.source_url.clone(),
            kind: self.kind,
            scope: self.scope.clone(),
            obligations,
            related: self.related.clone(),
            issue: self.issue.clone(),
            created_by: by,
            created_at: at,
            revision: 1,
        }
    }

    /// The attached gates that are off.
    pub fn disabled_gates(&self) -> Vec<&GateName> {
        self.gates.iter().filter(|(_, facts, _)| !facts.enabled).map(|(gate, _, _)| gate).collect()
    }
}

/// An obligation with the rules that were asked for, or with the one that a new gate gets (P7).
/// `ever` is how many rules it has had before.
pub(super) fn obligation(
    id: RequirementNumber,
    gate: &GateName,
    facts: &GateFacts,
    asked: &[RuleAsked],
    title: &str,
    ever: u32,
) -> Obligation {
    let own;
    let asked = if asked.is_empty() {
        let how = match (facts.review, facts.suite_only) {
            (true, _) => RuleHow::Review,
            (false, true) => RuleHow::Suite,
            (false, false) => RuleHow::Test,
        };
        own = [RuleAsked { gate: gate.clone(), how, test: None, runner: None, must_pass: true }];
        own.as_slice()
    } else {
        asked
    };
    let mut obligation = Obligation { gate: gate.clone(), rules: Vec::new(), rules_ever: ever };
    for rule in asked {
        obligation.rules_ever += 1;
        let name = || naming::test_name(facts.prefix, id, gate, title);
        obligation.rules.push(Rule {
            id: RuleId::new(id, gate, obligation.rules_ever),
            how: rule.how,
            // A generated test belongs to one runner; a test that somebody named may be anybody's.
            runner: rule.runner.clone().or_else(|| {
                let generated = rule.how == RuleHow::Test && rule.test.is_none();
                facts.runner.clone().filter(|_| generated)
            }),
            test: (rule.how == RuleHow::Test).then(|| rule.test.clone().unwrap_or_else(name)),
            must_pass: rule.must_pass,
        });
    }
    obligation
}

pub(super) fn refuse(form: Form<'_>, unknown_gates: Vec<FieldError>) -> Result<(), Problem> {
    let mut errors = form.finish();
    let only_gates = errors.is_empty() && !unknown_gates.is_empty();
    errors.extend(unknown_gates);
    if errors.is_empty() {
        return Ok(());
    }
    let mut problem = Problem::invalid(errors);
    if only_gates {
        problem.code = Code::UnknownGate;
    }
    Err(problem)
}

/// Reads `gates`: none when absent. The same gate twice is one.
pub(super) fn read_gates(
    form: &mut Form<'_>,
    around: &dyn Surroundings,
    unknown: &mut Vec<FieldError>,
) -> Option<Vec<GateName>> {
    let items = form.list("gates", 4 * OBLIGATIONS)?;
    if items.is_empty() {
        form.wrong("gates", "must name at least one gate");
    }
    let mut gates: Vec<GateName> = Vec::new();
    for (at, item) in items {
        if let Some(gate) = known_gate(item, at, around, unknown)
            && !gates.contains(&gate)
        {
            gates.push(gate);
        }
    }
    if gates.len() > OBLIGATIONS {
        form.wrong("gates", format!("must name at most {OBLIGATIONS} gates"));
    }
    Some(gates)
}

fn known_gate(item: &Value, at: String, around: &dyn Surroundings, unknown: &mut Vec<FieldError>) -> Option<GateName> {
    let name = item.as_str().and_then(|text| text.parse::<GateName>().ok()).filter(|name| around.gate(name).is_some());
    if name.is_none() {
        unknown.push(FieldError::new(at, super::run::no_gate(item)));
    }
    name
}

/// Reads `rules`, each with its pointer; none when absent.
pub(super) fn read_rules(
    form: &mut Form<'_>,
    around: &dyn Surroundings,
    unknown: &mut Vec<FieldError>,
) -> Option<Vec<(String, RuleAsked)>> {
    let items = form.list("rules", OBLIGATIONS * RULES)?;
    let mut rules: Vec<(String, RuleAsked)> = Vec::new();
    for (at, item) in items {
        let mut nested = Form::new(item, at.clone());
        let gate = match nested.value("gate") {
            Some(value) => known_gate(value, nested.pointer("gate"), around, unknown),
            None => {
                nested.wrong("gate", "is required");
                None
            }
        };
        let review = gate.as_ref().and_then(|gate| around.gate(gate)).is_some_and(|facts| facts.review);
        let default = if review { RuleHow::Review } else { RuleHow::Test };
        let how = nested.choice("how", &RuleHow::WORDS).unwrap_or(default);
        if gate.is_some() && review != (how == RuleHow::Review) {
            nested.wrong("how", if review { "must be review for this gate" } else { "must be test or suite" });
        }
        let test = nested.value("test").and_then(|value| match test_name(value) {
            Ok(name) => Some(name),
            Err(message) => {
                nested.wrong("test", message);
                None
            }
        });
        if test.is_some() && how != RuleHow::Test {
            nested.wrong("test", "belongs to rules that are proved by a test");
        }
        let runner = nested.choice("runner", &RUNNERS);
        let must_pass = nested.flag("must_pass").unwrap_or(true);
        form.absorb(nested);
        let Some(gate) = gate else { continue };
        let rule = RuleAsked { gate, how, test, runner, must_pass };
        if !rules.iter().any(|(_, other)| *other == rule) {
            rules.push((at, rule));
        }
    }
    let mut gates: Vec<&GateName> = rules.iter().map(|(_, rule)| &rule.gate).collect();
    gates.sort_unstable();
    gates.dedup();
    for gate in gates {
        let own = || rules.iter().filter(|(_, rule)| &rule.gate == gate);
        if own().count() > RULES {
            form.wrong("rules", format!("must have at most {RULES} rules for gate {gate}"));
        }
        if own().all(|(_, rule)| !rule.must_pass) {
            form.wrong("rules", format!("must have a rule that must pass for gate {gate}"));
        }
    }
    Some(rules)
}

/// The name of a test: one argv element, never an option (P47).
fn test_name(value: &Value) -> Result<String, String> {
    let name = value.as_str().ok_or("must be a text")?;
    Text::line(TEST_NAME).check(name)?;
    if name.len() > TEST_NAME {
        return Err(format!("must be at most {TEST_NAME} bytes"));
    }
    if name.starts_with('-') {
        return Err("must not start with -".to_owned());
    }
    if name.trim() != name {
        return Err("must not start or end with space".to_owned());
    }
    Ok(name.to_owned())
}

/// Reads `scope` or `where`; none when both are absent.
pub(super) fn read_scope(form: &mut Form<'_>, around: &dyn Surroundings) -> Option<Scope> {
    let free = form.value("where");
    let exact = form.value("scope");
    match (free, exact) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            form.wrong("where", "cannot be given together with `scope`");
            None
        }
        (Some(free), None) => {
            let Some(text) = free.as_str() else {
                form.wrong("where", "must be a text");
                return None;
            };
            match places::parse(text, &|path| around.in_tree(path)) {
                Ok(scope) => Some(scope),
                Err(wrong) => {
                    for place in wrong {
                        form.wrong("where", format!("line {}: {}", place.line, place.message));
                    }
                    None
                }
            }
        }
        (None, Some(exact)) => {
            let mut nested = Form::new(exact, form.pointer("scope"));
            let entry = |text: &str| Text::line(SCOPE_ENTRY).check(text).map(|()| text.to_owned());
            let file = |text: &str| {
                entry(text)?;
                let path = inside(text).filter(|path| !path.is_empty());
                path.ok_or_else(|| "must be a path or glob inside the repository".to_owned())
            };
            let scope = Scope {
                files: nested.set("files", SCOPE_ENTRIES, file).unwrap_or_default(),
                routes: nested.set("routes", SCOPE_ENTRIES, entry).unwrap_or_default(),
                apis: nested.set("apis", SCOPE_ENTRIES, entry).unwrap_or_default(),
                components: nested.set("components", SCOPE_ENTRIES, entry).unwrap_or_default(),
                tags: nested.set("tags", SCOPE_ENTRIES, entry).unwrap_or_default(),
            };
            form.absorb(nested);
            Some(scope)
        }
    }
}

pub(super) fn read_url(form: &mut Form<'_>) -> Option<String> {
    let url = form.text("source_url", Text::line(2_000))?;
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    if !has_host || url.contains(char::is_whitespace) {
        form.wrong("source_url", "must be an http or https address");
        return None;
    }
    Some(url)
}

pub(super) fn read_related(
    form: &mut Form<'_>,
    around: &dyn Surroundings,
    own: Option<RequirementNumber>,
) -> Option<Vec<RequirementNumber>> {
    form.set("related", SCOPE_ENTRIES, |text| {
        let id: RequirementNumber = text.parse().map_err(|wrong| format!("{wrong}"))?;
        match id {
            id if Some(id) == own => Err("is the requirement itself".to_owned()),
            id if around.has_requirement(id) => Ok(id),
            _ => Err(format!("{id} is not a requirement of this project")),
        }
    })
}

#[cfg(test)]
#[path = "capture_tests.rs"]
pub(super) mod tests;

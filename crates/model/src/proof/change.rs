//! Changing a requirement (P12): what the new one is, what got weaker, and whether it re-opens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    capture::{self, GateFacts, RuleAsked, Surroundings, read_related, read_rules, read_scope, read_url, refuse},
    classify::Kind,
    form::{Form, Text},
    gate::GateName,
    naming,
    requirement::{
        DESCRIPTION, OBLIGATIONS, Obligation, Requirement, RequirementNumber, Rule, RuleHow, RuleId, Scope, Severity,
        Source, TITLE,
    },
};
use crate::{code::Code, problem::Problem};

/// What somebody wants to change; absent is unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    title: Option<String>,
    description: Option<String>,
    severity: Option<Severity>,
    source: Option<Source>,
    /// The inner none removes it.
    source_url: Option<Option<String>>,
    kind: Option<Kind>,
    scope: Option<Scope>,
    gates: Option<Vec<(GateName, GateFacts)>>,
    rules: Option<Vec<RuleAsked>>,
    /// What test names of a gate start with.
    prefixes: BTreeMap<GateName, &'static str>,
    related: Option<Vec<RequirementNumber>>,
    issue: Option<Option<String>>,
    /// Why; needed only when it weakens.
    pub reason: Option<String>,
}

/// One way in which a requirement asks for less than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Weakening {
    /// A gate is no longer asked.
    ObligationRemoved {
        /// The gate.
        gate: GateName,
    },
    /// A rule is gone, or was replaced by another.
    RuleRemoved {
        /// Its gate.
        gate: GateName,
        /// Its id.
        rule: RuleId,
        /// Its test.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<String>,
    },
    /// A rule is shown and no longer counts.
    RuleNotJudged {
        /// Its gate.
        gate: GateName,
        /// Its id.
        rule: RuleId,
    },
}

/// A change that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The requirement after it, with the next revision.
    pub new: Requirement,
    /// How it got weaker: an admin's matter, with a reason, audited. Empty for everybody else's.
    pub weakens: Vec<Weakening>,
    /// The gates that are new: they have never run, so the requirement re-opens.
    pub added: Vec<GateName>,
    /// The names of the fields that differ.
    pub fields: Vec<&'static str>,
}

impl Changed {
    /// Whether the requirement re-opens whatever it was before.
    pub fn reopens(&self) -> bool {
        !self.added.is_empty()
    }
}

impl Patch {
    /// Reads a body. The obligations become exactly `gates` when given; `rules` replaces the rules of
    /// each gate that it names.
    pub fn read(body: &Value, old: &Requirement, around: &dyn Surroundings) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let mut unknown = Vec::new();
        let removes = |form: &Form<'_>, field: &str| form.has(field) && body.get(field).is_some_and(Value::is_null);
        if body.get("gates").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Err(Problem::new(Code::LastObligation, Code::LastObligation.title()));
        }
        let reason = form.text("reason", Text::lines(2_000));
        let removed_url = removes(&form, "source_url").then_some(None);
        let removed_issue = removes(&form, "issue").then_some(None);
        let mut prefixes = BTreeMap::new();
        let mut patch = Self {
            title: form.text("title", Text::line(TITLE)),
            description: form.text("description", Text::lines(DESCRIPTION)),
            severity: form.choice("severity", &Severity::WORDS),
            source: form.choice("source", &Source::WORDS),
            source_url: read_url(&mut form).map(Some).or(removed_url),
            kind: form.choice("kind", &Kind::WORDS),
            scope: read_scope(&mut form, around),
            gates: capture::read_gates(&mut form, around, &mut unknown).map(|gates| {
                let facts = |gate: &GateName| around.gate(gate).unwrap_or_default();
                gates.into_iter().map(|gate| (gate.clone(), facts(&gate))).collect()
            }),
            rules: read_rules(&mut form, around, &mut unknown).map(|rules| {
                for (_, rule) in &rules {
                    let prefix = around.gate(&rule.gate).map_or("", |facts| facts.prefix);
                    prefixes.insert(rule.gate.clone(), prefix);
                }
                let gates = body.get("gates").and_then(Value::as_array);
                let attached = |gate: &GateName| match gates {
                    Some(gates) => gates.iter().any(|name| name.as_str() == Some(gate.as_str())),
                    None => old.obligation(gate).is_some(),
                };
                for (at, rule) in &rules {
                    if !attached(&rule.gate) {
                        form.wrong_at(format!("{at}/gate"), "is not a gate of this requirement");
                    }
                }
                rules.into_iter().map(|(_, rule)| rule).collect()
            }),
            related: read_related(&mut form, around, Some(old.id)),
            issue: form.text("issue", Text::line(64)).map(Some).or(removed_issue),
            reason,
            prefixes: BTreeMap::new(),
        };
        patch.prefixes = prefixes;
        refuse(form, unknown)?;
        Ok(patch)
    }

    /// What becomes of the requirement. A weakening without a reason is refused here; who may weaken is
    /// asked by the caller.
    pub fn apply(&self, old: &Requirement) -> Result<Changed, Problem> {
        let mut new = old.clone();
        let mut changed = Changed { new: old.clone(), weakens: Vec::new(), added: Vec::new(), fields: Vec::new() };
        fn set<T: PartialEq + Clone>(
            slot: &mut T,
            value: &Option<T>,
            name: &'static str,
            fields: &mut Vec<&'static str>,
        ) {
            if let Some(value) = value
                && slot != value
            {
                slot.clone_from(value);
                fields.push(name);
            }
        }
        let fields = &mut changed.fields;
        set(&mut new.title, &self.title, "title", fields);
        set(&mut new.description, &self.description, "description", fields);
        set(&mut new.severity, &self.severity, "severity", fields);
        set(&mut new.source, &self.source, "source", fields);
        set(&mut new.source_url, &self.source_url, "source_url", fields);
        set(&mut new.kind, &self.kind, "kind", fields);
        set(&mut new.scope, &self.scope, "scope", fields);
        set(&mut new.related, &self.related, "related", fields);
        set(&mut new.issue, &self.issue, "issue", fields);

        if let Some(gates) = &self.gates {
            let mut obligations: Vec<Obligation> = Vec::with_capacity(gates.len());
            // Those that stay keep their order and their rules; new ones follow.
            for kept in &old.obligations {
                if gates.iter().any(|(gate, _)| *gate == kept.gate) {
                    obligations.push(kept.clone());
                } else {
                    changed.weakens.push(Weakening::ObligationRemoved { gate: kept.gate.clone() });
                }
            }
            for (gate, facts) in gates {
                if old.obligation(gate).is_none() {
                    let asked: Vec<RuleAsked> = self.rules_of(gate).cloned().collect();
                    obligations.push(capture::obligation(old.id, gate, facts, &asked, &new.title, 0));
                    changed.added.push(gate.clone());
                }
            }
            new.obligations = obligations;
        }
        for obligation in &mut new.obligations {
            let gate = obligation.gate.clone();
            let asked: Vec<&RuleAsked> = self.rules_of(&gate).collect();
            if !asked.is_empty() && !changed.added.contains(&gate) {
                let prefix = self.prefixes.get(&gate).copied().unwrap_or_default();
                let name = || naming::test_name(prefix, old.id, &gate, &new.title);
                replace_rules(old.id, obligation, &asked, &name, &mut changed.weakens);
            }
        }
        if new.obligations.is_empty() {
            return Err(Problem::new(Code::LastObligation, Code::LastObligation.title()));
        }
        if new.obligations.len() > OBLIGATIONS {
            return Err(Problem::invalid_field("/gates", format!("must name at most {OBLIGATIONS} gates")));
        }
        if new.obligations != old.obligations {
            changed.fields.push("obligations");
        }
        if !changed.weakens.is_empty() && self.reason.is_none() {
            return Err(Problem::new(Code::ReasonRequired, "weakening a requirement needs a reason"));
        }
        if !changed.fields.is_empty() {
            new.revision += 1;
        }
        changed.new = new;
        Ok(changed)
    }

    fn rules_of<'a>(&'a self, gate: &'a GateName) -> impl Iterator<Item = &'a RuleAsked> {
        self.rules.iter().flatten().filter(move |rule| rule.gate == *gate)
    }
}

/// A rule that is asked for again keeps its id; one that is not is gone.
fn replace_rules(
    id: RequirementNumber,
    obligation: &mut Obligation,
    asked: &[&RuleAsked],
    name: &dyn Fn() -> String,
    weakens: &mut Vec<Weakening>,
) {
    let gate = obligation.gate.clone();
    let mut before = std::mem::take(&mut obligation.rules);
    for rule in asked {
        let same = before.iter().position(|old| {
            let same_test = rule.test.is_none() || old.test == rule.test;
            let same_runner = rule.runner.is_none() || old.runner == rule.runner;
            old.how == rule.how && same_test && same_runner
        });
        if let Some(at) = same {
            let mut kept = before.remove(at);
            if kept.must_pass && !rule.must_pass {
                weakens.push(Weakening::RuleNotJudged { gate: gate.clone(), rule: kept.id.clone() });
            }
            kept.must_pass = rule.must_pass;
            obligation.rules.push(kept);
        } else {
            obligation.rules_ever += 1;
            let own = RuleId::new(id, &gate, obligation.rules_ever);
            obligation.rules.push(Rule {
                id: own,
                how: rule.how,
                runner: rule.runner.clone(),
                test: (rule.how == RuleHow::Test).then(|| rule.test.clone().unwrap_or_else(name)),
                must_pass: rule.must_pass,
            });
        }
    }
    weakens.extend(before.into_iter().filter(|rule| rule.must_pass).map(|rule| Weakening::RuleRemoved {
        gate: gate.clone(),
        rule: rule.id,
        test: rule.test,
    }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::capture::tests::{Shop, captured};
    use super::*;

    fn base() -> Requirement {
        captured(&json!({"title": "Login", "description": "d", "gates": ["unit", "e2e"]}))
    }

    fn change(body: Value) -> Result<Changed, Problem> {
        let old = base();
        Patch::read(&body, &old, &Shop)?.apply(&old)
    }

    /// P12: adding re-opens and does not weaken.
    #[test]
    fn adding_an_obligation_reopens() {
        let changed = change(json!({"gates": ["e2e", "demo", "unit"]})).unwrap();
        assert!(changed.reopens() && changed.weakens.is_empty());
        let gates: Vec<_> = changed.new.obligations.iter().map(|o| o.gate.as_str()).collect();
        assert_eq!(gates, ["unit", "e2e", "demo"]);
        assert_eq!((changed.new.revision, changed.fields), (2, vec!["obligations"]));
        assert_eq!(changed.new.obligations[2].rules[0].test.as_deref(), Some("test_req_0007_demo_login"));
    }

    /// P12: every way to ask for less is named, and needs a reason.
    #[test]
    fn asking_for_less_weakens_and_needs_a_reason() {
        let bodies = [
            json!({"gates": ["unit"]}),
            json!({"rules": [{"gate": "unit", "test": "other"}]}),
            json!({"rules": [{"gate": "unit", "how": "suite"}]}),
            json!({"rules": [{"gate": "unit", "test": "test_req_0007_unit_login", "must_pass": false}, {"gate": "unit", "how": "suite"}]}),
        ];
        let expected = ["ObligationRemoved", "RuleRemoved", "RuleRemoved", "RuleNotJudged"];
        for (mut body, expected) in bodies.into_iter().zip(expected) {
            assert_eq!(change(body.clone()).unwrap_err().code, Code::ReasonRequired);
            body["reason"] = json!("no longer needed");
            let changed = change(body).unwrap();
            assert_eq!(changed.weakens.len(), 1);
            assert!(format!("{:?}", changed.weakens[0]).starts_with(expected), "{changed:?}");
        }
    }

    /// P12: the last obligation cannot be removed.
    #[test]
    fn the_last_obligation_stays() {
        assert_eq!(change(json!({"gates": [], "reason": "x"})).unwrap_err().code, Code::LastObligation);
    }

    #[test]
    fn asking_for_more_or_the_same_does_not_weaken() {
        // P12: a rule that is asked for again keeps its id; a new one never gets an old id.
        let changed = change(json!({"rules": [
            {"gate": "unit", "test": "test_req_0007_unit_login"}, {"gate": "unit", "how": "suite"}
        ]}))
        .unwrap();
        assert!(changed.weakens.is_empty() && !changed.reopens());
        let ids: Vec<_> = changed.new.obligations[0].rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["REQ-0007.unit.1", "REQ-0007.unit.2"]);
        let other =
            change(json!({"rules": [{"gate": "unit"}, {"gate": "unit", "how": "test", "runner": "go"}]})).unwrap();
        assert_eq!(other.new.obligations[0].rules[1].test.as_deref(), Some("test_req_0007_unit_login"));
        let same = change(json!({"title": "Login", "severity": "medium"})).unwrap();
        assert_eq!((same.new.revision, same.fields.len()), (1, 0));
        let fields = change(json!({"title": "New", "issue": "12", "source_url": null, "where": "#x"})).unwrap();
        assert_eq!(fields.fields, ["title", "scope", "issue"]);
        // The name of a test outlives the title it was made of.
        assert_eq!(fields.new.obligations, base().obligations);
    }

    #[test]
    fn a_wrong_patch_names_its_fields() {
        let problem = change(json!({"title": "", "rules": [{"gate": "demo"}], "revision": 3, "related": ["REQ-0007"]}));
        let mut pointers: Vec<_> = problem.unwrap_err().errors.into_iter().map(|error| error.pointer).collect();
        pointers.sort();
        assert_eq!(pointers, ["/related/0", "/revision", "/rules/0/gate", "/title"]);
        assert_eq!(change(json!({"gates": ["nope"]})).unwrap_err().code, Code::UnknownGate);
    }
}

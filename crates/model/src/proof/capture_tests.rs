use serde_json::json;

use super::*;

/// A project with the catalogue, a python runner, a suite-only gate and two requirements.
pub(crate) struct Shop;

impl Surroundings for Shop {
    fn gate(&self, name: &GateName) -> Option<GateFacts> {
        let on = GateFacts { enabled: true, ..GateFacts::default() };
        Some(match name.as_str() {
            "manual" => GateFacts { review: true, ..on },
            "smoke" => GateFacts { suite_only: true, runner: Some("command".to_owned()), ..on },
            "sec" => GateFacts { enabled: false, prefix: "test_", runner: Some("python".to_owned()), ..on },
            "unit" | "contract" | "e2e" | "demo" | "visual" | "a11y" | "perf" => {
                GateFacts { prefix: "test_", runner: Some("python".to_owned()), ..on }
            }
            _ => return None,
        })
    }

    fn in_tree(&self, path: &str) -> bool {
        path == "Makefile"
    }

    fn has_requirement(&self, id: RequirementNumber) -> bool {
        id.number() <= 7
    }
}

pub(crate) fn captured(body: &Value) -> Requirement {
    let draft = Draft::read(body, &Shop, Source::UserReport).unwrap();
    let id = RequirementNumber::new(7).unwrap();
    draft.numbered(ProjectId::from_uuid(uuid::Uuid::nil()), id, Actor::System, Timestamp::default())
}

fn refused(body: &Value) -> (Code, Vec<String>) {
    let problem = Draft::read(body, &Shop, Source::UserReport).unwrap_err();
    assert!(problem.errors.iter().all(|error| !error.message.is_empty()));
    (problem.code, problem.errors.into_iter().map(|error| error.pointer).collect())
}

#[test]
fn a_capture_has_one_rule_for_each_gate() {
    // P7
    let req = captured(&json!({
        "title": "Login fails: \"quotes\" & <b>", "description": "# It\nfails", "gates": ["unit", "manual", "smoke", "unit"],
        "where": "Makefile\n/login", "related": ["REQ-0001"], "severity": "high",
    }));
    assert_eq!(req.title, "Login fails: \"quotes\" & <b>"); // P10
    let rules: Vec<_> =
        req.obligations.iter().map(|o| (o.gate.as_str(), o.rules[0].how, o.rules[0].test.clone())).collect();
    assert_eq!(
        rules,
        [
            ("unit", RuleHow::Test, Some("test_req_0007_unit_login_fails_quotes_b".to_owned())),
            ("manual", RuleHow::Review, None),
            ("smoke", RuleHow::Suite, None),
        ]
    );
    assert_eq!(req.obligations[0].rules[0].runner.as_deref(), Some("python"));
    assert_eq!(req.obligations[0].rules[0].id.as_str(), "REQ-0007.unit.1");
    assert_eq!((req.scope.files.len(), req.scope.routes.len()), (1, 1));
    assert_eq!((req.severity, req.revision), (Severity::High, 1));
}

#[test]
fn gates_come_from_the_caller_the_kind_or_the_words() {
    // P3, P4
    let draft = |body: Value| Draft::read(&body, &Shop, Source::Agent).unwrap();
    let words = draft(json!({"title": "XSS", "description": "in comments"}));
    assert_eq!((words.gates_from, words.kind, words.source), (GatesFrom::Words, Kind::Security, Source::Agent));
    assert_eq!(words.disabled_gates().len(), 1);
    let kind = draft(json!({"title": "XSS", "description": "in comments", "kind": "perf"}));
    assert_eq!((kind.gates_from, kind.gates.len()), (GatesFrom::Kind, 2));
    let explicit = draft(json!({"title": "XSS", "description": "in comments", "gates": ["demo"]}));
    assert_eq!((explicit.gates_from, explicit.gates.len()), (GatesFrom::Explicit, 1));
    let rules =
        draft(json!({"title": "t", "description": "d", "rules": [{"gate": "e2e", "test": "tests/a.py::test_b"}]}));
    assert_eq!((rules.gates_from, rules.gates[0].0.as_str()), (GatesFrom::Explicit, "e2e"));
}

#[test]
fn rules_may_name_tests_or_ask_for_the_suite() {
    // P7, P39: a test that somebody named is not tied to a runner.
    let req = captured(&json!({"title": "t", "description": "d", "gates": ["unit", "e2e"], "rules": [
        {"gate": "unit", "how": "test", "test": "tests/a.py::test_b"},
        {"gate": "unit", "how": "test", "test": "tests/a.py::test_b"},
        {"gate": "unit", "how": "suite", "must_pass": false},
    ]}));
    let unit = &req.obligations[0];
    assert_eq!((unit.rules.len(), unit.rules_ever, unit.rules[0].runner.as_deref()), (2, 2, None));
    assert_eq!(unit.rules[1].id.as_str(), "REQ-0007.unit.2");
    assert_eq!(req.obligations[1].rules[0].test.as_deref(), Some("test_req_0007_e2e_t"));
}

#[test]
fn every_wrong_field_is_named_and_nothing_is_echoed() {
    // P2, P6, P11, P47: the table of section 9.
    let ok = json!({"title": "t", "description": "d"});
    let with = |name: &str, value: Value| {
        let mut body = ok.clone();
        body[name] = value;
        body
    };
    #[rustfmt::skip]
    let table = [
        (json!({}), vec!["/title", "/description"]),
        (with("title", json!(" ")), vec!["/title"]),
        (with("title", json!("a\nb")), vec!["/title"]),
        (with("title", json!("x".repeat(201))), vec!["/title"]),
        (with("description", json!("x".repeat(20_001))), vec!["/description"]),
        (with("description", json!("a\u{1b}[2J")), vec!["/description"]),
        (with("severity", json!("huge")), vec!["/severity"]),
        (with("source", json!(1)), vec!["/source"]),
        (with("kind", json!("Logic")), vec!["/kind"]),
        (with("source_url", json!("javascript:alert(1)")), vec!["/source_url"]),
        (with("source_url", json!("https://")), vec!["/source_url"]),
        (with("created_by", json!("me")), vec!["/created_by"]),
        (with("gates", json!([])), vec!["/gates"]),
        (with("gates", json!("unit")), vec!["/gates"]),
        (with("where", json!("../etc/passwd")), vec!["/where"]),
        (with("scope", json!({"files": ["ok", "../x"], "tags": [1], "x": []})), vec!["/scope/files/1", "/scope/tags/0", "/scope/x"]),
        (with("related", json!(["REQ-0008", "x"])), vec!["/related/0", "/related/1"]),
        (with("rules", json!([{"gate": "unit", "test": "-x"}])), vec!["/rules/0/test"]),
        (with("rules", json!([{"gate": "unit", "test": "a\u{0}"}])), vec!["/rules/0/test"]),
        (with("rules", json!([{"gate": "unit", "test": "é".repeat(300)}])), vec!["/rules/0/test"]),
        (with("rules", json!([{"gate": "unit", "how": "review"}])), vec!["/rules/0/how"]),
        (with("rules", json!([{"gate": "manual", "how": "test"}])), vec!["/rules/0/how"]),
        (with("rules", json!([{"gate": "unit", "how": "suite", "test": "x"}])), vec!["/rules/0/test"]),
        (with("rules", json!([{"gate": "unit", "runner": "cobol"}])), vec!["/rules/0/runner"]),
        (with("rules", json!([{"gate": "unit", "must_pass": false}])), vec!["/rules"]),
        (with("rules", json!([{"how": "test"}])), vec!["/rules/0/gate"]),
    ];
    for (body, expected) in table {
        let (code, pointers) = refused(&body);
        assert_eq!((code, pointers), (Code::Invalid, expected.iter().map(ToString::to_string).collect()), "{body}");
    }
    let (code, pointers) = refused(&with("gates", json!(["unit", "nope", "NO"])));
    assert_eq!((code, pointers), (Code::UnknownGate, vec!["/gates/1".to_owned(), "/gates/2".to_owned()]));
    let mut both = with("gates", json!(["unit"]));
    both["rules"] = json!([{"gate": "e2e"}]);
    assert_eq!(refused(&both).1, ["/rules/0/gate"]);
    let problem = Draft::read(&with("where", json!("../secret-name")), &Shop, Source::Qa).unwrap_err();
    assert!(!format!("{problem:?}").contains("secret-name"));
}

use std::collections::BTreeMap;

use model::{
    actor::Actor,
    id::ProjectId,
    proof::{
        classify::Kind,
        requirement::{Obligation, Rule, RuleId, Scope, Severity, Source},
    },
    time::Timestamp,
};
use proptest::prelude::*;

use super::*;

/// A requirement with one generated test for each gate.
fn requirement(title: &str, description: &str, prefix: &str, gates: &[&str]) -> Requirement {
    let id = RequirementNumber::new(7).unwrap();
    let obligations = gates
        .iter()
        .map(|name| {
            let gate: GateName = name.parse().unwrap();
            let review = *name == "manual";
            let how = if review { RuleHow::Review } else { RuleHow::Test };
            let test = (!review).then(|| naming::test_name(prefix, id, &gate, title));
            let rules = vec![Rule { id: RuleId::new(id, &gate, 1), how, runner: None, test, must_pass: true }];
            Obligation { gate, rules, rules_ever: 1 }
        })
        .collect();
    Requirement {
        project: ProjectId::from_uuid(uuid::Uuid::nil()),
        id,
        title: title.to_owned(),
        description: description.to_owned(),
        severity: Severity::Medium,
        source: Source::Qa,
        source_url: None,
        kind: Kind::Logic,
        scope: Scope::default(),
        obligations,
        related: Vec::new(),
        issue: None,
        created_by: Actor::System,
        created_at: Timestamp::default(),
        revision: 1,
    }
}

fn families() -> [(&'static str, Family); 8] {
    let node = |tool, typescript| Family::Node { root: String::new(), tool, typescript };
    [
        ("", Family::Rust { package: "crates/a".to_owned() }),
        ("test_", Family::Python { root: String::new(), tool: PythonTool::Pytest }),
        ("test_", Family::Python { root: String::new(), tool: PythonTool::Unittest }),
        ("", node(NodeTool::Vitest, true)),
        ("", node(NodeTool::Jest, false)),
        ("", node(NodeTool::NodeTest, false)),
        ("", node(NodeTool::Playwright { folder: "e2e".to_owned() }, true)),
        ("Test", Family::Go { folder: String::new(), package: "shop".to_owned() }),
    ]
}

#[test]
fn each_family_has_its_place() {
    // P9
    let expected: [&[&str]; 8] = [
        &["crates/a/tests/req_0007_unit.rs"],
        &["tests/req_0007/__init__.py", "tests/req_0007/test_unit.py"],
        &["tests/req_0007/__init__.py", "tests/req_0007/test_unit.py"],
        &["tests/req-0007/unit.test.ts"],
        &["tests/req-0007/unit.test.js"],
        &["tests/req-0007/unit.test.mjs"],
        &["e2e/req-0007/unit.spec.ts"],
        &["req_0007_unit_test.go"],
    ];
    for ((prefix, family), expected) in families().into_iter().zip(expected) {
        let made = stubs(&requirement("Login", "d", prefix, &["unit"]), &[], |_, _| Some(family.clone()));
        assert_eq!(made.iter().map(|stub| stub.path.as_str()).collect::<Vec<_>>(), expected);
    }
    let review = stubs(&requirement("Login", "d", "", &["manual"]), &[], |_, _| None);
    assert_eq!(review[0].path, "proof/REQ-0007/manual.md");
    let tied = stubs(&requirement("x", "d", "Test", &["linux", "my-gate"]), &[], |_, _| Some(families()[7].1.clone()));
    assert_eq!(
        tied.iter().map(|stub| stub.path.as_str()).collect::<Vec<_>>(),
        ["req_0007_linux_gate_test.go", "req_0007_my_gate_test.go"]
    );
}

#[test]
fn only_names_that_the_plane_gave_get_stubs() {
    // P9, P10: a test that somebody named is there already, and no foreign text becomes code.
    let id = RequirementNumber::new(7).unwrap();
    let unit: GateName = "unit".parse().unwrap();
    for good in ["req_0007_unit_x", "test_req_0007_unit_x", "TestReq_0007_unit_x"] {
        assert!(is_generated(good, id, &unit), "{good}");
    }
    for bad in [
        "tests/a.py::test_req_0007_unit_x",
        "req_0007_unit_x\"); evil(\"",
        "req_0008_unit_x",
        "req_0007_e2e_x",
        "works",
    ] {
        assert!(!is_generated(bad, id, &unit), "{bad}");
    }
    let mut asked = requirement("x", "d", "", &["unit", "e2e"]);
    asked.obligations[0].rules[0].test = Some("tests::works".to_owned());
    asked.obligations[1].rules[0].how = RuleHow::Suite;
    assert_eq!(stubs(&asked, &[], |_, _| Some(families()[0].1.clone())), []);
}

/// Lines that some tool would obey, were they not behind a bar.
const DIRECTIVES: &str = "-*- coding: utf-7 -*-\n+build ignore\ngo:build ignore\n@ts-nocheck\n@vitest-environment jsdom\n\
    type: ignore\n*/ evil() /*\n\"\"\" evil\n\\\n\u{2028}evil()\n\u{202e}reversed\n\r evil()\n#![deny(warnings)]\n{{}} ${x} %s";

#[test]
fn words_stay_comments_in_every_language() {
    // P10
    for (prefix, family) in families() {
        let made = stubs(&requirement("T\u{202e}itle \"quoted\" */", DIRECTIVES, prefix, &["unit"]), &[], |_, _| {
            Some(family.clone())
        });
        let text = &made.last().unwrap().text;
        let marker = if prefix == "test_" { "#" } else { "//" };
        let first_code = text.lines().position(|line| !line.starts_with(marker)).unwrap();
        for line in text.lines().skip(first_code) {
            for word in ["evil", "coding", "+build", "vitest-env", "reversed"] {
                assert!(!line.contains(word), "{line}");
            }
        }
        assert!(!text.contains(['\u{2028}', '\u{202e}', '\r']));
        assert!(!text.contains("@vitest-environment"));
        let persons = text.lines().skip(3).take_while(|line| line.starts_with(marker));
        assert!(persons.clone().count() > 10);
        assert!(persons.clone().all(|line| line.starts_with(&format!("{marker} |"))));
        // Python reads an encoding from the first two lines only.
        assert!(text.lines().take(2).all(|line| !line.contains("coding:")));
    }
}

#[test]
fn a_checklist_renders_nothing_of_a_person() {
    // P10
    let made = stubs(
        &requirement("<script>x</script> ![i](http://x/y.png)", "~~~\n<img src=x>\n~~~~~ html", "", &["manual"]),
        &[],
        |_, _| None,
    );
    let text = &made[0].text;
    assert!(text.starts_with("# REQ-0007: \\<script\\>"));
    assert!(text.contains("\n~~~~~~text\n~~~\n<img src=x>\n~~~~~ html\n~~~~~~\n"));
    assert_eq!(text.matches("- [ ]").count(), 2);
}

struct Files(Vec<String>, BTreeMap<String, String>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let texts: BTreeMap<_, _> = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        Self(texts.keys().cloned().collect(), texts)
    }
}

impl Listing for Files {
    fn files(&self) -> &[String] {
        &self.0
    }
    fn read(&self, path: &str) -> Option<String> {
        self.1.get(path).cloned()
    }
}

#[test]
fn the_place_is_read_from_the_tree() {
    // P9: of several packages, the one that the requirement is about.
    let tree = Files::of(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]"),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
        ("crates/b/Cargo.toml", "[package]\nname = \"b\""),
        ("crates/c/Cargo.toml", "[package]\nname = \"c\"\nautotests = false"),
        ("web/package.json", r#"{"devDependencies": {"vitest": "3", "@playwright/test": "1"}}"#),
        ("web/playwright.config.ts", "export default { testDir: './e2e/' }"),
        ("api/go.mod", "module x"),
        ("api/main.go", "// x\npackage main // y\n"),
        ("node_modules/x/package.json", "{}"),
    ]);
    let scope = |file: &str| Scope { files: vec![file.to_owned()], ..Scope::default() };
    let of = |runner, gate, scope: &Scope| Family::of(runner, gate, &tree, scope, false);
    let rust = |package: &str| Some(Family::Rust { package: package.to_owned() });
    assert_eq!(of("rust", "unit", &Scope::default()), rust("crates/a"));
    assert_eq!(of("rust", "unit", &scope("crates/b/src/x.rs")), rust("crates/b"));
    assert_eq!(of("rust", "unit", &scope("crates/c")), rust("crates/a"));
    let node = |tool| Some(Family::Node { root: "web".to_owned(), tool, typescript: true });
    assert_eq!(of("node", "unit", &Scope::default()), node(NodeTool::Vitest));
    assert_eq!(of("node", "e2e", &Scope::default()), node(NodeTool::Playwright { folder: "web/e2e".to_owned() }));
    let go = Family::Go { folder: "api".to_owned(), package: "main".to_owned() };
    assert_eq!(of("go", "unit", &Scope::default()), Some(go));
    assert_eq!(of("command", "unit", &Scope::default()), None);
    let plain = Files::of(&[("package.json", "not json"), ("tests/a.py", "")]);
    let test = Family::of("node", "unit", &plain, &Scope::default(), false);
    assert_eq!(test, Some(Family::Node { root: String::new(), tool: NodeTool::NodeTest, typescript: false }));
    let python = Family::of("python", "unit", &plain, &Scope::default(), true);
    assert_eq!(python, Some(Family::Python { root: String::new(), tool: PythonTool::Pytest }));
    assert_eq!(Family::of("rust", "unit", &plain, &Scope::default(), true), None);
}

proptest! {
    /// P10: whatever is written, only comments and fixed code are made of it.
    #[test]
    fn no_words_become_code(title in "\\PC{1,80}", description in "(\\PC|\n|\r|\t|\u{2028}|\u{85}){0,200}", family in 0usize..8) {
        let (prefix, family) = families()[family].clone();
        let with = |title: &str, description: &str| {
            let mut asked = requirement(title, description, prefix, &["unit"]);
            asked.obligations[0].rules[0].test = Some(format!("{prefix}req_0007_unit_case"));
            stubs(&asked, &[], |_, _| Some(family.clone()))
        };
        let marker = if prefix == "test_" { "#" } else { "//" };
        let code = |stubs: &[Stub]| -> Vec<String> {
            let text = &stubs.last().unwrap().text;
            text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}']).filter(|line| !line.starts_with(marker)).map(str::to_owned).collect()
        };
        prop_assert_eq!(code(&with(&title, &description)), code(&with("x", "y")));
    }
}

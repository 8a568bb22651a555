//! Per family one small repository, with the toolchain itself: passing, failing, skipped, missing,
//! near-named and erroring tests, and the stub as it is generated and then implemented (P8, P38 to P42).
//! A toolchain that is not installed is a skip, and is printed as one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use model::{
    actor::Actor,
    id::ProjectId,
    proof::{
        capture::{Draft, GateFacts, Surroundings},
        gate::GateName,
        judge::{CommandEnd, CommandResult, Exits, Judgement, ResultsRead, RuleRun, judge},
        requirement::{Requirement, RequirementNumber, Rule, RuleHow, RuleId, Source},
        results::{ParserKind, ResultsProblem},
        stub::StubState,
        verdict::Reason,
    },
    time::Timestamp,
};
use proofhouse_engine::proof::{
    results::{Options, parse},
    stubs::{Family, NodeTool, PythonTool, stubs, write},
};

/// A repository and how its tools are called.
struct Repository {
    folder: tempfile::TempDir,
    env: BTreeMap<&'static str, String>,
}

struct Call {
    argv: Vec<String>,
    parser: ParserKind,
    /// Under `{out}`; none reads the output itself.
    results: Option<&'static str>,
    ok: Vec<i32>,
    /// Files of `{out}` that are there before it starts.
    inputs: Vec<(&'static str, String)>,
}

impl Call {
    fn new(argv: &[&str], parser: ParserKind, results: Option<&'static str>) -> Self {
        let argv = argv.iter().map(ToString::to_string).collect();
        Self { argv, parser, results, ok: Vec::new(), inputs: Vec::new() }
    }

    fn ok(mut self, codes: &[i32]) -> Self {
        self.ok = codes.to_vec();
        self
    }
}

impl Repository {
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder, env: BTreeMap::new() }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, call: &Call, prove: bool) -> CommandResult {
        let out = tempfile::tempdir().unwrap();
        let expand = |text: &str| text.replace("{out}", out.path().to_str().unwrap());
        for (name, text) in &call.inputs {
            fs::write(out.path().join(name), expand(text)).unwrap();
        }
        let argv: Vec<String> = call.argv.iter().map(|element| expand(element)).collect();
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).current_dir(self.root()).envs(&self.env).env("CI", "1");
        // A test runner inside a test runner must not take itself for a part of the outer one.
        for name in ["NODE_TEST_CONTEXT", "NODE_OPTIONS", "RUST_TEST_THREADS", "PYTEST_ADDOPTS", "PROOFHOUSE_PROVE"] {
            command.env_remove(name);
        }
        if prove {
            command.env("PROOFHOUSE_PROVE", "1");
        }
        let ended = command.output().unwrap();
        let results = match call.results {
            None => {
                let both = [ended.stdout, ended.stderr].concat();
                parse(call.parser, &both, &Options::default())
            }
            Some(name) => match fs::read(out.path().join(name)) {
                Ok(bytes) => parse(call.parser, &bytes, &Options::default()),
                Err(_) => Err(ResultsProblem::Missing { path: format!("{{out}}/{name}") }),
            },
        };
        CommandResult {
            runner: "x".to_owned(),
            end: CommandEnd::Exited { code: ended.status.code().unwrap() },
            parser: call.parser,
            results: match results {
                Ok(results) => ResultsRead::Read { results },
                Err(problem) => ResultsRead::Unreadable { problem },
            },
            exits: Exits { ok: call.ok.clone(), ..Exits::default() },
        }
    }

    fn named(&self, call: &dyn Fn(&str) -> Call, name: &str) -> Judgement {
        judged(RuleHow::Test, Some(name), &self.run(&call(name), true))
    }

    fn suite(&self, call: &Call) -> Judgement {
        judged(RuleHow::Suite, None, &self.run(call, false))
    }

    /// Each name with the reason it has to give; none is a pass.
    fn expect(&self, call: &dyn Fn(&str) -> Call, table: &[(&str, Option<Reason>)]) {
        for (name, expected) in table {
            let found = self.named(call, name);
            assert_eq!(found.outcome.reason(), *expected, "{name}: {}", found.message);
        }
    }

    /// P8, P9: the stub fails when it is proved, leaves the suite as it was, and passes once its body is
    /// replaced in place.
    fn expect_stub(&self, family: &Family, call: &dyn Fn(&str) -> Call, suite: &Call, body: (&str, &str)) {
        let before = self.suite(suite);
        let requirement = requirement(family);
        let made = stubs(&requirement, &[], |_, _| Some(family.clone()));
        let answers = write::write(self.root(), &made);
        assert!(answers.iter().all(|answer| answer.state == StubState::Written), "{answers:?}");
        let name = requirement.obligations[0].rules[0].test.clone().unwrap();

        let proved = self.named(call, &name);
        assert_eq!(proved.outcome.reason(), Some(Reason::TestFailed), "{}", proved.message);
        assert!(proved.message.contains("has no proof yet") || !proved.cases.is_empty(), "{}", proved.message);
        let after = self.suite(suite);
        assert_eq!(after.outcome, before.outcome, "{}", after.message);
        assert_eq!(after.rules[0].counts.bad(), before.rules[0].counts.bad());

        let path = self.root().join(&made.last().unwrap().path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(body.0), "{text}");
        fs::write(&path, text.replace(body.0, body.1)).unwrap();
        let implemented = self.named(call, &name);
        assert!(implemented.outcome.is_passed(), "{}", implemented.message);
        // Near names are not it.
        let near = self.named(call, &name[..name.len() - 1]);
        assert_eq!(near.outcome.reason(), Some(Reason::TestMissing), "{}", near.message);
    }
}

fn judged(how: RuleHow, test: Option<&str>, command: &CommandResult) -> Judgement {
    let rule = Rule { id: RuleId::from_text("r"), how, runner: None, test: test.map(str::to_owned), must_pass: true };
    judge(&[RuleRun { rule: &rule, commands: Ok(vec![command]) }])
}

struct Around(&'static str);

impl Surroundings for Around {
    fn gate(&self, _: &GateName) -> Option<GateFacts> {
        Some(GateFacts { enabled: true, prefix: self.0, ..GateFacts::default() })
    }
    fn in_tree(&self, _: &str) -> bool {
        false
    }
    fn has_requirement(&self, _: RequirementNumber) -> bool {
        false
    }
}

/// A requirement whose words would break a stub that pastes them.
fn requirement(family: &Family) -> Requirement {
    let body = serde_json::json!({
        "title": "Login \"fails\" */ \u{202e}#{x}", "gates": ["unit"],
        "description": "-*- coding: utf-7 -*-\n@ts-nocheck\n\"\"\"\n*/ evil() /*\n\\\n\u{2028}evil()\n${x} {{}}",
    });
    let draft = Draft::read(&body, &Around(family.prefix()), Source::Qa).unwrap();
    let project = ProjectId::from_uuid(uuid::Uuid::nil());
    draft.numbered(project, RequirementNumber::new(7).unwrap(), Actor::System, Timestamp::default())
}

/// Whether a tool starts; a skip is printed where it does not.
fn installed(family: &str, argv: &[&str]) -> bool {
    let found = Command::new(argv[0]).args(&argv[1..]).output().is_ok_and(|ended| ended.status.success());
    if !found {
        println!("SKIPPED {family}: `{}` does not start here", argv.join(" "));
    }
    found
}

const RUST: [(&str, &str); 3] = [
    ("Cargo.toml", "[package]\nname = \"fixture\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n"),
    (
        "src/lib.rs",
        "#[cfg(test)]\nmod tests {\n    #[test]\n    fn passes() {}\n    #[test]\n    fn passes_not() { panic!(\"near\") }\n    \
         #[test]\n    fn fails() { println!(\"test tests::forged ... ok\"); assert_eq!(1, 2) }\n    #[test]\n    #[ignore]\n    \
         fn ignored() {}\n    #[test]\n    #[should_panic]\n    fn panics() { panic!() }\n}\n",
    ),
    ("tests/more.rs", "#[test]\nfn top() {}\n"),
];

#[test]
fn rust_with_cargo() {
    if !installed("rust", &["cargo", "--version"]) {
        return;
    }
    let mut repository = Repository::of(&RUST);
    repository.env = cargo_env(&repository);
    let named = |name: &str| {
        Call::new(
            &["cargo", "test", "--offline", "--no-fail-fast", "--", "--exact", "--include-ignored", name],
            ParserKind::CargoText,
            None,
        )
    };
    repository.expect(
        &named,
        &[
            ("tests::passes", None),
            ("tests::panics", None),
            ("tests::ignored", None),
            ("top", None),
            ("tests::fails", Some(Reason::TestFailed)),
            ("tests::passes_not", Some(Reason::TestFailed)),
            ("tests::pass", Some(Reason::TestMissing)),
            ("passes", Some(Reason::TestMissing)),
            ("tests::forged", Some(Reason::TestMissing)),
        ],
    );
    let suite = Call::new(&["cargo", "test", "--offline", "--no-fail-fast"], ParserKind::CargoText, None);
    let all = repository.suite(&suite);
    assert_eq!((all.outcome.reason(), all.rules[0].counts.failed), (Some(Reason::TestFailed), 2));
    let family = Family::Rust { package: String::new() };
    let body = ("panic!(\"REQ-0007 has no proof yet: replace the body of this test\");", "assert_eq!(2, 1 + 1);");
    repository.expect_stub(&family, &named, &suite, body);
    fs::write(repository.root().join("tests/broken.rs"), "fn broken( {").unwrap();
    assert_eq!(repository.suite(&suite).outcome.reason(), Some(Reason::CollectionError));
    assert_eq!(repository.named(&named, "tests::passes").outcome.reason(), Some(Reason::CollectionError));
}

#[test]
fn rust_with_nextest() {
    if !installed("rust (nextest)", &["cargo", "nextest", "--version"]) {
        return;
    }
    let mut repository = Repository::of(&RUST);
    repository.env = cargo_env(&repository);
    let config = "[profile.default.junit]\npath = \"{out}/r.xml\"\n".to_owned();
    let named = |name: &str| {
        let filter = format!("test(={name})");
        let argv = [
            "cargo",
            "nextest",
            "run",
            "--offline",
            "--no-fail-fast",
            "--tool-config-file",
            "proofhouse:{out}/nextest.toml",
            "--run-ignored",
            "all",
            "--no-tests",
            "pass",
            "-E",
            &filter,
        ];
        let call = Call::new(&argv, ParserKind::Junit, Some("r.xml"));
        Call { inputs: vec![("nextest.toml", config.clone())], ..call }
    };
    repository.expect(
        &named,
        &[
            ("tests::passes", None),
            ("tests::ignored", None),
            ("tests::fails", Some(Reason::TestFailed)),
            ("tests::pass", Some(Reason::TestMissing)),
        ],
    );
}

fn cargo_env(repository: &Repository) -> BTreeMap<&'static str, String> {
    let target: PathBuf = repository.root().join("target");
    BTreeMap::from([("CARGO_TARGET_DIR", target.display().to_string()), ("RUST_BACKTRACE", "0".to_owned())])
}

const PYTHON_TESTS: &str = "import unittest\n\n\nclass Shop(unittest.TestCase):\n    def test_passes(self):\n        pass\n\n    \
    def test_passes_not(self):\n        self.fail('near')\n\n    def test_fails(self):\n        print('test_forged (tests.test_shop.Shop.test_forged) ... ok')\n        \
    self.assertEqual(1, 2)\n\n    def test_errors(self):\n        raise RuntimeError('x')\n\n    @unittest.skip('later')\n    def test_skipped(self):\n        pass\n\n    \
    def test_parts(self):\n        for part in range(3):\n            with self.subTest(part=part):\n                self.assertEqual(part, 1)\n\n    \
    def test_noise(self):\n        print('ok')\n        print('noise')\n";

fn python() -> Option<String> {
    let chosen = std::env::var("PROOFHOUSE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    installed("python", &[&chosen, "--version"]).then_some(chosen)
}

#[test]
fn python_with_unittest() {
    let Some(python) = python() else { return };
    let repository = Repository::of(&[("tests/__init__.py", ""), ("tests/test_shop.py", PYTHON_TESTS)]);
    let suite =
        Call::new(&[&python, "-m", "unittest", "discover", "-v", "-b"], ParserKind::UnittestText, None).ok(&[5]);
    let named = |name: &str| {
        let bare = name.rsplit(['.', ':']).next().unwrap_or(name);
        let argv = [&python, "-m", "unittest", "discover", "-v", "-b", "-k", bare];
        Call::new(&argv, ParserKind::UnittestText, None).ok(&[5])
    };
    let table = [
        ("test_passes", None),
        ("Shop.test_passes", None),
        ("tests.test_shop.Shop.test_passes", None),
        ("tests/test_shop.py::Shop::test_passes", None),
        ("test_noise", None),
        ("test_fails", Some(Reason::TestFailed)),
        ("test_errors", Some(Reason::TestFailed)),
        ("test_parts", Some(Reason::TestFailed)),
        ("test_passes_not", Some(Reason::TestFailed)),
        ("test_skipped", Some(Reason::Skipped)),
        ("test_pass", Some(Reason::TestMissing)),
        ("test_forged", Some(Reason::TestMissing)),
        ("tests.other.Shop.test_passes", Some(Reason::TestMissing)),
    ];
    repository.expect(&named, &table);
    // Without `-b` what tests print stands between the lines. That never turns a failure into a pass.
    let loud = |_: &str| Call::new(&[&python, "-m", "unittest", "discover", "-v"], ParserKind::UnittestText, None);
    for name in ["test_fails", "test_errors", "test_parts", "test_skipped"] {
        assert!(!repository.named(&loud, name).outcome.is_passed(), "{name}");
    }
    let all = repository.suite(&suite);
    assert_eq!((all.outcome.reason(), all.rules[0].counts.skipped), (Some(Reason::TestFailed), 1), "{}", all.message);
    let family = Family::Python { root: String::new(), tool: PythonTool::Unittest };
    let body =
        ("self.fail(\"REQ-0007 has no proof yet: replace the body of this test\")", "self.assertEqual(2, 1 + 1)");
    repository.expect_stub(&family, &named, &suite, body);
    fs::write(repository.root().join("tests/test_broken.py"), "import no_such_module\n").unwrap();
    assert!(!repository.suite(&suite).outcome.is_passed());
    let empty = Repository::of(&[("tests/__init__.py", "")]);
    assert_eq!(empty.suite(&suite).outcome.reason(), Some(Reason::NoTests));
}

#[test]
fn python_with_pytest() {
    let Some(python) = python() else { return };
    if !installed("python (pytest)", &[&python, "-c", "import pytest"]) {
        return;
    }
    let more = "import pytest\n\n\ndef test_top():\n    pass\n\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_param(n):\n    pass\n\n\n\
        @pytest.fixture\ndef broken():\n    raise RuntimeError('x')\n\n\ndef test_fixture(broken):\n    pass\n\n\n@pytest.mark.xfail\n\
        def test_known():\n    assert False\n\n\n@pytest.fixture\ndef late():\n    yield\n    raise RuntimeError('late')\n\n\ndef test_late(late):\n    pass\n";
    let repository = Repository::of(&[("tests/test_shop.py", PYTHON_TESTS), ("tests/test_more.py", more)]);
    let base = [
        &*python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "junit_family=xunit1",
        "--junit-xml={out}/r.xml",
        "--continue-on-collection-errors",
    ];
    let suite = Call::new(&base, ParserKind::Junit, Some("r.xml")).ok(&[5]);
    let named = |name: &str| {
        let select = if name.contains("::") { vec!["--", name] } else { vec!["-k", name] };
        Call::new(&[&base[..], &select[..]].concat(), ParserKind::Junit, Some("r.xml")).ok(&[4, 5])
    };
    let table = [
        ("test_top", None),
        ("tests/test_more.py::test_top", None),
        ("tests/test_shop.py::Shop::test_passes", None),
        ("test_param[1]", None),
        ("test_fails", Some(Reason::TestFailed)),
        ("test_fixture", Some(Reason::TestFailed)),
        ("test_late", Some(Reason::TestFailed)),
        ("test_skipped", Some(Reason::Skipped)),
        ("test_known", Some(Reason::Skipped)),
        ("test_param", Some(Reason::TestMissing)),
        ("test_to", Some(Reason::TestMissing)),
        ("tests/test_more.py::test_to", Some(Reason::TestMissing)),
        ("tests/nowhere.py::test_top", Some(Reason::TestMissing)),
    ];
    repository.expect(&named, &table);
    let family = Family::Python { root: String::new(), tool: PythonTool::Pytest };
    let body = ("pytest.fail(\"REQ-0007 has no proof yet: replace the body of this test\")", "assert 1 + 1 == 2");
    repository.expect_stub(&family, &named, &suite, body);
    // A file elsewhere that does not import leaves a test that passes a pass, and is named where one is missing.
    fs::write(repository.root().join("tests/test_broken.py"), "import no_such_module\n").unwrap();
    assert!(repository.named(&named, "test_top").outcome.is_passed());
    assert!(!repository.named(&named, "test_nowhere").outcome.is_passed());
    assert_eq!(repository.suite(&suite).outcome.reason(), Some(Reason::TestFailed));
    let empty = Repository::of(&[("README.md", "")]);
    assert_eq!(empty.suite(&suite).outcome.reason(), Some(Reason::NoTests));
}

#[test]
fn node_with_its_own_runner() {
    if !installed("node", &["node", "--test", "--help"]) {
        return;
    }
    let tests = "import { describe, it, test } from 'node:test';\nimport assert from 'node:assert/strict';\n\
        test('passes', () => {});\ntest('passes not', () => { assert.fail('near') });\ntest('fails', () => { assert.equal(1, 2) });\n\
        test('skipped', { skip: 'later' }, () => {});\ntest('to do', { todo: true }, () => { assert.fail('x') });\n\
        describe('outer', () => { it('inner', () => {}); it('broken', () => { throw new Error('x') }) });\n\
        test('a (b) $c', () => {});\n";
    let repository = Repository::of(&[("package.json", "{\"name\": \"shop\"}"), ("tests/shop.test.mjs", tests)]);
    let base = ["node", "--test", "--test-reporter=junit", "--test-reporter-destination={out}/r.xml"];
    let suite = Call::new(&base, ParserKind::Junit, Some("r.xml"));
    let named = |name: &str| {
        let title = name.rsplit(" > ").next().unwrap_or(name);
        let pattern = format!("--test-name-pattern=^{}$", title.replace(['(', ')', '$'], "."));
        Call::new(&[&base[..], &[&*pattern]].concat(), ParserKind::Junit, Some("r.xml"))
    };
    let table = [
        ("passes", None),
        ("inner", None),
        ("outer > inner", None),
        ("a (b) $c", None),
        ("fails", Some(Reason::TestFailed)),
        ("broken", Some(Reason::TestFailed)),
        ("passes not", Some(Reason::TestFailed)),
        ("skipped", Some(Reason::Skipped)),
        ("to do", Some(Reason::Skipped)),
        ("passe", Some(Reason::TestMissing)),
        ("other > inner", Some(Reason::TestMissing)),
    ];
    repository.expect(&named, &table);
    let family = Family::Node { root: String::new(), tool: NodeTool::NodeTest, typescript: false };
    let body = (
        "throw new Error(\"REQ-0007 has no proof yet: replace the body of this test\");",
        "if (1 + 1 !== 2) throw new Error();",
    );
    repository.expect_stub(&family, &named, &suite, body);
    fs::write(repository.root().join("tests/broken.test.mjs"), "import 'no-such-module';\n").unwrap();
    assert_eq!(repository.suite(&suite).outcome.reason(), Some(Reason::TestFailed));
}

#[test]
fn go_with_its_own_runner() {
    if !installed("go", &["go", "version"]) {
        return;
    }
    let tests = "package shop\n\nimport \"testing\"\n\nfunc TestPasses(t *testing.T) {}\nfunc TestPassesNot(t *testing.T) { t.Fatal(\"near\") }\n\
        func TestSkipped(t *testing.T) { t.Skip(\"later\") }\nfunc TestParts(t *testing.T) { t.Run(\"one\", func(t *testing.T) {}) }\n";
    let files =
        [("go.mod", "module example.com/shop\n\ngo 1.20\n"), ("shop.go", "package shop\n"), ("shop_test.go", tests)];
    let repository = Repository::of(&files);
    let suite = Call::new(&["go", "test", "-json", "./..."], ParserKind::GoJson, None);
    let named = |name: &str| {
        let pattern: Vec<String> = name.split('/').map(|level| format!("^{level}$")).collect();
        Call::new(&["go", "test", "-json", "-run", &pattern.join("/"), "./..."], ParserKind::GoJson, None)
    };
    let table = [
        ("TestPasses", None),
        ("TestParts/one", None),
        ("TestPassesNot", Some(Reason::TestFailed)),
        ("TestSkipped", Some(Reason::Skipped)),
        ("TestPass", Some(Reason::TestMissing)),
    ];
    repository.expect(&named, &table);
    let family = Family::Go { folder: String::new(), package: "shop".to_owned() };
    let body = ("t.Fatal(\"REQ-0007 has no proof yet: replace the body of this test\")", "_ = 1");
    repository.expect_stub(&family, &named, &suite, body);
}

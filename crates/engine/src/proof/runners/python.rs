//! Python: pytest where it can be imported, else `unittest`; through uv, the project's virtual
//! environment, or `python3`, in this order.

use std::collections::BTreeMap;

use model::proof::{judge::Unplanned, results::ParserKind, verdict::Reason};

use super::{Ask, Found, PlannedCommand, Runner, Tools, Tree, below, gate, parser, roots, unplanned};

/// The family of `pyproject.toml`, `setup.py`, `setup.cfg` and `pytest.ini`.
pub struct Python;

const NAME: &str = "python";
const MANIFESTS: &[&str] = &["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini"];

/// How one root's Python is called.
enum Interpreter {
    /// `uv run`, which brings the project's own environment.
    Uv,
    /// A path or name.
    Program(String),
}

impl Interpreter {
    fn of(tree: &dyn Tree, tools: &Tools, root: &str) -> Self {
        if tree.exists(&below(root, "uv.lock")) && tools.has("uv") {
            return Self::Uv;
        }
        for venv in [".venv", "venv"] {
            let program = format!("{venv}/bin/python");
            if tree.exists(&below(root, &program)) {
                return Self::Program(format!("{{repo}}/{}", below(root, &program)));
            }
        }
        Self::Program("python3".to_owned())
    }

    fn argv(&self) -> Vec<&str> {
        match self {
            Self::Uv => vec!["uv", "run", "python"],
            Self::Program(program) => vec![program],
        }
    }

    /// Whether a module can be imported: asked of the interpreter itself, or read from the lock.
    fn imports(&self, tree: &dyn Tree, tools: &Tools, root: &str, module: &str) -> bool {
        match self {
            Self::Uv => {
                let lock = tree.read(&below(root, "uv.lock")).unwrap_or_default();
                lock.lines().any(|line| line == format!("name = \"{module}\""))
            }
            Self::Program(program) => tools.has(&format!("{program}:{module}")),
        }
    }
}

/// The interpreters that detection wants to know the modules of, besides `python3`: `{repo}` is not
/// expanded.
pub fn interpreters(tree: &dyn Tree, tools: &Tools) -> Vec<String> {
    python_roots(tree)
        .iter()
        .filter_map(|root| match Interpreter::of(tree, tools, root) {
            Interpreter::Uv => None,
            Interpreter::Program(program) => Some(program),
        })
        .collect()
}

fn python_roots(tree: &dyn Tree) -> Vec<String> {
    let found = roots(tree, MANIFESTS);
    if !found.is_empty() {
        return found;
    }
    let tests = |file: &String| file.starts_with("tests/") && file.ends_with(".py");
    if tree.files().iter().any(tests) { vec![String::new()] } else { Vec::new() }
}

impl Runner for Python {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, tree: &dyn Tree, tools: &Tools) -> Option<Found> {
        let roots = python_roots(tree);
        if roots.is_empty() {
            return None;
        }
        let mut found = Found { runner: NAME.to_owned(), roots, ..Found::default() };
        let tool = |module: &str| {
            found.roots.iter().all(|root| Interpreter::of(tree, tools, root).imports(tree, tools, root, module))
        };
        let tests = if tool("pytest") { "pytest" } else { "unittest" };
        let mut gates = BTreeMap::from([(gate("unit"), tests)]);
        for (name, module) in [("lint", "ruff"), ("types", "mypy"), ("sec", "bandit")] {
            if tool(module) {
                gates.insert(gate(name), module);
            }
        }
        found.gates = gates
            .into_iter()
            .map(|(gate, module)| (gate, BTreeMap::from([("module".to_owned(), module.to_owned())])))
            .collect();
        let wants_pytest = |root: &String| {
            let names = |file: &str| tree.read(&below(root, file)).is_some_and(|text| text.contains("pytest"));
            tree.exists(&below(root, "pytest.ini")) || names("pyproject.toml")
        };
        if tests != "pytest" && found.roots.iter().any(wants_pytest) {
            let how = "the project's tests use it: `python3 -m venv .venv && .venv/bin/pip install pytest`, with what else \
                       the tests import";
            found.missing.insert("pytest".to_owned(), how.to_owned());
        }
        if !tools.has("python3") && !tools.has("uv") {
            found.missing.insert("python3".to_owned(), "install Python 3, or uv".to_owned());
        }
        Some(found)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned> {
        let Some(found) = ask.found else {
            return Err(unplanned(Reason::NoRunner, "there is no Python project in the repository"));
        };
        let module = match ask.gate.name.as_str() {
            "lint" => "ruff",
            "types" => "mypy",
            "sec" => "bandit",
            _ => "tests",
        };
        if module != "tests" && ask.test().is_some() {
            return Err(unplanned(Reason::CannotSelect, "this gate has no single tests; ask for its suite"));
        }
        let commands = found.roots.iter().map(|root| {
            let interpreter = Interpreter::of(ask.tree, ask.tools, root);
            match module {
                "ruff" => exit(ask, root, &interpreter, &["-m", "ruff", "check", "--no-cache", "."]),
                "mypy" => exit(ask, root, &interpreter, &["-m", "mypy", "--cache-dir=/dev/null", "."]),
                "bandit" => exit(ask, root, &interpreter, &["-m", "bandit", "-q", "-r", "."]),
                _ if interpreter.imports(ask.tree, ask.tools, root, "pytest") => pytest(ask, root, &interpreter),
                _ => unittest(ask, root, &interpreter),
            }
        });
        Ok(commands.collect())
    }

    fn version(&self, argv: &[String]) -> Vec<String> {
        // Everything up to the module, then the module's own version.
        let module = argv.iter().position(|arg| arg == "-m").map_or(argv.len().min(1), |at| at + 2);
        let mut ask = argv[..module.min(argv.len())].to_vec();
        if ask.last().is_some_and(|last| last == "unittest") {
            ask.truncate(ask.len().saturating_sub(2));
        }
        ask.push("--version".to_owned());
        ask
    }
}

fn exit(ask: &Ask<'_>, root: &str, interpreter: &Interpreter, args: &[&str]) -> PlannedCommand {
    let mut argv = interpreter.argv();
    argv.extend(args);
    ask.command(NAME, root, &argv, parser(ParserKind::Exit, None))
}

/// pytest, with the old JUnit family: it alone names each test's file, so that a case has its node id.
fn pytest(ask: &Ask<'_>, root: &str, interpreter: &Interpreter) -> PlannedCommand {
    let mut argv = interpreter.argv();
    // Its cache lies in the plane's scratch (L60). Turned off as well, the option that says so would be
    // unknown, and a project that takes warnings for errors could not be tested.
    argv.extend(["-m", "pytest", "-q", "--continue-on-collection-errors"]);
    argv.extend(["-o", "junit_family=xunit1", "-o", "junit_logging=no", "--junit-xml={out}/r.xml"]);
    let test = ask.test();
    match test {
        Some(node) if node.contains("::") => argv.extend(["--", node]),
        // `-k` selects too much, never too little; the result is looked up by its whole name.
        Some(name) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => argv.extend(["-k", name]),
        Some(_) | None => {}
    }
    let mut planned = ask.command(NAME, root, &argv, parser(ParserKind::Junit, Some("{out}/r.xml")));
    // 5: nothing was collected. 4: the node does not exist, else it was called wrongly. 3: an error of its own.
    planned.exits.ok.push(5);
    planned.exits.broken.push(3);
    if test.is_some() {
        planned.exits.ok.push(4);
    } else {
        planned.exits.broken.push(4);
    }
    planned
}

fn unittest(ask: &Ask<'_>, root: &str, interpreter: &Interpreter) -> PlannedCommand {
    let mut argv = interpreter.argv();
    argv.extend(["-m", "unittest", "discover", "-v", "-b"]);
    let in_tests =
        ask.tree.files().iter().any(|file| file.starts_with(&below(root, "tests/")) && file.ends_with(".py"));
    let package = ask.tree.exists(&below(root, "tests/__init__.py"));
    if in_tests && !package {
        argv.extend(["-s", "tests"]);
    }
    let mut planned = ask.command(NAME, root, &argv, parser(ParserKind::UnittestText, None));
    planned.exits.ok.push(5);
    planned
}

#[cfg(test)]
mod tests {
    use model::proof::requirement::RuleHow;

    use super::super::tests::{Files, planned, rule, tools};

    #[test]
    fn pytest_is_used_where_it_can_be_imported_else_unittest() {
        let tree = Files::of(&[("pyproject.toml", ""), ("tests/test_a.py", "")]);
        let suite = rule(RuleHow::Suite, None);
        let with = planned(&tree, &tools(&["python3", "python3:pytest"]), "unit", &suite).unwrap();
        assert_eq!(with[0].argv[..3], ["python3", "-m", "pytest"]);
        assert!(!with[0].argv.iter().any(|arg| arg.contains("cacheprovider")), "its cache_dir is set by L60");
        assert_eq!(with[0].parser.path.as_deref(), Some("{out}/r.xml"));
        let without = planned(&tree, &tools(&["python3"]), "unit", &suite).unwrap();
        assert_eq!(without[0].argv, ["python3", "-m", "unittest", "discover", "-v", "-b", "-s", "tests"]);
    }

    #[test]
    fn uv_and_a_virtual_environment_come_before_the_machines_python() {
        let lock = "[[package]]\nname = \"pytest\"\n";
        let tree = Files::of(&[("pyproject.toml", ""), ("uv.lock", lock), (".venv/bin/python", "")]);
        let suite = rule(RuleHow::Suite, None);
        let uv = planned(&tree, &tools(&["uv", "python3"]), "unit", &suite).unwrap();
        assert_eq!(uv[0].argv[..4], ["uv", "run", "python", "-m"]);
        let venv = planned(&tree, &tools(&["python3"]), "unit", &suite).unwrap();
        assert_eq!(venv[0].argv[0], "{repo}/.venv/bin/python");
    }

    // P39: a node id selects itself; a plain name may select more and is still looked up whole.
    #[test]
    fn a_named_test_is_selected_by_node_or_by_a_wider_pattern() {
        let tree = Files::of(&[("pyproject.toml", "")]);
        let tools = tools(&["python3", "python3:pytest"]);
        let node = planned(&tree, &tools, "unit", &rule(RuleHow::Test, Some("tests/test_a.py::test_x"))).unwrap();
        assert_eq!(node[0].argv[node[0].argv.len() - 2..], ["--", "tests/test_a.py::test_x"]);
        let plain = planned(&tree, &tools, "unit", &rule(RuleHow::Test, Some("test_x"))).unwrap();
        assert_eq!(plain[0].argv[plain[0].argv.len() - 2..], ["-k", "test_x"]);
        let odd = planned(&tree, &tools, "unit", &rule(RuleHow::Test, Some("test_x[a or b]"))).unwrap();
        assert!(!odd[0].argv.iter().any(|arg| arg == "-k"));
    }
}

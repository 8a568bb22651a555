//! Node.js: vitest, jest, Playwright and `node --test` by their own reporters, else the package's scripts.

use std::collections::BTreeMap;

use model::proof::{judge::Unplanned, results::ParserKind, verdict::Reason};
use serde_json::Value;

use super::{Ask, Found, PlannedCommand, Runner, Tools, Tree, below, gate, lies_at_or_above, parser, roots, unplanned};

/// The family of `package.json`.
pub struct Node;

const NAME: &str = "node";

/// What a package tests with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tester {
    Vitest,
    Jest,
    NodeTest,
    Script,
}

struct Package(Value);

impl Package {
    fn at(tree: &dyn Tree, root: &str) -> Self {
        let text = tree.read(&below(root, "package.json")).unwrap_or_default();
        Self(serde_json::from_str(&text).unwrap_or_default())
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str().filter(|script| !script.contains("no test specified"))
    }

    fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|list| self.0[*list][name].is_string())
    }

    fn has_dependencies(&self) -> bool {
        let some = |list: &str| self.0[list].as_object().is_some_and(|list| !list.is_empty());
        some("dependencies") || some("devDependencies")
    }

    fn tester(&self) -> Option<Tester> {
        let script = self.script("test");
        if self.depends_on("vitest") {
            Some(Tester::Vitest)
        } else if self.depends_on("jest") {
            Some(Tester::Jest)
        } else if script.is_some_and(runs_node_test) {
            Some(Tester::NodeTest)
        } else {
            script.map(|_| Tester::Script)
        }
    }
}

/// Whether a script is `node --test` and nothing else, so that a reporter can be added to it.
fn runs_node_test(script: &str) -> bool {
    let plain = !script.contains(['&', '|', ';', '>', '<', '$', '`', '"', '\'', '*', '(']);
    let mut words = script.split_whitespace();
    plain && words.next() == Some("node") && words.any(|word| word == "--test")
}

impl Runner for Node {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, tree: &dyn Tree, tools: &Tools) -> Option<Found> {
        let roots = roots(tree, &["package.json"]);
        if roots.is_empty() {
            return None;
        }
        let mut found = Found { runner: NAME.to_owned(), ..Found::default() };
        for root in &roots {
            let package = Package::at(tree, root);
            let mut add = |name: &str, text: String| {
                found.gates.entry(gate(name)).or_default().insert(format!("script:{root}"), text);
            };
            if let Some(tester) = package.tester() {
                add("unit", format!("{tester:?} {}", package.script("test").unwrap_or_default()));
            }
            if package.depends_on("@playwright/test") {
                for name in ["e2e", "visual", "a11y"] {
                    add(name, "playwright".to_owned());
                }
            }
            for (name, script) in [("lint", "lint"), ("types", "typecheck")] {
                if let Some(text) = package.script(script) {
                    add(name, text.to_owned());
                }
            }
        }
        // What a lock file names is installed before the gates (P35); without one nobody knows what to install.
        let is_bare = |root: &&String| {
            Package::at(tree, root).has_dependencies()
                && !["node_modules", "package-lock.json"].iter().any(|name| lies_at_or_above(tree, root, name))
        };
        if roots.iter().any(|root| is_bare(&root)) {
            let how = "the dependencies are not installed, and no package-lock.json names them: `npm install`";
            found.missing.insert("node_modules".to_owned(), how.to_owned());
        }
        found.roots = roots;
        for (program, how) in [("node", "install Node.js 20 or later"), ("npx", "install npm, which brings npx")] {
            if !tools.has(program) {
                found.missing.insert(program.to_owned(), how.to_owned());
            }
        }
        Some(found)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned> {
        let found =
            ask.found.ok_or_else(|| unplanned(Reason::NoRunner, "there is no package.json in the repository"))?;
        let mut commands = Vec::new();
        for root in &found.roots {
            let package = Package::at(ask.tree, root);
            let planned = match ask.gate.name.as_str() {
                "lint" => script(ask, root, &package, "lint")?,
                "types" => script(ask, root, &package, "typecheck")?,
                "e2e" | "visual" | "a11y" if package.depends_on("@playwright/test") => Some(playwright(ask, root)),
                _ => tests(ask, root, &package)?,
            };
            commands.extend(planned);
        }
        if commands.is_empty() {
            return Err(unplanned(Reason::NoRunner, "no package.json has a script or a test tool for this gate"));
        }
        Ok(commands)
    }

    fn version(&self, argv: &[String]) -> Vec<String> {
        match argv.first().map(String::as_str) {
            Some("npx") => argv.iter().take(2).cloned().chain(["--version".to_owned()]).collect(),
            Some(program) => vec![program.to_owned(), "--version".to_owned()],
            None => Vec::new(),
        }
    }
}

fn script(ask: &Ask<'_>, root: &str, package: &Package, name: &str) -> Result<Option<PlannedCommand>, Unplanned> {
    if ask.test().is_some() {
        return Err(unplanned(Reason::CannotSelect, "a script cannot select one test; ask for its suite"));
    }
    let planned = || ask.command(NAME, root, &["npm", "run", name], parser(ParserKind::Exit, None));
    Ok(package.script(name).map(|_| planned()))
}

fn tests(ask: &Ask<'_>, root: &str, package: &Package) -> Result<Option<PlannedCommand>, Unplanned> {
    let Some(tester) = package.tester() else { return Ok(None) };
    let pattern = ask.test().map(|test| format!("^{}$", regex::escape(test)));
    let planned = match tester {
        Tester::Vitest => {
            let mut argv = vec!["npx", "vitest", "run", "--reporter=json", "--outputFile={out}/r.json"];
            if let Some(pattern) = &pattern {
                argv.extend(["-t", pattern]);
            }
            ask.command(NAME, root, &argv, parser(ParserKind::JestJson, Some("{out}/r.json")))
        }
        Tester::Jest => {
            let mut argv = vec!["npx", "jest", "--json", "--outputFile={out}/r.json"];
            if let Some(pattern) = &pattern {
                argv.extend(["-t", pattern]);
            }
            ask.command(NAME, root, &argv, parser(ParserKind::JestJson, Some("{out}/r.json")))
        }
        Tester::NodeTest => {
            let own = package.script("test").unwrap_or_default();
            let reporter = ["--test-reporter=tap", "--test-reporter-destination={out}/r.tap"];
            let selected = pattern.map(|pattern| format!("--test-name-pattern={pattern}"));
            let mut argv = vec!["node", "--test"];
            argv.extend(reporter);
            argv.extend(selected.as_deref());
            let paths: Vec<&str> = own.split_whitespace().skip(1).filter(|word| *word != "--test").collect();
            let stubs = if ask.test().is_some() && !paths.is_empty() { stubs(ask.tree, root) } else { Vec::new() };
            argv.extend(paths);
            argv.extend(stubs.iter().map(String::as_str));
            ask.command(NAME, root, &argv, parser(ParserKind::Tap, Some("{out}/r.tap")))
        }
        Tester::Script if ask.test().is_some() => {
            let message = "`npm test` cannot select one test; use vitest, jest or `node --test`, or ask for the suite";
            return Err(unplanned(Reason::CannotSelect, message));
        }
        Tester::Script => ask.command(NAME, root, &["npm", "test"], parser(ParserKind::Exit, None)),
    };
    Ok(Some(planned))
}

/// The files of stubs (P9): a script that names its own folders does not look into theirs.
fn stubs(tree: &dyn Tree, root: &str) -> Vec<String> {
    let start = below(root, "tests/req-");
    let is_test = |file: &&String| [".test.js", ".test.mjs", ".test.cjs"].iter().any(|end| file.ends_with(end));
    let own = tree.files().iter().filter(|file| file.starts_with(&start)).filter(is_test);
    own.map(|file| file[below(root, "").len()..].to_owned()).collect()
}

fn playwright(ask: &Ask<'_>, root: &str) -> PlannedCommand {
    let mut argv = vec!["npx".to_owned(), "playwright".to_owned(), "test".to_owned(), "--reporter=junit".to_owned()];
    if let Some(test) = ask.test() {
        // Its names are `file title title`, so the pattern is anchored at the end only; the result decides.
        argv.extend(["-g".to_owned(), format!("{}$", regex::escape(test))]);
    }
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut planned = ask.command(NAME, root, &words, parser(ParserKind::Junit, Some("{out}/r.xml")));
    planned.env.insert("PLAYWRIGHT_JUNIT_OUTPUT_NAME".to_owned(), "{out}/r.xml".to_owned());
    planned.env.extend(BTreeMap::from([("CI".to_owned(), "1".to_owned())]));
    planned
}

#[cfg(test)]
mod tests {
    use model::proof::requirement::RuleHow;

    use super::{
        super::tests::{Files, planned, rule, tools},
        *,
    };

    fn package(text: &str) -> Files {
        Files::of(&[("package.json", text)])
    }

    #[test]
    fn each_tool_is_called_with_its_own_reporter() {
        let suite = rule(RuleHow::Suite, None);
        let tools = tools(&["node", "npx", "npm"]);
        for (text, argv, kind) in [
            (r#"{"devDependencies":{"vitest":"3"}}"#, "npx vitest run", ParserKind::JestJson),
            (r#"{"devDependencies":{"jest":"29"}}"#, "npx jest --json", ParserKind::JestJson),
            (r#"{"scripts":{"test":"node --test test/"}}"#, "node --test --test-reporter=tap", ParserKind::Tap),
            (r#"{"scripts":{"test":"mocha && lint"}}"#, "npm test", ParserKind::Exit),
        ] {
            let planned = planned(&package(text), &tools, "unit", &suite).unwrap();
            assert!(planned[0].argv.join(" ").starts_with(argv), "{:?}", planned[0].argv);
            assert_eq!(planned[0].parser.kind, kind);
        }
    }

    // P8, P9: a stub is found although the script names other folders.
    #[test]
    fn a_named_test_is_looked_for_among_the_stubs_too() {
        let text = r#"{"scripts":{"test":"node --test test/"}}"#;
        for root in ["", "api/"] {
            let (manifest, stub) = (format!("{root}package.json"), format!("{root}tests/req-0007/unit.test.mjs"));
            let tree = Files::of(&[(&manifest, text), (&stub, "")]);
            let tools = tools(&["node"]);
            let named = planned(&tree, &tools, "unit", &rule(RuleHow::Test, Some("a"))).unwrap();
            assert_eq!(named[0].argv[5..], ["test/", "tests/req-0007/unit.test.mjs"]);
            let suite = planned(&tree, &tools, "unit", &rule(RuleHow::Suite, None)).unwrap();
            assert_eq!(suite[0].argv.last().map(String::as_str), Some("test/"));
        }
    }

    // P47: a test's name is one element and taken literally.
    #[test]
    fn a_name_is_escaped_and_anchored() {
        let tree = package(r#"{"devDependencies":{"vitest":"3"}}"#);
        let named = planned(&tree, &tools(&["npx"]), "unit", &rule(RuleHow::Test, Some("a (b) $x"))).unwrap();
        assert_eq!(named[0].argv.last().map(String::as_str), Some(r"^a \(b\) \$x$"));
        let script = package(r#"{"scripts":{"test":"make check"}}"#);
        let refused = planned(&script, &tools(&["npm"]), "unit", &rule(RuleHow::Test, Some("a"))).unwrap_err();
        assert_eq!(refused.reason, Reason::CannotSelect);
    }
}

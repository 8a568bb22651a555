//! Go: `go test -json`, anchored per level of subtests, and `go vet`.

use std::collections::BTreeMap;

use model::proof::{judge::Unplanned, results::ParserKind, verdict::Reason};

use super::{Ask, Found, PlannedCommand, Runner, Tools, Tree, gate, parser, roots, unplanned};

/// The family of `go.mod`.
pub struct Go;

const NAME: &str = "go";

impl Runner for Go {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, tree: &dyn Tree, tools: &Tools) -> Option<Found> {
        let roots = roots(tree, &["go.mod"]);
        if roots.is_empty() {
            return None;
        }
        let mut found = Found { runner: NAME.to_owned(), roots, ..Found::default() };
        for (name, command) in [("unit", "go test ./..."), ("lint", "go vet ./...")] {
            found.gates.insert(gate(name), BTreeMap::from([("command".to_owned(), command.to_owned())]));
        }
        if !tools.has("go") {
            found.missing.insert("go".to_owned(), "install Go, see https://go.dev/dl".to_owned());
        }
        Some(found)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned> {
        let found = ask.found.ok_or_else(|| unplanned(Reason::NoRunner, "there is no go.mod in the repository"))?;
        let selected = ask.test().map(anchored);
        let mut argv = vec!["go"];
        let kind = match (ask.gate.name.as_str(), &selected) {
            ("lint", Some(_)) => {
                return Err(unplanned(Reason::CannotSelect, "`go vet` has no single tests; ask for its suite"));
            }
            ("lint", None) => {
                argv.extend(["vet", "./..."]);
                ParserKind::Exit
            }
            (_, selected) => {
                argv.extend(["test", "-json"]);
                if let Some(pattern) = selected {
                    argv.extend(["-run", pattern]);
                }
                argv.push("./...");
                ParserKind::GoJson
            }
        };
        Ok(found.roots.iter().map(|root| ask.command(NAME, root, &argv, parser(kind, None))).collect())
    }

    fn version(&self, _: &[String]) -> Vec<String> {
        vec!["go".to_owned(), "version".to_owned()]
    }
}

/// `Test/sub` as go's pattern: each level anchored at both ends. A package before the name is looked up
/// in the results, not selected by.
fn anchored(test: &str) -> String {
    let name = test.rsplit_once('.').map_or(test, |(package, name)| if package.contains('/') { name } else { test });
    let levels: Vec<String> = name.split('/').map(|level| format!("^{}$", regex::escape(level))).collect();
    levels.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_a_subtest_is_anchored() {
        assert_eq!(anchored("TestA/b c"), "^TestA$/^b c$");
        assert_eq!(anchored("example.org/x/y.TestA"), "^TestA$");
        assert_eq!(anchored("Test.A"), r"^Test\.A$");
    }
}

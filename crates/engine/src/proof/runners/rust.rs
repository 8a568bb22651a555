//! Cargo: `cargo test` for suites and single tests, clippy and audit where they are installed.

use std::collections::BTreeMap;

use model::proof::{judge::Unplanned, results::ParserKind, verdict::Reason};

use super::{Ask, Found, PlannedCommand, Runner, Tools, Tree, below, gate, lies_at_or_above, parser, roots, unplanned};

/// The family of `Cargo.toml`.
pub struct Rust;

const NAME: &str = "rust";

impl Runner for Rust {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, tree: &dyn Tree, tools: &Tools) -> Option<Found> {
        let roots = roots(tree, &["Cargo.toml"]);
        if roots.is_empty() {
            return None;
        }
        let mut found = Found { runner: NAME.to_owned(), roots, ..Found::default() };
        found.gates.insert(gate("unit"), BTreeMap::from([("command".to_owned(), "cargo test".to_owned())]));
        if tools.has("cargo-clippy") {
            let facts =
                BTreeMap::from([("command".to_owned(), "cargo clippy --all-targets -- -D warnings".to_owned())]);
            found.gates.insert(gate("lint"), facts);
        }
        if tools.has("cargo-audit") && found.roots.iter().any(|root| tree.exists(&below(root, "Cargo.lock"))) {
            found.gates.insert(gate("sec"), BTreeMap::from([("command".to_owned(), "cargo audit".to_owned())]));
        }
        if !tools.has("cargo") {
            found.missing.insert("cargo".to_owned(), "install the Rust toolchain, see https://rustup.rs".to_owned());
        }
        if !found.roots.iter().all(|root| lies_at_or_above(tree, root, "Cargo.lock")) {
            let how = "gates change no project, so they cannot make it: `cargo generate-lockfile` does";
            found.missing.insert("Cargo.lock".to_owned(), how.to_owned());
        }
        Some(found)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned> {
        let Some(found) = ask.found else {
            return Err(unplanned(Reason::NoRunner, "there is no Cargo.toml in the repository"));
        };
        let per_root = |argv: &[&str], kind| -> Vec<PlannedCommand> {
            found.roots.iter().map(|root| ask.command(NAME, root, argv, parser(kind, None))).collect()
        };
        match (ask.gate.name.as_str(), ask.test()) {
            ("lint", None) => {
                Ok(per_root(&["cargo", "clippy", "--all-targets", "--", "-D", "warnings"], ParserKind::Exit))
            }
            ("sec", None) => Ok(per_root(&["cargo", "audit"], ParserKind::Exit)),
            ("lint" | "sec", Some(_)) => {
                Err(unplanned(Reason::CannotSelect, "this gate has no single tests; ask for its suite"))
            }
            // `--no-fail-fast`: a failing test binary must not hide the results of the next one.
            (_, None) => Ok(per_root(&["cargo", "test", "--workspace", "--no-fail-fast"], ParserKind::CargoText)),
            (_, Some(test)) => {
                let argv =
                    ["cargo", "test", "--workspace", "--no-fail-fast", "--", "--exact", "--include-ignored", test];
                Ok(per_root(&argv, ParserKind::CargoText))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::proof::requirement::RuleHow;

    use super::super::tests::{Files, planned, rule, tools};

    #[test]
    fn one_test_is_named_exactly_and_marked_as_proved() {
        let tree = Files::of(&[("Cargo.toml", "[package]")]);
        let named = planned(&tree, &tools(&["cargo"]), "unit", &rule(RuleHow::Test, Some("a::b"))).unwrap();
        assert_eq!(named[0].argv[5..], ["--exact", "--include-ignored", "a::b"]);
        assert_eq!(named[0].env["PROOFHOUSE_PROVE"], "1");
        let suite = planned(&tree, &tools(&["cargo"]), "unit", &rule(RuleHow::Suite, None)).unwrap();
        assert_eq!(suite[0].argv, ["cargo", "test", "--workspace", "--no-fail-fast"]);
        assert!(suite[0].env.is_empty(), "P8: a suite does not prove stubs");
    }
}

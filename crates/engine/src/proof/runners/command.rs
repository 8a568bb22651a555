//! A command that the project declares in `proofhouse.toml`: anything that ends with an exit code, or
//! writes JUnit, TAP or SARIF.

use model::proof::{judge::Unplanned, results::ParserKind, verdict::Reason};

use super::{Ask, Found, PlannedCommand, Runner, Tools, Tree, parser, unplanned};

/// The family of `[proof.gates.NAME]` with an argv.
pub struct Command;

const NAME: &str = "command";

impl Runner for Command {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, _: &dyn Tree, _: &Tools) -> Option<Found> {
        // It is declared, never detected.
        None
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Vec<PlannedCommand>, Unplanned> {
        let gate = ask.gate;
        if gate.argv.is_empty() {
            let message = format!("`[proof.gates.{}]` declares no argv", gate.name);
            return Err(unplanned(Reason::NoRunner, message));
        }
        let selects = gate.argv.iter().any(|arg| arg.contains("{test}"));
        let lists = gate.parser.as_ref().is_some_and(|parser| parser.kind.lists_tests());
        let argv: Vec<String> = match ask.test() {
            Some(_) if !selects && !lists => {
                let message = "the command neither takes `{test}` nor writes results that name tests";
                return Err(unplanned(Reason::CannotSelect, message));
            }
            // P47: the name expands inside one element and is never split.
            Some(test) => gate.argv.iter().map(|arg| arg.replace("{test}", test)).collect(),
            // A suite has no test to name: the element that would hold it goes, with its flag.
            None => without_test(&gate.argv),
        };
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let mut planned = ask.command(NAME, &gate.cwd, &words, parser(ParserKind::Exit, None));
        if !selects {
            // All named tests share the one command; each is looked up in its results.
            planned.tests.clear();
        }
        Ok(vec![planned])
    }
}

fn without_test(argv: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(argv.len());
    for arg in argv {
        if arg.contains("{test}") {
            if arg == "{test}" && kept.len() > 1 && kept.last().is_some_and(|flag| flag.starts_with('-')) {
                kept.pop();
            }
        } else {
            kept.push(arg.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_drops_the_place_of_the_test_and_its_flag() {
        let argv = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(without_test(&argv("ci/x --only {test} --junit r.xml")), argv("ci/x --junit r.xml"));
        assert_eq!(without_test(&argv("ci/x --only={test}")), argv("ci/x"));
        assert_eq!(without_test(&argv("ci/x {test}")), argv("ci/x"));
    }
}

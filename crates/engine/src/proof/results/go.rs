//! The events of `go test -json`: one JSON object a line, other lines in between.

use std::collections::BTreeMap;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem, cut};
use serde::Deserialize;

use super::{lines, millis, push, small_enough};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(default)]
    action: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    import_path: Option<String>,
    #[serde(default)]
    test: Option<String>,
    #[serde(default)]
    elapsed: Option<f64>,
    #[serde(default)]
    output: Option<String>,
}

#[derive(Default)]
struct Running {
    output: String,
}

/// Reads the events. A test's name is its own (`TestX/sub`), also known with its package before it.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let mut results = ParsedResults::empty(ParserKind::GoJson);
    let mut running: BTreeMap<(String, String), Running> = BTreeMap::new();
    let mut failed_packages: BTreeMap<String, bool> = BTreeMap::new();
    let mut build: Option<String> = None;
    let mut events = 0u64;
    for line in lines(bytes) {
        let event = line.starts_with('{').then(|| serde_json::from_str::<Event>(&line).ok()).flatten();
        let Some(event) = event else {
            if line.contains("[build failed]") || line.contains("[setup failed]") {
                build.get_or_insert_with(|| line.trim().to_owned());
            }
            continue;
        };
        events += 1;
        let package = event.package.or(event.import_path).unwrap_or_default();
        if event.action == "build-fail" {
            build.get_or_insert_with(|| format!("{package} does not build"));
            continue;
        }
        let Some(test) = event.test else {
            if event
                .output
                .as_deref()
                .is_some_and(|text| text.contains("[build failed]") || text.contains("[setup failed]"))
            {
                build.get_or_insert_with(|| format!("{package} does not build"));
            }
            if event.action == "fail" {
                failed_packages.entry(package).or_insert(false);
            }
            continue;
        };
        let key = (package, test);
        let outcome = match event.action.as_str() {
            "run" | "output" => {
                let slot = running.entry(key).or_default();
                if let Some(text) = event.output
                    && slot.output.len() < 8192
                    && !text.starts_with("=== ")
                    && !text.trim_start().starts_with("--- ")
                {
                    slot.output.push_str(&text);
                }
                continue;
            }
            "pass" => CaseOutcome::Passed,
            "fail" => CaseOutcome::Failed,
            "skip" => CaseOutcome::Skipped,
            _ => continue,
        };
        let said = running.remove(&key).unwrap_or_default().output;
        let (package, test) = key;
        if outcome == CaseOutcome::Failed {
            failed_packages.insert(package.clone(), true);
        }
        let mut case = Case::new(test.clone(), outcome);
        if outcome != CaseOutcome::Passed {
            case = case.saying(cut(&said, 4096));
        }
        case.duration_ms = event.elapsed.and_then(millis);
        if !package.is_empty() {
            case.also = vec![format!("{package}.{test}"), format!("{package} {test}")];
            case.file = Some(package);
        }
        push(&mut results, case)?;
    }
    // A test that began and never ended took its binary down with it.
    for ((package, test), slot) in running {
        failed_packages.insert(package.clone(), true);
        let mut case = Case::new(test, CaseOutcome::Error).saying(&slot.output);
        case.file = Some(package).filter(|package| !package.is_empty());
        push(&mut results, case)?;
    }
    for (package, explained) in failed_packages {
        if !explained && build.is_none() {
            push(&mut results, Case::new(package, CaseOutcome::Error).saying("the package failed outside its tests"))?;
        }
    }
    if let Some(text) = build {
        results.fault = Some(ResultsFault::Collection { text });
    } else if events == 0 {
        results.notes.push("there is no event in the output".to_owned());
    }
    Ok(results)
}

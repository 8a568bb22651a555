//! The JSON report of jest, which vitest writes, too.

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem, cut};
use serde::Deserialize;

use super::{millis, push, small_enough};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    test_results: Vec<FileResult>,
    #[serde(default)]
    num_total_tests: Option<u64>,
    #[serde(default)]
    num_failed_tests: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileResult {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
}

/// Reads a report. A test's full name is its titles joined by ` > `; it is also known with spaces
/// between them, and by its own title.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let report: Report = serde_json::from_slice(bytes).map_err(|error| ResultsProblem::Malformed {
        parser: ParserKind::JestJson,
        at: error.column() as u64,
        message: error.to_string(),
    })?;
    let mut results = ParsedResults::empty(ParserKind::JestJson);
    for file in report.test_results {
        let failed = file.status.as_deref() == Some("failed");
        let explained = file.assertion_results.iter().any(|one| outcome(&one.status) == CaseOutcome::Failed);
        for one in file.assertion_results {
            let mut titles = one.ancestor_titles;
            titles.retain(|title| !title.is_empty());
            titles.push(one.title.clone());
            let name = titles.join(" > ");
            let mut case = Case::new(name, outcome(&one.status));
            if titles.len() > 1 {
                case.also = vec![titles.join(" "), one.title];
            }
            case = case.saying(&one.failure_messages.unwrap_or_default().join("\n"));
            case.file.clone_from(&file.name);
            case.duration_ms = one.duration.and_then(|millis_taken| millis(millis_taken / 1000.0));
            push(&mut results, case)?;
        }
        if failed && !explained {
            let text = file.message.unwrap_or_default();
            let name = file.name.unwrap_or_else(|| "a test file".to_owned());
            push(&mut results, Case::new(name, CaseOutcome::Error).saying(&text))?;
            results.fault.get_or_insert(ResultsFault::Collection { text: cut(&text, 1000).to_owned() });
        }
    }
    let counts = results.counts;
    let claimed = (report.num_total_tests, report.num_failed_tests);
    if let (Some(total), Some(failed)) = claimed
        && (total != counts.total() - counts.error || failed != counts.failed)
    {
        results.notes.push(format!(
            "the file claims {total} tests and {failed} failures; it holds {} and {}",
            counts.total() - counts.error,
            counts.failed
        ));
    }
    Ok(results)
}

fn outcome(status: &str) -> CaseOutcome {
    match status {
        "passed" => CaseOutcome::Passed,
        "pending" | "skipped" | "todo" | "disabled" => CaseOutcome::Skipped,
        _ => CaseOutcome::Failed,
    }
}

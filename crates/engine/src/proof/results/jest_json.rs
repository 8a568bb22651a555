//! The JSON report of jest, which vitest writes too.

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};
use serde::Deserialize;

use super::{Gathered, text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    test_results: Vec<TestFile>,
    num_total_tests: Option<u64>,
    num_failed_tests: Option<u64>,
    success: Option<bool>,
    #[serde(default)]
    was_interrupted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestFile {
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: Option<String>,
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    title: String,
    full_name: Option<String>,
    status: String,
    duration: Option<f64>,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
}

/// Reads the report of `--json` (jest) and `--reporter=json` (vitest).
pub(super) fn parse(bytes: &[u8], root: &str) -> Result<ParsedResults, ResultsProblem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let report: Report =
        serde_json::from_slice(bytes).map_err(|error| text::json(ParserKind::JestJson, bytes, &error))?;
    let mut found = Gathered::new(ParserKind::JestJson);
    for file in &report.test_results {
        let path = text::path(&file.name, root);
        for assertion in &file.assertion_results {
            found.add(case(assertion, &path))?;
        }
        let failed = file.assertion_results.iter().any(|assertion| outcome(&assertion.status) == CaseOutcome::Failed);
        if file.status == "failed" && !failed {
            // The file could not be loaded, or a hook around its tests broke.
            let message = text::message(file.message.as_deref().unwrap_or(""));
            found.fault(ResultsFault::Collection { text: path.clone() });
            let mut case = Case::new(path.clone(), CaseOutcome::Error).saying(&message);
            case.file = Some(path);
            found.add(case)?;
        }
    }
    if report.was_interrupted {
        found.fault(ResultsFault::Tool { text: "the run was interrupted".to_owned() });
    }
    let counts = found.results.counts;
    if report.success == Some(false) && counts.bad() == 0 {
        found.note("the report says that the run was no success, yet no test failed");
    }
    let listed: usize = report.test_results.iter().map(|file| file.assertion_results.len()).sum();
    if report.num_total_tests.is_some_and(|claimed| claimed != listed as u64)
        || report.num_failed_tests.is_some_and(|claimed| claimed != counts.failed)
    {
        found.note(format!(
            "the report claims {} tests and {} failures; {listed} and {} are there",
            report.num_total_tests.unwrap_or(0),
            report.num_failed_tests.unwrap_or(0),
            counts.failed,
        ));
    }
    Ok(found.results)
}

fn outcome(status: &str) -> CaseOutcome {
    match status {
        "passed" => CaseOutcome::Passed,
        "pending" | "skipped" | "todo" | "disabled" => CaseOutcome::Skipped,
        "failed" => CaseOutcome::Failed,
        // A word that nobody knows is not a pass.
        _ => CaseOutcome::Error,
    }
}

fn case(assertion: &Assertion, path: &str) -> Case {
    let titles = || assertion.ancestor_titles.iter().chain([&assertion.title]).map(String::as_str);
    let joined = titles().collect::<Vec<_>>().join(" ");
    // Old vitest begins the full name with a space.
    let full = text::name(assertion.full_name.as_deref().unwrap_or(&joined));
    let mut case = Case::new(full, outcome(&assertion.status));
    if let Some(messages) = &assertion.failure_messages {
        let mut said = String::new();
        for message in messages {
            text::extend(&mut said, message);
            text::extend(&mut said, "\n");
        }
        case = case.saying(&text::message(&said));
    }
    if case.outcome == CaseOutcome::Error {
        case = case.saying(&text::name(&format!("the status {:?} is not known", assertion.status)));
    }
    if !assertion.ancestor_titles.is_empty() {
        case.also.push(text::name(&titles().collect::<Vec<_>>().join(" > ")));
        case.also.push(text::name(&assertion.title));
    }
    case.file = Some(path.to_owned());
    case.duration_ms = assertion.duration.and_then(text::millis);
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ParsedResults, ResultsProblem> {
        parse(text.as_bytes(), "/r")
    }

    /// P39, P40: the full name is the titles joined; the file is relative.
    #[test]
    fn names_are_those_of_the_filter() {
        let results = read(
            r#"{"numTotalTests":1,"testResults":[{"name":"/r/a.test.js","status":"passed","assertionResults":[
            {"ancestorTitles":["o","i"],"fullName":"o i w","title":"w","status":"passed","duration":1.6}]}]}"#,
        )
        .unwrap();
        let case = &results.cases[0];
        assert_eq!((case.name.as_str(), case.file.as_deref(), case.duration_ms), ("o i w", Some("a.test.js"), Some(2)));
        assert_eq!(case.also, ["o > i > w", "w"]);
        assert_eq!(results.notes, [""; 0]);
    }

    /// P44: a file that could not be loaded is an error, not nothing.
    #[test]
    fn a_file_that_does_not_load_is_an_error() {
        let results = read(
            r#"{"success":false,"testResults":[{"name":"/r/b.js","status":"failed","message":"no such module","assertionResults":[]}]}"#,
        )
        .unwrap();
        assert_eq!(results.counts.error, 1);
        assert_eq!(results.fault, Some(ResultsFault::Collection { text: "b.js".to_owned() }));
    }

    /// P41: an unknown word is never a pass; lying counts are noted.
    #[test]
    fn unknown_words_and_lying_counts_do_not_pass() {
        let results = read(
            r#"{"numTotalTests":9,"testResults":[{"name":"b.js","status":"passed","assertionResults":[
            {"title":"w","status":"perhaps"}]}]}"#,
        )
        .unwrap();
        assert_eq!((results.counts.passed, results.counts.error, results.notes.len()), (0, 1, 1));
    }

    /// P45
    #[test]
    fn what_is_no_report_is_invalid() {
        for bad in ["", "{}", "[]", "null", r#"{"testResults":[{}]}"#, r#"{"testResults":[]} x"#] {
            assert!(matches!(read(bad), Err(ResultsProblem::Malformed { .. })), "{bad}");
        }
        assert_eq!(read(r#"{"testResults":[]}"#).unwrap().counts.total(), 0);
    }
}

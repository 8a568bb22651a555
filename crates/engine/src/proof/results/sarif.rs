//! SARIF 2.1: what scanners find.
//!
//! Only what is at or above the level counts; what is suppressed is listed and not judged (P46). A file
//! without a run, or with a run that holds no results, says nothing and is refused.

use std::collections::HashMap;

use model::{
    limits,
    proof::results::{
        Finding, FindingLevel, MESSAGE_BYTES, ParsedResults, ParserKind, ResultsFault, ResultsProblem, cut,
    },
};
use serde::Deserialize;

use super::small_enough;

/// The most findings that are kept; all are counted.
const FINDINGS_KEPT: usize = 1_000;

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    runs: Option<Vec<Run>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    #[serde(default)]
    tool: Tool,
    #[serde(default)]
    results: Option<Vec<ResultItem>>,
    #[serde(default)]
    invocations: Option<Vec<Invocation>>,
}

#[derive(Deserialize, Default)]
struct Tool {
    #[serde(default)]
    driver: Driver,
}

#[derive(Deserialize, Default)]
struct Driver {
    #[serde(default)]
    rules: Option<Vec<RuleItem>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleItem {
    #[serde(default)]
    id: String,
    #[serde(default)]
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultItem {
    #[serde(default)]
    rule_id: Option<String>,
    #[serde(default)]
    rule_index: Option<i64>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    locations: Option<Vec<Location>>,
    #[serde(default)]
    suppressions: Option<Vec<Suppression>>,
    #[serde(default)]
    baseline_state: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    markdown: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(default)]
    physical_location: Option<PhysicalLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    #[serde(default)]
    artifact_location: Option<ArtifactLocation>,
    #[serde(default)]
    region: Option<Region>,
}

#[derive(Deserialize)]
struct ArtifactLocation {
    #[serde(default)]
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    #[serde(default)]
    start_line: Option<u64>,
}

#[derive(Deserialize)]
struct Suppression {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    #[serde(default)]
    execution_successful: Option<bool>,
    #[serde(default)]
    exit_code_description: Option<String>,
}

/// Reads a log. `fail_on` is the lowest level that counts.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8], fail_on: FindingLevel) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let wrong = |at: u64, message: String| ResultsProblem::Malformed { parser: ParserKind::Sarif, at, message };
    let log: Log = serde_json::from_slice(bytes).map_err(|error| wrong(error.column() as u64, error.to_string()))?;
    let runs = log.runs.unwrap_or_default();
    if runs.is_empty() {
        return Err(wrong(0, "there is no run".to_owned()));
    }
    let mut parsed = ParsedResults::empty(ParserKind::Sarif);
    let mut seen = 0usize;
    for run in runs {
        let failed = run.invocations.iter().flatten().find(|one| one.execution_successful == Some(false));
        if let Some(failed) = failed {
            let text = failed.exit_code_description.clone().unwrap_or_else(|| "it was not successful".to_owned());
            parsed.fault.get_or_insert(ResultsFault::Tool { text });
        }
        let Some(results) = run.results else {
            if failed.is_none() {
                return Err(wrong(0, "a run holds no results".to_owned()));
            }
            continue;
        };
        let rules = run.tool.driver.rules.unwrap_or_default();
        let by_id: HashMap<&str, &RuleItem> = rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        seen += results.len();
        if seen > limits::RESULT_CASES {
            return Err(ResultsProblem::TooManyCases { limit: limits::RESULT_CASES as u64 });
        }
        for item in results {
            let rule = item.rule_index.and_then(|at| usize::try_from(at).ok()).and_then(|at| rules.get(at));
            let rule = rule.or_else(|| item.rule_id.as_deref().and_then(|id| by_id.get(id).copied()));
            let found = finding(item, rule);
            parsed.judged_findings += u64::from(!found.suppressed && found.level >= fail_on);
            if parsed.findings.len() < 2 * FINDINGS_KEPT || found.level >= fail_on {
                parsed.findings.push(found);
            }
        }
    }
    parsed.trim(&[], FINDINGS_KEPT);
    Ok(parsed)
}

fn finding(item: ResultItem, rule: Option<&RuleItem>) -> Finding {
    let judged_kind = item.kind.as_deref().is_none_or(|kind| kind == "fail");
    let declared = rule.and_then(|rule| rule.default_configuration.as_ref()).and_then(|it| it.level.as_deref());
    let level = match item.level.as_deref().or(declared) {
        _ if !judged_kind => FindingLevel::None,
        Some("none") => FindingLevel::None,
        Some("note") => FindingLevel::Note,
        None | Some("warning") => FindingLevel::Warning,
        // What the format does not know is taken at its worst.
        Some(_) => FindingLevel::Error,
    };
    let suppressions = item.suppressions.unwrap_or_default();
    let accepted = |one: &Suppression| one.status.as_deref().is_none_or(|status| status == "accepted");
    let gone = item.baseline_state.as_deref() == Some("absent");
    let message = item.message.and_then(|message| message.text.or(message.markdown)).unwrap_or_default();
    let place = item.locations.into_iter().flatten().find_map(|location| location.physical_location);
    let (file, line) = place.map_or((None, None), |place| {
        (place.artifact_location.and_then(|it| it.uri), place.region.and_then(|region| region.start_line))
    });
    Finding {
        rule: item.rule_id.or_else(|| rule.map(|rule| rule.id.clone())).unwrap_or_default(),
        level,
        message: cut(&message, MESSAGE_BYTES).to_owned(),
        file,
        line,
        suppressed: gone || (!suppressions.is_empty() && suppressions.iter().all(accepted)),
    }
}

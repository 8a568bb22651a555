//! SARIF 2.1: what a scanner found. The command itself is the one case; the remarks decide (P46).

use std::collections::HashMap;

use model::proof::results::{Finding, FindingLevel, ParsedResults, ParserKind, ResultsFault, ResultsProblem};
use serde::{Deserialize, de::IgnoredAny};

use super::{Gathered, few, malformed, text};

#[derive(Deserialize)]
struct Log {
    version: Option<String>,
    runs: Option<Vec<Run>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Option<Tool>,
    results: Option<Vec<Remark>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
    external_property_file_references: Option<External>,
}

#[derive(Deserialize)]
struct External {
    results: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Option<Component>,
    #[serde(default)]
    extensions: Vec<Component>,
}

#[derive(Deserialize, Default)]
struct Component {
    #[serde(default)]
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    id: String,
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<FindingLevel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
    exit_code_description: Option<String>,
    #[serde(default)]
    rule_configuration_overrides: Vec<Override>,
    #[serde(default)]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Deserialize)]
struct Notification {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Override {
    descriptor: Option<Reference>,
    configuration: Option<Configuration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    id: Option<String>,
    index: Option<i64>,
    tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
struct ComponentReference {
    index: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remark {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<Reference>,
    level: Option<FindingLevel>,
    kind: Option<String>,
    message: Option<Message>,
    #[serde(default)]
    locations: Vec<Location>,
    suppressions: Option<Vec<Suppression>>,
    baseline_state: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
    markdown: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
}

/// Reads SARIF; remarks at or above `fail_on` that are not suppressed count.
pub(super) fn parse(bytes: &[u8], fail_on: FindingLevel, root: &str) -> Result<ParsedResults, ResultsProblem> {
    let bad = |message: &str| malformed(ParserKind::Sarif, 0, message);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let log: Log = serde_json::from_slice(bytes).map_err(|error| text::json(ParserKind::Sarif, bytes, &error))?;
    if !log.version.as_deref().is_some_and(|version| version.starts_with("2.1")) {
        return Err(bad("it is not SARIF 2.1"));
    }
    let runs = log.runs.filter(|runs| !runs.is_empty()).ok_or_else(|| bad("it holds no run"))?;
    let mut found = Gathered::new(ParserKind::Sarif);
    for run in &runs {
        if run.external_property_file_references.as_ref().is_some_and(|external| external.results.is_some()) {
            return Err(bad("its results are in another file"));
        }
        for invocation in &run.invocations {
            match invocation.execution_successful {
                Some(true) => {}
                Some(false) => found.fault(ResultsFault::Tool { text: unsuccessful(run, invocation) }),
                None => found.note("an invocation does not say whether it was successful"),
            }
        }
        let Some(remarks) = &run.results else {
            // Only a tool that says it broke may do without.
            if found.results.fault.is_none() {
                return Err(bad("a run without results: nothing was scanned"));
            }
            continue;
        };
        let levels = Levels::of(run);
        for remark in remarks {
            few(found.results.findings.len() + 1)?;
            let finding = finding(remark, &levels, root);
            if !finding.suppressed && finding.level >= fail_on && finding.level > FindingLevel::None {
                found.results.judged_findings += 1;
            }
            found.results.findings.push(finding);
        }
    }
    Ok(found.results)
}

fn unsuccessful(run: &Run, invocation: &Invocation) -> String {
    let tool = run.tool.as_ref().and_then(|tool| tool.driver.as_ref()).map_or("", |driver| driver.name.as_str());
    let notified = invocation.tool_execution_notifications.iter().find_map(|n| n.message.as_ref()?.text.as_deref());
    let why = invocation.exit_code_description.as_deref().or(notified).unwrap_or("its execution was not successful");
    text::name(&format!("{tool}: {why}"))
}

/// The levels that rules have before a remark says its own.
struct Levels<'a> {
    by_place: HashMap<(i64, i64), (&'a str, Option<FindingLevel>)>,
    by_id: HashMap<&'a str, FindingLevel>,
    overrides: HashMap<&'a str, FindingLevel>,
}

impl<'a> Levels<'a> {
    fn of(run: &'a Run) -> Self {
        let mut levels = Self { by_place: HashMap::new(), by_id: HashMap::new(), overrides: HashMap::new() };
        let Some(tool) = &run.tool else { return levels };
        let components = tool.driver.iter().map(|driver| (-1, driver));
        let extensions = (0_i64..).zip(&tool.extensions);
        for (component, rules) in components.chain(extensions) {
            for (place, rule) in (0_i64..).zip(&rules.rules) {
                let level = rule.default_configuration.as_ref().and_then(|configuration| configuration.level);
                levels.by_place.insert((component, place), (&rule.id, level));
                if let Some(level) = level {
                    levels.by_id.entry(&rule.id).or_insert(level);
                }
            }
        }
        for overridden in run.invocations.iter().flat_map(|invocation| &invocation.rule_configuration_overrides) {
            let level = overridden.configuration.as_ref().and_then(|configuration| configuration.level);
            let id = overridden.descriptor.as_ref().and_then(|rule| levels.id(rule));
            if let (Some(level), Some(id)) = (level, id) {
                levels.overrides.insert(id, level);
            }
        }
        levels
    }

    fn place(&self, rule: &Reference) -> Option<(&'a str, Option<FindingLevel>)> {
        let component = rule.tool_component.as_ref().and_then(|component| component.index).unwrap_or(-1);
        self.by_place.get(&(component, rule.index?)).copied()
    }

    fn id(&self, rule: &'a Reference) -> Option<&'a str> {
        rule.id.as_deref().or_else(|| self.place(rule).map(|(id, _)| id))
    }
}

fn finding(remark: &Remark, levels: &Levels<'_>, root: &str) -> Finding {
    let by_index = remark.rule_index.and_then(|index| levels.by_place.get(&(-1, index)).copied());
    let placed = remark.rule.as_ref().and_then(|rule| levels.place(rule)).or(by_index);
    let id = remark.rule_id.as_deref().or_else(|| remark.rule.as_ref()?.id.as_deref());
    let id = id.or(placed.map(|(id, _)| id)).unwrap_or("");
    // What is not a failure has no level, whatever it says (SARIF 3.27.10).
    let level = if remark.kind.as_deref().is_some_and(|kind| kind != "fail") {
        FindingLevel::None
    } else {
        remark
            .level
            .or_else(|| levels.overrides.get(id).copied())
            .or_else(|| placed.and_then(|(_, level)| level))
            .or_else(|| levels.by_id.get(id).copied())
            .unwrap_or(FindingLevel::Warning)
    };
    let suppressed = remark.suppressions.as_ref().is_some_and(|all| {
        let accepted = |s: &Suppression| s.status.as_deref().is_none_or(|status| status == "accepted");
        !all.is_empty() && all.iter().all(accepted)
    });
    let place = remark.locations.iter().find_map(|location| location.physical_location.as_ref());
    let message = remark.message.as_ref();
    let said = message.and_then(|m| m.text.as_deref().or(m.markdown.as_deref()).or(m.id.as_deref())).unwrap_or("");
    let said = text::message(said);
    Finding {
        rule: text::name(id),
        level,
        message: model::proof::results::cut(&said, model::proof::results::MESSAGE_BYTES).to_owned(),
        file: place.and_then(|place| place.artifact_location.as_ref()?.uri.as_deref()).map(|uri| text::path(uri, root)),
        line: place.and_then(|place| place.region.as_ref()?.start_line),
        // What is gone since the baseline is not there to be judged.
        suppressed: suppressed || remark.baseline_state.as_deref() == Some("absent"),
    }
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;

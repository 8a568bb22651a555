//! What an agent is told about the project around its issue, within a budget (D18-D20).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Scale;
use crate::role::Intent;

/// Bytes of all sources together.
pub const BUDGET: usize = 256 << 10;
/// What stands where an issue's text was cut.
const CUT: &str = "\n[cut: the text is longer than the context may be]";

/// One kind of thing that is told, newest or most relevant first.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// What it is called in the pack.
    pub name: &'static str,
    /// Its items.
    pub items: Vec<Value>,
}

/// What was gathered.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// The issue itself, with its text under `body`; it is never dropped.
    pub issue: Value,
    /// Everything else.
    pub sources: Vec<Source>,
    /// What could not be read.
    pub warnings: Vec<String>,
    /// The role's name.
    pub role: String,
    /// What kind of work it is.
    pub intent: Intent,
    /// How large the issue is.
    pub scale: Scale,
}

/// A pack, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// The document.
    pub document: Value,
    /// How many items of each source are in it.
    pub counts: BTreeMap<&'static str, usize>,
    /// How many items the budget took.
    pub dropped: BTreeMap<&'static str, usize>,
}

/// Fits what was gathered into the budget: while it is over, the last item of the source that is the largest then
/// goes. The issue stays; its text is cut when it is too long by itself.
pub fn pack(mut gathered: Gathered, budget: usize) -> Pack {
    let size = |value: &Value| value.to_string().len();
    let mut sizes: Vec<Vec<usize>> =
        gathered.sources.iter().map(|source| source.items.iter().map(size).collect()).collect();
    let mut sums: Vec<usize> = sizes.iter().map(|own| own.iter().sum()).collect();
    let mut dropped: BTreeMap<&'static str, usize> = BTreeMap::new();
    let fixed = size(&gathered.issue);
    while fixed + sums.iter().sum::<usize>() > budget {
        // The first of equals, so that the same things give the same pack.
        let Some(place) =
            (0..sums.len()).filter(|place| sums[*place] > 0).max_by_key(|place| (sums[*place], usize::MAX - place))
        else {
            break;
        };
        let source = &mut gathered.sources[place];
        if source.items.pop().is_some() {
            sums[place] -= sizes[place].pop().unwrap_or(0);
            *dropped.entry(source.name).or_default() += 1;
        }
    }
    if fixed > budget {
        cut_body(&mut gathered.issue, fixed - budget);
        gathered.warnings.push("the issue's text was cut".to_owned());
    }
    let bytes = size(&gathered.issue) + sums.iter().sum::<usize>();
    let counts: BTreeMap<&'static str, usize> =
        gathered.sources.iter().map(|source| (source.name, source.items.len())).collect();
    let mut document = Map::new();
    document.insert(
        "meta".to_owned(),
        json!({
            "schema": 1, "role": gathered.role, "intent": gathered.intent, "scale": gathered.scale, "bytes": bytes,
            "dropped": dropped, "warnings": gathered.warnings,
        }),
    );
    document.insert("issue".to_owned(), gathered.issue);
    for source in gathered.sources {
        document.insert(source.name.to_owned(), Value::Array(source.items));
    }
    Pack { document: Value::Object(document), counts, dropped }
}

/// Takes at least so many bytes from the issue's text.
fn cut_body(issue: &mut Value, over: usize) {
    let Some(body) = issue.get("body").and_then(Value::as_str) else { return };
    // A character may take up to six bytes when it is written, and never fewer than it has.
    let mut keep = body.len().saturating_sub(over + CUT.len() + 8);
    let target = Value::from(body).to_string().len().saturating_sub(over);
    let mut cut = format!("{}{CUT}", &body[..body.floor_char_boundary(keep)]);
    while Value::from(cut.as_str()).to_string().len() > target && keep > 0 {
        keep = keep * 9 / 10;
        cut = format!("{}{CUT}", &body[..body.floor_char_boundary(keep)]);
    }
    issue["body"] = Value::from(cut);
}

/// Words from outside, so framed that they are not taken for instructions (D21).
pub fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    format!("[quoted data]\n{}\n[end of quoted data]", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gathered(body: &str, sources: Vec<Source>) -> Gathered {
        Gathered {
            issue: json!({"title": "t", "body": body}),
            sources,
            warnings: Vec::new(),
            role: "implementer".into(),
            intent: Intent::Implement,
            scale: Scale::Small,
        }
    }

    fn source(name: &'static str, sizes: &[usize]) -> Source {
        Source { name, items: sizes.iter().map(|size| Value::from("x".repeat(*size))).collect() }
    }

    // D20: the last item of the currently largest source goes first.
    #[test]
    fn the_largest_source_gives_its_last_item() {
        let packed = pack(gathered("b", vec![source("a", &[50, 50]), source("b", &[30, 30]), source("c", &[])]), 140);
        assert_eq!((packed.counts["a"], packed.counts["b"]), (1, 2));
        assert_eq!(packed.dropped, BTreeMap::from([("a", 1)]));
        let all = pack(gathered("b", vec![source("a", &[50])]), 1_000);
        assert!(all.dropped.is_empty());
        assert_eq!(all.document["meta"]["dropped"], json!({}));
    }

    // D20: the issue is never dropped; its text is cut with a marker.
    #[test]
    fn the_issue_stays_and_says_that_it_was_cut() {
        let packed = pack(gathered(&"word \u{1}\"".repeat(10_000), vec![source("a", &[10])]), 5_000);
        let issue = packed.document["issue"].to_string();
        assert!(issue.len() <= 5_000 && issue.contains("[cut:"), "{}", issue.len());
        assert_eq!(packed.counts["a"], 0);
        assert_eq!(packed.document["meta"]["warnings"], json!(["the issue's text was cut"]));
    }

    proptest! {
        // D20: whatever there is, the pack fits, and what is missing is counted.
        #[test]
        fn it_fits_and_counts(body in "\\PC{0,300}", a in prop::collection::vec(0usize..80, 0..12), b in prop::collection::vec(0usize..80, 0..12), budget in 400usize..1500) {
            let packed = pack(gathered(&body, vec![source("a", &a), source("b", &b)]), budget);
            prop_assert!(packed.document["meta"]["bytes"].as_u64().unwrap() as usize <= budget.max(400));
            for (name, given) in [("a", a.len()), ("b", b.len())] {
                prop_assert_eq!(packed.counts[name] + packed.dropped.get(name).copied().unwrap_or(0), given);
            }
        }
    }
}

//! Test Anything Protocol, 13 and 14, also with other lines in between.
//!
//! A plan that is missing or not met and `Bail out!` speak against the whole; `# SKIP` is skipped, and a
//! failing `# TODO` is, too (P46).

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{lines, push, small_enough};

/// Subtests nested deeper than this are some program's own output.
const DEPTH: usize = 64;

/// One level of subtests.
#[derive(Default)]
struct Level {
    name: String,
    planned: Option<u64>,
    seen: u64,
}

/// Reads a stream.
///
/// # Errors
/// Why they are none.
pub fn parse(bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    small_enough(bytes)?;
    let mut results = ParsedResults::empty(ParserKind::Tap);
    let mut levels = vec![Level::default()];
    // By depth, the name that a `# Subtest:` line gives to the deeper level that follows.
    let mut announced: Vec<String> = Vec::new();
    let mut diagnostics: Option<String> = None;
    for line in lines(bytes) {
        let text = line.trim_start_matches([' ', '\t']);
        if let Some(kept) = &mut diagnostics {
            if text.trim_end() == "..." {
                let kept = diagnostics.take().unwrap_or_default();
                if let Some(case) = results.cases.last_mut()
                    && case.outcome != CaseOutcome::Passed
                {
                    *case = case.clone().saying(&kept);
                }
            } else if kept.len() < 4096 {
                kept.push_str(&line);
                kept.push('\n');
            }
            continue;
        }
        // Four spaces a level; two-space indentation belongs to YAML blocks.
        let depth = (line.len() - text.len()) / 4;
        if text.trim_end() == "---" {
            diagnostics = Some(String::new());
            continue;
        }
        if let Some(name) = text.strip_prefix("# Subtest:") {
            if depth <= DEPTH {
                announced.resize(depth + 1, String::new());
                announced[depth] = name.trim().to_owned();
            }
            continue;
        }
        if let Some(reason) = text.strip_prefix("Bail out!") {
            results.fault = Some(ResultsFault::BailOut { text: reason.trim().to_owned() });
            break;
        }
        let point = test_point(text);
        let plan = plan(text);
        if point.is_none() && plan.is_none() {
            continue;
        }
        if depth > levels.len() || depth > DEPTH {
            // Deeper than any level that could be open: some program's own output.
            continue;
        }
        while levels.len() > depth + 1 {
            close(levels.pop(), &mut results);
        }
        if levels.len() == depth {
            let name = announced.get(depth.wrapping_sub(1)).cloned().unwrap_or_default();
            levels.push(Level { name, ..Level::default() });
        }
        let path: Vec<&str> = levels[1..].iter().map(|level| level.name.as_str()).filter(|n| !n.is_empty()).collect();
        let path = path.join(" > ");
        let Some(level) = levels.last_mut() else { continue };
        if let Some(plan) = plan {
            if level.planned.is_some() {
                results.notes.push("there is more than one plan".to_owned());
            }
            level.planned = Some(plan);
        } else if let Some(point) = point {
            level.seen += 1;
            let name = if point.description.is_empty() { format!("{}", level.seen) } else { point.description };
            let full = if path.is_empty() { name.clone() } else { format!("{path} > {name}") };
            let mut case = Case::new(full.clone(), point.outcome).saying(&point.reason);
            if full != name {
                case.also = vec![name.clone(), format!("{} {name}", path.replace(" > ", " "))];
            }
            push(&mut results, case)?;
        }
    }
    while levels.len() > 1 {
        close(levels.pop(), &mut results);
    }
    let top = levels.pop().unwrap_or_default();
    let fault = match top.planned {
        None => Some(ResultsFault::PlanMissing),
        Some(planned) if planned != top.seen => Some(ResultsFault::PlanNotMet { planned, seen: top.seen }),
        Some(_) => None,
    };
    if results.fault.is_none() {
        results.fault = fault;
    }
    Ok(results)
}

fn close(level: Option<Level>, results: &mut ParsedResults) {
    let Some(level) = level else { return };
    if let Some(planned) = level.planned
        && planned != level.seen
        && results.fault.is_none()
    {
        results.fault = Some(ResultsFault::PlanNotMet { planned, seen: level.seen });
    }
}

struct Point {
    outcome: CaseOutcome,
    description: String,
    reason: String,
}

/// `1..N`, with or without a reason to skip all.
fn plan(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("1..")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let after = rest[digits.len()..].trim_start();
    (after.is_empty() || after.starts_with('#')).then_some(())?;
    digits.parse().ok()
}

fn test_point(text: &str) -> Option<Point> {
    let (ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let numbered = rest[digits..].is_empty() || rest[digits..].starts_with([' ', '\t']);
    let rest = if numbered { rest[digits..].trim_start() } else { rest };
    let rest = rest.strip_prefix('-').map_or(rest, str::trim_start);
    let (description, directive) = split_directive(rest);
    let word = directive.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let outcome = match (ok, word.as_str()) {
        (_, word) if word.starts_with("skip") => CaseOutcome::Skipped,
        (false, "todo") => CaseOutcome::Skipped,
        (true, _) => CaseOutcome::Passed,
        (false, _) => CaseOutcome::Failed,
    };
    Some(Point { outcome, description: unescape(description), reason: directive.to_owned() })
}

/// Splits `description # DIRECTIVE reason` at an unescaped `#` that a directive follows.
fn split_directive(text: &str) -> (&str, &str) {
    for (at, _) in text.match_indices('#') {
        let escaped = text[..at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        let apart = at == 0 || text[..at].ends_with([' ', '\t']);
        let directive = text[at + 1..].trim();
        let lower: String = directive.chars().take(4).flat_map(char::to_lowercase).collect();
        if !escaped && apart && (lower == "skip" || lower == "todo") {
            return (text[..at].trim_end(), directive);
        }
    }
    (text.trim_end(), "")
}

fn unescape(text: &str) -> String {
    text.replace("\\#", "#").replace("\\\\", "\\")
}

//! TAP 13 and 14: test points, plans, directives, subtests, `Bail out!` (P46).
//!
//! Lines that are not TAP are a program's own output and are passed over. What cannot be passed over:
//! a plan that is missing or not met, and a last line that is not whole.

use std::collections::HashSet;

use model::proof::results::{Case, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem};

use super::{
    Gathered, few, malformed,
    text::{self, Piece},
};

/// How deep subtests may nest.
const DEPTH: usize = 32;

/// A case whose place in the tree is not known before its parent's line comes.
struct Pending {
    /// From the innermost title outwards.
    titles: Vec<String>,
    outcome: CaseOutcome,
    message: String,
    duration_ms: Option<u64>,
}

/// One level of subtests.
#[derive(Default)]
struct Level {
    plan: Option<u64>,
    numbers: HashSet<u64>,
    last: u64,
    /// A number came twice.
    double: bool,
    cases: Vec<Pending>,
}

impl Level {
    fn fault(&self) -> Option<ResultsFault> {
        let Some(planned) = self.plan else { return Some(ResultsFault::PlanMissing) };
        let met = self.numbers.iter().filter(|n| (1..=planned).contains(*n)).count() as u64;
        let all = self.numbers.len() as u64;
        if met == planned && all == planned && !self.double {
            return None;
        }
        // A number that came twice or lies outside stands for one that did not come.
        let seen = if all == planned { met.min(planned.saturating_sub(1)) } else { all };
        Some(ResultsFault::PlanNotMet { planned, seen })
    }
}

/// A test point, as its line has it.
struct Point {
    ok: bool,
    number: Option<u64>,
    title: String,
    directive: Option<Directive>,
    reason: String,
    duration_ms: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Skip,
    Todo,
}

enum Line {
    Point(Point),
    Plan { tests: u64, skip: Option<String> },
    Bail(String),
    Yaml,
    Comment(String),
    Other,
}

/// Reads TAP.
pub(super) fn parse(bytes: &[u8], cut: bool) -> Result<ParsedResults, ResultsProblem> {
    let lossy = String::from_utf8_lossy(bytes);
    let mut walk =
        Walk { levels: vec![Level::default()], found: Gathered::new(ParserKind::Tap), yaml: None, said: None, kept: 0 };
    for piece in text::pieces(&lossy, cut) {
        match piece {
            Piece::Cut => {
                // The plan tells whether test points are missing; a block that was open may have ended.
                walk.found.note("a part of the output was left out");
                walk.cut()?;
            }
            Piece::Line { text, at, ended } => {
                walk.line(text, ended, at)?;
            }
        }
    }
    walk.finish(lossy.len())
}

struct Walk {
    levels: Vec<Level>,
    found: Gathered,
    /// The indentation of the block of diagnostics that is open.
    yaml: Option<usize>,
    /// The level whose last case takes what is said next.
    said: Option<usize>,
    kept: usize,
}

impl Walk {
    fn line(&mut self, line: &str, ended: bool, at: usize) -> Result<(), ResultsProblem> {
        let indent = line.bytes().take_while(|byte| *byte == b' ').count();
        let content = line[indent..].trim_end();
        if let Some(block) = self.yaml {
            if indent == block && content == "..." {
                self.yaml = None;
            } else {
                self.diagnostic(line.get(block.min(indent)..).unwrap_or(""));
            }
            return Ok(());
        }
        let read = read(content, at)?;
        if matches!(read, Line::Yaml) {
            // Only straight behind a test point, two columns further in.
            if self.said.is_some_and(|level| indent == level * 4 + 2) {
                self.yaml = Some(indent);
            }
            return Ok(());
        }
        if indent % 4 != 0 {
            return Ok(());
        }
        // A test point that is cut short may have lost its directive.
        if !ended && matches!(read, Line::Point(_) | Line::Plan { .. }) {
            return Err(malformed(ParserKind::Tap, at, "the last line is not whole"));
        }
        let level = indent / 4;
        match read {
            Line::Bail(text) => {
                self.found.fault(ResultsFault::BailOut { text: text::name(&text) });
            }
            Line::Plan { tests, skip } => {
                let level = self.level(level, at)?;
                if level.plan.replace(tests).is_some() {
                    return Err(malformed(ParserKind::Tap, at, "a second plan"));
                }
                self.said = None;
                if let Some(reason) = skip {
                    self.found.note(format!("all tests were skipped: {}", text::name(&reason)));
                }
            }
            Line::Point(point) => self.point(level, point, at)?,
            Line::Comment(text) if self.said == Some(level) && !text.starts_with("Subtest") => self.diagnostic(&text),
            Line::Comment(_) | Line::Yaml | Line::Other => {}
        }
        Ok(())
    }

    fn level(&mut self, level: usize, at: usize) -> Result<&mut Level, ResultsProblem> {
        if level >= DEPTH {
            return Err(malformed(ParserKind::Tap, at, "subtests nest too deep"));
        }
        while self.levels.len() <= level {
            self.levels.push(Level::default());
        }
        Ok(&mut self.levels[level])
    }

    fn point(&mut self, level: usize, point: Point, at: usize) -> Result<(), ResultsProblem> {
        self.level(level, at)?;
        let mut children = Vec::new();
        while self.levels.len() > level + 1 {
            // Levels that were left out are closed into the one above them.
            let Some(mut inner) = self.levels.pop() else { break };
            if let Some(fault) = inner.fault().filter(|_| !(inner.numbers.is_empty() && inner.plan.is_none())) {
                self.found.fault(fault);
            }
            inner.cases.append(&mut children);
            children = inner.cases;
        }
        let own = &mut self.levels[level];
        let number = point.number.unwrap_or(own.last.saturating_add(1));
        own.last = number;
        own.double |= !own.numbers.insert(number);
        let outcome = match (point.directive, point.ok) {
            (Some(Directive::Skip), _) | (Some(Directive::Todo), false) => CaseOutcome::Skipped,
            (_, true) => CaseOutcome::Passed,
            (_, false) => CaseOutcome::Failed,
        };
        if point.directive == Some(Directive::Todo) && point.ok {
            self.found.note(format!("{} passed although it is still to do", text::name(&point.title)));
        }
        let title = if point.title.is_empty() { number.to_string() } else { text::name(&point.title) };
        for mut child in children {
            // What is still to do may fail inside, too.
            if point.directive.is_some() && child.outcome == CaseOutcome::Failed {
                child.outcome = CaseOutcome::Skipped;
            }
            child.titles.push(title.clone());
            own.cases.push(child);
        }
        own.cases.push(Pending { titles: vec![title], outcome, message: point.reason, duration_ms: point.duration_ms });
        self.said = Some(level);
        self.kept += 1;
        few(self.kept)?;
        // Nothing above can change these any more.
        if level == 0 {
            let done = std::mem::take(&mut self.levels[0].cases);
            let last = done.len().saturating_sub(1);
            for (n, case) in done.into_iter().enumerate() {
                if n == last {
                    self.levels[0].cases.push(case);
                } else {
                    self.settle(case)?;
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, mut pending: Pending) -> Result<(), ResultsProblem> {
        pending.titles.reverse();
        let mut case = Case::new(text::name(&pending.titles.join(" > ")), pending.outcome)
            .saying(&text::message(&pending.message));
        case.duration_ms = pending.duration_ms;
        if pending.titles.len() > 1 {
            case.also.push(text::name(&pending.titles.join(" ")));
            case.also.extend(pending.titles.pop());
            case.also.dedup();
        }
        self.found.add(case)
    }

    fn diagnostic(&mut self, line: &str) {
        let Some(case) =
            self.said.and_then(|level| self.levels.get_mut(level)).and_then(|level| level.cases.last_mut())
        else {
            return;
        };
        if let Some(value) = line.trim().strip_prefix("duration_ms:") {
            case.duration_ms = value.trim().parse().ok().and_then(text::millis);
        } else if case.outcome == CaseOutcome::Failed {
            text::extend(&mut case.message, line);
            text::extend(&mut case.message, "\n");
        }
    }

    /// What was open may have ended in the part that is missing, and what follows be another's.
    fn cut(&mut self) -> Result<(), ResultsProblem> {
        self.yaml = None;
        self.said = None;
        for level in self.levels.split_off(1) {
            self.found.fault(ResultsFault::OutputCut);
            for case in level.cases.into_iter().filter(|case| case.outcome == CaseOutcome::Failed) {
                self.settle(case)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, end: usize) -> Result<ParsedResults, ResultsProblem> {
        let bailed = matches!(self.found.results.fault, Some(ResultsFault::BailOut { .. }));
        if !bailed {
            if self.yaml.is_some() {
                return Err(malformed(ParserKind::Tap, end, "it ends inside a block of diagnostics"));
            }
            if self.levels.len() > 1 {
                return Err(malformed(ParserKind::Tap, end, "it ends inside a subtest"));
            }
        }
        if let Some(fault) = self.levels[0].fault() {
            self.found.fault(fault);
        }
        while let Some(level) = self.levels.pop() {
            for case in level.cases {
                self.settle(case)?;
            }
        }
        Ok(self.found.results)
    }
}

fn read(content: &str, at: usize) -> Result<Line, ResultsProblem> {
    if content.starts_with("---") {
        return Ok(Line::Yaml);
    }
    if let Some(rest) = content.strip_prefix('#') {
        return Ok(Line::Comment(rest.strip_prefix(' ').unwrap_or(rest).to_owned()));
    }
    if content.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("Bail out!")) {
        return Ok(Line::Bail(content[9..].trim().to_owned()));
    }
    if let Some(rest) = content.strip_prefix("1..") {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let behind = rest[digits..].trim_start();
        if digits > 0 && (behind.is_empty() || behind.starts_with('#')) {
            let tests =
                rest[..digits].parse().map_err(|_| malformed(ParserKind::Tap, at, "a plan that is too large"))?;
            let comment = behind.trim_start_matches('#').trim();
            let skip = (tests == 0).then(|| comment.to_owned());
            return Ok(Line::Plan { tests, skip });
        }
    }
    let (ok, rest) = if let Some(rest) = content.strip_prefix("not ok") {
        (false, rest)
    } else if let Some(rest) = content.strip_prefix("ok") {
        (true, rest)
    } else {
        return Ok(Line::Other);
    };
    if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return Ok(Line::Other);
    }
    let rest = rest.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[digits..];
    let (number, rest) = if digits > 0 && (after.is_empty() || after.starts_with([' ', '\t'])) {
        let number =
            rest[..digits].parse().map_err(|_| malformed(ParserKind::Tap, at, "a test number that is too large"))?;
        (Some(number), after.trim_start())
    } else {
        (None, rest)
    };
    let rest = rest.strip_prefix("- ").unwrap_or(if rest == "-" { "" } else { rest });
    let (title, directive, reason, duration_ms) = described(rest);
    Ok(Line::Point(Point { ok, number, title, directive, reason, duration_ms }))
}

/// The description, what stands behind its first unescaped `#`, and what that says.
fn described(text: &str) -> (String, Option<Directive>, String, Option<u64>) {
    let mut title = String::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.clone().next() {
                Some((_, next @ ('#' | '\\'))) => {
                    title.push(next);
                    chars.next();
                }
                _ => title.push(c),
            },
            '#' => {
                let behind = text[at + 1..].trim_start();
                let word = behind.get(..4).unwrap_or("").to_ascii_lowercase();
                let more = behind.get(4..).unwrap_or("");
                let directive = match word.as_str() {
                    "skip" => Some(Directive::Skip),
                    "todo" if !more.starts_with(|c: char| c.is_alphanumeric() || c == '_') => Some(Directive::Todo),
                    _ => None,
                };
                if directive.is_some() {
                    let reason = more.trim_start_matches(|c: char| c.is_alphanumeric()).trim();
                    return (title.trim().to_owned(), directive, reason.to_owned(), None);
                }
                if let Some(time) = behind.strip_prefix("time=") {
                    let time = time.trim();
                    let duration = match time.strip_suffix("ms") {
                        Some(ms) => ms.parse().ok().and_then(text::millis),
                        None => text::seconds(time.trim_end_matches('s')),
                    };
                    return (title.trim().to_owned(), None, String::new(), duration);
                }
                title.push(c);
            }
            c => title.push(c),
        }
    }
    (title.trim().to_owned(), None, String::new(), None)
}

#[cfg(test)]
#[path = "tap_tests.rs"]
mod tests;

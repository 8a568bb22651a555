//! What was measured, beside what was promised: one line a benchmark on the screen, and the same as JSON.

use std::{fmt::Write as _, io::Write as _, path::Path};

use serde::Serialize;

/// What a figure is held against. Only table B of the design and, where it has none, a capability's
/// own figure is a target (X53, X65).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "is", content = "value", rename_all = "snake_case")]
pub enum Target {
    /// The more the better, and at least this.
    AtLeast(f64),
    /// The less the better, and at most this.
    AtMost(f64),
    /// Shown to compare machines by; promises nothing.
    None,
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::None => true,
        }
    }
}

/// One number.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    target: Target,
    met: bool,
}

/// One benchmark on one store: what prints as a line.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    id: &'static str,
    what: String,
    figures: Vec<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Line {
    /// A line without figures yet.
    pub fn new(id: &'static str, what: impl Into<String>) -> Self {
        Self { id, what: what.into(), figures: Vec::new(), note: None }
    }

    /// Adds a figure. The first one needs no name.
    #[must_use]
    pub fn figure(mut self, name: &str, value: f64, unit: &'static str, target: Target) -> Self {
        self.figures.push(Figure { name: name.to_owned(), value, unit, target, met: target.is_met(value) });
        self
    }

    /// Adds words that a reader needs to judge the figures.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn text(&self) -> String {
        let mut text = format!("{} {}:", self.id, self.what);
        for (index, figure) in self.figures.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if !figure.name.is_empty() {
                let _ = write!(text, " {}", figure.name);
            }
            let _ = write!(text, " {} {}", grouped(figure.value), figure.unit);
            let word = if index == 0 { "target " } else { "" };
            match figure.target {
                Target::AtLeast(least) => {
                    let _ = write!(text, " ({word}>= {})", grouped(least));
                }
                Target::AtMost(most) => {
                    let _ = write!(text, " ({word}<= {})", grouped(most));
                }
                Target::None => {}
            }
            if !figure.met {
                text.push_str(" missed");
            }
        }
        if let Some(note) = &self.note {
            let _ = write!(text, " [{note}]");
        }
        text
    }
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    lines: Vec<Line>,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// Prints a line and keeps it.
    pub fn line(&mut self, line: Line) {
        say(&line.text());
        self.lines.push(line);
    }

    /// Says plainly that something was not measured, and why.
    pub fn skipped(&mut self, what: &str, why: &str) {
        let text = format!("{what}: skipped, {why}");
        say(&text);
        self.skipped.push(text);
    }

    /// Says that a benchmark could not be finished. That is not the same as a missed target.
    pub fn failed(&mut self, id: &str, error: &anyhow::Error) {
        let text = format!("{id}: failed, {error:#}");
        say(&text);
        self.failed.push(text);
    }

    /// Whether every benchmark ran to its end.
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty()
    }

    /// Figures that did not reach their target.
    pub fn missed(&self) -> usize {
        self.lines.iter().flat_map(|line| &line.figures).filter(|figure| !figure.met).count()
    }

    /// Writes the JSON form.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice; the JSON file is written all the same.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// `31204.7` as `31,204`, `9.83` as `9.8`, `0.482` as `0.48`.
fn grouped(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if value.abs() < 1.0 && value != 0.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").unwrap_or(&text).to_owned();
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_every_figure_its_target_and_what_was_missed() {
        let line = Line::new("B1", "durable append over HTTP, 64 clients, sqlite")
            .figure("", 31_204.3, "/s", Target::AtLeast(30_000.0))
            .figure("p99", 19.84, "ms", Target::AtMost(15.0))
            .figure("cores", 2.0, "", Target::None);
        let text = line.text();
        assert_eq!(
            text.trim_end(),
            "B1 durable append over HTTP, 64 clients, sqlite: 31,204 /s (target >= 30,000), p99 19.8 ms (<= 15) missed, cores 2"
        );
        let mut report = Report::default();
        report.lines.push(line);
        assert_eq!(report.missed(), 1);
        assert!(report.is_whole());
    }

    #[test]
    fn numbers_read_well_at_every_size() {
        for (value, text) in [
            (0.0, "0"),
            (0.482, "0.48"),
            (9.83, "9.8"),
            (15.0, "15"),
            (999.6, "1,000"),
            (1e6, "1,000,000"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(grouped(value), text);
        }
        assert_eq!(grouped(f64::NAN), "unknown");
    }
}

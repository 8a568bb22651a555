//! What came of a dispatch in a few lines: the files, the branch, what to do next.

use serde_json::Value;

use crate::{
    json::{Look as _, abbreviated, short},
    out::{Out, Tone, clean},
};

/// Files that are named; the rest is counted.
const FILES: usize = 30;

/// The lines of a dispatch run, behind its head.
pub fn lines(run: &Value, out: &Out) -> Vec<String> {
    let mut lines = Vec::new();
    let id = short(run.text("/id"));
    let label = |label: &str| out.dim(format!("{label:<9}"));
    let report = run.pointer("/dispatch/report").filter(|report| !report.is_null());
    if let Some(report) = report {
        let files = report.list("/files");
        for file in files.iter().take(FILES) {
            lines.push(file_line(file, out));
        }
        if files.len() > FILES {
            lines.push(
                out.dim(format!("  and {} more: `proofhouse run show {id} --json` lists them", files.len() - FILES)),
            );
        }
    }
    let mut say = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {} {text}", label(name)));
        }
    };
    say("message", clean(run.text("/dispatch/message")).into_owned());
    if let Some(report) = report {
        say("branch", clean(report.text("/branch")).into_owned());
        if let Some(commit) = report.maybe("/commit") {
            say("commit", format!("{}; `proofhouse run diff {id}` shows it", abbreviated(commit)));
        }
        say("summary", first_line(report.text("/summary")));
        say("check", first_line(report.text("/test_instructions")));
    }
    if let Some(proof) = run.maybe("/dispatch/proof_run") {
        say("proof", format!("`proofhouse run watch {}`", short(proof)));
    }
    let again = match (run.text("/status"), run.maybe("/verdict")) {
        ("failed" | "cancelled", _) | ("completed", Some("partial" | "unapplied")) => true,
        (_, _) => false,
    };
    if again {
        let reuse = if run.maybe("/dispatch/result").is_some() { " [--reuse-result]" } else { "" };
        say("again", format!("proofhouse run retry {id}{reuse}"));
    }
    lines
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    crate::table::cut(&clean(line), 160)
}

/// A file of the report.
fn file_line(file: &Value, out: &Out) -> String {
    let action = file.text("/action");
    let (sign, tone) = match action {
        "created" => ("+", Tone::Good),
        "overwritten" => ("~", Tone::Good),
        "deleted" => ("-", Tone::Good),
        "refused" => ("✗", Tone::Bad),
        _ => ("·", Tone::Dim),
    };
    let mut line = format!("  {} {:<11} {}", out.paint(tone, sign), clean(action), clean(file.text("/path")));
    if let Some(reason) = file.maybe("/reason") {
        let detail = file.maybe("/detail").map(|detail| format!(": {detail}")).unwrap_or_default();
        line.push_str(&out.dim(format!("  ({}{})", clean(reason), clean(&detail))));
    }
    if file.flag("/sensitive") {
        line.push_str(&out.paint(Tone::Unsure, "  sensitive"));
    }
    line
}

//! The end of a proof run in a few lines: the verdict, the counts, what to do next.

use serde_json::Value;

use crate::{
    ago, dispatched,
    json::{Look as _, abbreviated, short},
    out::{Out, Tone, clean},
    progress::mark,
};

/// What a person is told to do about an empty run (P16).
pub fn remedy(empty_reason: &str) -> &'static str {
    match empty_reason {
        "no_requirements" => "capture one: `proofhouse proof capture --title ...`",
        "all_waived" => "end a waiver, or run the waived ones, too: `proofhouse proof run --include-waived`",
        "outside_scope" => "run everything: `proofhouse proof run --mode full`",
        "filtered_out" => "drop or change --requirement and --gate; `proofhouse proof list` shows what there is",
        "gates_disabled" => "name the gate with --gate, or turn it on: `proofhouse proof settings --enable GATE`",
        "filters_combined" | "mixed" => "loosen the filters one at a time; the diagnostics above name each cause",
        "already_clear" => "nothing to do: everything asked for is proven on this tree",
        _ => "`proofhouse proof run --mode full` runs everything",
    }
}

/// The lines at the end of a run.
pub fn lines(run: &Value, out: &Out) -> Vec<String> {
    let id = short(run.text("/id"));
    let status = run.text("/status");
    let verdict = run.maybe("/verdict");
    let empty = run.maybe("/proof/empty_reason");
    let word = match (status, verdict) {
        ("completed" | "failed" | "cancelled", Some(verdict)) if status == "completed" => verdict.to_owned(),
        ("failed" | "cancelled", verdict) => {
            format!("{status}{}", verdict.map(|word| format!(", {word}")).unwrap_or_default())
        }
        (status, _) => status.to_owned(),
    };
    let (sign, tone) = mark(verdict.unwrap_or(status));
    let mut head = format!("{} {}", out.paint(tone, sign), out.paint(tone, out.bold(word.to_uppercase())));
    let counts = counts(run, out);
    if !counts.is_empty() {
        head.push_str("  ");
        head.push_str(&counts);
    }
    if let Some(took) = ago::between(run.text("/created_at"), run.text("/finished_at")) {
        head.push_str(&out.dim(format!("  in {}", ago::duration(took))));
    }
    let mut lines = vec![String::new(), head];
    let mut say = |label: &str, text: String| lines.push(format!("  {} {text}", out.dim(format!("{label:<9}"))));
    match run.maybe("/failure/message") {
        Some(message) => {
            say("failure", format!("{} ({})", clean(message), run.text("/failure/code")));
            say("hint", clean(run.text("/failure/hint")).into_owned());
        }
        None => {
            if let Some(message) = run.maybe("/proof/message") {
                say("message", clean(message).into_owned());
            }
        }
    }
    if run.pointer("/dispatch").is_some_and(Value::is_object) {
        lines.extend(dispatched::lines(run, out));
        return lines;
    }
    if let Some(reason) = empty {
        say("empty", reason.to_owned());
        say("remedy", remedy(reason).to_owned());
    }
    let is_over = matches!(status, "completed" | "failed" | "cancelled");
    if !is_over && status == "waiting" {
        say("answer", "somebody has to look: `proofhouse answer` lists what is asked".to_owned());
    }
    if let Some(tree) = run.maybe("/proof/tree_start") {
        let dirty = if run.flag("/proof/dirty") { " with uncommitted changes" } else { "" };
        let commit =
            run.maybe("/proof/commit").map(|commit| format!(" at {}", abbreviated(commit))).unwrap_or_default();
        say("tree", format!("{}{commit}{dirty}", abbreviated(tree)));
    }
    if is_over && empty.is_none() {
        say("evidence", format!("proofhouse proof evidence --run {id}"));
    }
    if is_over && verdict != Some("passed") && empty.is_none() {
        say("again", format!("proofhouse proof retry {id}"));
    }
    lines
}

/// `2 passed · 1 failed · 1 unproven · 1 waived`.
fn counts(run: &Value, out: &Out) -> String {
    let toned = [
        ("passed", Tone::Good),
        ("failed", Tone::Bad),
        ("unproven", Tone::Unsure),
        ("waiting", Tone::Unsure),
        ("running", Tone::Busy),
        ("pending", Tone::Dim),
        ("waived", Tone::Dim),
    ];
    let parts = toned.iter().filter_map(|(name, tone)| match run.number(&format!("/proof/counts/{name}")) {
        0 => None,
        count => Some(out.paint(*tone, format!("{count} {name}"))),
    });
    parts.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_run_says_what_failed_and_what_to_do() {
        let run = json!({
            "id": "019aa3c1-0000-7000-8000-0123456789ab", "status": "completed", "verdict": "failed",
            "created_at": "2026-11-21T10:00:00Z", "finished_at": "2026-11-21T10:00:12Z",
            "proof": {"counts": {"total": 4, "passed": 2, "failed": 1, "unproven": 1, "waived": 1},
                      "message": "1 of 4 gates failed", "tree_start": "0123456789abcdef", "commit": "fedcba98765432", "dirty": true},
        });
        assert_eq!(
            lines(&run, &Out::plain()),
            [
                "",
                "✗ FAILED  2 passed · 1 failed · 1 unproven · 1 waived  in 12 s",
                "  message   1 of 4 gates failed",
                "  tree      0123456789 at fedcba9876 with uncommitted changes",
                "  evidence  proofhouse proof evidence --run 456789ab",
                "  again     proofhouse proof retry 456789ab",
            ]
        );
    }

    // P16, P75: an empty run prints its reason and a remedy.
    #[test]
    fn an_empty_run_says_why_and_what_helps() {
        for reason in [
            "no_requirements",
            "all_waived",
            "outside_scope",
            "filtered_out",
            "gates_disabled",
            "filters_combined",
            "mixed",
            "already_clear",
        ] {
            let run = json!({"id": "x", "status": "completed", "verdict": "unproven", "proof": {"empty_reason": reason, "message": "m"}});
            let text = lines(&run, &Out::plain()).join("\n");
            assert!(text.contains("UNPROVEN") && text.contains(reason) && text.contains(remedy(reason)), "{text}");
        }
    }

    #[test]
    fn a_run_that_could_not_do_its_work_says_the_cause() {
        let run = json!({"id": "x", "status": "failed", "verdict": "unproven",
            "failure": {"code": "config_invalid", "message": "proofhouse.toml:3:1: bad", "hint": "mend it"}});
        let text = lines(&run, &Out::plain()).join("\n");
        assert!(
            text.contains("FAILED, UNPROVEN") && text.contains("proofhouse.toml:3:1: bad (config_invalid)"),
            "{text}"
        );
    }
}

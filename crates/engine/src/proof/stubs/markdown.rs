//! The checklist of a gate that a person looks at.

use model::proof::{gate::GateName, requirement::Requirement};

use super::{
    Stub,
    escape::{comment_lines, is_hidden},
};

/// What is ticked where the gate has no checklist of its own.
const DEFAULT: [&str; 2] = ["I looked at what the requirement describes, on this tree", "What it asks for holds"];

pub fn checklist(requirement: &Requirement, gate: &GateName, items: &[String]) -> Stub {
    let id = requirement.id;
    let title: Vec<String> = comment_lines(&requirement.title).iter().map(|line| escaped(line)).collect();
    let mut text = format!("# {id}: {}\n\n", title.join(" "));
    // The person's Markdown stands as text: nothing of it is rendered, fetched or run. The fence is
    // longer than any in it.
    let longest = requirement.description.split(|c| c != '~').map(str::len).max().unwrap_or(0);
    let fence = "~".repeat(longest.max(2) + 1);
    let body: String = requirement.description.chars().filter(|c| *c == '\n' || *c == '\t' || !is_hidden(*c)).collect();
    text.push_str(&format!("{fence}text\n{}\n{fence}\n\n## {gate}\n\n", body.trim_end()));
    if items.is_empty() {
        for item in DEFAULT {
            text.push_str(&format!("- [ ] {item}\n"));
        }
    }
    for item in items {
        text.push_str(&format!("- [ ] {}\n", escaped(&comment_lines(item).join(" "))));
    }
    Stub { path: format!("proof/{id}/{gate}.md"), text }
}

/// Text in which nothing is Markdown any more, HTML and images included.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

//! Which tools there are in a session; what is not in the palette does not exist for it (S37).

use model::role;
use serde_json::{Value, json};

use crate::{provider::talk::Tool, session::Mode};

/// The tools of a session: all of them, or those that change nothing; of these only the ones that are named (S72).
pub(super) fn palette(mode: Mode, only: Option<&[role::Tool]>) -> Vec<Tool> {
    let mut tools = vec![
        tool(
            "read",
            "Read a text file. Long files come in parts: give the line to begin with and how many lines.",
            &[
                ("path", "string", true, "from the top of the worktree"),
                ("from", "integer", false, "the first line, from 1"),
                ("lines", "integer", false, "how many"),
            ],
        ),
        tool(
            "find",
            "List files whose path fits a glob such as src/**/*.rs; without one, all files. Ignored files are left out.",
            &[("glob", "string", false, "what the path has to fit")],
        ),
        tool(
            "grep",
            "Search the files for a regular expression; answers path:line: text.",
            &[
                ("pattern", "string", true, "the regular expression"),
                ("glob", "string", false, "only files whose path fits it"),
                ("ignore_case", "boolean", false, "capital and small letters are the same"),
            ],
        ),
        tool("diff", "Show what has changed in the worktree since the commit it began with.", &[]),
    ];
    if mode == Mode::Write {
        tools.extend([
            tool(
                "write",
                "Write a whole file; folders are made, what was there is replaced.",
                &[
                    ("path", "string", true, "from the top of the worktree"),
                    ("contents", "string", true, "the whole file"),
                ],
            ),
            tool(
                "edit",
                "Replace one place in a file. The text to find has to stand there exactly once.",
                &[
                    ("path", "string", true, "from the top of the worktree"),
                    ("find", "string", true, "the text as it stands there, with its line breaks"),
                    ("replace", "string", true, "what takes its place"),
                ],
            ),
            run(),
        ]);
    }
    if let Some(only) = only {
        tools.retain(|tool| only.iter().any(|named| named.name() == tool.name));
    }
    tools
}

fn tool(name: &'static str, description: &'static str, fields: &[(&str, &str, bool, &str)]) -> Tool {
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|(name, kind, _, words)| ((*name).to_owned(), json!({"type": kind, "description": words})))
        .collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.2).map(|field| field.0).collect();
    let mut input = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        input["required"] = json!(required);
    }
    Tool { name, description, input }
}

fn run() -> Tool {
    let input = json!({
        "type": "object",
        "properties": {
            "argv": {"type": "array", "items": {"type": "string"},
                "description": "the program and its arguments, such as [\"cargo\", \"test\"]; no shell reads them"},
            "timeout_s": {"type": "integer", "description": "how long it may take; 300 where nothing is said"},
        },
        "required": ["argv"],
    });
    let description = "Run a program at the top of the worktree and wait for its end. It has no network and can change \
                       files only in the worktree.";
    Tool { name: "run", description, input }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S37: a session that only looks has nothing that changes anything. S72: one that is held to tools has no other, and
    // every tool that a role can name is there.
    #[test]
    fn a_session_that_looks_has_only_what_looks() {
        let names = |mode| palette(mode, None).iter().map(|tool| tool.name).collect::<Vec<_>>();
        assert_eq!(names(Mode::ReadOnly), ["read", "find", "grep", "diff"]);
        assert_eq!(names(Mode::Write), ["read", "find", "grep", "diff", "write", "edit", "run"]);
        assert_eq!(names(Mode::Write), role::Tool::ALL.iter().map(|tool| tool.name()).collect::<Vec<_>>());
        let held =
            |mode, only: &[role::Tool]| palette(mode, Some(only)).iter().map(|tool| tool.name).collect::<Vec<_>>();
        let two = [role::Tool::Edit, role::Tool::Read];
        assert_eq!((held(Mode::Write, &two), held(Mode::ReadOnly, &two)), (vec!["read", "edit"], vec!["read"]));
        assert!(held(Mode::Write, &[]).is_empty());
    }
}

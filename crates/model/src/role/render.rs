//! From a role's prompt and the values of a run to the text that an agent is given (D31).

use super::{Output, Role};

/// The places that a prompt may have.
pub const NAMES: [&str; 7] =
    ["issue.title", "issue.body", "issue.acceptance", "parent", "project", "context", "instructions"];

/// What goes into the places, one for each of [`NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The issue's title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Its acceptance criteria, numbered.
    pub acceptance: String,
    /// The issue above it, or nothing.
    pub parent: String,
    /// The project's name.
    pub project: String,
    /// The context pack.
    pub context: String,
    /// What the person who started the run added.
    pub instructions: String,
}

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "issue.title" => Some(&self.title),
            "issue.body" => Some(&self.body),
            "issue.acceptance" => Some(&self.acceptance),
            "parent" => Some(&self.parent),
            "project" => Some(&self.project),
            "context" => Some(&self.context),
            "instructions" => Some(&self.instructions),
            _ => None,
        }
    }
}

/// A prompt, filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text for the agent.
    pub text: String,
    /// Names that mean nothing; they stay in the text as they are. Each once.
    pub unknown: Vec<String>,
    /// Instructions were given, and the prompt had no place for them: they stand at its end.
    pub appended: bool,
}

/// Fills the places of a role's prompt in one pass, so that a value is never looked through for places, and says at
/// the end what form the answer must have.
pub fn render(role: &Role, values: &Values) -> Rendered {
    let (mut text, unknown, has_instructions) = fill(&role.prompt, values);
    let appended = !has_instructions && !values.instructions.trim().is_empty();
    if appended {
        text.push_str("\n\n## Instructions for this run\n\n");
        text.push_str(&values.instructions);
    }
    text.push_str(answer_form(role.output));
    if let Some(schema) = &role.result_schema {
        text.push_str("\nThe JSON object must also fit this JSON schema: ");
        text.push_str(&schema.to_string());
        text.push('\n');
    }
    Rendered { text, unknown, appended }
}

fn fill(template: &str, values: &Values) -> (String, Vec<String>, bool) {
    let mut out = String::with_capacity(template.len() * 2);
    let (mut unknown, mut has_instructions) = (Vec::new(), false);
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find("}}") else {
            rest = &rest[start..];
            break;
        };
        // In `{{{{issue.title}}` the inner braces are the place.
        let begin = inner[..end].rfind("{{").map_or(0, |at| at + 2);
        let name = inner[begin..end].trim();
        out.push_str(&rest[start..start + begin]);
        match values.get(name) {
            Some(value) => out.push_str(value),
            None => {
                out.push_str("{{");
                out.push_str(&inner[begin..end]);
                out.push_str("}}");
                if !unknown.iter().any(|known| known == name) {
                    unknown.push(name.to_owned());
                }
            }
        }
        has_instructions |= name == "instructions";
        rest = &inner[end + 2..];
    }
    out.push_str(rest);
    (out, unknown, has_instructions)
}

/// What the plane will do with what the agent leaves: said by the plane, since the plane reads it.
const fn answer_form(output: Output) -> &'static str {
    match output {
        Output::Files => {
            "\n\n## How to answer\n\n\
             Do not change files yourself. End with one JSON object in a fenced block:\n\n\
             ```json\n\
             {\"files\": [{\"path\": \"relative/path\", \"contents\": \"the whole new file\"}],\n \
             \"summary\": \"what you did and why\",\n \
             \"test_instructions\": \"how to check it\",\n \
             \"risks\": [\"what may go wrong\"],\n \
             \"followups\": [\"work that is left\"]}\n\
             ```\n\n\
             A file that is to go is {\"path\": \"...\", \"action\": \"delete\"}; one that is to be executable has \
             \"executable\": true; bytes that are no text have \"encoding\": \"base64\". Paths are relative to the top of \
             the repository. Only what stands in `files` is applied, and each entry is checked on its own.\n"
        }
        Output::Worktree => {
            "\n\n## How to answer\n\n\
             Work in the current folder, which is a private copy of the repository. Leave the files as they are to be; \
             do not commit, do not push, do not change branches. What differs from the start when you are done is \
             taken over, file by file. End with a short summary of what you did and how to check it.\n"
        }
        Output::None => "\n\n## How to answer\n\nAnswer in words. Files you change are not taken over.\n",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> Values {
        Values { title: "Fix {{issue.body}}".into(), body: "b".into(), project: "shop".into(), ..Values::default() }
    }

    // D31: one pass, values are never expanded again, unknown names stay and are told.
    #[test]
    fn places_are_filled_once() {
        let table = [
            ("{{issue.title}}!", "Fix {{issue.body}}!", &[][..]),
            ("{{ project }} {{project}}", "shop shop", &[]),
            ("{{nope}} {{ nope }} {{Project}}", "{{nope}} {{ nope }} {{Project}}", &["nope", "Project"]),
            ("{{{{project}}}}", "{{shop}}", &[]),
            ("a {{project", "a {{project", &[]),
            ("}} {{}} {", "}} {{}} {", &[""]),
            ("", "", &[]),
        ];
        for (template, text, unknown) in table {
            let (filled, names, _) = fill(template, &values());
            assert_eq!(
                (filled.as_str(), names.as_slice()),
                (text, unknown.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>().as_slice()),
                "{template}"
            );
        }
    }

    #[test]
    fn instructions_are_never_lost() {
        let role = Role { prompt: "Do it.".into(), ..super::super::builtin("implementer").unwrap() };
        let rendered = render(&role, &Values { instructions: "Be {{brief}}.".into(), ..Values::default() });
        assert!(rendered.appended && rendered.unknown.is_empty(), "{rendered:?}");
        assert!(rendered.text.contains("Be {{brief}}."));
    }

    proptest! {
        // D31: what is put in stands in the text byte for byte.
        #[test]
        fn values_go_in_byte_for_byte(before in "[a-z ]{0,8}", value in "\\PC{0,40}|(\\{\\{|\\}\\}|issue.body){0,6}", after in "[a-z ]{0,8}") {
            let (text, unknown, _) = fill(&format!("{before}{{{{context}}}}{after}"), &Values { context: value.clone(), ..Values::default() });
            prop_assert_eq!(text, format!("{}{}{}", before, value, after));
            prop_assert!(unknown.is_empty());
        }
    }
}

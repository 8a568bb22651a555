//! Roles: who an issue can be handed to. A Markdown file with front matter; the body is the prompt.
//!
//! The built-in ones lie in `crates/model/roles/`; a project's own lie in `.proofhouse/roles/` of its repository and
//! are read as of the commit that a run starts from, so that a change of a role is reviewed like any other change.

mod builtin;
mod catalogue;
mod front;
mod palette;
mod render;
mod suggest;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::ToSchema;

pub use builtin::{BUILTIN, builtin};
pub use catalogue::{Catalogue, Listed, NotSelectable, Origin};
pub use palette::{Tool, may_write};
pub use render::{NAMES, Rendered, Values, render};
pub use suggest::{Alternative, Basis, Suggestion, suggest};

use crate::{
    agent::Capability,
    digest::Digest,
    problem::FieldError,
    proof::{
        form::{Form, Text},
        places::inside,
    },
};

/// Where a project keeps its own roles.
pub const FOLDER: &str = ".proofhouse/roles";
/// The largest role file.
pub const FILE_MAX: u64 = 64 << 10;
/// Files of a project's folder that are looked at.
pub const FILES: usize = 200;
/// The longest that a role may let its agent work, in seconds.
pub const TIMEOUT_MAX_S: u64 = 86_400;

/// The name of a role: `^[a-z][a-z0-9-]{0,63}$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z][a-z0-9-]{0,63}$")]
pub struct RoleId(String);

/// A text that cannot name a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role id: a small letter, then up to 63 small letters, digits and dashes")]
pub struct RoleIdInvalid;

impl RoleId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleId {
    type Err = RoleIdInvalid;
    fn from_str(text: &str) -> Result<Self, RoleIdInvalid> {
        let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_lowercase() && text.bytes().all(rest);
        if fits { Ok(Self(text.to_owned())) } else { Err(RoleIdInvalid) }
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RoleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether issues are handed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// It does issues.
    Role,
    /// It serves the plane itself; it is never chosen for an issue (D29).
    Meta,
}

/// What an agent in this role hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// An answer with files in it; it need not touch the disk.
    Files,
    /// The files as it left them in its own working copy.
    Worktree,
    /// Words only.
    None,
}

/// What kind of work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Look and think.
    Analyze,
    /// Build.
    Implement,
    /// Judge.
    Review,
    /// Describe.
    Document,
}

impl Intent {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Implement => "implement",
            Self::Review => "review",
            Self::Document => "document",
        }
    }
}

/// A role as its file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// Its name, which is its file's.
    pub id: RoleId,
    /// What people call it.
    pub title: String,
    /// Its version, as `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// Whether issues are handed to it.
    pub category: Category,
    /// When to choose it.
    pub use_case: String,
    /// The agent it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long its agent may work, in seconds.
    pub timeout_s: u32,
    /// What is handed in.
    pub output: Output,
    /// What kind of work it is.
    pub intent: Intent,
    /// What one piece of its work may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<u64>,
    /// The only paths it may write, where it may not write all that the policy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_paths: Option<Vec<String>>,
    /// The only tools its agent has, where it does not have all that its work allows. Only for an agent that can be
    /// held to them (S72).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// A JSON schema for what stands in its answer beside the files; told to the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result_schema: Option<Value>,
    /// The prompt, with its places to fill.
    pub prompt: String,
    /// The digest of the whole file (D30).
    pub digest: Digest,
}

impl Role {
    /// What its agent must be capable of (S72).
    pub fn needs(&self) -> &'static [Capability] {
        if self.tools.is_some() { &[Capability::Palette] } else { &[] }
    }

    /// Reads a file. `stem` is its name without `.md`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the field it is about.
    pub fn read(stem: &str, text: &str) -> Result<Self, Vec<FieldError>> {
        let digest = Digest::of(text.as_bytes());
        let (fields, prompt) = front::split(text).map_err(|error| vec![error])?;
        let mut form = Form::new(&fields, "");
        let id = word(&mut form, "id", |text| text.parse::<RoleId>().map_err(|error| error.to_string()));
        if id.as_ref().is_some_and(|id| id.as_str() != stem) {
            form.wrong("id", "differs from the name of its file");
        }
        let title = form.required("title", Text::line(100));
        let version = word(&mut form, "version", semver);
        let category = needed(&mut form, "category", &["role", "meta"]);
        let use_case = form.required("use_case", Text::line(500));
        let agent = form.text("agent", Text::line(64));
        let model = form.text("model", Text::line(200));
        let timeout_s = form.number("timeout_s", 1..=TIMEOUT_MAX_S);
        if timeout_s.is_none() && !form.has("timeout_s") {
            form.wrong("timeout_s", "is required");
        }
        let output = needed(&mut form, "output", &["files", "worktree", "none"]);
        let intent = needed(&mut form, "intent", &["analyze", "implement", "review", "document"]);
        let max_cost_micro_usd = form.number("max_cost_micro_usd", 0..=1 << 50);
        let write_paths = form.set("write_paths", 100, prefix);
        let tools = form.set("tools", Tool::ALL.len(), |name| {
            Tool::by_name(name.trim()).ok_or_else(|| {
                let names: Vec<&str> = Tool::ALL.iter().map(|tool| tool.name()).collect();
                format!("must be one of: {}", names.join(", "))
            })
        });
        let result_schema = form.value("result_schema").cloned();
        if result_schema.as_ref().is_some_and(|schema| !schema.is_object()) {
            form.wrong("result_schema", "must be a JSON object in one line");
        }
        let changing = tools.iter().flatten().find(|tool| tool.changes());
        if let (Some(tool), Some(output), Some(intent)) = (changing, output, intent)
            && !may_write(output, intent)
        {
            form.wrong("tools", format!("name {}, and a role of this intent only looks", tool.name()));
        }
        if prompt.trim().is_empty() {
            form.wrong_at("/prompt".to_owned(), "is empty: the text below the front matter is the prompt");
        }
        if prompt.contains('\0') {
            form.wrong_at("/prompt".to_owned(), "must not contain a NUL character");
        }
        let errors = form.finish();
        let all = (id, title, version, category, use_case, timeout_s, output, intent);
        let (
            Some(id),
            Some(title),
            Some(version),
            Some(category),
            Some(use_case),
            Some(timeout),
            Some(output),
            Some(intent),
        ) = all
        else {
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            id,
            title,
            version,
            category,
            use_case,
            agent,
            model,
            timeout_s: u32::try_from(timeout).unwrap_or(u32::MAX),
            output,
            intent,
            max_cost_micro_usd,
            write_paths,
            tools,
            result_schema,
            prompt: prompt.to_owned(),
            digest,
        })
    }
}

fn word<T>(form: &mut Form<'_>, field: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    let text = form.required(field, Text::line(200))?;
    read(&text).map_err(|message| form.wrong(field, message)).ok()
}

fn needed<T: de::DeserializeOwned>(form: &mut Form<'_>, field: &'static str, words: &[&str]) -> Option<T> {
    if !form.has(field) {
        form.wrong(field, "is required");
    }
    form.choice(field, words)
}

fn semver(text: &str) -> Result<String, String> {
    let number = |part: &str| {
        (1..=9).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| number(part)) {
        Ok(text.to_owned())
    } else {
        Err("must be a version such as 1.2.0".to_owned())
    }
}

/// A path to allow, as the policy has them.
fn prefix(text: &str) -> Result<String, String> {
    let path = inside(text).filter(|_| !text.trim().is_empty()).ok_or("must be a path inside the repository")?;
    let path = path.trim_end_matches('/');
    Ok(if path.is_empty() { ".".to_owned() } else { path.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "---\nid: tidy\ntitle: Tidy up\nversion: 1.2.0\ncategory: role\nuse_case: clean code\n\
                        timeout_s: 600\noutput: files\nintent: implement\nwrite_paths:\n  - src\n  - docs/\n---\nDo {{issue.title}}.\n";

    fn errors(stem: &str, text: &str) -> Vec<String> {
        Role::read(stem, text).unwrap_err().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn a_good_file_is_read_whole() {
        let role = Role::read("tidy", GOOD).unwrap();
        assert_eq!((role.id.as_str(), role.timeout_s, role.output), ("tidy", 600, Output::Files));
        assert_eq!(role.write_paths.as_deref(), Some(&["src".to_owned(), "docs".to_owned()][..]));
        assert_eq!(role.prompt, "Do {{issue.title}}.\n");
        // D30: the digest is of the file, so any change of it is another role.
        assert_eq!(role.digest, Digest::of(GOOD.as_bytes()));
    }

    // D29: front matter, id, file name and timeout are checked, and each error is named.
    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(errors("other", GOOD), ["/id"]);
        assert_eq!(errors("tidy", &GOOD.replace("600", "0")), ["/timeout_s"]);
        assert_eq!(errors("tidy", &GOOD.replace("600", "86401")), ["/timeout_s"]);
        assert_eq!(errors("tidy", &GOOD.replace("1.2.0", "1.2")), ["/version"]);
        assert_eq!(errors("tidy", &GOOD.replace("output: files", "output: mail")), ["/output"]);
        assert_eq!(errors("tidy", &GOOD.replace("intent: implement", "typo: 1")), ["/intent", "/typo"]);
        assert_eq!(errors("tidy", &GOOD.replace("docs/", "../x")), ["/write_paths/1"]);
        assert_eq!(errors("tidy", &GOOD.replace("Do {{issue.title}}.\n", "\n")), ["/prompt"]);
        assert_eq!(errors("Tidy", &GOOD.replace("id: tidy", "id: Tidy")), ["/id"]);
        assert_eq!(errors("tidy", "no front matter"), [""]);
        assert_eq!(errors("tidy", "---\nid: tidy\n"), [""]);
    }

    // S72: tools are named in a closed list, none that change something where the role only looks, and to be held to
    // them is something that not every agent can.
    #[test]
    fn tools_are_named_and_need_an_agent_that_can_be_held_to_them() {
        let with = |tools: &str| GOOD.replace("write_paths:", &format!("{tools}write_paths:"));
        let role = Role::read("tidy", &with("tools:\n  - read\n  - edit\n  - read\n")).unwrap();
        assert_eq!(
            (role.tools.as_deref(), role.needs()),
            (Some(&[Tool::Read, Tool::Edit][..]), &[Capability::Palette][..])
        );
        let free = Role::read("tidy", GOOD).unwrap();
        assert_eq!((free.tools.as_deref(), free.needs()), (None, &[][..]));
        assert_eq!(errors("tidy", &with("tools:\n  - read\n  - shell\n")), ["/tools/1"]);
        let looks = with("tools:\n  - read\n  - run\n").replace("intent: implement", "intent: review");
        assert_eq!(errors("tidy", &looks), ["/tools"]);
        assert!(Role::read("tidy", &looks.replace("  - run\n", "")).is_ok());
    }

    #[test]
    fn ids_are_small_and_plain() {
        for good in ["a", "a-b", "a1", &"a".repeat(64)] {
            assert!(good.parse::<RoleId>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "A", "a_b", "a.b", "ä", &"a".repeat(65), "a\n"] {
            assert_eq!(bad.parse::<RoleId>(), Err(RoleIdInvalid), "{bad}");
        }
    }

    proptest! {
        /// F24: any text is read or refused.
        #[test]
        fn any_text_is_read_or_refused(text in "(---\n)?([a-z_]{1,8}: ?[ -~]{0,12}\n|  - [a-z]{0,3}\n|\\PC{0,9}\n){0,8}(---\n)?\\PC{0,20}") {
            if let Err(errors) = Role::read("x", &text) {
                prop_assert!(!errors.is_empty());
            }
        }
    }
}

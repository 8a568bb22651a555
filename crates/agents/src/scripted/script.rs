//! Scripts: what they hold, and how they are read.

use std::{fmt, path::Path};

use model::agent::{event::ErrorClass, usage::Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The largest script.
const FILE: u64 = 4 << 20;

/// A list of replies, taken in order by each role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// 1.
    pub format: u32,
    /// In order.
    pub replies: Vec<Reply>,
}

/// One reply of the model that the script stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Only for this role; for every one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Only when the request holds all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it does.
    #[serde(rename = "do")]
    pub steps: Vec<Do>,
}

/// One step of a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Do {
    /// Says something.
    Say {
        /// What.
        say: String,
    },
    /// Thinks aloud.
    Reason {
        /// What.
        reason: String,
    },
    /// Uses a tool; then another reply is asked for.
    Call(Call),
    /// Waits.
    Wait {
        /// So long.
        wait_ms: u64,
    },
    /// Fails as a provider would.
    Fail {
        /// How.
        fail: ErrorClass,
        /// When it can go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// Prints a line that is no event.
    Raw {
        /// The line.
        raw: String,
    },
}

/// A use of a tool: `read {path}`, `write {path, contents}`, `edit {path, find, replace}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub call: String,
    /// What it is given.
    #[serde(default)]
    pub input: Value,
}

/// A script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptInvalid(String);

impl fmt::Display for ScriptInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScriptInvalid {}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// When it is no JSON, of another format, or holds what no script holds.
    pub fn read(text: &str) -> Result<Self, ScriptInvalid> {
        let script: Self =
            serde_json::from_str(text).map_err(|error| ScriptInvalid(format!("not a script: {error}")))?;
        if script.format == 1 {
            Ok(script)
        } else {
            Err(ScriptInvalid(format!("the script is of format {}; this binary reads 1", script.format)))
        }
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    /// As [`Script::read`], and when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, ScriptInvalid> {
        let wrong = |error: &dyn fmt::Display| ScriptInvalid(format!("{}: {error}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
        if size > FILE {
            return Err(wrong(&"a script is no larger than 4 MiB"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Self::read(&text).map_err(|error| wrong(&error))
    }

    /// The one that is shipped: it writes one file, in the worktree and in its answer, so that every kind
    /// of role has something to show.
    pub fn shipped() -> Self {
        const PATH: &str = "docs/rehearsal.md";
        let contents = "# Rehearsal\n\nThis file was written by the scripted agent. No model was asked.\n";
        let answer = json!({
            "summary": "A rehearsal: the scripted agent wrote one file and asked no model.",
            "files": [{"path": PATH, "contents": contents}],
        });
        let call = Call { call: "write".to_owned(), input: json!({"path": PATH, "contents": contents}) };
        let reply = |steps| Reply { role: None, contains: Vec::new(), usage: None, steps };
        Self { format: 1, replies: vec![reply(vec![Do::Call(call)]), reply(vec![Do::Say { say: answer.to_string() }])] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S80: the format of the page, and nothing beside it.
    #[test]
    fn a_script_is_read_strictly() {
        let script = Script::read(
            r#"{"format":1,"replies":[{"role":"writer","contains":["x"],"usage":{"input":1},"do":[
                {"say":"a"},{"reason":"b"},{"call":"write","input":{"path":"p","contents":"c"}},{"wait_ms":5},
                {"fail":"rate_limited","retry_after_s":7},{"raw":"{half"}]}]}"#,
        )
        .unwrap();
        assert_eq!(script.replies[0].steps.len(), 6);
        assert_eq!(script.replies[0].steps[4], Do::Fail { fail: ErrorClass::RateLimited, retry_after_s: Some(7) });
        let written = serde_json::to_string(&Script::shipped()).unwrap();
        assert_eq!(Script::read(&written).unwrap(), Script::shipped());
        for wrong in [
            "",
            "{}",
            r#"{"format":2,"replies":[]}"#,
            r#"{"format":1,"replies":[{"do":[{"sing":"la"}]}]}"#,
            r#"{"format":1,"replies":[{"do":[],"colour":1}]}"#,
        ] {
            assert!(Script::read(wrong).is_err(), "{wrong}");
        }
    }
}

//! What people say on lines of the difference that a run made, and how an agent is told of it (S92).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    actor::Actor,
    id::{CommentId, IssueId, RunId},
    problem::{FieldError, Problem},
    proof::form::Text,
    time::Timestamp,
};

/// Comments on what one run made.
pub const COMMENTS: usize = 100;
/// Bytes of one, and of the lines it is about.
const BODY: usize = 4 << 10;
const QUOTED: usize = 2 << 10;
/// Bytes of a path.
const PATH: usize = 1_024;

/// A side of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChangeSide)]
pub enum Side {
    /// As it was.
    Before,
    /// As the run left it.
    After,
}

/// A place in a difference, and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChangeComment {
    /// The file.
    pub path: String,
    /// On which side the line is.
    pub side: Side,
    /// The line, from 1.
    pub line: u32,
    /// The line's own text, kept in case the file is another later; at most 2 KiB.
    #[serde(default)]
    pub quoted: String,
    /// What is said: Markdown, at most 4 KiB.
    pub body: String,
}

/// What somebody said on a line of the difference that a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeComment {
    /// Its id.
    pub id: CommentId,
    /// The run that made the difference.
    pub run: RunId,
    /// The run's issue.
    pub issue: IssueId,
    /// The file.
    pub path: String,
    /// On which side the line is.
    pub side: Side,
    /// The line, from 1.
    pub line: u32,
    /// The line's own text.
    pub quoted: String,
    /// What was said.
    pub body: String,
    /// Who said it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// The run whose agent was told; null while none was.
    pub sent: Option<RunId>,
    /// When it was sent while a run was at work on the issue: the next prompt that is made for the issue tells it.
    #[serde(default)]
    pub queued: Option<Timestamp>,
}

impl NewChangeComment {
    /// What is right with it, without the space around the text.
    ///
    /// # Errors
    /// 422 naming each wrong value.
    pub fn checked(self) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let body = self.body.trim().to_owned();
        if let Err(message) = Text::lines(BODY).check(&body) {
            errors.push(FieldError::new("/body", message));
        }
        if body.len() > BODY {
            errors.push(FieldError::new("/body", format!("must be at most {BODY} bytes")));
        }
        if self.path.is_empty() || self.path.len() > PATH || self.path.contains('\0') {
            errors.push(FieldError::new("/path", format!("must be 1 to {PATH} bytes")));
        }
        if self.line == 0 {
            errors.push(FieldError::new("/line", "lines begin with 1"));
        }
        if self.quoted.len() > QUOTED || self.quoted.contains('\0') {
            errors.push(FieldError::new("/quoted", format!("must be at most {QUOTED} bytes")));
        }
        if errors.is_empty() { Ok(Self { body, ..self }) } else { Err(Problem::invalid(errors)) }
    }
}

/// The comments as an agent reads them. What is quoted stays on lines of its own, marked, so that no file can pass
/// for a person's words.
pub fn told(comments: &[ChangeComment]) -> String {
    if comments.is_empty() {
        return String::new();
    }
    let mut text = "A person has looked at what was changed before, and says:\n".to_owned();
    for comment in comments {
        let side = match comment.side {
            Side::Before => " (as it was)",
            Side::After => "",
        };
        text.push_str(&format!("\n- {}, line {}{side}:\n", comment.path.escape_debug(), comment.line));
        for line in comment.quoted.lines() {
            text.push_str(&format!("  > {line}\n"));
        }
        for line in comment.body.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn comment(path: &str, quoted: &str, body: &str) -> ChangeComment {
        let id = Uuid::from_u128(1);
        ChangeComment {
            id: CommentId::from_uuid(id),
            run: RunId::from_uuid(id),
            issue: IssueId::from_uuid(id),
            path: path.to_owned(),
            side: Side::After,
            line: 7,
            quoted: quoted.to_owned(),
            body: body.to_owned(),
            actor: Actor::System,
            at: Timestamp::from_micros(0),
            sent: None,
            queued: None,
        }
    }

    // S92
    #[test]
    fn an_agent_reads_where_and_what() {
        assert_eq!(told(&[]), "");
        let text =
            told(&[comment("src/a.rs", "let x = 1;", "Call it `count`.\nAnd test it."), comment("a\nb", "", "no")]);
        assert!(text.contains("- src/a.rs, line 7:\n  > let x = 1;\n  Call it `count`.\n  And test it.\n"), "{text}");
        assert!(text.contains("- a\\nb, line 7:\n  no\n"), "a path is one line: {text}");
    }

    #[test]
    fn wrong_values_are_named() {
        let new = |body: &str, line: u32, quoted: &str| NewChangeComment {
            path: "a".into(),
            side: Side::Before,
            line,
            quoted: quoted.into(),
            body: body.into(),
        };
        assert_eq!(new("  fine ", 1, "").checked().unwrap().body, "fine");
        for wrong in
            [new(" ", 1, ""), new("x", 0, ""), new(&"x".repeat(BODY + 1), 1, ""), new("x", 1, &"x".repeat(QUOTED + 1))]
        {
            assert!(wrong.clone().checked().is_err(), "{wrong:?}");
        }
    }
}

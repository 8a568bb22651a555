//! What a dispatch run came to (D47).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    change::{Action, FileRow},
    digest::Digest,
    proof::tree::ObjectId,
};

/// The answer of a dispatch run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DispatchVerdict)]
pub enum Verdict {
    /// Something changed, nothing was refused.
    Applied,
    /// Something changed, something was refused.
    Partial,
    /// File entries came, none could be written.
    Unapplied,
    /// Nothing had to change.
    NoChanges,
}

impl Verdict {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Partial => "partial",
            Self::Unapplied => "unapplied",
            Self::NoChanges => "no_changes",
        }
    }
}

/// The verdict of a file report.
pub fn verdict(rows: &[FileRow]) -> Verdict {
    let changed = rows.iter().any(|row| row.action.changes());
    let refused = rows.iter().any(|row| row.action == Action::Refused);
    match (changed, refused) {
        (true, false) => Verdict::Applied,
        (true, true) => Verdict::Partial,
        (false, true) => Verdict::Unapplied,
        (false, false) => Verdict::NoChanges,
    }
}

/// Everything that is told about what came of a dispatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Report {
    /// Every entry, in the answer's order.
    pub files: Vec<FileRow>,
    /// Created, overwritten and deleted ones, exactly.
    pub files_changed: u32,
    /// Refused ones.
    pub files_refused: u32,
    /// The branch that holds the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<ObjectId>,
    /// The commit it stands on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<ObjectId>,
    /// What the agent did and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How to check it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_instructions: Option<String>,
    /// What may go wrong, in the agent's words.
    #[schema(value_type = Vec<Object>)]
    pub risks: Vec<Value>,
    /// Work that the agent left.
    #[schema(value_type = Vec<Object>)]
    pub followups: Vec<Value>,
    /// The stored result, which can be applied again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Digest>,
}

impl Report {
    /// The report of these rows.
    pub fn of(files: Vec<FileRow>) -> Self {
        let count = |is: &dyn Fn(Action) -> bool| {
            u32::try_from(files.iter().filter(|row| is(row.action)).count()).unwrap_or(u32::MAX)
        };
        Self {
            files_changed: count(&Action::changes),
            files_refused: count(&|action| action == Action::Refused),
            files,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(action: Action) -> FileRow {
        FileRow { path: "a".into(), action, reason: None, detail: None, bytes: 0, sha256: None, sensitive: false }
    }

    // D47 and the verdicts of section 3.
    #[test]
    fn the_table_of_verdicts() {
        use Action::{Created, Deleted, Listed, Overwritten, Refused, Unchanged};
        let table: &[(&[Action], Verdict, u32, u32)] = &[
            (&[], Verdict::NoChanges, 0, 0),
            (&[Listed, Unchanged], Verdict::NoChanges, 0, 0),
            (&[Created, Overwritten, Deleted, Unchanged, Listed], Verdict::Applied, 3, 0),
            (&[Created, Refused], Verdict::Partial, 1, 1),
            (&[Refused, Unchanged], Verdict::Unapplied, 0, 1),
        ];
        for (actions, expected, changed, refused) in table {
            let rows: Vec<FileRow> = actions.iter().copied().map(row).collect();
            assert_eq!(verdict(&rows), *expected, "{actions:?}");
            let report = Report::of(rows);
            assert_eq!((report.files_changed, report.files_refused), (*changed, *refused));
            assert_eq!(serde_json::to_value(expected).unwrap(), expected.name());
        }
    }
}

//! Judging a change: which files of an answer, or of a working copy, may go into the repository (X40, D41, D42).
//!
//! One pure function for all kinds of run. It looks at a tree through [`Ground`] and at entries one by one, in order;
//! a refused entry never stops the others. What it accepts is applied elsewhere, in a way that holds also when the
//! tree changes meanwhile: this verdict is about what is asked for, not a lock.

mod entry;
mod judge;
mod path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use entry::{Contents, Entry, Mode, read_entries};
pub use judge::{Ground, Node, Rules, Ruling, judge_change};
pub use path::{could_be_git, is_sensitive};

macro_rules! reasons {
    ($($name:ident = $slug:literal, $words:literal;)*) => {
        /// Why an entry is refused; the first that applies, in this order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = FileRefusal)]
        pub enum Reason { $(#[doc = $words] $name,)* }

        impl Reason {
            /// Every reason, in the order in which they are looked for.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];
            /// Its name in JSON.
            pub const fn slug(self) -> &'static str { match self { $(Reason::$name => $slug,)* } }
            /// The same in words, for people.
            pub const fn words(self) -> &'static str { match self { $(Reason::$name => $words,)* } }
        }
    };
}

reasons! {
    BadEntry = "bad_entry", "it is no file entry: a path, and contents or a deletion, are needed";
    BadPath = "bad_path", "the path holds control characters, a backslash, an empty or too long part, or ends in a slash";
    Absolute = "absolute", "the path does not start at the top of the repository";
    Traversal = "traversal", "the path climbs out of its folder with `..`";
    GitDir = "git_dir", "a part of the path could be taken for git's own folder";
    Policy = "policy", "the project's policy or the role does not allow this path, or deleting";
    TooLarge = "too_large", "the file is larger than the policy allows";
    DeniedContent = "denied_content", "it would add something that looks like a secret, or else that the policy denies";
    Duplicate = "duplicate", "an earlier entry has the same path";
    TooMany = "too_many", "more files than the policy allows in one change";
    ChangeTooLarge = "change_too_large", "all files together are larger than the policy allows";
    NestedRepo = "nested_repo", "the path lies in another repository inside this one";
    Symlink = "symlink", "a part of the path is a symbolic link, or the link leads where it may not";
    NotAFile = "not_a_file", "the path is a folder, lies below a file, or is no regular file";
    Ignored = "ignored", "git ignores this path";
    Dirty = "dirty", "the file has changes in your checkout that are not committed";
    NoRepo = "no_repo", "there is no repository to apply it to";
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A new file.
    Created,
    /// An existing file with other contents.
    Overwritten,
    /// A file that is gone.
    Deleted,
    /// Nothing had to be done: it was so already.
    Unchanged,
    /// A name that was mentioned; nothing was written.
    Listed,
    /// Not applied, for a reason.
    Refused,
}

impl Action {
    /// Whether it counts as a changed file (D47).
    pub const fn changes(self) -> bool {
        matches!(self, Self::Created | Self::Overwritten | Self::Deleted)
    }
}

/// A row of the file report (D47).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileRow {
    /// The path as it was given.
    pub path: String,
    /// What became of it.
    pub action: Action,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// More about the reason, such as the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Bytes of the new contents.
    pub bytes: u64,
    /// Their digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<crate::digest::Digest>,
    /// It decides what runs where: continuous integration, hooks, editor tasks, lock files, shell start files.
    pub sensitive: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_written_as_their_slugs() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.slug());
            assert!(!reason.words().is_empty());
        }
    }
}

//! A project: a registered git repository with its requirements, policy and settings.

use std::{fmt, str::FromStr};

use serde::Serialize;

use crate::{id::ProjectId, time::Timestamp};

/// A project's short name in addresses: 1 to 40 of `a-z 0-9 -`, not starting or ending with `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct ProjectKey(String);

/// A text that is no project key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a project key is 1 to 40 of a-z, 0-9 and -, and neither starts nor ends with -")]
pub struct KeyInvalid;

impl ProjectKey {
    /// The nearest key for a free text such as a folder's name.
    pub fn slug_of(text: &str) -> Self {
        let mut slug = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= 36 {
                break;
            }
        }
        let slug = slug.trim_matches('-');
        Self(if slug.is_empty() { "project".to_owned() } else { slug.to_owned() })
    }

    /// This key with a number behind it, for when it is taken.
    pub fn numbered(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectKey {
    type Err = KeyInvalid;
    fn from_str(text: &str) -> Result<Self, KeyInvalid> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=40).contains(&text.len()) && text.bytes().all(allowed);
        if fits && !text.starts_with('-') && !text.ends_with('-') { Ok(Self(text.to_owned())) } else { Err(KeyInvalid) }
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A project as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its short name.
    pub key: ProjectKey,
    /// What people call it.
    pub name: String,
    /// The absolute path of its checkout on the plane's machine.
    pub path: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_name_has_a_key() {
        for (text, key) in
            [("My App", "my-app"), ("--x--", "x"), ("日本", "project"), ("", "project"), ("a.b_c", "a-b-c")]
        {
            assert_eq!(ProjectKey::slug_of(text).as_str(), key);
            assert!(ProjectKey::slug_of(text).as_str().parse::<ProjectKey>().is_ok());
        }
        for wrong in ["", "-a", "a-", "A", "a b", &"a".repeat(41)] {
            assert_eq!(wrong.parse::<ProjectKey>(), Err(KeyInvalid));
        }
    }
}

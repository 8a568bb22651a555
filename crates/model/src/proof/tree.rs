//! Names of git objects, and the tree that evidence speaks for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// The name of a git object (a commit or a tree): 40 or 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$")]
pub struct ObjectId(String);

/// A text that names no git object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a git object id: 40 or 64 lower-case hex digits")]
pub struct ObjectIdInvalid;

impl ObjectId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdInvalid;
    fn from_str(text: &str) -> Result<Self, ObjectIdInvalid> {
        let fits = matches!(text.len(), 40 | 64);
        let hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if fits && hex { Ok(Self(text.to_owned())) } else { Err(ObjectIdInvalid) }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A git ref by form alone; whether it exists is asked later (P18).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct RefName(String);

/// A text that cannot be a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a git ref")]
pub struct RefNameInvalid;

impl RefName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RefName {
    type Err = RefNameInvalid;
    /// The rules of `git check-ref-format --allow-onelevel`, and never a leading `-`.
    fn from_str(text: &str) -> Result<Self, RefNameInvalid> {
        let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
        let parts_fit =
            text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
        let fits = (1..=255).contains(&text.len())
            && parts_fit
            && text != "@"
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && !text.contains(forbidden);
        if fits { Ok(Self(text.to_owned())) } else { Err(RefNameInvalid) }
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RefName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_is_lower_case_hex_of_a_known_length() {
        let sha = "a".repeat(40);
        assert_eq!(sha.parse::<ObjectId>().unwrap().short(), "aaaaaaaaaaaa");
        for bad in ["", "HEAD", &"A".repeat(40), &"a".repeat(41), &"é".repeat(20)] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }

    /// P18: a ref is checked for form only, and never looks like an option.
    #[test]
    fn a_ref_has_the_form_of_a_ref() {
        for good in ["main", "feature/x", "refs/heads/main", "v1.0", &"a".repeat(40), "HEAD", "日本"] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        for bad in
            ["", "-x", "--upload-pack=x", "a..b", "a b", "a/", "/a", "a//b", "a.lock", "a~1", "x@{1}", "@", "a\n", ".a"]
        {
            assert!(bad.parse::<RefName>().is_err(), "{bad}");
        }
    }
}

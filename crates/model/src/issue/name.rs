//! How an issue is named: by a number in its project, by `KEY#NUMBER`, or by its id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{id::IssueId, project::ProjectKey};

/// An issue's number in its project: from 1, given once (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = u32)]
pub struct IssueNumber(u32);

impl IssueNumber {
    /// The number, unless it is 0.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The bare number, for columns.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for IssueNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for IssueNumber {
    type Err = NameInvalid;
    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        // `u32` would also take a sign and leading zeros: then one issue had several names.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| plain).and_then(Self::new).ok_or(NameInvalid)
    }
}

/// A text that names no issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an issue: PROJECT#NUMBER, or an id, is expected")]
pub struct NameInvalid;

/// An issue as a person or a program names it. A bare number is none: equal numbers of two projects never
/// meet (S5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueName {
    /// By id.
    Id(IssueId),
    /// `KEY#NUMBER`.
    Numbered(ProjectKey, IssueNumber),
}

impl FromStr for IssueName {
    type Err = NameInvalid;
    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let (key, number) = text.split_once('#').ok_or(NameInvalid)?;
        Ok(Self::Numbered(key.parse().map_err(|_| NameInvalid)?, number.parse()?))
    }
}

impl fmt::Display for IssueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Numbered(key, number) => write!(f, "{key}#{number}"),
        }
    }
}

impl<'de> Deserialize<'de> for IssueName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S5: a bare number names nothing.
    #[test]
    fn an_issue_is_named_by_project_and_number_or_by_id() {
        for text in ["shop#1", "my-app#4711", "01890000-0000-7000-8000-000000000001"] {
            assert_eq!(text.parse::<IssueName>().unwrap().to_string(), text);
        }
        for wrong in ["1", "#1", "shop#", "shop#0", "shop#01", "shop#+1", "Shop#1", "shop#1x", "shop#4294967296", ""] {
            assert_eq!(wrong.parse::<IssueName>(), Err(NameInvalid), "{wrong}");
        }
    }
}

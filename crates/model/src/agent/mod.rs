//! Coding agents as the plane sees them: one type of event for all of them, and one result made
//! from the events (X45).
//!
//! An adapter (crate `agents`) turns what a program prints into [`event::AgentEvent`]s. What became
//! of the session is the pure [`fold::Fold`] over these events and the way the process ended; no
//! adapter judges.

pub mod classify;
pub mod event;
pub mod fold;
#[cfg(test)]
mod fold_tests;
pub mod journal;
pub mod usage;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest name.
const NAME_MAX: usize = 40;

/// What an agent is called on its worker: `claude`, `my-agent`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct AgentName(String);

/// A text that names no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an agent's name: 1 to 40 of a-z, 0-9, - and _, a letter or digit first")]
pub struct NameInvalid;

impl AgentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AgentName {
    type Err = NameInvalid;
    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = text.len() <= NAME_MAX
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'));
        if is_name { Ok(Self(text.to_owned())) } else { Err(NameInvalid) }
    }
}

impl<'de> Deserialize<'de> for AgentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What an agent can do beyond one prompt and one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Go on with an earlier session by its id.
    Resume,
    /// Work with a given set of tools only.
    Palette,
    /// Use tools of the plane.
    HostTools,
    /// Ask before it does something.
    Approvals,
    /// Say what it used.
    Usage,
    /// Take further messages while it works.
    Steer,
    /// Stop in good order when asked.
    Interrupt,
}

impl Capability {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Resume, Self::Palette, Self::HostTools, Self::Approvals, Self::Usage, Self::Steer, Self::Interrupt];

    /// Those that a role can need of its agent (S72); tasks ask for them by label.
    pub const NEEDED: &[Self] = &[Self::Palette];

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Palette => "palette",
            Self::HostTools => "host_tools",
            Self::Approvals => "approvals",
            Self::Usage => "usage",
            Self::Steer => "steer",
            Self::Interrupt => "interrupt",
        }
    }

    /// The capability with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|capability| capability.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_words() {
        for good in ["claude", "my-agent_2", "7b"] {
            assert_eq!(good.parse::<AgentName>().unwrap().as_str(), good);
        }
        for bad in ["", "-x", "Claude", "a b", "a/b", "ä", &"x".repeat(41)] {
            assert_eq!(bad.parse::<AgentName>(), Err(NameInvalid), "{bad}");
        }
        assert!(serde_json::from_str::<AgentName>("\"../x\"").is_err());
    }
}

//! Versions of agent programs, and the ranges that were tested (S75).

use std::fmt;

/// A version as programs print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version that stands in a text.
    pub fn in_text(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
            let mut numbers = word.split('.');
            let mut next = || numbers.next()?.parse().ok();
            let found = Self(next()?, next()?, next()?);
            Some(found)
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Versions that an adapter was tested with: from one that ran in its tests, up to below the first
/// that may speak otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tested {
    /// The version the golden transcripts are of.
    pub from: Version,
    /// The first one beyond.
    pub below: Version,
}

impl Tested {
    /// Whether a version lies in it.
    pub fn covers(&self, version: Version) -> bool {
        self.from <= version && version < self.below
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to below {}", self.from, self.below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S75: what the four programs print.
    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("2.1.197 (Claude Code)", Some(Version(2, 1, 197))),
            ("codex-cli 0.169.0\n", Some(Version(0, 169, 0))),
            ("v1.18.33-beta.1", Some(Version(1, 18, 33))),
            ("0.73.1", Some(Version(0, 73, 1))),
            ("version 7", None),
            ("", None),
        ] {
            assert_eq!(Version::in_text(text), version, "{text}");
        }
        let tested = Tested { from: Version(2, 1, 197), below: Version(2, 2, 0) };
        for (version, covers) in [
            (Version(2, 1, 196), false),
            (Version(2, 1, 197), true),
            (Version(2, 1, 300), true),
            (Version(2, 2, 0), false),
        ] {
            assert_eq!(tested.covers(version), covers, "{version}");
        }
    }
}

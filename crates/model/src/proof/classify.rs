//! What kind of glitch a few words speak of, and which gates prove that kind (P3 to P5).
//!
//! A pure function over one word list. It only ever suggests: gates or a kind that somebody chose
//! are never changed by any text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{gate::GateName, words};

/// The kind of a glitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A part computes the wrong thing.
    Logic,
    /// Parts disagree.
    Integration,
    /// A part is not connected.
    Wiring,
    /// It looks wrong.
    Layout,
    /// Somebody with assistive technology cannot use it.
    A11y,
    /// It is too slow or too large.
    Perf,
    /// It can be abused.
    Security,
}

impl Kind {
    /// The words used on the wire.
    pub const WORDS: [&'static str; 7] = ["logic", "integration", "wiring", "layout", "a11y", "perf", "security"];

    /// The order in which ties are decided; logic is what is left.
    const TIES: [Self; 7] =
        [Self::Security, Self::Perf, Self::A11y, Self::Layout, Self::Wiring, Self::Integration, Self::Logic];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The gates that prove this kind (P4).
    pub fn gates(self) -> Vec<GateName> {
        let names: &[&str] = match self {
            Self::Logic => &["unit", "contract"],
            Self::Integration => &["contract", "e2e"],
            Self::Wiring => &["e2e", "demo"],
            Self::Layout => &["visual", "e2e"],
            Self::A11y => &["a11y", "e2e"],
            Self::Perf => &["perf", "e2e"],
            Self::Security => &["sec"],
        };
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }
}

/// The kind that a text speaks of: whole words, any case, most hits win, no hit is logic (P5).
pub fn kind_of(text: &str) -> Kind {
    let mut hits = [0u32; Kind::TIES.len()];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        for (at, kind) in Kind::TIES.iter().enumerate() {
            if words::of(*kind).contains(&word.as_str()) {
                hits[at] += 1;
            }
        }
    }
    let most = hits.iter().copied().max().unwrap_or(0);
    let first = hits.iter().position(|count| *count == most);
    match first {
        Some(at) if most > 0 => Kind::TIES[at],
        _ => Kind::Logic,
    }
}

/// What decided the gates of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatesFrom {
    /// The caller named them.
    Explicit,
    /// The kind that the caller named.
    Kind,
    /// The words of title and description.
    Words,
}

/// The gates of a requirement, its kind, and what decided (P3). The same gate twice is one.
pub fn gates_for(
    explicit: Option<&[GateName]>,
    kind: Option<Kind>,
    title: &str,
    description: &str,
) -> (Vec<GateName>, Kind, GatesFrom) {
    let from_words = || kind_of(&format!("{title}\n{description}"));
    let kind_or_words = kind.unwrap_or_else(from_words);
    match (explicit, kind) {
        (Some(gates), _) => {
            let mut once: Vec<GateName> = Vec::with_capacity(gates.len());
            for gate in gates {
                if !once.contains(gate) {
                    once.push(gate.clone());
                }
            }
            (once, kind_or_words, GatesFrom::Explicit)
        }
        (None, Some(kind)) => (kind.gates(), kind, GatesFrom::Kind),
        (None, None) => (kind_or_words.gates(), kind_or_words, GatesFrom::Words),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// P5: whole words, any case, most hits, ties in order, no hit is logic.
    #[test]
    fn words_decide_by_count_then_by_order() {
        #[rustfmt::skip]
        let table = [
            ("", Kind::Logic),
            ("The total is wrong", Kind::Logic),
            ("XSS in the comment field", Kind::Security),
            ("The page is SLOW", Kind::Perf),
            ("slowly but surely", Kind::Logic),                         // whole words only
            ("A screenreader user cannot reach the keyboard trap", Kind::A11y),
            ("The button overlaps the footer on mobile", Kind::Layout),
            ("Clicking the button does nothing, the handler is not connected", Kind::Wiring),
            ("slow xss", Kind::Security),                               // a tie
            ("slow timeout xss", Kind::Perf),                           // most hits win
            ("webhook payload", Kind::Integration),
        ];
        for (text, expected) in table {
            assert_eq!(kind_of(text), expected, "{text}");
        }
    }

    /// P4
    #[test]
    fn each_kind_has_its_gates() {
        #[rustfmt::skip]
        let table = [
            (Kind::Logic, "unit contract"), (Kind::Integration, "contract e2e"), (Kind::Wiring, "e2e demo"),
            (Kind::Layout, "visual e2e"), (Kind::A11y, "a11y e2e"), (Kind::Perf, "perf e2e"), (Kind::Security, "sec"),
        ];
        for (kind, expected) in table {
            let names: Vec<_> = kind.gates().iter().map(ToString::to_string).collect();
            assert_eq!(names.join(" "), expected);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    /// P5: one list, one word in one kind, lower case, a whole word.
    #[test]
    fn the_word_list_is_sound() {
        let mut seen = std::collections::BTreeMap::new();
        for kind in Kind::TIES {
            for word in words::of(kind) {
                assert!(word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{word}");
                assert_eq!(seen.insert(*word, kind), None, "{word} stands twice");
            }
        }
    }

    proptest! {
        /// P3: no text ever changes an explicit choice.
        #[test]
        fn no_text_changes_an_explicit_choice(title in ".*", description in ".*") {
            let chosen: Vec<GateName> = vec!["demo".parse().unwrap(), "unit".parse().unwrap(), "demo".parse().unwrap()];
            let (gates, _, from) = gates_for(Some(&chosen), None, &title, &description);
            prop_assert_eq!(&gates[..], &chosen[..2]);
            prop_assert_eq!(from, GatesFrom::Explicit);
            let (gates, kind, from) = gates_for(None, Some(Kind::Perf), &title, &description);
            prop_assert_eq!((gates, kind, from), (Kind::Perf.gates(), Kind::Perf, GatesFrom::Kind));
        }
    }
}

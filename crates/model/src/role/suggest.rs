//! Which role fits an issue, by words alone (D32): advice that stores nothing and decides nothing.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Catalogue, RoleId};

/// Roles that are named beside the first.
const ALTERNATIVES: usize = 3;
/// Bytes of a reason.
const REASON: usize = 1_024;
/// Words that say nothing of the work.
const EMPTY: [&str; 16] = [
    "that", "this", "with", "from", "into", "when", "what", "have", "should", "must", "will", "there", "their", "them",
    "code", "change",
];

/// What the advice rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SuggestionBasis)]
pub enum Basis {
    /// Words that the issue and a role's use case share.
    Rules,
    /// Nothing: no role fits.
    None,
}

/// A role that would fit, too.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RoleAlternative)]
pub struct Alternative {
    /// The role.
    pub role: RoleId,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reason: String,
}

/// Which role fits.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RoleSuggestion)]
pub struct Suggestion {
    /// The role; null when none fits.
    pub role: Option<RoleId>,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasoning: String,
    /// Others, the best first, without the chosen one.
    pub alternatives: Vec<Alternative>,
    /// What it rests on.
    pub basis: Basis,
    /// Why there is no role.
    pub error_kind: Option<&'static str>,
    /// The same in words.
    pub error_message: Option<String>,
}

/// The role whose use case shares most words with an issue; words of the title count twice. Roles that cannot be
/// chosen are not named.
pub fn suggest(catalogue: &Catalogue, title: &str, text: &str) -> Suggestion {
    let (title, text) = (stems(title), stems(text));
    let mut fits: Vec<(usize, RoleId, Vec<String>)> = Vec::new();
    for role in
        catalogue.list(false).into_iter().filter(|listed| listed.is_selectable()).filter_map(|it| it.role.as_ref())
    {
        let known = stems(&format!("{} {} {}", role.use_case, role.title, role.id.as_str().replace('-', " ")));
        let shared: Vec<String> =
            known.iter().filter(|word| title.contains(*word) || text.contains(*word)).cloned().collect();
        let score = shared.len() + shared.iter().filter(|word| title.contains(*word)).count();
        if score > 0 {
            fits.push((score, role.id.clone(), shared));
        }
    }
    // The best first, and of equals the first by name, so that the same issue is always advised the same.
    fits.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.as_str().cmp(other.1.as_str())));
    let all: usize = fits.iter().map(|fit| fit.0).sum();
    let mut named = fits.into_iter().map(|(score, role, shared)| Alternative {
        role,
        confidence: rounded(score, all + 1),
        reason: cut(format!("it shares the words {}", shared.join(", "))),
    });
    match named.next() {
        Some(first) => Suggestion {
            role: Some(first.role),
            confidence: first.confidence,
            reasoning: first.reason,
            alternatives: named.take(ALTERNATIVES).collect(),
            basis: Basis::Rules,
            error_kind: None,
            error_message: None,
        },
        None => Suggestion {
            role: None,
            confidence: 0.0,
            reasoning: String::new(),
            alternatives: Vec::new(),
            basis: Basis::None,
            error_kind: Some("no_role_match"),
            error_message: Some("no role's use case shares a word with the issue".to_owned()),
        },
    }
}

/// A share as two decimals.
#[expect(clippy::cast_precision_loss, reason = "counts of words are small")]
fn rounded(part: usize, whole: usize) -> f64 {
    (part as f64 * 100.0 / whole.max(1) as f64).round() / 100.0
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(REASON));
    text
}

/// The words of a text without their endings, so that "tests" is "test".
fn stems(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words
        .filter(|word| word.chars().count() >= 3 && !EMPTY.contains(&word.as_str()))
        .map(|word| {
            let stem =
                ["ing", "es", "ed", "s"].iter().find_map(|end| word.strip_suffix(end)).filter(|stem| stem.len() >= 3);
            stem.map_or(word.clone(), str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // D32: words of the use case decide; the same issue is advised the same; without a match it says so.
    #[test]
    fn a_role_is_advised_by_its_use_case() {
        let builtin = Catalogue::builtin();
        let advised = suggest(&builtin, "Write tests for the parser", "Coverage is low.");
        assert_eq!(advised.role.as_ref().map(RoleId::as_str), Some("test-writer"));
        assert_eq!(advised.basis, Basis::Rules);
        assert!(advised.confidence > 0.0 && advised.confidence <= 1.0 && advised.reasoning.contains("test"));
        assert!(advised.alternatives.len() <= ALTERNATIVES);
        assert!(advised.alternatives.iter().all(|other| Some(&other.role) != advised.role.as_ref()));
        assert_eq!(suggest(&builtin, "Write tests for the parser", "Coverage is low."), advised);
        let schema = suggest(&builtin, "Migrate the orders table", "A new column in the database schema");
        assert_eq!(schema.role.as_ref().map(RoleId::as_str), Some("schema-designer"));
        let none = suggest(&builtin, "zzz", "qqq");
        assert_eq!((none.role, none.basis, none.error_kind), (None, Basis::None, Some("no_role_match")));
    }
}

//! How large an issue is, by its words (D22).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Words that make an issue large, wherever they stand as whole words.
const LARGE: [&str; 6] = ["refactor", "rewrite", "migrate", "redesign", "overhaul", "architecture"];

/// The size of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Few words.
    Small,
    /// More.
    Medium,
    /// Many, or one that says so.
    Large,
}

/// The size of an issue by its title and text.
pub fn scale(title: &str, body: &str) -> Scale {
    let text = format!("{title}\n{body}").to_lowercase();
    let count = text.split_whitespace().count();
    let has_word = |c: char| !c.is_alphanumeric() && c != '_';
    if count >= 300 || text.split(has_word).any(|word| LARGE.contains(&word)) {
        Scale::Large
    } else if count < 100 {
        Scale::Small
    } else {
        Scale::Medium
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D22
    #[test]
    fn the_table_of_sizes() {
        let words = |n: usize| "word ".repeat(n);
        for (title, body, size) in [
            ("", words(0), Scale::Small),
            ("one", words(98), Scale::Small),
            ("one", words(99), Scale::Medium),
            ("one", words(298), Scale::Medium),
            ("one", words(299), Scale::Large),
            ("REFACTOR the thing", words(0), Scale::Large),
            ("refactoring refactored", words(0), Scale::Small),
            ("re-architecture", words(0), Scale::Large),
            ("migrate_it", words(0), Scale::Small),
            ("", "(rewrite)".to_owned(), Scale::Large),
        ] {
            assert_eq!(scale(title, &body), size, "{title}");
        }
    }
}

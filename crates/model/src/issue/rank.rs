//! The order of cards: a text between any two texts, so that moving one card changes no other.

use serde::{Deserialize, Serialize};

/// The digits, by rising value and by rising byte: ranks are compared as bytes.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Digits of the part that counts up and down, so that adding at an end does not make ranks longer.
const HEAD: usize = 8;
/// Where counting starts: the middle of what eight digits can hold.
const MIDDLE: u64 = 18 * 36u64.pow(7);
/// What every counted rank ends with: never a `0`, below which there is no room.
const TAIL: u8 = b'i';

/// A card's place: the lower stands before the higher.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Rank(String);

impl Rank {
    /// A rank that was stored.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for columns.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A rank behind `low` and before `high`; `None` leaves that side open. Where `low` is not below `high`
    /// there is no such rank, and the answer stands right behind `low`.
    pub fn between(low: Option<&Self>, high: Option<&Self>) -> Self {
        match (low, high) {
            (None, None) => Self::counted(MIDDLE),
            (Some(low), None) => Self::counted(low.head() + 1),
            (None, Some(high)) if high.head() > 0 => Self::counted(high.head() - 1),
            (None, Some(high)) => Self::of(middle(b"", Some(high.0.as_bytes()))),
            (Some(low), Some(high)) if low < high => Self::of(middle(low.0.as_bytes(), Some(high.0.as_bytes()))),
            (Some(low), Some(_)) => Self(format!("{}{}", low.0, char::from(TAIL))),
        }
    }

    fn of(digits: Vec<u8>) -> Self {
        Self(digits.into_iter().map(char::from).collect())
    }

    fn counted(head: u64) -> Self {
        let mut digits = [b'0'; HEAD];
        let mut rest = head.min(36u64.pow(8) - 1);
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(rest % 36) as usize];
            rest /= 36;
        }
        let mut digits = digits.to_vec();
        digits.push(TAIL);
        Self::of(digits)
    }

    fn head(&self) -> u64 {
        let digits = self.0.bytes().chain(std::iter::repeat(b'0')).take(HEAD);
        digits.fold(0, |sum, byte| sum * 36 + u64::from(value(byte)))
    }
}

fn value(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'z' => byte - b'a' + 10,
        _ => 0,
    }
}

/// A text above `low` and below `high`, neither of which ends with `0`; so does the answer not.
fn middle(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let at = |place: usize| low.get(place).copied().unwrap_or(b'0');
    if let Some(high) = high {
        let same = high.iter().enumerate().take_while(|(place, byte)| at(*place) == **byte).count();
        if same > 0 {
            let mut digits = high[..same].to_vec();
            digits.extend(middle(low.get(same..).unwrap_or_default(), Some(&high[same..])));
            return digits;
        }
    }
    let from = low.first().map_or(0, |byte| value(*byte));
    let to = high.and_then(|high| high.first()).map_or(36, |byte| value(*byte));
    if to > from + 1 {
        return vec![DIGITS[usize::from(from.midpoint(to))]];
    }
    match high {
        // Its first digit alone is below it and above `low`.
        Some(high) if high.len() > 1 => high[..1].to_vec(),
        Some(_) | None => {
            let mut digits = vec![DIGITS[usize::from(from)]];
            digits.extend(middle(low.get(1..).unwrap_or_default(), None));
            digits
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn adding_at_the_ends_makes_no_rank_longer() {
        let mut last = Rank::between(None, None);
        let mut first = last.clone();
        for _ in 0..10_000 {
            let (next, before) = (Rank::between(Some(&last), None), Rank::between(None, Some(&first)));
            assert!(next > last && before < first && next.0.len() == 9 && before.0.len() == 9);
            (last, first) = (next, before);
        }
    }

    proptest! {
        /// Cards are put anywhere, in any order: all stay apart and in the order in which they were put.
        #[test]
        fn there_is_always_room_between_two(places in prop::collection::vec(0usize..1000, 1..200)) {
            let mut ranks: Vec<Rank> = Vec::new();
            for place in places {
                let at = place % (ranks.len() + 1);
                let low = at.checked_sub(1).map(|below| &ranks[below]);
                let rank = Rank::between(low, ranks.get(at));
                prop_assert!(!rank.0.ends_with('0'));
                ranks.insert(at, rank);
            }
            prop_assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{ranks:?}");
        }

        #[test]
        fn one_place_taken_again_and_again_grows_slowly(high in any::<bool>()) {
            let mut low = Rank::between(None, None);
            let mut top = Rank::between(Some(&low), None);
            for _ in 0..200 {
                let between = Rank::between(Some(&low), Some(&top));
                prop_assert!(low < between && between < top);
                if high { low = between } else { top = between }
            }
            prop_assert!(low.0.len() < 80 && top.0.len() < 80);
        }
    }
}

//! What a session used and what that cost, as far as anybody knows (L27, L28, X2, X66).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::money::NanoUsd;

/// More tokens than this in one report is a broken report.
const TOKENS_MAX: f64 = 1e15;

/// Tokens by kind; `None` = nobody said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Read anew, cache writes included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<u64>,
    /// The part of `input` that was also written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Written, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// The part of `output` that was thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Whether any token was used.
    pub fn any(&self) -> bool {
        [self.input, self.cached_input, self.output].into_iter().flatten().any(|count| count > 0)
    }

    /// Whether anything at all was reported.
    pub const fn is_reported(&self) -> bool {
        self.input.is_some() || self.cached_input.is_some() || self.output.is_some()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Self {
            input: add(self.input, other.input),
            cached_input: add(self.cached_input, other.cached_input),
            cache_write: add(self.cache_write, other.cache_write),
            output: add(self.output, other.output),
            reasoning: add(self.reasoning, other.reasoning),
        }
    }
}

/// One report of usage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageReport {
    /// The message it is about: further reports of the same message take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// It is the sum of the whole session so far, and counts instead of all messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub total: bool,
    /// How many tokens.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it cost, by the agent's words.
    #[serde(default, rename = "cost_nano_usd", skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
    /// Turns so far, where the agent counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// A number in it was no number one can count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bad_number: bool,
}

/// Reads numbers that other programs wrote: one counts only if it is finite and not negative;
/// anything else makes its field unreported and is remembered (L28).
#[derive(Debug, Default)]
pub struct Numbers {
    /// One of them did not count.
    pub bad: bool,
}

impl Numbers {
    /// A count of tokens or turns; an absent or null one is simply not reported.
    pub fn count(&mut self, value: Option<&Value>) -> Option<u64> {
        let value = value.filter(|value| !value.is_null())?;
        let counted = value.as_u64().filter(|count| *count <= 1_000_000_000_000_000).or_else(|| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
            value
                .as_f64()
                .filter(|count| count.fract() == 0.0 && (0.0..=TOKENS_MAX).contains(count))
                .map(|count| count as u64)
        });
        self.bad |= counted.is_none();
        counted
    }

    /// An amount in dollars.
    pub fn dollars(&mut self, value: Option<&Value>) -> Option<NanoUsd> {
        let value = value.filter(|value| !value.is_null())?;
        let amount = value.as_f64().and_then(NanoUsd::from_dollars);
        self.bad |= amount.is_none();
        amount
    }
}

/// How well a cost is known (X2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostState {
    /// The agent or the provider said it.
    Reported,
    /// From tokens and prices, or fixed, or free.
    Computed,
    /// From what was reserved.
    Estimated,
    /// Nobody knows, or not all of it.
    Unknown,
}

/// What a session cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cost {
    /// How well it is known.
    pub state: CostState,
    /// The part that is known; all of it unless the state is `unknown`.
    #[serde(rename = "nano_usd")]
    pub known: NanoUsd,
}

/// How an agent is paid for (L24).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    /// By what it says it cost, else by tokens and price.
    #[default]
    Metered,
    /// By tokens and prices; its reports carry what that makes.
    Priced,
    /// The same for each session.
    Fixed(NanoUsd),
    /// Nothing.
    Free,
}

impl Cost {
    /// The cost from reports of which each counts once.
    pub fn of<'r>(billing: Billing, counted: impl Iterator<Item = (&'r Usage, Option<NanoUsd>)>) -> Self {
        match billing {
            Billing::Free => return Self { state: CostState::Computed, known: NanoUsd::ZERO },
            Billing::Fixed(amount) => return Self { state: CostState::Computed, known: amount },
            Billing::Metered | Billing::Priced => {}
        }
        // A model that costs nothing may be priced at nothing; a program that says 0 may just not know (X66).
        let is_priced = billing == Billing::Priced;
        let (mut known, mut all, mut any) = (NanoUsd::ZERO, true, false);
        for (usage, cost) in counted {
            any = true;
            match cost {
                // A cost of nothing for tokens that were used is no known cost, whoever reports it (X66).
                Some(cost) if is_priced || cost > NanoUsd::ZERO || !usage.any() => known = known.plus(cost),
                _ => all = false,
            }
        }
        let state = match (any && all, is_priced) {
            (true, true) => CostState::Computed,
            (true, false) => CostState::Reported,
            (false, _) => CostState::Unknown,
        };
        Self { state, known }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // L28: what is no finite number of at least 0 is not reported, and is remembered.
    #[test]
    fn only_whole_amounts_count() {
        for (value, count) in [
            (json!(0), Some(0)),
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(true), None),
            (json!("7"), None),
            (json!(1e30), None),
            (json!(u64::MAX), None),
            (json!([7]), None),
        ] {
            let mut numbers = Numbers::default();
            assert_eq!((numbers.count(Some(&value)), numbers.bad), (count, count.is_none()), "{value}");
        }
        let mut numbers = Numbers::default();
        assert_eq!((numbers.count(None), numbers.count(Some(&json!(null))), numbers.bad), (None, None, false));
        assert_eq!(numbers.dollars(Some(&json!(0.002))), Some(NanoUsd::from_nanos(2_000_000)));
        assert_eq!((numbers.dollars(Some(&json!("0.002"))), numbers.bad), (None, true));
    }

    // X2, X66, L28: a part that is not known makes the whole unknown; 0 for used tokens is not known.
    #[test]
    fn an_unknown_cost_is_never_nothing() {
        let used = Usage { input: Some(10), ..Usage::default() };
        let idle = Usage { input: Some(0), output: Some(0), ..Usage::default() };
        let nano = NanoUsd::from_nanos;
        for (reports, state, known) in [
            (vec![], CostState::Unknown, 0),
            (vec![(used, Some(nano(5))), (used, Some(nano(6)))], CostState::Reported, 11),
            (vec![(used, Some(nano(5))), (used, None)], CostState::Unknown, 5),
            (vec![(used, Some(NanoUsd::ZERO))], CostState::Unknown, 0),
            (vec![(idle, Some(NanoUsd::ZERO))], CostState::Reported, 0),
        ] {
            let cost = Cost::of(Billing::Metered, reports.iter().map(|(usage, cost)| (usage, *cost)));
            assert_eq!(cost, Cost { state, known: nano(known) }, "{reports:?}");
        }
        // S84: prices make a cost that is computed, also one of nothing.
        for (cost, state) in
            [(Some(nano(7)), CostState::Computed), (Some(nano(0)), CostState::Computed), (None, CostState::Unknown)]
        {
            assert_eq!(Cost::of(Billing::Priced, [(&used, cost)].into_iter()).state, state);
        }
        // L24
        let fixed = Cost::of(Billing::Fixed(nano(9)), [(&used, None)].into_iter());
        assert_eq!((fixed.state, fixed.known), (CostState::Computed, nano(9)));
        assert_eq!(Cost::of(Billing::Free, std::iter::empty()).state, CostState::Computed);
    }
}

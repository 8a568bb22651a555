//! What tokens cost: a dated table, prices that are set, and whole numbers throughout (S66, S84, X1).

use serde::Deserialize;

use crate::{agent::usage::Usage, money::NanoUsd};

/// The day of the table: list prices in US dollars as the providers published them up to then.
pub const PRICES_OF: &str = "2025-11-01";

/// What a million tokens of a model cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What the names of the models begin with, as `provider/name`.
    pub model: String,
    /// Read anew.
    pub input: NanoUsd,
    /// Read from a cache; as `input` where it is not told apart.
    pub cached_input: NanoUsd,
    /// Written to a cache; as `input` where it is not told apart.
    pub cache_write: NanoUsd,
    /// Written.
    pub output: NanoUsd,
    /// It is known for requests of up to so many tokens only; longer ones cost something else.
    pub up_to: Option<u64>,
    /// Whether a person set it.
    pub is_set: bool,
}

/// Prices of a kind of provider: what names begin with, then dollars a million tokens for input, cached input, cache
/// write (0 = as input), output, and up to how many tokens of a request.
type Line = (&'static str, f64, f64, f64, f64, u64);

const ALL: u64 = 0;

const TABLE: &[Line] = &[
    ("anthropic/claude-opus-4-5", 5.0, 0.5, 6.25, 25.0, ALL),
    ("anthropic/claude-opus-4", 15.0, 1.5, 18.75, 75.0, ALL),
    ("anthropic/claude-sonnet-4", 3.0, 0.3, 3.75, 15.0, 200_000),
    ("anthropic/claude-haiku-4-5", 1.0, 0.1, 1.25, 5.0, ALL),
    ("anthropic/claude-3-7-sonnet", 3.0, 0.3, 3.75, 15.0, ALL),
    ("anthropic/claude-3-5-sonnet", 3.0, 0.3, 3.75, 15.0, ALL),
    ("anthropic/claude-3-5-haiku", 0.8, 0.08, 1.0, 4.0, ALL),
    ("openai/gpt-5.1", 1.25, 0.125, 0.0, 10.0, ALL),
    ("openai/gpt-5", 1.25, 0.125, 0.0, 10.0, ALL),
    ("openai/gpt-5-mini", 0.25, 0.025, 0.0, 2.0, ALL),
    ("openai/gpt-5-nano", 0.05, 0.005, 0.0, 0.4, ALL),
    ("openai/gpt-5-pro", 15.0, 15.0, 0.0, 120.0, ALL),
    ("openai/gpt-4.1", 2.0, 0.5, 0.0, 8.0, ALL),
    ("openai/gpt-4.1-mini", 0.4, 0.1, 0.0, 1.6, ALL),
    ("openai/gpt-4.1-nano", 0.1, 0.025, 0.0, 0.4, ALL),
    ("openai/gpt-4o", 2.5, 1.25, 0.0, 10.0, ALL),
    ("openai/gpt-4o-mini", 0.15, 0.075, 0.0, 0.6, ALL),
    ("openai/o3", 2.0, 0.5, 0.0, 8.0, ALL),
    ("openai/o3-mini", 1.1, 0.55, 0.0, 4.4, ALL),
    ("openai/o3-pro", 20.0, 20.0, 0.0, 80.0, ALL),
    ("openai/o4-mini", 1.1, 0.275, 0.0, 4.4, ALL),
    ("google/gemini-2.5-pro", 1.25, 0.125, 0.0, 10.0, 200_000),
    ("google/gemini-2.5-flash", 0.3, 0.03, 0.0, 2.5, ALL),
    ("google/gemini-2.5-flash-lite", 0.1, 0.01, 0.0, 0.4, ALL),
    ("xai/grok-4", 3.0, 0.75, 0.0, 15.0, 128_000),
    ("xai/grok-4-fast", 0.2, 0.05, 0.0, 0.5, 128_000),
    ("xai/grok-code-fast-1", 0.2, 0.02, 0.0, 1.5, ALL),
    ("deepseek/deepseek-chat", 0.28, 0.028, 0.0, 0.42, ALL),
    ("deepseek/deepseek-reasoner", 0.28, 0.028, 0.0, 0.42, ALL),
    ("mistral/mistral-large", 2.0, 2.0, 0.0, 6.0, ALL),
    ("mistral/mistral-medium", 0.4, 0.4, 0.0, 2.0, ALL),
    ("mistral/devstral-medium", 0.4, 0.4, 0.0, 2.0, ALL),
    ("mistral/codestral", 0.3, 0.3, 0.0, 0.9, ALL),
];

/// A price as a person sets it: dollars a million tokens as decimal text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPrice {
    model: String,
    input: String,
    output: String,
    cached_input: Option<String>,
    cache_write: Option<String>,
}

impl SetPrice {
    pub(super) fn read(self) -> Result<Price, String> {
        let amount = |name: &str, text: &str| {
            NanoUsd::from_decimal(text).ok_or_else(|| {
                format!("{name} of the price of {:?} is no amount: write dollars, such as \"1.25\"", self.model)
            })
        };
        let input = amount("input", &self.input)?;
        let or_input = |name, text: &Option<String>| text.as_deref().map_or(Ok(input), |text| amount(name, text));
        Ok(Price {
            input,
            cached_input: or_input("cached_input", &self.cached_input)?,
            cache_write: or_input("cache_write", &self.cache_write)?,
            output: amount("output", &self.output)?,
            up_to: None,
            is_set: true,
            model: self.model,
        })
    }
}

impl Price {
    fn of_table(&(model, input, cached, write, output, up_to): &Line) -> Self {
        let of = |dollars: f64| NanoUsd::from_dollars(dollars).unwrap_or(NanoUsd::ZERO);
        Self {
            model: model.to_owned(),
            input: of(input),
            cached_input: of(cached),
            cache_write: of(if write == 0.0 { input } else { write }),
            output: of(output),
            up_to: (up_to != ALL).then_some(up_to),
            is_set: false,
        }
    }

    /// What a request cost, rounded up once; nothing where that cannot be said.
    pub fn cost(&self, usage: &Usage) -> Option<NanoUsd> {
        let (input, output) = (usage.input?, usage.output?);
        let cached = usage.cached_input.unwrap_or(0);
        if self.up_to.is_some_and(|most| input.saturating_add(cached) > most) {
            return None;
        }
        let written = usage.cache_write.unwrap_or(0).min(input);
        let sum: i128 = [
            (input - written, self.input),
            (written, self.cache_write),
            (cached, self.cached_input),
            (output, self.output),
        ]
        .into_iter()
        .map(|(tokens, price)| i128::from(tokens) * i128::from(price.nanos()))
        .sum();
        let nanos = sum / 1_000_000 + i128::from(sum % 1_000_000 != 0);
        i64::try_from(nanos).ok().map(NanoUsd::from_nanos)
    }
}

/// All prices that are known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    set: Vec<Price>,
}

impl Prices {
    /// With these set beside the table.
    pub const fn with(set: Vec<Price>) -> Self {
        Self { set }
    }

    /// Those that a person set, then the table.
    pub fn all(&self) -> impl Iterator<Item = Price> {
        self.set.iter().cloned().chain(TABLE.iter().map(Price::of_table))
    }

    /// The price of a model, `provider/name`: the one whose name is the longest beginning of it. One that a person set
    /// goes before the table. A name ends where a word ends: the price of `gpt-5` is that of `gpt-5-2025-08-07`, and
    /// says nothing of `gpt-5.2`. Nothing fits: unknown, never a default.
    pub fn of(&self, model: &str) -> Option<Price> {
        let begins = |name: &str| {
            model.strip_prefix(name).is_some_and(|rest| {
                let is_mark = |c: char| !c.is_alphanumeric() && c != '.';
                !name.is_empty() && (rest.is_empty() || rest.starts_with(is_mark) || name.ends_with(is_mark))
            })
        };
        let set = self.set.iter().filter(|price| begins(&price.model)).max_by_key(|price| price.model.len());
        let table = || TABLE.iter().filter(|line| begins(line.0)).max_by_key(|line| line.0.len()).map(Price::of_table);
        set.cloned().or_else(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<Price, String> {
        toml::from_str::<SetPrice>(text).map_err(|error| error.to_string())?.read()
    }

    // S84: the longest beginning wins; what is set goes first; no match is unknown.
    #[test]
    fn the_longest_name_wins() {
        let input = |prices: &Prices, model: &str| prices.of(model).map(|price| price.input.nanos() / 1_000_000);
        let table = Prices::default();
        for (model, cents) in [
            ("openai/gpt-5", Some(1_250)),
            ("openai/gpt-5-2025-08-07", Some(1_250)),
            ("openai/gpt-5-codex", Some(1_250)),
            ("openai/gpt-5-mini", Some(250)),
            ("openai/gpt-5-mini-2025-08-07", Some(250)),
            ("openai/gpt-5.2", None),
            ("openai/gpt-50", None),
            ("openai/unheard-of", None),
            ("other/gpt-5", None),
            ("anthropic/claude-opus-4-5-20251101", Some(5_000)),
            ("anthropic/claude-opus-4-1-20250805", Some(15_000)),
            ("", None),
        ] {
            assert_eq!(input(&table, model), cents, "{model}");
        }
        let prices = Prices::with(vec![
            set("model = \"local/\"\ninput = \"0\"\noutput = \"0\"").unwrap(),
            set("model = \"openai/gpt-5\"\ninput = \"1\"\noutput = \"2\"").unwrap(),
        ]);
        assert_eq!(input(&prices, "local/qwen3:8b"), Some(0));
        assert_eq!(input(&prices, "openai/gpt-5-mini"), Some(1_000));
        assert_eq!(input(&prices, "openai/gpt-4o"), Some(2_500));
        assert!(TABLE.iter().all(|line| line.1 > 0.0 && line.4 > 0.0));
    }

    // S66, X1: whole numbers, rounded up once; what is not known makes no amount.
    #[test]
    fn a_cost_is_exact() {
        let price = Prices::default().of("anthropic/claude-sonnet-4-5").unwrap();
        let usage = Usage {
            input: Some(1_000),
            cached_input: Some(10_000),
            cache_write: Some(400),
            output: Some(100),
            reasoning: Some(50),
        };
        // 600 x 3 + 400 x 3.75 + 10000 x 0.3 + 100 x 15 micro dollars.
        assert_eq!(price.cost(&usage).unwrap().micros_up(), 1_800 + 1_500 + 3_000 + 1_500);
        let one = Usage { input: Some(1), output: Some(0), ..Usage::default() };
        let tiny = set("model = \"a/\"\ninput = \"0.000000001\"\noutput = \"0\"").unwrap();
        assert_eq!(tiny.cost(&one).unwrap().nanos(), 1);
        for unknown in [Usage::default(), Usage { input: Some(1), ..Usage::default() }] {
            assert_eq!(price.cost(&unknown), None);
        }
        assert_eq!(price.cost(&Usage { input: Some(200_001), ..usage }), None);
        let huge = Usage { input: Some(u64::MAX), output: Some(u64::MAX), ..Usage::default() };
        assert_eq!(Prices::default().of("openai/gpt-5").unwrap().cost(&huge), None);
    }

    #[test]
    fn a_price_is_decimal_text() {
        for wrong in ["-1", "1e3", "NaN", "", "1.0000000001", "1,5", "$1"] {
            assert!(set(&format!("model = \"a/b\"\ninput = \"{wrong}\"\noutput = \"1\"")).is_err(), "{wrong}");
        }
        assert!(set("model = \"a/b\"\ninput = \"1\"").is_err());
    }
}

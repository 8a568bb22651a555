//! The providers of a machine and their prices as people are shown them: never with a key (S85, S100).

use serde::Serialize;

use super::{Class, Configuration, Key, PRICES_OF, Price, Provider, ProviderKind, Wire};
use crate::money::NanoUsd;

/// The providers of a machine.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Providers)]
pub struct Overview {
    /// Each, as it is declared.
    pub items: Vec<ProviderView>,
    /// The model that the builtin agent asks where none is named; null where no provider has its key.
    pub default_model: Option<String>,
    /// The day of the table of prices.
    pub prices_of: &'static str,
    /// What models cost: those that a person set, which go first, then the table.
    pub prices: Vec<PriceView>,
}

/// A provider.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Provider)]
pub struct ProviderView {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// What it speaks.
    pub wire: Wire,
    /// Where.
    pub base_url: String,
    /// Where its key comes from: a variable (`$NAME`) or a file; null needs none.
    pub key_from: Option<String>,
    /// Whether the key is there and may be used, or none is needed.
    pub key_present: bool,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether `providers.toml` names it.
    pub declared: bool,
    /// The model where none is named.
    pub default_model: Option<String>,
    /// How many tokens fit into its models.
    pub context: u64,
    /// What that model costs; null is unknown.
    pub price: Option<PriceView>,
}

/// What a million tokens cost, in dollars as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Price)]
pub struct PriceView {
    /// What the names of the models begin with.
    pub model: String,
    /// Read anew.
    pub input: String,
    /// Read from a cache.
    pub cached_input: String,
    /// Written to a cache.
    pub cache_write: String,
    /// Written.
    pub output: String,
    /// It is known for requests of up to so many tokens only.
    pub up_to_tokens: Option<u64>,
    /// Whether a person set it.
    pub set: bool,
    /// The day of the table it is from.
    pub of: Option<&'static str>,
}

/// How a provider is, by a look that costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// It answers, and takes the key.
    Ready,
    /// It answers, but keeps no list of models: that says nothing of replies.
    Silent,
    /// Somebody turned it off.
    Disabled,
    /// There is no key.
    MissingKey,
    /// The key must not be used as it lies there.
    KeyRefused,
    /// It cannot be used.
    Failed,
}

impl ProviderState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Silent => "silent",
            Self::Disabled => "disabled",
            Self::MissingKey => "missing_key",
            Self::KeyRefused => "key_refused",
            Self::Failed => "failed",
        }
    }
}

/// What a look at a provider found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ProviderCheck)]
pub struct ProviderCheck {
    /// What it is called.
    pub name: String,
    /// How it is.
    pub state: ProviderState,
    /// What kind of trouble, where it failed.
    pub class: Option<Class>,
    /// Its models, by its own list.
    pub models: Option<Vec<String>>,
    /// In words, for a person.
    pub words: String,
}

impl Overview {
    /// Of what is declared, and of which providers have their key.
    pub fn of(configuration: &Configuration, is_ready: impl Fn(&Provider) -> bool) -> Self {
        let view = |provider: &Provider| ProviderView {
            name: provider.name.clone(),
            kind: provider.kind,
            wire: provider.wire,
            base_url: provider.base_url.clone(),
            key_from: provider.key.place(),
            key_present: is_ready(provider),
            enabled: provider.enabled,
            declared: provider.is_declared,
            default_model: provider.default_model.clone(),
            context: provider.context,
            price: provider
                .default_model
                .as_ref()
                .and_then(|model| configuration.prices.of(&format!("{}/{model}", provider.name)))
                .map(|price| PriceView::of(&price)),
        };
        Self {
            items: configuration.providers.iter().map(view).collect(),
            default_model: configuration.default_model(&is_ready).map(|model| model.to_string()),
            prices_of: PRICES_OF,
            prices: configuration.prices.all().map(|price| PriceView::of(&price)).collect(),
        }
    }
}

impl Key {
    /// Where it comes from, and never the key.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Env(name) => Some(format!("${name}")),
            Self::File(path) => Some(path.clone()),
        }
    }
}

impl PriceView {
    fn of(price: &Price) -> Self {
        let dollars =
            |amount: NanoUsd| format!("{}.{:09}", amount.nanos() / 1_000_000_000, amount.nanos() % 1_000_000_000);
        Self {
            model: price.model.clone(),
            input: dollars(price.input),
            cached_input: dollars(price.cached_input),
            cache_write: dollars(price.cache_write),
            output: dollars(price.output),
            up_to_tokens: price.up_to,
            set: price.is_set,
            of: (!price.is_set).then_some(PRICES_OF),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S85, S100: where a key comes from and whether it is there; what is set goes before the table.
    #[test]
    fn providers_are_shown_with_where_their_keys_come_from() {
        let text = "[providers.local]\nkind = \"openai_compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\nkey_file = \"/k\"\n\
                    default_model = \"m\"\n[[prices]]\nmodel = \"local/\"\ninput = \"0.25\"\noutput = \"1\"\n";
        let configuration = Configuration::read(text).unwrap();
        let shown = Overview::of(&configuration, |provider| provider.name == "local");
        let local = shown.items.iter().find(|item| item.name == "local").unwrap();
        assert_eq!((local.key_from.as_deref(), local.key_present, local.declared), (Some("/k"), true, true));
        assert_eq!(
            local.price.as_ref().map(|price| (price.input.as_str(), price.set, price.of)),
            Some(("0.250000000", true, None))
        );
        assert_eq!(shown.default_model.as_deref(), Some("local/m"));
        let openai = shown.items.iter().find(|item| item.name == "openai").unwrap();
        assert_eq!((openai.key_from.as_deref(), openai.key_present), (Some("$OPENAI_API_KEY"), false));
        assert!(shown.prices[0].set && shown.prices.len() > 20 && shown.prices[1].of == Some(PRICES_OF));
    }
}

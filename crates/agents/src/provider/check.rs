//! Whether a provider can be used: its key, its address, its list of models. Nothing of it costs a token (S85).

use std::{collections::BTreeMap, time::Duration};

use model::provider::{Class, Provider};

use super::{
    call::Client,
    key::{KeyRefused, key_of},
};

/// How long a look may take.
const WITHIN: Duration = Duration::from_secs(15);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It answers, and takes the key.
    Ready {
        /// Its models, by its own list.
        models: Vec<String>,
    },
    /// It answers, but keeps no list of models: that says nothing of replies.
    Silent,
    /// Somebody turned it off.
    Disabled,
    /// There is no key.
    MissingKey {
        /// Where it was looked for.
        words: String,
    },
    /// The key must not be used as it lies there.
    KeyRefused {
        /// Why.
        words: String,
    },
    /// It cannot be used.
    Failed {
        /// What kind of trouble.
        class: Class,
        /// In words.
        words: String,
    },
}

impl Checked {
    /// Its name in documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Silent => "silent",
            Self::Disabled => "disabled",
            Self::MissingKey { .. } => "missing_key",
            Self::KeyRefused { .. } => "key_refused",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Looks, once, and waits for nothing.
pub async fn check(provider: &Provider, environment: &BTreeMap<String, String>) -> Checked {
    if !provider.enabled {
        return Checked::Disabled;
    }
    match key_of(provider, environment) {
        Ok(_) => {}
        Err(refused @ KeyRefused::Missing { .. }) => return Checked::MissingKey { words: refused.to_string() },
        Err(refused @ KeyRefused::Unusable { .. }) => return Checked::KeyRefused { words: refused.to_string() },
    }
    match Client::new(environment.clone()).models(provider, WITHIN).await {
        Ok(models) => Checked::Ready { models },
        // Some compatible servers have no list; that they answer at all is what can be known for nothing.
        Err(trouble) if trouble.class == Class::NotFound => Checked::Silent,
        Err(trouble) => Checked::Failed { class: trouble.class, words: trouble.message },
    }
}

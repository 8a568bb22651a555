//! Whether a provider can be used: its key, its address, its list of models. Nothing of it costs a token (S85).

use std::{collections::BTreeMap, time::Duration};

use model::provider::{Class, Provider, ProviderCheck, ProviderState};

use super::{
    call::Client,
    key::{KeyRefused, key_of},
};

/// How long a look may take.
const WITHIN: Duration = Duration::from_secs(15);

/// Looks, once, and waits for nothing.
pub async fn check(provider: &Provider, environment: &BTreeMap<String, String>) -> ProviderCheck {
    let found =
        |state, words: String| ProviderCheck { name: provider.name.clone(), state, class: None, models: None, words };
    if !provider.enabled {
        return found(ProviderState::Disabled, "turned off in providers.toml".to_owned());
    }
    match key_of(provider, environment) {
        Ok(_) => {}
        Err(refused @ KeyRefused::Missing { .. }) => return found(ProviderState::MissingKey, refused.to_string()),
        Err(refused @ KeyRefused::Unusable { .. }) => return found(ProviderState::KeyRefused, refused.to_string()),
    }
    match Client::new(environment.clone()).models(provider, WITHIN).await {
        Ok(models) => {
            let count = if models.len() == 1 { "1 model".to_owned() } else { format!("{} models", models.len()) };
            let words = match &provider.default_model {
                Some(model) if !models.iter().any(|known| known.starts_with(model.as_str())) => {
                    format!("{count}; {model} is not in its list")
                }
                _ => count,
            };
            ProviderCheck { models: Some(models), ..found(ProviderState::Ready, words) }
        }
        // Some compatible servers have no list; that they answer at all is what can be known for nothing.
        Err(trouble) if trouble.class == Class::NotFound => {
            found(ProviderState::Silent, "it answers, and keeps no list of models".to_owned())
        }
        Err(trouble) => {
            let words = format!("{}: {}", trouble.class.name(), trouble.message);
            ProviderCheck { class: Some(trouble.class), ..found(ProviderState::Failed, words) }
        }
    }
}

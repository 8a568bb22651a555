//! `proofhouse provider`: which providers of models this machine has, and whether they can be used. All of it is about
//! this machine; no plane is asked, and no key is printed.

use agents::provider::{Checked, check, configuration_in, key_of};
use clap::Subcommand;
use exec::environment::inherited;
use model::{
    code::Code,
    money::NanoUsd,
    provider::{Configuration, Key, PRICES_OF, Price, Provider},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    exit::Exit,
    fault::Fault,
    out::{Tone, clean},
    table::{Table, cell, plain},
};

/// List and check the providers of models that the builtin agent can ask
///
/// The known ones need nothing but their key in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, GOOGLE_API_KEY,
/// XAI_API_KEY, DEEPSEEK_API_KEY, MISTRAL_API_KEY). Others, keys in files, prices and the default model are declared
/// in providers.toml of the data folder; docs/providers.md tells how.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the providers, whether each has its key, and what the default models cost
    List,
    /// Ask each provider that has its key for its list of models: costs nothing
    ///
    /// Exits with 1 when the provider that is named cannot be used, or one whose key is there.
    Check {
        /// Only this one
        name: Option<String>,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<Exit, Fault> {
        let configuration = configuration_in(&context.place.data).map_err(|error| Fault::usage(error.to_string()))?;
        match self {
            Self::List => Ok(list(&configuration, context)),
            Self::Check { name } => checked(&configuration, name.as_deref(), context).await,
        }
    }
}

/// Where a key comes from, and never the key.
fn place_of(key: &Key) -> Option<String> {
    match key {
        Key::None => None,
        Key::Env(name) => Some(format!("${name}")),
        Key::File(path) => Some(path.clone()),
    }
}

fn price_document(price: &Price) -> Value {
    // Decimal text, as in the file.
    let dollars = |amount: NanoUsd| format!("{}.{:09}", amount.nanos() / 1_000_000_000, amount.nanos() % 1_000_000_000);
    json!({
        "model": price.model, "input": dollars(price.input), "cached_input": dollars(price.cached_input),
        "cache_write": dollars(price.cache_write), "output": dollars(price.output), "up_to_tokens": price.up_to,
        "set": price.is_set, "of": if price.is_set { Value::Null } else { json!(PRICES_OF) },
    })
}

/// Dollars with as many decimals as they need.
fn short(amount: NanoUsd) -> String {
    let text = format!("${}", amount.to_string().trim_start_matches('$').trim_end_matches('0'));
    if text.ends_with('.') { format!("{text}0") } else { text }
}

fn list(configuration: &Configuration, context: &Context) -> Exit {
    let environment = inherited();
    let is_ready = |provider: &Provider| key_of(provider, &environment).is_ok();
    let default = configuration.default_model(is_ready).map(|model| model.to_string());
    let price_of = |provider: &Provider| {
        let model = provider.default_model.as_ref()?;
        configuration.prices.of(&format!("{}/{model}", provider.name))
    };
    if context.out.json {
        let items: Vec<Value> = configuration
            .providers
            .iter()
            .map(|provider| {
                json!({
                    "name": provider.name, "kind": provider.kind.name(), "wire": provider.wire.name(),
                    "base_url": provider.base_url, "key_from": place_of(&provider.key), "key_present": is_ready(provider),
                    "enabled": provider.enabled, "declared": provider.is_declared,
                    "default_model": provider.default_model, "context": provider.context,
                    "price": price_of(provider).as_ref().map(price_document),
                })
            })
            .collect();
        let set: Vec<Value> = configuration.prices.set().iter().map(price_document).collect();
        context.out.document(&json!({"items": items, "default_model": default, "prices_of": PRICES_OF, "prices": set}));
        return Exit::Ok;
    }
    let mut table = Table::new(&["PROVIDER", "KEY", "MODEL", "PRICE IN/OUT", "ADDRESS"]);
    for provider in &configuration.providers {
        let key = match (provider.enabled, place_of(&provider.key), key_of(provider, &environment)) {
            (false, ..) => cell(Tone::Dim, "off"),
            (true, None, _) => cell(Tone::Good, "none needed"),
            (true, Some(place), Ok(_)) => cell(Tone::Good, place),
            (true, Some(place), Err(agents::provider::KeyRefused::Missing { .. })) => {
                cell(Tone::Dim, format!("no {place}"))
            }
            (true, Some(place), Err(_)) => cell(Tone::Bad, format!("{place} cannot be used")),
        };
        let price = price_of(provider)
            .map_or_else(|| "unknown".to_owned(), |price| format!("{} / {}", short(price.input), short(price.output)));
        table.row([
            cell(Tone::Bold, &provider.name),
            key,
            plain(provider.default_model.as_deref().unwrap_or("-")),
            plain(price),
            plain(&provider.base_url),
        ]);
    }
    table.print(&context.out);
    match default {
        Some(default) => context.out.line(format!("the builtin agent asks {}", clean(&default))),
        None => context.out.line(context.out.dim("the builtin agent has no model: no provider has its key")),
    }
    context.out.line(context.out.dim(format!("prices are dollars a million tokens, as of {PRICES_OF}")));
    Exit::Ok
}

async fn checked(configuration: &Configuration, name: Option<&str>, context: &Context) -> Result<Exit, Fault> {
    let chosen: Vec<&Provider> = match name {
        None => configuration.providers.iter().collect(),
        Some(name) => vec![configuration.provider(name).ok_or_else(|| {
            let names: Vec<&str> = configuration.providers.iter().map(|provider| provider.name.as_str()).collect();
            Fault::new(Code::Usage, format!("there is no provider {name}")).hinted(format!(
                "there are {}; declare others in {}",
                names.join(", "),
                context.place.data.join(agents::provider::PROVIDERS).display()
            ))
        })?],
    };
    let environment = inherited();
    let found = futures::future::join_all(chosen.iter().map(|provider| check(provider, &environment))).await;
    let is_bad = |checked: &Checked| match checked {
        Checked::Ready { .. } | Checked::Silent => false,
        // One without a key is no fault, unless it was asked for.
        Checked::Disabled | Checked::MissingKey { .. } => name.is_some(),
        Checked::KeyRefused { .. } | Checked::Failed { .. } => true,
    };
    let is_ok = !found.iter().any(is_bad);
    let found = chosen.into_iter().zip(found);
    if context.out.json {
        let items: Vec<Value> = found
            .map(|(provider, checked)| {
                let models = if let Checked::Ready { models } = &checked { Some(models) } else { None };
                let class = if let Checked::Failed { class, .. } = &checked { Some(class.name()) } else { None };
                json!({
                    "name": provider.name, "state": checked.name(), "class": class, "models": models,
                    "words": words(provider, &checked),
                })
            })
            .collect();
        context.out.document(&json!({"ok": is_ok, "items": items}));
    } else {
        let mut table = Table::new(&["PROVIDER", "STATE", "WHAT"]);
        for (provider, checked) in found {
            let tone = match &checked {
                Checked::Ready { .. } => Tone::Good,
                Checked::Silent => Tone::Unsure,
                Checked::Disabled | Checked::MissingKey { .. } => Tone::Dim,
                Checked::KeyRefused { .. } | Checked::Failed { .. } => Tone::Bad,
            };
            let words = words(provider, &checked);
            table.row([cell(Tone::Bold, &provider.name), cell(tone, checked.name()), plain(words)]);
        }
        table.print(&context.out);
    }
    Ok(if is_ok { Exit::Ok } else { Exit::No })
}

fn words(provider: &Provider, checked: &Checked) -> String {
    match checked {
        Checked::Ready { models } => match &provider.default_model {
            Some(model) if !models.iter().any(|known| known.starts_with(model.as_str())) => {
                format!("{} models; {model} is not in its list", models.len())
            }
            _ => format!("{} models", models.len()),
        },
        Checked::Silent => "it answers, and keeps no list of models".to_owned(),
        Checked::Disabled => "turned off in providers.toml".to_owned(),
        Checked::MissingKey { words } | Checked::KeyRefused { words } => words.clone(),
        Checked::Failed { class, words } => format!("{}: {words}", class.name()),
    }
}

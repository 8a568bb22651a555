//! `proofhouse provider`: which providers of models this machine has, and whether they can be used. All of it is about
//! this machine; no plane is asked, and no key is printed.

use agents::provider::{check, configuration_in, key_of};
use clap::Subcommand;
use exec::environment::inherited;
use model::{
    code::Code,
    money::NanoUsd,
    provider::{Configuration, Overview, PRICES_OF, Provider, ProviderCheck, ProviderState},
};
use serde_json::json;

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

/// Dollars with as many decimals as they need.
fn short(amount: NanoUsd) -> String {
    let text = format!("${}", amount.to_string().trim_start_matches('$').trim_end_matches('0'));
    if text.ends_with('.') { format!("{text}0") } else { text }
}

fn list(configuration: &Configuration, context: &Context) -> Exit {
    let environment = inherited();
    let is_ready = |provider: &Provider| key_of(provider, &environment).is_ok();
    let overview = Overview::of(configuration, is_ready);
    if context.out.json {
        context.out.document(&json!(overview));
        return Exit::Ok;
    }
    let price_of = |provider: &Provider| {
        let model = provider.default_model.as_ref()?;
        configuration.prices.of(&format!("{}/{model}", provider.name))
    };
    let mut table = Table::new(&["PROVIDER", "KEY", "MODEL", "PRICE IN/OUT", "ADDRESS"]);
    for provider in &configuration.providers {
        let key = match (provider.enabled, provider.key.place(), key_of(provider, &environment)) {
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
    match &overview.default_model {
        Some(default) => context.out.line(format!("the builtin agent asks {}", clean(default))),
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
    let is_bad = |checked: &ProviderCheck| match checked.state {
        ProviderState::Ready | ProviderState::Silent => false,
        // One without a key is no fault, unless it was asked for.
        ProviderState::Disabled | ProviderState::MissingKey => name.is_some(),
        ProviderState::KeyRefused | ProviderState::Failed => true,
    };
    let is_ok = !found.iter().any(is_bad);
    if context.out.json {
        context.out.document(&json!({"ok": is_ok, "items": found}));
    } else {
        let mut table = Table::new(&["PROVIDER", "STATE", "WHAT"]);
        for checked in &found {
            let tone = match checked.state {
                ProviderState::Ready => Tone::Good,
                ProviderState::Silent => Tone::Unsure,
                ProviderState::Disabled | ProviderState::MissingKey => Tone::Dim,
                ProviderState::KeyRefused | ProviderState::Failed => Tone::Bad,
            };
            table.row([cell(Tone::Bold, &checked.name), cell(tone, checked.state.name()), plain(&checked.words)]);
        }
        table.print(&context.out);
    }
    Ok(if is_ok { Exit::Ok } else { Exit::No })
}

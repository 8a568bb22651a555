//! Which providers there are: those that are known by name, and what a file of a machine's owner says of them.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    price::{Prices, SetPrice},
    retry::Retry,
};

/// How long a whole request may take, unless its provider says otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);
/// The longest name of a model.
const MODEL: usize = 200;
/// Declared providers.
const PROVIDERS: usize = 50;

/// The shape of requests and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// Anthropic messages.
    Messages,
    /// OpenAI responses.
    Responses,
    /// OpenAI chat completions, and what is compatible with them.
    Chat,
    /// Gemini generateContent.
    Gemini,
}

/// Kinds of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// Anthropic.
    Anthropic,
    /// OpenAI.
    Openai,
    /// Google's Gemini.
    Google,
    /// xAI.
    Xai,
    /// DeepSeek.
    Deepseek,
    /// Mistral.
    Mistral,
    /// Any address that speaks chat completions: Ollama, vLLM, llama.cpp, a gateway.
    OpenaiCompatible,
}

/// What is known of a kind: name, shape, address, variable of its key, a model to begin with, and its window.
type Known = (ProviderKind, &'static str, Wire, &'static str, &'static str, &'static str, u64);

const KNOWN: &[Known] = &[
    (
        ProviderKind::Anthropic,
        "anthropic",
        Wire::Messages,
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        "claude-sonnet-4-5",
        200_000,
    ),
    (ProviderKind::Openai, "openai", Wire::Responses, "https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-5", 272_000),
    (
        ProviderKind::Google,
        "google",
        Wire::Gemini,
        "https://generativelanguage.googleapis.com/v1beta",
        "GOOGLE_API_KEY",
        "gemini-2.5-pro",
        1_000_000,
    ),
    (ProviderKind::Xai, "xai", Wire::Chat, "https://api.x.ai/v1", "XAI_API_KEY", "grok-4", 256_000),
    (
        ProviderKind::Deepseek,
        "deepseek",
        Wire::Chat,
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        "deepseek-chat",
        128_000,
    ),
    (
        ProviderKind::Mistral,
        "mistral",
        Wire::Chat,
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        "mistral-large-latest",
        128_000,
    ),
    (ProviderKind::OpenaiCompatible, "openai_compatible", Wire::Chat, "", "", "", 32_000),
];

impl ProviderKind {
    fn known(self) -> &'static Known {
        // Each kind has its line; a test counts them.
        KNOWN.iter().find(|known| known.0 == self).unwrap_or(&KNOWN[0])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.known().1
    }
}

/// Where a provider's key comes from (S85).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// It needs none.
    None,
    /// A variable of the environment.
    Env(String),
    /// A file that only its owner can read.
    File(String),
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it is called: what stands before the first `/` of a model's name.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// What it speaks.
    pub wire: Wire,
    /// Where, without a slash at its end.
    pub base_url: String,
    /// Where its key comes from.
    pub key: Key,
    /// The model where none is named.
    pub default_model: Option<String>,
    /// How many tokens fit into its models.
    pub context: u64,
    /// How many a reply may have; the model's own limit otherwise.
    pub max_output: Option<u32>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How it is asked again.
    pub retry: Retry,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether the file names it.
    pub is_declared: bool,
}

impl Provider {
    /// One of a kind, with nothing declared.
    pub fn of(kind: ProviderKind) -> Self {
        let &(_, name, wire, base_url, key, model, context) = kind.known();
        Self {
            name: name.to_owned(),
            kind,
            wire,
            base_url: base_url.to_owned(),
            key: if key.is_empty() { Key::None } else { Key::Env(key.to_owned()) },
            default_model: (!model.is_empty()).then(|| model.to_owned()),
            context,
            max_output: None,
            timeout: TIMEOUT,
            retry: Retry::default(),
            enabled: true,
            is_declared: false,
        }
    }
}

/// A model by its whole name: `provider/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// The provider's name.
    pub provider: String,
    /// The model's, as the provider knows it.
    pub name: String,
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.name)
    }
}

impl FromStr for ModelName {
    type Err = ConfigurationInvalid;

    fn from_str(text: &str) -> Result<Self, ConfigurationInvalid> {
        let wrong = || ConfigurationInvalid(format!("{text:?} names no model: write provider/name"));
        let (provider, name) = text.split_once('/').ok_or_else(wrong)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '@' | '-');
        let is_name = !name.is_empty() && name.len() <= MODEL && name.chars().all(is_plain) && !name.contains("..");
        if is_provider(provider) && is_name {
            Ok(Self { provider: provider.to_owned(), name: name.to_owned() })
        } else {
            Err(wrong())
        }
    }
}

fn is_provider(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=40).contains(&name.len()) && name.as_bytes()[0].is_ascii_lowercase() && name.bytes().all(rest)
}

/// What makes no sense in a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigurationInvalid(pub String);

/// All providers of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The model where none is named.
    pub default: Option<ModelName>,
    /// In the order in which one is looked for where none is named: declared ones first.
    pub providers: Vec<Provider>,
    /// What tokens cost.
    pub prices: Prices,
}

impl Default for Configuration {
    /// Those that are known by name and need nothing but a key.
    fn default() -> Self {
        let known = KNOWN.iter().filter(|known| !known.3.is_empty());
        Self { default: None, providers: known.map(|known| Provider::of(known.0)).collect(), prices: Prices::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<String>,
    #[serde(default)]
    providers: BTreeMap<String, Declared>,
    #[serde(default)]
    prices: Vec<SetPrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    kind: Option<ProviderKind>,
    wire: Option<Wire>,
    base_url: Option<String>,
    key_env: Option<String>,
    key_file: Option<String>,
    default_model: Option<String>,
    context: Option<u64>,
    max_output: Option<u32>,
    timeout_s: Option<u64>,
    enabled: Option<bool>,
    retry: Option<DeclaredRetry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredRetry {
    max: Option<u32>,
    rate_limit_max: Option<u32>,
    base_ms: Option<u64>,
    cap_ms: Option<u64>,
}

impl Configuration {
    /// Reads a file. A declaration takes the place of what is known under the same name; everything that it leaves out
    /// stays as it is known.
    ///
    /// # Errors
    /// The first thing that makes no sense, in words that quote no key.
    pub fn read(text: &str) -> Result<Self, ConfigurationInvalid> {
        // The error's own text would quote the line, and somebody may have written a key into it.
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ConfigurationInvalid(format!("line {line}: {}", error.message()))
        })?;
        if file.providers.len() > PROVIDERS {
            return Err(ConfigurationInvalid(format!("{PROVIDERS} providers at most can be declared")));
        }
        let mut known = Self::default().providers;
        let mut providers = Vec::new();
        for (name, declared) in file.providers {
            let before = known.iter().position(|provider| provider.name == name).map(|at| known.remove(at));
            let provider = declared.read(&name, before);
            providers.push(provider.map_err(|why| ConfigurationInvalid(format!("provider {name}: {why}")))?);
        }
        providers.extend(known);
        let default = file.default.as_deref().map(str::parse::<ModelName>).transpose()?;
        if let Some(model) = &default
            && !providers.iter().any(|provider| provider.name == model.provider)
        {
            return Err(ConfigurationInvalid(format!(
                "the default model {model} is of no provider that is known here"
            )));
        }
        let set: Result<Vec<_>, String> = file.prices.into_iter().map(SetPrice::read).collect();
        Ok(Self { default, providers, prices: Prices::with(set.map_err(ConfigurationInvalid)?) })
    }

    /// The provider with this name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The model that is used where none is named: the one that the file names, else that of the first provider that
    /// `is_ready`.
    pub fn default_model(&self, is_ready: impl Fn(&Provider) -> bool) -> Option<ModelName> {
        self.default.clone().or_else(|| {
            let ready = self.providers.iter().filter(|provider| provider.enabled && is_ready(provider));
            ready
                .filter_map(|provider| {
                    let name = provider.default_model.clone()?;
                    Some(ModelName { provider: provider.name.clone(), name })
                })
                .next()
        })
    }
}

impl Declared {
    fn read(self, name: &str, before: Option<Provider>) -> Result<Provider, String> {
        if !is_provider(name) {
            return Err("a name is 1 to 40 of a-z, 0-9, - and _, a letter first".to_owned());
        }
        let mut provider = match (before, self.kind) {
            (Some(before), None) => before,
            (_, Some(kind)) => Provider::of(kind),
            (None, None) => return Err("kind is missing".to_owned()),
        };
        provider.name = name.to_owned();
        provider.is_declared = true;
        if let Some(wire) = self.wire {
            provider.wire = wire;
        }
        if let Some(url) = self.base_url {
            provider.base_url = url.trim_end_matches('/').to_owned();
        }
        provider.key = match (self.key_env, self.key_file) {
            (Some(_), Some(_)) => return Err("key_env and key_file exclude each other".to_owned()),
            (Some(name), None) if name.is_empty() => Key::None,
            (Some(name), None) if !is_variable(&name) => {
                return Err("key_env is the name of a variable, not the key itself".to_owned());
            }
            (Some(name), None) => Key::Env(name),
            (None, Some(path)) if !path.starts_with('/') => return Err("key_file is an absolute path".to_owned()),
            (None, Some(path)) => Key::File(path),
            (None, None) => provider.key,
        };
        check_url(&provider.base_url, provider.key != Key::None)?;
        if let Some(model) = self.default_model {
            let whole: ModelName = format!("{name}/{model}").parse().map_err(|error: ConfigurationInvalid| error.0)?;
            provider.default_model = Some(whole.name);
        }
        let between = |name: &str, value: Option<u64>, least: u64, most: u64| match value {
            Some(value) if !(least..=most).contains(&value) => Err(format!("{name} is {least} to {most}")),
            value => Ok(value),
        };
        provider.context = between("context", self.context, 1_000, 100_000_000)?.unwrap_or(provider.context);
        provider.max_output = match between("max_output", self.max_output.map(u64::from), 1, 10_000_000)? {
            Some(_) => self.max_output,
            None => provider.max_output,
        };
        let timeout = between("timeout_s", self.timeout_s, 1, 86_400)?;
        provider.timeout = timeout.map_or(provider.timeout, Duration::from_secs);
        provider.enabled = self.enabled.unwrap_or(provider.enabled);
        if let Some(retry) = self.retry {
            let count = |name, value: Option<u32>, now: u32| {
                Ok::<_, String>(between(name, value.map(u64::from), 0, 20)?.map_or(now, |_| value.unwrap_or(now)))
            };
            let time = |name, value, now| {
                Ok::<_, String>(between(name, value, 1, 600_000)?.map_or(now, Duration::from_millis))
            };
            provider.retry = Retry {
                max: count("retry.max", retry.max, provider.retry.max)?,
                rate_limit_max: count("retry.rate_limit_max", retry.rate_limit_max, provider.retry.rate_limit_max)?,
                base: time("retry.base_ms", retry.base_ms, provider.retry.base)?,
                cap: time("retry.cap_ms", retry.cap_ms, provider.retry.cap)?,
            };
        }
        Ok(provider)
    }
}

fn is_variable(name: &str) -> bool {
    name.len() <= 100
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// An address can be used, and a key is not sent in the open.
fn check_url(url: &str, has_key: bool) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").ok_or("base_url is missing, or is no http or https address")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let is_plain =
        rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'%' | b'\\'));
    if !is_plain || authority.is_empty() || authority.starts_with(':') {
        return Err("base_url is an address without a user, a query or a mark".to_owned());
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_here = host == "localhost"
        || host == "::1"
        || host.strip_prefix("127.").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    match scheme {
        "https" => Ok(()),
        "http" if is_here || !has_key => Ok(()),
        "http" => {
            Err("its key would be sent in the open: use https, or key_env = \"\" where it needs no key".to_owned())
        }
        _ => Err("base_url is no http or https address".to_owned()),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;

use super::*;

// S85, E23: what is known needs nothing but its key.
#[test]
fn the_known_ones_need_nothing() {
    let known = Configuration::default();
    let names: Vec<&str> = known.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["anthropic", "openai", "google", "xai", "deepseek", "mistral"]);
    assert_eq!(Configuration::read("").unwrap(), known);
    let model = known.default_model(|provider| provider.name == "google").unwrap();
    assert_eq!(model.to_string(), "google/gemini-2.5-pro");
    assert_eq!(known.default_model(|_| false), None);
    for (number, (kind, name, ..)) in KNOWN.iter().enumerate() {
        assert_eq!((*kind as usize, kind.name()), (number, *name));
    }
    for provider in &known.providers {
        assert_eq!(check_url(&provider.base_url, true), Ok(()));
        let model = format!("{}/{}", provider.name, provider.default_model.as_ref().unwrap());
        assert!(known.prices.of(&model).is_some(), "{model} has a price");
    }
}

#[test]
fn a_file_declares_and_replaces() {
    let read = Configuration::read(
        r#"
        default = "local/qwen3:8b"
        [providers.local]
        kind = "openai_compatible"
        base_url = "http://127.0.0.1:11434/v1/"
        context = 16000
        retry = { max = 1, base_ms = 10 }
        [providers.anthropic]
        key_file = "/home/me/.key"
        enabled = false
        [[prices]]
        model = "local/"
        input = "0"
        output = "0"
        "#,
    )
    .unwrap();
    let local = read.provider("local").unwrap();
    assert_eq!(
        (local.wire, local.base_url.as_str(), &local.key),
        (Wire::Chat, "http://127.0.0.1:11434/v1", &Key::None)
    );
    assert_eq!((local.context, local.retry.max, local.retry.rate_limit_max), (16_000, 1, 8));
    let anthropic = read.provider("anthropic").unwrap();
    assert_eq!((anthropic.kind, anthropic.enabled), (ProviderKind::Anthropic, false));
    assert_eq!(anthropic.key, Key::File("/home/me/.key".to_owned()));
    assert_eq!(read.default_model(|_| true).unwrap().to_string(), "local/qwen3:8b");
    assert_eq!(read.prices.all().filter(|price| price.is_set).count(), 1);
    assert_eq!(read.providers.len(), 7);
}

// S85: what makes no sense is refused, and a key that was written in by mistake is not quoted.
#[test]
fn nonsense_is_refused_without_quoting_it() {
    for wrong in [
        "colour = 1",
        "default = \"x\"",
        "default = \"nobody/x\"",
        "[providers.x]\nbase_url = \"http://127.0.0.1/v1\"",
        "[providers.x]\nkind = \"magic\"",
        "[providers.X]\nkind = \"openai\"",
        "[providers.x]\nkind = \"openai_compatible\"",
        "[providers.x]\nkind = \"openai\"\nbase_url = \"ftp://x\"",
        "[providers.x]\nkind = \"openai\"\nbase_url = \"https://me:pw@x/v1\"",
        "[providers.x]\nkind = \"openai\"\nbase_url = \"http://example.org/v1\"",
        "[providers.x]\nkind = \"openai\"\nkey_env = \"sk-planted-key\"",
        "[providers.x]\nkind = \"openai\"\nkey = \"sk-planted-key\"",
        "[providers.x]\nkind = \"openai\"\nkey_env = \"A\"\nkey_file = \"/x\"",
        "[providers.x]\nkind = \"openai\"\nkey_file = \"relative\"",
        "[providers.x]\nkind = \"openai\"\ntimeout_s = 0",
        "[providers.x]\nkind = \"openai\"\nretry = { max = 100 }",
        "[providers.x]\nkind = \"openai\"\ndefault_model = \"a b\"",
        "[[prices]]\nmodel = \"x\"\ninput = \"-1\"\noutput = \"1\"",
        "providers = 7 \"sk-planted-key",
    ] {
        let error = Configuration::read(wrong).unwrap_err().to_string();
        assert!(!error.contains("sk-planted-key"), "{error}");
    }
}

#[test]
fn a_model_is_named_with_its_provider() {
    let model: ModelName = "openrouter/meta/llama-3:free".parse().unwrap();
    assert_eq!((model.provider.as_str(), model.name.as_str()), ("openrouter", "meta/llama-3:free"));
    for wrong in ["x", "/x", "x/", "X/y", "a/b c", "a/../b", "a/b?c", "a/é"] {
        assert!(wrong.parse::<ModelName>().is_err(), "{wrong}");
    }
}

//! A person who is signed in to every agent, with all of them at a fake model.

use std::{fs, path::Path};

use serde_json::json;

/// Writes into a home what the agents read there. `url` says where the model of an agent listens, by the agent's name.
/// Claude Code takes its own from `ANTHROPIC_BASE_URL`; it and the others take their keys from `ANTHROPIC_API_KEY` and
/// `OPENAI_API_KEY`.
///
/// # Panics
/// When the home cannot be written.
pub fn sign_in(home: &Path, url: impl Fn(&str) -> String) {
    let write = |path: &str, text: String| {
        let path = home.join(path);
        fs::create_dir_all(path.parent().expect("a file in a home has a folder")).expect("folders can be made");
        fs::write(path, text).expect("a file can be written");
    };
    write(
        ".codex/config.toml",
        format!(
            "model = \"gpt-5\"\nmodel_provider = \"fake\"\n[model_providers.fake]\nname = \"fake\"\n\
             base_url = \"{}/v1\"\nwire_api = \"responses\"\nenv_key = \"OPENAI_API_KEY\"\n\
             request_max_retries = 0\nstream_max_retries = 0\n",
            url("codex")
        ),
    );
    let cost = json!({"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0});
    write(
        ".pi/agent/models.json",
        json!({"providers": {"fake": {"baseUrl": format!("{}/v1", url("pi")), "apiKey": "OPENAI_API_KEY",
            "api": "openai-completions", "models": [{"id": "loop-1", "cost": cost, "contextWindow": 100_000,
            "maxTokens": 4_000}]}}})
        .to_string(),
    );
    write(".pi/agent/settings.json", json!({"retry": {"enabled": false}}).to_string());
    write(
        ".config/opencode/opencode.json",
        json!({"provider": {"fake": {"npm": "@ai-sdk/openai-compatible", "name": "fake",
            "options": {"baseURL": format!("{}/v1", url("opencode")), "apiKey": "key-of-the-person-1"},
            "models": {"loop-1": {"name": "loop-1"}}}}})
        .to_string(),
    );
}

//! What a new project is offered: the defaults of L74, the programs of the ecosystems found, and
//! those of the gates it declares. A person saves it, or does not (X18).

use std::collections::BTreeMap;

use super::{ANY_REPO, CommandRule, Decision, Policy, ToolRule, read};

/// Paths that no change may touch: secrets, and what says how the project is proved (X52).
pub(super) const DENIED_PATHS: &[&str] =
    &[".env", ".env.*", "*.key", "*.pem", "id_*", "secrets/**", "proofhouse.toml", ".proofhouse/**"];

/// Content that no change may add.
pub(super) const DENIED_CONTENT: &[&str] = &[
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    r#"(?i)\b[a-z0-9_]*(api_?key|token|secret)\b["']?\s*[:=]\s*["'][A-Za-z0-9+/=_.\-]{16,}["']"#,
];

/// Agents that the starter admits; the first is the one taken where nobody names another.
const AGENTS: &[&str] = &["claude", "codex", "opencode", "pi", "acp", "command", "builtin", "scripted"];

/// What each ecosystem runs its tests and checks with.
const PROGRAMS: &[(&[&str], &[&str])] = &[
    (&["rust", "cargo"], &["cargo"]),
    (
        &["python"],
        &[
            "python",
            "python3",
            "pytest",
            "uv",
            "ruff",
            "mypy",
            "bandit",
            "coverage",
            "./.venv/bin/python",
            "./venv/bin/python",
        ],
    ),
    (&["node", "npm"], &["node", "npm", "npx", "vitest", "jest", "mocha", "playwright", "tsc", "eslint"]),
    (&["go"], &["go"]),
];

impl Policy {
    /// The starter for a project in which these ecosystems were found, by their runners' names, and
    /// whose gates need these programs besides; see [`super::programs_of`].
    pub fn starter<E: AsRef<str>>(ecosystems: &[E], extra_programs: &[String]) -> Self {
        let mut programs: Vec<&str> = Vec::new();
        for (names, their) in PROGRAMS {
            if ecosystems.iter().any(|found| names.contains(&found.as_ref())) {
                programs.extend(*their);
            }
        }
        programs.extend(extra_programs.iter().map(String::as_str).filter(|program| read::program(program).is_ok()));
        let mut commands: Vec<CommandRule> = Vec::new();
        for program in programs {
            if !commands.iter().any(|rule| rule.program == program) {
                commands.push(CommandRule {
                    program: program.to_owned(),
                    args: None,
                    inline: false,
                    decision: Decision::Allow,
                });
            }
        }
        Self {
            allowed_paths: BTreeMap::from([(ANY_REPO.to_owned(), vec![".".to_owned()])]),
            commands,
            // What an agent asks about and no rule names, a person decides.
            tools: vec![ToolRule { tool: "*".to_owned(), decision: Decision::Ask }],
            // A worker's owner says on that machine which of them there are at all (D62).
            agents: AGENTS.iter().map(|agent| (*agent).to_owned()).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    // L74
    #[test]
    fn secrets_are_denied_and_code_is_not() {
        let denied = |text: &str| DENIED_CONTENT.iter().any(|pattern| Regex::new(pattern).unwrap().is_match(text));
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----",
            "id = AKIAIOSFODNN7EXAMPLE",
            "API_KEY = \"abcdefghijklmnop1234\"",
            "\"github_token\": \"ghp_abcdefghijklmnop\"",
            "secret: 'c2VjcmV0IHNlY3JldCBzZWNyZXQ='",
        ] {
            assert!(denied(text), "{text}");
        }
        for text in
            ["let token = next();", "token: \"x\"", "-----BEGIN CERTIFICATE-----", "api_key = os.environ['KEY']"]
        {
            assert!(!denied(text), "{text}");
        }
    }

    // L74, X18: the commands of what was found, and of what is declared, each once.
    #[test]
    fn the_starter_lists_what_was_found() {
        let extra = ["cargo", "bash", "./ci/run", "/bin/sh", "--x"].map(str::to_owned);
        let policy = Policy::starter(&["rust"], &extra);
        let programs: Vec<&str> = policy.commands.iter().map(|rule| rule.program.as_str()).collect();
        assert_eq!(programs, ["cargo", "bash", "./ci/run"]);
        assert!(Policy::starter::<&str>(&[], &[]).commands.is_empty());
    }
}

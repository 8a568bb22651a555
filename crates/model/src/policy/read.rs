//! Reads the document, strictly, naming every wrong value at once (L67).

use std::collections::BTreeMap;

use globset::Glob;
use regex::Regex;
use serde_json::Value;

use super::{ANY_REPO, APPROVAL_WAIT_S, Block, CommandRule, Decision, DispatchRules, Policy, ToolRule};
use crate::{
    dispatch::Apply,
    problem::FieldError,
    proof::{
        form::{Form, below},
        places::inside,
    },
    role::TIMEOUT_MAX_S,
};

/// Entries of any list.
const ENTRIES: usize = 500;
/// Leading arguments of one list.
const TOKENS: usize = 32;
/// Characters of one entry.
const ENTRY: usize = 1_000;

pub(super) fn policy(document: &Value) -> Result<Policy, Vec<FieldError>> {
    let default = Policy::default();
    let mut form = Form::new(document, "");
    let policy = Policy {
        allowed_paths: allowed_paths(&mut form),
        denied_paths: form.set("denied_paths", ENTRIES, glob).unwrap_or(default.denied_paths),
        denied_content: form.set("denied_content", ENTRIES, pattern).unwrap_or(default.denied_content),
        max_changed_files: form
            .number("max_changed_files", 0..=1_000_000)
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default.max_changed_files),
        max_file_bytes: form.number("max_file_bytes", 0..=1 << 40).unwrap_or(default.max_file_bytes),
        max_change_bytes: form.number("max_change_bytes", 0..=1 << 40).unwrap_or(default.max_change_bytes),
        symlinks: form.choice("symlinks", &["inside", "none"]).unwrap_or(default.symlinks),
        commands: commands(&mut form),
        tools: tools(&mut form),
        env_allow: form.set("env_allow", ENTRIES, variable).unwrap_or(default.env_allow),
        network: form.choice("network", &["off", "on"]).unwrap_or(default.network),
        require_sandbox: form.flag("require_sandbox").unwrap_or(default.require_sandbox),
        protected_branches: form.set("protected_branches", ENTRIES, name).unwrap_or(default.protected_branches),
        remotes: form.set("remotes", ENTRIES, name).unwrap_or(default.remotes),
        agents: form.set("agents", ENTRIES, name).unwrap_or(default.agents),
        approvers: form.set("approvers", ENTRIES, name).unwrap_or(default.approvers),
        budget_approvers: form.set("budget_approvers", ENTRIES, name).unwrap_or(default.budget_approvers),
        publish: form.choice("publish", &["auto", "ask", "never"]).unwrap_or(default.publish),
        // Said to be nothing is something else than not said.
        ask_at_risk: match form.has("ask_at_risk") {
            true => form.choice("ask_at_risk", &["low", "medium", "high", "critical"]),
            false => {
                form.value("ask_at_risk");
                default.ask_at_risk
            }
        },
        allow_unproven: form.flag("allow_unproven").unwrap_or(default.allow_unproven),
        dispatch: dispatch(&mut form),
        solve: block(&mut form, "solve"),
        proof: block(&mut form, "proof"),
        eval: block(&mut form, "eval"),
    };
    let errors = form.finish();
    if errors.is_empty() { Ok(policy) } else { Err(errors) }
}

fn allowed_paths(form: &mut Form<'_>) -> BTreeMap<String, Vec<String>> {
    let mut allowed = BTreeMap::new();
    let Some(value) = form.value("allowed_paths") else { return allowed };
    let Some(map) = value.as_object() else {
        form.wrong("allowed_paths", "must be an object from a repository's key (or `*`) to a list of paths");
        return allowed;
    };
    for (repo, paths) in map {
        let at = below(&form.pointer("allowed_paths"), repo);
        if repo != ANY_REPO && name(repo).is_err() {
            form.wrong_at(at, "must be a repository's key, or `*`");
            continue;
        }
        let Some(paths) = paths.as_array().filter(|paths| paths.len() <= ENTRIES) else {
            form.wrong_at(at, format!("must be a list of at most {ENTRIES} paths"));
            continue;
        };
        let mut list: Vec<String> = Vec::with_capacity(paths.len());
        for (number, path) in paths.iter().enumerate() {
            match path.as_str().ok_or_else(|| "must be a text".to_owned()).and_then(prefix) {
                Ok(path) if list.contains(&path) => {}
                Ok(path) => list.push(path),
                Err(message) => form.wrong_at(below(&at, &number.to_string()), message),
            }
        }
        allowed.insert(repo.clone(), list);
    }
    allowed
}

fn commands(form: &mut Form<'_>) -> Vec<CommandRule> {
    let mut rules = Vec::new();
    for (at, item) in form.list("commands", ENTRIES).unwrap_or_default() {
        let mut rule = Form::new(item, at);
        if !item.is_object() {
            form.absorb(rule);
            continue;
        }
        let program = rule.one("program", program);
        let args = rule.list("args", ENTRIES).map(|lists| {
            let mut read = Vec::with_capacity(lists.len());
            for (at, list) in lists {
                let words: Option<Vec<String>> = list
                    .as_array()
                    .filter(|words| !words.is_empty() && words.len() <= TOKENS)
                    .and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
                match words {
                    Some(words) if words.iter().all(|word| word.len() <= ENTRY && !word.contains('\0')) => {
                        read.push(words);
                    }
                    _ => rule.wrong_at(at, format!("must be a list of 1 to {TOKENS} leading arguments")),
                }
            }
            read
        });
        let inline = rule.flag("inline").unwrap_or(false);
        let decision = rule.choice("decision", &["allow", "ask", "deny"]).unwrap_or(Decision::Deny);
        if let Some(program) = program {
            rules.push(CommandRule { program, args, inline, decision });
        }
        form.absorb(rule);
    }
    rules
}

fn tools(form: &mut Form<'_>) -> Vec<ToolRule> {
    let mut rules: Vec<ToolRule> = Vec::new();
    for (at, item) in form.list("tools", ENTRIES).unwrap_or_default() {
        let mut rule = Form::new(item, at);
        if item.is_object() {
            let tool = rule.one("tool", |text| short(text).map(str::to_owned));
            let decision = rule.choice("decision", &["allow", "ask", "deny"]).unwrap_or(Decision::Deny);
            match tool {
                Some(tool) if rules.iter().any(|known| known.tool == tool) => rule.wrong("tool", "is listed twice"),
                Some(tool) => rules.push(ToolRule { tool, decision }),
                None => {}
            }
        }
        form.absorb(rule);
    }
    rules
}

fn dispatch(form: &mut Form<'_>) -> DispatchRules {
    let default = DispatchRules::default();
    let Some(value) = form.value("dispatch") else { return default };
    let mut block = Form::new(value, form.pointer("dispatch"));
    let mode = |text: &str| match text {
        "worktree" => Ok(Apply::Worktree),
        "in_place" => Ok(Apply::InPlace),
        "none" => Ok(Apply::None),
        _ => Err("must be one of worktree, in_place, none".to_owned()),
    };
    let seconds = block.number("max_timeout_s", 1..=TIMEOUT_MAX_S).and_then(|number| u32::try_from(number).ok());
    let rules = DispatchRules {
        apply: block.set("apply", 3, mode).unwrap_or(default.apply),
        allow_delete: block.flag("allow_delete").unwrap_or(default.allow_delete),
        max_cost_micro_usd: block.number("max_cost_micro_usd", 0..=1 << 50),
        max_timeout_s: seconds.unwrap_or(default.max_timeout_s),
        close_on_proof: block.flag("close_on_proof").unwrap_or(default.close_on_proof),
        approval_wait_s: block
            .number("approval_wait_s", 1..=u64::from(APPROVAL_WAIT_S))
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default.approval_wait_s),
    };
    form.absorb(block);
    rules
}

fn block(form: &mut Form<'_>, field: &'static str) -> Block {
    if let Some(value) = form.value(field) {
        form.absorb(Form::new(value, form.pointer(field)));
    }
    Block {}
}

impl Form<'_> {
    /// A text that must be there, read by `parse`.
    fn one<T>(&mut self, field: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let parsed = match self.value(field) {
            None => Err("is required".to_owned()),
            Some(value) => value.as_str().ok_or_else(|| "must be a text".to_owned()).and_then(parse),
        };
        parsed.map_err(|message| self.wrong(field, message)).ok()
    }
}

/// A path to allow, without a slash at its end. The whole repository is `.`.
fn prefix(text: &str) -> Result<String, String> {
    let path = short(text).ok().and_then(inside).ok_or("must be a path inside the repository")?;
    if text.trim().is_empty() {
        return Err("must not be empty: the whole repository is `.`".to_owned());
    }
    let path = path.trim_end_matches('/');
    Ok(if path.is_empty() { ".".to_owned() } else { path.to_owned() })
}

fn glob(text: &str) -> Result<String, String> {
    short(text)?;
    Glob::new(text).map_err(|error| format!("is not a glob: {}", error.kind()))?;
    Ok(text.to_owned())
}

fn pattern(text: &str) -> Result<String, String> {
    short(text)?;
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    built.map(|_: Regex| text.to_owned()).map_err(|_| "is not a regular expression, or too large a one".to_owned())
}

fn variable(text: &str) -> Result<String, String> {
    let fits = (1..=200).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit());
    match fits {
        false => Err("must be the name of an environment value".to_owned()),
        true if text.starts_with("PROOFHOUSE_") => Err("the plane's own values are never handed over".to_owned()),
        true => Ok(text.to_owned()),
    }
}

fn name(text: &str) -> Result<String, String> {
    short(text)?;
    if text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err("must be a name".to_owned());
    }
    Ok(text.to_owned())
}

/// A bare name, a path from the top of the repository, or a package that npx starts.
pub(super) fn program(text: &str) -> Result<String, String> {
    short(text)?;
    let bare = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte));
    let fits = match text.strip_prefix('@') {
        Some(package) => package
            .split_once('/')
            .is_some_and(|(scope, name)| !scope.is_empty() && !name.is_empty() && bare(scope) && bare(name)),
        None if text.contains('/') => inside(text).is_some_and(|path| !path.is_empty() && !path.ends_with('/')),
        None => bare(text) && !text.starts_with('-') && !matches!(text, "." | ".."),
    };
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be a program's bare name, or a path inside the repository".into())
    }
}

fn short(text: &str) -> Result<&str, String> {
    if text.trim().is_empty() {
        Err("must not be blank".to_owned())
    } else if text.chars().nth(ENTRY).is_some() || text.chars().any(char::is_control) {
        Err(format!("must be at most {ENTRY} characters, none of them control characters"))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(document: Value) -> Vec<String> {
        Policy::read(&document).unwrap_err().into_iter().map(|error| error.pointer).collect()
    }

    // L67: an unknown key, a wrong type, a bad glob or expression refuses the whole document, and
    // all of it is named at once.
    #[test]
    fn every_wrong_value_is_named() {
        let document = json!({
            "allowed_paths": {"*": ["src", "../x", "", 3], "web": "src", "-x": []},
            "denied_paths": ["a{", ".env"],
            "denied_content": ["(", "ok"],
            "max_changed_files": -1,
            "max_file_bytes": "1",
            "commands": [
                {"program": "cargo", "args": [["test"], [], "x"], "decision": "maybe"},
                {"args": []},
                {"program": "/bin/sh"},
                {"program": "../x"},
                {"program": "a b", "shell": true},
                "cargo",
            ],
            "env_allow": ["A-B", "PROOFHOUSE_TOKEN", "OK"],
            "network": "maybe",
            "require_sandbox": "yes",
            "dispatch": {"apply": ["mail"], "max_timeout_s": 0, "y": 1},
            "proof": {"x": 1},
            "typo": 1,
        });
        assert_eq!(
            pointers(document),
            [
                "/allowed_paths/*/1",
                "/allowed_paths/*/2",
                "/allowed_paths/*/3",
                "/allowed_paths/web",
                "/allowed_paths/-x",
                "/denied_paths/0",
                "/denied_content/0",
                "/max_changed_files",
                "/max_file_bytes",
                "/commands/0/args/1",
                "/commands/0/args/2",
                "/commands/0/decision",
                "/commands/1/program",
                "/commands/2/program",
                "/commands/3/program",
                "/commands/4/program",
                "/commands/4/shell",
                "/commands/5",
                "/env_allow/0",
                "/env_allow/1",
                "/network",
                "/require_sandbox",
                "/dispatch/max_timeout_s",
                "/dispatch/apply/0",
                "/dispatch/y",
                "/proof/x",
                "/typo",
            ]
        );
        assert_eq!(pointers(json!([])), [""]);
    }

    // X17: a rule that does not say what becomes of a command denies it.
    #[test]
    fn a_rule_without_a_decision_denies() {
        let policy = Policy::read(&json!({"commands": [{"program": "cargo"}], "ask_at_risk": null})).unwrap();
        assert_eq!((policy.commands[0].decision, policy.ask_at_risk), (Decision::Deny, None));
    }

    #[test]
    fn paths_are_normalised() {
        let policy = Policy::read(&json!({"allowed_paths": {"*": ["./src//", ".", "src"]}})).unwrap();
        assert_eq!(policy.allowed_paths["*"], ["src", "."]);
    }
}

//! A home of its own for each session, with the login the agent needs and nothing else of the person
//! who runs the worker (S76, L23).

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use exec::redact::looks_secret;
use model::worker;
use serde_json::Value;

use crate::{agent::Agent, beneath};

/// The largest file of a login.
const FILE: u64 = 1 << 20;
/// A shorter text is no key.
const SECRET: usize = 16;

/// A file of an agent's login or settings, below the person's home.
#[derive(Debug, Clone, Copy)]
pub struct LoginFile {
    /// Where it lies.
    pub path: &'static str,
    /// The agent renews what is in it: then it is the person's own file, by a link, so that the person
    /// stays signed in. Otherwise a copy.
    pub is_shared: bool,
}

/// What a home holds of the person's.
#[derive(Debug, Default)]
pub(crate) struct Login {
    /// The shared files themselves: the fence lets them be written.
    pub(crate) shared: Vec<PathBuf>,
    /// Keys in them, which the redactor has to know.
    pub(crate) secrets: Vec<(String, String)>,
}

/// Whether an agent's program is signed in, as far as that shows without starting it; nothing where it needs no
/// login, or its adapter does not know how that is done. Reads no file.
pub(crate) fn found(agent: &Agent, environment: &BTreeMap<String, String>) -> Option<worker::Login> {
    let adapter = agent.kind.adapter()?;
    let is_key = |name: &str| name.ends_with("_KEY") || name.ends_with("_TOKEN");
    let mut keys = adapter.login_names().iter().copied().filter(|name| is_key(name)).peekable();
    let mut files = adapter.login_files().iter().filter(|file| file.is_shared).peekable();
    if keys.peek().is_none() && files.peek().is_none() {
        return None;
    }
    if let Some(name) = keys.find(|name| environment.get(*name).is_some_and(|value| !value.trim().is_empty())) {
        return Some(worker::Login::Variable { name: name.to_owned() });
    }
    let home = environment.get("HOME").map(Path::new);
    let lies = |file: &&LoginFile| {
        let facts = home.and_then(|home| home.join(file.path).metadata().ok());
        facts.is_some_and(|facts| facts.is_file() && facts.len() > 0)
    };
    Some(
        files
            .find(lies)
            .map_or(worker::Login::Nothing, |file| worker::Login::File { path: format!("~/{}", file.path) }),
    )
}

/// Lays the files of a login into a home.
pub(crate) fn lay(files: &[LoginFile], environment: &BTreeMap<String, String>, home: &Path) -> io::Result<Login> {
    let mut login = Login::default();
    let Some(person) = environment.get("HOME").map(PathBuf::from).filter(|person| person.is_absolute()) else {
        return Ok(login);
    };
    for file in files {
        // The person may keep settings behind links; these are theirs to make.
        let Ok(source) = person.join(file.path).canonicalize() else { continue };
        let Ok(facts) = source.metadata() else { continue };
        if !facts.is_file() || facts.len() > FILE || source.starts_with(home) {
            continue;
        }
        let bytes = std::fs::read(&source)?;
        if let Ok(document) = serde_json::from_slice(&bytes) {
            secrets_in("login", &document, &mut login.secrets);
        }
        if file.is_shared {
            beneath::link(home, file.path, &source)?;
            login.shared.push(source);
        } else {
            beneath::write(home, file.path, &bytes, 0o600)?;
        }
    }
    Ok(login)
}

/// The values of a document whose names say that they are secret.
fn secrets_in(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if text.len() >= SECRET && (looks_secret(name) || matches!(name, "access" | "refresh")) => {
            found.push((name.to_owned(), text.clone()));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| secrets_in(name, value, found)),
        Value::Array(items) => items.iter().for_each(|value| secrets_in(name, value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Kind;

    // S100: a key goes before a file; nothing is said where nothing is needed, and never what the login is.
    #[test]
    fn a_login_is_seen_without_being_read() {
        let home = tempfile::tempdir().unwrap();
        let at_home = ("HOME".to_owned(), home.path().display().to_string());
        let environment =
            |key: &str| BTreeMap::from([at_home.clone(), ("ANTHROPIC_API_KEY".to_owned(), key.to_owned())]);
        let claude = Agent::of(Kind::Claude);
        assert_eq!(found(&claude, &environment(" ")), Some(worker::Login::Nothing));
        std::fs::create_dir(home.path().join(".claude")).unwrap();
        std::fs::write(home.path().join(".claude/.credentials.json"), "{}").unwrap();
        let file = worker::Login::File { path: "~/.claude/.credentials.json".to_owned() };
        assert_eq!(found(&claude, &environment("")), Some(file));
        let key = worker::Login::Variable { name: "ANTHROPIC_API_KEY".to_owned() };
        assert_eq!(found(&claude, &environment("sk-x")), Some(key));
        for kind in [Kind::Scripted, Kind::Builtin, Kind::Command, Kind::Acp] {
            assert_eq!(found(&Agent::of(kind), &environment("sk-x")), None, "{kind:?}");
        }
    }

    // S76: named files only; a shared one is the person's own, a copied one is not.
    #[test]
    fn a_home_has_the_login_and_nothing_else() {
        let (person, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, text) in [
            (".agent/auth.json", r#"{"tokens":{"access_token":"aaaabbbbccccdddd","kind":"oauth"}}"#),
            (".agent/config.toml", "model = 1"),
            (".agent/history.jsonl", "private"),
            (".ssh/id", "private"),
        ] {
            let path = person.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = [
            LoginFile { path: ".agent/auth.json", is_shared: true },
            LoginFile { path: ".agent/config.toml", is_shared: false },
            LoginFile { path: ".agent/absent", is_shared: false },
        ];
        let environment = BTreeMap::from([("HOME".to_owned(), person.path().display().to_string())]);
        let login = lay(&files, &environment, home.path()).unwrap();
        assert_eq!(login.secrets, [("access_token".to_owned(), "aaaabbbbccccdddd".to_owned())]);
        std::fs::write(home.path().join(".agent/auth.json"), "renewed").unwrap();
        std::fs::write(home.path().join(".agent/config.toml"), "changed").unwrap();
        assert_eq!(std::fs::read_to_string(person.path().join(".agent/auth.json")).unwrap(), "renewed");
        assert_eq!(std::fs::read_to_string(person.path().join(".agent/config.toml")).unwrap(), "model = 1");
        let names: Vec<_> =
            std::fs::read_dir(home.path().join(".agent")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(login.shared, [person.path().canonicalize().unwrap().join(".agent/auth.json")]);
        // A second session in the same home finds its login again.
        lay(&files, &environment, home.path()).unwrap();
        assert_eq!(std::fs::read_to_string(home.path().join(".agent/config.toml")).unwrap(), "model = 1");
    }
}

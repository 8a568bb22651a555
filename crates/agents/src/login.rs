//! A home of its own for each session, with the login the agent needs and nothing else of the person
//! who runs the worker (S76, L23).

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use exec::redact::looks_secret;
use serde_json::Value;

use crate::beneath;

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

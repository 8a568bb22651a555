//! Keys: out of the environment, or a file that only its owner can read (S85).

use std::{collections::BTreeMap, fmt, fs, io::Read as _, os::unix::fs::PermissionsExt as _};

use model::provider::{Key, Provider};

/// The largest file of a key.
const FILE: u64 = 16 << 10;

/// A key. It prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The key itself: for a header, or for a redactor to look for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a key cannot be used; never with a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRefused {
    /// There is none.
    Missing {
        /// Where it was looked for.
        wanted: String,
    },
    /// It may not be used as it is.
    Unusable {
        /// Why.
        why: String,
    },
}

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { wanted } => write!(f, "no key: {wanted}"),
            Self::Unusable { why } => f.write_str(why),
        }
    }
}

/// A provider's key as it is now; nothing where it needs none.
///
/// # Errors
/// When it is missing, or must not be used.
pub fn key_of(provider: &Provider, environment: &BTreeMap<String, String>) -> Result<Option<Secret>, KeyRefused> {
    let text = match &provider.key {
        Key::None => return Ok(None),
        Key::Env(name) => {
            let value = environment.get(name).map(String::as_str).map(str::trim).unwrap_or_default();
            if value.is_empty() {
                return Err(KeyRefused::Missing { wanted: format!("the environment has no {name}") });
            }
            value.to_owned()
        }
        Key::File(path) => read(path)?,
    };
    // It becomes a header.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(Secret(text)))
    } else {
        Err(KeyRefused::Unusable { why: format!("the key of {} holds what no key holds", provider.name) })
    }
}

fn read(path: &str) -> Result<String, KeyRefused> {
    let unusable = |why: String| KeyRefused::Unusable { why: format!("the key file {path} cannot be used: {why}") };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyRefused::Missing { wanted: format!("there is no file {path}") });
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    // Of the open file, so that what is looked at is what is read.
    let facts = file.metadata().map_err(|error| unusable(error.to_string()))?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(unusable(format!("others can read it; chmod 600 {path}")));
    }
    if !facts.is_file() || facts.len() > FILE {
        return Err(unusable("it is no small file".to_owned()));
    }
    let mut text = String::new();
    file.take(FILE).read_to_string(&mut text).map_err(|_| unusable("it is no text".to_owned()))?;
    let text = text.trim().to_owned();
    if text.is_empty() { Err(KeyRefused::Missing { wanted: format!("{path} is empty") }) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use model::provider::ProviderKind;

    use super::*;

    // S85, E23: a variable, empty means absent; a file for its owner only, and nothing of it is told.
    #[test]
    fn a_key_comes_from_where_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key").display().to_string();
        let mut provider = Provider::of(ProviderKind::Anthropic);
        let mut environment = BTreeMap::new();
        assert!(matches!(key_of(&provider, &environment), Err(KeyRefused::Missing { .. })));
        environment.insert("ANTHROPIC_API_KEY".to_owned(), " ".to_owned());
        assert!(matches!(key_of(&provider, &environment), Err(KeyRefused::Missing { .. })));
        environment.insert("ANTHROPIC_API_KEY".to_owned(), "the-key\n".to_owned());
        assert_eq!(key_of(&provider, &environment).unwrap().unwrap().expose(), "the-key");
        provider.key = Key::File(path.clone());
        assert!(key_of(&provider, &environment).unwrap_err().to_string().contains("there is no file"));
        let put = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        put("planted-secret\n", 0o600);
        let secret = key_of(&provider, &environment).unwrap().unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}").contains("planted")), ("planted-secret", false));
        for mode in [0o640, 0o604, 0o660, 0o620] {
            put("planted-secret", mode);
            let refused = key_of(&provider, &environment).unwrap_err().to_string();
            assert!(refused.contains("chmod 600") && !refused.contains("planted"), "{refused}");
        }
        put("two\nlines", 0o600);
        assert!(matches!(key_of(&provider, &environment), Err(KeyRefused::Unusable { .. })));
        provider.key = Key::None;
        assert_eq!(key_of(&provider, &environment), Ok(None));
    }
}

//! The words of a `uv run`: which are options, which are their values, where the payload begins
//! (L39, L46-L48, L57). The lists follow uv 0.13; a newer option is one entry in one list.

use super::{Refusal, Refused, split_option};

/// Options that take a value (L46).
const WITH_VALUE: &[&str] = &[
    "--extra",
    "--no-extra",
    "--group",
    "--no-group",
    "--only-group",
    "--env-file",
    "--with",
    "--with-editable",
    "--with-requirements",
    "--no-editable-package",
    "--package",
    "--python-platform",
    "--index",
    "--default-index",
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--index-strategy",
    "--keyring-provider",
    "--upgrade-package",
    "--upgrade-group",
    "--resolution",
    "--prerelease",
    "--prerelease-package",
    "--fork-strategy",
    "--exclude-newer",
    "--exclude-newer-package",
    "--no-sources-package",
    "--reinstall-package",
    "--link-mode",
    "--config-setting",
    "--config-settings-package",
    "--no-build-isolation-package",
    "--no-build-package",
    "--no-binary-package",
    "--cache-dir",
    "--refresh-package",
    "--python",
    "--color",
    "--allow-insecure-host",
    "--directory",
    "--project",
    "--config-file",
];

/// Options that take none (L47).
const FLAGS: &[&str] = &[
    "--all-extras",
    "--all-groups",
    "--no-dev",
    "--only-dev",
    "--dev",
    "--no-default-groups",
    "--module",
    "--script",
    "--gui-script",
    "--no-editable",
    "--exact",
    "--no-env-file",
    "--isolated",
    "--active",
    "--no-sync",
    "--locked",
    "--frozen",
    "--all-packages",
    "--no-project",
    "--no-index",
    "--upgrade",
    "--no-sources",
    "--reinstall",
    "--compile-bytecode",
    "--no-build",
    "--no-build-isolation",
    "--no-binary",
    "--no-cache",
    "--refresh",
    "--managed-python",
    "--no-managed-python",
    "--no-python-downloads",
    "--quiet",
    "--verbose",
    "--system-certs",
    "--native-tls",
    "--offline",
    "--no-progress",
    "--no-config",
    "--require-build-hashes",
    "--no-require-build-hashes",
];

/// Short names of options with a value.
const SHORT_WITH_VALUE: &[(char, &str)] = &[
    ('w', "--with"),
    ('i', "--index-url"),
    ('f', "--find-links"),
    ('P', "--upgrade-package"),
    ('C', "--config-setting"),
    ('p', "--python"),
];

/// Short names of options without.
const SHORT_FLAGS: &[(char, &str)] = &[
    ('m', "--module"),
    ('s', "--script"),
    ('U', "--upgrade"),
    ('n', "--no-cache"),
    ('q', "--quiet"),
    ('v', "--verbose"),
];

/// An option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// Its long name.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: Option<String>,
}

/// The parts of an argv that begins with uv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// Where the verb stands.
    pub(super) verb_at: usize,
    /// The options before and after it.
    pub(super) options: Vec<Given>,
    /// Where the payload begins; the end of the argv where there is none.
    pub(super) payload_at: usize,
}

impl Words {
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.name == name)
    }

    pub(super) fn has_value(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|given| given == value)
    }

    pub(super) fn values<'w>(&'w self, name: &'w str) -> impl Iterator<Item = &'w str> {
        self.options.iter().filter(move |option| option.name == name).filter_map(|option| option.value.as_deref())
    }
}

/// Splits an argv whose program is uv.
pub(super) fn split(argv: &[String]) -> Result<Words, Refused> {
    let mut options = Vec::new();
    let verb_at = segment(argv, 1, &mut options)?;
    let verb_at = if argv.get(verb_at).is_some_and(|word| word == "--") { argv.len() } else { verb_at };
    if argv.get(verb_at).is_none_or(|verb| verb != "run") {
        // The lists are those of `uv run`; other verbs are judged by their names.
        return Ok(Words { verb_at, options, payload_at: argv.len().min(verb_at + 1) });
    }
    let mut payload_at = segment(argv, verb_at + 1, &mut options)?.min(argv.len());
    if argv.get(payload_at).is_some_and(|word| word == "--") {
        payload_at += 1;
    }
    Ok(Words { verb_at, options, payload_at })
}

/// Reads options from a place on; the place of the first word that is none.
fn segment(argv: &[String], from: usize, options: &mut Vec<Given>) -> Result<usize, Refused> {
    let mut at = from;
    while let Some(word) = argv.get(at) {
        if word == "--" || word == "-" || !word.starts_with('-') {
            break;
        }
        at += if word.starts_with("--") { long(argv, at, options)? } else { short(argv, at, options)? };
    }
    Ok(at)
}

/// Reads a long option; how many words it is.
fn long(argv: &[String], at: usize, options: &mut Vec<Given>) -> Result<usize, Refused> {
    let (name, attached) = split_option(&argv[at]);
    if let Some(&name) = WITH_VALUE.iter().find(|known| **known == name) {
        let (value, words) = value_of(argv, at, name, attached)?;
        options.push(Given { name, value: Some(value) });
        return Ok(words);
    }
    match FLAGS.iter().find(|known| **known == name) {
        Some(&name) if attached.is_none() => {
            options.push(Given { name, value: None });
            Ok(1)
        }
        _ => Err(unknown(&argv[at])),
    }
}

/// Reads a cluster of short options; how many words it is.
fn short(argv: &[String], at: usize, options: &mut Vec<Given>) -> Result<usize, Refused> {
    let word = &argv[at];
    for (place, letter) in word[1..].char_indices() {
        if let Some((_, name)) = SHORT_FLAGS.iter().find(|(known, _)| *known == letter) {
            options.push(Given { name, value: None });
        } else if let Some((_, name)) = SHORT_WITH_VALUE.iter().find(|(known, _)| *known == letter) {
            let attached = &word[1 + place + letter.len_utf8()..];
            let attached = attached.strip_prefix('=').unwrap_or(attached);
            let attached = (!attached.is_empty()).then_some(attached);
            let (value, words) = value_of(argv, at, name, attached)?;
            options.push(Given { name, value: Some(value) });
            return Ok(words);
        } else {
            return Err(unknown(word));
        }
    }
    Ok(1)
}

fn value_of(argv: &[String], at: usize, name: &str, attached: Option<&str>) -> Result<(String, usize), Refused> {
    match (attached, argv.get(at + 1)) {
        (Some(value), _) => Ok((value.to_owned(), 1)),
        (None, Some(value)) => Ok((value.clone(), 2)),
        (None, None) => Err(Refused::new(
            Refusal::UnknownOption,
            format!("uv's option {name} lacks its value: add it, or take the option out"),
        )),
    }
}

fn unknown(word: &str) -> Refused {
    let text =
        format!("uv's option {word} is not known here: take it out, or put it behind the program if it belongs there");
    Refused::new(Refusal::UnknownOption, text)
}

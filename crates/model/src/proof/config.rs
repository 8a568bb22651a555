//! The project's `proofhouse.toml`: one strict parser (X52, P61).
//!
//! An unknown key, a wrong type or a wrong value is an error with its line and column, and the whole
//! file is refused: defaults are never guessed in the place of something that was written. Policy and
//! merge gate settings are not read from the repository at all.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use toml::Spanned;

use super::{
    gate::{GateHow, GateName, ParserSpec, TIMEOUT_CEILING_S},
    places::inside,
    results::{FindingLevel, ParserKind},
};
use crate::limits;

/// The file's name, at the root of the repository.
pub const FILE: &str = "proofhouse.toml";
/// The runners that a gate may name.
pub const RUNNERS: [&str; 5] = ["rust", "python", "node", "go", "command"];

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, utoipa::ToSchema)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong and what was expected.
    pub message: String,
}

/// What the file says. The default is an absent file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectConfig {
    /// What people call the project.
    pub name: Option<String>,
    /// `[proof]`.
    pub proof: ProofConfig,
}

/// `[proof]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProofConfig {
    /// Globs of untracked paths that are no part of the tree.
    pub tree_ignore: Vec<String>,
    /// A command that is run once before the gates.
    pub prepare: Option<Vec<String>>,
    /// What routes, APIs, components and tags are made of.
    pub scope: ScopeMaps,
    /// `[proof.gates.NAME]`.
    pub gates: BTreeMap<GateName, GateConfig>,
}

/// `[proof.scope]`: from a value of a dimension to the files it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeMaps {
    /// Routes.
    pub routes: BTreeMap<String, Vec<String>>,
    /// APIs, as `METHOD /path`.
    pub apis: BTreeMap<String, Vec<String>>,
    /// Components.
    pub components: BTreeMap<String, Vec<String>>,
    /// Tags.
    pub tags: BTreeMap<String, Vec<String>>,
}

/// `[proof.gates.NAME]`, validated; absent keys are left to the catalogue and to detection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateConfig {
    /// What people call it.
    pub title: Option<String>,
    /// What it proves.
    pub meaning: Option<String>,
    /// Who looks.
    pub how: Option<GateHow>,
    /// One of [`RUNNERS`].
    pub runner: Option<String>,
    /// The command, element by element; no shell.
    pub argv: Vec<String>,
    /// Where it runs, relative and inside the repository.
    pub cwd: String,
    /// Names of environment values to hand over.
    pub env: Vec<String>,
    /// The time limit.
    pub timeout_s: Option<u32>,
    /// Where and how results are read.
    pub parser: Option<ParserSpec>,
    /// Codes that pass.
    pub pass_exit: Option<Vec<i32>>,
    /// Codes that leave the answer to the results.
    pub ok_exit: Vec<i32>,
    /// Codes that say that nothing was checked.
    pub unproven_exit: Vec<i32>,
    /// Whether it may be started again after its worker was lost.
    pub repeat: Option<bool>,
    /// Whether it runs alone.
    pub exclusive: Option<bool>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// What a reviewer ticks.
    pub checklist: Vec<String>,
    /// What one command may cost.
    pub cost_micro_usd: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawFile {
    project: RawProject,
    proof: RawProof,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawProject {
    name: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawProof {
    tree_ignore: Vec<Spanned<String>>,
    prepare: Option<Spanned<Vec<String>>>,
    scope: Option<Spanned<ScopeMaps>>,
    gates: BTreeMap<Spanned<String>, RawGate>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawGate {
    title: Option<Spanned<String>>,
    meaning: Option<Spanned<String>>,
    how: Option<GateHow>,
    runner: Option<Spanned<String>>,
    argv: Option<Spanned<Vec<String>>>,
    cwd: Option<Spanned<String>>,
    env: Vec<Spanned<String>>,
    timeout_s: Option<Spanned<i64>>,
    parser: Option<Spanned<RawParser>>,
    pass_exit: Option<Spanned<Vec<i32>>>,
    ok_exit: Vec<i32>,
    unproven_exit: Vec<i32>,
    repeat: Option<bool>,
    exclusive: Option<bool>,
    enabled: Option<bool>,
    checklist: Vec<Spanned<String>>,
    cost_micro_usd: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParser {
    kind: ParserKind,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    fail_on: FindingLevel,
}

type Wrong = (Range<usize>, String);

impl ProjectConfig {
    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let error = |text: &[u8], at: usize, message: String| {
            let (line, column) = position(text, at);
            ConfigError { file: FILE.to_owned(), line, column, message }
        };
        if bytes.len() as u64 > limits::CONFIG_FILE {
            return Err(error(b"", 0, format!("the file is larger than {} KiB", limits::CONFIG_FILE >> 10)));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|invalid| error(bytes, invalid.valid_up_to(), "the file is not UTF-8".to_owned()))?;
        let raw: RawFile = toml::from_str(text).map_err(|wrong| {
            let at = wrong.span().map_or(0, |span| span.start);
            error(bytes, at, in_plain_words(wrong.message()))
        })?;
        validated(raw).map_err(|(span, message)| error(bytes, span.start, message))
    }
}

/// What the TOML reader says, in words that people who write the file use.
fn in_plain_words(said: &str) -> String {
    let said = said.trim().replace('\n', "; ");
    let said = said.replace("expected a sequence", r#"expected a list, such as ["./check", "--all"]"#);
    said.replace("invalid type: sequence", "invalid type: list").replace("invalid type: map", "invalid type: table")
}

/// Line and column, from 1, in characters.
fn position(text: &[u8], at: usize) -> (u32, u32) {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    // Continuation bytes belong to the character before them.
    let column = before[start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

fn validated(raw: RawFile) -> Result<ProjectConfig, Wrong> {
    let name = raw.project.name.map(|name| line(name, 200)).transpose()?;
    let mut proof = ProofConfig::default();
    for glob in raw.proof.tree_ignore {
        let span = glob.span();
        globset::Glob::new(glob.get_ref()).map_err(|bad| (span, format!("not a glob: {}", bad.kind())))?;
        proof.tree_ignore.push(glob.into_inner());
    }
    proof.prepare = raw.proof.prepare.map(argv).transpose()?;
    if let Some(scope) = raw.proof.scope {
        let span = scope.span();
        let maps = scope.into_inner();
        for map in [&maps.routes, &maps.apis, &maps.components, &maps.tags] {
            for (value, files) in map {
                if let Some(bad) = files.iter().find(|file| inside(file).is_none()) {
                    return Err((span, format!("{value:?}: {bad:?} is not a path or glob inside the repository")));
                }
            }
        }
        proof.scope = maps;
    }
    if raw.proof.gates.len() > limits::GATES {
        let span = raw.proof.gates.keys().next().map_or(0..0, Spanned::span);
        return Err((span, format!("at most {} gates can be declared", limits::GATES)));
    }
    for (name, gate) in raw.proof.gates {
        let key = name.get_ref().parse::<GateName>().map_err(|bad| (name.span(), bad.to_string()))?;
        let gate = gate_config(name.span(), gate)?;
        proof.gates.insert(key, gate);
    }
    Ok(ProjectConfig { name, proof })
}

fn gate_config(whole: Range<usize>, raw: RawGate) -> Result<GateConfig, Wrong> {
    let mut gate = GateConfig {
        title: raw.title.map(|text| line(text, 200)).transpose()?,
        meaning: raw.meaning.map(|text| line(text, 500)).transpose()?,
        how: raw.how,
        ok_exit: raw.ok_exit,
        unproven_exit: raw.unproven_exit,
        repeat: raw.repeat,
        exclusive: raw.exclusive,
        enabled: raw.enabled,
        cost_micro_usd: raw.cost_micro_usd,
        ..GateConfig::default()
    };
    if let Some(argv_given) = raw.argv {
        gate.argv = argv(argv_given)?;
    }
    if let Some(runner) = raw.runner {
        if !RUNNERS.contains(&runner.get_ref().as_str()) {
            let words = format!("unknown runner {:?}; expected one of {}", runner.get_ref(), RUNNERS.join(", "));
            return Err((runner.span(), words));
        }
        let is_command = runner.get_ref() == "command";
        if is_command && gate.argv.is_empty() {
            return Err((runner.span(), "runner \"command\" needs argv".to_owned()));
        }
        if !is_command && !gate.argv.is_empty() {
            return Err((runner.span(), "argv belongs to runner \"command\" only".to_owned()));
        }
        gate.runner = Some(runner.into_inner());
    }
    if gate.how == Some(GateHow::Review) && (gate.runner.is_some() || !gate.argv.is_empty()) {
        return Err((whole, "a review gate has neither runner nor argv".to_owned()));
    }
    if let Some(cwd) = raw.cwd {
        let path = inside(cwd.get_ref()).ok_or((cwd.span(), "cwd leads out of the repository".to_owned()))?;
        gate.cwd = path.trim_end_matches('/').to_owned();
    }
    for name in raw.env {
        let mut bytes = name.get_ref().bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err((name.span(), "env lists names of environment values, not values".to_owned()));
        }
        gate.env.push(name.into_inner());
    }
    if let Some(timeout) = raw.timeout_s {
        let seconds = u32::try_from(*timeout.get_ref()).ok().filter(|s| (1..=TIMEOUT_CEILING_S).contains(s));
        gate.timeout_s =
            Some(seconds.ok_or((timeout.span(), format!("timeout_s must be from 1 to {TIMEOUT_CEILING_S}")))?);
    }
    if let Some(parser) = raw.parser {
        gate.parser = Some(parser_spec(parser)?);
        if gate.argv.is_empty() {
            return Err((whole, "parser belongs to a gate with argv".to_owned()));
        }
    }
    if let Some(codes) = raw.pass_exit {
        if codes.get_ref().is_empty() {
            return Err((codes.span(), "pass_exit must name at least one exit code".to_owned()));
        }
        gate.pass_exit = Some(codes.into_inner());
    }
    if raw.checklist.len() > 50 {
        return Err((whole, "a checklist has at most 50 items".to_owned()));
    }
    for item in raw.checklist {
        gate.checklist.push(line(item, 500)?);
    }
    Ok(gate)
}

fn parser_spec(raw: Spanned<RawParser>) -> Result<ParserSpec, Wrong> {
    let span = raw.span();
    let RawParser { kind, path, fail_on } = raw.into_inner();
    let needs_path = matches!(kind, ParserKind::Junit | ParserKind::Sarif | ParserKind::JestJson);
    let takes_path = needs_path || kind == ParserKind::Tap;
    match &path {
        None if needs_path => return Err((span, format!("parser {} needs a path", kind.as_str()))),
        Some(_) if !takes_path => {
            return Err((span, format!("parser {} reads the output and takes no path", kind.as_str())));
        }
        Some(path) if inside(path.strip_prefix("{out}/").unwrap_or(path)).is_none() => {
            return Err((span, "the results path leads out of the repository".to_owned()));
        }
        _ => {}
    }
    Ok(ParserSpec { kind, path, fail_on })
}

fn line(text: Spanned<String>, most: usize) -> Result<String, Wrong> {
    let span = text.span();
    super::form::Text::line(most).check(text.get_ref()).map_err(|message| (span, message))?;
    Ok(text.into_inner())
}

fn argv(argv: Spanned<Vec<String>>) -> Result<Vec<String>, Wrong> {
    let span = argv.span();
    let elements = argv.into_inner();
    if elements.first().is_none_or(|program| program.trim().is_empty()) {
        return Err((span, "argv must start with a program".to_owned()));
    }
    if elements.len() > 256 || elements.iter().any(|element| element.len() > 4096 || element.contains('\0')) {
        return Err((span, "argv has at most 256 elements of at most 4096 bytes, without NUL".to_owned()));
    }
    if elements[0].contains("{test}") {
        return Err((span, "{test} cannot be the program".to_owned()));
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(text: &str) -> (u32, u32, String) {
        let error = ProjectConfig::parse(text.as_bytes()).unwrap_err();
        (error.line, error.column, error.message)
    }

    #[test]
    fn the_example_of_the_handbook_is_read() {
        // X52
        let text = r#"
            [project]
            name = "shop"
            [proof]
            tree_ignore = ["tmp/**"]
            [proof.scope]
            routes = { "/login" = ["web/login/**"] }
            [proof.gates.contract]
            runner = "command"
            argv = ["./ci/contract", "--only", "{test}", "--junit", "{out}/r.xml"]
            cwd = "api"
            env = ["DATABASE_URL"]
            timeout_s = 300
            parser = { kind = "junit", path = "{out}/r.xml" }
            pass_exit = [0]
            repeat = true
            exclusive = false
        "#;
        let config = ProjectConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.name.as_deref(), Some("shop"));
        let gate = &config.proof.gates[&"contract".parse::<GateName>().unwrap()];
        assert_eq!((gate.argv.len(), gate.cwd.as_str(), gate.timeout_s), (5, "api", Some(300)));
        assert_eq!(gate.parser.as_ref().unwrap().kind, ParserKind::Junit);
        assert_eq!(config.proof.scope.routes["/login"], ["web/login/**"]);
        assert_eq!(ProjectConfig::parse(b"").unwrap(), ProjectConfig::default());
    }

    #[test]
    fn the_file_of_this_repository_is_valid() {
        let config = ProjectConfig::parse(include_bytes!("../../../../proofhouse.toml")).unwrap();
        assert!(config.proof.gates.contains_key(&"unit".parse::<GateName>().unwrap()));
    }

    /// P61: line, column, what was expected.
    #[test]
    fn every_error_says_where_and_what() {
        let (line, column, message) = wrong("[proof]\ntree_ignor = []\n");
        assert_eq!((line, column), (2, 1));
        assert!(message.contains("tree_ignore"), "{message}");
        let (line, _, message) = wrong("[proof.gates.unit]\ntimeout_s = \"5\"\n");
        assert_eq!(line, 2);
        assert!(message.contains("integer") || message.contains("i64"), "{message}");
        #[rustfmt::skip]
        let table = [
            ("x = [", 1),
            ("[proofs]\n", 1),
            ("[proof]\nstaleness = \"advisory\"\n", 2),               // P60: not from the repository
            ("[[requirements]]\ntitle = \"x\"\n", 1),
            ("\n\n[proof.gates.Unit]\n", 3),
            ("[proof.gates.unit]\nrunner = \"cobol\"\n", 2),
            ("[proof.gates.unit]\nrunner = \"command\"\n", 2),
            ("[proof.gates.unit]\nargv = []\n", 2),
            ("[proof.gates.unit]\nargv = \"make test\"\n", 2),
            ("[proof.gates.unit]\nargv = [\"{test}\"]\n", 2),
            ("[proof.gates.unit]\nrunner = \"rust\"\nargv = [\"x\"]\n", 2),
            ("[proof.gates.unit]\ncwd = \"../x\"\n", 2),
            ("[proof.gates.unit]\ncwd = \"/etc\"\n", 2),
            ("[proof.gates.unit]\nenv = [\"A=b\"]\n", 2),
            ("[proof.gates.unit]\ntimeout_s = 7201\n", 2),
            ("[proof.gates.unit]\ntimeout_s = 0\n", 2),
            ("[proof.gates.unit]\nargv = [\"x\"]\nparser = { kind = \"junit\" }\n", 3),
            ("[proof.gates.unit]\nargv = [\"x\"]\nparser = { kind = \"exit\", path = \"a\" }\n", 3),
            ("[proof.gates.unit]\nargv = [\"x\"]\nparser = { kind = \"junit\", path = \"../a\" }\n", 3),
            ("[proof.gates.unit]\nargv = [\"x\"]\nparser = { kind = \"xml\", path = \"a\" }\n", 3),
            ("[proof.gates.unit]\nargv = [\"x\"]\npass_exit = []\n", 3),
            ("[proof.gates.demo]\nhow = \"review\"\nargv = [\"x\"]\n", 1),
            ("[proof]\ntree_ignore = [\"a{\"]\n", 2),
            ("[proof.scope]\nroutes = { \"/\" = [\"../x\"] }\n", 1),
            ("[project]\nname = \" \"\n", 2),
        ];
        for (text, expected) in table {
            let (line, column, message) = wrong(text);
            assert_eq!(line, expected, "{text}: {message}");
            assert!(column >= 1 && !message.is_empty());
        }
        let error = ProjectConfig::parse(b"[project]\nname = \"\xff\"").unwrap_err();
        assert_eq!((error.line, error.column), (2, 9));
        assert_eq!(error.to_string(), "proofhouse.toml:2:9: the file is not UTF-8");
        assert!(ProjectConfig::parse(&vec![b'#'; 300 << 10]).is_err());
    }

    proptest! {
        /// F24: foreign bytes never panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ProjectConfig::parse(&bytes);
        }

        /// F24: cut anywhere, the example is read or refused with a place inside it.
        #[test]
        fn a_cut_file_is_read_or_refused(at in 0usize..120) {
            let text = "[proof.gates.a]\nrunner = \"command\"\nargv = [\"x\", \"é\"]\nparser = { kind = \"tap\" }\nenv = [\"A\"]\n[proof]\n";
            let cut = &text.as_bytes()[..at.min(text.len())];
            if let Err(error) = ProjectConfig::parse(cut) {
                prop_assert!(error.line <= 7);
            }
        }
    }
}

//! Node.js: npm, npx, pnpm, yarn, bun (L33, L62).

use std::path::Path;

use super::{
    Change, Ecosystem, EnvironmentChange, Prepared, Preparer, Project, Ready, Refusal, Refused, Selected, base_name,
    project::join, with_inserted,
};

/// See the module.
pub(super) struct Node;

/// npm's words for `install`.
const INSTALL: &[&str] = &["install", "i", "in", "ins", "inst", "add"];
/// npm's verbs that change the project, publish, or fetch programs.
const NPM_REFUSED: &[&str] = &[
    "update",
    "up",
    "upgrade",
    "uninstall",
    "un",
    "unlink",
    "remove",
    "rm",
    "r",
    "dedupe",
    "ddp",
    "version",
    "publish",
    "link",
    "ln",
    "pkg",
    "exec",
    "x",
    "init",
    "create",
];
/// The same of the others.
const OTHERS_REFUSED: &[&str] = &[
    "add", "remove", "rm", "update", "up", "upgrade", "dlx", "exec", "x", "publish", "link", "unlink", "create",
    "init", "dedupe", "version", "import", "pkg",
];
/// Options that take a value.
const WITH_VALUE: &[&str] = &[
    "--prefix",
    "-C",
    "--dir",
    "--cwd",
    "-w",
    "--workspace",
    "--filter",
    "-F",
    "--loglevel",
    "--cache",
    "--registry",
    "--omit",
    "--include",
    "--userconfig",
    "--reporter",
];

impl Preparer for Node {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Npm
    }

    fn detect(&self, project: &Project) -> bool {
        project.has("package.json")
    }

    fn knows(&self, program: &str) -> bool {
        matches!(program, "npm" | "npx" | "pnpm" | "pnpx" | "yarn" | "yarnpkg" | "bun" | "bunx")
    }

    fn select(&self, project: &Project, change: &Change) -> Vec<Selected> {
        const ENDS: &[&str] =
            &[".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte", ".css"];
        let touches = |path: &String| {
            ENDS.iter().any(|end| path.ends_with(end))
                || matches!(base_name(path), "package.json" | "package-lock.json")
        };
        if !self.detect(project) || !change.touched.iter().any(touches) {
            return Vec::new();
        }
        let command = |words: &[&str]| Selected::Command(words.iter().map(|word| (*word).to_owned()).collect());
        let mut gates = Vec::new();
        if !project.files().any(|file| file.starts_with("node_modules/")) {
            gates.push(command(&["npm", "ci"]));
        }
        let manifest: serde_json::Value =
            project.manifest("package.json").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        for script in ["lint", "typecheck", "test"] {
            if manifest["scripts"][script].is_string() {
                gates.push(command(&["npm", "run", script]));
            }
        }
        gates
    }

    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused> {
        let folder = project.nearest(project.cwd(), "package.json").unwrap_or_else(|| project.cwd().to_owned());
        let words = match base_name(&argv[0]) {
            "npm" => npm(argv)?,
            "npx" => npx(argv)?,
            "pnpm" | "bun" => lockers(argv, &["--frozen-lockfile"])?,
            "yarn" | "yarnpkg" if is_new_yarn(project, &folder) => lockers(argv, &["--immutable"])?,
            "yarn" | "yarnpkg" => lockers(argv, &["--frozen-lockfile"])?,
            other => return Err(fetches(other)),
        };
        Ok(Prepared::changed(argv, words, Ecosystem::Npm, &folder))
    }

    fn env(&self, _scratch: &Path, _project_dir: &str) -> EnvironmentChange {
        EnvironmentChange { dropped: &["NPM_CONFIG_"], ..EnvironmentChange::default() }
    }

    fn make_ready(&self, project: &Project) -> Option<Ready> {
        let folder = project.nearest(project.cwd(), "package-lock.json")?;
        let modules = join(&folder, "node_modules/");
        if project.files().any(|file| file.starts_with(&modules)) {
            return None;
        }
        Some(Ready { folder, argv: vec!["npm".to_owned(), "ci".to_owned()] })
    }
}

/// Where the verb stands, behind options.
fn verb_at(argv: &[String]) -> usize {
    let mut at = 1;
    while let Some(word) = argv.get(at).filter(|word| word.starts_with('-')) {
        if word == "--" {
            // No verb can follow.
            return argv.len();
        }
        at += if WITH_VALUE.contains(&word.as_str()) { 2 } else { 1 };
    }
    at
}

/// Whether words name anything beside options.
fn names_packages(words: &[String]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            return true;
        }
    }
    false
}

fn npm(argv: &[String]) -> Result<Vec<String>, Refused> {
    let at = verb_at(argv);
    let verb = argv.get(at).map_or("", String::as_str);
    if INSTALL.contains(&verb) && !names_packages(&argv[at + 1..]) && verb != "add" {
        let mut words = argv.to_vec();
        words[at] = "ci".to_owned();
        return Ok(words);
    }
    let is_audit_fix = verb == "audit" && argv[at + 1..].iter().any(|word| word == "fix");
    if INSTALL.contains(&verb) || NPM_REFUSED.contains(&verb) || is_audit_fix {
        return Err(changes(&format!("npm {verb}"), "npm ci"));
    }
    Ok(argv.to_vec())
}

fn npx(argv: &[String]) -> Result<Vec<String>, Refused> {
    let own = argv[1..].iter().take_while(|word| word.starts_with('-') && *word != "--");
    let own: Vec<&str> = own.map(String::as_str).collect();
    if own.iter().any(|word| matches!(*word, "--yes" | "-y") || word.starts_with("--yes=")) {
        return Err(fetches("npx --yes"));
    }
    if own.iter().any(|word| matches!(*word, "--no" | "--no-install")) {
        return Ok(argv.to_vec());
    }
    Ok(with_inserted(argv, 1, &["--no"]))
}

/// pnpm, yarn and bun: an install with their own guard, and nothing that changes the project.
fn lockers(argv: &[String], guard: &[&str]) -> Result<Vec<String>, Refused> {
    let program = base_name(&argv[0]);
    let at = verb_at(argv);
    let verb = argv.get(at).map_or("", String::as_str);
    let is_install = matches!(verb, "install" | "i") || (verb.is_empty() && program.starts_with("yarn"));
    if !is_install {
        if OTHERS_REFUSED.contains(&verb) {
            return Err(changes(&format!("{program} {verb}"), &format!("{program} install")));
        }
        return Ok(argv.to_vec());
    }
    let rest = argv.get(at + 1..).unwrap_or_default();
    if names_packages(rest) {
        return Err(changes(&format!("{program} {verb} PACKAGE"), &format!("{program} install")));
    }
    let undone = |word: &String| {
        matches!(
            word.as_str(),
            "--no-frozen-lockfile"
                | "--frozen-lockfile=false"
                | "--no-immutable"
                | "--immutable=false"
                | "--fix-lockfile"
        )
    };
    if argv.iter().any(undone) {
        let text = format!("the lock file must not change in a gate: use `{program} install {}`", guard[0]);
        return Err(Refused::new(Refusal::WritesLock, text));
    }
    if argv.iter().any(|word| guard.contains(&word.as_str())) {
        return Ok(argv.to_vec());
    }
    Ok(with_inserted(argv, at + 1, guard))
}

fn is_new_yarn(project: &Project, folder: &str) -> bool {
    if project.nearest(folder, ".yarnrc.yml").is_some() {
        return true;
    }
    let manifest = project.manifest(&join(folder, "package.json"));
    let manifest: serde_json::Value = manifest.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    manifest["packageManager"]
        .as_str()
        .and_then(|named| named.strip_prefix("yarn@"))
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse::<u32>().ok())
        .is_some_and(|major| major >= 2)
}

fn changes(what: &str, instead: &str) -> Refused {
    let text = format!("`{what}` changes the project: do that in a change of its own, and use `{instead}` here");
    Refused::new(Refusal::VerbNotAllowed, text)
}

fn fetches(what: &str) -> Refused {
    let text =
        format!("`{what}` fetches programs that the lock file does not name: add them to the project and use `npx`");
    Refused::new(Refusal::VerbNotAllowed, text)
}

//! Go (L33, L63).

use std::path::Path;

use super::{
    Change, Ecosystem, EnvironmentChange, Prepared, Preparer, Project, Refusal, Refused, Selected, project::join,
    with_inserted,
};

/// See the module.
pub(super) struct Go;

/// Verbs that take `-mod`.
const GUARDED: &[&str] = &["build", "test", "vet", "list", "run"];
/// Verbs that change the module, install, or run what its comments say.
const REFUSED: &[&str] = &["get", "install", "generate", "fix"];
/// Flags of `go run` that take a value.
const VALUES: &[&str] = &[
    "p",
    "asmflags",
    "buildmode",
    "compiler",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "mod",
    "modfile",
    "overlay",
    "pgo",
    "pkgdir",
    "tags",
    "toolexec",
    "exec",
    "C",
    "covermode",
    "coverpkg",
];

impl Preparer for Go {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Go
    }

    fn detect(&self, project: &Project) -> bool {
        project.has("go.mod")
    }

    fn knows(&self, program: &str) -> bool {
        program == "go"
    }

    fn select(&self, project: &Project, change: &Change) -> Vec<Selected> {
        let touches = |path: &String| path.ends_with(".go") || path.ends_with("go.mod") || path.ends_with("go.sum");
        if !change.touched.iter().any(touches) {
            return Vec::new();
        }
        let guard = if project.has("vendor/modules.txt") { "-mod=vendor" } else { "-mod=readonly" };
        ["vet", "test"].map(|verb| Selected::Command(["go", verb, guard, "./..."].map(str::to_owned).to_vec())).to_vec()
    }

    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused> {
        let verb = argv.get(1).map_or("", String::as_str);
        if REFUSED.contains(&verb) {
            let text =
                format!("`go {verb}` changes the module or runs what its comments say: gate with build, vet or test");
            return Err(Refused::new(Refusal::VerbNotAllowed, text));
        }
        if verb == "mod" && !is_harmless_mod(&argv[2..]) {
            let text = "`go mod` may only verify, graph, why, or tidy -diff: the rest changes go.mod or go.sum";
            return Err(Refused::new(Refusal::VerbNotAllowed, text));
        }
        if matches!(argv.get(2).map(String::as_str), Some("-C" | "--C")) && argv.len() == 3 {
            return Err(Refused::new(Refusal::UnknownOption, "-C lacks its folder: name one inside the worktree"));
        }
        let (directory, after) = change_of_folder(argv);
        let Some(start) = directory.map_or(Some(project.cwd().to_owned()), |to| project.resolve(project.cwd(), to))
        else {
            return Err(Refused::new(
                Refusal::OutsideWorktree,
                "-C leads out of the worktree: name a folder inside it",
            ));
        };
        let folder = project.nearest(&start, "go.mod").unwrap_or(start);
        if !GUARDED.contains(&verb) {
            return Ok(Prepared::unchanged(argv, Ecosystem::Go, &folder));
        }
        match guard_of(argv, verb) {
            Guard::Kept => Ok(Prepared::unchanged(argv, Ecosystem::Go, &folder)),
            Guard::Refused(word) => {
                let text =
                    format!("{word} lets go.mod be changed or replaced: take it out, -mod=readonly is added here");
                Err(Refused::new(Refusal::WritesLock, text))
            }
            Guard::None => {
                let is_vendored = project.has(&join(&folder, "vendor/modules.txt"));
                let guard = if is_vendored { "-mod=vendor" } else { "-mod=readonly" };
                let words = with_inserted(argv, after, &[guard]);
                Ok(Prepared::changed(argv, words, Ecosystem::Go, &folder))
            }
        }
    }

    fn env(&self, scratch: &Path, _project_dir: &str) -> EnvironmentChange {
        let cache = scratch.join("go-build").to_string_lossy().into_owned();
        EnvironmentChange {
            dropped: &["GOFLAGS=", "GOENV=", "GOTOOLCHAIN="],
            kept: &[],
            set: [("GOCACHE".to_owned(), cache)].into(),
        }
    }
}

/// What stands in a `go` command for `-mod`.
enum Guard {
    None,
    Kept,
    Refused(String),
}

/// `-C DIR` directly behind the verb; and where flags may be inserted.
fn change_of_folder(argv: &[String]) -> (Option<&str>, usize) {
    match argv.get(2).map(String::as_str) {
        Some("-C" | "--C") => (argv.get(3).map(String::as_str), 4.min(argv.len())),
        Some(word) => match word.strip_prefix("-C=").or_else(|| word.strip_prefix("--C=")) {
            Some(folder) => (Some(folder), 3),
            None => (None, 2),
        },
        None => (None, 2),
    }
}

/// Looks at go's own flags: up to the first word that belongs to the program or the test.
fn guard_of(argv: &[String], verb: &str) -> Guard {
    let mut guard = Guard::None;
    let mut at = 2;
    while let Some(word) = argv.get(at) {
        if matches!(word.as_str(), "--" | "-args" | "--args") {
            break;
        }
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            // The file or package to run; what follows is its own. A test takes flags anywhere.
            if verb == "run" {
                break;
            }
            at += 1;
            continue;
        };
        let (name, attached) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let value = attached.or_else(|| argv.get(at + 1).map(String::as_str));
        match name {
            "modfile" => return Guard::Refused(word.clone()),
            "mod" => match value {
                Some("readonly" | "vendor") => guard = Guard::Kept,
                _ => return Guard::Refused(format!("-mod={}", value.unwrap_or_default())),
            },
            _ => {}
        }
        at += if attached.is_none() && VALUES.contains(&name) { 2 } else { 1 };
    }
    guard
}

fn is_harmless_mod(words: &[String]) -> bool {
    match words.first().map(String::as_str) {
        Some("verify" | "graph" | "why") => true,
        Some("tidy") => words[1..].iter().any(|word| matches!(word.as_str(), "-diff" | "--diff" | "-diff=true")),
        _ => false,
    }
}

//! Python, with uv (L32, L39-L60).

use std::{collections::BTreeSet, path::Path};

use super::{
    Change, Ecosystem, EnvironmentChange, Prepared, Preparer, Project, Ready, Refusal, Refused, Selected, base_name,
    project::join,
    uv::{self, Words},
    with_inserted,
};

/// See the module.
pub(super) struct Python;

const MANIFEST: &str = "pyproject.toml";
const LOCK: &str = "uv.lock";
/// The programs that make a command a Python gate.
const TOOLS: &[&str] = &["pytest", "ruff", "mypy"];
/// Where a group includes itself, or all the others.
const INCLUDES_MAX: usize = 64;

/// The development tools of a project: how uv is told to install them (L41).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DevSet {
    Group,
    Extra,
}

impl DevSet {
    const fn selector(self) -> &'static str {
        match self {
            Self::Group => "--group",
            Self::Extra => "--extra",
        }
    }
}

impl Preparer for Python {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Python
    }

    fn detect(&self, project: &Project) -> bool {
        ["pyproject.toml", "setup.cfg", "setup.py", "pytest.ini"].iter().any(|file| project.has(file))
            || project.files().any(|file| file.starts_with("tests/") && file.ends_with(".py"))
    }

    fn knows(&self, program: &str) -> bool {
        matches!(program, "uv" | "uvx" | "coverage") || TOOLS.contains(&program) || is_python(program)
    }

    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused> {
        match base_name(&argv[0]) {
            "uv" => prepare_uv(argv, project),
            "uvx" => Err(verb_not_allowed("uvx")),
            _ => Ok(prepare_bare(argv, project)),
        }
    }

    fn select(&self, project: &Project, change: &Change) -> Vec<Selected> {
        let touches = |path: &String| {
            path.ends_with(".py") || path.ends_with(".pyi") || matches!(base_name(path), "pyproject.toml" | "uv.lock")
        };
        if !change.touched.iter().any(touches) {
            return Vec::new();
        }
        let (dev_set, _) = dev_set(project, "");
        let tools = dev_set.map(|set| tools_of(project, set)).unwrap_or_default();
        let mut gates = Vec::new();
        if let Some(set) = dev_set {
            let mut gate = |words: &[&str]| {
                let head = ["uv", "run", "--locked", set.selector(), "dev"];
                gates.push(Selected::Command(head.iter().chain(words).map(|word| (*word).to_owned()).collect()));
            };
            if tools.contains("pytest") && has_tests(project) {
                gate(&["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]);
            }
            if tools.contains("ruff") {
                gate(&["ruff", "check", "--no-cache", "."]);
            }
            if tools.contains("mypy") {
                gate(&["mypy", "--cache-dir=/dev/null", &mypy_target(change)]);
            }
        }
        if gates.is_empty() {
            let files: Vec<String> = change.existing.iter().filter(|path| path.ends_with(".py")).cloned().collect();
            if !files.is_empty() {
                let head = ["python3", "-m", "compileall", "-q", "-f", "--"].map(str::to_owned);
                gates.push(Selected::Command(head.into_iter().chain(files).collect()));
            }
        }
        gates
    }

    fn env(&self, scratch: &Path, project_dir: &str) -> EnvironmentChange {
        let at = |name: &str| scratch.join(name).to_string_lossy().into_owned();
        // One environment for each project of a worktree.
        let venv = if project_dir.is_empty() { "root".to_owned() } else { project_dir.replace('/', "--") };
        EnvironmentChange {
            dropped: &["UV_", "PYTHON", "PIP_", "VIRTUAL_ENV=", "CONDA_"],
            kept: &["UV_PYTHON_INSTALL_DIR="],
            set: [
                ("UV_PROJECT_ENVIRONMENT", at(&format!("venv/{venv}"))),
                ("UV_CACHE_DIR", at("uv-cache")),
                ("PYTHONPYCACHEPREFIX", at("pycache")),
                ("MYPY_CACHE_DIR", at("mypy-cache")),
                ("RUFF_CACHE_DIR", at("ruff-cache")),
                ("PYTEST_ADDOPTS", format!("-o cache_dir={}", shell_word(&at("pytest-cache")))),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        }
    }

    fn make_ready(&self, project: &Project) -> Option<Ready> {
        let folder = project.nearest(project.cwd(), LOCK)?;
        let mut argv = vec!["uv".to_owned(), "sync".to_owned(), "--locked".to_owned()];
        if let (Some(set), _) = dev_set(project, &folder) {
            argv.extend([set.selector().to_owned(), "dev".to_owned()]);
        }
        Some(Ready { folder, argv })
    }
}

/// A Python gate, or another Python command, without uv (L42).
fn prepare_bare(argv: &[String], project: &Project) -> Prepared {
    let folder = project.nearest(project.cwd(), MANIFEST).unwrap_or_else(|| project.cwd().to_owned());
    if !is_gate(argv) {
        return Prepared::unchanged(argv, Ecosystem::Python, &folder);
    }
    let (set, note) = dev_set(project, &folder);
    let mut prepared = match set {
        None => Prepared::unchanged(argv, Ecosystem::Python, &folder),
        Some(set) => {
            let words = with_inserted(argv, 0, &["uv", "run", "--locked", set.selector(), "dev"]);
            let mut prepared = Prepared::changed(argv, words, Ecosystem::Python, &folder);
            prepared.lock_missing = lock_missing(project, &folder);
            prepared
        }
    };
    prepared.notes.extend(note);
    prepared
}

/// A command that begins with uv (L43-L59).
fn prepare_uv(argv: &[String], project: &Project) -> Result<Prepared, Refused> {
    let words = uv::split(argv)?;
    let verb = argv.get(words.verb_at).map_or("", String::as_str);
    let folder = folder_of(&words, project)?;
    if verb == "lock" && is_lock_check(argv, &words) {
        return Ok(Prepared::unchanged(argv, Ecosystem::Python, &folder));
    }
    if verb != "run" {
        return Err(verb_not_allowed(&format!("uv {verb}")));
    }
    let payload = &argv[words.payload_at..];
    if payload.is_empty() {
        let text = "there is nothing to run after `uv run`: name the program";
        return Err(Refused::new(Refusal::NoPayload, text));
    }
    let is_gate = is_gate(payload) || (words.has("--module") && is_module_gate(payload));
    let (set, note) = dev_set(project, &folder);
    refuse_for_any(&words, project)?;
    if is_gate {
        refuse_for_gates(&words, set)?;
    }

    let mut extra: Vec<&str> = Vec::new();
    let mut at = words.verb_at + 1;
    if !words.has("--locked") && !words.has("--frozen") {
        extra.push("--locked");
    }
    if let (true, Some(set)) = (is_gate, set)
        && !satisfies(&words, set)
    {
        // Behind the guard, wherever that one directly follows the verb.
        if extra.is_empty() && argv.get(at).is_some_and(|word| word == "--locked") {
            at += 1;
        }
        extra.extend([set.selector(), "dev"]);
    }
    let mut prepared = Prepared::changed(argv, with_inserted(argv, at, &extra), Ecosystem::Python, &folder);
    prepared.notes.extend(note);
    prepared.lock_missing = lock_missing(project, &folder);
    Ok(prepared)
}

/// Refusals for any payload.
fn refuse_for_any(words: &Words, project: &Project) -> Result<(), Refused> {
    let refuse = |code, text: &str| Err(Refused::new(code, text));
    if words.has("--locked") && words.has("--frozen") {
        return refuse(Refusal::GuardConflict, "--locked and --frozen exclude each other: keep one of them");
    }
    if ["--upgrade", "--upgrade-package", "--upgrade-group"].iter().any(|name| words.has(name)) {
        return refuse(
            Refusal::WritesLock,
            "a gate must not change uv.lock: upgrade in a change of its own, and take -U or -P out",
        );
    }
    if words.has("--config-file") {
        return refuse(Refusal::DefeatsIsolation, "a gate takes its settings from the project: take --config-file out");
    }
    let folder = directory_of(words, project)?;
    if words.values("--env-file").any(|file| project.resolve(&folder, file).is_none()) {
        return refuse(Refusal::DefeatsIsolation, "--env-file leads out of the worktree: name a file inside it");
    }
    let has_only = words.has("--only-group") || words.has("--only-dev");
    if has_only && (words.has("--group") || words.has("--all-groups")) {
        return refuse(
            Refusal::SelectorConflict,
            "--only-group and --only-dev exclude --group and --all-groups: keep one kind",
        );
    }
    Ok(())
}

/// Refusals for Python gates (L53, L54, L56).
fn refuse_for_gates(words: &Words, set: Option<DevSet>) -> Result<(), Refused> {
    if let Some(name) = ["--no-sync", "--no-project", "--active"].into_iter().find(|name| words.has(name)) {
        let text = format!("with {name} the gate would not run in the project's own environment: take it out");
        return Err(Refused::new(Refusal::DefeatsIsolation, text));
    }
    let Some(set) = set else { return Ok(()) };
    let excluded = match set {
        DevSet::Group => words.has("--no-dev") || words.has_value("--no-group", "dev"),
        DevSet::Extra => words.has_value("--no-extra", "dev"),
    };
    if excluded {
        let text = format!(
            "the development tools are shut out, and the gate needs them: use `{} dev` instead",
            set.selector()
        );
        return Err(Refused::new(Refusal::DevExcluded, text));
    }
    let only_dev = words.has("--only-dev") || words.has_value("--only-group", "dev");
    let only_any = words.has("--only-dev") || words.has("--only-group");
    let conflict = match set {
        DevSet::Group => only_any && !only_dev,
        DevSet::Extra => only_any,
    };
    if conflict {
        let text = format!(
            "only another group is selected, and the gate needs the development tools: use `{} dev`",
            set.selector()
        );
        return Err(Refused::new(Refusal::SelectorConflict, text));
    }
    Ok(())
}

/// Whether the development tools are selected already (L49, L50).
fn satisfies(words: &Words, set: DevSet) -> bool {
    match set {
        DevSet::Group => {
            words.has_value("--group", "dev")
                || words.has_value("--only-group", "dev")
                || words.has("--only-dev")
                || words.has("--all-groups")
        }
        DevSet::Extra => words.has_value("--extra", "dev") || words.has("--all-extras"),
    }
}

fn is_lock_check(argv: &[String], words: &Words) -> bool {
    // `--check` is `uv lock`'s own word; anything beside it is not known here.
    let mut rest = argv[words.verb_at + 1..].iter();
    rest.next().is_some_and(|word| word == "--check") && rest.next().is_none() && !words.has("--upgrade")
}

fn verb_not_allowed(what: &str) -> Refused {
    let text = format!("`{what}` is not for gates: use `uv run PROGRAM`, or `uv lock --check`");
    Refused::new(Refusal::VerbNotAllowed, text)
}

/// Where uv works after `--directory`.
fn directory_of(words: &Words, project: &Project) -> Result<String, Refused> {
    let mut folder = project.cwd().to_owned();
    for directory in words.values("--directory") {
        folder = project.resolve(&folder, directory).ok_or_else(|| outside("--directory"))?;
    }
    Ok(folder)
}

/// The folder of the project uv finds (L57).
fn folder_of(words: &Words, project: &Project) -> Result<String, Refused> {
    let mut folder = directory_of(words, project)?;
    if let Some(named) = words.values("--project").last() {
        let all_inside = words.values("--project").all(|path| project.resolve(&folder, path).is_some());
        folder = project.resolve(&folder, named).filter(|_| all_inside).ok_or_else(|| outside("--project"))?;
    }
    Ok(project.nearest(&folder, MANIFEST).unwrap_or(folder))
}

fn outside(option: &str) -> Refused {
    Refused::new(Refusal::OutsideWorktree, format!("{option} leads out of the worktree: name a folder inside it"))
}

/// L59: a project that has no lock file between its folder and the top.
fn lock_missing(project: &Project, folder: &str) -> bool {
    project.has(&join(folder, MANIFEST)) && project.nearest(folder, LOCK).is_none()
}

/// L41: how the project declares its development tools, with a note where that cannot be read.
fn dev_set(project: &Project, folder: &str) -> (Option<DevSet>, Option<String>) {
    let path = join(folder, MANIFEST);
    let Some(text) = project.manifest(&path) else { return (None, None) };
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return (None, Some(format!("{path} is not readable TOML: no development tools are selected")));
    };
    let at = |keys: &[&str]| {
        let mut value = manifest.get(keys[0])?;
        for key in &keys[1..] {
            value = value.get(key)?;
        }
        Some(value)
    };
    let set = if at(&["dependency-groups", "dev"]).is_some() || at(&["tool", "uv", "dev-dependencies"]).is_some() {
        Some(DevSet::Group)
    } else {
        at(&["project", "optional-dependencies", "dev"]).map(|_| DevSet::Extra)
    };
    (set, None)
}

/// The tools that the development set lists, directly or by a group it includes.
fn tools_of(project: &Project, set: DevSet) -> BTreeSet<String> {
    let manifest = project.manifest(MANIFEST).and_then(|text| text.parse::<toml::Table>().ok()).unwrap_or_default();
    let mut tools = BTreeSet::new();
    let mut add = |list: Option<&toml::Value>| -> Vec<String> {
        let mut includes = Vec::new();
        for item in list.and_then(toml::Value::as_array).into_iter().flatten() {
            if let Some(requirement) = item.as_str() {
                tools.insert(requirement_name(requirement));
            } else if let Some(group) = item.get("include-group").and_then(toml::Value::as_str) {
                includes.push(group.to_owned());
            }
        }
        includes
    };
    match set {
        DevSet::Extra => {
            let extras = manifest.get("project").and_then(|project| project.get("optional-dependencies"));
            add(extras.and_then(|extras| extras.get("dev")));
        }
        DevSet::Group => {
            add(manifest.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get("dev-dependencies")));
            let groups = manifest.get("dependency-groups");
            let (mut open, mut seen) = (vec!["dev".to_owned()], BTreeSet::new());
            while let Some(group) = open.pop() {
                if seen.len() < INCLUDES_MAX && seen.insert(group.clone()) {
                    open.extend(add(groups.and_then(|groups| groups.get(&group))));
                }
            }
        }
    }
    tools
}

/// The name in a requirement, as package indexes compare names.
fn requirement_name(requirement: &str) -> String {
    let name: String =
        requirement.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn has_tests(project: &Project) -> bool {
    let configured = project
        .manifest(MANIFEST)
        .and_then(|text| text.parse::<toml::Table>().ok())
        .is_some_and(|manifest| manifest.get("tool").is_some_and(|tool| tool.get("pytest").is_some()));
    configured
        || project.has("pytest.ini")
        || project.files().any(|file| {
            let name = base_name(file);
            name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py") || is_in_tests(file))
        })
}

fn is_in_tests(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| part == "tests" || part == "test")
}

/// The one top-level folder of the changed files outside tests, else everything.
fn mypy_target(change: &Change) -> String {
    let folders: BTreeSet<&str> = change
        .existing
        .iter()
        .filter(|path| (path.ends_with(".py") || path.ends_with(".pyi")) && !is_in_tests(path))
        .map(|path| path.split_once('/').map_or(".", |(folder, _)| folder))
        .collect();
    match folders.iter().collect::<Vec<_>>()[..] {
        // A folder that looks like an option is not handed over as one.
        [folder] if !folder.starts_with('-') => (*folder).to_owned(),
        _ => ".".to_owned(),
    }
}

fn is_python(program: &str) -> bool {
    match program.strip_prefix("python") {
        Some("" | "3") => true,
        Some(rest) => rest
            .strip_prefix("3.")
            .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())),
        None => false,
    }
}

/// L39: whether a command is a Python gate.
fn is_gate(words: &[String]) -> bool {
    let Some(program) = words.first() else { return false };
    match base_name(program) {
        "coverage" => is_coverage_of_pytest(&words[1..]),
        name if TOOLS.contains(&name) => true,
        name if is_python(name) => interpreter_module(&words[1..]).is_some_and(|(module, rest)| match module {
            "coverage" => is_coverage_of_pytest(rest),
            module => TOOLS.contains(&module),
        }),
        _ => false,
    }
}

/// The payload of `uv run -m`: a module and its arguments.
fn is_module_gate(payload: &[String]) -> bool {
    match payload[0].as_str() {
        "coverage" => is_coverage_of_pytest(&payload[1..]),
        module => TOOLS.contains(&module),
    }
}

/// The module an interpreter is told to run, and what follows.
fn interpreter_module(words: &[String]) -> Option<(&str, &[String])> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--check-hash-based-pycs" {
            at += 2;
            continue;
        }
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'))?;
        let mut value_follows = false;
        for (place, letter) in letters.char_indices() {
            let attached = &letters[place + letter.len_utf8()..];
            match letter {
                'm' if attached.is_empty() => {
                    return words.get(at + 1).map(|module| (module.as_str(), &words[at + 2..]));
                }
                'm' => return Some((attached, &words[at + 1..])),
                'c' => return None,
                'X' | 'W' => {
                    value_follows = attached.is_empty();
                    break;
                }
                _ => {}
            }
        }
        at += if value_follows { 2 } else { 1 };
    }
    None
}

/// `coverage run ... -m pytest`.
fn is_coverage_of_pytest(words: &[String]) -> bool {
    const WITH_VALUE: &[&str] =
        &["--rcfile", "--source", "--include", "--omit", "--context", "--concurrency", "--data-file", "--debug"];
    let Some((_, words)) = words.split_first().filter(|(verb, _)| *verb == "run") else { return false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-m" => return words.next().is_some_and(|module| module == "pytest"),
            word if WITH_VALUE.contains(&word) => {
                words.next();
            }
            word if word.starts_with('-') => {}
            _ => return false,
        }
    }
    false
}

/// A path as pytest's own splitting takes it for one word.
fn shell_word(path: &str) -> String {
    if path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.+,@".contains(&byte)) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

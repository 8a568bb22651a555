//! Every row of L39 to L63 as a table, and what holds for any argv. L35-L63, L122, X3.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use super::*;

const GROUP: &str =
    "[project]\nname='x'\n[dependency-groups]\ndev=['pytest','ruff',{include-group='types'}]\ntypes=['mypy>=1']\n";
const EXTRA: &str =
    "[project]\nname='x'\n[project.optional-dependencies]\ndev=['pytest-cov','PyTest ; python_version>\"3\"']\n";
const NONE: &str = "[project]\nname='x'\n";

fn project(manifests: &[(&str, &str)]) -> Project {
    let manifests: BTreeMap<String, String> =
        manifests.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Project::new("/tree", "", manifests)
}

fn python(manifest: &str) -> Project {
    project(&[("pyproject.toml", manifest), ("uv.lock", "")])
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn prepared(line: &str, project: &Project) -> Result<String, Refusal> {
    let first = prepare(&words(line), project).map_err(|refused| {
        assert!(!refused.text.is_empty());
        refused.code
    })?;
    assert_eq!(first.declared, words(line));
    let again = prepare(&first.prepared, project).expect("what is prepared is not refused");
    assert_eq!(again.prepared, first.prepared, "prepared twice: {line}");
    Ok(first.prepared.join(" "))
}

fn table(project: &Project, rows: &[(&str, Result<&str, Refusal>)]) {
    for (line, expected) in rows {
        assert_eq!(prepared(line, project).as_deref(), expected.as_ref().map(|line| *line), "{line}");
    }
}

/// The same line: nothing is changed.
macro_rules! same {
    ($($line:literal),* $(,)?) => { &[$(($line, Ok($line))),*] };
}

mod python;

// L60 L61 L62 L63
#[test]
fn environments_are_cleared_of_the_persons_own() {
    let mut environment = Environment::default();
    for name in [
        "UV_INDEX",
        "UV_PYTHON_INSTALL_DIR",
        "PYTHONPATH",
        "PIP_INDEX_URL",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "PATH",
    ] {
        environment.set(name, "x");
    }
    preparer(Ecosystem::Python).unwrap().env(Path::new("/s"), "api/x").apply(&mut environment);
    let names: Vec<&str> = environment.variables().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "MYPY_CACHE_DIR",
            "PATH",
            "PYTEST_ADDOPTS",
            "PYTHONPYCACHEPREFIX",
            "RUFF_CACHE_DIR",
            "UV_CACHE_DIR",
            "UV_PROJECT_ENVIRONMENT",
            "UV_PYTHON_INSTALL_DIR",
            "VIRTUAL_ENV_PROMPT"
        ]
    );
    assert_eq!(environment.get("UV_PROJECT_ENVIRONMENT"), Some("/s/venv/api--x"));

    let mut environment = Environment::default();
    for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "npm_config_registry", "GOFLAGS", "GOPATH"] {
        environment.set(name, "x");
    }
    for ecosystem in [Ecosystem::Cargo, Ecosystem::Npm, Ecosystem::Go] {
        preparer(ecosystem).unwrap().env(Path::new("/s"), "").apply(&mut environment);
    }
    let names: Vec<&str> = environment.variables().keys().map(String::as_str).collect();
    assert_eq!(names, ["CARGO_HOME", "CARGO_TARGET_DIR", "GOCACHE", "GOPATH"]);
}

// L61
#[test]
fn cargo() {
    let project = project(&[("Cargo.toml", "")]);
    table(
        &project,
        &[
            ("cargo test", Ok("cargo test --locked")),
            ("cargo t -p x", Ok("cargo t --locked -p x")),
            (
                "cargo +nightly -q --color never clippy -- -D warnings",
                Ok("cargo +nightly -q --color never clippy --locked -- -D warnings"),
            ),
            ("cargo nextest run -E x", Ok("cargo nextest run --locked -E x")),
            ("cargo test -- --locked", Ok("cargo test --locked -- --locked")),
            ("cargo run x --locked", Ok("cargo run --locked x --locked")),
            ("cargo run --bin tool --frozen x", Ok("cargo run --bin tool --frozen x")),
            ("cargo update", Err(Refusal::VerbNotAllowed)),
            ("cargo +stable -v add serde", Err(Refusal::VerbNotAllowed)),
            ("cargo install x", Err(Refusal::VerbNotAllowed)),
            ("cargo fix", Err(Refusal::VerbNotAllowed)),
        ],
    );
    table(
        &project,
        same![
            "cargo fmt --check",
            "cargo",
            "cargo --version",
            "cargo test --frozen x",
            "cargo --locked test",
            "cargo build --offline --locked",
            "cargo audit",
            "cargo nextest --version"
        ],
    );
}

// L62
#[test]
fn node() {
    let old = project(&[("package.json", "{}")]);
    table(
        &old,
        &[
            ("npm install", Ok("npm ci")),
            ("npm --prefix web i --ignore-scripts", Ok("npm --prefix web ci --ignore-scripts")),
            ("npm install left-pad", Err(Refusal::VerbNotAllowed)),
            ("npm update", Err(Refusal::VerbNotAllowed)),
            ("npm audit fix", Err(Refusal::VerbNotAllowed)),
            ("npm exec x", Err(Refusal::VerbNotAllowed)),
            ("npx eslint .", Ok("npx --no eslint .")),
            ("npx --yes eslint", Err(Refusal::VerbNotAllowed)),
            ("npx -y eslint", Err(Refusal::VerbNotAllowed)),
            ("npx eslint --yes", Ok("npx --no eslint --yes")),
            ("pnpm install", Ok("pnpm install --frozen-lockfile")),
            ("pnpm i --no-frozen-lockfile", Err(Refusal::WritesLock)),
            ("pnpm add x", Err(Refusal::VerbNotAllowed)),
            ("pnpm dlx x", Err(Refusal::VerbNotAllowed)),
            ("bun install", Ok("bun install --frozen-lockfile")),
            ("bunx x", Err(Refusal::VerbNotAllowed)),
            ("yarn", Ok("yarn --frozen-lockfile")),
            ("yarn install", Ok("yarn install --frozen-lockfile")),
        ],
    );
    table(
        &old,
        same![
            "npm ci",
            "npm test",
            "npm run lint -- --fix",
            "npm start",
            "npx --no x",
            "pnpm test",
            "bun test",
            "yarn test",
            "npm audit",
            "npm"
        ],
    );
    for new in [
        project(&[("package.json", r#"{"packageManager":"yarn@4.1.0"}"#)]),
        project(&[("package.json", "{}"), (".yarnrc.yml", "")]),
    ] {
        assert_eq!(prepared("yarn install", &new).unwrap(), "yarn install --immutable");
    }
}

// L63
#[test]
fn go() {
    let plain = project(&[("go.mod", ""), ("v/go.mod", ""), ("v/vendor/modules.txt", "")]);
    table(
        &plain,
        &[
            ("go test ./...", Ok("go test -mod=readonly ./...")),
            ("go test -C v ./...", Ok("go test -C v -mod=vendor ./...")),
            ("go vet -C=v", Ok("go vet -C=v -mod=vendor")),
            ("go run . -mod=mod", Ok("go run -mod=readonly . -mod=mod")),
            ("go test ./... -args -mod=mod", Ok("go test -mod=readonly ./... -args -mod=mod")),
            ("go build -mod=mod", Err(Refusal::WritesLock)),
            ("go build -mod mod", Err(Refusal::WritesLock)),
            ("go test ./... -modfile=x", Err(Refusal::WritesLock)),
            ("go get x", Err(Refusal::VerbNotAllowed)),
            ("go generate ./...", Err(Refusal::VerbNotAllowed)),
            ("go mod tidy", Err(Refusal::VerbNotAllowed)),
            ("go mod download", Err(Refusal::VerbNotAllowed)),
            ("go test -C ../x", Err(Refusal::OutsideWorktree)),
        ],
    );
    table(
        &plain,
        same![
            "go test -mod=readonly ./...",
            "go build -mod=vendor",
            "go build --mod vendor",
            "go mod verify",
            "go mod tidy -diff",
            "go version",
            "go fmt",
            "go"
        ],
    );
}

// L36 L38
#[test]
fn the_unknown_passes_and_the_impossible_does_not() {
    let project = project(&[]);
    table(&project, same!["make test", "./ci/gate --locked", "env X=1 cargo test", "coverage2"]);
    for argv in [vec![], vec![String::new()], vec!["a\0b".to_owned()], vec!["x".to_owned(); TOKENS_MAX + 1]] {
        assert_eq!(prepare(&argv, &project).unwrap_err().code, Refusal::ArgvInvalid);
    }
}

fn selected(project: &Project, touched: &[&str]) -> Vec<String> {
    let touched: std::collections::BTreeSet<String> = touched.iter().map(|path| (*path).to_owned()).collect();
    let change = Change { existing: touched.iter().filter(|path| !path.contains("gone")).cloned().collect(), touched };
    let show = |selected| match selected {
        Selected::Command(argv) => {
            let again = prepare(&argv, project).expect("what we choose is not refused");
            assert_eq!(again.prepared, argv, "what we choose is prepared");
            argv.join(" ")
        }
        Selected::Text(files) => format!("text {}", files.join(" ")),
    };
    select(project, &change).into_iter().map(show).collect()
}

// L31 L32 L33
#[test]
fn gates_are_selected_by_what_changed() {
    let both = project(&[
        ("pyproject.toml", GROUP),
        ("uv.lock", ""),
        ("package.json", r#"{"scripts":{"test":"x","lint":"y"}}"#),
        ("go.mod", ""),
        ("Cargo.toml", ""),
        ("tests/test_a.py", ""),
    ]);
    assert_eq!(
        selected(&both, &["src/a.py", "tests/test_a.py"]),
        [
            "uv run --locked --group dev python -m pytest -q -p no:cacheprovider",
            "uv run --locked --group dev ruff check --no-cache .",
            "uv run --locked --group dev mypy --cache-dir=/dev/null src",
        ]
    );
    assert_eq!(selected(&both, &["src/a.rs"]), ["cargo fmt --check", "cargo clippy --locked", "cargo test --locked"]);
    assert_eq!(selected(&both, &["a.ts"]), ["npm ci", "npm run lint", "npm run test"]);
    assert_eq!(selected(&both, &["a.go"]), ["go vet -mod=readonly ./...", "go test -mod=readonly ./..."]);
    assert_eq!(selected(&both, &["docs/x.svg", "README.md", "gone.md"]), ["text README.md docs/x.svg"]);
    assert_eq!(selected(&both, &["README.md", "a.bin"]), Vec::<String>::new());
    assert_eq!(selected(&both, &[]), Vec::<String>::new());
    assert_eq!(selected(&python(NONE), &["a.py", "gone.py"]), ["python3 -m compileall -q -f -- a.py"]);
    assert_eq!(
        selected(&python(EXTRA).with_files(["tests/x.py".to_owned()]), &["a.py"]),
        ["uv run --locked --extra dev python -m pytest -q -p no:cacheprovider"]
    );
    assert!(is_text("é".as_bytes()) && !is_text(b"\xff"));
}

// P35 X3
#[test]
fn projects_are_made_ready_by_their_lock() {
    let ready = |project: &Project| -> Vec<String> {
        preparers().iter().flat_map(|preparer| preparer.make_ready(project)).map(|ready| ready.argv.join(" ")).collect()
    };
    assert_eq!(ready(&python(GROUP)), ["uv sync --locked --group dev"]);
    assert_eq!(ready(&python(NONE)), ["uv sync --locked"]);
    assert_eq!(ready(&project(&[("pyproject.toml", GROUP)])), Vec::<String>::new());
    assert_eq!(ready(&project(&[("package-lock.json", "")])), ["npm ci"]);
    assert_eq!(ready(&project(&[("package-lock.json", ""), ("node_modules/x", "")])), Vec::<String>::new());
}

fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|word| whole.any(|other| other == word))
}

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(vec![
            "uv", "run", "--locked", "--frozen", "--group", "dev", "--extra", "--only-group", "--only-dev", "--no-dev", "--",
            "-", "-m", "pytest", "ruff", "python", "python3", "-c", "coverage", "--with", "-p", "-qv", "--directory", "api",
            "--project", "..", "cargo", "+nightly", "test", "nextest", "t", "--config", "npm", "install", "i", "npx", "yarn",
            "--immutable", "go", "-mod=readonly", "-mod", "-C", "-args", "uvx", "lock", "--check", "é", "",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    // L35, L122, F24: any argv, any of the projects.
    #[test]
    fn for_any_argv(argv in proptest::collection::vec(any_word(), 0..9), which in 0usize..3) {
        let manifest = [GROUP, EXTRA, NONE][which];
        let project = project(&[("pyproject.toml", manifest), ("uv.lock", ""), ("api/pyproject.toml", GROUP), ("package.json", "{}"), ("go.mod", "")]);
        if let Ok(prepared) = prepare(&argv, &project) {
            let is_npm_install = base_name(&argv[0]) == "npm";
            // Nothing is changed, dropped or moved; npm's verb is the one that is replaced.
            prop_assert!(is_npm_install || is_part(&argv, &prepared.prepared), "{:?}", prepared);
            prop_assert_eq!(argv.len() > prepared.prepared.len(), false);
            // Never both guards, unless both were there.
            let own: Vec<&String> = prepared.prepared.iter().take_while(|word| *word != "--").collect();
            let (locked, frozen) = (own.iter().any(|word| *word == "--locked"), own.iter().any(|word| *word == "--frozen"));
            let had = |guard: &str| argv.iter().any(|word| word == guard);
            if base_name(&prepared.prepared[0]) == "uv" && locked && frozen {
                prop_assert!(had("--locked") || had("--frozen"));
            }
            let again = prepare(&prepared.prepared, &project);
            prop_assert_eq!(again.map(|again| again.prepared), Ok(prepared.prepared));
        }
    }
}

// L37 L68 L74: what is prepared is what the policy judges, and the starter lets it through.
#[test]
fn the_starter_policy_allows_what_is_prepared() {
    use model::policy::{Judged, Policy};
    let policy = Policy::starter(&["rust", "python", "node", "go"], &[]);
    let project = project(&[
        ("pyproject.toml", GROUP),
        ("uv.lock", ""),
        ("package.json", "{}"),
        ("go.mod", ""),
        ("Cargo.toml", ""),
    ]);
    let judged = |line: &str| {
        let prepared = prepare(&words(line), &project).unwrap().prepared;
        policy.judge_command(&prepared, Path::new("/tree"), "")
    };
    for line in [
        "pytest -q",
        "uv run pytest",
        "uv run -m pytest",
        "coverage run -m pytest",
        "cargo test",
        "npm install",
        "npm test",
        "npx eslint .",
        "go test ./...",
        "python3 -m unittest",
    ] {
        assert_eq!(judged(line), Judged::Allowed, "{line}");
    }
    for line in ["uv run make", "npx rimraf x", "uv run python -c pass", "./ci/gate", "sh -c true", "env cargo test"] {
        assert_ne!(judged(line), Judged::Allowed, "{line}");
    }
}
